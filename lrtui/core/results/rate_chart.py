"""The outcome of a race against the learning rate: a line for each optimizer, schedule and other
settings, its best rate, the rates near the best, and the rates that were lost. Pure.

A rate is lost if the loss of any of its lanes went NaN or diverged. A lane that came to its rate
late (by its dial, or as a fork) is kept aside: its outcome is that of two rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from lrtui.core.diagnostics.verdicts import altered
from lrtui.core.results.ranking import Ranking, common_step, ranking_of, value_at
from lrtui.core.results.ranking_words import metric_words
from lrtui.core.results.seed_groups import seed_groups
from lrtui.core.scenario.spec import Lane, RankAt
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED
from lrtui.core.text import one_line

NEAR = 0.05
"""Outcomes are near the best one if they are worse by at most this part of it."""
Edge = Literal["", "lowest", "highest"]


class RatePoint(NamedTuple):
    """The outcome at one rate: of one lane, or of its seeds."""

    rate: float
    lanes: tuple[LaneState, ...]
    value: float
    """The mean over the lanes with an outcome; NaN where a lane was lost, or none has one yet."""
    low: float
    high: float
    """The lowest and the highest outcome of a lane; NaN without any."""
    lost: int
    """Number of lanes that went NaN or diverged."""

    @property
    def known(self) -> bool:
        """True if the race has shown how the rate fares."""
        return bool(self.lost) or math.isfinite(self.value)

    @property
    def pending(self) -> bool:
        """True if a lane may still have an outcome."""
        return not all(lane.over for lane in self.lanes)

    @property
    def letter(self) -> str:
        """The letter of its lane, or what those of its seeds have in common."""
        return seed_groups(self.lanes)[0].letter


class RateLine(NamedTuple):
    """The lanes that differ in rate and seed alone."""

    name: str
    """What tells it from the other lines."""
    points: tuple[RatePoint, ...]
    """Rising by rate."""
    aside: tuple[LaneState, ...]
    """Lanes that came to their rate late."""
    best: RatePoint | None
    near: tuple[float, float]
    """The lowest and the highest rate around the best one with outcomes near the best; NaN without
    a best one."""
    edge: Edge
    """"lowest" or "highest" where no rate on that side of the best one is known to be worse, or is
    still to come."""


class RateChart(NamedTuple):
    """Outcomes of a race against the learning rate."""

    lines: tuple[RateLine, ...]
    ranking: Ranking
    step: int | None
    """At "budget": how many steps the lanes are compared after."""
    over: bool

    @property
    def rates(self) -> list[float]:
        """All rates raced, rising."""
        return sorted({point.rate for line in self.lines for point in line.points})

    @property
    def ranked(self) -> list[RateLine]:
        """The lines by their best outcomes, those without one last."""

        def signed(line: RateLine) -> float:
            return self.ranking.signed(line.best.value) if line.best else math.inf

        return sorted(self.lines, key=signed)

    @property
    def best(self) -> tuple[RateLine, RatePoint] | None:
        """The best outcome of all lines, and its line; None without any."""
        line = next(iter(self.ranked), None)
        return (line, line.best) if line and line.best else None

    @property
    def drawable(self) -> bool:
        """True if there are two rates or more, and an outcome."""
        known = any(point.known for line in self.lines for point in line.points)
        return known and len(self.rates) > 1

    @property
    def outcome_words(self) -> str:
        """What the outcome is: "val_loss", "smoothed loss", "best accuracy"."""
        return metric_words(self.ranking, self.step)


def rate_chart(
    state: RaceState, lanes: Sequence[LaneState] | None = None, at: RankAt | None = None
) -> RateChart:
    """The chart of some lanes of a race, by default of all; lanes of an unknown rate are left out.
    `at`: in place of what the race says."""
    lanes = state.lanes if lanes is None else lanes
    ranking = ranking_of(state.race, state.lanes, at)
    step = common_step(lanes, state.lanes, ranking) if ranking.at == "budget" else None
    names = rate_names(state.lanes)
    groups: dict[bytes, list[LaneState]] = {}
    for lane in lanes:
        if math.isfinite(rate_of(lane, names)):
            key = msgspec.msgpack.encode((settings_beside_rate(lane, names), lane.lane.length))
            groups.setdefault(key, []).append(lane)
    kinds = list(groups.values())
    lines = (
        _line(name, kind, names, state, ranking, step)
        for name, kind in zip(_names(kinds, names), kinds, strict=True)
    )
    return RateChart(tuple(lines), ranking, step, state.over)


def is_lost(lane: LaneState) -> bool:
    """True if a lane's loss went NaN or diverged, and stayed there, as its verdict says."""
    kinds = {alert.kind for alert in lane.alerts}
    return "nan" in kinds or ("diverged" in kinds and not lane.findings.recovered)


