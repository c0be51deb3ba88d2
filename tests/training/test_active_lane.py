"""A built lane, without a runner: what advances it, what ends it, what commands do to it."""

import math

import pytest
import torch

from lrtui.core.protocol.command_result import LANE_ENDED, done
from lrtui.core.protocol.commands import (
    Fork,
    Pause,
    Resume,
    ScaleRate,
    SetFactor,
    SetRate,
    TakeSnapshot,
)
from lrtui.core.protocol.events import Ended, RateChanged, StatusChanged, Steps
from lrtui.training import lane_commands
from lrtui.training.active_lane import ActiveLane
from lrtui.training.lane_snapshots import LaneSnapshots
from lrtui.training.policy import Policy
from lrtui.training.session import Training
from lrtui.training.snapshot_writer import SnapshotWriter
from support.lane_runners import LANE, Tape, numbers, of_kind
from support.training import column, make_race, train

HOT = {"optimizer": "SGD", "lr": 1e12}


@pytest.fixture
def build(tmp_path):
    """Builds the lane of a race on a tape."""
    writers = []

    def built(race, **options):
        tape = Tape()
        writers.append(SnapshotWriter(tmp_path, tape, race.snapshots, 1))
        snapshots = LaneSnapshots(race, 0, tmp_path, writers[-1], lambda text: None)
        deferred = options.pop("deferred", None)
        training = Training(race, 0, torch.device("cpu"), deferred=deferred)
        snapshots.begin(training, loaded=False)
        return ActiveLane(training, tape, snapshots, Policy(race, 0), **options), tape

    yield built
    for writer in writers:
        writer.close(10.0)


def advance_to(lane, step):
    while lane.step < step:
        assert lane.advance()
    return lane


def test_it_advances_to_the_end_of_its_budget(build):
    race = make_race([LANE])
    lane, tape = build(race)
    while lane.advance():
        assert not lane.ended
    assert lane.ended
    assert numbers(tape.events) == numbers(train(race))


def test_changes_of_the_dial_are_replayed_at_their_steps(build):
    race = make_race([LANE])
    lane, tape = build(race, changes=[(2, 10.0), (4, 1.0)])
    while lane.advance():
        pass
    assert [(event.step, event.factor) for event in of_kind(tape, RateChanged)] == [
        (2, 10.0),
        (4, 1.0),
    ]
    scheduled, applied = column(train(race), "applied_lr"), column(tape.events, "applied_lr")
    assert applied[2:4] == pytest.approx([10 * rate for rate in scheduled[2:4]])
    assert applied[4:] == scheduled[4:]


def test_a_command_ends_the_replay(build):
    lane, tape = build(make_race([LANE]), changes=[(5, 10.0)])
    advance_to(lane, 3)
    result = lane_commands.execute(SetFactor(lane=0, factor=2.0), 0, lane)
    assert result == done("rate 0.02 from step 3")
    advance_to(lane, 6)
    assert [event.factor for event in of_kind(tape, RateChanged)] == [2.0]


def test_pause_and_resume_tell_the_status_once(build):
    lane, tape = build(make_race([LANE]))
    advance_to(lane, 2)
    results = [
        lane_commands.execute(command, 0, lane)
        for command in (Pause(lane=0), Pause(lane=0), Resume(lane=0), Resume(lane=0))
    ]
    assert results == [done("paused"), done("already paused"), done("running"), done("not paused")]
    assert [event.status for event in of_kind(tape, StatusChanged)] == ["paused", "running"]
    assert sum(event.count for event in of_kind(tape, Steps)) == 2


def test_resume_ends_the_wait_at_a_rung(build):
    lane, _ = build(make_race([LANE]))
    lane.waits = True
    assert lane_commands.execute(Resume(lane=0), 0, lane) == done("goes on from its rung")
    assert not lane.waits


@pytest.mark.parametrize("command", [Pause(lane=0), TakeSnapshot(lane=0)])
def test_a_flush_that_finds_a_bad_update_ends_the_lane(command, build, monkeypatch):
    monkeypatch.setattr("lrtui.training.step_recorder.BLOCK_S", math.inf)
    lane, tape = build(make_race([HOT]), deferred=True)
    advance_to(lane, 4)
    result = lane_commands.execute(command, 7, lane) or tape.results[7]
    assert result == LANE_ENDED
    assert lane.ended
    assert [event.reason for event in of_kind(tape, Ended)] == ["nan"]
    before = len(tape.events)
    lane.flush(last=True)
    assert not lane.snapshot()
    assert len(tape.events) == before


@pytest.mark.parametrize(
    "command",
    [SetRate(lane=0, rate=math.inf), ScaleRate(lane=0, by=math.nan), Fork(lane=0, child=None)],
)
def test_a_command_without_effect_is_refused(command, build):
    lane, tape = build(make_race([LANE]))
    advance_to(lane, 1)
    assert lane_commands.execute(command, 0, lane).code == "refused"
    assert of_kind(tape, RateChanged) == []
