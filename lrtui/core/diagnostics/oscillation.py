"""The measure behind NOISY: how often and how far the loss reverses. Pure."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from lrtui.core.protocol import thresholds
from lrtui.core.stateful import Stateful, stored


class Oscillation(Stateful):
    """Changes of the loss from step to step."""

    STATE = stored("_last")

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=thresholds.NOISY_STEPS + 1)

    def update(self, loss: float) -> None:
        """Fold in the loss of one step."""
        self._last.append(loss)

    def measure(self, smooth: float) -> tuple[float, float]:
        """(share of changes that reverse the one before, median size of a change over the smoothed
        loss); NaN for fewer than NOISY_STEPS changes."""
        if len(self._last) <= thresholds.NOISY_STEPS or not smooth > 0:
            return math.nan, math.nan
        # losses near the largest float overflow to infinity, without a warning
        with np.errstate(all="ignore"):
            changes = np.diff(np.array(self._last, dtype=float))
            if not np.isfinite(changes).all():
                return math.nan, math.nan
            reversal_share = float(np.mean(np.sign(changes[1:]) * np.sign(changes[:-1]) < 0))
            return reversal_share, float(np.median(np.abs(changes))) / smooth
