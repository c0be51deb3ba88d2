"""The rate chart as one SVG picture, alone in a file or within the page: no script, no embedded
font, light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

import numpy as np

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.labels import y_labels
from lrtui.core.charts.rate_axes import outcome_limits, place, rate_span, stretches
from lrtui.core.charts.rounding import round_rates
from lrtui.core.numbers import loss, rate
from lrtui.core.results.rate_chart import RateChart, RateLine, RatePoint
from lrtui.core.text import one_line
from lrtui.report.svg import BOTTOM, HEIGHT, LEFT, LIGHT, RIGHT, ROW, WIDTH, legend, stroke, style

MOST_Y = 7
LONGEST = 60
"""Cells of a line's name in the legend."""
LOST = "✗"
LOST_ROW = 24.0
"""Height of the row of lost rates, above the outcomes."""


class _Places:
    """Positions of rates and outcomes in the picture; the row of lost rates begins at `top`."""

    def __init__(self, chart: RateChart, top: float) -> None:
        self.limits = outcome_limits(chart) or AxisLimits.around(math.nan, math.nan)
        self.span = rate_span(chart)
        self.top, self.bottom = top, HEIGHT - BOTTOM

    def x(self, value: float) -> float:
        return LEFT + place(value, self.span) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = float(self.limits.shares(np.array([value]))[0])
        return self.bottom - share * (self.bottom - self.top - LOST_ROW)


def rates_svg(chart: RateChart, title: str, *, alone: bool = True) -> str:
    """The chart as an SVG document; within a page (not `alone`) the page's own style colours it. ''
    where there is no chart to draw."""
    if not chart.drawable:
        return ""
    lines = ((index, one_line(line.name)) for index, line in enumerate(chart.lines))
    names, rows = legend(lines, LONGEST)
    places = _Places(chart, 46 + rows * ROW)
    words, head = escape(one_line(chart.outcome_words)), escape(one_line(title))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img"'
        ' class="still">',
        f"<title>{head}{': ' if head else ''}{words} by learning rate</title>",
        f"<style>{style()}</style>" if alone else "",
        f'<rect class="ground" width="{WIDTH:g}" height="{HEIGHT:g}"/>' if alone else "",
        f'<text class="head" x="16" y="28">{head}</text>' if head else "",
        *names,
        *_axes(chart, places),
        *_near(chart, places),
    ]
    for index, line in enumerate(chart.lines):
        parts += [*_line(line, index, places), *_points(chart, line, index, places)]
    return "\n".join(filter(None, parts)) + "\n</svg>\n"


def _axes(chart: RateChart, places: _Places) -> Iterator[str]:
    if outcome_limits(chart):
        for value, label in y_labels(places.limits, MOST_Y):
            y = places.y(value)
            yield f'<path class="grid" d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}"/>'
            yield f'<text x="{LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    for value in round_rates(*places.span, MOST_Y):
        x = places.x(value)
        yield (
            f'<path class="grid" d="M{x:.1f} {places.bottom:g}v5"/><text x="{x:.1f}"'
            f' y="{places.bottom + 19:.1f}" text-anchor="middle">{rate(value)}</text>'
        )
    yield (
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 10:g}"'
        ' text-anchor="middle">learning rate, logarithmic</text>'
    )
    if any(point.lost for line in chart.lines for point in line.points):
        yield (
            f'<text class="alert" x="{LEFT - 8:g}" y="{places.top + 12:.1f}"'
            ' text-anchor="end">lost</text>'
        )
    scale = f"{escape(chart.outcome_words)}{', logarithmic' if places.limits.log else ''}"
    yield (
        f'<text transform="translate(22 {(places.top + places.bottom) / 2:g}) rotate(-90)"'
        f' text-anchor="middle">{scale}</text>'
    )


def _near(chart: RateChart, places: _Places) -> Iterator[str]:
    """A band over the rates near the best one, in the colour of its line."""
    if chart.best is None:
        return
    line, best = chart.best
    left, right = (places.x(value) for value in line.near)
    left, right = (left - 6, right + 6) if right - left < 12 else (left, right)
    color = chart.lines.index(line) % len(LIGHT)
    words = f"within 5 % of the best: {rate(line.near[0], 3)} to {rate(line.near[1], 3)}"
    yield (
        f'<rect class="l{color}" fill="currentColor" opacity=".13" x="{left:.1f}"'
        f' y="{places.top + LOST_ROW:.1f}" width="{right - left:.1f}"'
        f' height="{places.bottom - places.top - LOST_ROW:.1f}"><title>{words}</title></rect>'
    )
    yield (
        f'<circle class="l{color}" fill="none" stroke="currentColor" stroke-width="2"'
        f' cx="{places.x(best.rate):.1f}" cy="{places.y(best.value):.1f}" r="9"/>'
    )


def _line(line: RateLine, index: int, places: _Places) -> Iterator[str]:
    for piece in stretches(line):
        corners = (f"{places.x(point.rate):.1f} {places.y(point.value):.1f}" for point in piece)
        yield f'<path {stroke(index)} d="M{"L".join(corners)}"/>'


def _points(chart: RateChart, line: RateLine, index: int, places: _Places) -> Iterator[str]:
    """A dot for each outcome with the range of its seeds, a cross for a lost rate; pointing at one
    shows what it is."""
    color = f'class="l{index % len(LIGHT)}"'
    for point in line.points:
        x, title = places.x(point.rate), escape(_words(chart, line, point))
        if point.lost:
            yield (
                f'<text class="alert" x="{x:.1f}" y="{places.top + 12:.1f}"'
                f' text-anchor="middle">{LOST}<title>{title}</title></text>'
            )
        elif math.isfinite(point.value):
            low, high = places.y(point.low), places.y(point.high)
            if low - high > 1:
                yield (
                    f'<path {color} stroke="currentColor" stroke-width="3" opacity=".45"'
                    f' d="M{x:.1f} {low:.1f}V{high:.1f}"/>'
                )
            yield (
                f'<circle {color} fill="currentColor" cx="{x:.1f}" cy="{places.y(point.value):.1f}"'
                f' r="4"><title>{title}</title></circle><text {color} fill="currentColor"'
                f' x="{x:.1f}" y="{places.y(point.value) - 12:.1f}"'
                f' text-anchor="middle">{escape(one_line(point.letter))}</text>'
            )


def _words(chart: RateChart, line: RateLine, point: RatePoint) -> str:
    of = f"{line.name}, " if len(chart.lines) > 1 else ""
    if point.lost:
        return f"{point.letter}: {of}rate {rate(point.rate)} went NaN or diverged"
    count = len(point.lanes)
    seeds = f" ({count} lanes, {loss(point.low)} to {loss(point.high)})" if count > 1 else ""
    value = f"{chart.outcome_words} {loss(point.value)}{seeds}"
    return f"{point.letter}: {of}rate {rate(point.rate)}, {value}"
