"""Lanes in words: a line that is written is read again, and an invalid one is refused by its word."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.lane_syntax import as_new_lane, forked_name, format_lane, parse_lane
from lrtui.core.scenario.spec import Lane, OptimizerSpec, unique_name
from lrtui.core.scenario.user_code_files import user_code_files

PLAIN = Lane("B", "plain", OptimizerSpec("SGD", {"momentum": 0.9}), 0.1)
LANES = [
    pytest.param(lane, id=f"{path.stem} {lane.letter}")
    for path in scenario_file.bundled()
    for lane in scenario_file.load(str(path)).lanes
]


@pytest.mark.parametrize("lane", LANES)
def test_every_lane_of_every_scenario_is_the_same_when_its_words_are_read(lane):
    found = parse_lane(lane, format_lane(lane))
    assert msgspec.structs.replace(found, name=lane.name, expect=lane.expect) == lane


@pytest.mark.parametrize(
    "schedule",
    [
        {
            "name": "SequentialLR",
            "milestones": [5],
            "schedulers": [
                {"name": "LinearLR", "start_factor": 0.1},
                {"name": "CosineAnnealingLR", "T_max": "auto"},
            ],
        },
        {"name": "StepLR", "step_size": 3, "interval": "batch"},
        "LambdaLR(lr_lambda='0.95 ** epoch')",
        {
            "name": "ChainedScheduler",
            "schedulers": [{"name": "ExponentialLR", "gamma": 0.9}, {"name": "ConstantLR"}],
        },
    ],
)
def test_so_is_one_with_a_schedule_made_of_others(schedule):
    raw = {"task": "sprite-generator", "steps": 9, "lane": [{"lr": 0.1, "schedule": schedule}]}
    (lane,) = scenario_file.parse(raw, source="test", folder=Path()).lanes
    assert parse_lane(lane, format_lane(lane)) == lane


def test_so_is_one_with_a_schedule_of_a_persons_own_wherever_one_is(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(
        "class Mine:\n    def step(self): ...\ndef factor(step): return 1.0\n"
    )
    raw = {
        "task": "sprite-generator",
        "steps": 9,
        "lane": [
            {"lr": 0.1, "schedule": {"name": "own.py:Mine", "depth": 2}},
            {"lr": 0.1, "schedule": {"name": "LambdaLR", "lr_lambda": "own.py:factor"}},
        ],
    }
    race = scenario_file.parse(raw, source="test", folder=tmp_path)
    monkeypatch.chdir("/")
    for lane in race.lanes:
        assert parse_lane(lane, format_lane(lane)).schedule == lane.schedule
    assert user_code_files(race) == [str(tmp_path / "own.py")]


def test_what_is_not_named_is_gone_but_optimizer_and_rate():
    found = parse_lane(PLAIN, "nesterov=false")
    assert (found.optimizer, found.lr, found.schedule) == (
        OptimizerSpec("SGD", {"nesterov": False}),
        0.1,
        None,
    )
    assert found.name == "SGD 0.1"


def test_words_may_hold_spaces_within_brackets_and_quotes():
    found = parse_lane(
        PLAIN,
        'lr=1e-3  optimizer=adamw betas=[0.8, 0.99] name="two words" schedule=StepLR(step_size=3,'
        " gamma=0.5)",
    )
    assert found.optimizer == OptimizerSpec("AdamW", {"betas": [0.8, 0.99]})
    assert found.name == "two words"
    assert found.schedule is not None
    assert found.schedule.options == {"step_size": 3, "gamma": 0.5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr=0", "lane B: lr: 0.0 is not a valid learning rate"),
        ("lr=nan", "lane B: lr: nan is not a valid learning rate"),
        ("lr=x", "is not a number"),
        ("0.1", '"0.1" is not a setting'),
        ("lr=", '"lr=" is not a setting'),
        ("lr=1 lr=2", "lr: given twice"),
        ("optimizer=Nothing", 'unknown optimizer "Nothing"'),
        ("momentun=1", 'did you mean "momentum"'),
        ("schedule=nope", 'unknown schedule "nope"'),
        ("schedule=StepLR", "StepLR needs it"),
        ("schedule=StepLR(", "a bracket is not closed"),
        ('name="x', "a quote is not closed"),
        ("schedule=none.py:X", "none.py"),
        ("optimizer={name='SGD'}", "a table of tables"),
        ("\x1b[31mred", "lane B: "),
    ],
)
def test_what_will_not_do_is_refused(text, said):
    with pytest.raises(ScenarioError) as refused:
        parse_lane(PLAIN, text)
    assert said in refused.value.message
    assert "\x1b" not in str(refused.value)


def test_a_lane_that_joins_has_the_next_letter_and_a_name_of_its_own():
    race = scenario_file.parse(
        {"task": "sprite-generator", "steps": 9, "lane": [{"name": "one"}, {"name": "one fork"}]},
        source="test",
        folder=Path(),
    )
    assert (as_new_lane(race, race.lanes[0]).letter, as_new_lane(race, race.lanes[0]).name) == (
        "C",
        "one 2",
    )
    assert as_new_lane(race, race.lanes[0], " a \n name ").name == "a name"
    with pytest.raises(ScenarioError, match='"one" is also the name of lane A'):
        as_new_lane(race, race.lanes[1], "one")
    assert forked_name(race, race.lanes[0]) == "one fork 2"
    assert forked_name(race, race.lanes[1]) == "one fork 2"
    assert unique_name("x", ["x", "x 2"]) == "x 3"


def test_a_name_is_made_unique_by_a_number_or_by_a_suffix():
    assert unique_name("x", set()) == "x"
    assert unique_name("x", {"x", "x 2"}) == "x 3"
    assert unique_name("x", {"x"}, "C") == "x C"
    assert unique_name("x", {"x": 0, "x C": 1}, "C") == "x C C"
