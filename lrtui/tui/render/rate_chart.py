"""Outcomes against rates: a curve for each line, letters of the lanes at their rates, crosses of
lost ones at the top, the rates near the best, and what it says in words. Pure drawing."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.rate_axes import outcome_limits, place, rate_span
from lrtui.core.results.rate_chart import RateChart, RateLine, RatePoint
from lrtui.core.series.series import window_of
from lrtui.core.text import one_line
from lrtui.tui.rects import Rect
from lrtui.tui.render import chart as curves, raster, styles
from lrtui.tui.render.axis import log_x_ticks
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.render.dashes import dashed

GUTTER, MARGIN = 8, 2
LOST, DOT, NEAR, BEST, SEEDS = "✗", "●", "━", "▲", "│"
LEAST_PLOT = 5
"""Rows of the outcomes that are kept free of words, but for the first of these."""
LEAST_WIDTH = 20
"""Columns of a canvas from which on there is a chart."""
MOST_WORDS = 8
"""Rows of words below the chart."""
SAMPLE = 3
"""Cells of line style in the legend."""


def draw(
    canvas: Canvas, chart: RateChart, sentences: Sequence[str], hint: str, selected: int
) -> None:
    """Draw the chart with `sentences` below it, `hint` (what a key does) before them; the point of
    the selected lane stands out. Where there is no chart to draw, the words alone."""
    canvas.fill()
    if not chart.drawable:
        _words(canvas, sentences, hint)
        return
    top = _heading(canvas, chart)
    lost = any(point.lost for line in chart.lines for point in line.points)
    axes = 2 + lost  # crosses, the rates near the best, labels
    words = _wrapped(sentences, hint, canvas.width - 2)
    room = min(len(words), MOST_WORDS, max(1, canvas.height - top - axes - LEAST_PLOT))
    rows = canvas.height - top - axes - room
    if rows < 1 or canvas.width < LEAST_WIDTH:
        _words(canvas, sentences, hint)
        return
    area = Rect(GUTTER, top + lost, max(1, canvas.width - GUTTER - MARGIN), rows)
    limits = outcome_limits(chart) or AxisLimits.around(math.nan, math.nan)
    curves.y_labels(
        canvas.view(Rect(0, area.y, GUTTER, rows)),
        limits,
        f"{chart.outcome_words} {'log' if limits.log else 'lin'}",
    )
    _plot(canvas.view(area), chart, limits, selected)
    if lost:
        canvas.text(0, top, "lost".rjust(GUTTER - 1), styles.DIM)
        _crosses(canvas.view(Rect(area.x, top, area.width, 1)), chart, selected)
    _near(canvas.view(Rect(area.x, area.bottom, area.width, 1)), chart)
    for tick in log_x_ticks(*rate_span(chart), area.width):
        canvas.text(area.x + tick.cell, area.bottom + 1, tick.label, styles.DIM)
    canvas.text(0, area.bottom + 1, "rate".rjust(GUTTER - 1), styles.DIM)
    _write(canvas.view(Rect(0, canvas.height - room, canvas.width, room)), words, bool(hint))


def _heading(canvas: Canvas, chart: RateChart) -> int:
    """Draw what is charted and, of several lines, their styles, letters and names; return the rows
    taken."""
    words = f"{chart.outcome_words} by learning rate" + ("" if chart.over else ", so far")
    if len(chart.lines) < 2:
        canvas.text(1, 0, words, styles.DIM, canvas.width - 2)
        return 1
    most = max(1, min(len(chart.lines), canvas.height // 5))
    across = -(-len(chart.lines) // most)
    width = (canvas.width - 1) // across
    if across == 1 and text_width(words) < canvas.width // 3:
        canvas.text(canvas.width - text_width(words) - 1, 0, words, styles.DIM)
        width -= text_width(words) + 2
    for index, line in enumerate(chart.lines):
        column, row = divmod(index, most)
        x = 1 + column * width
        letters = " ".join(point.letter for point in line.points)
        _style_sample(canvas, x, row, index)
        text = f"{line.name}: {letters}"
        canvas.text(x + SAMPLE + 1, row, shortened(text, width - SAMPLE - 2), styles.lane(index))
    return most


def _style_sample(canvas: Canvas, x: int, y: int, index: int) -> None:
    piece = Canvas(SAMPLE, 1)
    piece.codes[...] = raster.BLANK + 0x12  # dots in the second row of both columns
    bits = dashed((piece.codes - raster.BLANK).astype("uint8"), index)
    canvas.put(x, y, raster.codes(bits), styles.lane(index))


def _plot(canvas: Canvas, chart: RateChart, limits: AxisLimits, selected: int) -> None:
    """The curves, then the seeds' ranges, then the letters, those of the best line last."""
    span = rate_span(chart)
    order = sorted(range(len(chart.lines)), key=lambda index: _is_best(chart, index))
    layers = [dashed(_bits(canvas, chart.lines[index], limits, span), index) for index in order]
    for index, bits in zip(order, layers, strict=True):
        there = bits > 0
        canvas.codes[there] = raster.codes(bits)[there]
        canvas.styles[there] = styles.lane(index)
    taken: set[tuple[int, int]] = set()
    for index in reversed(order):
        for point in chart.lines[index].points:
            if math.isfinite(point.value):
                _point(canvas, point, index, limits, span, taken, selected)


