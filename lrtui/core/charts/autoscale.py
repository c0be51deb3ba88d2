"""The y range that a chart shows of its curves: all of them, or without their outliers. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.results.ranking import is_nan
from lrtui.core.series.array_buffer import Float64Array
from lrtui.core.series.series import FiniteRange, Window
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import UNRANKED

LOW, HIGH = 0.05, 0.95
"""Quantiles of what the columns of a curve show; what lies outside is an outlier."""
COLUMNS = 128
"""Of a curve by which its outliers are told."""
HEADROOM = 10.0
"""The axis is not made higher than this times what is in sight for the sake of a lane that
exploded."""
TAIL = 0.05
"""Trailing fraction of a curve's columns that always counts, outlier or not."""


def visible_range(
    windows: Sequence[Window], tails: Sequence[bool], full: bool = False
) -> FiniteRange:
    """Lowest, highest and lowest positive value to show of some curves; NaN without any.

    `full`: of all finite values. Otherwise of each curve the range between the 5 % and 95 %
    quantiles of its columns, and its tail if `tails` says so (the lane lives, or ended well). A
    curve whose tail may be cut (it ended by diverging) does not count beside such curves: one
    explosion would flatten the others.
    """
    if full or not any(tails):
        heard, with_tails = list(windows), False
    else:
        heard, with_tails = (
            [window for window, tail in zip(windows, tails, strict=True) if tail],
            True,
        )
        if not any(np.isfinite(window.lo).any() for window in heard):
            heard, with_tails = list(windows), False
    found = [part for window in heard for part in _parts(window, full, with_tails)]
    if not found:
        return FiniteRange(math.nan, math.nan, math.nan)
    lows, highs, positives = (np.array(column) for column in zip(*found, strict=True))
    shown = positives[(positives > 0) & (positives <= highs.max())]
    return FiniteRange(
        float(lows.min()), float(highs.max()), float(shown.min()) if len(shown) else math.nan
    )


def with_beginnings(found: FiniteRange, windows: Sequence[Window]) -> FiniteRange:
    """A range with the first values of some curves: those that explode are not all arrows, and a
    logarithmic axis, where that takes a decade at the most, shows where all of them came from."""
    low, high = found.low, found.high
    for window in windows:
        firsts = window.first[np.isfinite(window.first)][:1].tolist()
        if firsts and abs(firsts[0]) <= HEADROOM * max(abs(found.high), abs(found.low)):
            low, high = min(low, firsts[0]), max(high, firsts[0])
    return found._replace(low=low, high=high)


def ends_well(lane: LaneState, state: RaceState) -> bool:
    """True if the newest values of a lane must be visible: it lives with a finite loss, or did not
    end by exploding."""
    if is_nan(lane):
        return False
    if not lane.over:
        return True
    return lane.status not in UNRANKED and verdict(lane, state).word != "diverged"


def _parts(window: Window, full: bool, tail: bool) -> list[tuple[float, float, float]]:
    """(lowest, highest, lowest positive or 0) of the values of one curve that must be visible."""
    there = np.isfinite(window.lo)
    if not there.any():
        return []
    lo, hi = window.lo[there].astype(np.float64), window.hi[there].astype(np.float64)
    if full:
        return [_bounds(lo, hi)]
    positive = np.concatenate((lo[lo > 0], hi[(lo <= 0) & (hi > 0)]))
    low, high = _quantile(lo, LOW), _quantile(hi, HIGH)
    middle = (
        low,
        max(high, low),
        low if low > 0 else _quantile(positive, LOW) if len(positive) else 0.0,
    )
    last = -max(1, round(TAIL * len(lo)))
    return [middle, _bounds(lo[last:], hi[last:])] if tail else [middle]


def _quantile(values: Float64Array, share: float) -> float:
    """The next value outward: of less than twenty none is an outlier. A tenth of the time that
    `np.quantile` takes."""
    position = share * (len(values) - 1)
    return float(np.sort(values)[math.floor(position) if share < 0.5 else math.ceil(position)])


def _bounds(lo: Float64Array, hi: Float64Array) -> tuple[float, float, float]:
    positive = np.where(lo > 0, lo, hi)
    return (
        float(lo.min()),
        float(hi.max()),
        float(positive[positive > 0].min(initial=math.inf)) if (hi > 0).any() else 0.0,
    )
