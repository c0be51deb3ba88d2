"""The curves of many lanes in one canvas, groups of seeds as bands. Knows no widget.

From the ninth on colours come again, in other line styles. Smoothed curves lie over raw ones, and
the means of seeds over their shades, which are faint: all of them, or in a crowd those of `behind`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lrtui.core.charts.metric_series import smoothed, track
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.scenario.spec import Race
from lrtui.tui.render import band, chart, raster, styles
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.render.dashes import dashed
from lrtui.tui.view import RaceView


def draw(
    canvas: Canvas, groups: Sequence[SeedGroup], race: Race, view: RaceView
) -> dict[int, tuple[int, int]]:
    """Draw what the view shows of all groups, later ones on top; return the cell (x, y) where each
    one's curve ends, by the index of its first lane."""
    canvas.fill()
    if not canvas.height or not canvas.width:
        return {}
    single = {
        group.first.index: drawn
        for group in groups
        if len(group.lanes) == 1 and (drawn := _raw(canvas, group, race, view))
    }
    bands = {
        group.first.index: shaded
        for group in groups
        if len(group.lanes) > 1 and (shaded := band.band(canvas, group, race, view))
    }
    lines = {index: one.bits for index, one in single.items()}
    faint = behind(groups, view)
    if view.smoothing:
        raw = {index: bits for index, bits in lines.items() if index in faint}
        _put(canvas, raw, view, styles.lane_faint)
        lines = _smoothed(canvas, groups, race, view)
    shades = {index: one.shade for index, one in bands.items() if index in faint}
    _put(canvas, shades, view, styles.lane_faint, whole=True)
    lines |= {index: one.line.bits for index, one in bands.items()}
    order = [group.first.index for group in groups if group.first.index in lines]
    tint = styles.lane_bold if view.smoothing else styles.lane
    _put(canvas, {index: lines[index] for index in order}, view, tint)
    for group in groups:
        index = group.first.index
        if index in bands:
            band.marks(canvas, bands[index], group, race, view)
        elif index in single and (found := track(group.first, view.quantity)):
            chart.leaving(canvas, single[index], styles.lane(view.hue(index)))
            chart.crosses(canvas, found, group.first, race, view)
    ends = single | {index: one.line for index, one in bands.items()}
    return {index: one.end for index, one in ends.items() if one.end is not None}


def behind(groups: Sequence[SeedGroup], view: RaceView) -> set[int]:
    """The indices of those whose raw curves, or shades, lie behind the lines.

    More than there are colours would hide the lines; then only those of the selected and the
    pinned.
    """
    shown = {group.first.index for group in groups}
    return shown if len(shown) <= styles.LANES else shown & {view.selected, *view.pinned}


def _raw(canvas: Canvas, group: SeedGroup, race: Race, view: RaceView) -> raster.Raster | None:
    found = track(group.first, view.quantity)
    return chart.raster_of(canvas, found, group.first, race, view) if found else None


def _smoothed(
    canvas: Canvas, groups: Sequence[SeedGroup], race: Race, view: RaceView
) -> dict[int, raster.Bits]:
    """The smoothed curves of single lanes."""
    return {
        group.first.index: chart.raster_of(canvas, found, group.first, race, view).bits
        for group in groups
        if len(group.lanes) == 1
        and (found := smoothed(group.first, view.quantity, view.smoothing)) is not None
    }


def _put(
    canvas: Canvas,
    lines: dict[int, raster.Bits],
    view: RaceView,
    tint: Callable[[int], int],
    *,
    whole: bool = False,
) -> None:
    """Dots by the indices of lanes, the last on top, each in its colour and, unless `whole`, in its
    line style."""
    if not lines:
        return
    hues = [view.hue(index) for index in lines]
    layers = [
        bits if whole else dashed(bits, styles.line(hue))
        for hue, bits in zip(hues, lines.values(), strict=True)
    ]
    bits, owner = raster.overlay(layers, list(range(len(hues))))
    tints = [*map(tint, hues), *[styles.TEXT] * (256 - len(hues))]
    palette = np.array(tints, np.uint16)
    canvas.codes[bits > 0] = raster.codes(bits)[bits > 0]
    canvas.styles[bits > 0] = palette[owner][bits > 0]