def _bits(
    canvas: Canvas, line: RateLine, limits: AxisLimits, span: tuple[float, float]
) -> raster.Bits:
    """The dots of a line's curve, which no lost rate is on."""
    points = [point for point in line.points if point.known]
    x = [place(point.rate, span) for point in points]
    window = window_of(x, [point.value for point in points], 0.0, 1.0 + 1e-9, 2 * canvas.width)
    return raster.draw(window, canvas.height, limits.low, limits.high, limits.log).bits


def _point(
    canvas: Canvas,
    point: RatePoint,
    index: int,
    limits: AxisLimits,
    span: tuple[float, float],
    taken: set[tuple[int, int]],
    selected: int,
) -> None:
    """The letter of a point, over the range of its seeds; a dot where another letter stands."""
    x = _column(point.rate, span, canvas.width)
    y = _row(point.value, canvas, limits)
    if point.low < point.high:
        top, bottom = (_row(value, canvas, limits) for value in (point.high, point.low))
        for row in range(top, bottom + 1) if top < bottom else ():
            canvas.text(x, row, SEEDS, styles.lane(index))
    sign = point.letter
    x = max(0, min(x, canvas.width - len(sign)))
    cells = {(x + cell, y) for cell in range(len(sign))}
    chosen = any(lane.index == selected for lane in point.lanes)
    if taken & cells:
        sign, cells = DOT, {(x, y)}
    if not taken & cells:
        taken |= cells
        canvas.text(x, y, sign, (styles.lane_chosen if chosen else styles.lane_bold)(index))


def _crosses(canvas: Canvas, chart: RateChart, selected: int) -> None:
    """A cross for each lost rate, its letter behind it where there is room."""
    span = rate_span(chart)
    free = 0
    lost = [
        (_column(point.rate, span, canvas.width), index, point)
        for index, line in enumerate(chart.lines)
        for point in line.points
        if point.lost
    ]
    for x, index, point in sorted(lost, key=lambda one: one[:2]):
        at = max(x, free)
        chosen = any(lane.index == selected for lane in point.lanes)
        letter = (styles.lane_chosen if chosen else styles.lane_bold)(index)
        if at - x <= 2 * len(chart.lines) and at < canvas.width:
            free = at + canvas.text(at, 0, LOST, styles.ALERT)
            free += canvas.text(free, 0, point.letter, letter)
        else:
            canvas.text(x, 0, LOST, styles.ALERT)


def _near(canvas: Canvas, chart: RateChart) -> None:
    """The range of rates near the best one, and the best."""
    if chart.best is None:
        return
    line, best = chart.best
    span, style = rate_span(chart), styles.lane_bold(chart.lines.index(line))
    low, high = (_column(value, span, canvas.width) for value in line.near)
    canvas.text(low, 0, NEAR * (high - low + 1), style)
    canvas.text(_column(best.rate, span, canvas.width), 0, BEST, style)


def _is_best(chart: RateChart, index: int) -> bool:
    return chart.best is not None and chart.best[0] is chart.lines[index]


def _column(rate: float, span: tuple[float, float], width: int) -> int:
    return min(int(place(rate, span) * width), width - 1)


def _row(value: float, canvas: Canvas, limits: AxisLimits) -> int:
    dots = canvas.height * raster.DOTS_Y
    return raster.dot_row(value, dots, limits.low, limits.high, limits.log) // raster.DOTS_Y


def _wrapped(sentences: Sequence[str], hint: str, width: int) -> list[str]:
    lines = [hint] if hint else []
    return lines + [
        line for text in sentences for line in textwrap.wrap(one_line(text), max(8, width))
    ]


def _words(canvas: Canvas, sentences: Sequence[str], hint: str) -> None:
    _write(canvas, _wrapped(sentences, hint, canvas.width - 2), bool(hint))


def _write(canvas: Canvas, lines: Sequence[str], hint: bool) -> None:
    """Lines of words, the first one bold if it is a hint; one that is cut off says so."""
    for y, line in enumerate(lines[: canvas.height]):
        more = y == canvas.height - 1 and len(lines) > canvas.height
        text = f"{line[: canvas.width - 4]} …" if more else line
        canvas.text(1, y, shortened(text, canvas.width - 2), styles.WARN if hint and not y else 0)
