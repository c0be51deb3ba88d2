"""Writes a run's web page in a process that reads the record itself: the screen neither waits nor
shares its reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lrtui.core.errors import LrtuiError
from lrtui.core.numbers import size
from lrtui.core.text import one_line


def write_page(run: Path, path: Path) -> str:
    """Write the page and return a message about it; LrtuiError with the message of `lrtui report`
    if it fails."""
    command = [sys.executable, "-P", "-m", "lrtui", "report", str(run), "--html", str(path)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode or not path.is_file():
        why = [line for line in done.stderr.splitlines() if line.strip()]
        raise LrtuiError(
            one_line(
                why[0].removeprefix("lrtui: ")
                if why
                else f"lrtui report ended with {done.returncode}"
            ),
            one_line(why[1]) if len(why) > 1 else "",
        )
    return f"page written: {path} ({size(path.stat().st_size)})"
