"""Run directories: creates, lists and finds them. Does not open their databases."""

from __future__ import annotations

import os
import re
import secrets
import time
from datetime import datetime
from pathlib import Path

import platformdirs

from lrtui.core.errors import RunError
from lrtui.core.files import absolute
from lrtui.core.scenario.spec import letter
from lrtui.core.state.label import Label
from lrtui.core.text import closest, literal, one_line
from lrtui.store.label import named, read_label, write_label

DATABASE = "run.db"
GOING = ".deleted-"
"""Beginning of a run's folder name from the moment on at which it is no run any more."""
SUPERVISOR_LOG, SUPERVISOR_ROLE = "crew.log", "crew"
"""Stored names: the same since the first version."""
TAIL_BYTES = 4000
GONE_S = 60.0
"""Seconds after which a race whose folder is gone is ended: no command can reach it."""


def runs_folder(given: str | None = None) -> Path:
    """The folder of all runs: `given`, else $LRTUI_RUNS, else in the platform's state folder."""
    chosen = given or os.environ.get("LRTUI_RUNS")
    return absolute(chosen) if chosen else Path(platformdirs.user_state_dir("lrtui")) / "runs"


def create(runs: Path, scenario: str) -> Path:
    """Create an empty run directory (mode 0700), named after the scenario and the time."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", scenario).strip("-.")[:40] or "race"
    try:
        runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            path = runs / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
            try:
                path.mkdir(mode=0o700)
                return path
            except FileExistsError:
                continue
    except OSError as error:
        raise RunError(
            f"{runs}: {error.strerror or error}", "choose another folder with --runs or LRTUI_RUNS"
        ) from error


def reference(run: Path) -> str:
    """The words by which a command finds a run: its name, or its path if it lies elsewhere than
    commands look."""
    return run.name if run.parent == runs_folder() else str(run)


def listing(runs: Path) -> list[Path]:
    """The run directories in `runs`, newest first."""
    try:
        # os.path.isfile never raises
        found = [
            path
            for path in runs.iterdir()
            if not path.name.startswith(GOING) and os.path.isfile(path / DATABASE)
        ]
    except OSError:
        return []
    return sorted(found, key=_begun, reverse=True)


def _begun(path: Path) -> tuple[str, str]:
    """Sort key: the time stamp in a run's name, or its folder's age if it was renamed."""
    stamp = re.search(r"\d{8}-\d{6}", path.name)
    try:
        return (
            stamp[0] if stamp else f"{datetime.fromtimestamp(path.stat().st_mtime):%Y%m%d-%H%M%S}"
        ), path.name
    except OSError:
        return "", path.name


def find(name: str | None, runs: Path, *, newest: bool = True) -> Path:
    """Find a run by path, by its folder's name, by the name that its user gave it, or by the
    beginning of its folder's name (the newest of several); None: the newest.

    `newest`: False to refuse the beginning of several names.
    """
    known = listing(runs)
    if name is None:
        if known:
            return known[0]
        raise RunError(
            f"no runs in {runs}", "start one with `lrtui race`, or name a folder with --runs"
        )
    if not name:  # each name begins with it
        raise RunError("a run without a name", "see `lrtui runs`")
    path = absolute(name)
    if os.path.isfile(path / DATABASE):
        return path
    matches = [run for run in known if run.name.startswith(name)]
    exact = [run for run in matches if run.name == name] or named(known, name)
    if len(exact) > 1:
        raise RunError(
            f'{len(exact)} runs have the name "{one_line(name)}"',
            f"expected one of {', '.join(run.name for run in exact)}",
        )
    if not exact and len(matches) > 1 and not newest:
        raise RunError(
            f'{len(matches)} runs have names that begin with "{one_line(name)}"',
            f"expected one of {', '.join(run.name for run in matches)}",
        )
    if exact or matches:
        return (exact or matches)[0]
    names = (words for run in known for words in (run.name, read_label(run).name) if words)
    raise RunError(f'no run "{one_line(name)}" in {runs}{closest(name, names)}', "see `lrtui runs`")


def check_name(name: str, runs: Path, own: Path | None = None) -> None:
    """Refuse a name by which another run than `own` is found already."""
    others = [run for run in listing(runs) if run != own]
    taken = [run for run in others if run.name == name] or named(others, name)
    if name and taken:
        raise RunError(
            f'name "{name}": {taken[0].name} has it', 'expected another one, or "" for none'
        )


def relabel(run: Path, name: str | None = None, note: str | None = None) -> Label:
    """Give a run another name or note, None: as it was; returns both. RunError if another run has
    the name, or if the folder cannot be written."""
    before = read_label(run)
    label = Label(before.name if name is None else name, before.note if note is None else note)
    if label.name != before.name:
        check_name(label.name, run.parent, run)
    if label != before:
        write_label(run, label)
    return label


def is_gone(run: Path) -> bool:
    """True if a run's folder or database was deleted or moved; False if it is only inaccessible."""
    try:
        os.stat(run / DATABASE)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def trainer_role(number: int) -> str:
    """Role of a trainer, or of the process that records the lane `number` of a script."""
    return f"trainer {number}"


def script_log(lane: int) -> str:
    """Name of the file with the output of a lane's script, by the lane's place: the letter that a
    record gives it could be any text."""
    return f"script-{letter(lane)}.log"


class Absence:
    """Measures how long a run's folder has been gone."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._since: float | None = None

    def seconds(self) -> float:
        """Look for the folder; seconds since it was first missed, 0 while it is there."""
        now = time.monotonic()
        self._since = (self._since or now) if is_gone(self._run) else None
        return now - self._since if self._since else 0.0


def tail(log: Path, size: int = TAIL_BYTES) -> str:
    """The last lines of a process's output, safe to show; '' if there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - size))
            return literal(file.read().decode("utf-8", "replace")).strip()
    except OSError:
        return ""
