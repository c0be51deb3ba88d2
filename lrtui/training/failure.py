"""What is told of a lane that a task's mistake, or torch, has ended."""

from __future__ import annotations

import sys
import time
import traceback

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import Alerted, Ended, LogMessage
from lrtui.core.text import literal
from lrtui.training import shadows, traces

MAX_TRACEBACK = 8000


def failure(lane: int, step: int, error: BaseException) -> tuple[Alerted, Ended]:
    """The alert with the error in one line, and the end with its traceback, or the last of it."""
    now = time.time()
    return (
        Alerted(lane=lane, at=now, step=step, kind="error", text=line(error)),
        Ended(lane=lane, at=now, step=step, reason="error", error=_in_full(error)),
    )


def not_taken_up(lane: int, step: int, error: BaseException) -> tuple[LogMessage, Ended]:
    """A lane that could not be built where its snapshot left it (its task is another one now) stays
    interrupted: when what is wrong is mended, it can be taken up. The traceback goes into the
    trainer's log."""
    print("".join(traceback.format_exception(error)), file=sys.stderr, flush=True)
    said, now = line(error), time.time()
    return (
        LogMessage(lane=lane, at=now, text=f"it cannot be taken up: {said}"),
        Ended(lane=lane, at=now, step=step, reason="interrupted", error=said),
    )


def line(error: BaseException) -> str:
    """The error in one line; a file of the user's that hides a module is named first, as the likely
    cause."""
    said, hidden = traces.line(error), shadows.hidden_by(error)
    return f"{hidden} ({said})" if hidden else said


def _in_full(error: BaseException) -> str:
    """The traceback; of lrtui's own errors, which say all in a line, that of what led to them, and
    the line."""
    if not isinstance(error, LrtuiError):
        return literal("".join(traceback.format_exception(error)))[-MAX_TRACEBACK:]
    before = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else ""
    return f"{literal(before)[-MAX_TRACEBACK:]}\n{line(error)}".lstrip()
