"""Runs a command of `lrtui` in a process that reads the record itself: the screen neither waits nor
shares its reader, and imports no torch."""

from __future__ import annotations

import subprocess
import sys

from lrtui.core.errors import LrtuiError
from lrtui.core.text import one_line


def run_command(*words: str) -> list[str]:
    """The lines that `lrtui WORDS` prints; LrtuiError with its message if it fails."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lrtui", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        why = [line for line in done.stderr.splitlines() if line.strip()]
        ended = f"lrtui {words[0]} ended with {done.returncode}"
        raise LrtuiError(
            one_line(why[0].removeprefix("lrtui: ") if why else ended),
            one_line(why[1]) if len(why) > 1 else "",
        )
    return done.stdout.splitlines()
