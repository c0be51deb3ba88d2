"""Labels of the x axis in its own units: steps and samples as 12.5k, epochs as 0.5, times as 1m30s
or 2h. Knows no curve."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache

from lrtui.core.charts.axes import CLOCKS, XAxis
from lrtui.core.charts.labels import number_label
from lrtui.core.charts.rounding import multiples, nice
from lrtui.tui.render.axis import Tick
from lrtui.tui.render.canvas import Canvas, Codes

APART = 2
"""Cells between two labels, at the least."""
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Seconds between two labels of a time axis; below one and above a day it goes on in 1-2-5
steps."""
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


@lru_cache(512)
def ticks(x: XAxis, width: int) -> tuple[Tick, ...]:
    """Labels of an axis in `width` cells, each beginning where its value lies; as many as do not
    touch."""
    if width < 1:
        return ()
    if x.log and len(powers := _log(x, width)) > 1:
        return powers  # within less than a decade there may be none of them
    usual = _linear(x, width, max(1, min(width // 6, 10)))
    if len(usual) > 1:
        return usual
    # one number alone does not show how large a zoomed part is
    finer = _linear(x, width, max(1, width // 4), 1)
    return finer if len(finer) > len(usual) else usual


def _linear(x: XAxis, width: int, parts: int, apart: int = APART) -> tuple[Tick, ...]:
    """Multiples of a round number with `apart` cells between their labels, `parts` of them or
    fewer."""
    found: list[Tick] = []
    for step in _steps(x, (x.stop - x.start) / parts):
        values = list(multiples(x.start, x.stop, step))[:width]
        found = [Tick(x.place(value, width), value, label(x, value, step)) for value in values]
        if all(
            tick.cell + len(tick.label) + apart <= after.cell
            for tick, after in itertools.pairwise(found)
        ):
            break
    return tuple(tick for tick in found if 0 <= tick.cell <= width - len(tick.label))


@lru_cache(64)
def row(x: XAxis, gutter: int, width: int) -> Codes:
    """A row of labels for `width` cells, and what they count in the corner below the y axis:
    characters, (1, gutter + width)."""
    canvas = Canvas(gutter + width, 1)
    canvas.text(0, 0, x.kind[: max(0, gutter - 1)].rjust(max(0, gutter - 1)))
    for tick in ticks(x, width):
        canvas.text(gutter + tick.cell, 0, tick.label)
    return canvas.codes


def label(x: XAxis, value: float, step: float) -> str:
    """A value of the axis, exact for multiples of `step`."""
    if x.kind in CLOCKS:
        return time_label(value, step)
    return number_label(value, step, max(abs(x.start), abs(x.stop)))


def time_label(seconds: float, step: float = 1.0) -> str:
    """45s, 1m30s, 2h, 1d6h: the units that are not zero, two at the most where `step` allows; 0.25s
    below a second."""
    if not seconds:
        return "0"
    if step < 1:
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        minutes, rest = divmod(round(seconds, decimals), 60)
        return f"{minutes:.0f}m{rest:.{decimals}f}s" if minutes else f"{rest:.{decimals}f}s"
    left, parts = round(seconds), []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"


def _steps(x: XAxis, least: float) -> Iterator[float]:
    """Distances between labels, from about `least` on up."""
    if x.kind in CLOCKS:
        yield from (step for step in _TIMES if 1 <= least <= step)
        least = max(least, 2 * _TIMES[-1]) if least >= 1 else least
    elif x.kind != "epoch":
        least = max(1.0, least)  # steps are whole
    size = nice(least)
    while size < 10 * (x.stop - x.start):
        yield size
        size = nice(size * 1.5)


def _log(x: XAxis, width: int) -> tuple[Tick, ...]:
    """Round values by powers of ten, and where these leave room 2 and 5 of them; of a time in
    minutes, hours and days."""
    timed = x.kind in CLOCKS
    found: list[Tick] = []
    for candidates in (_TENS_OF_TIMES, _ROUND_TIMES) if timed else (_TENS, _ROUND):
        for value in candidates:
            if 0 < value < 1 and x.kind in ("step", "samples"):
                continue
            text = (
                time_label(value, min(1.0, value or 1.0))
                if timed
                else number_label(value, value, value)
            )
            tick = Tick(x.place(value, width), value, text)
            if (
                x.start <= value <= x.stop
                and tick.cell <= width - len(text)
                and all(_apart(tick, other) for other in found)
            ):
                found.append(tick)
    return tuple(sorted(found))


def _apart(one: Tick, other: Tick) -> bool:
    left, right = sorted((one, other))
    return left.cell + len(left.label) + APART <= right.cell


_TENS = (0.0, *(10.0**power for power in range(-2, 13)))
_ROUND = (0.0, *(unit * ten for ten in _TENS[1:] for unit in (1, 2, 5)))
_TENS_OF_TIMES = (0.0, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 864000.0, 8640000.0)
_ROUND_TIMES = (0.0, 0.1, 0.2, 0.5, *_TIMES, 172800.0, 432000.0, 864000.0, 1728000.0, 4320000.0)
