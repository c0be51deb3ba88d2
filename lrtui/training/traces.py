"""Describes an exception in one line: its place in the user's code and its cause. Knows no lane."""

from __future__ import annotations

import re
import sysconfig
import traceback
from pathlib import Path

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario.task_ref import BUNDLED
from lrtui.core.text import one_line

MAX_MESSAGE = 300
_OURS = str(Path(__file__).parents[1])
_INSTALLED = tuple(
    {str(Path(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_IN_WORKER = "Original Traceback (most recent call last):"
"""Marks, in torch's message, the traceback of an exception from a DataLoader worker."""
_FRAME = re.compile(r'^ *File "(?P<file>[^"\n]+)", line (?P<line>\d+)', re.MULTILINE)


def line(error: BaseException) -> str:
    """The exception in one line: message and hint of lrtui's errors; else class, message, place in
    the user's code, and the first cause of the chain."""
    if isinstance(error, LrtuiError):
        return one_line(f"{error.message}; {error.hint}" if error.hint else error.message)
    error = _leaf(error)
    causes = [error]
    while (cause := causes[-1].__cause__) is not None and cause not in causes:
        causes.append(_leaf(cause))
    text = _described(error)
    return one_line(f"{text}; caused by {_described(causes[-1])}" if len(causes) > 1 else text)


def place(error: BaseException) -> str:
    """File and line of the user's code that was running, as "task.py:12"; "" if none was."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    return next(
        (f"{Path(file).name}:{number}" for file, number in reversed(frames) if is_users(file)), ""
    )


def is_users(file: str) -> bool:
    """True if a source file is not of lrtui, the standard library or an installed package. lrtui's
    bundled tasks count as the user's."""
    if file.startswith("<") or "site-packages" in file or "dist-packages" in file:
        return False
    return file.startswith(str(BUNDLED)) or not file.startswith((_OURS, *_INSTALLED))


def _leaf(error: BaseException) -> BaseException:
    """The first exception of an exception group; else the exception itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _described(error: BaseException) -> str:
    message = _message(error)
    if _IN_WORKER in message:
        last = message.strip().splitlines()[-1].strip()
        found = [frame for frame in _FRAME.finditer(message) if is_users(frame["file"])]
        where = f"{Path(found[-1]['file']).name}:{found[-1]['line']}, " if found else ""
        return f"{last[:MAX_MESSAGE]} ({where}in a DataLoader worker)"
    if isinstance(error, LrtuiError):
        return line(error)
    lines = [part.strip() for part in message.strip().splitlines() if part.strip()]
    first = lines[0] if lines else ""
    if first.endswith(":") and len(lines) > 1:
        first += " " + lines[1]
    text = f"{type(error).__name__}: {first[:MAX_MESSAGE]}" if first else type(error).__name__
    where = place(error)
    return f"{text} ({where})" if where else text


def _message(error: BaseException) -> str:
    try:
        return error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception as worse:  # a user's class
        return f"its message cannot be made: {type(worse).__name__}"
