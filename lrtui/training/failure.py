"""The events of a lane that ends with an exception of its task or of torch."""

from __future__ import annotations

import sys
import traceback

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import Alerted, Ended, LogMessage
from lrtui.core.text import literal
from lrtui.training import shadows, traces

MAX_TRACEBACK = 8000


def failure(lane: int, step: int, error: BaseException) -> tuple[Alerted, Ended]:
    """The alert with the error in one line, and the end with the last part of its traceback."""
    return (
        Alerted(lane=lane, step=step, kind="error", text=line(error)),
        Ended(lane=lane, step=step, reason="error", error=_in_full(error)),
    )


def not_resumed(lane: int, step: int, error: BaseException) -> tuple[LogMessage, Ended]:
    """Events of a lane that could not be built from its snapshot, for example because its task
    changed. It stays interrupted, so that it can be resumed once that is fixed. The traceback goes
    to the trainer's log."""
    print("".join(traceback.format_exception(error)), file=sys.stderr, flush=True)
    text = line(error)
    return (
        LogMessage(lane=lane, text=f"the lane cannot be resumed: {text}"),
        Ended(lane=lane, step=step, reason="interrupted", error=text),
    )


def line(error: BaseException) -> str:
    """The error in one line; a user's file that shadows a module comes first, as the likely
    cause."""
    text, hidden = traces.line(error), shadows.hidden_by(error)
    return f"{hidden} ({text})" if hidden else text


def _in_full(error: BaseException) -> str:
    """The traceback; for lrtui's own errors that of their cause, and the error's line."""
    if not isinstance(error, LrtuiError):
        return literal("".join(traceback.format_exception(error)))[-MAX_TRACEBACK:]
    before = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else ""
    return f"{literal(before)[-MAX_TRACEBACK:]}\n{line(error)}".lstrip()
