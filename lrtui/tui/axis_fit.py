"""Fits a view to the state of its race: the visible lanes, the range of x, the limits of y. Pure;
knows no screen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lrtui.core.charts.autoscale import COLUMNS, ends_well, visible_range, with_beginnings
from lrtui.core.charts.axes import CLOCKS, XAxis, kinds, whole
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.metric_series import MetricSeries, quantities, smoothed
from lrtui.core.diagnostics import param_groups
from lrtui.core.results.lane_filter import visible
from lrtui.core.results.seed_groups import SeedGroup, seed_groups
from lrtui.core.series.series import FiniteRange
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.rates import column
from lrtui.tui.view import RaceView

PART = 0.25
"""Part of its size by which a following range moves at once: a move redraws the whole chart."""
LEAST_STEPS = 4
"""Smallest zoomed range of x, in steps."""
LEAST_SECONDS = 0.01


def fit(view: RaceView, state: RaceState, *, figures: bool = True) -> None:
    """Update the derived fields of a view: visible lanes, forks, axes, disk share.

    With `figures` False the y axes stay unless the user's choices changed.
    """
    _hide(view, state)
    if view.x_kind not in kinds(state.race):  # as another race has left it
        view.x_kind = "step"
    view.forks = {}
    for lane in state.lanes:
        if lane.parent is not None:
            view.forks.setdefault(lane.parent, []).append(lane)
    view.disk_share = state.race.snapshots.megabytes * 1e6 / len(state.lanes)
    view.label = next(
        (one.label for one in quantities(state) if one.name == view.quantity), view.quantity
    )
    view.x = shown(view, state)
    if figures:
        view.rank(state)
    if figures or not is_fitted(view):
        view.limits = fitted(view, state)
        view.rate_limits = fitted_rates(view)
        view.moving = {
            index
            for index in view.shown
            if any(rate_moves(lane, view) for lane in view.of_own_rates(view.groups[index]))
        }


def _hide(view: RaceView, state: RaceState) -> None:
    """Find the visible lanes; a hidden lane is selected only if every lane is hidden."""
    _group(view, state)
    view.shown = view.listed if view.solo is None else [view.solo]
    if view.shown and view.selected not in view.shown:
        folded = (
            index
            for index in view.shown
            if any(lane.index == view.selected for lane in view.groups[index].lanes)
        )
        near = min(view.shown, key=lambda index: abs(index - view.selected))
        view.selected = next(folded, near)


def _group(view: RaceView, state: RaceState) -> None:
    """Find what is listed, the seeds that each listed lane stands for, and their colours."""
    indices = visible(state, view.filter, view.pinned)
    wanted = indices, view.opened, view.solo, [lane.lane for lane in state.lanes]
    if wanted == view.grouped_for:
        return
    view.grouped_for = wanted
    every = seed_groups(state.lanes)
    opened = next((group for group in every if view.opened in _indices(group)), None)
    lanes = [state.lanes[index] for index in indices]
    if opened is None:
        view.opened, groups = None, seed_groups(lanes)
    else:
        kin = [lane for lane in lanes if _descends(lane, _indices(opened), state)]
        groups = [SeedGroup((lane,)) for lane in kin]
    view.groups = {group.first.index: group for group in groups}
    view.listed = list(view.groups)
    view.groups |= {
        lane.index: SeedGroup((lane,)) for lane in state.lanes if lane.index not in view.groups
    }
    view.hues = _hues(every, opened)


def _indices(group: SeedGroup) -> set[int]:
    return {lane.index for lane in group.lanes}


def _descends(lane: LaneState, indices: set[int], state: RaceState) -> bool:
    """True if a lane, or one that it was forked from, is one of these."""
    while lane.index not in indices and lane.parent is not None:
        lane = state.lanes[lane.parent]
    return lane.index in indices


def _hues(every: Sequence[SeedGroup], opened: SeedGroup | None) -> tuple[int, ...]:
    """The colours of all lanes: one of each group, from there on one of each seed if it is
    `opened`."""
    found = {
        lane.index: number + (place if group is opened else 0)
        for number, group in enumerate(every)
        for place, lane in enumerate(group.lanes)
    }
    return tuple(found[index] for index in range(len(found)))


def shown(view: RaceView, state: RaceState) -> XAxis:
    """The x axis of all charts: the whole axis, or the last zoom, moved to the newest step if the
    view follows it."""
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
    """The newest step of the visible lanes, in units of the x axis."""
    axis = XAxis(view.x_kind, view.x_log, 0.0, 1.0)
    lanes = view.lanes(view.shown) or state.lanes
    return max(
        (axis.value(lane, state.race, max(lane.steps - 1, 0)) for lane in lanes), default=0.0
    )


def least_range(axis: XAxis, lane: LaneState, state: RaceState) -> float:
    """The smallest zoomed range, in units of the axis."""
    if axis.kind in CLOCKS:
        return LEAST_SECONDS
    return axis.value(lane, state.race, LEAST_STEPS) - axis.value(lane, state.race, 0)


def fitted(view: RaceView, state: RaceState) -> AxisLimits:
    """The y axis of the quantity: without outliers by default, linear if a value is <= 0."""
    tracks = _tracks(view)
    windows = [one.envelope(lane, state.race, view.x, COLUMNS) for lane, one in tracks]
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


def _tracks(view: RaceView) -> list[tuple[LaneState, MetricSeries]]:
    """The curves by which the y axis is fitted: of folded seeds the smoothed ones, for only these
    are drawn; else the raw ones."""
    groups = [view.groups[index] for index in charted(view)]
    return [
        (lane, one)
        for group in groups
        for weight in (view.smoothing if len(group.lanes) > 1 else 0.0,)
        for lane in group.lanes
        if (one := smoothed(lane, view.quantity, weight)) is not None
    ]


def charted(view: RaceView) -> list[int]:
    """Indices of the lanes that share the y axis: the enlarged lane alone, or all visible ones."""
    return [view.selected] if view.panel == "enlarged" and view.shown else view.shown


def is_fitted(view: RaceView) -> bool:
    """True if the y axis was fitted for the current quantity, scale, range and lanes."""
    return view.fitted_for == _what(view)


def _what(view: RaceView) -> tuple[object, ...]:
    return (
        view.quantity,
        view.y_log,
        view.full_range,
        tuple(view.zooms),
        view.x_kind,
        view.x_log,
        tuple(lane.index for lane in view.lanes(charted(view))),
        view.smoothing if view.folded else 0.0,
    )


def rate_moves(lane: LaneState, view: RaceView) -> bool:
    """True if the first param group of a lane, or the one shown, has had, or will have by its
    schedule, more than one rate; O(1)."""
    return any(
        min(one.low for one in ranges) < max(one.high for one in ranges)
        for group in {0, view.group_of(lane)}
        if (ranges := _rate_ranges(lane, group))
    )


def _rate_ranges(lane: LaneState, group: int) -> list[FiniteRange]:
    """The known ranges of past and planned rates of a lane's param group."""
    name, plan = column("applied_lr", group), lane.rates.forecast_range
    ratio = param_groups.forecast_ratio(lane, group)
    past = [lane.columns[name].finite_range()] if name in lane.columns else []
    ahead = FiniteRange(*(ratio * limit for limit in plan))
    return [one for one in (*past, ahead) if math.isfinite(one.low)]


def fitted_rates(view: RaceView) -> AxisLimits:
    """The y axis of past and planned rates; logarithmic, unless all of them are zero."""
    groups = [view.groups[index] for index in charted(view)]
    lanes = [lane for group in groups for lane in view.of_own_rates(group)]
    ranges = [one for lane in lanes for one in _rate_ranges(lane, view.group_of(lane))]
    if not ranges:
        return view.rate_limits.with_log(True)
    low, high = min(one.low for one in ranges), max(one.high for one in ranges)
    positive = [one.positive for one in ranges if math.isfinite(one.positive)]
    if low <= 0 and positive:
        # a rate of zero is the bottom of a warmup, not a reason to lose the decades
        low = min(positive)
    return view.rate_limits.with_log(low > 0).fit(low, high)
