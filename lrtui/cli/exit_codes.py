"""The exit codes of the commands."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lrtui.core.state.status import FAILED

if TYPE_CHECKING:
    from lrtui.core.state.race_state import LaneState, RaceState


class ExitCode(enum.IntEnum):
    """The exit codes, by meaning."""

    RACED = 0
    ALL_FAILED = 1
    BAD_INPUT = 2
    OUTPUT_LOST = 74
    INTERRUPTED = 130


def race_exit_code(state: RaceState) -> int:
    """ALL_FAILED if every lane failed or was interrupted, else RACED; of a script that ran alone
    its own code."""
    if state.race.script is not None and len(state.lanes) == 1:
        return _script_exit_code(state.lanes[0])
    failed = all(lane.status in (*FAILED, "interrupted") for lane in state.lanes)
    return ExitCode.ALL_FAILED if failed else ExitCode.RACED


def _script_exit_code(lane: LaneState) -> int:
    """The code that a shell gives a script: its own, and 128 more than a signal. One that was
    stopped counts as interrupted, one that used up its steps as done."""
    if lane.ended is None or lane.status == "finished":
        return ExitCode.RACED
    if lane.status in ("stopped", "interrupted"):
        return ExitCode.INTERRUPTED
    code = lane.ended.exit_code or ExitCode.ALL_FAILED
    return 128 - code if code < 0 else code
