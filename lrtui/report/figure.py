"""Parts of the charts that plotext prints: the figure, its y axis, curves. Knows no race.

Only finite, clipped, decimated points reach plotext: a NaN in a line, or a spike far beyond its
limits, aborts the process (notes on Textual, 1.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.labels import y_labels
from lrtui.core.series.series import Window

MOST_Y = 5
"""About this many labels stand beside the y axis."""


def empty_figure(plotext: Any, width: int, height: int, color: bool) -> Any:
    """plotext's figure, of a size, with nothing in it."""
    plotext.terminal.limit(False, False)
    figure = plotext.figure
    figure.clear()
    figure.theme("simple" if color else "colorless")
    figure.plot_size(width, height)
    return figure


def y_ruler(figure: Any, limits: AxisLimits, bottom: float = 0.0, top: float = 1.0) -> None:
    """The y axis from 0 to 1, with what is shown beside it; `bottom` and `top`: where the limits
    lie."""
    values, labels = zip(*y_labels(limits, MOST_Y), strict=True)
    figure.ruler("y").lim(0, 1)
    heights = bottom + (top - bottom) * limits.shares(np.array(values))
    figure.ruler("y").ticks(heights.tolist(), list(labels))


def draw_window(
    plotext: Any, window: Window, span: tuple[float, float], limits: AxisLimits, tint: int
) -> None:
    """Draws one signal for each unbroken stretch, at most two points for each of the window's
    columns."""
    columns = len(window.lo)
    x = np.repeat(span[0] + (np.arange(columns) + 0.5) * (span[1] - span[0]) / columns, 2)
    # where a curve climbs within a column, its lowest value comes first
    up = (window.last > window.first)[:, None]
    pairs = np.where(
        up, np.stack([window.lo, window.hi], axis=1), np.stack([window.hi, window.lo], axis=1)
    )
    y = limits.shares(pairs.reshape(-1).astype(float))
    keep = np.isfinite(y)
    breaks = np.flatnonzero(np.repeat(window.gap, 2)[:-1] & ~np.repeat(window.gap, 2)[1:]) + 1
    for xs, ys, good in zip(*(np.split(part, breaks) for part in (x, y, keep)), strict=True):
        if good.any():
            figure = plotext.figure
            marker = plotext.marker("braille", tint)
            figure.draw(
                figure.signal(xs[good].tolist(), ys[good].tolist(), marker=marker).lines(True)
            )
