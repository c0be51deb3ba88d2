"""The standings: the order of the lanes, best first, NaN last, and their gaps to the leader; lanes
that differ in their seed alone are one row. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, get_args

from lrtui.core.results.ranking import (
    Ranking,
    common_step,
    is_nan,
    outcome,
    ranking_of,
    smoothed_after,
)
from lrtui.core.results.seed_groups import SeedGroup, seed_groups
from lrtui.core.scenario.spec import Race, RankAt
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.race_state import RaceState
from lrtui.core.state.status import FAILED, UNRANKED

ORDERS: tuple[RankAt, ...] = get_args(RankAt)
HYSTERESIS = 0.005
"""While they race, two lanes change places only when their values differ by more than this part of
the greater one."""
CHANGE_OVER = 10
"""The change is that of the last tenth of a lane's own steps."""


class Spread(NamedTuple):
    """The values of a group's seeds, of those that have one."""

    mean: float
    """NaN without any."""
    low: float
    high: float
    deviation: float
    """The sample standard deviation; NaN of fewer than two."""
    known: int
    """The number of values that are finite."""


class Standing(NamedTuple):
    """A row of the standings: a lane, or a group of lanes that differ in their seed."""

    place: int
    """Counted from 1, among the groups that are compared."""
    group: SeedGroup
    values: tuple[float, ...]
    """What each lane of the group is ranked by; NaN for one that failed, is NaN or has no value
    yet."""
    spread: Spread
    """Of these."""
    gap: float
    """To the first row: its value times so much, or where a value is not above zero, so much more;
    NaN without a value."""
    change: float
    """Of the smoothed loss over the last tenth of the lane's steps, as a part of what it was: -0.1
    is a tenth lower. The mean of the group's lanes."""

    @property
    def first(self) -> LaneState:
        """The lane that stands for the group."""
        return self.group.first

    @property
    def value(self) -> float:
        """The mean that the row is ranked by; NaN without a value."""
        return self.spread.mean

    @property
    def nan(self) -> int:
        """The number of lanes whose loss is NaN."""
        return sum(map(is_nan, self.group.lanes))

    @property
    def failed(self) -> int:
        """The number of lanes that ended in an error, which says nothing about their rate."""
        return sum(lane.status in FAILED for lane in self.group.lanes)


class Ranked(NamedTuple):
    """The standings of some lanes."""

    rows: tuple[Standing, ...]
    ranking: Ranking
    step: int | None
    """At "budget": how many steps the lanes are compared after."""
    ratio: bool
    """True if gaps are ratios; else they are differences."""


def standings(state: RaceState) -> list[LaneState]:
    """The lanes in the order in which their race ranks them, best first; those that differ in
    their seed alone together, by seed.

    Lanes without a value come last: those that have none yet, those that failed, then those whose
    loss is NaN. Equal lanes keep their order.
    """
    return [lane for row in race_standings(state).rows for lane in row.group.lanes]


def race_standings(state: RaceState) -> Ranked:
    """The standings of all lanes of a race, as the race ranks them."""
    return ranked(seed_groups(state.lanes), state.race, state.lanes)


def ranked(
    groups: Sequence[SeedGroup],
    race: Race,
    every: Sequence[LaneState],
    at: RankAt | None = None,
    previous: Sequence[int] = (),
) -> Ranked:
    """The standings of some groups of lanes, which are among `every` lane of a race. `at`: in place
    of what the race says.

    A group in which a lane is NaN stands behind every group in which none is: a rate that fails
    with some seeds is no winner. Lanes that ended in an error are left out of their group's value.

    `previous`: the indices of the groups' first lanes in the order in which they were shown last:
    among lanes that race, neighbours keep their places until one is clearly better, so that the
    table can be read.
    """
    found = ranking_of(race, every, at)
    lanes = [lane for group in groups for lane in group.lanes]
    step = common_step(lanes, every, found) if found.at == "budget" else None
    by_first = {group.first.index: group for group in groups}
    values = {
        index: tuple(outcome(lane, every, found, step) for lane in group.lanes)
        for index, group in by_first.items()
    }
    spreads = {index: spread_of(own) for index, own in values.items()}
    signed = {index: found.signed(spread.mean) for index, spread in spreads.items()}
    ordered = [group.first.index for group in with_hysteresis(by_first, signed, previous)]
    means = [spread.mean for spread in spreads.values() if spread.known]
    ratio = not found.maximize and all(value > 0 for value in means)
    rows = tuple(
        Standing(
            place,
            by_first[index],
            values[index],
            spreads[index],
            gap_of(spreads[index].mean, spreads[ordered[0]].mean, ratio),
            spread_of([change(lane, every) for lane in by_first[index].lanes]).mean,
        )
        for place, index in enumerate(ordered, 1)
    )
    return Ranked(rows, found, step, ratio)


