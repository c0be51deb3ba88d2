"""The curves of one lane in a canvas, raw and smoothed, its rates, the labels of the y axis. Knows
no widget."""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache

import numpy as np

from lrtui.core.charts.axes import CLOCKS
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.labels import short_label
from lrtui.core.charts.metric_series import MetricSeries, smoothed, track
from lrtui.core.diagnostics import param_groups
from lrtui.core.scenario.spec import Race
from lrtui.core.series.array_buffer import Int64Array
from lrtui.core.series.series import Window, window_of
from lrtui.core.state.race_state import LaneState
from lrtui.core.state.rates import column
from lrtui.tui.render import raster, styles
from lrtui.tui.render.axis import y_ticks
from lrtui.tui.render.axis_text import in_rows
from lrtui.tui.render.canvas import Canvas, Codes, text_width
from lrtui.tui.view import RaceView

LEFT_DOTS = np.uint8(sum(raster.SIDES[0]))
"""The left one of a braille cell's two dot columns."""
NAN_MARK, ABOVE, BELOW = "✗", "↑", "↓"


def curve(canvas: Canvas, lane: LaneState, race: Race, view: RaceView) -> raster.Raster | None:
    """Draw the view's quantity of a lane over the canvas, the raw curve faint behind a smoothed
    one.

    Returns the raster of the raw curve, None before anything is recorded.
    """
    canvas.fill()
    raw = track(lane, view.quantity)
    if raw is None or not canvas.height or not canvas.width:
        return None
    drawn, hue = raster_of(canvas, raw, lane, race, view), view.hue(lane.index)
    smooth = smoothed(lane, view.quantity, view.smoothing) if view.smoothing else None
    canvas.put(
        0, 0, raster.codes(drawn.bits), styles.lane_faint(hue) if smooth else styles.lane(hue)
    )
    if smooth:
        over = raster_of(canvas, smooth, lane, race, view).bits
        canvas.codes[over > 0] = raster.codes(over)[over > 0]
        canvas.styles[over > 0] = styles.lane_bold(hue)
    leaving(canvas, drawn, styles.lane(hue))
    crosses(canvas, raw, lane, race, view)
    return drawn


def leaving(canvas: Canvas, drawn: raster.Raster, style: int) -> None:
    """Arrows in the columns where a curve goes on above or below the chart."""
    for flags, y, sign in ((drawn.above, 0, ABOVE), (drawn.below, canvas.height - 1, BELOW)):
        if flags.any():
            canvas.codes[y, flags] = ord(sign)
            canvas.styles[y, flags] = style


def crosses(canvas: Canvas, raw: MetricSeries, lane: LaneState, race: Race, view: RaceView) -> None:
    """A cross at the last finite point before each gap of NaN and infinities, wherever in the curve
    it lies."""
    if not len(raw.series.before_gaps(np.array([0, len(raw.series)]))):
        return
    edges = view.x.edges(lane, race, 2 * canvas.width)
    points = (
        np.minimum(edges, len(raw.series)) if raw.steps is None else raw.steps.searchsorted(edges)
    )
    for place in raw.series.before_gaps(points).tolist():
        column = int(points.searchsorted(place, "right")) - 1
        canvas.text(
            column // 2, row_of(canvas, raw.series.at(place), view.limits), NAN_MARK, styles.ALERT
        )


def row_of(canvas: Canvas, value: float, limits: AxisLimits) -> int:
    """The row of cells in which a finite value lies."""
    return raster.dot_row(value, 4 * canvas.height, limits.low, limits.high, limits.log) // 4


def abandoned(canvas: Canvas, lane: LaneState, race: Race, view: RaceView) -> None:
    """Adds, faint and behind the lane's losses, what it did before it was rewound: where x goes by
    steps, not by time."""
    if (
        not lane.abandoned
        or not canvas.height
        or not canvas.width
        or view.quantity != "loss"
        or view.x.kind in CLOCKS
    ):
        return
    there = canvas.codes > raster.BLANK
    layers = [np.where(there, canvas.codes - raster.BLANK, 0).astype(np.uint8)]
    for first, losses in lane.abandoned:
        columns = view.x.columns(
            lane, race, np.arange(first, first + len(losses)), 2 * canvas.width
        )
        edges = columns.searchsorted(np.arange(2 * canvas.width + 1))
        window = losses.window_at(edges)._replace(before=None, after=None)
        layers.append(_dots(canvas, window, view.limits).bits)
    bits, owner = raster.overlay(layers[::-1], list(range(len(layers)))[::-1])
    # what else stands there are marks
    drawn = (owner != raster.NOBODY) & (there | (canvas.codes == ord(" ")))
    canvas.codes[drawn] = raster.codes(bits)[drawn]
    canvas.styles[drawn & ~there] = styles.DIM