def rate_names(lanes: Sequence[LaneState]) -> frozenset[str]:
    """The names of a script's values that are its rate: `--vary lr=0.1,0.01` of a script that is
    told its rate by an argument."""
    known = [lane for lane in lanes if math.isfinite(lane.initial_rate)]
    names = {name for lane in known for name in lane.lane.values}
    return frozenset(
        name
        for name in names
        if all(not lane.lane.lr and _is(lane.lane.values.get(name), lane) for lane in known)
    )


def rate_of(lane: LaneState, rate_names: frozenset[str]) -> float:
    """The rate of a lane; of a script that has not begun the value that will be its rate."""
    if math.isfinite(lane.rate):
        return lane.rate
    for name in rate_names & lane.lane.values.keys():
        try:
            found = float(lane.lane.values[name])
        except ValueError:
            continue
        if math.isfinite(found) and found > 0:
            return found
    return math.nan


def settings_beside_rate(lane: LaneState, rate_names: frozenset[str]) -> tuple[Any, ...]:
    """Equal for lanes that differ in rate, seed and length alone."""
    spec = lane.lane
    values = {name: text for name, text in spec.values.items() if name not in rate_names}
    return spec.optimizer, spec.schedule, spec.recipe, values


def _is(text: str | None, lane: LaneState) -> bool:
    """True if a value is the lane's rate."""
    try:
        return math.isclose(float(text or ""), lane.initial_rate, rel_tol=1e-6)
    except ValueError:
        return False


def _line(
    name: str,
    lanes: Sequence[LaneState],
    rate_names: frozenset[str],
    state: RaceState,
    ranking: Ranking,
    step: int | None,
) -> RateLine:
    by_rate: dict[str, list[LaneState]] = {}
    for lane in lanes:
        if not altered(lane):
            by_rate.setdefault(f"{rate_of(lane, rate_names):.6g}", []).append(lane)
    points = [
        _point(rate_of(same[0], rate_names), same, state, ranking, step)
        for same in by_rate.values()
    ]
    points.sort(key=lambda point: point.rate)
    aside = tuple(lane for lane in lanes if altered(lane))
    held = [point for point in points if math.isfinite(point.value)]
    best = min(held, key=lambda point: ranking.signed(point.value), default=None)
    near = (math.nan, math.nan)
    if best:
        at = points.index(best)
        near = (_reach(points[at::-1], best, ranking), _reach(points[at:], best, ranking))
    return RateLine(name, tuple(points), aside, best, near, _edge(points, aside, best))


def _point(
    rate: float, lanes: Sequence[LaneState], state: RaceState, ranking: Ranking, step: int | None
) -> RatePoint:
    lost = sum(is_lost(lane) for lane in lanes)
    values = [
        value
        for lane in lanes
        if lane.status not in FAILED and not is_lost(lane)
        if math.isfinite(value := value_at(lane, state.lanes, ranking, step))
    ]
    mean = sum(values) / len(values) if values and not lost else math.nan
    low, high = (min(values), max(values)) if values else (math.nan, math.nan)
    return RatePoint(rate, tuple(lanes), mean, low, high, lost)


def _reach(side: Sequence[RatePoint], best: RatePoint, ranking: Ranking) -> float:
    """The last rate of a side, from the best one on, up to which all outcomes are near the best."""
    last = best.rate
    for point in side:
        worse = ranking.signed(point.value) - ranking.signed(best.value)
        if not worse <= NEAR * abs(best.value):  # NaN ends it, too
            break
        last = point.rate
    return last


def _edge(points: Sequence[RatePoint], aside: Sequence[LaneState], best: RatePoint | None) -> Edge:
    """A rate that is known to be worse on either side brackets the best one; a lost one does,
    too, and one that is still to come may."""
    others = [
        point.rate for point in points if point is not best and (point.known or point.pending)
    ]
    others += [lane.rate for lane in aside]
    if best is None or not others:
        return ""
    if min(others) > best.rate:
        return "lowest"
    return "highest" if max(others) < best.rate else ""


def _names(kinds: Sequence[Sequence[LaneState]], rate_names: frozenset[str]) -> list[str]:
    """A name for each line: the settings in which the lines differ."""
    parts = [_parts(kind[0], rate_names) for kind in kinds]
    differ = [len(set(column)) > 1 for column in zip(*parts, strict=True)]
    if not any(differ):
        return [part[0] or "the script" for part in parts]
    return [
        ", ".join(text for text, shown in zip(part, differ, strict=True) if shown) for part in parts
    ]


def _parts(lane: LaneState, rate_names: frozenset[str]) -> tuple[str, str, str, str, str]:
    spec: Lane = lane.lane
    values = (f"{name}={text}" for name, text in spec.values.items() if name not in rate_names)
    return (
        one_line(str(spec.optimizer) if spec.optimizer.name else lane.optimizer),
        one_line(str(spec.schedule)) if spec.schedule else "no schedule",
        one_line(str(spec.recipe)) or "usual recipe",
        one_line(", ".join(values)),
        f"{spec.length.steps} steps" if spec.length else "usual length",
    )
