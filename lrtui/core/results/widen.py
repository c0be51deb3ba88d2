"""The race that goes on beyond the edge of a rate chart: further rates of a line whose next rate to
try lies outside of those raced. Pure.

`next_rate.advice` decides on which side, if any, and its rate is one of those that race: so chart
and sentences never contradict each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from lrtui.core.errors import ScenarioError
from lrtui.core.numbers import rate as rate_words
from lrtui.core.results.lane_sentence import bad_batch, nan_step
from lrtui.core.results.next_rate import advice
from lrtui.core.results.rate_chart import RateChart, RateLine, rate_names
from lrtui.core.scenario.lane_table import described
from lrtui.core.scenario.spec import MAX_LANES, Lane, Race, letter, number, unique_name, with_seeds
from lrtui.core.state.race_state import RaceState

FURTHER = 3
"""Rates beyond the edge."""
LEAST_SPACING, MOST_SPACING = 2.0, 10.0
"""Factor from rate to rate beyond the edge: that of the line's last two rates, within these."""
SAME = 1.4
"""A rate within this factor of the one to try next is not raced beside it."""
_TITLE = re.compile(r"^Widened to \S+ · ")


class Widening(NamedTuple):
    """Rates beyond the edge of a line."""

    line: RateLine
    rates: tuple[float, ...]
    """The further ones, rising."""
    beside: tuple[float, ...]
    """Rates of the line that race again, so that the new race shows whether they are bracketed."""

    @property
    def farthest(self) -> float:
        """The rate that lies farthest beyond the edge."""
        return self.rates[-1] if self.rates[0] > self.beside[0] else self.rates[0]


def widenings(chart: RateChart, state: RaceState) -> list[Widening]:
    """What there is to widen, that of the best outcome first."""
    return [found for line in chart.ranked if (found := widening(line, state))]


def widening(line: RateLine, state: RaceState) -> Widening | None:
    """The rates beyond the edge of a line; None where the rate to try next is not there."""
    known = [point.rate for point in line.points if point.known]
    if len(known) < 2:
        return None
    wanted = _wanted(line, state)
    raced = sorted([*(point.rate for point in line.points), *(one.rate for one in line.aside)])
    if not (wanted > raced[-1] or wanted < raced[0]):
        return None
    edge, inner = (known[-1], known[-2]) if wanted > raced[-1] else (known[0], known[1])
    best = line.best.rate if line.best else edge
    beside = {edge, inner} if best == edge else {edge, best}
    return Widening(line, _beyond(raced, edge, inner, wanted), tuple(sorted(beside)))


def that_fit(found: Sequence[Widening], race: Race) -> list[Widening]:
    """As many as a race has room for, the first ones."""
    lanes = accumulate(race.seeds * len((*one.rates, *one.beside)) for one in found)
    return [one for one, total in zip(found, lanes, strict=True) if total <= MAX_LANES]


def widened(state: RaceState, chosen: Sequence[Widening]) -> Race:
    """The race of these rates: same task or script, budget, seeds and ranking. ScenarioError where
    no race can be started."""
    race = state.race
    if race.script and not race.script.supervised:
        raise ScenarioError(
            f"{race.title}: lrtui did not start this script, and cannot start it at other rates",
            "expected a race of it: lrtui race train.py --lr ...",
        )
    names = rate_names(state.lanes)
    lanes: list[Lane] = []
    for one in chosen:
        first = one.line.points[0].lanes[0]
        mixed = len(chosen) > 1
        for lr in sorted((*one.beside, *one.rates)):
            lane = _at(first.lane, lr, names, mixed=mixed)
            sign = letter(len(lanes))
            name = unique_name(lane.name, {other.name for other in lanes}, sign)
            lanes.append(msgspec.structs.replace(lane, letter=sign, name=name))
    if len(lanes) * race.seeds > MAX_LANES:
        raise ScenarioError(
            f"{race.title}: {len(lanes) * race.seeds} lanes are too many",
            f"expected at most {MAX_LANES}",
        )
    budget = race.of_lane(chosen[0].line.points[0].lanes[0].index)
    title = f"Widened to {rate_words(chosen[0].farthest, 3)} · {_TITLE.sub('', race.title)}"
    return msgspec.structs.replace(
        budget, title=title, seed=race.seed, lanes=with_seeds(lanes, race.seeds)
    )


def _wanted(line: RateLine, state: RaceState) -> float:
    """The rate to try next on a line; NaN where none is."""
    if line.best:
        best = line.best.lanes[0]
        return math.nan if best.findings.dead else advice(best, state).rate
    lost = [lane for point in line.points if point.lost for lane in point.lanes]
    if all(nan_step(lane) == 0 for lane in lost) or all(bad_batch(lane, state) for lane in lost):
        return math.nan  # the rate has no part in it
    return min(lane.rate for lane in lost) / 10


def _beyond(raced: Sequence[float], edge: float, inner: float, wanted: float) -> tuple[float, ...]:
    """FURTHER rates from the edge on at the spacing of the line, with the one to try next."""
    spacing = min(max(edge / inner, inner / edge, LEAST_SPACING), MOST_SPACING)
    if 2.99 < spacing < 3.34:
        spacing = math.sqrt(10)  # 0.1, 0.3, 1, 3
    up = wanted > raced[-1]
    end = raced[-1] if up else raced[0]
    digits = 1 if spacing >= 2.5 else 2
    steps = (end * spacing ** (count if up else -count) for count in range(1, FURTHER + 1))
    found = [float(f"{value:.{digits}g}") for value in steps if 1e-300 < value < math.inf]
    others = [
        value
        for value in found
        if max(value / wanted, wanted / value) > SAME and (value > end if up else value < end)
    ]
    nearest = sorted({wanted, *others}, reverse=not up)[:FURTHER]
    return tuple(sorted(nearest))


def _at(lane: Lane, lr: float, names: frozenset[str], *, mixed: bool) -> Lane:
    """A lane at another rate, named after it."""
    by_value = {name: number(lr) for name in names & lane.values.keys()}
    found = msgspec.structs.replace(
        lane,
        lr=0.0 if by_value else lr,
        values=lane.values | by_value,
        expect="",
        seed=0,
        length=None,
        schedule_length=None,
    )
    if lane.optimizer.name:
        return msgspec.structs.replace(found, name=described(found, mixed))
    parts = [] if by_value else [f"lr={number(lr)}"]
    parts += [f"{name}={text}" for name, text in found.values.items()]
    return msgspec.structs.replace(found, name=" ".join(parts))
