"""Numbers as short text: rates, losses, counts, durations. Knows no screen and no style."""

from __future__ import annotations

import math

LOSS_WIDTH = 7
"""The most cells that `loss` takes for a number that is not negative."""
UNKNOWN = "–"
"""Stands for a number that is not there yet."""
SIZE_WIDTH = 7
"""The most cells that `size` takes, below 1000 PB."""
RATE_WIDTH = 8
"""The most cells that `rate` takes in four digits for a rate from 1e-9 to 1e9."""


def rate(value: float, digits: int = 4) -> str:
    """A learning rate in at most `digits` significant digits: 0.001, 1e-5, 1.235e-4; noise behind
    them is dropped."""
    if not math.isfinite(value):
        return _special(value)
    text = f"{value:.{digits}g}"
    if len(text) > digits + 4:
        text = f"{value:.{digits - 1}e}"
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def loss(value: float) -> str:
    """A loss in four significant digits: 0.01234, 12.34; 1.23e-5 and 1.2e+7 where those would be
    long; NaN, inf."""
    if not math.isfinite(value):
        return _special(value)
    size = abs(value)
    if size == 0:
        return "0.000"
    if size < 0.00999995:
        return _exponent(value, 2 if size > 9.995e-10 else 1)
    if size < 99999.5:
        return f"{value:.{max(0, 3 - math.floor(math.log10(float(f'{size:.3e}'))))}f}"
    return _exponent(value, 1)


def count(value: float) -> str:
    """A count in three digits, with a letter from ten thousand on: 9999, 12.3k, 4.56M."""
    if not math.isfinite(value):
        return _special(value)
    if abs(value) < 9999.5:
        return f"{value:.0f}"
    value = float(f"{value:.2e}")
    power = min(int(math.log10(abs(value)) // 3), 5)
    return f"{value / 1000**power:.3g}{' kMGTP'[power]}"


def size(count: float) -> str:
    """Bytes >= 0 in three digits, at most SIZE_WIDTH cells: 12 B, 870 kB, 2.5 MB, 1.24 GB; a dash
    if not finite."""
    if not math.isfinite(count):
        return UNKNOWN
    count = float(f"{count:.2e}")
    power = min(int(math.log10(max(count, 1)) // 3), 5)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB', 'PB')[power]}"


def duration(seconds: float) -> str:
    """Time as 0:05, 1:15, 1:01:15, 2d 03h; a dash if not finite."""
    if not math.isfinite(seconds):
        return UNKNOWN
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days}d {hours % 24:02}h"
    return f"{hours}:{minutes % 60:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def ago(seconds: float) -> str:
    """Elapsed time in one unit: 42 s ago, 21 min ago, 5 h ago, 3 days ago."""
    for most, unit, word in ((90, 1, "s"), (90 * 60, 60, "min"), (36 * 3600, 3600, "h")):
        if seconds < most:
            return f"{max(0, int(seconds)) // unit} {word} ago"
    return f"{int(seconds) // 86400} days ago"


def ordinal(place: int) -> str:
    """A place in an order: 1st, 2nd, 11th, 23rd."""
    ending = place % 100 if place % 100 < 20 else place % 10
    return f"{place}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(ending, 'th') }"


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _exponent(value: float, decimals: int) -> str:
    mantissa, exponent = f"{value:.{decimals}e}".split("e")
    return f"{mantissa}e{int(exponent):+}"
