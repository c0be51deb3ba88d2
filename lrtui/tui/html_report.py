"""Writes a run's web page in a process of its own."""

from __future__ import annotations

from pathlib import Path

from lrtui.core.errors import LrtuiError
from lrtui.core.numbers import size
from lrtui.tui.subcommand import run_command


def write_page(run: Path, path: Path) -> str:
    """Write the page and return a message about it; LrtuiError with the message of `lrtui report`
    if it fails."""
    run_command("report", str(run), "--html", str(path))
    if not path.is_file():
        raise LrtuiError(f"{path}: lrtui report left no page there")
    return f"page written: {path} ({size(path.stat().st_size)})"
