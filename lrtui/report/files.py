"""Writes a report to the file that the user named. Knows nothing of its content."""

from __future__ import annotations

import os
from pathlib import Path

from lrtui.core.errors import LrtuiError
from lrtui.core.files import absolute, replace
from lrtui.core.text import one_line


def write(path: Path, text: str) -> int:
    """Write `text` whole or not at all, readable for those who may read the folder; return its
    bytes.

    Raises LrtuiError if that fails.
    """
    path = absolute(path)
    try:
        if path.exists() and not path.is_file():
            raise LrtuiError(f"{one_line(str(path))}: not a file", "expected the name of a file")
        replace(Path(os.path.realpath(path)), text, private=False, durable=False)
    except OSError as error:
        raise LrtuiError(
            f"{one_line(str(path))}: {error.strerror or error}",
            "expected a file that can be written",
        ) from error
    return len(text.encode("utf-8"))
