"""Changes of the leader, by steps: a group of lanes that leads for HELD steps in a row. Pure.

Lanes are compared after as many steps as every racing lane has made, so the changes follow from the
record alone: not from how often it is read, nor from which lane is quicker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from lrtui.core.results.ranking import LOSS, Ranking, evaluations, ranking_of
from lrtui.core.results.seed_groups import SeedGroup, seed_groups
from lrtui.core.series.array_buffer import Float64Array
from lrtui.core.series.ema import TensorBoardEma
from lrtui.core.series.series import Series
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.losses import RANKING_FACTOR
from lrtui.core.state.race_state import RaceState
from lrtui.core.state.status import FAILED, UNRANKED

HELD = 50
"""Steps in a row that a group of lanes has to lead before it is the new leader."""
STRIDE = 10
"""Steps are looked at in whole tens, so that equal records give equal blocks."""
LOOKBACK = 20_000
"""Most steps that one look goes back: of a long record that is opened, only its end counts."""
WARM_UP = 352
"""Values before a block that its smoothed losses begin from; the weight of earlier ones is
1e-16."""


class LeaderChange(NamedTuple):
    """A group of lanes took the lead from another one."""

    step: int
    """After this many steps it has led for HELD of them."""
    leader: SeedGroup
    before: SeedGroup


class LeaderWatch:
    """The leader of a race so far; `look` after each poll."""

    def __init__(self) -> None:
        self._looked = 0
        """Steps done up to which the lanes were compared."""
        self._leader: int | None = None
        """Index of the first lane of the leading group; None before there was one."""
        self._candidate = -1
        """The group that led at the last step compared; -1: none."""
        self._since = 0
        """Steps done when it came to lead."""

    def look(self, state: RaceState) -> list[LeaderChange]:
        """The changes since the last look, by step. The first leader of a race is no change."""
        stop = _compared_to(state)
        start = max(self._looked + 1, stop - LOOKBACK)
        if stop < start or len(groups := seed_groups(state.lanes)) < 2:
            return []
        self._looked = stop
        values = _values(state, groups, start, stop + 1)
        values[~np.isfinite(values)] = math.inf
        leaders = np.where(np.isinf(values).all(axis=0), -1, values.argmin(axis=0))
        turns = [0, *(np.flatnonzero(np.diff(leaders)) + 1).tolist(), len(leaders)]
        found = (
            self._held(groups, int(leaders[begin]), start + begin, start + end - 1)
            for begin, end in pairwise(turns)
        )
        return [change for change in found if change]

    def _held(
        self, groups: Sequence[SeedGroup], leads: int, begin: int, last: int
    ) -> LeaderChange | None:
        """Fold in a stretch of steps `begin` to `last` at which one group leads."""
        index = groups[leads].first.index if leads >= 0 else -1
        if index != self._candidate:
            self._candidate, self._since = index, begin
        step = self._since + HELD - 1
        if index < 0 or index == self._leader or last < step:
            return None
        before, self._leader = self._leader, index
        earlier = next((group for group in groups if group.first.index == before), None)
        return LeaderChange(step, groups[leads], earlier) if earlier else None


def _compared_to(state: RaceState) -> int:
    """After how many steps lanes can be compared: every racing lane has gone on since, so that an
    evaluation there is on record. Lanes that are paused or over do not hold the others up."""
    if state.over:
        return max((lane.steps for lane in state.lanes), default=0)
    racing = [lane.steps for lane in state.lanes if not lane.over and lane.status != "paused"]
    return (min(racing, default=1) - 1) // STRIDE * STRIDE


def _values(state: RaceState, groups: Sequence[SeedGroup], start: int, stop: int) -> Float64Array:
    """What groups are ranked by after `start` to `stop` - 1 steps, lower is better: (group, step).

    As long as no lane has a value of the metric, the training loss.
    """
    ranking = ranking_of(state.race, state.lanes)
    values = np.array([_mean(one, state, ranking, start, stop) for one in groups])
    early = np.isnan(values).all(axis=0)
    values = -values if ranking.maximize else values
    if ranking.metric == LOSS or not early.any():
        return values
    loss = Ranking(LOSS, False, ranking.at)
    before = np.array([_mean(one, state, loss, start, stop) for one in groups])
    return np.where(early, before, values)


def _mean(
    group: SeedGroup, state: RaceState, ranking: Ranking, start: int, stop: int
) -> Float64Array:
    """The mean over a group's seeds after each of these steps: NaN if the loss of one is. Lanes
    that ended in an error are left out from there on."""
    values = np.array([_of_lane(lane, state, ranking, start, stop) for lane in group.lanes])
    ends = [lane.steps if lane.status in FAILED else stop for lane in group.lanes]
    there = np.arange(start, stop) <= np.array(ends)[:, None]
    with np.errstate(invalid="ignore"):
        mean: Float64Array = np.where(there, values, 0.0).sum(axis=0) / there.sum(axis=0)
    return mean


def _of_lane(
    lane: LaneState, state: RaceState, ranking: Ranking, start: int, stop: int
) -> Float64Array:
    """The value of one lane after each of these steps: its last one beyond its end, NaN once it
    failed."""
    evaluated = ranking.metric in lane.evaluations.metrics or ranking.metric in lane.logged
    of_steps = ranking.metric == LOSS or (ranking.metric in lane.columns and not evaluated)
    values = (_by_step if of_steps else _by_evaluation)(lane, state.lanes, ranking, start, stop)
    if lane.status in UNRANKED:
        values[max(0, lane.steps + 1 - start) :] = math.nan
    return values


def _by_step(
    lane: LaneState, every: Sequence[LaneState], ranking: Ranking, start: int, stop: int
) -> Float64Array:
    """Smoothed values of a column, or of the loss at "best" the lowest so far."""
    own = max(start, lane.forked_at + 1)
    inherited = np.full(max(0, min(own, stop) - start), math.nan)
    if lane.parent is not None and len(inherited):
        inherited = _by_step(every[lane.parent], every, ranking, start, min(own, stop))
    series = lane.columns.get(ranking.metric, Series())
    known = max(min(lane.steps, len(series)), lane.forked_at)  # some blocks may lack the column
    end = min(stop, known + 1)
    lowest = ranking.metric == LOSS and ranking.at == "best"
    values = (_lowest_so_far if lowest else _smoothed)(series, lane.forked_at, own, end)
    if nan := [alert.step for alert in lane.alerts if alert.kind == "nan"]:
        lost = ~np.isfinite(series.part(own - 1, end - 1)) if end > own else np.empty(0, bool)
        values[lost & (np.arange(own, end) > min(nan))] = math.nan
    found = np.concatenate((inherited, values))
    last = found[-1] if len(found) else _by_step(lane, every, ranking, known, known + 1)[-1]
    return np.concatenate((found, np.full(stop - start - len(found), last)))


def _by_evaluation(
    lane: LaneState, every: Sequence[LaneState], ranking: Ranking, start: int, stop: int
) -> Float64Array:
    """The newest evaluation after each of these steps, or at "best" the best one so far."""
    steps, values = evaluations(lane, every, ranking.metric)
    if ranking.at == "best":
        best = np.fmax if ranking.maximize else np.fmin
        values = best.accumulate(np.where(np.isfinite(values), values, math.nan))
    newest = steps.searchsorted(np.arange(start, stop), "right")
    return np.concatenate(([math.nan], values))[newest]


def _smoothed(series: Series, begin: int, start: int, stop: int) -> Float64Array:
    """The smoothed values of a column after `start` to `stop` - 1 steps, from step `begin` on; a
    value that is not finite leaves the average as it was."""
    if stop <= start:
        return np.empty(0)
    first = max(begin, start - 1 - WARM_UP)
    averages = TensorBoardEma(RANKING_FACTOR).extend(series.part(first, stop - 1))
    newest = np.maximum.accumulate(np.where(np.isfinite(averages), np.arange(len(averages)), 0))
    return averages[newest][start - 1 - first :]


def _lowest_so_far(series: Series, begin: int, start: int, stop: int) -> Float64Array:
    """The lowest finite value of a column after `start` to `stop` - 1 steps, from step `begin`
    on."""
    if stop <= start:
        return np.empty(0)
    before = series.window_at(np.array([begin, start - 1])).lo.astype(float)
    values = series.part(start - 1, stop - 1).astype(float)
    values[~np.isfinite(values)] = math.nan
    lowest: Float64Array = np.fmin.accumulate(np.concatenate((before, values)))[1:]
    return lowest
