"""The values measured at sampled steps of a lane: step gains, element rates, update ratios."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left

from lrtui.core.protocol.events import Measured


class Measurements:
    """Columns of `events.Measured`, one value per sampled step in each."""

    def __init__(self) -> None:
        self.steps = array("q")
        """Sampled steps, counted from 0, rising."""
        self.columns: dict[str, array[float]] = {}
        """By name; float64, NaN where a step has no value. A cut makes new arrays."""
        self.seconds = 0.0
        """Time that measuring has taken."""

    def last(self, name: str) -> float:
        """Newest finite value of a column; NaN if it has none."""
        return next(
            (value for value in reversed(self.columns.get(name, ())) if math.isfinite(value)),
            math.nan,
        )

    def last_step(self, name: str) -> int | None:
        """Step of that value."""
        column = self.columns.get(name, ())
        return next(
            (
                step
                for step, value in zip(reversed(self.steps), reversed(column), strict=False)
                if math.isfinite(value)
            ),
            None,
        )

    def apply(self, event: Measured) -> None:
        """Append the values of an event."""
        self.steps.extend(event.steps)
        for name in event.columns:
            self.columns.setdefault(name, array("d")).extend(event.values(name).tolist())
        self.seconds = event.spent

    def cut(self, step: int) -> None:
        """Drop the values from `step` on."""
        count = bisect_left(self.steps, step)
        del self.steps[count:]
        self.columns = {name: values[:count] for name, values in self.columns.items()}
