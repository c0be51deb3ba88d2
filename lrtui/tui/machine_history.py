"""Recent load of the machine in rings of fixed size, and the lanes' shares of the time. Pure: the
caller passes the time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

BINS = 30
BASES = (("1 min", 60.0), ("5 min", 300.0), ("30 min", 1800.0))
"""Time bases: (name, seconds). Each is kept as BINS means."""
WINDOW_S = 10.0
"""Seconds over which shares of the time are measured."""


class Ring:
    """Means of a quantity over the last BINS spans of time; NaN for a span without a reading."""

    def __init__(self, seconds: float) -> None:
        self._span = seconds / BINS
        self._done: deque[float] = deque([math.nan] * BINS, maxlen=BINS)
        self._bin: int | None = None
        self._sum, self._count = 0.0, 0

    def take(self, at: float, value: float) -> None:
        """Add a value at a time in seconds, which must not decrease; a value that is not finite is
        ignored."""
        now = int(at // self._span)
        if self._bin is not None and now > self._bin:
            self._done.append(self._mean)
            self._done.extend([math.nan] * min(now - self._bin - 1, BINS))
            self._sum, self._count = 0.0, 0
        self._bin = now
        if math.isfinite(value):
            self._sum, self._count = self._sum + value, self._count + 1

    @property
    def _mean(self) -> float:
        return self._sum / self._count if self._count else math.nan

    def values(self) -> list[float]:
        """The last `BINS` means, the newest last: the span that is not over yet included."""
        return [*self._done, self._mean][1:]


class History:
    """The past of every quantity on every time base."""

    def __init__(self) -> None:
        self._rings: dict[str, tuple[Ring, ...]] = {}

    def take(self, at: float, values: Mapping[str, float]) -> None:
        """One reading of quantities by name."""
        for name, value in values.items():
            if name not in self._rings:
                self._rings[name] = tuple(Ring(seconds) for _, seconds in BASES)
            for ring in self._rings[name]:
                ring.take(at, value)

    def of(self, name: str, base: int) -> list[float]:
        """`BINS` means of a quantity on the time base with that number, the newest last."""
        return self._rings[name][base].values() if name in self._rings else [math.nan] * BINS


class Shares:
    """How lanes share the time: of the seconds that all of them trained over the last `WINDOW_S`,
    each one's part."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, dict[int, float]]] = deque()

    def of(self, trained: dict[int, float], at: float) -> dict[int, float]:
        """Takes the seconds that lanes have trained by a time; their shares since the window's
        beginning, 0 to 1."""
        self._seen.append((at, trained))
        while len(self._seen) > 2 and self._seen[1][0] <= at - WINDOW_S:
            self._seen.popleft()
        before = self._seen[0][1]
        # what a way back takes from a lane's seconds counts for nothing
        gained = {
            lane: max(0.0, seconds - before.get(lane, seconds)) for lane, seconds in trained.items()
        }
        total = sum(gained.values())
        return {lane: seconds / total for lane, seconds in gained.items()} if total > 0 else {}
