"""Message of an empty chart: how far above or below it the curve lies, or that it has no value at
all."""

from __future__ import annotations

import numpy as np

from lrtui.core.charts.labels import end_label
from lrtui.core.charts.metric_series import track
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.scenario.spec import Race
from lrtui.tui.render import raster, styles
from lrtui.tui.render.canvas import Canvas, text_width
from lrtui.tui.view import RaceView


def words(canvas: Canvas, group: SeedGroup, race: Race, view: RaceView) -> None:
    """Writes into a chart with next to nothing of the curves of a lane or its seeds in it where
    they are; leaves any other as it is.

    A lane that is over and left the chart within its first column is as good as unseen: that column
    is under its cross.
    """
    drawn = (canvas.codes > raster.BLANK).any(axis=0).sum()
    tracks = [(lane, found) for lane in group.lanes if (found := track(lane, view.quantity))]
    if drawn > all(lane.over for lane in group.lanes) or not tracks or not canvas.width:
        return
    windows = [found.window(lane, race, view.x, 2 * canvas.width) for lane, found in tracks]
    low = np.concatenate([window.lo for window in windows])
    if not np.isfinite(low).any():
        if not drawn:
            _write(canvas, [_nothing(view)])
        return
    high = np.concatenate([window.hi for window in windows])
    where = _where(float(np.nanmin(low)), float(np.nanmax(high)), view)
    if where:
        rows = [next((text for text in where if text_width(text) <= canvas.width - 1), where[-1])]
        more = f"{view.keymap.read('view.full_range')} shows it"
        if not view.full_range and canvas.height > 3 and text_width(more) < canvas.width:
            rows.append(more)
        _write(canvas, rows)


def nothing(view: RaceView) -> str:
    """Message of a chart of all lanes without any value."""
    return _nothing(view) if view.zooms else f"no {view.label} yet"


def _nothing(view: RaceView) -> str:
    return "nothing in this part" if view.zooms else "no finite value"


def _where(low: float, high: float, view: RaceView) -> list[str]:
    """Position of values outside the chart, as texts from long to short; none if any is inside."""
    above, below = high > view.limits.high, low < view.limits.low
    if not above and not below:
        return []
    sign = "↑" if above else "↓"
    far = end_label(high if above else low)
    if above and below:
        return [f"{end_label(low)} to {end_label(high)}", f"{sign} {far}"]
    if low <= view.limits.high and high >= view.limits.low:  # it begins within the chart
        return [f"{'up' if above else 'down'} to {far}", f"{sign} {far}"]
    span = f"{end_label(low)} to {end_label(high)}" if low != high else far
    return [f"{'above' if above else 'below'}: {span}", f"{sign} {span}", f"{sign} {far}"]


def _write(canvas: Canvas, rows: list[str]) -> None:
    """Write in the middle; if it fits, not in the first and last row, which hold arrows, crosses
    and marks."""
    top = max(min(1, canvas.height - 1), (canvas.height - len(rows)) // 2)
    for y, text in enumerate(rows, top):
        canvas.text(max(1, (canvas.width - text_width(text)) // 2), y, text, styles.DIM)
