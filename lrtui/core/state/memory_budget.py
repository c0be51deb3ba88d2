"""How much memory the curves of a race may take up: beyond it, the oldest single values become the
extremes of buckets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lrtui.core.series.series import Series
from lrtui.core.state.lane_state import LaneState

MEMORY = 1_000_000_000
"""Bytes; some 25 million steps with 8 columns each are kept whole."""
BYTES = 5
"""What a value takes up, about: so much is counted before all is weighed again."""


class Limit:
    """A number of bytes that the curves of some lanes are kept below."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self._fresh = 0

    def watch(self, lanes: Sequence[LaneState], values: int) -> None:
        """Takes note of so many new values; now and then it looks how much there is, and lets the
        longest series forget."""
        self._fresh += values * BYTES
        if self._fresh * 64 > self.memory:
            self._fresh = 0
            forget(lanes, self.memory)


def forget(lanes: Sequence[LaneState], memory: int) -> None:
    """Lets the longest series forget their oldest single values until all together take up at most
    `memory` bytes, or until only their newest values are left."""
    over = (
        sum(lane.clock.nbytes + sum(series.nbytes for series in all_series(lane)) for lane in lanes)
        - memory
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
            lane.clock.forget(series.forgotten)
            freed += before - lane.clock.nbytes
        over -= freed


def all_series(lane: LaneState) -> Iterator[Series]:
    """Columns of steps, what was worked out of them, and what was abandoned."""
    yield from lane.columns.values()
    yield from (kept.series for kept in lane.derived_cache.values())
    yield from (one.losses for one in lane.abandoned)
