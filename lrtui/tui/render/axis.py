"""Axes: limits that snap and rarely change, ticks and their labels. Knows no curve and no canvas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from lrtui.core.rounding import TINY, multiples, nice
from lrtui.tui.render.raster import DOTS_Y, dot_row

INTERVALS = 4
"""About so many tick intervals the limits of an axis are made of."""
USED = 0.4
"""An axis is kept while the data fill this share of it."""
DEEPEST = 1e-12
"""The lower end of a logarithmic axis beside its upper end, at the least: a curve that reaches zero leaves it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The ends of a y axis; `low` < `high`, both positive when `log`."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def around(cls, low: float, high: float, log: bool = False) -> Limits:
        """Snapped to 1-2-5 steps (of decades when `log`) around data from `low` to `high`; 0..1 when not finite."""
        if not (math.isfinite(low) and math.isfinite(high)) or (log and high <= 0):
            return cls(0.1, 1.0, True) if log else cls(0.0, 1.0)
        if not log:
            return cls(*_snapped(*_spread(low, high, log)))
        low, high = max(low, high * DEEPEST, TINY), max(high, TINY)
        ends = _snapped(*_spread(math.log10(low), math.log10(high), log), 2 * INTERVALS)
        return cls(min(low, 10.0 ** ends[0]), max(high, 10.0 ** ends[1]), True)

    def fit(self, low: float, high: float) -> Limits:
        """These limits while data from `low` to `high` lie within them and fill enough of them, else new ones.

        On a logarithmic axis `low` is the smallest positive value. Limits that are not finite change nothing.
        """
        if not (math.isfinite(low) and math.isfinite(high)):
            return self
        fresh = Limits.around(low, high, self.log)
        inside = self.low <= low and high <= self.high
        return self if inside and fresh._size() >= USED * self._size() else fresh

    def with_log(self, log: bool) -> Limits:
        """The same axis in the other scale, to be fitted again."""
        return self if log == self.log else replace(self, low=self.low if self.low > 0 else TINY, log=log)

    def _step(self) -> float:
        return nice((self.high - self.low) / INTERVALS)

    def _size(self) -> float:
        return math.log10(self.high / self.low) if self.log else self.high - self.low


class Tick(NamedTuple):
    """A label beside an axis."""

    cell: int
    """Row from the top on a y axis, column from the left on an x axis."""
    value: float
    label: str


@lru_cache(512)
def y_ticks(limits: Limits, rows: int) -> tuple[Tick, ...]:
    """Ticks from the top down, with a row free between two of them, labels short and alike; at least the two ends."""
    most = max(1, min((rows - 1) // 2, 6))
    values = list(_log_values(limits, most)) if limits.log else []
    labels = [_log_label(value) for value in values]
    if len(values) < 2 and not (limits.log and limits.high > 10 * limits.low):
        step = nice((limits.high - limits.low) / most)
        values = list(multiples(limits.low, limits.high, step))
        labels = _labels(values, step)
    if len(values) < 2:
        values = [limits.low, limits.high]
        labels = [_end_label(value) for value in values] if limits.log else _labels(values, limits._step())
    ticks: list[Tick] = []
    for value, label in zip(reversed(values), reversed(labels), strict=True):
        cell = dot_row(value, rows * DOTS_Y, limits.low, limits.high, limits.log) // DOTS_Y
        if not ticks or cell > ticks[-1].cell + (rows > 2):
            ticks.append(Tick(cell, value, label))
    return tuple(ticks)


@lru_cache(512)
def log_x_ticks(low: float, high: float, width: int) -> tuple[Tick, ...]:
    """Ticks of a logarithmic x axis from `low` to `high`, both above 0, in `width` cells: powers of ten, and 2 and 5 of
    them on a short one; a label that has no room is left out."""
    first, last = math.log10(low), math.log10(high)
    units = (1, 2, 5) if (last - first) * 24 < width else (1,)
    ticks: list[Tick] = []
    for power, unit in itertools.product(range(math.floor(first), math.ceil(last) + 1), units):
        place = power + math.log10(unit)
        if not first - 1e-9 <= place <= last + 1e-9 or first >= last:
            continue
        label = _log_label(float(f"{unit}e{power}"))
        cell = min(int(max(0.0, place - first) / (last - first) * width), width - len(label))
        if cell >= 0 and (not ticks or cell > ticks[-1].cell + len(ticks[-1].label)):
            ticks.append(Tick(cell, float(f"{unit}e{power}"), label))
    return tuple(ticks)


def _spread(low: float, high: float, log: bool) -> tuple[float, float]:
    """A range that is not a point, nor narrower than numbers can tell apart."""
    least = 0.05 if log else max(max(abs(low), abs(high)) * 1e-5, TINY)
    if high - low > least:
        return low, high
    half = 0.1 if log else max(abs(high) * 0.1, 1e-12)
    return (low, high + half) if low == 0 and not log else (low - half, high + half)


def _snapped(low: float, high: float, parts: int = INTERVALS) -> tuple[float, float]:
    """Outward to multiples of a nice step, about `parts` of them, unless one is only a rounding error away."""
    step = nice((high - low) / parts)
    return min(low, math.floor(low / step + 1e-9) * step), max(high, math.ceil(high / step - 1e-9) * step)


def _log_values(limits: Limits, most: int) -> Iterator[float]:
    """Powers of ten, every second or third where there are many, with 2 and 5 between where there are few."""
    first, last = math.ceil(math.log10(limits.low) - 1e-9), math.floor(math.log10(limits.high) + 1e-9)
    stride = max(1, math.ceil((last - first + 1) / most))
    units = (1, 2, 5) if (last - first + 2) * 3 <= most + 3 else (1,)
    for power in range(first - 1, last + 1):
        for unit in units:
            value = unit * 10.0**power
            if power % stride == 0 and limits.low * (1 - 1e-9) <= value <= limits.high * (1 + 1e-9):
                yield value


def _log_label(value: float) -> str:
    return f"{value:g}" if 1e-3 <= value < 1e4 else _short(f"{value:.0e}")


def _end_label(value: float) -> str:
    text = f"{value:.2g}"
    return _short(text) if "e" in text else text


def _labels(values: list[float], step: float) -> list[str]:
    """All with the same decimals, or the same power of ten taken out of very large and very small ones."""
    most = max((abs(value) for value in values), default=0.0)
    if most and not 1e-3 <= most < 1e5:
        decimals = max(0, math.floor(math.log10(most)) - math.floor(math.log10(step) + 1e-9))
        return [_short(f"{value:.{decimals}e}") if value else "0" for value in values]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{value:.{decimals}f}" if round(value / step) else f"{0:.{decimals}f}" for value in values]


def short_label(value: float) -> str:
    """A value in one digit and a power of ten, where its label has no room: cut digits would be another number."""
    return _short(f"{value:.0e}")


def _short(text: str) -> str:
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{int(exponent)}"


def number_label(value: float, step: float, most: float) -> str:
    """A multiple of `step` exactly, in the unit of the largest: 0.5, 500, 12.5k, 1.25M."""
    power, letter = (1.0, "") if most < 10_000 else (1e6, "M") if most >= 1e6 else (1e3, "k")
    if not value or abs(value) < step / 2:
        return "0"
    decimals = max(0, -math.floor(math.log10(step / power) + 1e-9))
    return f"{value / power:.{decimals}f}{letter}"
