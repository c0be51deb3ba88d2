"""A chart in a canvas: y labels, braille curves of one lane or of many, marks, x labels. Knows no widget."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from lrtui.core.series import Floats, Window, window_of
from lrtui.core.state import LaneState
from lrtui.tui.render import raster, styles
from lrtui.tui.render.axis import Limits, short_label, x_ticks, y_ticks
from lrtui.tui.render.canvas import Canvas

LEFT_DOTS = np.uint8(0x47)
"""The left one of a braille cell's two dot columns."""
NAN_MARK, ALERT_MARK, SPIKE_MARK, ABOVE, BELOW = "✗", "!", "^", "↑", "↓"
HOTTER_MARK, COLDER_MARK, FORK_MARK = "▲", "▼", "Y"
MOST_SPIKES = 100
"""Only so many of the last spikes are marked: a curve must be seen beside its marks."""


def curve(canvas: Canvas, lane: LaneState, column: str, limits: Limits, total: int, style: int) -> raster.Raster | None:
    """Draws a column of a lane over the canvas, x from step 0 to `total`; None where nothing is recorded yet."""
    canvas.fill()
    window = lane_window(lane, column, total, canvas.width)
    if window is None or not canvas.height:
        return None
    drawn = raster.draw(window, canvas.height, limits.low, limits.high, limits.log)
    canvas.put(0, 0, raster.codes(drawn.bits), style)
    for x in np.flatnonzero(drawn.above).tolist():
        canvas.text(x, 0, ABOVE, style)
    return drawn


def abandoned(canvas: Canvas, lane: LaneState, limits: Limits, total: int) -> None:
    """Adds, faint and behind the lane's curve, what it did before it was rewound."""
    if not lane.abandoned or not canvas.height or not canvas.width:
        return
    there = canvas.codes > raster.BLANK
    layers = [np.where(there, canvas.codes - raster.BLANK, 0).astype(np.uint8)]
    for first, losses in lane.abandoned:
        edges = (np.ceil(np.arange(2 * canvas.width + 1) * (total / (2 * canvas.width))) - first).clip(0, len(losses))
        window = losses.window_at(edges.astype(np.int64))._replace(before=None, after=None)
        layers.append(raster.draw(window, canvas.height, limits.low, limits.high, limits.log).bits)
    bits, owner = raster.overlay(layers[::-1], list(range(len(layers)))[::-1])
    drawn = (owner != raster.NOBODY) & (there | (canvas.codes == ord(" ")))  # what else stands there are marks
    canvas.codes[drawn] = raster.codes(bits)[drawn]
    canvas.styles[drawn & ~there] = styles.DIM


def stairs(canvas: Canvas, lane: LaneState, column: str, limits: Limits, total: int, style: int) -> None:
    """The same for what jumps from step to step: where steps are wider than a dot they are drawn level, not as slopes."""
    series = lane.columns.get(column)
    if series is None or not 0 < len(series) <= total <= 2 * canvas.width:
        curve(canvas, lane, column, limits, total, style)
        return
    canvas.fill()
    bits = steps_curve(canvas, list(range(len(series))), series.values.tolist(), limits, total, len(series))
    canvas.put(0, 0, raster.codes(bits), style)


def ahead(canvas: Canvas, lane: LaneState, limits: Limits, total: int, style: int) -> None:
    """Adds the rates that a lane has before it to the curve of those behind it: every other dot column, so that it is dotted."""
    plan = lane.plan
    if plan is None or lane.over or not canvas.height or lane.steps >= plan.total:
        return
    place = bisect_right(plan.steps, lane.steps) - 1
    steps, rates = [lane.steps, *plan.steps[place + 1:]], plan.rates[place:]
    dots = steps_curve(canvas, steps, rates, limits, total, plan.total) & LEFT_DOTS
    drawn = np.where(canvas.codes >= raster.BLANK, canvas.codes - raster.BLANK, 0).astype(np.uint8)
    there = np.nonzero(dots)
    canvas.codes[there] = raster.codes(drawn | dots)[there]
    canvas.styles[there] = style


def overlay(canvas: Canvas, lanes: list[LaneState], column: str, limits: Limits, total: int) -> dict[int, tuple[int, int]]:
    """Draws a column of all lanes, later ones on top; returns the cell (x, y) where each lane's curve ends."""
    canvas.fill()
    drawn: dict[int, raster.Raster] = {}
    for lane in lanes:
        window = lane_window(lane, column, total, canvas.width)
        if window is not None and canvas.height:
            drawn[lane.index] = raster.draw(window, canvas.height, limits.low, limits.high, limits.log)
    if drawn:
        order = list(drawn)
        bits, owner = raster.overlay([drawn[index].bits for index in order], list(range(len(order))))
        palette = np.array([*(styles.lane(index) for index in order), *[styles.TEXT] * (256 - len(order))], np.uint16)
        canvas.put(0, 0, raster.codes(bits), palette[owner])
    return {index: one.end for index, one in drawn.items() if one.end is not None}


