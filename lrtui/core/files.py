"""Files that a person names, or may have put there: where they are, read with care, written as a
whole or not at all.

Knows nothing of what is in them.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from lrtui.core.numbers import size

LARGEST = 256_000
"""Bytes of a file that is small by its nature."""


def absolute(given: str | Path) -> Path:
    """The path that a person means: `~` and `~name` are the folders of users that there are, else
    names like any other."""
    return Path(os.path.expanduser(given)).absolute()


def read_small(file: Path) -> bytes:
    """What a file holds, never waiting for it; OSError where it cannot be read, or is larger than
    LARGEST."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
        body = opened.read(LARGEST + 1) or b""  # None: a pipe into which nobody has written yet
    if len(body) > LARGEST:
        raise OSError(errno.EFBIG, f"larger than {size(LARGEST)}")
    return body


def replace(file: Path, text: str, *, private: bool = True, durable: bool = True) -> None:
    """Writes a file anew so that whoever reads it sees the old one or the new one, whole; OSError
    where it cannot.

    Not `private`, it may be read by whoever may read the folder. Without `durable` nobody waits for
    the disk: a loss of power may leave the old one, or none.
    """
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(text)
            out.flush()
            if durable:
                os.fsync(out.fileno())
        if not private:
            os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
