"""The files of snapshots: written atomically, verified when read, pruned under a budget. Knows no
torch.

A file is a line of JSON (the header) and an opaque payload. Its name has step and tag, so that a
lane's folder can be listed quickly: run/snapshots/A/000001200-ring.snap.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, get_args

import msgspec

from lrtui.core import files
from lrtui.core.errors import SnapshotDamaged
from lrtui.core.protocol.events import SnapshotTag
from lrtui.core.scenario.spec import Lane

FOLDER = "snapshots"
BEST = "best.weights"
"""Name of the file with the weights at a lane's best evaluation."""
FORMAT = 1
MAX_HEADER = 1 << 20
"""Bytes of the first line; a file with a longer one is not a snapshot."""
PER_TAG = 3
"""Snapshots kept of each tag other than ring and best."""
GOOD_TIMES = 2.0
"""A snapshot is good if its smoothed loss is at most this many times the lowest one."""
_NAME = re.compile(rf"(\d{{9,}})-({'|'.join(get_args(SnapshotTag))})\.snap")


class Header(msgspec.Struct, frozen=True):
    """The first line of a snapshot."""

    format: int
    lane: int
    step: int
    smooth: float | None
    """Smoothed loss at that step; None if missing or not finite."""
    size: int
    """Bytes of the payload."""
    sha256: str
    spec: Lane
    metric: str = ""
    """Of the weights at the best evaluation: the metric that it is the best by."""
    value: float | None = None
    """The value of that metric; None if missing or not finite."""


class BestFile(NamedTuple):
    """The weights at a lane's best evaluation, on disk: no state to go on from."""

    step: int
    path: Path
    size: int
    """Bytes of the file."""
    metric: str
    value: float


class SnapshotFile(NamedTuple):
    """A snapshot on disk. `smooth` is NaN without a finite smoothed loss."""

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
    """Write a snapshot of lane `index` after `step` steps durably (mode 0600, folders 0700);
    OSError if that fails."""
    path = _folder(run, letter) / f"{step:09d}-{tag}.snap"
    header = Header(FORMAT, index, step, _finite(smooth), len(payload), _hash(payload), spec)
    return SnapshotFile(step, tag, path, _write(path, header, payload), smooth)


def write_best(
    run: Path,
    letter: str,
    index: int,
    step: int,
    metric: str,
    value: float,
    spec: Lane,
    payload: bytes,
) -> BestFile:
    """Write the weights at the best evaluation of lane `index` durably, in place of earlier ones;
    OSError if that fails."""
    path, size = _folder(run, letter) / BEST, len(payload)
    header = Header(FORMAT, index, step, None, size, _hash(payload), spec, metric, _finite(value))
    return BestFile(step, path, _write(path, header, payload), metric, value)


def best_weights(run: Path, letter: str) -> BestFile | None:
    """The weights at a lane's best evaluation; None if there are none, or none that can be read."""
    path = run / FOLDER / letter / BEST
    try:
        with path.open("rb") as file:
            header, size = _header(file), os.fstat(file.fileno()).st_size
    except OSError:
        return None
    if header is None or header.value is None:
        return None
    return BestFile(header.step, path, size, header.metric, header.value)


def _write(path: Path, header: Header, payload: bytes) -> int:
    """Write a file of a lane atomically; return its bytes."""
    for left in path.parent.glob(".*.part"):  # of a killed process: one process writes here
        left.unlink(missing_ok=True)
    first = msgspec.json.encode(header) + b"\n"
    with files.atomic(path) as part, part.open("wb") as file:
        file.write(first)
        file.write(payload)
    return len(first) + len(payload)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _hash(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def lanes(run: Path) -> int:
    """Number of lanes with snapshots on disk."""
    try:
        return sum(entry.is_dir() for entry in os.scandir(run / FOLDER))
    except OSError:
        return 0


def listing(run: Path, letter: str) -> list[SnapshotFile]:
    """A lane's snapshots, rising by step; names and headers are read, payloads are not. Other files
    are ignored."""
    try:
        entries = list(os.scandir(run / FOLDER / letter))
    except OSError:
        return []
    found = (_known(Path(entry.path)) for entry in entries if entry.is_file(follow_symlinks=False))
    return sorted((kept for kept in found if kept), key=lambda kept: (kept.step, kept.tag))


def load(path: Path) -> tuple[Header, bytes]:
    """Header and payload; SnapshotDamaged if the file is unreadable or was changed."""
    try:
        with path.open("rb") as file:
            return read(file, path)
    except OSError as error:
        raise SnapshotDamaged(f"{path}: {error.strerror or error}") from error


def read(file: BinaryIO, path: Path) -> tuple[Header, bytes]:
    """The same of an open file, called `path`. May raise OSError."""
    header = _header(file)
    if header is None:
        raise SnapshotDamaged(f"{path}: not a snapshot that this version of lrtui knows")
    there = os.fstat(file.fileno()).st_size - file.tell()
    if there != header.size:
        raise SnapshotDamaged(f"{path}: {there} bytes where its header tells of {header.size}")
    payload = file.read()
    if hashlib.sha256(payload).hexdigest() != header.sha256:
        raise SnapshotDamaged(f"{path}: its content is not what was written")
    return header, payload


def retag(kept: SnapshotFile, tag: SnapshotTag) -> SnapshotFile:
    """Rename a snapshot to another tag. May raise OSError."""
    path = kept.path.with_name(f"{kept.step:09d}-{tag}.snap")
    os.replace(kept.path, path)
    return kept._replace(tag=tag, path=path)


def remove(kept: SnapshotFile | BestFile) -> None:
    """Delete a snapshot; an error (it is gone already) is ignored."""
    try:
        kept.path.unlink()
    except OSError:
        pass


def clear(run: Path, letter: str, after: int = -1) -> None:
    """Delete the snapshots of a lane taken after more than `after` steps; by default all."""
    for kept in (*listing(run, letter), best_weights(run, letter)):
        if kept is not None and kept.step > after:
            remove(kept)


def link_into(kept: SnapshotFile, run: Path, letter: str, tag: SnapshotTag) -> SnapshotFile:
    """Put a snapshot into another lane's folder, as a hard link if the file system has them. May
    raise OSError."""
    path = _folder(run, letter) / f"{kept.step:09d}-{tag}.snap"
    path.unlink(missing_ok=True)
    try:
        os.link(kept.path, path)
    except OSError:
        with files.atomic(path) as part:
            shutil.copyfile(kept.path, part)
    else:
        files.sync_folder(path.parent)
    return kept._replace(tag=tag, path=path)


def last_good(known: Sequence[SnapshotFile], before: int | None) -> SnapshotFile | None:
    """Newest snapshot, at or before step `before`, whose smoothed loss is finite and not far above
    the lowest of all.

    The initial state is good although it has no smoothed loss.
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
    """Choose the snapshots to delete.

    Ring: all but the `last` newest. Best: all but the newest. Other tags: all but the three newest
    of each. Then, while the rest takes more than `budget_bytes`, the oldest; the newest of all
    stays whatever its size.
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
    """Create the lane's folder if it is missing; never the run's, which may have been deleted."""
    for folder in (run / FOLDER, run / FOLDER / letter):
        folder.mkdir(mode=0o700, exist_ok=True)
    return run / FOLDER / letter


def _known(path: Path) -> SnapshotFile | None:
    """The snapshot of a file by its name and header; None if it is not one, or is incomplete."""
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
