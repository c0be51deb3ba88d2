"""Hooks torch in a process of a script that lrtui started; called right after torch is imported."""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from types import TracebackType

import msgspec

from lrtui.core.scenario.spec import Race
from lrtui.integrations.script.lane import ScriptLane, say
from lrtui.integrations.script.stopped import Stopped
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.reader import Reader

adopted: ScriptLane | None = None
"""The lane that lrtui started this process for, which watches join; here, for torch may first be
imported by the module of the watches."""


def attach() -> None:
    """Make this process the script of its lane, unless another process steps an optimizer first."""
    global adopted
    if os.environ.get("LRTUI") == "off":
        return
    run, index = Path(os.environ["LRTUI_RUN"]), int(os.environ["LRTUI_LANE"])
    lane = ScriptLane(run, _race(run), index)
    lane.install()
    adopted = lane
    atexit.register(lane.finish)
    os.register_at_fork(after_in_child=lane.forked)
    _quiet_end()


def _race(run: Path) -> Race:
    """The race of a run, with the lanes that joined it."""
    reader = Reader(run)
    try:
        lanes = tuple(one.lane for one in lane_summaries(run))
        return msgspec.structs.replace(reader.race, lanes=lanes)
    finally:
        reader.close()


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
