"""The curves of a group of seeds as one: their mean as a line, and a shade from the lowest to the
highest of them. Knows no widget.

Of a smoothed view it is the band of the smoothed curves: raw ones are as wide as their noise.
"""

from __future__ import annotations

from typing import NamedTuple

from lrtui.core.charts.metric_series import MetricSeries, smoothed
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import LaneState
from lrtui.tui.render import chart, raster, styles
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView


class Band(NamedTuple):
    """A group's curves as dots."""

    line: raster.Raster
    """The mean; its arrows are those of all seeds."""
    shade: raster.Bits
    cut: list[tuple[LaneState, MetricSeries]]
    """The curves with a NaN or an infinity in sight."""


def band(canvas: Canvas, group: SeedGroup, race: Race, view: RaceView) -> Band | None:
    """The band of a group on a canvas of that size; None before anything is recorded."""
    tracks = [
        (lane, found)
        for lane in group.lanes
        if (found := smoothed(lane, view.quantity, view.smoothing)) is not None
    ]
    if not tracks or not canvas.height or not canvas.width:
        return None
    windows = [track.envelope(lane, race, view.x, 2 * canvas.width) for lane, track in tracks]
    limits = view.limits
    cut = [found for found, window in zip(tracks, windows, strict=True) if window.gap.any()]
    return Band(*raster.band(windows, canvas.height, limits.low, limits.high, limits.log), cut)


def draw(canvas: Canvas, group: SeedGroup, race: Race, view: RaceView) -> raster.Raster | None:
    """Draw a group's band over the canvas; return the raster of its mean, None before anything is
    recorded."""
    canvas.fill()
    found = band(canvas, group, race, view)
    if found is None:
        return None
    hue = view.hue(group.first.index)
    bold = styles.lane_bold(hue) if view.smoothing else styles.lane(hue)
    for bits, style in ((found.shade, styles.lane_faint(hue)), (found.line.bits, bold)):
        there = bits > 0
        canvas.codes[there] = raster.codes(bits)[there]
        canvas.styles[there] = style
    marks(canvas, found, group, race, view)
    return found.line


def marks(canvas: Canvas, found: Band, group: SeedGroup, race: Race, view: RaceView) -> None:
    """Arrows where any seed leaves the chart, and a cross where one of them is NaN."""
    chart.leaving(canvas, found.line, styles.lane(view.hue(group.first.index)))
    for lane, track in found.cut:
        chart.crosses(canvas, track, lane, race, view)
