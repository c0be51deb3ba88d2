"""Debiased moving averages of columns of numbers: every curve as TensorBoard draws it, and one
value for the standings.

Both give the same bits for the same numbers, however those are cut into blocks: no sum depends on
where a block begins.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrtui.core.series.array_buffer import Float64Array
from lrtui.core.series.series import Series

ROW = 32
"""Values that are summed at once; rows begin at multiples of it, counted over all finite values."""
MEMORY = 1000
"""Values that make up a trailing average; at a factor of 0.9 those further back weigh less than
1e-45."""


class Trailing:
    """The average at the end of a column that grows: the sum of factor^k * value over the sum of
    factor^k, the newest with k = 0, over the finite ones of the last MEMORY values. It is computed
    when it is asked for, from the column alone."""

    def __init__(self, factor: float) -> None:
        self._weights: Float64Array = factor ** np.arange(MEMORY - 1, -1, -1.0)
        self._column = Series()
        self._begin = 0
        self._value: float | None = math.nan

    def follow(self, column: Series, begin: int) -> None:
        """Looks at the values of `column` from place `begin` on; to be called again whenever it has
        grown or was cut."""
        self._column, self._begin, self._value = column, begin, None

    @property
    def value(self) -> float:
        """The average up to the newest value; NaN where none of them is finite."""
        if self._value is None:
            self._value = self.after(len(self._column))
        return self._value

    def after(self, count: int) -> float:
        """The average as it was after the first `count` values of the column."""
        values = self._column.part(max(self._begin, count - MEMORY), count).astype(np.float64)
        taken = values[np.isfinite(values)]
        if not len(taken):
            return math.nan
        weights = self._weights[-len(taken) :]
        return float((taken * weights).sum() / weights.sum())


class Ema:
    """TensorBoard's smoothing: `accum = weight * accum + (1 - weight) * value`, shown as `accum /
    (1 - weight ** n)`.

    What is not finite passes through as it is and counts for nothing; as long as all values are
    equal they stay themselves.
    """

    def __init__(self, weight: float) -> None:
        if not 0 < weight < 1:
            raise ValueError(f"the weight of an average lies between 0 and 1, not at {weight}")
        self.weight = weight
        self.count = 0
        """Finite values so far."""
        self._carry = 0.0
        """The sum up to the last whole row."""
        self._row: Float64Array = np.empty(0)
        """The values since then."""
        self._only = math.nan
        """The value that all finite ones so far had; NaN once they differ."""

    def extend(self, values: NDArray[np.floating[Any]]) -> Float64Array:
        """The averages up to each of `values`, shape (n,), which come after those of the calls
        before."""
        shown: Float64Array = values.astype(np.float64)
        places = np.flatnonzero(np.isfinite(shown))
        taken = shown[places]
        if not len(taken):
            return shown
        held, self._row = len(self._row), np.concatenate((self._row, (1 - self.weight) * taken))
        sums, carries = accumulated(self._row, self.weight, self._carry)
        whole = len(self._row) // ROW
        self._row, self._carry = self._row[whole * ROW :], carries[whole]
        powers = np.exp(
            np.arange(self.count + 1, self.count + 1 + len(taken)) * math.log(self.weight)
        )
        if not self.count:
            self._only = float(taken[0])
        self.count += len(taken)
        differs = taken != self._only
        if differs.any():
            first, self._only = int(differs.argmax()), math.nan
            with np.errstate(over="ignore"):
                shown[places[first:]] = sums[held + first :] / (1 - powers[first:])
        return shown


def accumulated(
    values: Float64Array, weight: float, start: float = 0.0
) -> tuple[Float64Array, list[float]]:
    """a[i] = weight * a[i - 1] + values[i] with a[-1] = `start`, for finite values of shape (n,):
    a, same shape, and the sum before each row of ROW values and after the last.

    Within all rows at once, over 1, 2, 4, ... places; then what each row leaves to the next. Each
    sum is made element by element: a product of matrices may have other last bits for another
    number of rows. No power is ever divided by, so that none needs to be representable.
    """
    rows = np.zeros((-(-len(values) // ROW), ROW))
    rows.reshape(-1)[: len(values)] = values
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        reach = 1
        while reach < ROW:
            rows[:, reach:] += weight**reach * rows[:, :-reach]
            reach *= 2
        row_weight = weight**ROW
        carries = list(
            accumulate(
                rows[:, -1].tolist(), lambda before, own: row_weight * before + own, initial=start
            )
        )
        rows += np.array(carries[:-1])[:, None] * _carried(weight)
    flat: Float64Array = rows.reshape(-1)[: len(values)]
    return flat, carries


@lru_cache(64)
def _carried(weight: float) -> Float64Array:
    """What the sum before a row is worth at each of its places."""
    with np.errstate(under="ignore"):
        carried: Float64Array = np.power(weight, np.arange(1, ROW + 1))
        return carried
