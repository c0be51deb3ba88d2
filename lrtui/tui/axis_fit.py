"""Fits what the charts of a race show to what there is: the range of x, the limits of y. Pure;
knows no screen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrtui.core.charts.autoscale import COLUMNS, ends_well, visible_range, with_beginnings
from lrtui.core.charts.axes import CLOCKS, XAxis, whole
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.metric_series import track
from lrtui.core.series.series import FiniteRange
from lrtui.core.state.race_state import LaneState, RaceState

if TYPE_CHECKING:
    from lrtui.tui.view import RaceView

PART = 0.25
"""A range that follows the newest step moves by so much of its size at once: all of the chart is
sent again when it moves."""
LEAST_STEPS = 4
"""A range of x is not zoomed to fewer steps."""
LEAST_SECONDS = 0.01


def shown(view: RaceView, state: RaceState) -> XAxis:
    """The x axis that the charts share: all of it, or the last zoom, which moves with the newest
    step where it follows."""
    full = whole(state, view.x_kind, view.x_log)
    if not view.zooms:
        return full
    axis = full._replace(start=view.zooms[-1][0], stop=view.zooms[-1][1])
    beyond = axis.share(newest(view, state)) - 1
    if view.follow and beyond >= 0:
        axis = axis.moved(PART * math.floor(beyond / PART + 1))
        view.zooms[-1] = axis.start, axis.stop
    return axis


def newest(view: RaceView, state: RaceState) -> float:
    """Where the newest step of the lanes that are shown lies on the axis."""
    axis = XAxis(view.x_kind, view.x_log, 0.0, 1.0)
    lanes = [state.lanes[index] for index in view.shown or range(len(state.lanes))]
    return max(
        (axis.value(lane, state.race, max(lane.steps - 1, 0)) for lane in lanes), default=0.0
    )


def least_range(axis: XAxis, lane: LaneState, state: RaceState) -> float:
    """The least range in units of the axis."""
    if axis.kind in CLOCKS:
        return LEAST_SECONDS
    return axis.value(lane, state.race, LEAST_STEPS) - axis.value(lane, state.race, 0)


def fitted(view: RaceView, state: RaceState) -> AxisLimits:
    """The y axis of the quantity: outliers left out unless the full range is asked for, linear
    where values are <= 0."""
    lanes = [state.lanes[index] for index in charted(view)]
    tracks = [(lane, one) for lane in lanes if (one := track(lane, view.quantity)) is not None]
    windows = [one.window(lane, state.race, view.x, COLUMNS) for lane, one in tracks]
    well = [ends_well(lane, state) for lane, _ in tracks]
    begun = [
        window
        for window, ended_well in zip(windows, well, strict=True)
        if view.y_log or not ended_well
    ]
    found = with_beginnings(visible_range(windows, well, view.full_range), begun)
    kept = is_fitted(view)
    if not math.isfinite(found.low):
        view.fitted_for = None
        return view.limits.with_log(view.y_log)
    view.fitted_for = _what(view)
    log = view.y_log and found.low > 0
    return (
        view.limits.with_log(log).fit(found.low, found.high)
        if kept
        else AxisLimits.around(found.low, found.high, log)
    )


def charted(view: RaceView) -> list[int]:
    """The lanes whose curves are to be seen: one that is enlarged has the axis for itself, all
    others share one."""
    return [view.selected] if view.panel == "enlarged" and view.shown else view.shown


def is_fitted(view: RaceView) -> bool:
    """Whether the y axis was made for what is shown now, and not for another quantity, scale or
    part."""
    return view.fitted_for == _what(view)


def _what(view: RaceView) -> tuple[object, ...]:
    return (
        view.quantity,
        view.y_log,
        view.full_range,
        tuple(view.zooms),
        view.x_kind,
        view.x_log,
        tuple(charted(view)),
    )


def rate_moves(lane: LaneState) -> bool:
    """Whether a lane has had more than one rate, or has more than one in store; O(1)."""
    ranges = _rate_ranges(lane)
    return bool(ranges) and min(one.low for one in ranges) < max(one.high for one in ranges)


def _rate_ranges(lane: LaneState) -> list[FiniteRange]:
    """The bounds of the rates behind a lane and of those before it, as far as they are known."""
    ranges = [lane.columns["applied_lr"].finite_range()] if "applied_lr" in lane.columns else []
    return [one for one in (*ranges, lane.rates.forecast_range) if math.isfinite(one.low)]


def fitted_rates(view: RaceView, state: RaceState) -> AxisLimits:
    """The y axis of the rates, of those that schedules have in store too; logarithmic, unless all
    of them are zero."""
    ranges = [one for index in charted(view) for one in _rate_ranges(state.lanes[index])]
    if not ranges:
        return view.rate_limits.with_log(True)
    low, high = min(one.low for one in ranges), max(one.high for one in ranges)
    positive = [one.positive for one in ranges if math.isfinite(one.positive)]
    if low <= 0 and positive:
        # a rate of zero is the bottom of a warmup, not a reason to lose the decades
        low = min(positive)
    return view.rate_limits.with_log(low > 0).fit(low, high)
