"""Flags of a command laid over a scenario."""

import tomllib

import msgspec
import pytest

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.overlay import overlay
from support.scenarios import HEAD, LANE, THREE, assert_readable, load_scenario


def lanes(folder, changes, text=THREE):
    return [
        (str(lane.optimizer), lane.lr, lane.schedule.name if lane.schedule else None)
        for lane in load_scenario(folder, text, changes).lanes
    ]


def test_scenario_without_flags_is_unchanged(folder):
    assert lanes(folder, {}) == [
        ("Adam(weight_decay=0.1)", 0.1, None),
        ("Adam(weight_decay=0.1)", 0.2, "linear"),
        ("SGD(momentum=0.9)", 0.1, "linear"),
    ]


def test_lr_flags_sweep_over_the_optimizers_and_schedules_of_the_lanes(folder):
    adam, sgd = "Adam(weight_decay=0.1)", "SGD(momentum=0.9)"
    assert lanes(folder, {"lanes.lr": [1.0, 2.0]}) == [
        (optimizer, lr, schedule)
        for lr in (1.0, 2.0)
        for optimizer in (adam, sgd)
        for schedule in (None, "linear")
    ]


def test_optimizer_flags_sweep_over_the_rates_of_the_lanes(folder):
    assert lanes(folder, {"lanes.optimizer": ["RMSprop"]}) == [
        ("RMSprop", lr, schedule) for lr in (0.1, 0.2) for schedule in (None, "linear")
    ]


def test_optimizer_flag_sweeps_over_the_default_rate_too(folder):
    text = HEAD + "[defaults]\nlr = 0.5\n[[lane]]\n[[lane]]\nlr = 0.25\n"
    assert [lane[1] for lane in lanes(folder, {"lanes.optimizer": ["SGD"]}, text)] == [0.5, 0.25]


def test_default_options_apply_to_their_optimizer_in_any_notation(folder):
    text = (
        HEAD
        + """
[defaults]
optimizer = "SGD"
momentum = 0.9
[[lane]]
optimizer = "sgd"
[[lane]]
optimizer = { name = "SGD", nesterov = true }
"""
    )
    assert [lane[0] for lane in lanes(folder, {}, text)] == [
        "SGD(momentum=0.9)",
        "SGD(momentum=0.9, nesterov=True)",
    ]
    assert [lane[0] for lane in lanes(folder, {"lanes.lr": [1.0]}, text)] == [
        "SGD(momentum=0.9)",
        "SGD(momentum=0.9, nesterov=True)",
    ]


def test_optimizer_flag_without_rates_has_the_optimizers_default(folder):
    assert lanes(folder, {"lanes.optimizer": ["SGD", "Adam"]}, LANE) == [
        ("SGD", 0.01, None),
        ("Adam", 0.001, None),
    ]


def test_default_option_as_a_flag_is_refused_where_no_lane_has_its_optimizer(folder):
    changes = {"lanes.optimizer": ["RMSprop", "Adagrad"], "defaults.momentum": 0.9}
    with pytest.raises(
        LrtuiError, match=r"--set defaults\.momentum: an option of Adam, which no lane"
    ):
        load_scenario(folder, LANE, changes)
    text = HEAD + "[defaults]\noptimizer = 'sgd'\n[[lane]]\n"
    changes["lanes.optimizer"] = ["SGD", "Adagrad"]
    assert [lane[0] for lane in lanes(folder, changes, text)] == ["SGD(momentum=0.9)", "Adagrad"]
    changes |= {"lanes.optimizer": ["SGD(nesterov=True)"]}
    assert lanes(folder, changes, text)[0][0] == "SGD(momentum=0.9, nesterov=True)"


def test_lr_and_optimizer_flags_make_the_product(folder):
    made = lanes(folder, {"lanes.lr": [1.0, 2.0], "lanes.optimizer": ["SGD", "Adam"]}, LANE)
    assert [lane[:2] for lane in made] == [("SGD", 1.0), ("Adam", 1.0), ("SGD", 2.0), ("Adam", 2.0)]