def rates(canvas: Canvas, lane: LaneState, race: Race, view: RaceView) -> None:
    """Adds the applied rates: where steps are wider than a dot they are drawn level, not as
    slopes."""
    raw = track(lane, column("applied_lr", view.group_of(lane)))
    if raw is None or not canvas.height or not canvas.width:
        return
    width = 2 * canvas.width
    first, last = (view.x.step(lane, race, value) for value in (view.x.start, view.x.stop))
    if last - first > width:
        bits = _dots(canvas, raw.window(lane, race, view.x, width), view.rate_limits).bits
    else:
        steps, values = raw.between(first - 1, last + 2)
        steps = np.append(steps, steps[-1:] + 1)
        bits = _stairs(canvas, view.x.columns(lane, race, steps, width), values, view.rate_limits)
    _add(canvas, bits)


def ahead(canvas: Canvas, lane: LaneState, race: Race, view: RaceView) -> None:
    """Adds the rates that a lane has before it to the curve of those behind it: every other dot
    column, so that it is dotted."""
    plan = lane.rates.forecast
    ratio = param_groups.forecast_ratio(lane, view.group_of(lane))
    if (
        plan is None
        or math.isnan(ratio)
        or lane.over
        or not canvas.height
        or lane.steps >= plan.total
        or view.x.kind in CLOCKS
    ):
        return
    place = bisect_right(plan.steps, lane.steps) - 1
    steps = np.array([lane.steps, *plan.steps[place + 1 :], plan.total])
    values = ratio * np.array(plan.rates[place:], float)
    columns = view.x.columns(lane, race, steps, 2 * canvas.width)
    _add(canvas, _stairs(canvas, columns, values, view.rate_limits) & LEFT_DOTS)


def _add(canvas: Canvas, dots: raster.Bits) -> None:
    """Add dim dots to those that a canvas has."""
    drawn = np.where(canvas.codes >= raster.BLANK, canvas.codes - raster.BLANK, 0).astype(np.uint8)
    there = np.nonzero(dots)
    canvas.codes[there] = raster.codes(drawn | dots)[there]
    canvas.styles[there] = styles.DIM


def y_labels(canvas: Canvas, limits: AxisLimits, words: str = "") -> None:
    """Labels of the y axis, right-aligned, with a tick; between them, where rows are free, what the
    axis shows."""
    canvas.put(0, 0, _y_labels(limits, words, canvas.width, canvas.height), styles.DIM)


@lru_cache(64)
def _y_labels(limits: AxisLimits, words: str, width: int, height: int) -> Codes:
    """The characters of that; most frames have the same as the one before."""
    canvas = Canvas(width, height)
    if not height:
        return canvas.codes
    ticks = y_ticks(limits, height)
    for tick in ticks:
        text = tick.label if len(tick.label) < width else short_label(tick.value)[: width - 1]
        canvas.text(width - 1 - len(text), tick.cell, text + "┤")
    taken = {tick.cell for tick in ticks}
    free = [y for y in range(height) if y not in taken]
    for y, word in zip(free, in_rows(words, width - 1, len(free)), strict=False):
        canvas.text(width - 1 - text_width(word), y, word)
    return canvas.codes


def steps_curve(
    canvas: Canvas,
    steps: list[int],
    values: list[float],
    limits: AxisLimits,
    total: int,
    until: int | None = None,
) -> raster.Bits:
    """The dot bits of a piecewise constant curve: `values[i]` from `steps[i]` on, to the step
    `until` of `total`."""
    edges = np.array([*steps, total if until is None else until])
    columns = np.floor(edges * (2 * canvas.width / total)).astype(np.int64)
    return _stairs(canvas, columns, np.array(values, float), limits)


def _stairs(
    canvas: Canvas, columns: Int64Array, values: np.ndarray, limits: AxisLimits
) -> raster.Bits:
    """The dot bits of a curve that is level at `values[i]` from `columns[i]` to `columns[i + 1]`,
    dot columns of the canvas."""
    x, y = np.repeat(columns.astype(float), 2)[1:-1], np.repeat(values, 2)
    return _dots(canvas, window_of(x, y, 0, 2 * canvas.width, 2 * canvas.width), limits).bits


def raster_of(
    canvas: Canvas, found: MetricSeries, lane: LaneState, race: Race, view: RaceView
) -> raster.Raster:
    return _dots(canvas, found.window(lane, race, view.x, 2 * canvas.width), view.limits)


def _dots(canvas: Canvas, window: Window, limits: AxisLimits) -> raster.Raster:
    return raster.draw(window, canvas.height, limits.low, limits.high, limits.log)
