"""The rule for STALLED: the best smoothed loss no longer improves. Pure."""

from __future__ import annotations

import math

from lrtui.core.protocol import thresholds
from lrtui.core.protocol.thresholds import early_steps
from lrtui.core.stateful import Stateful, stored


class Plateau(Stateful):
    """The step since which the best smoothed loss has hardly improved.

    Of a lane of unknown length (`total` 0) the budget is what it has done so far.
    """

    STATE = stored("_patience", "_early", "_mark", "_since", "_steps")

    def __init__(self, total: int) -> None:
        self._patience = max(thresholds.FLAT_STEPS, thresholds.FLAT_PART * total)
        self._early = early_steps(total)
        self._mark = math.inf
        self._since = 0
        self._steps = 0

    def update(self, smooth: float) -> None:
        """Fold in the smoothed loss of one step."""
        self._steps += 1
        if smooth < self._mark - thresholds.FLAT * abs(self._mark) or self._mark == math.inf:
            self._mark, self._since = smooth, self._steps

    @property
    def since(self) -> int | None:
        """Steps done at the last improvement; None while the loss improves, and in the early
        window."""
        patience = max(self._patience, thresholds.FLAT_PART * self._steps)
        flat = self._steps - self._since >= patience and self._steps > self._early
        return self._since if flat else None
