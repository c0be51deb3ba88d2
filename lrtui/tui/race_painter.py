"""Draws a race as its view shows it: panes or a panel, and the parts around them. Draws on a
canvas; knows no widget, polls no run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from lrtui.core.protocol.events import Sampled
from lrtui.core.results.race_words import step_words
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.tui import axis_fit
from lrtui.tui.key_table import RACE, off
from lrtui.tui.layout import arrange
from lrtui.tui.machine import Reading
from lrtui.tui.machine_history import History
from lrtui.tui.pane_layout import Wants
from lrtui.tui.race_panels import Panel
from lrtui.tui.rects import Rect
from lrtui.tui.render import machine_strip, overlay, pane, panels, standings
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import PanelName, RaceView

LINES: tuple[PanelName, ...] = ("log", "console")
"""Panels with content even if no lane is visible."""


class Status(NamedTuple):
    """The content around the panes that is neither race nor view."""

    trouble: str
    """The problem with the run and its remedy, for the header; '': none."""
    commands: str
    """The last replies and pending commands; '': none."""
    all_lanes: bool
    """True while the dial, pause and stop address all living lanes."""
    reading: Reading | None
    """The machine's load; None: not known."""
    history: History
    gpus: int


class RacePainter:
    """Draws the parts that changed since the last frame."""

    def __init__(
        self,
        state: RaceState,
        view: RaceView,
        panels: Mapping[PanelName, Panel],
        sample_at: Callable[[int, int], Sampled | None],
        last_lines: Callable[[LaneState], list[str]],
    ) -> None:
        """`sample_at(lane, step)`: the last sample of a lane up to a step; `last_lines`: of what a
        script's lane has printed."""
        self._state = state
        self._view = view
        self._panels = panels
        self._sample_at, self._last_lines = sample_at, last_lines
        self.layout = arrange(0, 0, [])
        self._laid_out_for: object = None
        """The inputs of the layout besides the size, when it was computed."""
        self._drawn: dict[int, object] = {}
        """By lane index: what determines a pane's curves, when it was last drawn."""
        self._panel_drawn: object = None
        """The stamp of the panel when it was last drawn."""
        self._ends: dict[int, tuple[int, ...]] = {}
        """`curve_ends` of the last frame."""

    def draw(self, canvas: Canvas, status: Status, *, figures: bool = True) -> None:
        """Fit the view and draw the parts that are out of date; without `figures` only curves."""
        if not canvas.height or not canvas.width:
            return
        before = self._view.x
        axis_fit.fit(self._view, self._state, figures=figures)
        if self._layout_inputs(status) != self._laid_out_for:
            self._lay_out(canvas, status)  # a lane joined or is hidden, or the race is over
        else:
            self._paint(canvas, status, figures=figures or self._view.x != before)

    def redraw(self, canvas: Canvas, status: Status) -> None:
        """Fit the view, lay out and draw everything: after a change of size or view."""
        axis_fit.fit(self._view, self._state)
        self._lay_out(canvas, status)

    def moved(self) -> bool:
        """True if a curve has grown by a dot since the last frame."""
        return self.curve_ends() != self._ends

    def curve_ends(self) -> dict[int, tuple[int, ...]]:
        """By index of a visible lane: the dot columns at which its curve, or those of its seeds,
        end; the columns before them do not change."""
        view, race = self._view, self._state.race
        whole = view.panel in self._panels
        width = 2 * (self.layout.panel if whole else self.layout.parts.curve).width
        return {
            index: tuple(
                min(max(view.x.place(view.x.value(lane, race, lane.steps - 1), width), -1), width)
                for lane in view.groups[index].lanes
            )
            for index in view.shown
        }

    def charts(self) -> list[Rect]:
        """The screen areas of the charts, the selected lane's first."""
        layout, view = self.layout, self._view
        if view.panel == "overlay":
            chart = overlay.source_of(layout.panel.width, layout.panel.height, view)
            return [chart._replace(x=chart.x + layout.panel.x, y=chart.y + layout.panel.y)]
        if view.panel not in ("panes", "enlarged"):
            return []
        curve = layout.parts.curve
        panes = [
            layout.panes[index]
            for index in sorted(layout.panes, key=lambda index: index != view.selected)
        ]
        return [curve._replace(x=area.x + curve.x, y=area.y + curve.y) for area in panes]

    def _layout_inputs(self, status: Status) -> tuple[tuple[int, ...], Wants, int]:
        """(visible lanes, needs of their panes, rows for GPUs: none once the race is over)."""
        charted = axis_fit.charted(self._view)
        wants = Wants(
            any(index in self._view.moving for index in charted),
            any(self._state.lanes[index].sample is not None for index in charted),
            facts=self._view.panel == "enlarged",
            gauge=self._state.race.script is None,
        )
        return tuple(self._view.shown), wants, 0 if self._state.over else status.gpus

    def _lay_out(self, canvas: Canvas, status: Status) -> None:
        view = self._view
        self._laid_out_for = shown, wants, gpus = self._layout_inputs(status)
        self.layout = arrange(
            canvas.width,
            canvas.height,
            shown,
            view.selected if view.panel == "enlarged" and shown else None,
            view.selected,
            gpus,
            wants,
            whole=view.panel in self._panels,
        )
        self._drawn.clear()
        self._panel_drawn = None
        canvas.fill()
        if canvas.width and canvas.height:
            self._paint(canvas, status, figures=True)

    def _paint(self, canvas: Canvas, status: Status, *, figures: bool) -> None:
        layout, state, view = self.layout, self._state, self._view
        if layout.too_small:
            panels.too_small(canvas)
            return
        self._fit_samples()
        if figures:
            self._fit_no_steps()
        self._ends = self.curve_ends()
        visible = panels.seen(state, view, layout.page)
        panels.header(canvas.view(layout.header), state, status.trouble, visible)
        self._paint_panel(canvas, figures)
        if figures:
            standings.draw(canvas.view(layout.standings), state, view)
            panels.log(canvas.view(layout.log), state, view)
        self._paint_machine(canvas.view(layout.machine), status)
        if status.commands:
            panels.commands(canvas.view(layout.machine._replace(height=1)), status.commands)
        scope = [(view.keymap.read("race.all"), "ALL LANES")] if status.all_lanes else []
        words = scope + view.keymap.footer_words(RACE, over=state.over, off=off(state))
        panels.footer(canvas.view(layout.footer), words)

    def _paint_machine(self, canvas: Canvas, status: Status) -> None:
        """Draw the machine's load, and at its right end the choices of the charts."""
        canvas.fill()
        room = canvas.width - panels.view_words(canvas, self._view)
        canvas = canvas.view(Rect(0, 0, room, canvas.height))
        reading = status.reading if self._state.training else None
        machine_strip.draw(canvas, self._state, reading, status.history, self._view.time_base)

    def _paint_panel(self, canvas: Canvas, figures: bool) -> None:
        view, area = self._view, canvas.view(self.layout.panel)
        if not view.shown and view.panel not in LINES:
            standings.nothing_shown(area, view)
        elif panel := self._panels.get(view.panel):
            if self._panel_drawn != (stamp := panel.stamp()):
                self._panel_drawn = stamp
                panel.draw(area)
        else:
            self._paint_panes(canvas, figures)

    def _paint_panes(self, canvas: Canvas, figures: bool) -> None:
        state, view = self._state, self._view
        for index, area in self.layout.panes.items():
            stamp = self._ends[index], view.limits, view.rate_limits, view.x
            if figures or self._drawn.get(index) != stamp:
                self._drawn[index] = stamp
                pane.draw(
                    canvas.view(area),
                    view.groups[index],
                    state,
                    view,
                    self.layout.parts,
                    selected=index == view.selected,
                    figures=figures,
                )

    def _fit_samples(self) -> None:
        """Find the samples for panes while there is a crosshair: the last ones up to its step."""
        view = self._view
        view.pictures = {}
        for lane in view.shown:
            step = view.step_at_cursor(self._state.lanes[lane], self._state.race)
            if step is not None:
                view.pictures[lane] = self._sample_at(lane, step)

    def _fit_no_steps(self) -> None:
        """Find what to show of the script lanes without a step."""
        state = self._state
        lanes = [state.lanes[index] for index in self._view.shown] if state.race.script else []
        self._view.no_steps = {
            lane.index: [step_words(lane, state), *self._last_lines(lane)]
            for lane in lanes
            if not any(each.steps for each in self._view.groups[lane.index].lanes)
        }
