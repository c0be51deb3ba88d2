"""Reports a task's sys.exit() with its last message: argparse prints the error, and the exception
holds only a number."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lrtui.core.errors import TaskError
from lrtui.core.text import one_line
from lrtui.training.traces import place

MEMORY = 20
"""Pieces of printed text that are kept."""


class _Tee:
    """A standard error that keeps the last text written to it."""

    def __init__(self, stream: Any, pieces: deque[str]) -> None:
        self._stream = stream
        self._pieces = pieces

    def write(self, text: Any) -> Any:
        written = self._stream.write(text)
        self._pieces.append(
            (text if isinstance(text, str) else bytes(text).decode("utf-8", "replace"))[-1000:]
        )
        return written

    @property
    def buffer(self) -> _Tee:
        """The underlying stream of bytes, to which click writes."""
        return _Tee(self._stream.buffer, self._pieces)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def last_line(self) -> str:
        lines = [line for line in "".join(self._pieces).splitlines() if line.strip()]
        return one_line(lines[-1]) if lines else ""


@contextmanager
def exits_reported(what: str) -> Iterator[None]:
    """Raises a sys.exit() within as a TaskError that quotes the last line printed on standard
    error."""
    tee = _Tee(sys.stderr, deque(maxlen=MEMORY))
    sys.stderr = tee
    try:
        yield
    except SystemExit as error:
        message = error.code if isinstance(error.code, str) else tee.last_line.rstrip(".")
        call = f"sys.exit({error.code})" if isinstance(error.code, int) else "sys.exit()"
        where = place(error)
        raise TaskError(
            f"{what} called {call}"
            + (f" ({where})" if where else "")
            + (f": {message}" if message else ""),
            "expected code that can be imported: give its options defaults, or parse them under "
            '`if __name__ == "__main__":`',
        ) from error
    finally:
        if sys.stderr is tee:
            sys.stderr = tee._stream
