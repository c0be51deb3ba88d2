"""A race written as a scenario reads back as the same race, whatever its words are."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings, strategies as st

from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.scenario_text import scenario_text
from lrtui.core.scenario.spec import Race

LANE = {"optimizer": "SGD", "lr": 0.1}
RICH = {
    "title": 'a "race" \\ of two',
    "task": "straight-line",
    "steps": 7,
    "seed": 2**60,
    "device": "cuda:1",
    "gauge": False,
    "on_nan": "rewind",
    "on_divergence": "stop",
    "snapshots": {"seconds": 0.5, "steps": 3},
    "pruning": {"rungs": [0.2, 0.5]},
    "lane": [
        {
            "name": "one = 1",
            "optimizer": {"name": "adamw", "betas": [0.8, 0.99], "amsgrad": True, "eps": 1e-22},
            "lr": 1e-7,
        },
        {"name": "two", "lr": 1, "schedule": "StepLR(step_size=10)", "expect": "cold"},
        {
            "lr": 3e-4,
            "schedule": {"name": "LambdaLR", "lr_lambda": "0.95 ** epoch", "interval": "batch"},
        },
        {
            "lr": 0.02,
            "schedule": {
                "name": "SequentialLR",
                "milestones": [3],
                "schedulers": [
                    {"name": "LinearLR", "total_iters": 3},
                    {"name": "CosineAnnealingLR", "T_max": "auto"},
                ],
            },
        },
    ],
}


def parsed(raw: dict[str, object], name: str = "x") -> Race:
    return scenario_file.parse(raw, source="test", folder=Path("/nowhere"), scenario=name)


def bare(race: Race) -> Race:
    """Without the places at which schedules stand in a file; the text of a scenario always gives
    the batch size."""
    lanes = tuple(msgspec.structs.replace(lane, schedule_at="") for lane in race.lanes)
    return msgspec.structs.replace(race, batch_size_given=True, lanes=lanes)


@pytest.mark.parametrize("path", scenario_file.bundled(), ids=lambda path: path.stem)
def test_each_bundled_scenario_comes_back(path):
    race = scenario_file.load(str(path))
    assert bare(parsed(tomllib.loads(scenario_text(race)), race.scenario)) == bare(race)


def test_everything_that_a_scenario_can_say_comes_back():
    race = parsed(RICH)
    assert bare(parsed(tomllib.loads(scenario_text(race)))) == bare(race)


def test_a_schedule_of_ones_own_is_named_by_its_full_path(tmp_path):
    (tmp_path / "own.py").write_text("class Mine:\n    def step(self): ...\n")
    race = scenario_file.parse(
        {
            "task": "straight-line",
            "steps": 1,
            "lane": [{"schedule": {"name": "own.py:Mine", "gamma": 2}}],
        },
        source="test",
        folder=tmp_path,
    )
    text = scenario_text(race)
    assert f'name = "{tmp_path}/own.py:Mine"' in text
    assert parsed(tomllib.loads(text)).lanes[0].schedule.code == race.lanes[0].schedule.code


WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)


@settings(deadline=None)
@given(WORDS, WORDS)
@example('a """ b"', '"')
@example("back\\slash \\n \\", "\\")
@example("word " * 60 + "  two  spaces " * 20 + "\n\n last", "\x7f")
def test_any_words_come_back(story, title):
    race = parsed(
        {"task": "straight-line", "steps": 1, "story": story, "title": title, "lane": [LANE]}
    )
    again = parsed(tomllib.loads(scenario_text(race)))
    assert (again.story, again.title) == (race.story, race.title)


def test_long_stories_are_broken_into_lines_that_can_be_read():
    race = scenario_file.load("lr-dial")
    assert max(map(len, scenario_text(race).splitlines())) < 130
