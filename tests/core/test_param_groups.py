"""The names of a lane's param groups, and how their rates lie to each other in its record."""

import math

import msgspec
import pytest

from lrtui.core.diagnostics import param_groups
from lrtui.core.protocol.events import Column, Steps
from lrtui.core.state.race_state import RaceState, apply
from support.builders import make_race, started, steps
from support.param_groups import with_groups


def raced(*rates, names=("embed", "body", "head"), lrs=(0.1, 0.2)):
    """A lane for each of `rates`: those of its groups at its only step."""
    race = make_race(len(rates))
    lanes = tuple(
        msgspec.structs.replace(lane, lr=lr) for lane, lr in zip(race.lanes, lrs, strict=False)
    )
    state = RaceState(msgspec.structs.replace(race, lanes=lanes))
    for index, each in enumerate(rates):
        apply(state, msgspec.structs.replace(started(index), groups=list(names[: len(each)])))
        block = steps([1.0], lane=index)
        more = {
            f"{family}/{group}" if group else family: Column.pack([rate])
            for group, rate in enumerate(each)
            for family in ("applied_lr", "next_lr")
        }
        apply(state, msgspec.structs.replace(block, columns={**block.columns, **more}))
    return state.lanes


def words(*lanes, of=0):
    return param_groups.group_words(lanes[of], lanes)


def test_lane_with_one_group_has_no_words():
    assert words(*raced([0.1])) == ""


def test_lane_before_its_first_step_has_no_words():
    state = RaceState(make_race(1))
    apply(state, with_groups([started()])[0])
    assert words(state.lanes[0]) == ""


def test_ratios_are_to_the_first_group():
    assert words(*raced([0.1, 0.1, 1.0])) == "embed, body, head ×10"
    assert words(*raced([0.1, 0.03, 0.0])) == "embed, body ×0.3, head ×0"


def test_rate_of_its_own_shows_beside_another_lane():
    alone, other = raced([1e-4, 0.1, 1.0], [1e-4, 0.2, 2.0])
    assert words(alone, other) == "embed 0.0001 of its own, body, head ×10"
    assert words(alone) == "embed, body ×1000, head ×10000"


def test_lane_of_another_kind_says_nothing_about_rates():
    alone, other = raced([1e-4, 0.1, 1.0], [1e-4, 0.2, 2.0])
    other.lane = msgspec.structs.replace(
        other.lane, optimizer=msgspec.structs.replace(other.lane.optimizer, name="Adam")
    )
    assert words(alone, other) == words(alone)


def test_first_steps_without_rates_are_passed_over():
    state = RaceState(make_race(1))
    rates = [math.nan, 0.0, 0.1]
    columns = {
        "loss": Column.pack([1.0] * 3),
        "seconds": Column.pack([1.0] * 3),
        **{name: Column.pack(rates) for name in ("applied_lr", "next_lr")},
        **{
            f"{name}/1": Column.pack([3 * rate for rate in rates])
            for name in ("applied_lr", "next_lr")
        },
    }
    apply(state, msgspec.structs.replace(started(), groups=["a", "b"]))
    apply(state, Steps(lane=0, first=0, count=3, columns=columns))
    assert words(state.lanes[0]) == "a, b ×3"


@pytest.mark.parametrize("name", ["", " ", "[b]x[/b]", "a\nb\x1b[31m", "group 2", "日本"])
def test_any_name_is_one_line_and_found_again(name):
    lane = raced([0.1, 0.2], names=(name, "group 2"))[0]
    names = param_groups.groups(lane)
    assert len(set(names)) == 2
    assert "\n" not in names[0] + names[1]
    assert "\x1b" not in names[0]
    assert [param_groups.group_called(lane, each) for each in names] == [0, 1]
