"""Executes commands on a lane that is built, between two of its steps."""

from __future__ import annotations

from lrtui.core.numbers import rate as rate_text
from lrtui.core.protocol.command_result import (
    LANE_ENDED,
    CommandResult,
    done,
    refused,
    snapshot_taken,
)
from lrtui.core.protocol.commands import (
    AnyCommand,
    Pause,
    Resume,
    ScaleRate,
    SetFactor,
    SetRate,
    TakeSnapshot,
)
from lrtui.store.snapshots import SnapshotFile
from lrtui.training.active_lane import ActiveLane


def execute(command: AnyCommand, number: int, lane: ActiveLane) -> CommandResult | None:
    """Executes a command that neither ends nor rewinds the lane. None: the result follows once the
    disk has it."""
    match command:
        case Pause():
            return _pause(lane)
        case Resume():
            return _resume(lane)
        case SetRate() | ScaleRate() | SetFactor():
            return _turn_dial(command, lane)
        case TakeSnapshot():
            _take_snapshot(number, lane)
            return None
    return refused("not a command for a lane")


def _pause(lane: ActiveLane) -> CommandResult:
    lane.waits = False
    if lane.paused:
        return done("already paused")
    lane.pause()
    return LANE_ENDED if lane.ended else done("paused")  # it ends where a bad update is found


def _resume(lane: ActiveLane) -> CommandResult:
    waited, lane.waits = lane.waits, False
    if not lane.paused:
        return done("goes on from its rung" if waited else "not paused")
    lane.paused = False
    lane.report_status("running")
    return done("running")


def _turn_dial(command: SetRate | ScaleRate | SetFactor, lane: ActiveLane) -> CommandResult:
    """Sets the dial from the next step on."""
    if reason := lane.set_dial(command):
        return refused(reason)
    lane.dial_replay.clear()  # a new command overrides the changes that are left to replay
    lane.report_rate()
    return done(f"rate {rate_text(lane.training.next_rate)} from step {lane.step}")


def _take_snapshot(number: int, lane: ActiveLane) -> None:
    """Takes a snapshot; the result of command `number` names its file once it is written."""

    def written(file: SnapshotFile | None, reason: str) -> None:
        result = snapshot_taken(file.path.name, file.step) if file else refused(reason)
        lane.recorder.acknowledge(number, result)

    lane.write_best()
    if not lane.snapshot("fork", written):
        result = LANE_ENDED if lane.ended else refused("no snapshot can be taken: see the log")
        lane.recorder.acknowledge(number, result)
