"""The curves of a race, thinned out to columns in which no spike and no gap is lost: what page and
charts draw. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrtui.core.charts.autoscale import (
    COLUMNS as OUTLIERS,
    ends_well,
    visible_range,
    with_beginnings,
)
from lrtui.core.charts.axes import whole
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.marks import SNAPSHOT, Mark, lane_marks
from lrtui.core.charts.metric_series import MetricSeries, track
from lrtui.core.series.series import Flags, Floats, Int64Array
from lrtui.core.state.race_state import LaneState, RaceState

COLUMNS = 2000
"""Most columns of a curve on a page: more than most screens have pixels for it."""
MARKS = 500
"""Marks of one kind from which on a lane's marks are thinned to this number of places."""


class Curve(NamedTuple):
    """A quantity of one lane in columns from the left; each array has one entry for each column,
    values are float32.

    `lo`, `hi`, `last` and `mean` are over the finite values of a column, NaN where it has none.
    """

    steps: Int64Array
    """The first step of each column."""
    ends: Int64Array
    """The last one."""
    lo: Floats
    hi: Floats
    last: Floats
    mean: Floats
    finite: NDArray[np.int64]
    """Number of finite values in each column."""
    gap: Flags
    """True where a NaN or an infinity lies in the column."""
    cut: Flags
    """True where one lies right before the column's first finite value: no line leads to it."""


def lane_curve(lane: LaneState, name: str, columns: int = COLUMNS) -> Curve | None:
    """A lane's curve of one of `core.tracks.quantities`, from where its own record begins; None
    where it has no value."""
    found = track(lane, name)
    return None if found is None else curve_of(found, lane.forked_at, columns)


def curve_of(found: MetricSeries, forked_at: int, columns: int = COLUMNS) -> Curve | None:
    """A metric's curve from step `forked_at` on, in at most `columns` columns of equally many
    values, but for one."""
    first = forked_at if found.steps is None else int(found.steps.searchsorted(forked_at))
    count = len(found.series) - first
    if count < 1:
        return None
    width = min(columns, count)
    # rounded up
    edges: Int64Array = first - (-np.arange(width + 1, dtype=np.int64) * count // width)
    window = found.series.window_at(edges)
    values = found.series.part(first, len(found.series))
    good = np.isfinite(values)
    sums = np.add.reduceat(np.where(good, values, np.float32(0)), edges[:-1] - first, dtype=float)
    finite = np.add.reduceat(good, edges[:-1] - first, dtype=np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        mean = np.divide(sums, finite, out=np.full(width, np.nan), where=finite > 0).astype(
            np.float32
        )
    steps, ends = (
        (edges[:-1], edges[1:] - 1)
        if found.steps is None
        else (found.steps[edges[:-1]], found.steps[edges[1:] - 1])
    )
    return Curve(
        steps, ends, window.lo, window.hi, window.last, mean, finite, window.gap, window.cut
    )


def abandoned(lane: LaneState, columns: int = COLUMNS) -> list[Curve]:
    """The losses of what a lane did and went back on, as far as they are kept."""
    tracks = (
        MetricSeries(np.arange(first, first + len(losses)), losses)
        for first, losses in lane.abandoned
    )
    return [curve for found in tracks if (curve := curve_of(found, 0, columns)) is not None]


def loss_limits(state: RaceState) -> AxisLimits | None:
    """The y axis of the losses over all steps, by the screen's rule; None without a finite loss."""
    known = [(lane, found) for lane in state.lanes if (found := track(lane, "loss")) is not None]
    windows = [found.window(lane, state.race, whole(state), OUTLIERS) for lane, found in known]
    shown = visible_range(windows, [ends_well(lane, state) for lane, _ in known])
    shown = with_beginnings(shown, windows)
    return (
        AxisLimits.around(shown.low, shown.high, shown.low > 0)
        if math.isfinite(shown.low)
        else None
    )


def marks(lane: LaneState, lanes: Sequence[LaneState]) -> list[Mark]:
    """Marks on a lane's curve: all but its snapshots; very many of one kind are thinned."""
    found = lane_marks(lane, [other for other in lanes if other.parent == lane.index])
    found = [mark for mark in found if mark.sign != SNAPSHOT]
    if len(found) <= MARKS:
        return found
    wide = max(mark.step for mark in found) // MARKS + 1
    return list({(mark.sign, mark.step // wide): mark for mark in found}.values())


def length(state: RaceState) -> int:
    """Steps along the x axis: the budget, so that the curves of a race always lie alike."""
    return int(whole(state).stop)
