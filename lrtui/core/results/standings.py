"""The standings: the order of the lanes, best first, NaN last, and their gaps to the leader.
Pure."""

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


class Standing(NamedTuple):
    """A lane's row in the standings."""

    place: int
    """Counted from 1, among the lanes that are compared."""
    lane: LaneState
    value: float
    """The value that lanes are ordered by; NaN for a lane that failed, is NaN or has not begun."""
    gap: float
    """To the first lane: its value times so much, or where a value is not above zero, so much more;
    NaN without a value."""
    change: float
    """Of the smoothed loss over the last tenth of the lane's steps, as a part of what it was: -0.1
    is a tenth lower."""


class Ranked(NamedTuple):
    """The standings of some lanes."""

    rows: tuple[Standing, ...]
    ranking: Ranking
    step: int | None
    """At "budget": how many steps the lanes are compared after."""
    ratio: bool
    """True if gaps are ratios; else they are differences."""


def standings(state: RaceState) -> list[LaneState]:
    """The lanes in the order in which their race ranks them, best first.

    Lanes without a value come last: those that have none yet, those that failed, then those whose
    loss is NaN. Equal lanes keep their order.
    """
    found = ranking_of(state.race, state.lanes)
    step = common_step(state.lanes, state.lanes, found) if found.at == "budget" else None
    return sorted(
        state.lanes, key=lambda lane: _rank(lane, _signed(lane, state.lanes, found, step))
    )


def ranked(
    lanes: Sequence[LaneState],
    race: Race,
    every: Sequence[LaneState],
    at: RankAt | None = None,
    previous: Sequence[int] = (),
) -> Ranked:
    """The standings of `lanes`, which are some of `every` lane of a race. `at`: in place of what
    the race says.

    `previous`: the indices of the lanes in the order in which they were shown last: among lanes
    that race, neighbours keep their places until one is clearly better, so that the table can be
    read.
    """
    found = ranking_of(race, every, at)
    step = common_step(lanes, every, found) if found.at == "budget" else None
    values = {lane.index: outcome(lane, every, found, step) for lane in lanes}
    signed = {index: found.signed(value) for index, value in values.items()}
    ordered = with_hysteresis({lane.index: lane for lane in lanes}, signed, previous)
    ratio = not found.maximize and all(
        value > 0 for value in values.values() if math.isfinite(value)
    )
    lead = values[ordered[0].index] if ordered else math.nan
    rows = tuple(
        Standing(
            place,
            lane,
            values[lane.index],
            gap_of(values[lane.index], lead, ratio),
            change(lane, every),
        )
        for place, lane in enumerate(ordered, 1)
    )
    return Ranked(rows, found, step, ratio)


def with_hysteresis(
    lanes: dict[int, LaneState], values: dict[int, float], previous: Sequence[int]
) -> list[LaneState]:
    """The lanes in order of their values, but a lane stays before one that is not clearly better;
    see `ranked`.

    Taken from the previous order one by one, each is put before the first that it clearly beats: so
    none ever stands behind one that it clearly beats, however many small differences lie between.
    """
    ranks = {index: _rank(lane, values[index]) for index, lane in lanes.items()}
    known = [index for index in dict.fromkeys(previous) if index in lanes]
    fresh = sorted((index for index in lanes if index not in known), key=lambda index: ranks[index])
    ordered: list[int] = []
    for index in known:
        ahead = (
            at
            for at, other in enumerate(ordered)
            if _beats(
                ranks[index],
                ranks[other],
                0.0 if _still(lanes[index]) and _still(lanes[other]) else HYSTERESIS,
            )
        )
        ordered.insert(next(ahead, len(ordered)), index)
    for index in fresh:
        ordered.insert(
            next(
                (at for at, other in enumerate(ordered) if ranks[index] < ranks[other]),
                len(ordered),
            ),
            index,
        )
    return [lanes[index] for index in ordered]


def value_of(lane: LaneState) -> float:
    """The smoothed training loss of a lane; NaN if it failed, is NaN or has not begun."""
    return math.nan if lane.status in UNRANKED or is_nan(lane) else lane.losses.smooth.value


def gap_to(lane: LaneState, lanes: Sequence[LaneState]) -> float:
    """Gap of a lane's smoothed loss to the lowest of `lanes`: a ratio, or a difference if any value
    is not above zero."""
    values = [value for other in lanes if math.isfinite(value := value_of(other))]
    return gap_of(value_of(lane), min(values, default=math.nan), all(value > 0 for value in values))


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


def _signed(lane: LaneState, every: Sequence[LaneState], found: Ranking, step: int | None) -> float:
    return found.signed(outcome(lane, every, found, step))


def _rank(lane: LaneState, value: float) -> tuple[int, float]:
    """Sort key; `value`: lower is better."""
    if is_nan(lane):
        return 3, -lane.steps  # the one that lasted longest first
    if lane.status in FAILED:
        return 2, -lane.steps
    return (0, value) if math.isfinite(value) else (1, 0.0)


def _beats(own: tuple[int, float], other: tuple[int, float], margin: float) -> bool:
    """True if one rank is before another, by more than `margin` of the greater value."""
    if own[0] or other[0]:
        return own < other
    return own[1] < other[1] - margin * max(abs(own[1]), abs(other[1]))


def _still(lane: LaneState) -> bool:
    """True if a lane's values do not change any more."""
    return lane.status != "running"


def gap_of(value: float, lead: float, ratio: bool) -> float:
    """The gap of a value to the leader's, a `ratio` or a difference; NaN without one of them."""
    if not (math.isfinite(value) and math.isfinite(lead)):
        return math.nan
    if ratio:
        return value / lead if lead else math.nan
    return value - lead
