"""Hooks torch in a process of a script that lrtui started; called right after torch is imported."""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from types import TracebackType

from lrtui.integrations.script.lane import ScriptLane, say
from lrtui.integrations.script.stopped import Stopped
from lrtui.store.lane_summary import joined_race

adopted: ScriptLane | None = None
"""The lane that lrtui started this process for, which watches join; here, for torch may first be
imported by the module of the watches."""


def attach() -> None:
    """Make this process the script of its lane, unless another process steps an optimizer first."""
    global adopted
    if os.environ.get("LRTUI") == "off":
        return
    run, index = Path(os.environ["LRTUI_RUN"]), int(os.environ["LRTUI_LANE"])
    lane = ScriptLane(run, joined_race(run), index)
    lane.install()
    adopted = lane
    atexit.register(lane.finish)
    os.register_at_fork(after_in_child=lane.forked)
    _quiet_end()


def _quiet_end() -> None:
    """Show a stop that nobody caught in one line in place of a traceback."""
    before = sys.excepthook

    def excepthook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Stopped):
            say(f"the script ends here: {error}")
        else:
            before(kind, error, trace)

    sys.excepthook = excepthook
