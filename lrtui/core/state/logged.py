"""The numbers that a script logged, each name with the steps at which it has a value."""

from __future__ import annotations

import math

import numpy as np

from lrtui.core.protocol.events import Logged
from lrtui.core.series.sparse import SparseSeries

MOST_NAMES = 256
"""Names beyond these are left out: a script that makes up names without end fills no memory."""


class LoggedNumbers(dict[str, SparseSeries]):
    """Series by name. A value logged after n steps lies at step n - 1, as an evaluation does."""

    def apply(self, event: Logged) -> None:
        """Append the values of an event; NaN stands for a missing one."""
        steps = (np.array(event.steps, np.int64) - 1).clip(0)
        for name in event.columns:
            values = event.values(name)
            there = np.flatnonzero(~np.isnan(values))
            if len(there) and (name in self or len(self) < MOST_NAMES):
                self.setdefault(name, SparseSeries()).add(steps[there], values[there])

    def cut(self, step: int) -> None:
        """Drop the values from `step` on."""
        for series in self.values():
            series.cut(step)

    def newest(self) -> dict[str, float]:
        """The newest value of each name that has one."""
        return {
            name: value
            for name, sparse in self.items()
            if not math.isnan(value := sparse.series.last)
        }
