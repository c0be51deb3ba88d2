"""The standings of groups of seeds: a group stands where the mean of its seeds does. Pure.

A group with a seed that is NaN or failed ranks behind all that have none: its mean is that of the
others. `standings.py` ranks single lanes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrtui.core.results.ranking import Ranking, common_step, is_nan, outcome, ranking_of
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import change, gap_of, with_hysteresis
from lrtui.core.scenario.spec import Race, RankAt
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.status import FAILED


class Spread(NamedTuple):
    """The values of a group's seeds, of those that have one."""

    mean: float
    """NaN without any."""
    low: float
    high: float
    deviation: float
    """The sample standard deviation; NaN of fewer than two."""
    known: int
    """The number of these values."""


class GroupStanding(NamedTuple):
    """A group's row in the standings."""

    place: int
    """Counted from 1."""
    group: SeedGroup
    spread: Spread
    """Of the values that lanes are ranked by."""
    gap: float
    """To the first row, as in `standings.Standing`."""
    change: float
    """The mean of the seeds' changes, likewise."""

    @property
    def first(self) -> LaneState:
        """The lane that stands for the group."""
        return self.group.first

    @property
    def value(self) -> float:
        """The mean that the group is ranked by."""
        return self.spread.mean


class RankedGroups(NamedTuple):
    """The standings of some groups."""

    rows: tuple[GroupStanding, ...]
    ranking: Ranking
    step: int | None
    """At "budget": how many steps the lanes are compared after."""
    ratio: bool
    """True if gaps are ratios; else they are differences."""


def spread_of(values: Sequence[float]) -> Spread:
    """The spread of the finite ones of some values."""
    finite = np.array([value for value in values if math.isfinite(value)])
    if not len(finite):
        return Spread(math.nan, math.nan, math.nan, math.nan, 0)
    deviation = float(finite.std(ddof=1)) if len(finite) > 1 else math.nan
    return Spread(
        float(finite.mean()), float(finite.min()), float(finite.max()), deviation, len(finite)
    )


def ranked_groups(
    groups: Sequence[SeedGroup],
    race: Race,
    every: Sequence[LaneState],
    at: RankAt | None = None,
    previous: Sequence[int] = (),
) -> RankedGroups:
    """The standings of some groups; `every`, `at` and `previous`, the indices of their first lanes
    as they stood last: as in `standings.ranked`."""
    found = ranking_of(race, every, at)
    lanes = [lane for group in groups for lane in group.lanes]
    step = common_step(lanes, every, found) if found.at == "budget" else None
    spreads = {
        group.first.index: spread_of([outcome(lane, every, found, step) for lane in group.lanes])
        for group in groups
    }
    judged = {group.first.index: _judged(group) for group in groups}
    signed = {index: found.signed(spread.mean) for index, spread in spreads.items()}
    by_lane = {id(lane): index for index, lane in judged.items()}
    ordered = [by_lane[id(lane)] for lane in with_hysteresis(judged, signed, previous)]
    means = [spread.mean for spread in spreads.values() if math.isfinite(spread.mean)]
    ratio = not found.maximize and all(mean > 0 for mean in means)
    by_index = {group.first.index: group for group in groups}
    rows = tuple(
        GroupStanding(
            place,
            by_index[index],
            spreads[index],
            gap_of(spreads[index].mean, spreads[ordered[0]].mean, ratio),
            spread_of([change(lane, every) for lane in by_index[index].lanes]).mean,
        )
        for place, index in enumerate(ordered, 1)
    )
    return RankedGroups(rows, found, step, ratio)


def _judged(group: SeedGroup) -> LaneState:
    """The lane of a group by whose state it is ranked: one that is NaN, else one that failed, else
    one that trains."""
    return min(
        group.lanes,
        key=lambda lane: (not is_nan(lane), lane.status not in FAILED, lane.status != "running"),
    )
