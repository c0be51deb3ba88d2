"""Streaming verdicts about a lane's losses: pure, O(1) a step, the same whatever the blocks they come in.

A non-finite loss or gradient norm is not found here but before the update (training/probe.py), because it ends the
lane. The rules here raise an alert and let the lane go on.
"""

from __future__ import annotations

import math
from statistics import median

import numpy as np

SMOOTHING = 0.98
"""EMA factor of the loss that the rules look at; debiased, so that early values count in full."""
TIMES_BEST = 4.0
"""DIVERGED: the smoothed loss is above this many times its best. 0 false alarms in 393 lanes, 0 in 232 held out."""
TIMES_START = 1.2
"""DIVERGED: the smoothed loss stays above this many times the median of the first START_STEPS losses ..."""
START_STEPS = 5
PATIENCE = 20
"""... for this many steps in a row ..."""
SETTLED = 50
"""... after this many steps."""


class Smooth:
    """A debiased exponential moving average that skips non-finite values. `value` is NaN before the first."""

    __slots__ = ("_sum", "_weight", "factor", "value")

    def __init__(self, factor: float = SMOOTHING) -> None:
        self.factor = factor
        self._sum = 0.0
        self._weight = 0.0
        self.value = math.nan

    def update(self, value: float) -> float:
        """Takes one value, returns the average: sum of factor^k * value over sum of factor^k."""
        if math.isfinite(value):
            self._sum = self.factor * self._sum + (1 - self.factor) * value
            self._weight = self.factor * self._weight + (1 - self.factor)
            self.value = self._sum / self._weight
        return self.value

    def extend(self, values: np.ndarray) -> float:
        """The same as `update` with each of `values`, shape (n,), in turn, but for rounding."""
        finite = values[np.isfinite(values)]
        if len(finite):
            decay = self.factor ** len(finite)
            weights = self.factor ** np.arange(len(finite) - 1, -1, -1.0)
            with np.errstate(over="ignore"):  # the average of numbers near the largest is infinite, and no warning on the screen
                self._sum = decay * self._sum + (1 - self.factor) * float(finite @ weights)
            self._weight = decay * self._weight + 1 - decay
            self.value = self._sum / self._weight
        return self.value


class Divergence:
    """Whether a lane has diverged: four times its best, or for a while above its start (notes on learning rates, c.2)."""

    def __init__(self) -> None:
        self.smooth = Smooth()
        self.best = math.inf
        self._start: list[float] = []
        self._limit = math.inf
        self._above = 0
        self._steps = 0

    def update(self, loss: float) -> str | None:
        """Takes the loss of one step; a sentence where a rule says "diverged" at this step, else None."""
        if not math.isfinite(loss):
            return None  # the lane's end, and none of our business
        self._steps += 1
        smooth = self.smooth.update(loss)
        self.best = min(self.best, smooth)
        if len(self._start) < START_STEPS:
            self._start.append(loss)
            self._limit = TIMES_START * median(self._start)
        # A best of zero or below has no multiples: only the start is left to compare with.
        if smooth > TIMES_BEST * self.best > 0:
            return f"smoothed loss {smooth:.4g} is above {TIMES_BEST:g} times its best, {self.best:.4g}"
        self._above = self._above + 1 if self._steps > SETTLED and smooth > self._limit > 0 else 0
        if self._above >= PATIENCE:
            return f"smoothed loss {smooth:.4g} has been above {TIMES_START:g} times the start for {PATIENCE} steps"
        return None
