"""The bundled scenario files ask for the races that they are known for; read as plain TOML, without
lrtui."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NAMES = sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def read(name: str) -> dict[str, Any]:
    return tomllib.loads((SCENARIOS / f"{name}.toml").read_text("utf-8"))


def lanes(name: str) -> list[dict[str, Any]]:
    """The lanes with the defaults filled in; a sweep gives the product of its lists."""
    content = read(name)
    sweep = content.get("sweep", {})
    swept = [dict(zip(sweep, values, strict=True)) for values in itertools.product(*sweep.values())]
    return [content.get("defaults", {}) | lane for lane in content.get("lane", swept)]


def rates(name: str, optimizer: str) -> list[float]:
    return sorted(lane["lr"] for lane in lanes(name) if lane["optimizer"] == optimizer)


def test_all_thirteen_scenarios_are_here() -> None:
    assert NAMES == [
        "categories",
        "circles-squares",
        "decades",
        "denoise",
        "diabetes",
        "effective-lr",
        "explode",
        "linear",
        "lr-dial",
        "optimizers",
        "overfit",
        "recipe",
        "schedules",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_has_a_title_a_story_of_a_few_sentences_and_one_budget(name: str) -> None:
    content = read(name)
    assert 10 < len(content["title"]) <= 60
    assert 150 < len(content["story"]) < 450
    assert "\n" not in content["story"]
    assert ("epochs" in content) != ("steps" in content)
    assert ("lane" in content) != ("sweep" in content)
    assert {"task", "seed", "batch_size"} <= content.keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_lane_has_an_optimizer_and_a_rate_and_no_two_are_alike(name: str) -> None:
    found = lanes(name)
    assert 2 <= len(found) <= 9
    assert all(lane["lr"] > 0 and isinstance(lane["optimizer"], str) for lane in found)
    assert all(one != other for one, other in itertools.combinations(found, 2))


def test_lr_dial_has_its_four_rates_for_fifteen_epochs() -> None:
    assert [lane["lr"] for lane in lanes("lr-dial")] == [0.001, 0.1, 0.00001, 0.01]
    assert rates("lr-dial", "Adam") == [0.00001, 0.001, 0.01, 0.1]
    assert read("lr-dial")["epochs"] == 15


def test_decades_has_four_decades_of_adam_and_one_sgd() -> None:
    assert rates("decades", "Adam") == [0.0001, 0.001, 0.01, 0.1]
    assert rates("decades", "SGD") == [0.01]


def test_linear_and_explode_share_their_data_and_differ_in_the_optimizer() -> None:
    assert rates("linear", "Adam") == [1e-5, 1e-4, 1e-3, 1e-2]
    assert rates("explode", "SGD") == [1e-5, 0.003, 0.03, 0.1]
    for key, value in {"task": "straight-line", "batch_size": 32, "epochs": 100}.items():
        assert read("linear")[key] == read("explode")[key] == value


def test_schedules_has_the_numbers_of_the_tutorials() -> None:
    found = {lane["name"]: lane.get("schedule") for lane in lanes("schedules")}
    assert read("schedules")["epochs"] == 100
    assert found["step"] == {"name": "StepLR", "step_size": 10, "gamma": 0.1}
    assert found["cosine"] == {"name": "CosineAnnealingLR", "T_max": 50, "eta_min": 1e-4}
    assert found["plateau"] == {
        "name": "ReduceLROnPlateau",
        "mode": "min",
        "patience": 5,
        "factor": 0.1,
    }
    named = {schedule["name"] for schedule in found.values() if schedule}
    assert {"ExponentialLR", "MultiStepLR", "LambdaLR", "cosine"} <= named
    assert [name for name, schedule in found.items() if schedule is None] == [
        "fixed high",
        "fixed low",
    ]
    assert all(lane["lr"] == 0.01 for lane in lanes("schedules") if lane["name"] != "fixed low")


def test_optimizers_has_all_seven() -> None:
    found = [lane["optimizer"] for lane in lanes("optimizers")]
    assert found == ["SGD", "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Muon"]
    assert [lane.get("momentum") for lane in lanes("optimizers")[:2]] == [None, 0.9]


def test_recipe_has_two_rates_with_and_without_clipping_and_a_low_one() -> None:
    found = [
        (lane["lr"], lane.get("clip_grad_norm"), lane.get("expect")) for lane in lanes("recipe")
    ]
    assert found == [
        (0.03, None, "nan"),
        (0.03, 1.0, None),
        (0.01, None, "nan"),
        (0.01, 1.0, None),
        (1e-5, None, None),
    ]
    assert {lane["schedule"] for lane in lanes("recipe")} == {"cosine"}


def test_effective_lr_is_three_traces_of_ten_steps() -> None:
    assert read("effective-lr")["steps"] == 10
    step, inverse, fixed = lanes("effective-lr")
    assert (step["optimizer"], step["lr"]) == ("Adam", 0.1)
    assert step["schedule"] == {"name": "StepLR", "step_size": 3, "gamma": 0.1}
    assert (inverse["optimizer"], inverse["lr"]) == ("SGD", 1.0)
    assert inverse["schedule"] == {"name": "inverse-time", "decay": 0.1}
    assert (fixed["optimizer"], fixed["lr"], "schedule" in fixed) == ("SGD", 0.01, False)


def test_diabetes_has_two_optimizers_at_four_rates() -> None:
    assert len(lanes("diabetes")) == 8
    assert rates("diabetes", "Adam") == rates("diabetes", "SGD")
