"""Lanes of a scenario: rates, names, optimizers, defaults, sweeps, expected outcomes."""

from pathlib import Path

import pytest

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import OptimizerSpec
from support.scenarios import HEAD, LANE, assert_refused, load_scenario

INVALID = {
    # problem: text of the file, and parts of the message
    "no lanes": (HEAD, ["lane: a race needs lanes"]),
    "lane is a table": (HEAD + "[lane]\nlr = 1\n", ["lane: a table is not a list of tables"]),
    "lane is a number": (HEAD + "lane = [1]\n", ["lane 1: 1 is not a table"]),
    "lr 0": (LANE + "lr = 0\n", ["lane 1.lr: 0.0 is not a valid learning rate", "above 0"]),
    "lr negative": (LANE + "lr = -0.1\n", ["lane 1.lr: -0.1 is not a valid learning rate"]),
    "lr nan": (LANE + "lr = nan\n", ["lane 1.lr: nan is not a valid learning rate"]),
    "lr inf": (LANE + "lr = inf\n", ["lane 1.lr: inf is not a valid learning rate"]),
    "lr a string": (LANE + 'lr = "fast"\n', ["lane 1.lr: 'fast' is not a number"]),
    "lr true": (LANE + "lr = true\n", ["lane 1.lr: true is not a number"]),
    "lr a list": (LANE + "lr = [0.1]\n", ["lane 1.lr: a list is not a number"]),
    "lr too large for a float": (LANE + f"lr = 1{'0' * 400}\n", ["lane 1.lr", "is not a number"]),
    "lr in the second lane": (LANE + "lr = 1\n[[lane]]\nlr = 0\n", ["lane 2.lr"]),
    "lr in a sweep": (HEAD + "[sweep]\nlr = [0.1, -1]\n", ["sweep.lr: -1"]),
    "lr in the defaults": (
        HEAD + "[defaults]\nlr = 0\n[[lane]]\n",
        ["lr: 0.0 is not a valid learning rate"],
    ),
    "names twice": (
        LANE + 'name = "x"\n[[lane]]\nname = "x"\n',
        ['lane 2.name: "x" is also the name of lane 1'],
    ),
    "names that look the same": (
        LANE + 'name = "x y"\n[[lane]]\nname = "x\\u001b[31m  y"\n',
        ["lane 2.name", "is also the name of lane 1"],
    ),
    "a name that cannot be seen": (LANE + 'name = "\\u001b[2J"\n', ["lane 1.name: empty"]),
    "a name for all": (HEAD + '[defaults]\nname = "x"\n[[lane]]\n', ["defaults.name"]),
    "a name that is a number": (LANE + "name = 3\n", ["lane 1.name: 3 is not a string"]),
    "unknown optimizer": (
        LANE + 'optimizer = "Adm"\n',
        ['lane 1.optimizer: unknown optimizer "Adm"', 'did you mean "Adam"?', "SGD"],
    ),
    "optimizer a number": (LANE + "optimizer = 3\n", ["lane 1.optimizer: 3 is not a string"]),
    "optimizer table without a name": (
        LANE + "optimizer = { momentum = 0.9 }\n",
        ["lane 1.optimizer.name: missing"],
    ),
    "unknown option": (
        LANE + 'optimizer = "SGD"\nmomentun = 0.9\n',
        ["lane 1.momentun", 'did you mean "momentum"?', "nesterov"],
    ),
    "another optimizer's option": (
        LANE + 'optimizer = "SGD"\namsgrad = true\n',
        ["lane 1.amsgrad: unknown option of SGD"],
    ),
    "option in a table": (
        LANE + 'optimizer = { name = "SGD", momentun = 0.9 }\n',
        ["lane 1.optimizer.momentun"],
    ),
    "option of the wrong type": (
        LANE + 'optimizer = "SGD"\nmomentum = "much"\n',
        ["lane 1.momentum: 'much' is an invalid value for SGD", "a finite number"],
    ),
    "option that is no number": (
        LANE + 'optimizer = "SGD"\nmomentum = nan\n',
        ["lane 1.momentum: nan is an invalid value", "a finite number"],
    ),
    "option without end": (
        LANE + "weight_decay = inf\n",
        ["lane 1.weight_decay: inf is an invalid value"],
    ),
    "option beyond 64 bits": (
        LANE + f"optimizer = 'Muon'\nns_steps = {2**70}\n",
        ["lane 1.ns_steps"],
    ),
    "flag that is a number": (
        LANE + 'optimizer = "SGD"\nnesterov = 1\n',
        ["lane 1.nesterov: 1 is an invalid value", "true or false"],
    ),
    "betas a number": (
        LANE + "betas = 0.9\n",
        ["lane 1.betas: 0.9 is an invalid value for Adam", "a list of numbers"],
    ),
    "betas of strings": (
        LANE + 'betas = ["a", "b"]\n',
        ["lane 1.betas: a list is an invalid value", "a list of numbers"],
    ),
    "defaults with a wrong option": (
        HEAD + "[defaults]\nmomentun = 0.9\n[[lane]]\n",
        ["momentun: unknown option of Adam"],
    ),
    "defaults a list": ("defaults = [1]\n" + LANE, ["defaults: a list is not a table"]),
    "a sweep over a number": (HEAD + "[sweep]\nlr = 0.1\n", ["sweep.lr: a sweep goes over a list"]),
    "a sweep over nothing": (HEAD + "[sweep]\nlr = []\n", ["sweep.lr: a sweep goes over a list"]),
    "a sweep over what cannot be swept": (
        HEAD + "[sweep]\nmomentum = [0.1]\n",
        ["sweep.momentum: unknown key", "optimizer"],
    ),
    "a sweep that is a list": ("sweep = [1]\n" + LANE, ["sweep: a list is not a table"]),
    "too many lanes": (
        HEAD + f"[sweep]\nlr = {[0.1] * 300}\n",
        ["sweep.lr: 300 lanes are too many", "256"],
    ),
    "too many of both kinds": (
        LANE + f"[sweep]\nlr = {[0.1] * 256}\n",
        ["lane: 257 lanes are too many", "256"],
    ),
    "a product too large": (
        HEAD + f"[sweep]\nlr = {[0.1] * 100}\noptimizer = ['SGD', 'Adam', 'AdamW']\n",
        ["sweep", "300 lanes are too many"],
    ),
    "far too many lanes": (
        HEAD + f"[sweep]\nlr = {[0.1] * 5000}\noptimizer = {['SGD'] * 5000}\nschedule ="
        f" {['none'] * 5000}\n",
        ["sweep", "too many"],
    ),
}


