"""The param groups of a lane: their names, and how their rates lie to each other. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrtui.core.numbers import rate
from lrtui.core.scenario.spec import number, unique_name
from lrtui.core.state.race_state import LaneState
from lrtui.core.state.rates import column, is_applied
from lrtui.core.text import one_line

KEPT = 1e-4
"""Relative difference up to which two ratios of rates, recorded in float32, are the same."""
EARLY = 256
"""First steps among which one is sought that has a rate in every param group."""


class GroupRate(NamedTuple):
    """The rate of a param group beside the lane's; one of the two numbers is NaN."""

    name: str
    ratio: float
    """To the rate of the lane's first group that has none of its own."""
    own: float
    """A rate that is the same whatever the lane's."""

    def __str__(self) -> str:
        if math.isfinite(self.own):
            return f"{self.name} {rate(self.own, 3)} of its own"
        return (
            self.name if self.ratio == 1 else f"{self.name} ×{number(float(f'{self.ratio:.3g}'))}"
        )


def groups(lane: LaneState) -> list[str]:
    """Names of the lane's param groups, one or more, all different; a run of an older version has
    numbers from 1 on."""
    given = lane.started.groups if lane.started else []
    if not given:
        recorded = sum(map(is_applied, lane.columns))
        return [f"group {number}" for number in range(1, max(1, recorded) + 1)]
    names: list[str] = []
    for name in given:
        names.append(unique_name(one_line(name), names))
    return names


def group_called(lane: LaneState, name: str) -> int:
    """The index of the lane's param group of this name; 0, the first, if it has none."""
    names = groups(lane)
    return names.index(name) if name in names else 0


def group_name(lane: LaneState, group: int) -> str:
    """The name of a param group; '' where it is the lane's only one."""
    names = groups(lane)
    return names[group] if len(names) > 1 else ""


def forecast_ratio(lane: LaneState, group: int) -> float:
    """The ratio of a param group's rates to come to the forecast, which is of the first; NaN if it
    is unknown: it has changed so far, or there was no step yet."""
    if not group:
        return 1.0
    first, own = (lane.columns.get(column("next_lr", each)) for each in (0, group))
    if not first or not own or len(own) <= lane.forked_at or not lane.rates.next:
        return math.nan
    ratio = lane.rates.next_by(group) / lane.rates.next
    change = abs(own.at(lane.forked_at) - ratio * first.at(lane.forked_at))
    return ratio if change <= KEPT * own.at(lane.forked_at) else math.nan


def group_rates(lane: LaneState, lanes: Sequence[LaneState] = ()) -> list[GroupRate]:
    """The param groups of a lane that has several, as its record shows them; [] before its first
    steps. A rate of a group's own shows where `lanes` have others of the same kind at another
    rate."""
    names, initial = groups(lane), _initial(lane)
    if len(names) < 2 or len(initial) != len(names):
        return []
    others = [
        found
        for other in lanes
        if other.initial_rate != lane.initial_rate
        and (other.lane.optimizer, other.lane.schedule) == (lane.lane.optimizer, lane.lane.schedule)
        and len(found := _initial(other)) == len(names)
    ]
    own = [
        bool(others) and all(math.isclose(value, other[at], rel_tol=KEPT) for other in others)
        for at, value in enumerate(initial)
    ]
    base = next((value for value, fixed in zip(initial, own, strict=True) if not fixed), math.nan)
    return [
        GroupRate(name, math.nan, value)
        if fixed
        else GroupRate(name, _rounded(value / base) if base else math.nan, math.nan)
        for name, value, fixed in zip(names, initial, own, strict=True)
    ]


def group_words(lane: LaneState, lanes: Sequence[LaneState] = ()) -> str:
    """The same in words: "body, head ×10"; '' of a lane with one group."""
    return ", ".join(map(str, group_rates(lane, lanes)))


def _initial(lane: LaneState) -> list[float]:
    """The rates of all param groups at the first of a lane's steps that has them."""
    names = [column("applied_lr", group) for group in range(len(groups(lane)))]
    if any(name not in lane.columns for name in names):
        return []
    begin = lane.forked_at
    early = np.array([lane.columns[name].part(begin, begin + EARLY) for name in names], float)
    there = np.flatnonzero(np.isfinite(early).all(axis=0) & (early > 0).any(axis=0))
    return [float(value) for value in early[:, there[0]]] if len(there) else []


def _rounded(ratio: float) -> float:
    """A ratio of recorded rates without the noise of float32."""
    return float(f"{ratio:.6g}")
