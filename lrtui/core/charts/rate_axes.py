"""Axes of a chart of outcomes against the logarithm of the rate, and its points as curves. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.results.rate_chart import RateChart, RateLine, RatePoint

LOG_FROM = 10.0
"""The axis of outcomes is logarithmic if the highest is this many times the lowest, or more."""
MARGIN = 0.04
"""Room beside the lowest and the highest rate, as a part of the axis."""


def outcome_limits(chart: RateChart) -> AxisLimits | None:
    """The axis of the outcomes, seeds included; None without a finite one."""
    ends = [
        value
        for line in chart.lines
        for point in line.points
        for value in (point.low, point.high)
        if math.isfinite(point.value)
    ]
    if not ends:
        return None
    low, high = min(ends), max(ends)
    return AxisLimits.around(low, high, 0 < low <= high / LOG_FROM)


def rate_span(chart: RateChart) -> tuple[float, float]:
    """The lowest and the highest rate of the axis, with room at its ends."""
    rates = chart.rates
    first, last = math.log10(rates[0]), math.log10(rates[-1])
    room = MARGIN * (last - first) or 0.5
    return 10.0 ** max(first - room, -307.0), 10.0 ** min(last + room, 307.0)


def place(rate: float, span: tuple[float, float]) -> float:
    """Position of a rate along the axis: 0 at its lowest, 1 at its highest."""
    low, high = map(math.log, span)
    return (math.log(rate) - low) / (high - low)


def stretches(line: RateLine) -> Iterator[list[RatePoint]]:
    """The points with an outcome, in pieces: no line leads across a lost rate."""
    piece: list[RatePoint] = []
    for point in line.points:
        if math.isfinite(point.value):
            piece.append(point)
        elif point.lost and piece:
            yield piece
            piece = []
    if piece:
        yield piece
