"""Output of the commands: characters that the stream can encode, and one rule for output that
cannot be written."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from lrtui.cli.exit_codes import ExitCode
from lrtui.core.streams import Outlet, OutputLost, Stream
from lrtui.core.text import one_line


@contextmanager
def opened() -> Iterator[None]:
    """Within, a write to standard output that fails raises OutputLost, one to standard error only
    loses its text; characters that a stream cannot encode become ASCII."""
    codecs.register_error("lrtui.fold", _folded)
    while (spare := os.open(os.devnull, os.O_RDONLY)) <= 2:
        # a stream that was closed: else the next file that is opened, such as a database, would be
        # printed into. No
        pass
        # write to it succeeds, so that what is printed there counts as lost
    os.close(spare)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _stream(sys.stdout, 1), _stream(sys.stderr, 2)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OutputLost:
                pass  # an error ended the command, and was reported
        sys.stdout, sys.stderr = before


def complain(*lines: str) -> bool:
    """Says something on standard error, a line each; whether it could be written."""
    print("lrtui:", "\n".join(map(one_line, lines)), file=sys.stderr)
    sys.stderr.flush()
    return not (isinstance(sys.stderr, Stream) and sys.stderr.outlet.lost)


def let_go() -> None:
    """Nothing more is written to standard output; may be called from a signal handler."""
    if isinstance(sys.stdout, Stream):
        sys.stdout.outlet.abandon()


def reader_gone(lost: OutputLost) -> bool:
    """True if the reader closed the pipe (`| head`): the usual end of a command that only shows."""
    return lost.why.errno == errno.EPIPE


def give_up(lost: OutputLost) -> int:
    """Ends a command that leaves nothing running."""
    if reader_gone(lost):
        return ExitCode.RACED
    complain(f"standard output: {lost}")
    return ExitCode.OUTPUT_LOST


def _stream(usual: TextIO | None, number: int) -> TextIO:
    """The stream that is used in the place of one of Python's; one in memory (a test's) stays."""
    if usual is None:
        usual = open(number, "w", closefd=False)  # noqa: SIM115  # only looked at, for its encoding
    try:
        descriptor = usual.fileno()
    except OSError:
        return usual
    usual.flush()
    if isinstance(usual, io.TextIOWrapper) and usual.errors in ("strict", "surrogateescape"):
        usual.reconfigure(errors="lrtui.fold")
    return Stream(Outlet(descriptor, patient=number == 2), usual)


def _folded(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    from lrtui.tui.render.glyphs import fold

    return fold(error.object[error.start : error.end], "ascii") or "?", error.end
