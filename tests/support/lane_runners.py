"""Lane runners in this process, and the events that they leave."""

import math

from lrtui.core.protocol.events import Evaluated, Rewound, Snapshotted, Steps
from lrtui.store import snapshots
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_runner import LaneRunner
from lrtui.training.snapshot_writer import SnapshotWriter
from support.training import column


class Tape:
    """A recorder that keeps what it is given."""

    def __init__(self):
        self.events = []

        self.snapshotted = []  # they come when the disk has them
        self.results = {}

    superseded = False

    def put(self, event):
        if isinstance(event, Snapshotted):
            self.snapshotted.append(event)
        else:
            self.events.append(event)

    def acknowledge(self, number, result):
        self.results[number] = result

    def wait_flushed(self, seconds):
        return True

    def of(self, lane):
        return [event for event in self.events if event.lane == lane]


def runners_of(race, tape, folder, assignments=None):
    snapshot_writer = SnapshotWriter(folder, tape, race.snapshots, len(race.lanes))
    assignments = assignments or [LaneAssignment(index, "cpu") for index in range(len(race.lanes))]
    return [
        LaneRunner(race, assignment, folder, tape, snapshot_writer) for assignment in assignments
    ]


def numbers(events):
    """Everything measured in a lane but the time it took; None where it was not measured, which
    equals itself."""
    evaluated = [(e.epoch, e.step, e.loss, e.metrics) for e in events if isinstance(e, Evaluated)]
    columns = [column(events, name) for name in ("loss", "applied_lr", "next_lr", "grad_norm")]
    return [
        [None if math.isnan(value) else value for value in values] for values in columns
    ], evaluated


def run_shortest_slices(runners):
    """Runs each lane for one step at a time, until all have ended or are paused."""
    while running := [runner for runner in runners if not runner.over and not runner.paused]:
        for runner in running:
            runner.run(seconds=0.0)


LANE = {
    "optimizer": "SGD",
    "lr": 0.01,
    "momentum": 0.9,
    "schedule": {"name": "StepLR", "step_size": 1, "gamma": 0.5},
}


def runner_of(race, folder, assignment=None):
    tape = Tape()
    return runners_of(race, tape, folder, [assignment or LaneAssignment(0, "cpu")])[0], tape


def run_to(runner, step):
    while runner.steps < step and not runner.over:
        runner.run(seconds=0.0)
    return runner


def finish(runner):
    run_shortest_slices([runner])
    return runner


def kept(runner, folder, letter="A"):
    runner._snapshots.wait_until_idle()
    return [(one.step, one.tag) for one in snapshots.listing(folder, letter)]


def latest(events, name="loss"):
    """A column as a viewer sees it at the end: what came again replaces what was there."""
    told = []
    for event in events:
        if isinstance(event, Rewound):
            del told[event.step :]
        if isinstance(event, Steps):
            assert event.first == len(told)
            told += event.values(name).tolist()
    return told


def of_kind(tape, kind):
    return [event for event in tape.events if isinstance(event, kind)]