def lane_window(lane: LaneState, column: str, total: int, cells: int) -> Window | None:
    """A lane's column cut into the dot columns of `cells` cells; None where it has no value yet."""
    series = lane.columns.get(column)
    if series is None or not len(series) or cells < 1:
        return None
    return series.window(0, total, 2 * cells)


def mark(canvas: Canvas, lane: LaneState, drawn: raster.Raster, limits: Limits, total: int,
         forks: Sequence[int] = ()) -> None:
    """Marks where a lane diverged, where its dial was turned, where forks left it, and the last finite point of a NaN."""
    alert_marks(canvas, lane, limits, total)
    signs = [(step, FORK_MARK, styles.lane_bold(lane.index)) for step in forks] + [
        (step, sign, styles.lane_bold(lane.index)) for step, sign, _ in turns(lane)]
    _marks(canvas, lane.columns["loss"].values, signs, limits, total)
    if lane.status == "nan":
        x, y = drawn.end or (0, 0)
        canvas.text(x, y, NAN_MARK, styles.ALERT)


def rate_marks(canvas: Canvas, lane: LaneState, limits: Limits, total: int) -> None:
    """Marks on the curve of the rates where the dial was turned."""
    for step, sign, value in turns(lane):
        if canvas.height and canvas.width and value > 0:
            y = raster.dot_row(value, 4 * canvas.height, limits.low, limits.high, limits.log) // 4
            canvas.text(_column(canvas, step, total), y, sign, styles.lane_bold(lane.index))


def turns(lane: LaneState) -> list[tuple[int, str, float]]:
    """Where the dial of a lane was turned: (step, up or down, the rate from there on)."""
    found, before = [], lane.factor_at(-1)
    for change in lane.rate_changes:
        if change.factor != before:
            found.append((change.step, HOTTER_MARK if change.factor > before else COLDER_MARK, change.rate))
        before = change.factor
    return found


def alert_marks(canvas: Canvas, lane: LaneState, limits: Limits, total: int) -> None:
    """Marks the spikes of a lane that has losses, and where it diverged."""
    marks = [(step, SPIKE_MARK, styles.lane_bold(lane.index)) for step in lane.spikes[-MOST_SPIKES:]]
    marks += [(alert.step, ALERT_MARK, styles.WARN) for alert in lane.alerts if alert.kind == "diverged"]
    _marks(canvas, lane.columns["loss"].values, marks, limits, total)


def _marks(canvas: Canvas, losses: Floats, marks: list[tuple[int, str, int]], limits: Limits, total: int) -> None:
    """Signs (step, sign, style) on a curve of losses; a step not yet made, or without a loss, takes the one before it."""
    for step, sign, style in marks:
        place = min(step, len(losses) - 1)
        if step > len(losses) or not np.isfinite(losses[place]):
            place = place - 1
        if step <= len(losses) and place >= 0 and np.isfinite(losses[place]):
            y = raster.dot_row(float(losses[place]), 4 * canvas.height, limits.low, limits.high, limits.log) // 4
            canvas.text(_column(canvas, step, total), y, sign, style)


def _column(canvas: Canvas, step: int, total: int) -> int:
    return min(int(step * canvas.width / total), canvas.width - 1)


def y_labels(canvas: Canvas, limits: Limits) -> None:
    """Labels of the y axis, right-aligned, with a tick."""
    canvas.fill()
    if not canvas.height:
        return
    for tick in y_ticks(limits, canvas.height):
        text = tick.label if len(tick.label) < canvas.width else short_label(tick.value)[:canvas.width - 1]
        canvas.text(canvas.width - 1 - len(text), tick.cell, text + "┤", styles.DIM)


def x_labels(canvas: Canvas, total: int) -> None:
    """Labels of the x axis: steps."""
    canvas.fill()
    for tick in x_ticks(0, total, canvas.width):
        canvas.text(tick.cell, 0, tick.label, styles.DIM)


def steps_curve(canvas: Canvas, steps: list[int], rates: list[float], limits: Limits, total: int,
                until: int | None = None) -> np.ndarray:
    """The dot bits of a piecewise constant curve: `rates[i]` from `steps[i]` on, to the step `until` of `total`."""
    edges = np.array([*steps, total if until is None else until], float)
    x = np.repeat(edges, 2)[1:-1]
    y = np.repeat(np.array(rates, float), 2)
    return raster.draw(window_of(x, y, 0, total, 2 * canvas.width), canvas.height, limits.low, limits.high, limits.log).bits
