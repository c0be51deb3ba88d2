"""The files of snapshots: written whole or not at all, checked when read, pruned under a budget.
Knows no torch.

A file is a line of JSON, the header, and then the payload, which means nothing here. Its name says
step and tag, so that a lane's folder can be listed quickly: run/snapshots/A/000001200-ring.snap.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, get_args

import msgspec

from lrtui.core.errors import SnapshotDamaged
from lrtui.core.protocol.events import SnapshotTag
from lrtui.core.scenario.spec import Lane
from lrtui.store.database import sync_folder

FOLDER = "snapshots"
FORMAT = 1
MAX_HEADER = 1 << 20
"""Bytes; a first line that is longer is none of ours."""
PER_TAG = 3
"""How many are kept of each tag that has a reason of its own."""
GOOD_TIMES = 2.0
"""A snapshot is good where its smoothed loss is at most so many times the lowest one."""
_NAME = re.compile(rf"(\d{{9,}})-({'|'.join(get_args(SnapshotTag))})\.snap")


class Header(msgspec.Struct, frozen=True):
    """What a snapshot says of itself."""

    format: int
    lane: int
    step: int
    smooth: float | None
    """The smoothed loss at that step; None where there is none, or where it is not finite."""
    size: int
    """Bytes of the payload."""
    sha256: str
    spec: Lane


class SnapshotFile(NamedTuple):
    """A snapshot on disk. `smooth` is NaN where there is no finite smoothed loss."""

    step: int
    tag: SnapshotTag
    path: Path
    size: int
    """Bytes of the file."""
    smooth: float


def write(
    run: Path,
    letter: str,
    index: int,
    step: int,
    tag: SnapshotTag,
    smooth: float,
    spec: Lane,
    payload: bytes,
) -> SnapshotFile:
    """Puts a snapshot of lane `index` after `step` steps on disk, durably (mode 0600, folders
    0700); OSError where that fails."""
    header = msgspec.json.encode(
        Header(
            FORMAT,
            index,
            step,
            smooth if math.isfinite(smooth) else None,
            len(payload),
            hashlib.sha256(payload).hexdigest(),
            spec,
        )
    )
    folder = _folder(run, letter)
    for left in folder.glob(".*.part"):  # of a process that was killed: nobody else writes here
        left.unlink(missing_ok=True)
    path = folder / f"{step:09d}-{tag}.snap"
    with _fresh(path) as file:
        file.write(header + b"\n")
        file.write(payload)
    return SnapshotFile(step, tag, path, len(header) + 1 + len(payload), smooth)


def lanes(run: Path) -> int:
    """How many lanes have snapshots on disk."""
    try:
        return sum(entry.is_dir() for entry in os.scandir(run / FOLDER))
    except OSError:
        return 0


def listing(run: Path, letter: str) -> list[SnapshotFile]:
    """A lane's snapshots, rising by step; names and headers are read, payloads are not. What is
    none of ours is left out."""
    try:
        entries = list(os.scandir(run / FOLDER / letter))
    except OSError:
        return []
    found = (_known(Path(entry.path)) for entry in entries if entry.is_file(follow_symlinks=False))
    return sorted((kept for kept in found if kept), key=lambda kept: (kept.step, kept.tag))


def load(path: Path) -> tuple[Header, bytes]:
    """Header and payload; SnapshotDamaged where the file is not what was written, or cannot be
    read."""
    try:
        with path.open("rb") as file:
            header = _header(file)
            if header is None:
                raise SnapshotDamaged(f"{path}: not a snapshot that this version of lrtui knows")
            there = os.fstat(file.fileno()).st_size - file.tell()
            if there != header.size:
                raise SnapshotDamaged(
                    f"{path}: {there} bytes where its header tells of {header.size}"
                )
            payload = file.read()
    except OSError as error:
        raise SnapshotDamaged(f"{path}: {error.strerror or error}") from error
    if hashlib.sha256(payload).hexdigest() != header.sha256:
        raise SnapshotDamaged(f"{path}: its content is not what was written")
    return header, payload


def retag(kept: SnapshotFile, tag: SnapshotTag) -> SnapshotFile:
    """The same snapshot, kept for another reason. May raise OSError."""
    path = kept.path.with_name(f"{kept.step:09d}-{tag}.snap")
    os.replace(kept.path, path)
    return kept._replace(tag=tag, path=path)


def remove(kept: SnapshotFile) -> None:
    """Deletes it; that it is gone already, or cannot be deleted, is no error."""
    try:
        kept.path.unlink()
    except OSError:
        pass


def clear(run: Path, letter: str, after: int = -1) -> None:
    """Deletes the snapshots of a lane that were taken after more than `after` steps; all of them
    where nothing is said."""
    for kept in listing(run, letter):
        if kept.step > after:
            remove(kept)


def link_into(kept: SnapshotFile, run: Path, letter: str, tag: SnapshotTag) -> SnapshotFile:
    """The same snapshot in another lane's folder: no room is taken where the file system knows hard
    links. May raise OSError."""
    path = _folder(run, letter) / f"{kept.step:09d}-{tag}.snap"
    path.unlink(missing_ok=True)
    try:
        os.link(kept.path, path)
    except OSError:
        with kept.path.open("rb") as source, _fresh(path) as file:
            shutil.copyfileobj(source, file, 1 << 20)
    else:
        sync_folder(path.parent)
    return kept._replace(tag=tag, path=path)


def last_good(known: Sequence[SnapshotFile], before: int | None) -> SnapshotFile | None:
    """The newest snapshot, at or before step `before`, whose smoothed loss is finite and not far
    above the lowest of all.

    The initial state is good though nothing is smoothed yet.
    """
    lowest = min((kept.smooth for kept in known if math.isfinite(kept.smooth)), default=math.nan)
    most = lowest + (GOOD_TIMES - 1) * abs(lowest)
    good = [
        kept
        for kept in known
        if (before is None or kept.step <= before)
        and (kept.smooth <= most or (kept.step == 0 and math.isnan(kept.smooth)))
    ]
    return max(good, key=lambda kept: kept.step, default=None)


def prune(known: Sequence[SnapshotFile], last: int, budget_bytes: int) -> list[SnapshotFile]:
    """Which ones are to go, of those that `listing` found.

    Ring: all but the `last` newest. Best: all but the newest. Other tags: all but the three newest
    of each. Then, while the rest takes up more than `budget_bytes`, the oldest; the newest of all
    stays whatever it takes.
    """
    rising = sorted(known, key=lambda kept: kept.step)
    room = {"ring": max(last, 1), "best": 1}
    gone: list[SnapshotFile] = []
    for tag in {kept.tag for kept in rising}:
        gone += [kept for kept in rising if kept.tag == tag][: -room.get(tag, PER_TAG)]
    left = [kept for kept in rising if kept not in gone]
    total = sum(kept.size for kept in left)
    for kept in left[:-1]:
        if total <= budget_bytes:
            break
        gone.append(kept)
        total -= kept.size
    return gone


def _folder(run: Path, letter: str) -> Path:
    """The lane's folder, made where it is not there. The run's own folder is never made: it may
    have been deleted."""
    for folder in (run / FOLDER, run / FOLDER / letter):
        folder.mkdir(mode=0o700, exist_ok=True)
    return run / FOLDER / letter


@contextmanager
def _fresh(path: Path) -> Iterator[BinaryIO]:
    """A new file that bears the name `path` only when all of it is on disk; after any error nothing
    is left of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _known(path: Path) -> SnapshotFile | None:
    """What a file's name and header say; None where it is no snapshot, or one of which a part is
    missing."""
    name = _NAME.fullmatch(path.name)
    if name is None:
        return None
    try:
        with path.open("rb") as file:
            header = _header(file)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return None
    if header is None or header.step != int(name[1]):
        return None
    smooth = math.nan if header.smooth is None else header.smooth
    return SnapshotFile(header.step, name[2], path, size, smooth)  # type: ignore[arg-type]  # the pattern knows the tags only


def _header(file: BinaryIO) -> Header | None:
    line = file.readline(MAX_HEADER)
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return header if line.endswith(b"\n") and header.format == FORMAT and header.size >= 0 else None
