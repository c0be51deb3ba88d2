"""The recorded columns of a lane's steps. Each row is a step; NaN fills the steps that are not on
record (inherited by a fork, or lost to a full disk)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrtui.core.protocol.events import Steps
from lrtui.core.series.series import Series

REQUIRED = ("loss", "applied_lr", "next_lr", "seconds")
"""Columns of every block; a block that lacks one holds NaN there."""


class Columns(dict[str, Series]):
    """Series of a lane by column name, all of them indexed by step."""

    def append(self, event: Steps) -> dict[str, NDArray[Any]]:
        """Append a block; values known from its first step on are replaced. Return the block's
        arrays by column, shape (count,), in the precision of the record."""
        blocks = {name: column.unpack(event.count) for name, column in event.columns.items()}
        blocks |= {name: np.full(event.count, math.nan) for name in REQUIRED if name not in blocks}
        for name, block in blocks.items():
            series = self.get(name)
            if series is None:
                series = self[name] = Series()
            if len(series) > event.first:
                series = self[name] = series.cut(event.first)
            if len(series) < event.first:
                series.extend(np.full(event.first - len(series), math.nan))
            series.extend(block)
        return blocks

    def cut(self, step: int) -> None:
        """Drop the values from `step` on."""
        for name, series in self.items():
            self[name] = series.cut(step)

    def last(self, name: str) -> float:
        """Newest value of a column (float32), finite or not; NaN if the column is missing."""
        return self[name].last if name in self else math.nan
