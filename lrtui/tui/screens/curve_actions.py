"""The keys and the mouse for curves: what is drawn, on which axes, which part of it, and where the
crosshair stands.

They change the view and nothing else; what follows from it is drawn anew.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import numpy as np
from textual.events import MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp

from lrtui.core.charts.axes import KINDS, XAxis, whole
from lrtui.core.charts.marks import LOST
from lrtui.core.charts.metric_series import quantities, track
from lrtui.tui import axis_fit, keys
from lrtui.tui.rects import Rect
from lrtui.tui.render import marks, overlay
from lrtui.tui.render.crosshair import higher_is_better
from lrtui.tui.screens.watching import Watching
from lrtui.tui.view import CHART_PANELS, CURVES, RaceView

WEIGHTS = (0.0, 0.6, 0.9, 0.97, 0.99)
"""Of the average, by key; 0.6 is where TensorBoard begins."""
ZOOM = 2.0
PAN = 0.25
TENTHS = 10
"""Shift and an arrow take the crosshair this part of the chart's width further."""

Asked = ParamSpec("Asked")


def about_curves(
    action: Callable[Concatenate[CurveKeys, Asked], None],
) -> Callable[Concatenate[CurveKeys, Asked], None]:
    """A key that changes nothing unseen: where something else is shown than curves it says so, and
    how to see them."""

    @wraps(action)
    def seen(screen: CurveKeys, /, *asked: Asked.args, **named: Asked.kwargs) -> None:
        if screen.view.panel in CHART_PANELS:
            action(screen, *asked, **named)
        else:
            screen.warn(f"this acts on the curves: {keys.read('view.back')} shows them")

    return seen


