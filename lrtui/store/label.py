"""The file in a run's folder that keeps its name and note. Versions that do not know it ignore
it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from lrtui.core import files
from lrtui.core.errors import RunError
from lrtui.core.state.label import LONGEST_NAME, LONGEST_NOTE, Label
from lrtui.core.text import one_line

FILE = "label.json"


def read_label(run: Path) -> Label:
    """Name and note of a run; none where the file is missing or damaged."""
    try:
        found = msgspec.json.decode(files.read_small(run / FILE), type=Label)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Label()
    return Label(one_line(found.name)[:LONGEST_NAME], one_line(found.note)[:LONGEST_NOTE])


def write_label(run: Path, label: Label) -> None:
    """Store name and note of a run; RunError if its folder cannot be written."""
    try:
        files.replace(run / FILE, msgspec.json.encode(label).decode())
    except OSError as error:
        raise RunError(
            f"{run / FILE}: {error.strerror or error}",
            "is the run's folder there, and may you write to it?",
        ) from error


def named(runs: Iterable[Path], name: str) -> list[Path]:
    """The runs that have a name."""
    return [run for run in runs if read_label(run).name == name]