def test_schedule_flag_applies_to_every_lane(folder):
    assert [lane[2] for lane in lanes(folder, {"lanes.schedule": "cosine"})] == ["cosine"] * 3
    assert [lane[2] for lane in lanes(folder, {"lanes.schedule": "none"})] == [None] * 3
    assert [lane[2] for lane in lanes(folder, {"lanes.schedule": "cosine", "lanes.lr": [1.0]})] == [
        "cosine"
    ] * 2
    swept = HEAD + '[sweep]\nlr = [0.1, 0.2]\nschedule = ["linear", "none"]\n'
    assert lanes(folder, {"lanes.schedule": "cosine"}, swept) == [
        ("Adam", 0.1, "cosine"),
        ("Adam", 0.2, "cosine"),
    ]


def test_lr_flag_replaces_the_rates_of_a_sweep(folder):
    swept = HEAD + '[sweep]\nlr = [0.1, 0.2]\noptimizer = ["SGD", "Adam"]\n'
    assert lanes(folder, {"lanes.lr": [3.0]}, swept) == [("SGD", 3.0, None), ("Adam", 3.0, None)]


def test_budget_flag_replaces_the_other_budget(folder):
    made = load_scenario(folder, THREE, {"epochs": 7})
    assert (made.epochs, made.steps) == (7, None)
    made = load_scenario(folder, THREE.replace("steps", "epochs"), {"steps": 8})
    assert (made.epochs, made.steps) == (None, 8)


def test_flag_sets_any_key(folder):
    made = load_scenario(folder, THREE, {"seed": 5, "defaults.amsgrad": True, "title": "other"})
    assert (made.seed, made.title) == (5, "other")
    assert made.lanes[0].optimizer.options == {"weight_decay": 0.1, "amsgrad": True}


def test_overlay_leaves_the_scenario_unchanged():
    raw = tomllib.loads(THREE)
    before = msgspec.json.encode(raw)
    overlay(raw, {"defaults.x": 1, "lanes.lr": [1], "lanes.schedule": "linear", "epochs": 3}, "x")
    assert msgspec.json.encode(raw) == before


@pytest.mark.parametrize(
    "word",
    ["\udcff", "\ud800", "\udcff.py:X", "\ud800.py:X", "\ud800:X", "x\udcff.y:X", "x.py:\ud800"],  # noqa: PT014
)
def test_flag_with_surrogates_is_refused(word, folder):
    for changes in (
        {"task": word},
        {"device": word},
        {"lanes.optimizer": [word]},
        {"lanes.schedule": word},
        {word: 1},
    ):
        with pytest.raises(LrtuiError) as refused:
            load_scenario(folder, LANE, changes)
        assert_readable(refused.value)
        str(refused.value).encode("utf-8")
    assert load_scenario(folder, LANE, {"title": word}).title.encode("utf-8")
    with pytest.raises(LrtuiError):
        scenario_file.load(word)


@pytest.mark.parametrize(
    "changes",
    [
        {"lane.lr": 3},
        {"seed.x": 3},
        {"defaults.x.y": 3},
        {"": 3},
        {"defaults.": 3},
        {".": 1},
        {"lanes.lr": [0]},
        {"lanes.lr": ["x"]},
        {"lanes.optimizer": ["Adm"]},
        {"lanes.schedule": "cosin"},
        {"\x1b[31m": 3},
        {"epochs": 0},
        {"task": "nowhere"},
        {"lane": 3},
        {"sweep.lr": 3},
    ],
)
def test_invalid_flag_is_refused_like_an_invalid_file(changes, folder):
    with pytest.raises(LrtuiError) as refused:
        load_scenario(folder, THREE, changes)
    assert_readable(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"lanes.lr": [0.1]},
        {"lanes.optimizer": ["SGD"]},
        {"lanes.schedule": "linear"},
        {"defaults.lr": 0.1},
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "lane = 3\n",
        "lane = [1, 2]\n",
        "lane = [[]]\n",
        "sweep = 3\n[[lane]]\n",
        "defaults = 3\n[[lane]]\n",
        "[[lane]]\noptimizer = []\n",
        "[[lane]]\noptimizer = { lr = 3 }\n",
        "[[lane]]\nlr = { a = 1979-05-27 }\n",
    ],
)
def test_flag_over_an_invalid_file_raises_only_lrtui_errors(changes, text, folder):
    try:
        load_scenario(folder, HEAD + text, changes)
    except LrtuiError as refused:
        assert_readable(refused)
