"""Redirects the output of a run's process to its log; on a full disk it is lost, and training goes
on."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from lrtui.core.streams import Outlet


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
