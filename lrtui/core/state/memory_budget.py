"""The memory budget of a race's curves: beyond it, the oldest single values become the extremes of
buckets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from lrtui.core.state.lane_state import LaneState

DEFAULT_BYTES = 1_000_000_000
"""About 25 million steps with 8 columns each are kept whole."""
BYTES_PER_VALUE = 5
"""Approximate; used to decide when the exact sum is due."""


class Thinnable(Protocol):
    """A series that can give up detail."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""

    def thin(self) -> int:
        """Drop detail of the older half; return the bytes freed, 0 if nothing is left to drop."""


class MemoryBudget:
    """An upper bound, in bytes, for the curves of some lanes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._unweighed = 0
        """Bytes added since the last exact sum."""

    def add(self, lanes: Sequence[LaneState], values: int) -> None:
        """Count `values` new numbers; thin the longest series whenever a 64th of the budget
        came."""
        self._unweighed += values * BYTES_PER_VALUE
        if self._unweighed * 64 > self.limit:
            self._unweighed = 0
            thin_to_fit(lanes, self.limit)


def thin_to_fit(lanes: Sequence[LaneState], limit: int) -> None:
    """Thin the longest series until all together take at most `limit` bytes, or until only their
    newest values are left."""
    over = (
        sum(lane.clock.nbytes + sum(series.nbytes for series in all_series(lane)) for lane in lanes)
        - limit
    )
    thinnable = (
        [(lane, series) for lane in lanes for series in all_series(lane)] if over > 0 else []
    )
    while over > 0 and thinnable:
        lane, series = max(thinnable, key=lambda pair: pair[1].nbytes)
        freed = series.thin()
        if not freed:
            thinnable = [pair for pair in thinnable if pair[1] is not series]
        elif series is lane.columns.get("seconds"):
            before = lane.clock.nbytes
            lane.clock.thin(lane.columns["seconds"].forgotten)
            freed += before - lane.clock.nbytes
        over -= freed


def all_series(lane: LaneState) -> Iterator[Thinnable]:
    """Columns of steps, logged numbers, curves derived from them, and abandoned losses."""
    yield from lane.columns.values()
    yield from lane.logged.values()
    yield from (derived.series for derived in lane.derived.values())
    yield from (abandoned.losses for abandoned in lane.abandoned)
