"""The limits of a y axis, which snap and rarely change. Knows no curve, no label and no screen."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrtui.core.charts.rounding import TINY, nice

INTERVALS = 4
"""Approximate number of tick intervals between the limits of an axis."""
USED = 0.4
"""An axis is kept while the data fill this share of it."""
DEEPEST = 1e-12
"""The lower end of a logarithmic axis beside its upper end, at the least: a curve that reaches zero
leaves it."""


@dataclass(frozen=True, slots=True)
class AxisLimits:
    """The ends of a y axis; `low` < `high`, both positive when `log`."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, low: float, high: float, log: bool = False) -> AxisLimits:
        """Snapped to 1-2-5 steps (of decades when `log`) around data from `low` to `high`; 0..1
        when not finite."""
        if not (math.isfinite(low) and math.isfinite(high)) or (log and high <= 0):
            return cls(0.1, 1.0, True) if log else cls(0.0, 1.0)
        if not log:
            return cls(*_snapped(*_spread(low, high, log)))
        low, high = max(low, high * DEEPEST, TINY), max(high, TINY)
        ends = _snapped(*_spread(math.log10(low), math.log10(high), log), 2 * INTERVALS)
        return cls(min(low, 10.0 ** ends[0]), max(high, 10.0 ** ends[1]), True)

    def fit(self, low: float, high: float) -> AxisLimits:
        """These limits while data from `low` to `high` lie within them and fill enough of them,
        else new ones.

        On a logarithmic axis `low` is the smallest positive value. Limits that are not finite
        change nothing.
        """
        if not (math.isfinite(low) and math.isfinite(high)):
            return self
        fresh = AxisLimits.around(low, high, self.log)
        inside = self.low <= low and high <= self.high
        return self if inside and fresh._size() >= USED * self._size() else fresh

    def with_log(self, log: bool) -> AxisLimits:
        """The same axis in the other scale, to be fitted again."""
        return (
            self
            if log == self.log
            else replace(self, low=self.low if self.low > 0 else TINY, log=log)
        )

    def shares(self, values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Position of values along the axis: 0 at `low`, 1 at `high`, clipped; NaN if not
        finite."""
        known = np.where(np.isfinite(values), np.clip(values, self.low, self.high), np.nan)
        low, high = self._places(np.array([self.low, self.high]))
        shares: NDArray[np.floating[Any]] = (self._places(known) - low) / (high - low)
        return shares

    def _places(self, values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        return np.log10(values) if self.log else values

    def _size(self) -> float:
        return math.log10(self.high / self.low) if self.log else self.high - self.low


def _spread(low: float, high: float, log: bool) -> tuple[float, float]:
    """A range that is not a point, nor narrower than numbers can tell apart."""
    least = 0.05 if log else max(max(abs(low), abs(high)) * 1e-5, TINY)
    if high - low > least:
        return low, high
    half = 0.1 if log else max(abs(high) * 0.1, 1e-12)
    return (low, high + half) if low == 0 and not log else (low - half, high + half)


def _snapped(low: float, high: float, parts: int = INTERVALS) -> tuple[float, float]:
    """Outward to multiples of a nice step, about `parts` of them, unless one is only a rounding
    error away."""
    step = nice((high - low) / parts)
    return min(low, math.floor(low / step + 1e-9) * step), max(
        high, math.ceil(high / step - 1e-9) * step
    )
