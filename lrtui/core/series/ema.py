"""Debiased exponential moving averages of columns of numbers.

    Ema              value by value, for the rules and the finder; a NaN keeps the last average
    TensorBoardEma   block by block, for curves as TensorBoard draws them; a NaN passes through
    Trailing         the average at the end of a column, for the standings

All give the same bits for the same numbers, however those are cut into blocks. Ema and
TensorBoardEma stay apart because their last bits differ: verdicts rest on those of Ema, and a loop
over the millions of values of a curve would take ten times as long.
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
from lrtui.core.stateful import Stateful, stored

ROW = 32
"""Values summed at once; rows begin at multiples of it, counted over all finite values."""
TRAILING = 1000
"""Values of a trailing average; at a factor of 0.9 those further back weigh less than 1e-45."""


class Ema(Stateful):
    """The sum of factor^k * value over the sum of factor^k, the newest value with k = 0. Values
    that are not finite are skipped. `value` is NaN before the first finite one."""

    STATE = stored("factor", "value", "_sum", "_weight")

    __slots__ = ("_sum", "_weight", "factor", "value")

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self._sum = 0.0
        self._weight = 0.0
        self.value = math.nan

    def update(self, value: float) -> float:
        """Fold in one value; the average up to it."""
        if math.isfinite(value):
            self._sum = self.factor * self._sum + (1 - self.factor) * value
            self._weight = self.factor * self._weight + (1 - self.factor)
            self.value = self._sum / self._weight
        return self.value

    def extend(self, values: NDArray[np.floating[Any]]) -> Float64Array:
        """Fold in values of shape (n,); the average up to each, same shape."""
        return np.array([self.update(value) for value in values.tolist()], np.float64)


class Trailing:
    """The average at the end of a growing column, over the finite ones of its last TRAILING values,
    weighted as in Ema. Computed on demand, from the column alone."""

    def __init__(self, factor: float) -> None:
        self._weights = _trailing_weights(factor)
        self._column = Series()
        self._begin = 0
        self._value: float | None = math.nan

    def follow(self, column: Series, begin: int) -> None:
        """Average `column` from index `begin` on; call again whenever the column has grown or was
        cut."""
        self._column, self._begin, self._value = column, begin, None

    @property
    def value(self) -> float:
        """The average up to the newest value; NaN if none is finite."""
        if self._value is None:
            self._value = self.after(len(self._column))
        return self._value

    def after(self, count: int) -> float:
        """The average after the first `count` values of the column."""
        values = self._column.part(max(self._begin, count - TRAILING), count).astype(np.float64)
        finite = values[np.isfinite(values)]
        if not len(finite):
            return math.nan
        weights = self._weights[-len(finite) :]
        return float((finite * weights).sum() / weights.sum())


@lru_cache(16)
def _trailing_weights(factor: float) -> Float64Array:
    """Weights of the last TRAILING values, the newest one's last."""
    weights: Float64Array = factor ** np.arange(TRAILING - 1, -1, -1.0)
    return weights


class TensorBoardEma:
    """TensorBoard's smoothing: `accum = weight * accum + (1 - weight) * value`, shown as
    `accum / (1 - weight ** n)`.

    Values that are not finite pass through and are skipped; as long as all values are equal they
    stay themselves.
    """

    def __init__(self, weight: float) -> None:
        if not 0 < weight < 1:
            raise ValueError(f"Expected a weight between 0 and 1, got {weight}")
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
        """The averages up to each of `values`, shape (n,), which continue those of earlier
        calls."""
        shown: Float64Array = values.astype(np.float64)
        indices = np.flatnonzero(np.isfinite(shown))
        finite = shown[indices]
        if not len(finite):
            return shown
        held, self._row = len(self._row), np.concatenate((self._row, (1 - self.weight) * finite))
        sums, carries = accumulated(self._row, self.weight, self._carry)
        whole = len(self._row) // ROW
        self._row, self._carry = self._row[whole * ROW :], carries[whole]
        powers = np.exp(
            np.arange(self.count + 1, self.count + 1 + len(finite)) * math.log(self.weight)
        )
        if not self.count:
            self._only = float(finite[0])
        self.count += len(finite)
        differs = finite != self._only
        if differs.any():
            first, self._only = int(differs.argmax()), math.nan
            with np.errstate(over="ignore"):
                shown[indices[first:]] = sums[held + first :] / (1 - powers[first:])
        return shown


def accumulated(
    values: Float64Array, weight: float, start: float = 0.0
) -> tuple[Float64Array, list[float]]:
    """a[i] = weight * a[i - 1] + values[i] with a[-1] = `start`, for finite values of shape (n,):
    a, same shape, and the sum before each row of ROW values and after the last.

    A parallel scan within all rows at once, over 1, 2, 4, ... elements; then the carry of each row
    into the next. The sums are elementwise: a product of matrices may have other last bits for
    another number of rows. No power is a divisor, so that none needs to be representable.
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
    """Weight of the sum before a row at each of its elements."""
    with np.errstate(under="ignore"):
        carried: Float64Array = np.power(weight, np.arange(1, ROW + 1))
        return carried
