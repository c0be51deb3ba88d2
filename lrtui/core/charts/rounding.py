"""Round numbers for an axis: 1, 2 and 5 times powers of ten. Knows no axis."""

from __future__ import annotations

import math
from collections.abc import Iterator

TINY = 1e-300
"""No step is smaller: below it floats lose their digits."""


def nice(step: float) -> float:
    """The next 1, 2 or 5 times a power of ten that is at least `step` > 0."""
    power = 10.0 ** math.floor(math.log10(max(step, TINY)))
    return next(
        (power * unit for unit in (1, 2, 5) if power * unit >= step * (1 - 1e-9)), power * 10
    )


def multiples(low: float, high: float, step: float) -> Iterator[float]:
    """The multiples of `step` from `low` to `high`, both included when they are multiples."""
    for number in range(math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) + 1):
        yield number * step


def round_rates(low: float, high: float, most: int) -> list[float]:
    """Round values along a logarithmic axis, rising, about `most` of them: powers of ten, every
    second or third of very many; with 2 and 5 between them of few."""
    first, last = math.log10(low), math.log10(high)
    stride = max(1, math.ceil((last - first) / most))
    units = (1, 2, 5) if (last - first) * 3 <= most else (1,)
    return [
        float(f"{unit}e{power}")
        for power in range(math.floor(first), math.ceil(last) + 1)
        if power % stride == 0
        for unit in units
        if first - 1e-9 <= power + math.log10(unit) <= last + 1e-9
    ]
