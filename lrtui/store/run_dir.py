"""Where runs lie: names, makes, lists and finds run directories. Knows nothing of what is in a
database but its title."""

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
from lrtui.core.text import closest, literal, one_line

DATABASE = "run.db"
SUPERVISOR_LOG, SUPERVISOR_ROLE = "crew.log", "crew"
"""The names that runs have stored ever since the first version."""
TAIL_BYTES = 4000
GONE_S = 60.0
"""A race whose folder has been gone for so long is ended: no command can reach it."""


def runs_folder(given: str | None = None) -> Path:
    """The folder of all runs: the one given, else $LRTUI_RUNS, else the platform's state folder."""
    chosen = given or os.environ.get("LRTUI_RUNS")
    return absolute(chosen) if chosen else Path(platformdirs.user_state_dir("lrtui")) / "runs"


def create(runs: Path, scenario: str) -> Path:
    """A new, empty run directory (mode 0700), named after the scenario and the time."""
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


def listing(runs: Path) -> list[Path]:
    """The run directories in `runs`, newest first."""
    try:
        # unlike Path's, it never raises
        found = [path for path in runs.iterdir() if os.path.isfile(path / DATABASE)]
    except OSError:
        return []
    return sorted(found, key=_begun, reverse=True)


def _begun(path: Path) -> tuple[str, str]:
    """When a run began, by the stamp in its name; a renamed run goes by its folder's age."""
    stamp = re.search(r"\d{8}-\d{6}", path.name)
    try:
        return (
            stamp[0] if stamp else f"{datetime.fromtimestamp(path.stat().st_mtime):%Y%m%d-%H%M%S}"
        ), path.name
    except OSError:
        return "", path.name


def find(name: str | None, runs: Path) -> Path:
    """The run that a person means: a path, a name or the beginning of one; the newest where nothing
    is said."""
    known = listing(runs)
    if name is None:
        if known:
            return known[0]
        raise RunError(
            f"no runs in {runs}", "start one with `lrtui race`, or name a folder with --runs"
        )
    path = absolute(name)
    if os.path.isfile(path / DATABASE):
        return path
    matches = [run for run in known if run.name.startswith(name)]
    exact = [run for run in matches if run.name == name]
    if exact or matches:
        return (exact or matches)[0]
    raise RunError(
        f'no run "{one_line(name)}" in {runs}{closest(name, (run.name for run in known))}',
        "see `lrtui runs`",
    )


def is_gone(run: Path) -> bool:
    """Whether a run's folder was deleted or moved, or its database was; one that cannot be looked
    at just now is not gone."""
    try:
        os.stat(run / DATABASE)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


class Absence:
    """For how long a run's folder has been gone, as far as it was looked for."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._since: float | None = None

    def seconds(self) -> float:
        """Looks for it; 0 while it is there."""
        now = time.monotonic()
        self._since = (self._since or now) if is_gone(self._run) else None
        return now - self._since if self._since else 0.0


def tail(log: Path, size: int = TAIL_BYTES) -> str:
    """The last lines of a process's output, fit to be shown; '' where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - size))
            return literal(file.read().decode("utf-8", "replace")).strip()
    except OSError:
        return ""
