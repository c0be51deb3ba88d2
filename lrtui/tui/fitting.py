"""Fits what the charts of a race show to what there is: the range of x, the limits of y. Pure; knows no screen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lrtui.core.axes import CLOCKS, XAxis, whole
from lrtui.core.ranges import COLUMNS, ends_well, visible_range, with_beginnings
from lrtui.core.state import LaneState, RaceState
from lrtui.core.tracks import track
from lrtui.tui.render.axis import Limits

if TYPE_CHECKING:
    from lrtui.tui.view import RaceView

PART = 0.25
"""A range that follows the newest step moves by so much of its size at once: all of the chart is sent again when it moves."""
LEAST_STEPS = 4
"""A range of x is not zoomed to fewer steps."""
LEAST_SECONDS = 0.01


def shown(view: RaceView, state: RaceState) -> XAxis:
    """The x axis that the charts share: all of it, or the last zoom, which moves with the newest step where it follows."""
    full = whole(state, view.x_kind, view.x_log)
    if not view.zooms:
        return full
    axis = full._replace(start=view.zooms[-1][0], stop=view.zooms[-1][1])
    low, high, end = (_even(axis, value) for value in (axis.start, axis.stop, newest(view, state)))
    if view.follow and end >= high:
        axis = moved(axis, PART * math.floor((end - high) / (PART * (high - low)) + 1))
        view.zooms[-1] = axis.start, axis.stop
    return axis


def newest(view: RaceView, state: RaceState) -> float:
    """Where the newest step of the lanes that are shown lies on the axis."""
    axis = XAxis(view.x_kind, view.x_log, 0.0, 1.0)
    lanes = [state.lanes[index] for index in view.shown or range(len(state.lanes))]
    return max((axis.value(lane, state.race, max(lane.steps - 1, 0)) for lane in lanes), default=0.0)


def zoomed(axis: XAxis, about: float, factor: float) -> XAxis:
    """The axis with 1 / factor of its range; the number `about` stays where it is on the screen."""
    low, high, middle = (_even(axis, value) for value in (axis.start, axis.stop, about))
    low, high = middle - (middle - low) / factor, middle + (high - middle) / factor
    return axis._replace(start=_back(axis, low), stop=_back(axis, high))


def moved(axis: XAxis, share: float) -> XAxis:
    """The axis moved to the right by a share of what is visible."""
    low, high = _even(axis, axis.start), _even(axis, axis.stop)
    by = share * (high - low)
    return axis._replace(start=_back(axis, low + by), stop=_back(axis, high + by))


def share(axis: XAxis, value: float) -> float:
    """Where a number lies between the axis' start (0) and its stop (1), on the screen."""
    low, high = _even(axis, axis.start), _even(axis, axis.stop)
    return (_even(axis, value) - low) / (high - low)


def within(axis: XAxis, full: XAxis) -> XAxis:
    """The axis moved into all that there is; all of it where it is as large."""
    low, high = _even(axis, axis.start), _even(axis, axis.stop)
    least, most = _even(axis, full.start), _even(axis, full.stop)
    if high - low >= most - least:
        return full
    by = max(0.0, least - low) - max(0.0, high - most)
    return axis._replace(start=_back(axis, low + by), stop=_back(axis, high + by))


def least_range(axis: XAxis, lane: LaneState, state: RaceState) -> float:
    """The least range in units of the axis."""
    if axis.kind in CLOCKS:
        return LEAST_SECONDS
    return axis.value(lane, state.race, LEAST_STEPS) - axis.value(lane, state.race, 0)


def fitted(view: RaceView, state: RaceState) -> Limits:
    """The y axis of the quantity: outliers left out unless the full range is asked for, linear where values are <= 0."""
    lanes = [state.lanes[index] for index in view.shown]
    tracks = [(lane, one) for lane in lanes if (one := track(lane, view.quantity)) is not None]
    windows = [one.window(lane, state.race, view.x, COLUMNS) for lane, one in tracks]
    well = [ends_well(lane, state) for lane, _ in tracks]
    begun = [window for window, ended_well in zip(windows, well, strict=True) if view.log or not ended_well]
    found = with_beginnings(visible_range(windows, well, view.full_range), begun)
    kept = is_fitted(view)
    if not math.isfinite(found.low):
        view.fitted_for = None
        return view.limits.with_log(view.log)
    view.fitted_for = _what(view)
    log = view.log and found.low > 0
    return view.limits.with_log(log).fit(found.low, found.high) if kept else Limits.around(found.low, found.high, log)


def is_fitted(view: RaceView) -> bool:
    """Whether the y axis was made for what is shown now, and not for another quantity, scale or part."""
    return view.fitted_for == _what(view)


def _what(view: RaceView) -> tuple[object, ...]:
    return view.quantity, view.log, view.full_range, tuple(view.zooms), view.x_kind, view.x_log, tuple(view.shown)


def fitted_rates(view: RaceView, state: RaceState) -> Limits:
    """The y axis of the rates, of those that schedules have in store too; logarithmic, unless all of them are zero."""
    lanes = [state.lanes[index] for index in view.shown]
    ranges = [lane.columns["applied_lr"].finite_range() for lane in lanes if "applied_lr" in lane.columns]
    ranges = [one for one in (*ranges, *(lane.plan_range for lane in lanes)) if math.isfinite(one.low)]
    if not ranges:
        return view.rate_limits.with_log(True)
    low, high = min(one.low for one in ranges), max(one.high for one in ranges)
    positive = [one.positive for one in ranges if math.isfinite(one.positive)]
    if low <= 0 and positive:
        low = min(positive)  # a rate of zero is the bottom of a warmup, not a reason to lose the decades
    return view.rate_limits.with_log(low > 0).fit(low, high)


def _even(axis: XAxis, value: float) -> float:
    """A number where equal distances are equally wide."""
    return math.log1p(max(value, 0.0)) if axis.log else value


def _back(axis: XAxis, even: float) -> float:
    return math.expm1(even) if axis.log else even
