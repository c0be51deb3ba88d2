"""Limits a lane to a number of steps a second."""

from __future__ import annotations

import time

CATCH_UP_S = 0.2
"""Seconds of delay (a validation, a busy machine) that a lane catches up at most."""


class Pace:
    """The pace of one lane; no limit without `steps_per_s`."""

    def __init__(self, steps_per_s: float | None) -> None:
        self.limited = bool(steps_per_s)
        self._interval_s = 1 / steps_per_s if steps_per_s else 0.0
        self._due = time.monotonic()

    def wait_s(self) -> float:
        """Seconds until the next step is due; 0 or less if it is due now."""
        return self._due - time.monotonic() if self.limited else 0.0

    def step_done(self) -> None:
        """Sets the time at which the next step is due."""
        self._due = max(self._due + self._interval_s, time.monotonic() - CATCH_UP_S)
