"""Deleting runs: which ones may go, how much each takes up, and the deletion itself. Asks
nobody."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lrtui.core.errors import LrtuiError, RunError
from lrtui.store.reader import Reader, Summary
from lrtui.store.run_dir import DATABASE, GOING


class Pruned(NamedTuple):
    """The runs of a list that a rule deletes, and those that it spares, with the reason."""

    runs: list[Summary]
    spared: list[tuple[Summary, str]]


def disk_size(run: Path) -> int:
    """Bytes of all files in a run's folder, as far as they can be seen; links are not followed."""
    total = 0
    for folder, _, names in os.walk(run):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                pass  # deleted meanwhile
    return total


def last_written(run: Path) -> float:
    """Time of the last write to a run's record, in seconds since 1970; 0 if it is unknown."""
    times = [0.0]
    for name in (DATABASE, f"{DATABASE}-wal"):
        try:
            found = os.stat(run / name)
        except OSError:
            continue
        if found.st_size:  # a reader makes an empty write-ahead log
            times.append(found.st_mtime)
    return max(times)


def prune(runs: Sequence[Summary], older_s: float | None, keep: int | None) -> Pruned:
    """The runs to delete of `runs`, newest first: not written to for `older_s` seconds, and not
    among the `keep` newest. A run that is alive, can be resumed, cannot be read, or has a name or a
    note is spared."""
    now, pruned = time.time(), Pruned([], [])
    for place, run in enumerate(runs):
        kept = keep is not None and place < keep
        if kept or (older_s is not None and now - last_written(run.path) < older_s):
            continue
        if why := _worth(run):
            pruned.spared.append((run, why))
        else:
            pruned.runs.append(run)
    return pruned


def _worth(run: Summary) -> str:
    """Why no rule deletes a run; '' if one may."""
    if run.state in ("running", "unreadable"):
        return run.state
    if run.resumable:
        return "can be resumed"
    return "has a name or a note" if run.label.name or run.label.note else ""


def refusal(run: Path, runs: Path) -> str:
    """Why a run may not be deleted; '' if it may: a folder of `runs` itself, in which no process
    works."""
    if run.is_symlink():
        return "a link to a folder elsewhere"
    if os.path.realpath(run.parent) != os.path.realpath(runs):
        return f"not in {runs}"
    try:
        reader = Reader(run)
    except LrtuiError as error:
        return f"its record cannot be read, so it may be running: {error.message}"
    try:
        return "still running" if reader.alive() or reader.trainers_alive() else ""
    finally:
        reader.close()


def delete(run: Path, runs: Path) -> None:
    """Delete a run's folder; RunError if that fails, or if a process has taken the run up. It
    leaves the list of runs at once, as a whole."""
    going = run.with_name(GOING + run.name)
    try:
        os.rename(run, going)
    except OSError as error:
        raise RunError(f"{run.name}: not deleted: {error.strerror or error}") from error
    if why := refusal(going, runs):
        os.rename(going, run)
        raise RunError(f"{run.name}: not deleted: {why}")
    try:
        shutil.rmtree(going)
    except OSError as error:
        where = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise RunError(
            f"{run.name}: deleted in part: {where}", f"the rest lies in {going}"
        ) from error
