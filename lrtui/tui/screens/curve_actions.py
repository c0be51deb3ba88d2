"""Actions on the curves: quantity, axes, zoom. They change the view alone; the caller redraws it.
Knows no Textual."""

from __future__ import annotations

from typing import NamedTuple

from lrtui.core.charts import axes
from lrtui.core.charts.axes import XAxis
from lrtui.core.charts.metric_series import quantities
from lrtui.core.diagnostics import param_groups
from lrtui.core.errors import LrtuiError
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.tui import axis_fit
from lrtui.tui.race_painter import RacePainter
from lrtui.tui.rects import Rect
from lrtui.tui.screens.on_charts import on_charts
from lrtui.tui.view import CURVES, RaceView

WEIGHTS = (0.0, 0.6, 0.9, 0.97, 0.99)
"""EMA weights, in the order of the smoothing keys; 0.6 is TensorBoard's default."""
ZOOM = 2.0
PAN = 0.25
"""Part of the range by which a key moves it."""


class _Drag(NamedTuple):
    """A mouse button is down: the column where it went down, the chart there, and its axis then."""

    column: int
    chart: Rect
    axis: XAxis


class CurveActions:
    """Changes which part of which curves a view shows."""

    def __init__(self, state: RaceState, view: RaceView, painter: RacePainter) -> None:
        self._state = state
        self.view = view
        self._painter = painter
        self._drag: _Drag | None = None

    @property
    def _lane(self) -> LaneState:
        return self._state.lanes[self.view.selected]

    @on_charts
    def smooth(self, step: int) -> None:
        """Select the next heavier or lighter average, around the end; one of them is none."""
        now = WEIGHTS.index(self.view.smoothing) if self.view.smoothing in WEIGHTS else 0
        self.view.smoothing = WEIGHTS[(now + step) % len(WEIGHTS)]

    @on_charts
    def toggle_y_log(self) -> None:
        """Switch between a logarithmic and a linear y axis."""
        self.view.y_log = not self.view.y_log
        axis_fit.fit(self.view, self._state)
        if self.view.y_log and not self.view.limits.log:
            raise LrtuiError(f"{self.view.label} is 0 or below somewhere: its axis stays linear")

    @on_charts
    def toggle_x_log(self) -> None:
        """Switch between a logarithmic and a linear x axis."""
        self.view.x_log = not self.view.x_log

    @on_charts
    def next_x_kind(self) -> None:
        """Select the next unit of the x axis; range and crosshair stay at the same steps of the
        selected lane."""
        view, lane, race = self.view, self._lane, self._state.race
        old = view.x
        known = axes.kinds(race)
        view.x_kind = known[(known.index(view.x_kind) + 1) % len(known)]
        fresh = old._replace(kind=view.x_kind)

        def convert(value: float, more: int = 0) -> float:
            return fresh.value(lane, race, old.step(lane, race, value) + more)

        ranges = [(convert(start), convert(stop, 1)) for start, stop in view.zooms]
        view.zooms = [(start, stop) for start, stop in ranges if start < stop]
        view.cursor = None if view.cursor is None else convert(view.cursor)

    @on_charts
    def toggle_full_range(self) -> None:
        """Fit the y axis to every value, or leave out outliers."""
        self.view.full_range = not self.view.full_range

    @on_charts
    def change_quantity(self, step: int) -> None:
        """Select the next or the previous quantity that the lanes have."""
        found = quantities(self._state)
        if not found:
            return
        names = [one.name for one in found]
        now = names.index(self.view.quantity) if self.view.quantity in names else -step
        selected = found[(now + step) % len(found)]
        self.view.quantity, self.view.y_log = selected.name, selected.log

    @on_charts
    def next_group(self) -> None:
        """Show the rates of the selected lane's next param group."""
        lane = self._lane
        names = param_groups.groups(lane)
        if len(names) == 1:
            raise LrtuiError(f"{lane.lane.called} has one param group: its rate is shown")
        self.view.group = names[(self.view.group_of(lane) + 1) % len(names)]

    @on_charts
    def reset(self) -> None:
        """Restore the defaults of the curves."""
        fresh = RaceView()
        for name in CURVES:
            setattr(self.view, name, getattr(fresh, name))

    @on_charts
    def zoom(self, direction: int) -> None:
        """Halve or double the range about the crosshair, the newest step, or the middle: the first
        of these that is visible."""
        x = self.view.x
        newest = axis_fit.newest(self.view, self._state)
        center = next(
            (
                value
                for value in (self.view.cursor, newest)
                if value is not None and x.start <= value <= x.stop
            ),
            None,
        )
        self._zoom(direction, x.value_at(1, 2) if center is None else center)

    def _zoom(self, direction: int, center: float) -> None:
        view, full = self.view, self.whole
        axis = view.x.zoomed(center, ZOOM**direction).within(full)
        least = axis_fit.least_range(axis, self._lane, self._state)
        if direction > 0 and axis.stop - axis.start < least:
            return
        if axis == full:
            view.zooms.clear()
        else:
            view.zooms.append((axis.start, axis.stop))
        self._update_follow()

    @on_charts
    def zoom_back(self) -> None:
        """Return to the range before the last zoom."""
        if self.view.zooms:
            self.view.zooms.pop()
        self._update_follow()

    @on_charts
    def pan(self, direction: int) -> None:
        """Move the range by a quarter to the left or to the right."""
        if not self.view.zooms:
            read = self.view.keymap.read
            raise LrtuiError(
                f"everything is in sight: {read('view.zoom_in')} zooms in, then"
                f" {read('view.pan_left')} and {read('view.pan_right')} move"
            )
        self.show(self.view.x.moved(direction * PAN))

    @on_charts
    def toggle_follow(self) -> None:
        """Let a zoomed range move with the newest step, or hold it."""
        view = self.view
        if not view.zooms:
            zooms, follows = view.keymap.read("view.zoom_in"), view.keymap.read("view.follow")
            raise LrtuiError(
                f"everything is in sight: {zooms} zooms in, then {follows} follows the newest step"
            )
        view.follow = not view.follow
        newest = axis_fit.newest(view, self._state)
        if view.follow and not view.x.start <= newest < view.x.stop:
            self.show(view.x.moved(view.x.share(newest) - 1 + PAN))
            view.follow = True

    def show(self, axis: XAxis) -> None:
        """Replace the last zoom by another range of its size."""
        axis = axis.within(self.whole)
        if self.view.zooms:
            self.view.zooms[-1] = axis.start, axis.stop
        self._update_follow()

    def _update_follow(self) -> None:
        """Follow the newest step if it lies in the zoomed range."""
        view = self.view
        newest = axis_fit.newest(view, self._state)
        view.follow = bool(view.zooms) and view.zooms[-1][0] <= newest <= view.zooms[-1][1]

    @property
    def whole(self) -> XAxis:
        """The x axis without zoom."""
        return axes.whole(self._state, self.view.x_kind, self.view.x_log)

    def wheel(self, x: int, y: int, direction: int) -> bool:
        """Zoom about the mouse; -1 zooms in, as the wheel turns up. False outside of charts."""
        chart = self._chart_at(x, y)
        if chart is None:
            return False
        self._zoom(-direction, self.view.x.value_at(x - chart.x + 0.5, chart.width))
        return True

    def press(self, x: int, y: int) -> None:
        """Begin to drag a zoomed chart."""
        chart = self._chart_at(x, y)
        self._drag = _Drag(x, chart, self.view.x) if chart and self.view.zooms else None

    def drag(self, x: int) -> bool:
        """Move the range with the mouse; False if no chart is dragged."""
        if self._drag is None:
            return False
        self.show(self._drag.axis.moved((self._drag.column - x) / self._drag.chart.width))
        return True

    def release(self) -> None:
        """End dragging."""
        self._drag = None

    def _chart_at(self, x: int, y: int) -> Rect | None:
        return next((chart for chart in self._painter.charts() if chart.contains(x, y)), None)
