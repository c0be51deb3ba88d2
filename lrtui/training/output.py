"""Redirects the output of a run's process to its log; on a full disk it is lost, and training goes
on."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lrtui.core.errors import StoreUnavailable
from lrtui.core.streams import Outlet


def reported(write: Callable[[], object]) -> None:
    """Write to the record; if that is not possible now, report it in this process's log."""
    try:
        write()
    except StoreUnavailable as error:
        print(f"{time.strftime('%H:%M:%S')} {error.message}", file=sys.stderr, flush=True)


def to_log(path: Path) -> None:
    """Redirects all output of this process, including that of C++ libraries, to `path`; printing
    never raises."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    for name, number in (("stdout", 1), ("stderr", 2)):
        buffered = io.BufferedWriter(Outlet(number, patient=True))
        setattr(
            sys,
            name,
            io.TextIOWrapper(
                buffered, encoding="utf-8", errors="backslashreplace", line_buffering=True
            ),
        )
