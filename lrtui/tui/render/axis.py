"""Positions of an axis' labels in rows and columns of cells. Knows no curve and no canvas."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import NamedTuple

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.labels import log_label, y_labels
from lrtui.tui.render.raster import DOTS_Y, dot_row

MOST_Y = 6
"""About this many labels stand beside a y axis, however high it is."""


class Tick(NamedTuple):
    """A label beside an axis."""

    cell: int
    """Row from the top on a y axis, column from the left on an x axis."""
    value: float
    label: str


@lru_cache(512)
def y_ticks(limits: AxisLimits, rows: int) -> tuple[Tick, ...]:
    """Ticks from the top down, with a row free between two of them."""
    ticks: list[Tick] = []
    for value, label in reversed(y_labels(limits, max(1, min((rows - 1) // 2, MOST_Y)))):
        cell = dot_row(value, rows * DOTS_Y, limits.low, limits.high, limits.log) // DOTS_Y
        if not ticks or cell > ticks[-1].cell + (rows > 2):
            ticks.append(Tick(cell, value, label))
    return tuple(ticks)


@lru_cache(512)
def log_x_ticks(low: float, high: float, width: int) -> tuple[Tick, ...]:
    """Ticks of a logarithmic x axis from `low` to `high`, both above 0, in `width` cells: powers of
    ten, and 2 and 5 of them on a short one; a label that has no room is left out."""
    first, last = math.log10(low), math.log10(high)
    units = (1, 2, 5) if (last - first) * 24 < width else (1,)
    ticks: list[Tick] = []
    for power, unit in itertools.product(range(math.floor(first), math.ceil(last) + 1), units):
        place = power + math.log10(unit)
        if not first - 1e-9 <= place <= last + 1e-9 or first >= last:
            continue
        label = log_label(float(f"{unit}e{power}"))
        cell = min(int(max(0.0, place - first) / (last - first) * width), width - len(label))
        if cell >= 0 and (not ticks or cell > ticks[-1].cell + len(ticks[-1].label)):
            ticks.append(Tick(cell, float(f"{unit}e{power}"), label))
    return tuple(ticks)
