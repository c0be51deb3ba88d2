"""Actions on the crosshair. They change the view alone; the caller redraws it. Knows no Textual."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

import numpy as np

from lrtui.core.charts.marks import LOST, Mark
from lrtui.core.charts.metric_series import track
from lrtui.core.errors import LrtuiError
from lrtui.core.results.ranking import highest_is_best
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.tui.race_painter import RacePainter
from lrtui.tui.render import marks
from lrtui.tui.screens.curve_actions import CurveActions
from lrtui.tui.screens.on_charts import on_charts
from lrtui.tui.view import RaceView

TENTHS = 10
"""Shift and an arrow move the crosshair by this part of the chart's width."""


class CrosshairActions:
    """Shows, hides and moves the crosshair through all charts."""

    def __init__(
        self, state: RaceState, view: RaceView, painter: RacePainter, curves: CurveActions
    ) -> None:
        self._state = state
        self.view = view
        self._painter = painter
        self._curves = curves

    @property
    def _lane(self) -> LaneState:
        return self._state.lanes[self.view.selected]

    @on_charts
    def toggle(self) -> None:
        """Show the crosshair at the newest step, or hide it."""
        view = self.view
        if not self.hide():
            newest = view.x.value(self._lane, self._state.race, max(self._lane.steps - 1, 0))
            visible = view.x.start <= newest <= view.x.stop
            view.cursor = newest if visible else view.x.value_at(1, 2)

    def hide(self) -> bool:
        """Hide the crosshair; False if there is none."""
        had = self.view.cursor is not None
        self.view.cursor, self.view.cursor_label = None, ""
        return had

    def move(self, dx: int) -> bool:
        """Move the crosshair by dot columns, or to the next step if steps are wider; False if there
        is none."""
        view, width = self.view, self.dots()
        if view.cursor is None or not dx:
            return False
        column = min(max(view.x.place(view.cursor, width) + dx, 0), width - 1)
        view.cursor, view.cursor_label = self._on_step(view.x.value_at(column + 0.5, width), dx), ""
        return True

    @on_charts
    def jump(self, direction: int) -> None:
        """Move the crosshair by a tenth of the chart's width."""
        if not self.move(direction * max(1, self.dots() // TENTHS)):
            raise LrtuiError(
                f"there is no crosshair: {self.view.keymap.read('view.crosshair')} shows it"
            )

    def _on_step(self, value: float, dx: int) -> float:
        """The position of a step of the selected lane near a value of the axis: not the crosshair's
        current step, but at least one further in the direction of `dx`."""
        x, lane, race = self.view.x, self._lane, self._state.race
        before = x.step(lane, race, self.view.cursor or 0.0)
        step = x.step(lane, race, value)
        if step == before:
            step = max(0, before + (1 if dx > 0 else -1))
        return (
            x.value(lane, race, step)
            if x.value(lane, race, step) < self._curves.whole.stop
            else value
        )

    def dots(self) -> int:
        """Dot columns of the chart with the crosshair."""
        charts = self._painter.charts()
        return 2 * max(1, charts[0].width if charts else self._painter.layout.panel.width)

    @property
    def _seeds(self) -> tuple[LaneState, ...]:
        """The selected lane, or the seeds of the selected group."""
        return self.view.groups[self.view.selected].lanes

    @on_charts
    def to_best(self) -> None:
        """Move the crosshair to the best value of the selected lane, or of any of its seeds."""
        view = self.view
        highest = highest_is_best(self._state.race, view.quantity)
        found = [best for lane in self._seeds if (best := self._best(lane, highest)) is not None]
        if not found:
            raise LrtuiError(f"{view.groups[view.selected].letter} has no {view.label} yet")
        _, step, lane = min(found, key=lambda best: best[0])
        self._move_to(lane, step, f"{'highest' if highest else 'lowest'} {view.label}")

    def _best(self, lane: LaneState, highest: bool) -> tuple[float, int, LaneState] | None:
        """(value, lower is better; its step, the lane) of a lane's best value; None without any."""
        found = track(lane, self.view.quantity)
        values = (
            np.empty(0)
            if found is None
            else found.series.values.astype(float) * (-1 if highest else 1)
        )
        if found is None or not np.isfinite(values).any():
            return None
        index = int(np.where(np.isfinite(values), values, math.inf).argmin())
        step = index if found.steps is None else int(found.steps[index])
        return float(values[index]), step, lane

    @on_charts
    def to_mark(self, direction: int, signs: str = "") -> None:
        """Move the crosshair to the next or previous mark of the selected lane, or of any of its
        seeds, of some kinds ('': any), around the end."""
        view = self.view
        by_step = {
            mark.step: (mark, lane) for lane in self._seeds for mark in self._marks(lane, signs)
        }
        if not by_step:
            letter = view.groups[view.selected].letter
            raise LrtuiError(f"{letter} has {marks.nothing(signs)}")
        steps = sorted(by_step)
        now = -1 if view.cursor is None else view.x.step(self._lane, self._state.race, view.cursor)
        at = (
            bisect_right(steps, now)
            if direction > 0
            else bisect_left(steps, now if view.cursor is not None else math.inf) - 1
        )
        mark, lane = by_step[steps[at % len(steps)]]
        self._move_to(lane, mark.step, mark.what)

    def _marks(self, lane: LaneState, signs: str) -> list[Mark]:
        found = [mark for mark in marks.marks(lane, self.view) if not signs or mark.sign in signs]
        return found + (marks.gaps(lane, self.view) if not signs or LOST in signs else [])

    def _move_to(self, lane: LaneState, step: int, label: str) -> None:
        """Move the crosshair to a step of a lane, and the range with it if needed."""
        view = self.view
        view.cursor = view.x.value(lane, self._state.race, step)
        view.cursor_label = f"{lane.lane.letter}: {label} at step {step}"
        if view.zooms and not view.x.start <= view.cursor < view.x.stop:
            self._curves.show(view.x.moved(view.x.share(view.cursor) - 0.5))
