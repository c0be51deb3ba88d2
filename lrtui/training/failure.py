"""What is told of a lane that a task's mistake, or torch, has ended."""

from __future__ import annotations

import sys
import time
import traceback

from lrtui.core.errors import LrtuiError
from lrtui.core.events import Alerted, Ended, Noted
from lrtui.core.text import literal, one_line

MAX_TRACEBACK = 8000


def failure(lane: int, step: int, error: BaseException) -> tuple[Alerted, Ended]:
    """The alert with the error in one line, and the end with its traceback, or the last of it."""
    text = literal("".join(traceback.format_exception(error)))[-MAX_TRACEBACK:]
    now = time.time()
    return (Alerted(lane=lane, at=now, step=step, kind="error", text=_line(error)),
            Ended(lane=lane, at=now, step=step, reason="error", error=text))


def not_taken_up(lane: int, step: int, error: BaseException) -> tuple[Noted, Ended]:
    """A lane that could not be built where its snapshot left it (its task is another one now) stays interrupted: when what is
    wrong is mended, it can be taken up. The traceback goes into the trainer's log."""
    print("".join(traceback.format_exception(error)), file=sys.stderr, flush=True)
    said = f"{error.message}; {error.hint}" if isinstance(error, LrtuiError) else _line(error)
    now = time.time()
    return (Noted(lane=lane, at=now, text=one_line(f"it cannot be taken up: {said}")),
            Ended(lane=lane, at=now, step=step, reason="interrupted", error=one_line(said)))


def _line(error: BaseException) -> str:
    return literal("".join(traceback.format_exception_only(error))).strip().splitlines()[0][:300]
