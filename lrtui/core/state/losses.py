"""First, last, best and smoothed training loss of a lane."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrtui.core.numbers import UNKNOWN, loss
from lrtui.core.series.ema import Trailing
from lrtui.core.series.series import Series
from lrtui.core.state.columns import Columns

RANKING_FACTOR = 0.9
"""EMA factor of the loss by which lanes are ranked: about the last ten steps."""


class LossSummary:
    """The losses of a lane from step `begin` on; NaN before the first."""

    def __init__(self, columns: Columns, begin: int) -> None:
        self.first = self.last = self.best = math.nan
        self.best_step: int | None = None
        """Step of the lowest finite loss; None before the first one."""
        self.smooth = Trailing(RANKING_FACTOR)
        self.spikes: list[int] = []
        """Steps whose loss stands far above those before it, rising."""
        self._columns, self._begin = columns, begin
        self._begun = False

    @property
    def last_text(self) -> str:
        """The last loss as text; a dash before the first step, which is not the same as NaN."""
        return loss(self.last) if self._begun else UNKNOWN

    @property
    def best_text(self) -> str:
        """The best loss as text; a dash before the first finite loss."""
        return loss(self.best) if self.best_step is not None else UNKNOWN

    def extend(self, first: int, losses: NDArray[Any]) -> None:
        """Fold in the losses of a block from step `first` on, which `columns` holds already."""
        finite = np.where(np.isfinite(losses), losses, np.inf)
        lowest = int(finite.argmin())
        if math.isfinite(finite[lowest]) and not self.best <= finite[lowest]:
            self.best, self.best_step = float(finite[lowest]), first + lowest
        if not self._begun:
            self.first, self._begun = float(losses[0]), True
        self.smooth.follow(self._columns["loss"], self._begin)
        self.last = float(losses[-1])

    def cut(self, step: int) -> None:
        """Recompute from `columns`, which are cut at `step` already."""
        self._begin = min(self._begin, step)
        self._begun = step > self._begin
        losses = self._columns.get("loss", Series())
        self.first = self.last = math.nan
        if len(losses) > self._begin:
            self.first, self.last = losses.at(self._begin), losses.last
        self.best_step, self.best = losses.lowest(self._begin) or (None, math.nan)
        self.smooth.follow(losses, self._begin)
        self.spikes = [spike for spike in self.spikes if spike < step]
