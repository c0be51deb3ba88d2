"""Round values for an axis, and their labels: one rule for screen, page and print. Knows no curve
and no screen."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lrtui.core.charts.axis_limits import INTERVALS, AxisLimits
from lrtui.core.charts.rounding import multiples, nice


def y_labels(limits: AxisLimits, most: int) -> list[tuple[float, str]]:
    """(value, label) from the bottom up, about `most` >= 1 of them, labels short and alike; at
    least the two ends."""
    values = list(_log_values(limits, most)) if limits.log else []
    if len(values) > 1:
        return [(value, log_label(value)) for value in values]
    size, ends = limits.high - limits.low, [limits.low, limits.high]
    if not limits.log or limits.high <= 10 * limits.low:
        step = nice(size / most)
        values = list(multiples(limits.low, limits.high, step))
        if len(values) > 1:
            return list(zip(values, _labels(values, step), strict=True))
    # limits snap to a step of INTERVALS parts of the smaller range that they were made around
    step = nice(size / (2 * INTERVALS))
    labels = [end_label(value) for value in ends] if limits.log else _labels(ends, step)
    return list(zip(ends, labels, strict=True))


def step_labels(total: int, most: int) -> list[tuple[float, str]]:
    """(step, label) along an x axis of `total` >= 1 steps, about `most` >= 1 of them."""
    step = nice(max(1.0, (total - 1) / most))  # there is no half step
    return [(value, number_label(value, step, total)) for value in multiples(0, total - 1, step)]


def number_label(value: float, step: float, most: float) -> str:
    """A multiple of `step` exactly, in the unit of the largest: 0.5, 500, 12.5k, 1.25M."""
    power, letter = (1.0, "") if most < 10_000 else (1e6, "M") if most >= 1e6 else (1e3, "k")
    if not value or abs(value) < step / 2:
        return "0"
    decimals = max(0, -math.floor(math.log10(step / power) + 1e-9))
    return f"{value / power:.{decimals}f}{letter}"


def log_label(value: float) -> str:
    """1, 2 or 5 times a power of ten: 0.02, 1, 5000, 1e4."""
    return f"{value:g}" if 1e-3 <= value < 1e4 else short_label(value)


def end_label(value: float) -> str:
    """Any value in two digits: 0.32, 320, 4.2e16."""
    text = f"{value:.2g}"
    if 1e-3 <= abs(value) < 9.5e3:
        return f"{float(text):g}"
    return _short(text) if "e" in text else text


def short_label(value: float) -> str:
    """A value in one digit and a power of ten, where its label has no room: cut digits would be
    another number."""
    return _short(f"{value:.0e}")


def _log_values(limits: AxisLimits, most: int) -> Iterator[float]:
    """Powers of ten; every second or third if there are many, with 2 and 5 between them if few."""
    first, last = (
        math.ceil(math.log10(limits.low) - 1e-9),
        math.floor(math.log10(limits.high) + 1e-9),
    )
    stride = max(1, math.ceil((last - first + 1) / most))
    units = (1, 2, 5) if (last - first + 2) * 3 <= most + 3 else (1,)
    for power in range(first - 1, last + 1):
        for unit in units:
            value = unit * 10.0**power
            if power % stride == 0 and limits.low * (1 - 1e-9) <= value <= limits.high * (1 + 1e-9):
                yield value


def _labels(values: list[float], step: float) -> list[str]:
    """All with the same decimals, or the same power of ten taken out of very large and very small
    ones."""
    most = max((abs(value) for value in values), default=0.0)
    if most and not 1e-3 <= most < 1e5:
        decimals = max(0, math.floor(math.log10(most)) - math.floor(math.log10(step) + 1e-9))
        return [_short(f"{value:.{decimals}e}") if value else "0" for value in values]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [
        f"{value:.{decimals}f}" if round(value / step) else f"{0:.{decimals}f}" for value in values
    ]


def _short(text: str) -> str:
    """ "1e-05" as "1e-5"."""
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{int(exponent)}"
