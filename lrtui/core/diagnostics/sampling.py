"""Which steps are measured: a function of the step and of the lane's length alone, so that no
conclusion depends on the clock."""

from __future__ import annotations

from lrtui.core.protocol import thresholds
from lrtui.core.protocol.thresholds import early_steps


class Sampling:
    """The measured steps of a lane of `total` steps: many in the early window, where the gauge
    tells most, few later."""

    def __init__(self, total: int) -> None:
        self._window = early_steps(total)
        count = min(thresholds.EARLY_SAMPLES, self._window)
        self._early = frozenset(index * self._window // count for index in range(count))

    def due(self, step: int) -> bool:
        """True where `step`, counted from 0, is to be measured."""
        if step < self._window:
            return step in self._early
        return (step - self._window) % thresholds.LATE_STRIDE == 0

    def compared(self, step: int) -> bool:
        """True where the loss of `step`, a measured one, is also computed with the initial weights:
        in the early window."""
        return step < self._window
