"""Only what differs stands in the table, and what all have in common above it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lrtui.core.protocol.events import LaneAdded, RateChanged
from lrtui.core.results.differences import differences
from lrtui.core.scenario import scenario_file
from lrtui.core.state.race_state import RaceState, apply
from support.builders import started, steps
from support.param_groups import with_groups


def race(*lanes: dict[str, object], **keys: object) -> RaceState:
    raw = {
        "title": "a race",
        "task": "sprite-generator",
        "steps": 100,
        "seed": 7,
        **keys,
        "lane": [{"name": f"lane {number}", **lane} for number, lane in enumerate(lanes)],
    }
    return RaceState(scenario_file.parse(raw, source="test", folder=Path(), scenario="test"))


def found(state: RaceState) -> dict[str, tuple[str, ...]]:
    table = differences(state.lanes, state.race)
    return dict(zip(table.settings, table.cells, strict=True))


def test_equal_lanes_do_not_differ_in_anything():
    table = differences(race({"lr": 0.1}, {"lr": 0.1}).lanes, race({"lr": 0.1}).race)
    assert table.settings == table.cells == ()
    assert table.common == "Adam, lr 0.1, no schedule, 100 steps, batch 32, seed 7, device auto"


def test_rates_are_written_as_everywhere():
    assert found(race({"lr": 1e-5}, {"lr": 0.001})) == {"lr": ("1e-5", "0.001")}


def test_unset_option_is_usual_and_missing_option_is_a_dash():
    pushed = {"name": "SGD", "momentum": 0.9}
    state = race(*({"optimizer": optimizer, "lr": 0.1} for optimizer in (pushed, "SGD", "Adam")))
    assert found(state) == {"optimizer": ("SGD", "SGD", "Adam"), "momentum": ("0.9", "usual", "–")}


def test_schedules_are_compared_with_their_options():
    schedules = ("StepLR(step_size=10)", "StepLR(step_size=20, gamma=0.5)", "none")
    state = race(*({"lr": 0.1, "schedule": schedule} for schedule in schedules))
    assert found(state) == {
        "schedule": ("StepLR", "StepLR", "none"),
        "schedule step_size": ("10", "20", "–"),
        "schedule gamma": ("usual", "0.5", "–"),
        "stepped every": ("epoch", "epoch", "–"),
    }


def test_lists_and_switches_are_text():
    state = race(
        {"lr": 0.1, "optimizer": {"name": "Adam", "betas": [0.9, 0.99], "amsgrad": True}},
        {"lr": 0.1},
    )
    assert found(state) == {"betas": ("[0.9, 0.99]", "usual"), "amsgrad": ("true", "usual")}


def test_the_dial_and_the_parent_are_settings_too():
    state = race({"lr": 0.1}, {"lr": 0.1})
    apply(state, RateChanged(lane=1, step=5, rate=1.0, factor=10.0))
    apply(state, LaneAdded(lane=2, parent=0, step=40, child=state.race.lanes[0]))
    assert found(state) == {
        "dial": ("×1", "×10", "×1"),
        "from": ("the start", "the start", "A at 40"),
    }


def test_text_of_a_scenario_is_one_plain_line():
    state = race(
        {"lr": 0.1, "schedule": {"name": "LambdaLR", "lr_lambda": "0.95   ** epoch"}}, {"lr": 0.1}
    )
    assert found(state)["schedule lr_lambda"] == ("0.95 ** epoch", "–")


def test_one_lane_has_everything_in_common_with_itself():
    state = race({"lr": 0.1})
    assert found(state) == {}


def test_an_option_of_a_persons_own_schedule_may_be_called_every(tmp_path):
    (tmp_path / "own.py").write_text("class Own:\n    def step(self):\n        pass\n")
    own = {"name": f"{tmp_path}/own.py:Own", "interval": "batch"}
    state = race({"schedule": {**own, "every": 5}}, {"schedule": {**own, "every": 7}})
    assert found(state) == {"schedule every": ("5", "7")}


def test_recipe_settings_are_shared_or_rows():
    same = {"lr": 0.1, "accumulate": 4}
    state = race({**same, "ema": 0.99}, {**same, "clip_grad_norm": 1.0}, batch_size=16)
    assert found(state) == {"clip_grad_norm": ("none", "1"), "ema": ("0.99", "none")}
    common = differences(state.lanes, state.race).common
    assert "accumulate 4, 100 steps, batch 64 (16 × 4)" in common
    assert "precision" not in common


def test_recipe_setting_with_the_name_of_an_option_keeps_its_prefix():
    state = race({"lr": 0.1, "ema": 0.5}, {"lr": 0.1})
    lane = state.lanes[1]
    spec = msgspec.structs.replace(lane.lane.optimizer, options={"ema": 3.0})
    lane.lane = msgspec.structs.replace(lane.lane, optimizer=spec)
    assert found(state) == {"ema": ("usual", "3"), "recipe ema": ("0.5", "none")}


def test_param_groups_are_a_setting():
    state = race({"lr": 0.1}, {"lr": 0.1})
    for event in with_groups([started(0), steps([1.0])]):
        apply(state, event)
    assert found(state) == {"param groups": ("body, head ×10", "–")}