def gaps(state: RaceState) -> dict[int, float]:
    """By lane index: the gap of each lane's own value to the first row of the standings."""
    table = race_standings(state)
    return {
        lane.index: gap_of(value, table.rows[0].value, table.ratio)
        for row in table.rows
        for lane, value in zip(row.group.lanes, row.values, strict=True)
    }


def spread_of(values: Sequence[float]) -> Spread:
    """The spread of the finite ones of some values."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        (only,) = finite or [math.nan]
        return Spread(only, only, only, math.nan, len(finite))
    mean = math.fsum(finite) / len(finite)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in finite) / (len(finite) - 1))
    return Spread(mean, min(finite), max(finite), deviation, len(finite))


def with_hysteresis(
    groups: dict[int, SeedGroup], values: dict[int, float], previous: Sequence[int]
) -> list[SeedGroup]:
    """The groups in order of their values (lower is better), but while they race one stays before
    one that is not clearly better; see `ranked`. Equal ones that stand still are in the order of
    their lanes.

    Taken from the previous order one by one, each is put before the first that it clearly beats: so
    none ever stands behind one that it clearly beats, however many small differences lie between.
    """
    ranks = {index: _rank(group, values[index]) for index, group in groups.items()}
    known = [index for index in dict.fromkeys(previous) if index in groups]
    fresh = sorted(
        (index for index in groups if index not in known), key=lambda index: (ranks[index], index)
    )
    still = {index: _still(group) for index, group in groups.items()}
    ordered: list[int] = []
    last = (-1.0, 0.0), -1
    for index in known:
        own = ranks[index], index
        if own >= last:  # as most are: it is behind all that came before it
            last = own
            ordered.append(index)
            continue
        ahead = (
            at
            for at, other in enumerate(ordered)
            if (
                own < (ranks[other], other)
                if still[index] and still[other]
                else _beats(own[0], ranks[other])
            )
        )
        ordered.insert(next(ahead, len(ordered)), index)
    for index in fresh:
        own = ranks[index], index
        ahead = (at for at, other in enumerate(ordered) if own < (ranks[other], other))
        ordered.insert(next(ahead, len(ordered)), index)
    return [groups[index] for index in ordered]


def value_of(lane: LaneState) -> float:
    """The smoothed training loss of a lane; NaN if it failed, is NaN or has not begun."""
    return math.nan if lane.status in UNRANKED or is_nan(lane) else lane.losses.smooth.value


def change(lane: LaneState, every: Sequence[LaneState]) -> float:
    """Relative change of the smoothed loss over the last tenth of the lane's own steps (below 0: it
    fell); NaN for fewer than ten steps, and for a lane that is NaN or failed."""
    own = lane.steps - lane.forked_at
    before = (
        smoothed_after(lane, every, lane.steps - own // CHANGE_OVER)
        if own >= CHANGE_OVER
        else math.nan
    )
    return (value_of(lane) - before) / abs(before) if before else math.nan


def _rank(group: SeedGroup, value: float) -> tuple[float, float]:
    """Sort key; `value`: lower is better. The first part is below 1 for a group with a value: the
    share of its lanes that are NaN."""
    nan = sum(map(is_nan, group.lanes)) / len(group.lanes)
    if math.isfinite(value):
        return nan, value
    longest = max(lane.steps for lane in group.lanes)
    if all(lane.status in UNRANKED or is_nan(lane) for lane in group.lanes):
        return 3 if nan else 2, -longest  # the one that lasted longest first
    return 1, 0.0


def _beats(own: tuple[float, float], other: tuple[float, float]) -> bool:
    """True if one rank is before another, by more than HYSTERESIS of the greater value."""
    if own[0] != other[0] or own[0] >= 1:
        return own < other
    return own[1] < other[1] - HYSTERESIS * max(abs(own[1]), abs(other[1]))


def _still(group: SeedGroup) -> bool:
    """True if a group's values do not change any more."""
    return all(lane.status != "running" for lane in group.lanes)


def gap_of(value: float, lead: float, ratio: bool) -> float:
    """The gap of a value to the leader's, a `ratio` or a difference; NaN without one of them."""
    if not (math.isfinite(value) and math.isfinite(lead)):
        return math.nan
    if ratio:
        return value / lead if lead else math.nan
    return value - lead
