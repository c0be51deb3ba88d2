"""Times the steps of a lane."""

from __future__ import annotations

import time


class StepClock:
    """Counts seconds of training: time spent in a pause, another lane's slice or a sample belongs
    to no step, so `start` it again after those."""

    def __init__(self) -> None:
        self.mark = time.perf_counter()
        """Moment since which it counts, as of time.perf_counter()."""
        self._before = 0.0
        """Seconds of the present step until it was stopped."""

    def start(self) -> None:
        """Counts from now on."""
        self.mark = time.perf_counter()

    def stop(self) -> None:
        """Stops within a step, which `start` goes on with."""
        self._before = self.elapsed()

    def elapsed(self) -> float:
        """Seconds of the present step so far."""
        return self._before + time.perf_counter() - self.mark

    def lap(self) -> float:
        """Ends the step; returns its seconds."""
        seconds = self.elapsed()
        self.mark, self._before = time.perf_counter(), 0.0
        return seconds
