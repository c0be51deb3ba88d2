"""A file that is written as a whole or not at all. Knows nothing of what is in it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from lrtui.core.errors import LrtuiError
from lrtui.core.text import one_line


def write(path: Path, text: str) -> int:
    """Writes text, which whoever may read the folder may read; its bytes. LrtuiError where that is not possible."""
    path = path.expanduser().absolute()
    body = text.encode("utf-8")
    try:
        if path.exists() and not path.is_file():
            raise LrtuiError(f"{one_line(str(path))}: is no file", "expected the name of a file")
        number, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(body)
            os.chmod(made, 0o644)
            os.replace(made, path)
        except BaseException:
            os.unlink(made)
            raise
    except OSError as error:
        raise LrtuiError(f"{one_line(str(path))}: {error.strerror or error}", "expected a file that can be written") from error
    return len(body)
