"""The debiased moving average that TensorBoard draws, in whole blocks: about 30 ns a value, whatever the weight."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrtui.core.growing import Doubles

ROW = 32
"""Values that one product with a matrix of powers takes at once."""


class Ema:
    """TensorBoard's smoothing: `accum = weight * accum + (1 - weight) * value`, shown as `accum / (1 - weight ** n)`.

    What is not finite passes through as it is and counts for nothing; as long as all values are equal they stay themselves.
    """

    def __init__(self, weight: float) -> None:
        if not 0 < weight < 1:
            raise ValueError(f"the weight of an average lies between 0 and 1, not at {weight}")
        self.weight = weight
        self.count = 0
        """Finite values so far."""
        self._accum = 0.0
        self._only: float | None = None
        """The value that all finite ones so far had; NaN once they differ, None before the first."""

    def extend(self, values: NDArray[np.floating[Any]]) -> Doubles:
        """The averages up to each of `values`, shape (n,), which come after those of the calls before."""
        shown: Doubles = values.astype(np.float64)
        finite = np.isfinite(shown)
        taken = shown[finite]
        if not len(taken):
            return shown
        accums = accumulated((1 - self.weight) * taken, self.weight, self._accum)
        powers = np.exp(np.arange(self.count + 1, self.count + 1 + len(taken)) * math.log(self.weight))
        with np.errstate(over="ignore"):
            averages = accums / (1 - powers)
        self._accum, self.count = float(accums[-1]), self.count + len(taken)
        if self._only is None:
            self._only = float(taken[0])
        if not (taken == self._only).all():
            self._only = math.nan
            shown[finite] = averages
        return shown


def accumulated(values: Doubles, weight: float, start: float = 0.0) -> Doubles:
    """a[i] = weight * a[i - 1] + values[i] with a[-1] = `start`, for finite values of shape (n,); same shape.

    Row by row with a matrix of the weight's powers; what a row leaves to the next is the same sum again, of fewer numbers.
    No power is ever divided by, so that none needs to be representable.
    """
    matrix, carried = _powers(weight)
    count = -(-len(values) // ROW)
    rows = np.zeros((count, ROW))
    rows.reshape(-1)[: len(values)] = values
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        sums = rows @ matrix
        begins = np.full(1, start)
        if count > 1:
            begins = np.concatenate((begins, accumulated(sums[:-1, -1], float(weight**ROW), start)))
        sums += begins[:, None] * carried
    flat: Doubles = sums.reshape(-1)[: len(values)]
    return flat


@lru_cache(64)
def _powers(weight: float) -> tuple[Doubles, Doubles]:
    """matrix[i, j]: what value i of a row is worth at place j; and what the sum before the row is worth there."""
    exponents = np.arange(ROW)[None, :] - np.arange(ROW)[:, None]
    with np.errstate(under="ignore"):
        matrix = np.where(exponents >= 0, np.power(weight, np.maximum(exponents, 0)), 0.0)
        return matrix, np.power(weight, np.arange(1, ROW + 1))
