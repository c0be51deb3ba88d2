"""Files of the user: paths, careful reads, atomic writes. Knows nothing of their contents."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lrtui.core.numbers import size

LARGEST = 256_000
"""Bytes; a larger settings or state file is refused."""


def absolute(given: str | Path) -> Path:
    """Absolute path, with `~` and `~name` expanded if those users exist."""
    return Path(os.path.expanduser(given)).absolute()


def read_small(file: Path) -> bytes:
    """Read a file without waiting for a pipe; OSError if unreadable or larger than LARGEST."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
        body = opened.read(LARGEST + 1) or b""  # None: a pipe without any data yet
    if len(body) > LARGEST:
        raise OSError(errno.EFBIG, f"larger than {size(LARGEST)}")
    return body


@contextmanager
def atomic(path: Path, mode: int = 0o600, *, durable: bool = True) -> Iterator[Path]:
    """Write a file whole or not at all: yield an empty temporary file, which becomes `path` at the
    end of the block and is deleted after any error.

    With `durable` the file and its name survive a power loss from then on.
    """
    part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        if durable:
            _sync(part)
        if mode != 0o600:
            os.chmod(part, mode)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def replace(file: Path, text: str, *, private: bool = True, durable: bool = True) -> None:
    """Write a text file atomically; readable by its owner alone if `private`, else by everyone who
    may read the folder. See `atomic`."""
    with atomic(file, 0o600 if private else 0o644, durable=durable) as part:
        part.write_text(text, encoding="utf-8", newline="")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power loss, if the system supports that."""
    try:
        _sync(folder)
    except OSError:
        pass


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
