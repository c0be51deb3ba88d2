"""Runs that were trained in the test's own process, with their snapshots."""

from lrtui.store.recorder import Recorder
from lrtui.store.run_dir import trainer_role
from lrtui.store.writer import create_run
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_runner import LaneRunner
from lrtui.training.snapshot_writer import SnapshotWriter
from support.lane_runners import run_shortest_slices


def trained_run(runs, race, *commands, at=None):
    """A run of `race` whose lanes have trained to the end. `commands` are executed at step `at` of
    the first lane."""
    run, lanes = create_run(runs, race), range(len(race.lanes))
    recorder = Recorder(run, trainer_role(0), set(lanes))
    writer = SnapshotWriter(run, recorder, race.snapshots, len(lanes))
    runners = [
        LaneRunner(race, LaneAssignment(index, "cpu"), run, recorder, writer) for index in lanes
    ]
    while at is not None and runners[0].steps < at:
        runners[0].run(seconds=0.0)
    for command in commands:
        assert runners[command.lane].execute(command).ok
    run_shortest_slices(runners)
    assert writer.close(60.0)
    assert recorder.close(60.0)
    return run
