"""Steps per second of wall time over the last seconds, for the remaining time of a lane."""

from __future__ import annotations

import math
from collections import deque

WINDOW_S = 3.0


class Throughput:
    """Marks (time, steps done) of the last WINDOW_S seconds."""

    def __init__(self, steps: int) -> None:
        self._marks: deque[tuple[float, int]] = deque([(math.nan, steps)], maxlen=200)

    @property
    def speed(self) -> float:
        """Steps per second of wall time; NaN before two marks are known."""
        (since, first), (until, last) = self._marks[0], self._marks[-1]
        return (last - first) / (until - since) if until > since else math.nan

    def mark(self, at: float, steps: int, *, restart: bool = False) -> None:
        """Record the steps done at a time; `restart` drops the marks before a pause or a rewind."""
        if restart:
            self._marks.clear()
        self._marks.append((at, steps))
        while len(self._marks) > 2 and not self._marks[0][0] >= at - WINDOW_S:
            self._marks.popleft()
