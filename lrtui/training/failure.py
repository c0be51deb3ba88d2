"""What is told of a lane that a task's mistake, or torch, has ended."""

from __future__ import annotations

import time
import traceback

from lrtui.core.events import Alerted, Ended
from lrtui.core.text import literal

MAX_TRACEBACK = 8000


def failure(lane: int, step: int, error: BaseException) -> tuple[Alerted, Ended]:
    """The alert with the error in one line, and the end with its traceback, or the last of it."""
    text = literal("".join(traceback.format_exception(error)))[-MAX_TRACEBACK:]
    line = literal("".join(traceback.format_exception_only(error))).strip().splitlines()[0]
    now = time.time()
    return (Alerted(lane=lane, at=now, step=step, kind="error", text=line[:300]),
            Ended(lane=lane, at=now, step=step, reason="error", error=text))
