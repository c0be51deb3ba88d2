"""The x axes of curves: steps, epochs, samples, wall time and training time, linear or logarithmic,
and where steps lie on them.

Step s (counted from 0) lies at x = s, s / steps of an epoch, s * batch size, or at the second in
which it ended; a logarithmic axis is one of x + 1, so that it can begin at 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from lrtui.core.results.batch_size import step_samples
from lrtui.core.scenario.spec import Race
from lrtui.core.series.array_buffer import Float64Array, Int64Array
from lrtui.core.series.series import linear_edges
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.race_state import RaceState

XKind = Literal["step", "epoch", "samples", "wall", "time"]
KINDS: tuple[XKind, ...] = ("step", "epoch", "samples", "wall", "time")
CLOCKS: tuple[XKind, ...] = ("wall", "time")
"""Axes in seconds, whose end is not known beforehand."""
SCRIPT_KINDS: tuple[XKind, ...] = ("step", *CLOCKS)
"""Axes of a script, whose epochs and samples are not known."""
LEAST_STEPS = 10
"""The axis of a lane of unknown length has this many steps at first."""
_FAR = 1e12


class XAxis(NamedTuple):
    """The visible part of an x axis: [start, stop) in steps, epochs, samples or seconds."""

    kind: XKind
    log: bool
    start: float
    stop: float

    def edges(self, lane: LaneState, race: Race, width: int) -> Int64Array:
        """Steps of the lane, (width + 1,), never falling: column c holds the steps [edges[c],
        edges[c + 1]).

        They go on beyond what the lane has done; for seconds, at its usual pace.
        """
        if self.kind in CLOCKS:
            return lane.clock.edges(_all_bounds(self, width), self.kind == "wall", (self, width))
        per = _per_unit(self.kind, lane, race)
        if self.log:
            return _log_edges(self.start, self.stop, per, width)
        return linear_edges(self.start * per, self.stop * per, width)

    def columns(
        self, lane: LaneState, race: Race, steps: Int64Array | Sequence[int], width: int
    ) -> Int64Array:
        """The column of each step; below 0 left of the range, `width` and more right of it."""
        return self.columns_between(
            self.edges(lane, race, width), lane, race, np.asarray(steps, np.int64)
        )

    def columns_between(
        self, edges: Int64Array, lane: LaneState, race: Race, wanted: Int64Array
    ) -> Int64Array:
        """The same where the `edges` are known already."""
        width = len(edges) - 1
        columns: Int64Array = edges.searchsorted(wanted, "right") - 1
        outside = (columns < 0) | (columns >= width)
        if outside.any():
            far = (
                np.floor(self._shares(self._values(lane, race, wanted[outside])) * width)
                .clip(-_FAR, _FAR)
                .astype(np.int64)
            )
            columns[outside] = np.where(columns[outside] < 0, far.clip(max=-1), far.clip(min=width))
        return columns

    def place(self, value: float, width: int) -> int:
        """The column of a number on the axis, likewise."""
        return math.floor(min(max(self.share(value) * width, -_FAR), _FAR))

    def value_at(self, column: float, width: int) -> float:
        """The number at the left edge of a column; that of `column` + 0.5 is its middle."""
        return self.at(column / width)

    def share(self, value: float) -> float:
        """Position of a number along the axis: 0 at its start, 1 at its stop; outside of 0..1 if it
        is not visible."""
        return float(self._shares(np.array([value]))[0])

    def at(self, share: float) -> float:
        """The number that lies so far along the axis."""
        return float(self._numbers(np.array([share]))[0])

    def zoomed(self, about: float, factor: float) -> XAxis:
        """The axis with 1 / factor of its range; the number `about` keeps its position on the
        screen."""
        here = self.share(about)
        return self._replace(
            start=self.at(here - here / factor), stop=self.at(here + (1 - here) / factor)
        )

    def moved(self, share: float) -> XAxis:
        """The axis moved to the right by a share of what is visible."""
        return self._replace(start=self.at(share), stop=self.at(1 + share))

    def within(self, full: XAxis) -> XAxis:
        """The axis moved into the whole range; the whole range if it is as large."""
        first, last = full.share(self.start), full.share(self.stop)
        if last - first >= 1 - 1e-9:
            return full
        by = max(0.0, -first) - max(0.0, last - 1)
        return self._replace(start=full.at(first + by), stop=full.at(last + by)) if by else self

    def value(self, lane: LaneState, race: Race, step: int) -> float:
        """A step of the lane in units of the axis."""
        return float(self._values(lane, race, np.array([step]))[0])

    def step(self, lane: LaneState, race: Race, value: float) -> int:
        """The last step of the lane at or before a number on the axis, at least 0; it may not have
        been made yet."""
        # a number that came out of `value` leads back to its step
        at = np.array([value * (1 + 1e-9) + 1e-12])
        if self.kind == "wall":
            found = lane.clock.first_at_wall(at)
        elif self.kind == "time":
            found = lane.clock.first_at_time(at)
        else:
            return max(math.floor(min(float(at[0]) * _per_unit(self.kind, lane, race), _FAR)), 0)
        later = self._values(lane, race, found)[0] > value * (1 + 1e-6) + 1e-9
        return max(int(found[0]) - int(later), 0)

    def _values(self, lane: LaneState, race: Race, steps: Int64Array) -> Float64Array:
        if self.kind in CLOCKS:
            return lane.clock.wall(steps) if self.kind == "wall" else lane.clock.time(steps)
        values: Float64Array = steps / _per_unit(self.kind, lane, race)
        return values

    def _shares(self, values: Float64Array) -> Float64Array:
        if not self.log:
            return (values - self.start) / (self.stop - self.start)
        low, high = _logs(self.start, self.stop)
        return (np.log1p(np.maximum(values, 0)) - low) / (high - low)

    def _numbers(self, shares: Float64Array) -> Float64Array:
        if not self.log:
            return self.start + shares * (self.stop - self.start)
        low, high = _logs(self.start, self.stop)
        numbers: Float64Array = np.expm1(low + shares * (high - low))
        return numbers


def whole(state: RaceState, kind: XKind = "step", log: bool = False) -> XAxis:
    """All of an axis: the budget, which does not move; seconds, and the steps of a lane of unknown
    length, up to 1, 2, 5, 10, ... or, once they are over, to the end."""
    if kind not in CLOCKS:
        ends = [
            max(lane.total_steps or _reach(lane), lane.steps, 2) / _per_unit(kind, lane, state.race)
            for lane in state.lanes
            if lane.started
        ]
        return XAxis(kind, log, 0.0, max(ends, default=2.0))
    last = max((lane.clock.end(kind == "wall") for lane in state.lanes), default=0.0)
    if state.over and last > 0:
        return XAxis(kind, log, 0.0, last * (1 + 1e-6))
    return XAxis(kind, log, 0.0, _next_round(last, 1e-3))


def kinds(race: Race) -> tuple[XKind, ...]:
    """The x axes that a race has."""
    return SCRIPT_KINDS if race.script else KINDS


def _reach(lane: LaneState) -> float:
    """The end of the axis of a lane of unknown length, in steps."""
    return lane.steps if lane.over else _next_round(lane.steps, LEAST_STEPS)


def _next_round(value: float, least: float) -> float:
    """The next 1, 2 or 5 times a power of ten above a value; that of a smaller one is above
    `least`."""
    decade = 10.0 ** math.floor(math.log10(max(value, least)))
    return next(times * decade for times in (1, 2, 5, 10, 20) if times * decade > value)


def _per_unit(kind: XKind, lane: LaneState, race: Race) -> float:
    """Steps of the lane in an epoch, a sample, a step."""
    if kind == "epoch":
        return float(max(lane.started.steps_per_epoch, 1)) if lane.started else 1.0
    return 1 / step_samples(lane, race) if kind == "samples" else 1.0


def _logs(start: float, stop: float) -> tuple[float, float]:
    low = math.log1p(max(start, 0.0))
    return low, max(math.log1p(max(stop, 0.0)), low + 1e-12)


@lru_cache(64)
def _all_bounds(axis: XAxis, width: int) -> Float64Array:
    return axis._numbers(np.arange(width + 1) / width)


@lru_cache(256)
def _log_edges(start: float, stop: float, per: float, width: int) -> Int64Array:
    """Edges on an axis of log(1 + x): a guess, and then exactly what the place of a step says."""
    axis = XAxis("step", True, start, stop)
    columns = np.arange(width + 1)
    near = np.ceil((axis._numbers(columns / width) * per).clip(0, _FAR)) + np.array(
        [[-1], [0], [1]]
    )
    edges = near[0] + (np.floor(axis._shares(near / per) * width) < columns).sum(axis=0)
    whole: Int64Array = np.maximum.accumulate(edges).clip(0).astype(np.int64)
    return whole
