"""The exit codes of the commands."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lrtui.core.state.status import FAILED

if TYPE_CHECKING:
    from lrtui.core.state.race_state import RaceState


class ExitCode(enum.IntEnum):
    """The exit codes, by meaning."""

    RACED = 0
    ALL_FAILED = 1
    BAD_INPUT = 2
    OUTPUT_LOST = 74
    INTERRUPTED = 130


def race_exit_code(state: RaceState) -> ExitCode:
    """ALL_FAILED if every lane failed or was interrupted, else RACED."""
    failed = all(lane.status in (*FAILED, "interrupted") for lane in state.lanes)
    return ExitCode.ALL_FAILED if failed else ExitCode.RACED
