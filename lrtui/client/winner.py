"""The lane to take home or to train on with, and the file with its weights. Knows no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lrtui.client.lane_sign import group_of
from lrtui.core.errors import LrtuiError
from lrtui.core.numbers import loss
from lrtui.core.protocol.column_names import AVERAGED
from lrtui.core.results.ranking import (
    LOSS,
    Ranking,
    best_evaluation,
    evaluations,
    ranking_of,
    smoothed_after,
)
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import Standing, race_standings
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.store import snapshots


class Weights(NamedTuple):
    """A file with weights of a lane."""

    step: int
    """Steps done by then."""
    path: Path
    value: float
    """The value of the lane's ranking at that step; NaN if it was not evaluated there."""


def winner(state: RaceState) -> tuple[LaneState, SeedGroup]:
    """The lane that leads, and its group: of several seeds the best one. LrtuiError while no lane
    has a value."""
    row, lane = _leader(state, state.lanes)
    if row is None or not math.isfinite(row.value):
        raise LrtuiError("no lane leads: none has a loss yet", "name a lane")
    return lane, row.group


def _leader(state: RaceState, lanes: list[LaneState]) -> tuple[Standing | None, LaneState]:
    """The best of some lanes by the ranking of their race, with the row of its group; without a
    value the first of them."""
    ranked = race_standings(state)
    for row in ranked.rows:
        known = [
            (ranked.ranking.signed(value), lane.index, lane)
            for value, lane in zip(row.values, row.group.lanes, strict=True)
            if lane in lanes and math.isfinite(value)
        ]
        if known:
            return row, min(known)[2]
    return None, lanes[0]


def chosen(state: RaceState, sign: str | None) -> tuple[LaneState, str]:
    """The lane that a command is about, and why it is that one; '' if it was named."""
    if sign is not None:
        lanes = list(group_of(state, sign).lanes)
        lane = _leader(state, lanes)[1]
        return lane, f"the best of {len(lanes)} seeds" if len(lanes) > 1 else ""
    lane, group = winner(state)
    seeds = f", the best of its {len(group.lanes)} seeds" if len(group.lanes) > 1 else ""
    if len(state.lanes) == 1:
        return lane, ""
    return lane, f"{'the winner' if state.over else 'it leads'}{seeds}"


def best_weights(
    state: RaceState, lane: LaneState, run: Path, *, averaged: bool = False
) -> Weights:
    """The weights on disk with the best value of the race's ranking, of the `averaged` weights
    where these are asked for; the last ones if none of them was evaluated."""
    ranking = _ranking(state, averaged)
    found = [one for one in _files(state, lane, run, ranking) if math.isfinite(one.value)]
    if not found:
        return last_weights(state, lane, run, averaged=averaged)
    return min(found, key=lambda one: (ranking.signed(one.value), one.step))


def last_weights(
    state: RaceState, lane: LaneState, run: Path, *, averaged: bool = False
) -> Weights:
    """The newest weights on disk; LrtuiError if there are none."""
    found = _files(state, lane, run, _ranking(state, averaged))
    newest = max(found, key=lambda one: one.step, default=None)
    if newest is None:
        raise LrtuiError(
            f"lane {lane.lane.letter} has left no weights", "its log says why there is no snapshot"
        )
    return newest


def _ranking(state: RaceState, averaged: bool) -> Ranking:
    """The ranking of the race by what its metric says of the averaged weights, or of the others."""
    ranking = ranking_of(state.race, state.lanes)
    if not ranking.validates:
        return ranking
    metric = ranking.metric.removeprefix(AVERAGED)
    return ranking._replace(metric=AVERAGED + metric if averaged else metric)


def described(
    state: RaceState, lane: LaneState, found: Weights, *, last: bool = False, averaged: bool = False
) -> str:
    """Which evaluation the weights are from, in a sentence; plainly so if it is not the best.
    `last`: the last ones were asked for."""
    ranking = _ranking(state, averaged)
    where = f"step {found.step} of {lane.steps}"
    if ranking.metric == LOSS:
        value = (
            f", smoothed training loss {loss(found.value)}" if math.isfinite(found.value) else ""
        )
        return f"{where}{value}"
    best = best_evaluation(lane, state.lanes, ranking)
    if best is None:
        return f"{where}: {ranking.metric} has no value"
    at, value_there = best
    if not math.isfinite(found.value):
        return (
            f"{where}, not evaluated there: the best {ranking.metric} is"
            f" {loss(value_there)} at step {at}"
        )
    value = f"{where}, {ranking.metric} {loss(found.value)}"
    if found.value == value_there:
        return f"{value}: its best evaluation"
    missing = "" if last else ", whose weights are not on disk"
    return f"{value}: not its best evaluation, {loss(value_there)} at step {at}{missing}"


def _files(state: RaceState, lane: LaneState, run: Path, ranking: Ranking) -> Iterator[Weights]:
    """All files with weights of a lane; of a fork also those of its parent before it."""
    below, owner = math.inf, lane
    value_at = _Evaluated(state, lane, ranking)
    while True:
        letter = owner.lane.letter
        for kept in (*snapshots.listing(run, letter), snapshots.best_weights(run, letter)):
            if kept is not None and kept.step <= min(below, lane.steps):
                yield Weights(kept.step, kept.path, value_at(kept.step))
        if owner.parent is None or not owner.forked_at:
            return
        below, owner = min(below, owner.forked_at, owner.shared), state.lanes[owner.parent]


class _Evaluated:
    """The value of a lane's ranking after a number of steps; NaN where it was not evaluated."""

    def __init__(self, state: RaceState, lane: LaneState, ranking: Ranking) -> None:
        self._state, self._lane = state, lane
        self._known: dict[int, float] | None = None
        if ranking.metric != LOSS:
            steps, values = evaluations(lane, state.lanes, ranking.metric)
            self._known = dict(zip(steps.tolist(), values.tolist(), strict=True))

    def __call__(self, step: int) -> float:
        if self._known is None:
            return smoothed_after(self._lane, self._state.lanes, step)
        return self._known.get(step, math.nan)
