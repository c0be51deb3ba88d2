"""Which steps are measured: many early, where the gauge tells most, few later, and never for more than a small share of the time.

Pure but for the seconds that it is told. The record says what measuring has cost.
"""

from __future__ import annotations

import math

from lrtui.core import thresholds as limits
from lrtui.core.detectors import early_steps


class Sampling:
    """Plans the measured steps of a lane of `total` steps; `pace` as in the race (steps a second, 0: as fast as it goes)."""

    def __init__(self, total: int, pace: int = 0) -> None:
        self.total = total
        self.total_spent = 0.0
        """Seconds spent on measuring so far."""
        self._early = early_steps(total)
        self._least = 1.0 / pace if pace else 0.0
        self._next: int | None = 0
        self._step = 0
        self._samples = 0
        self._steps = 0
        self._seconds = self._spent_before = 0.0
        self._sample = 0.0
        self._dearest = 0.0

    def begin(self, step: int) -> None:
        """Makes `step` the first one to be measured."""
        self._next = step

    def due(self, step: int) -> bool:
        """Whether `step`, counted from 0, is to be measured."""
        self._step = step
        return step == self._next

    def spent(self, seconds: float) -> None:
        """A part of the measuring of this step is done."""
        self._sample += seconds
        self.total_spent += seconds

    def sampled(self, seconds: float) -> None:
        """The measuring of this step is over: now is the time to choose the next one."""
        self.spent(seconds)
        self._samples += 1
        self._dearest = max(self._dearest, self._sample)
        self._next = self._choose(self._step)
        self._sample = 0.0

    def stepped(self, seconds: float) -> None:
        """A step took so many seconds, its measuring included."""
        if self._step:  # the very first step is slower than any other
            self._steps += 1
            self._seconds += seconds - (self.total_spent - self._spent_before)
            none_early = self._next is None or self._next >= self._early
            if self._samples and self._step < self._early and none_early:
                self._next = self._choose(self._step)  # more is known now of how long a step takes
        self._spent_before = self.total_spent

    def _choose(self, step: int) -> int | None:
        """The next step to measure; None where the time that measuring may take is used up."""
        # The dearest sample does not count: it is the first one, or one during which the machine did something else.
        cost = (self.total_spent - self._dearest) / (self._samples - 1) if self._samples > 1 else self.total_spent
        took = max(self._seconds / self._steps if self._steps else cost, self._least)
        affordable = limits.PLANNED * took * self.total / cost if cost > 0 else math.inf
        if took < limits.SHORT_STEP_S:
            affordable = max(affordable, limits.EARLY_SAMPLES / limits.EARLY_TIME)
        if step < self._early:
            left = min(limits.EARLY_SAMPLES, limits.EARLY_TIME * affordable) - self._samples
            if left >= 1:
                return step + max(1, math.ceil((self._early - step) / left))
        left = affordable - self._samples
        if left < 1:
            return None
        return max(step + limits.LATE_STRIDE, self._early, step + math.ceil((self.total - step) / left))
