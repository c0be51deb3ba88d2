"""When a lane's smoothed loss first came down to a value, however long the lane is: a few numbers
for each lane. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from lrtui.core.series.array_buffer import Float64Array
from lrtui.core.series.ema import TensorBoardEma
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.losses import RANKING_FACTOR

FINE = 1e-3
"""A value counts as reached from this part of it above it on: so few numbers say it for any
curve."""
AT_ONCE = 200_000
"""Losses that are taken in at one look, all lanes together: 10 million steps are opened while the
person looks."""
USUAL = 1.1
"""The usual target is this many times the lowest smoothed loss of any lane."""
_SMALLEST = 1e-12


class Descent:
    """The levels that one lane's smoothed loss (EMA 0.9, debiased, what is not finite skipped) has
    come down to, and when."""

    def __init__(self) -> None:
        self.count = 0
        """Losses taken in."""
        self.lowest = math.nan
        """The lowest smoothed loss so far; NaN before the first that is finite."""
        self._average = TensorBoardEma(RANKING_FACTOR)
        self._steps: list[int] = []
        self._levels: list[float] = []
        """Falling; kept with their sign turned, so that bisect finds its way."""

    def extend(self, losses: Float64Array) -> None:
        """Takes in the losses of the next steps, shape (n,)."""
        places = np.flatnonzero(np.isfinite(losses))
        averages = self._average.extend(losses)[places]
        if len(averages):
            lowest = math.inf if math.isnan(self.lowest) else self.lowest
            lows = np.minimum(np.minimum.accumulate(averages), lowest)
            falls = np.flatnonzero(np.diff(lows, prepend=lowest) < 0)
            levels = -_level(lows[falls])
            fresh = np.diff(levels, prepend=self._levels[-1] if self._levels else -math.inf) > 0
            self._steps += (self.count + places[falls[fresh]]).tolist()
            self._levels += levels[fresh].tolist()
            self.lowest = float(lows[-1])
        self.count += len(losses)

    def reached(self, target: float) -> int | None:
        """How many of the losses it took until the average was at `target`, give or take FINE of
        it; None: not yet."""
        at = bisect_left(self._levels, -float(_level(np.array([target]))[0]))
        return self._steps[at] + 1 if at < len(self._steps) else None


class TimeToTarget:
    """The descents of a race's lanes, brought up to date a piece at each look."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, Descent]] = {}

    def look(self, lanes: Sequence[LaneState]) -> bool:
        """Takes in what is new of the lanes, AT_ONCE losses at most; whether that was all of it."""
        room = AT_ONCE
        for lane in lanes:
            descent, losses = self._of(lane), lane.columns.get("loss")
            if losses is None:
                continue
            first = lane.forked_at + descent.count
            piece = losses.part(first, min(first + room, len(losses)))
            descent.extend(piece.astype(float))
            room -= len(piece)
        return room > 0

    def usual_target(self, lanes: Sequence[LaneState]) -> float:
        """A little above the lowest smoothed loss of any lane; NaN where none has a loss."""
        lows = [low for lane in lanes if math.isfinite(low := self._of(lane).lowest)]
        return min(lows) + (USUAL - 1) * abs(min(lows)) if lows else math.nan

    def reached(self, lane: LaneState, every: Sequence[LaneState], target: float) -> int | None:
        """After how many steps a lane's smoothed loss first was at `target`, those of the lane it
        was forked from included."""
        if not math.isfinite(target):
            return None
        if lane.parent is not None:
            inherited = self.reached(every[lane.parent], every, target)
            if inherited is not None and inherited <= lane.forked_at:
                return inherited
        own = self._of(lane).reached(target)
        return None if own is None else lane.forked_at + own

    def _of(self, lane: LaneState) -> Descent:
        """What is known of a lane; anew where it went back, for then its record is another one."""
        losses = lane.columns.get("loss")
        source, descent = self._known.get(lane.index, (None, Descent()))
        if source is not losses or lane.index not in self._known:
            descent = Descent()
            self._known[lane.index] = losses, descent
        return descent


def _level(values: Float64Array) -> Float64Array:
    """Whole numbers that rise with a value of any sign, one for each FINE of it."""
    levels: Float64Array = np.ceil(np.arcsinh(values / _SMALLEST) / FINE)
    return levels
