"""The rule for spikes: single losses far above those just before. Pure."""

from __future__ import annotations

import math
from collections import deque

from lrtui.core.protocol import thresholds
from lrtui.core.stateful import Stateful, stored


class Spikes(Stateful):
    """Losses far above those just before: a mark on the curve, no alert; many recover by
    themselves."""

    STATE = stored("_window", "_sum", "_squares", "_origin", "_until_anew")

    def __init__(self) -> None:
        self._window: deque[float] = deque(maxlen=thresholds.SPIKE_WINDOW)
        self._sum = self._squares = self._origin = 0.0
        self._until_anew = 0

    def update(self, loss: float) -> bool:
        """Fold in the loss of one step; True if it is more than SPIKE_SIGMAS standard deviations
        above the mean of the last SPIKE_WINDOW losses."""
        if not math.isfinite(loss):
            return False
        count = len(self._window)
        out = False
        if count >= thresholds.SPIKE_LEAST:
            mean = self._sum / count
            spread = math.sqrt(max(self._squares / count - mean * mean, 0.0))
            out = loss - self._origin - mean > thresholds.SPIKE_SIGMAS * spread > 0
        self._append(loss)
        return out

    def _append(self, loss: float) -> None:
        """Update the sums. They are about an origin near the losses, recomputed once a window:
        differences of large sums would lose all digits."""
        if self._until_anew == 0:
            self._until_anew = thresholds.SPIKE_WINDOW
            self._window.append(loss)
            self._origin = loss
            self._sum = sum(value - loss for value in self._window)
            self._squares = sum((value - loss) * (value - loss) for value in self._window)
            return
        self._until_anew -= 1
        if len(self._window) == thresholds.SPIKE_WINDOW:
            oldest = self._window[0] - self._origin
            self._sum -= oldest
            self._squares -= oldest * oldest
        self._window.append(loss)
        self._sum += loss - self._origin
        self._squares += (loss - self._origin) * (loss - self._origin)
