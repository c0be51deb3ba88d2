"""The items of the picker, and what was read of them. Knows no Textual."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from lrtui.core.errors import LrtuiError
from lrtui.core.numbers import ago
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.script_header import load_header, scripts_with_header
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.store import run_dir
from lrtui.store.reader import Reader, Summary, summary
from lrtui.tui.keymap import Keymap
from lrtui.tui.render import card
from lrtui.tui.render.canvas import Canvas, fitted, shortened

RECENT_RUNS = 30
NAME = 15
"""Cells for the name of a run."""


class RaceCache:
    """The races of scenarios and runs, each read once; edited races; previews of schedules."""

    def __init__(self) -> None:
        self._races: dict[Path, Race | LrtuiError] = {}
        self._edited: set[Path] = set()
        self.previews: dict[Path, list[Preview] | LrtuiError] = {}
        """By scenario file; without an entry the preview was not computed yet."""

    def scenario(self, path: Path) -> Race | LrtuiError:
        """The race of a scenario file, or in the header of a script, as edited; or why it cannot be
        read."""
        return self._get(
            path,
            lambda: load_header(path) if path.suffix == ".py" else scenario_file.load(str(path)),
        )

    def run(self, path: Path) -> Race | LrtuiError:
        """The race of a run; or why its record cannot be read."""
        return self._get(path, lambda: _recorded_race(path))

    def _get(self, path: Path, read: Callable[[], Race]) -> Race | LrtuiError:
        if path not in self._races:
            try:
                self._races[path] = read()
            except LrtuiError as error:
                self._races[path] = error
        return self._races[path]

    def edit(self, path: Path, race: Race) -> None:
        """Replace the race of a scenario file, which stays as it is."""
        self._races[path] = race
        self._edited.add(path)
        self.previews.pop(path, None)

    def is_edited(self, path: Path) -> bool:
        """True if the race of a scenario file was replaced."""
        return path in self._edited


def _recorded_race(run: Path) -> Race:
    reader = Reader(run)
    try:
        return reader.race
    finally:
        reader.close()


@dataclass(frozen=True)
class ScenarioItem:
    """A scenario that can be raced: a file of its own, or the header of a script."""

    path: Path
    kind: str = "scenario"
    """A word that the filter finds, and the key of the heading."""

    def label(self, now: float) -> Text:
        """The line in the list; `now`: seconds since the epoch."""
        return Text(one_line(self.path.name if self.kind == "script" else self.path.stem))

    def race(self, cache: RaceCache) -> Race | LrtuiError:
        """The race, or why it cannot be read."""
        return cache.scenario(self.path)

    def card(self, canvas: Canvas, cache: RaceCache, message: str, keymap: Keymap) -> None:
        """Draw the details; `message` replaces the key that starts the race."""
        if not message and cache.is_edited(self.path):
            message = f"{keymap.read('list.go')} races it as edited"
        card.race(canvas, self.race(cache), cache.previews.get(self.path), message, keymap)


@dataclass(frozen=True)
class OwnScriptItem:
    """A script that is asked for."""

    kind: str = "yours"
    """A word that the filter finds, and the key of the heading."""

    def label(self, now: float) -> Text:
        """The line in the list."""
        return Text("a script of your own ...")

    def card(self, canvas: Canvas, cache: RaceCache, message: str, keymap: Keymap) -> None:
        """Draw the details."""
        card.own_script(canvas, message, keymap)


@dataclass(frozen=True)
class RunItem:
    """A run that can be watched."""

    summary: Summary
    kind: str = "run"
    """A word that the filter finds, and the key of the heading."""

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.summary.path

    def label(self, now: float) -> Text:
        """The line in the list; `now`: seconds since the epoch."""
        state, when = self.summary.state, ago(now - self.summary.created)
        running = state == "running"
        words = "● running" if running else when if state == "ended" else f"{state}, {when}"
        # else the scenario's name: a title would fill two lines
        scenario = re.sub(r"-\d{8}-\d{6}-\w+$", "", self.path.name)
        name = self.summary.label.name or one_line(scenario)
        name = fitted(shortened(name, NAME), NAME)
        return Text(f"{name}  ").append(words, style="green" if running else "dim")

    def race(self, cache: RaceCache) -> Race | LrtuiError:
        """The race, or why it cannot be read."""
        return cache.run(self.path)

    def card(self, canvas: Canvas, cache: RaceCache, message: str, keymap: Keymap) -> None:
        """Draw the details."""
        card.run(canvas, self.summary, self.race(cache), keymap)


Item = ScenarioItem | OwnScriptItem | RunItem

HEADINGS = {
    "run": "── runs ──",
    "own": "── ./scenarios ──",
    "script": "── scripts here ──",
    "scenario": "── scenarios ──",
    "yours": "── your training script ──",
}
"""By `kind`."""


def find_items(runs: Path) -> list[Item]:
    """Running races, the last run if it was interrupted, scenarios, a script of one's own, then
    other runs, newest first."""
    recent = [RunItem(summary(run)) for run in run_dir.listing(runs)[:RECENT_RUNS]]
    rest = [item for item in recent if item.summary.state != "running"]
    first = [item for item in recent if item.summary.state == "running"]
    first += [item for item in rest[:1] if item.summary.resumable]
    return [*first, *_scenarios(), OwnScriptItem(), *(item for item in rest if item not in first)]


def _scenarios() -> Iterator[ScenarioItem]:
    """Those of the working folder first."""
    own = sorted(Path("scenarios").absolute().glob("*.toml"))
    if own and not own[0].parent.samefile(scenario_file.BUNDLED):
        yield from (ScenarioItem(path, "own") for path in own)
    yield from (ScenarioItem(path, "script") for path in scripts_with_header(Path.cwd()))
    yield from map(ScenarioItem, scenario_file.bundled())
