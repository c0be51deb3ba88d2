"""Numbers at some steps only, with the steps at which they lie. Knows no lane, file or screen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrtui.core.series.array_buffer import ArrayBuffer, Floats, Int64Array
from lrtui.core.series.series import Series

BUCKET = 16
"""Values of which thinning keeps the lowest and the highest."""
LEAST = 4096
"""Newest values that are never thinned."""


class SparseSeries:
    """Values by rising step, appended in blocks."""

    def __init__(self) -> None:
        self.steps = ArrayBuffer(np.int64)
        """The step of each value, never falling."""
        self.series = Series()

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        return self.steps.nbytes + self.series.nbytes

    @property
    def newest(self) -> tuple[int, float] | None:
        """(step, value) of the newest value; None without one."""
        return (int(self.steps.view()[-1]), self.series.last) if self.steps.size else None

    def add(self, steps: Sequence[int] | Int64Array, values: Sequence[float] | np.ndarray) -> None:
        """Append values; a step below the newest one counts as that one."""
        added = np.array(steps, np.int64)
        if self.steps.size and len(added):
            added = added.clip(self.steps.view()[-1])
        self.steps.append(np.maximum.accumulate(added))
        self.series.extend(values)

    def cut(self, step: int) -> None:
        """Drop the values from `step` on."""
        kept = int(self.steps.view().searchsorted(step))
        self.steps.shorten(kept)
        self.series = self.series.cut(kept)

    def thin(self) -> int:
        """Of each BUCKET of the older half, drop all values but the lowest and the highest; return
        the bytes freed, 0 if too few are left."""
        before = self.nbytes
        old = (len(self.series) - max(LEAST, len(self.series) // 2)) // BUCKET * BUCKET
        if old < BUCKET * BUCKET:
            return 0
        values = self.series.values
        kept = np.concatenate((_extremes(values[:old]), np.arange(old, len(values))))
        steps = self.steps.view()[kept]
        self.steps, self.series = ArrayBuffer(np.int64), Series()
        self.steps.append(steps)
        self.series.extend(values[kept])
        return max(before - self.nbytes, 1)


def _extremes(values: Floats) -> Int64Array:
    """The indices of the lowest and the highest value of each bucket, rising; an infinity is one,
    a NaN none."""
    buckets = values.reshape(-1, BUCKET)
    lows = np.where(np.isnan(buckets), np.inf, buckets).argmin(axis=1)
    highs = np.where(np.isnan(buckets), -np.inf, buckets).argmax(axis=1)
    found: Int64Array = np.unique(np.arange(len(buckets)) * BUCKET + np.stack((lows, highs)))
    return found