@pytest.mark.parametrize(("text", "words"), INVALID.values(), ids=INVALID)
def test_invalid_lane_is_refused_with_file_key_and_expectation(text, words, folder):
    assert_refused(folder, text, words)


@pytest.mark.parametrize(
    ("optimizer", "lr"),
    [("SGD", 0.01), ("Adam", 0.001), ("Adadelta", 1.0), ("Muon", 0.001), ("NAdam", 0.002)],
)
def test_lane_without_lr_has_the_default_of_its_optimizer(optimizer, lr, folder):
    assert load_scenario(folder, LANE + f'optimizer = "{optimizer}"\n').lanes[0].lr == lr


def test_sweep_is_the_product_of_its_lists(folder):
    made = load_scenario(
        folder,
        HEAD + '[sweep]\nlr = [0.1, 0.01]\noptimizer = ["SGD", { name = "SGD", momentum = 0.9'
        ' }]\nschedule = ["none", "cosine"]\n',
    )
    assert [
        (lane.lr, lane.optimizer.options, lane.schedule is not None) for lane in made.lanes
    ] == [
        (lr, options, scheduled)
        for lr in (0.1, 0.01)
        for options in ({}, {"momentum": 0.9})
        for scheduled in (False, True)
    ]
    assert "".join(lane.letter for lane in made.lanes) == "ABCDEFGH"
    assert len({lane.name for lane in made.lanes}) == 8


def test_sweep_lanes_follow_the_listed_ones(folder):
    made = load_scenario(folder, LANE + "lr = 5.0\n[sweep]\nlr = [0.1, 0.2]\n")
    assert [lane.lr for lane in made.lanes] == [5.0, 0.1, 0.2]


def test_defaults_apply_to_lanes_without_the_key(folder):
    made = load_scenario(
        folder,
        HEAD
        + """
[defaults]
optimizer = "SGD"
lr = 0.5
momentum = 0.9
schedule = "linear"
[[lane]]
[[lane]]
lr = 0.25
momentum = 0.8
schedule = "none"
[[lane]]
optimizer = "Adam"
""",
    )
    one, other, adam = made.lanes
    assert (one.optimizer, one.lr, one.schedule.name) == (
        OptimizerSpec("SGD", {"momentum": 0.9}),
        0.5,
        "linear",
    )
    assert (other.optimizer, other.lr, other.schedule) == (
        OptimizerSpec("SGD", {"momentum": 0.8}),
        0.25,
        None,
    )
    # SGD's momentum is not Adam's
    assert (adam.optimizer, adam.lr, adam.schedule.name) == (OptimizerSpec("Adam"), 0.5, "linear")


def test_defaults_apply_in_a_sweep(folder):
    made = load_scenario(
        folder,
        HEAD
        + '[defaults]\noptimizer = "SGD"\nmomentum = 0.9\n[sweep]\nlr = [0.1]\noptimizer = ["SGD",'
        ' "Adam"]\n',
    )
    assert [lane.optimizer for lane in made.lanes] == [
        OptimizerSpec("SGD", {"momentum": 0.9}),
        OptimizerSpec("Adam"),
    ]


def test_equal_lanes_have_their_letters_in_their_names(folder):
    assert [
        lane.name for lane in load_scenario(folder, LANE + "[[lane]]\n[[lane]]\nlr = 1.0\n").lanes
    ] == ["Adam 0.001", "Adam 0.001 B", "Adam 1"]


@pytest.mark.parametrize("expect", ["wins", "ok", "hot", "cold", "diverged", "nan"])
def test_lane_has_the_expected_outcome_or_none(expect):
    raw = {
        "task": "straight-line",
        "steps": 3,
        "lane": [{"lr": 0.1, "expect": expect}, {"lr": 0.2}],
    }
    race = scenario_file.parse(raw, source="my.toml", folder=Path())
    assert [lane.expect for lane in race.lanes] == [expect, ""]


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ("fast", '"fast" is an invalid value'),
        ("WINS", '"WINS" is an invalid value'),
        (3, "3 is an invalid value"),
        ("\x1b[31mhot", '"hot" is an invalid value'),
    ],
)
def test_unknown_expected_outcome_is_refused_with_file_and_key(expect, words):
    raw = {
        "task": "straight-line",
        "steps": 3,
        "lane": [{"lr": 0.1}, {"lr": 0.1, "expect": expect}],
    }
    with pytest.raises(LrtuiError) as refused:
        scenario_file.parse(raw, source="my.toml", folder=Path())
    assert refused.value.message.startswith("my.toml: lane 2.expect: ")
    assert words in refused.value.message
    if isinstance(expect, str):
        assert (
            refused.value.hint
            == 'expected "wins" or "ok" or "hot" or "cold" or "diverged" or "nan"'
        )
