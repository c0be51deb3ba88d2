"""Standard output and error whose failures are known: a full disk, a reader that is gone. Knows
nothing of what is written."""

from __future__ import annotations

import io
import os
import select
from typing import Any, TextIO


class OutputLost(Exception):
    """A stream can no longer be written: `why` is the error of the system. Neither an OSError nor
    an LrtuiError, so that nothing on the way to the front (click, Rich, a handler of the store's
    errors) takes it for its own."""

    def __init__(self, why: OSError) -> None:
        self.why = why
        super().__init__(why.strerror or str(why))


class Outlet(io.RawIOBase):
    """A file descriptor; what cannot be written to it is dropped. Where it is not patient, the
    first failure raises OutputLost, and nothing is written after it."""

    def __init__(self, number: int, *, patient: bool) -> None:
        self.lost: OSError | None = None
        """Error of the last write; None if it succeeded."""
        self._number = number
        self._patient = patient

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def abandon(self) -> None:
        """Nothing more is written, neither what waits in a buffer: whoever should read it stands
        still."""
        self.lost, self._patient = OSError("given up"), False

    def write(self, content: Any) -> int:
        if self.lost is None or self._patient:
            try:
                count = self._written(content)
                self.lost = None
                return count
            except OSError as error:
                self.lost = error
                if not self._patient:
                    raise OutputLost(error) from error
        return len(content)

    def _written(self, content: Any) -> int:
        while True:
            try:
                return os.write(self._number, content)
            except BlockingIOError:  # whoever shares a pipe or a terminal may have set it so
                select.select([], [self._number], [])


class Stream(io.TextIOWrapper):
    """Text into an outlet; encoding, errors and buffering are those of the stream in whose place it
    stands."""

    def __init__(self, outlet: Outlet, like: TextIO) -> None:
        self.outlet = outlet
        super().__init__(
            io.BufferedWriter(outlet),
            encoding=like.encoding,
            errors=like.errors,
            line_buffering=getattr(like, "line_buffering", False),
        )
