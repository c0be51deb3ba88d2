"""The picker's items without the picker: their lines, and what is read of them once."""

from __future__ import annotations

from pathlib import Path

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.store.reader import summary
from lrtui.tui.screens.picker_items import (
    OwnScriptItem,
    RaceCache,
    RunItem,
    ScenarioItem,
    find_items,
)


def test_a_run_says_when_it_was_and_what_it_raced(over: Path) -> None:
    item = RunItem(summary(over))
    line = item.label(item.summary.created + 120).plain
    assert line == f"{'fake':15}  {item.summary.state}, 2 min ago"
    race = item.race(RaceCache())
    assert isinstance(race, Race)
    assert race.scenario == "fake"


def test_an_interrupted_run_comes_before_the_scenarios(over: Path) -> None:
    first, *others = find_items(over.parent)
    assert isinstance(first, RunItem)
    assert first.path == over
    *scenarios, own = others
    assert {item.path for item in scenarios} == set(scenario_file.bundled())
    assert own == OwnScriptItem()


def test_an_edited_race_replaces_that_of_the_file_and_its_preview(tmp_path: Path) -> None:
    item, cache = ScenarioItem(scenario_file.bundled()[0]), RaceCache()
    race = item.race(cache)
    assert isinstance(race, Race)
    cache.previews[item.path] = []
    assert not cache.is_edited(item.path)
    edited = scenario_file.load(str(scenario_file.bundled()[1]))
    cache.edit(item.path, edited)
    assert item.race(cache) is edited
    assert cache.is_edited(item.path)
    assert item.path not in cache.previews


def test_a_file_that_cannot_be_read_says_why_and_is_read_once(tmp_path: Path) -> None:
    item, cache = ScenarioItem(tmp_path / "nothing.toml", "own"), RaceCache()
    found = item.race(cache)
    assert isinstance(found, LrtuiError)
    assert item.race(cache) is found