class CurveKeys(Watching):
    """Turns keys into another view of the curves."""

    _dragged: tuple[int, Rect, XAxis] | None = None
    """While a mouse button is down: the column where it went down, the chart there, and its axis
    then."""

    @about_curves
    def action_smooth(self, step: int) -> None:
        """A heavier or a lighter average, around the end; none is one of them."""
        now = WEIGHTS.index(self.view.smoothing) if self.view.smoothing in WEIGHTS else 0
        self.view.smoothing = WEIGHTS[(now + step) % len(WEIGHTS)]
        self.redraw()

    @about_curves
    def action_log_axis(self) -> None:
        """The other scale of y."""
        self.view.y_log = not self.view.y_log
        self.redraw()
        if self.view.y_log and not self.view.limits.log:
            self.warn(f"{self.view.label} is 0 or below somewhere: its axis stays linear")

    @about_curves
    def action_x_log(self) -> None:
        """The other scale of x."""
        self.view.x_log = not self.view.x_log
        self.redraw()

    @about_curves
    def action_x_kind(self) -> None:
        """What the x axis counts: the next kind. Range and crosshair stay with the steps of the
        chosen lane."""
        view, lane, race = self.view, self.selected, self.state.race
        old = view.x
        view.x_kind = KINDS[(KINDS.index(view.x_kind) + 1) % len(KINDS)]
        fresh = old._replace(kind=view.x_kind)

        def there(value: float, more: int = 0) -> float:
            return fresh.value(lane, race, old.step(lane, race, value) + more)

        ranges = [(there(start), there(stop, 1)) for start, stop in view.zooms]
        view.zooms = [(start, stop) for start, stop in ranges if start < stop]
        view.cursor = None if view.cursor is None else there(view.cursor)
        self.redraw()

    @about_curves
    def action_full_range(self) -> None:
        """Every value within the y axis, or outliers left out of it."""
        self.view.full_range = not self.view.full_range
        self.redraw()

    @about_curves
    def action_quantity(self, step: int) -> None:
        """The next of what the lanes have, or the one before."""
        found = quantities(self.state)
        if not found:
            return
        names = [one.name for one in found]
        now = names.index(self.view.quantity) if self.view.quantity in names else -step
        selected = found[(now + step) % len(found)]
        self.view.quantity, self.view.y_log = selected.name, selected.log
        self.redraw()

    @about_curves
    def action_usual(self) -> None:
        """The curves as they are when nobody has chosen anything."""
        fresh = RaceView()
        for name in CURVES:
            setattr(self.view, name, getattr(fresh, name))
        self.redraw()

    @about_curves
    def action_zoom(self, direction: int) -> None:
        """Half the range or twice as much, about crosshair, newest step or middle: the first that
        is in sight."""
        x = self.view.x
        last = axis_fit.newest(self.view, self.state)
        about = next(
            (
                value
                for value in (self.view.cursor, last)
                if value is not None and x.start <= value <= x.stop
            ),
            None,
        )
        self._zoom(direction, x.value_at(1, 2) if about is None else about)

    def _zoom(self, direction: int, about: float) -> None:
        view, full = self.view, self._whole
        axis = view.x.zoomed(about, ZOOM**direction).within(full)
        if direction > 0 and axis.stop - axis.start < axis_fit.least_range(
            axis, self.selected, self.state
        ):
            return
        if axis == full:
            view.zooms.clear()
        else:
            view.zooms.append((axis.start, axis.stop))
        self._follow_or_not()
        self.redraw()

    @about_curves
    def action_zoom_back(self) -> None:
        """The range before the last zoom; at last, all."""
        if self.view.zooms:
            self.view.zooms.pop()
        self._follow_or_not()
        self.redraw()

    @about_curves
    def action_pan(self, direction: int) -> None:
        """A quarter of the range to the left or to the right."""
        if not self.view.zooms:
            left, right = keys.read("view.pan_left"), keys.read("view.pan_right")
            return self.warn(
                f"all of it is in sight: {keys.read('view.zoom_in')} zooms in, then {left} and"
                f" {right} move"
            )
        self._show(self.view.x.moved(direction * PAN))
        return None

    @about_curves
    def action_follow(self) -> None:
        """The zoomed range moves with the newest step, or stays where it is."""
        view = self.view
        if not view.zooms:
            zooms, follows = keys.read("view.zoom_in"), keys.read("view.follow")
            return self.warn(
                f"all of it is in sight: {zooms} zooms in, then {follows} follows the newest step"
            )
        view.follow = not view.follow
        last = axis_fit.newest(view, self.state)
        if view.follow and not view.x.start <= last < view.x.stop:
            self._show(view.x.moved(view.x.share(last) - 1 + PAN), follow=True)
        self.redraw()
        return None

    def _show(self, axis: XAxis, *, follow: bool | None = None) -> None:
        """Another part of the same size in the place of the last one."""
        axis = axis.within(self._whole)
        if self.view.zooms:
            self.view.zooms[-1] = axis.start, axis.stop
        self._follow_or_not()
        if follow is not None:
            self.view.follow = follow
        self.redraw()

    def _follow_or_not(self) -> None:
        """A range with the newest step in it follows by itself."""
        view = self.view
        last = axis_fit.newest(view, self.state)
        view.follow = bool(view.zooms) and view.zooms[-1][0] <= last <= view.zooms[-1][1]

    @property
    def _whole(self) -> XAxis:
        return whole(self.state, self.view.x_kind, self.view.x_log)

    @about_curves
    def action_crosshair(self) -> None:
        """A value cursor through all charts, first at the newest step; or none."""
        view = self.view
        if view.cursor is not None:
            view.cursor, view.cursor_label = None, ""
        else:
            last = view.x.value(self.selected, self.state.race, max(self.selected.steps - 1, 0))
            view.cursor = last if view.x.start <= last <= view.x.stop else view.x.value_at(1, 2)
        self.redraw()

    def moved_crosshair(self, dx: int) -> bool:
        """A dot column to the left or right, or as far as the next step where steps are wider;
        False where there is none."""
        view, width = self.view, self._dots()
        if view.cursor is None or not dx:
            return False
        column = min(max(view.x.place(view.cursor, width) + dx, 0), width - 1)
        view.cursor, view.cursor_label = self._on_step(view.x.value_at(column + 0.5, width), dx), ""
        self.redraw()
        return True

    @about_curves
    def action_cursor(self, direction: int) -> None:
        """A tenth of the chart's width."""
        if not self.moved_crosshair(direction * max(1, self._dots() // TENTHS)):
            self.warn(f"there is no crosshair: {keys.read('view.crosshair')} shows it")

    def _on_step(self, value: float, dx: int) -> float:
        """The step of the chosen lane at a number on the axis; another one than now, in the
        direction that was meant."""
        x, lane, race = self.view.x, self.selected, self.state.race
        before = x.step(lane, race, self.view.cursor or 0.0)
        step = x.step(lane, race, value)
        if step == before:
            step = max(0, before + (1 if dx > 0 else -1))
        return x.value(lane, race, step) if x.value(lane, race, step) < self._whole.stop else value

    def _dots(self) -> int:
        """The dot columns of the chart that the crosshair is in."""
        rects = self._charts()
        return 2 * max(1, rects[0].width if rects else self._layout.panel.width)

    def _charts(self) -> list[Rect]:
        """Where on the screen curves are; the chosen lane's first."""
        layout, view = self._layout, self.view
        if view.panel == "overlay":
            place = overlay.source_of(layout.panel.width, layout.panel.height, self.state, view)
            return [place._replace(x=place.x + layout.panel.x, y=place.y + layout.panel.y)]
        if view.panel not in ("panes", "enlarged"):
            return []
        curve = layout.parts.curve
        panes = [
            layout.panes[index]
            for index in sorted(layout.panes, key=lambda index: index != view.selected)
        ]
        return [curve._replace(x=pane.x + curve.x, y=pane.y + curve.y) for pane in panes]

    @about_curves
    def action_best(self) -> None:
        """The crosshair at the best value of the chosen lane."""
        view, lane = self.view, self.selected
        found, highest = track(lane, view.quantity), higher_is_better(view.quantity)
        values = (
            np.empty(0)
            if found is None
            else found.series.values.astype(float) * (-1 if highest else 1)
        )
        if found is None or not np.isfinite(values).any():
            return self.warn(f"{lane.lane.letter} has no {view.label} yet")
        place = int(np.where(np.isfinite(values), values, math.inf).argmin())
        step = place if found.steps is None else int(found.steps[place])
        self._land(step, f"{'highest' if highest else 'lowest'} {view.label}")
        return None

    @about_curves
    def action_mark(self, direction: int, signs: str = "") -> None:
        """The crosshair at the chosen lane's next mark of some kinds, or at the one before, around
        the end."""
        view, lane = self.view, self.selected
        found = [mark for mark in marks.marks(lane, view) if not signs or mark.sign in signs]
        if not signs or LOST in signs:
            found += marks.gaps(lane, view)
        places = sorted({mark.step: mark for mark in found}.values())
        if not places:
            return self.warn(f"{lane.lane.letter} has {marks.nothing(signs)}")
        steps = [mark.step for mark in places]
        now = -1 if view.cursor is None else view.x.step(lane, self.state.race, view.cursor)
        at = (
            bisect_right(steps, now)
            if direction > 0
            else bisect_left(steps, now if view.cursor is not None else math.inf) - 1
        )
        mark = places[at % len(places)]
        self._land(mark.step, mark.what)
        return None

    def _land(self, step: int, what: str) -> None:
        """The crosshair exactly at a step of the chosen lane, in sight, and in words what is
        there."""
        view, lane = self.view, self.selected
        view.cursor = view.x.value(lane, self.state.race, step)
        view.cursor_label = f"{lane.lane.letter}: {what} at step {step}"
        if view.zooms and not view.x.start <= view.cursor < view.x.stop:
            self._show(view.x.moved(view.x.share(view.cursor) - 0.5))
        self.redraw()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self._wheel(event.screen_x, event.screen_y, 1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self._wheel(event.screen_x, event.screen_y, -1)

    def _wheel(self, x: int, y: int, direction: int) -> None:
        """Zooms about where the mouse is."""
        chart = self._chart_at(x, y)
        if chart is not None:
            self._zoom(direction, self.view.x.value_at(x - chart.x + 0.5, chart.width))

    def on_mouse_down(self, event: MouseDown) -> None:
        chart = self._chart_at(event.screen_x, event.screen_y)
        self._dragged = (
            None if chart is None or not self.view.zooms else (event.screen_x, chart, self.view.x)
        )

    def on_mouse_move(self, event: MouseMove) -> None:
        if self._dragged is not None and event.button and event.delta_x:
            began, chart, axis = self._dragged
            self._show(axis.moved((began - event.screen_x) / chart.width))

    def on_mouse_up(self, event: MouseUp) -> None:
        self._dragged = None

    def _chart_at(self, x: int, y: int) -> Rect | None:
        return next((rect for rect in self._charts() if rect.contains(x, y)), None)
