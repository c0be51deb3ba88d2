"""The rate chart as it is printed: drawn by plotext, and said in words. Knows no screen."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.rate_axes import outcome_limits, place, rate_span, stretches
from lrtui.core.charts.rounding import round_rates
from lrtui.core.numbers import rate
from lrtui.core.results.rate_chart import RateChart, RateLine, RatePoint, rate_chart
from lrtui.core.results.rate_sentences import line_name, rate_sentences
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line
from lrtui.report.figure import empty_figure, y_ruler
from lrtui.report.repeat import widen_commands
from lrtui.terminal.palette import LANES

HEIGHT, MOST_WIDTH = 16, 120
BOTTOM, TOP = 0.08, 0.9
"""Where the outcomes lie: the rates near the best are marked below them, lost ones above."""
LOST, LOST_TINT = "✗", 203
DOT, NEAR, SEEDS = "●", "━", "│"
MOST_LETTERS = 12
"""Letters of a line's lanes in the legend."""


def print_rates(console: Console, state: RaceState, run: Path) -> None:
    """Prints the chart, what it says, and how to widen it; of a single lane nothing."""
    if len(state.lanes) < 2:
        return
    chart = rate_chart(state)
    color = console.color_system is not None
    drawn = rates_figure(chart, min(console.width, MOST_WIDTH), HEIGHT, color=color)
    console.print()
    if drawn:
        console.print(Text.from_ansi(drawn), no_wrap=True, crop=False)
    for sentence in rate_sentences(chart, state):
        console.print(Text(one_line(sentence)), soft_wrap=False)
    for command in widen_commands(chart, state, run):
        console.print(Text(one_line(command), style="bold"), soft_wrap=True)


def rates_figure(chart: RateChart, width: int, height: int, *, color: bool) -> str:
    """The chart as text with SGR codes; '' where there is none to draw."""
    import plotext

    if not chart.drawable:
        return ""
    span, limits = rate_span(chart), outcome_limits(chart)
    figure = empty_figure(plotext, width, height, color)
    scale = " (log)" if limits and limits.log else ""
    lost = any(point.lost for line in chart.lines for point in line.points)
    figure.title(
        f"{chart.outcome_words}{scale} by learning rate"
        + (", NaN and diverged at the top" if lost else "")
    )
    if chart.best:
        line, _ = chart.best
        ends = [place(value, span) for value in line.near]
        marker = plotext.marker(NEAR, _tint(chart, line))
        figure.draw(figure.signal(ends, [0.0, 0.0], marker=marker).lines(True))
    for line in chart.lines:
        for piece in stretches(line):
            x = [place(point.rate, span) for point in piece]
            y = [_height(point.value, limits) for point in piece]
            marker = plotext.marker("braille", _tint(chart, line))
            figure.draw(figure.signal(x, y, marker=marker).lines(True))
    for line in chart.lines:
        for point in line.points:
            if math.isfinite(point.value):
                y_at = _height(point.value, limits)
                sign, tint = point.letter, _tint(chart, line)
                sign = sign if cell_len(sign) == 1 else DOT
                _seeds(plotext, point, place(point.rate, span), limits, tint)
            elif point.lost:
                y_at, sign, tint = 1.0, LOST, LOST_TINT
            else:
                continue
            marker = plotext.marker(sign, tint)
            figure.draw(figure.signal([place(point.rate, span)], [y_at], marker=marker))
    _rulers(figure, chart, span, width)
    text = str(figure.build().string(colorless=not color)).rstrip("\n")
    return "\n".join([text, *_legend(chart, color=color)])


def _seeds(plotext: Any, point: RatePoint, x: float, limits: AxisLimits | None, tint: int) -> None:
    """A bar over the outcomes of a point's seeds."""
    if point.low < point.high:
        ends = [_height(point.low, limits), _height(point.high, limits)]
        marker = plotext.marker(SEEDS, tint)
        plotext.figure.draw(plotext.figure.signal([x, x], ends, marker=marker).lines(True))


def _height(value: float, limits: AxisLimits | None) -> float:
    share = float(limits.shares(np.array([value]))[0]) if limits else 0.0
    return BOTTOM + (TOP - BOTTOM) * share


def _rulers(figure: Any, chart: RateChart, span: tuple[float, float], width: int) -> None:
    limits = outcome_limits(chart)
    if limits:
        y_ruler(figure, limits, BOTTOM, TOP)
    else:  # all are lost
        figure.ruler("y").lim(0, 1)
        figure.ruler("y").ticks([1.0], [LOST])
    figure.ruler("x").lim(0, 1)
    shown = round_rates(*span, max(2, width // 10))
    figure.ruler("x").ticks([place(value, span) for value in shown], list(map(rate, shown)))


def _tint(chart: RateChart, line: RateLine) -> int:
    return LANES[chart.lines.index(line) % len(LANES)]


def _legend(chart: RateChart, *, color: bool) -> list[str]:
    """A line for each line of the chart: its lanes, and its name where there are several."""
    found = []
    for line in chart.lines:
        letters = [point.letter for point in line.points]
        more = " ..." if len(letters) > MOST_LETTERS else ""
        text = one_line(f"{line_name(line, chart)}{' '.join(letters[:MOST_LETTERS])}{more}")
        found.append(f"\x1b[38;5;{_tint(chart, line)}m{text}\x1b[0m" if color else text)
    return found if len(found) > 1 else []
