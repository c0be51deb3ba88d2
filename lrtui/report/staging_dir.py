"""The directory in which an export is made before it gets its name; leftovers of killed exports are
removed.

Its name contains the process that makes it: only a directory of a dead process of this very machine
may be removed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lrtui.store.identity import exists, started


@contextmanager
def staging(where: Path, name: str) -> Iterator[Path]:
    """A folder in `where` for what is to be called `name`; it is gone afterwards, unless it has
    been renamed."""
    pid = os.getpid()
    made = Path(tempfile.mkdtemp(prefix=f"{_beginning(name)}{pid}-{started(pid)!r}.", dir=where))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def clear(where: Path, name: str, ours: Callable[[str], bool]) -> None:
    """Removes the folders that processes which are gone have left in `where` on the way to `name`.

    One that holds anything but files whose names are `ours` stays as it is, and so does one that
    cannot be removed.
    """
    form = re.compile(re.escape(_beginning(name)) + r"(\d+)-(\d+\.\d+)\.\w+")
    with suppress(OSError):
        for path in list(where.iterdir()):
            made = form.fullmatch(path.name)
            if made and not exists(int(made[1]), float(made[2])):
                _remove(path, ours)


def _remove(folder: Path, ours: Callable[[str], bool]) -> None:
    with suppress(OSError):
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.geteuid():
            return
        held = list(folder.iterdir())
        if all(ours(path.name) and path.is_file() and not path.is_symlink() for path in held):
            for path in held:
                path.unlink()
            folder.rmdir()


def _beginning(name: str) -> str:
    """Hidden, of `name`, and of the place where the numbers of processes mean what they mean
    here."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:  # not on Linux
        space = ""
    here = hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]
    return f".{name[:40]}.lrtui-{here}-"
