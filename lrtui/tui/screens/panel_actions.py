"""Actions on the panels that can take the place of the panes: show, scroll, scrub. They change the
view alone. Knows no Textual."""

from __future__ import annotations

from collections.abc import Mapping

from lrtui.client.follower import Follower
from lrtui.tui.machine_history import BASES
from lrtui.tui.race_painter import RacePainter
from lrtui.tui.race_panels import LinesPanel, Panel
from lrtui.tui.sample_frames import beside
from lrtui.tui.view import CHART_PANELS, PanelName, RaceView

WHEEL_LINES = 3


class PanelActions:
    """Chooses and scrolls the panel in the middle of the screen."""

    def __init__(
        self,
        follower: Follower,
        view: RaceView,
        painter: RacePainter,
        panels: Mapping[PanelName, Panel],
    ) -> None:
        self._follower, self._state = follower, follower.state
        self._view = view
        self._painter = painter
        self._panels = panels

    def shows(self, panel: PanelName) -> bool:
        """True if that panel is shown."""
        return self._view.panel == panel

    def enlarge(self) -> None:
        """Open the selected group: each of its seeds as a lane. Show a lane alone, or all panes
        again."""
        view = self._view
        if len(view.groups[view.selected].lanes) > 1:
            view.opened, view.solo = view.selected, None
            view.panel = "panes" if view.panel == "enlarged" else view.panel
        else:
            view.show("enlarged")

    def fold(self) -> bool:
        """Fold the opened seeds again; False if none are."""
        opened, self._view.opened = self._view.opened, None
        if opened is not None:
            self._view.solo = None
        return opened is not None

    def overlay(self) -> None:
        """Show all curves in one chart, or the panes again."""
        self._view.show("overlay")

    def rates(self) -> None:
        """Show outcomes against rates, or the charts again."""
        self._view.show("rates")

    def filmstrip(self) -> None:
        """Show the samples of all lanes side by side, at the crosshair's step if there is one; or
        the charts again."""
        view = self._view
        view.sample_step = view.step_at_cursor(self._state.lanes[view.selected], self._state.race)
        view.show("filmstrip")

    def differences(self) -> None:
        """Show the settings in which lanes differ, or the charts again."""
        self._view.show("differences")

    def log(self) -> None:
        """Show all events, or the charts again."""
        self._view.show("log")

    def console(self) -> None:
        """Show the output of the selected lane's task, or the charts again."""
        self._view.show("console")

    def next_time_base(self) -> None:
        """Select the next time base of the machine's bars."""
        self._view.time_base = (self._view.time_base + 1) % len(BASES)

    def back(self) -> bool:
        """Return to the curves, then to all panes; False if these are shown."""
        panel = self._view.panel
        if panel == "panes":
            return False
        self._view.show(panel if panel not in CHART_PANELS else "panes")
        return True

    def scroll(self, pages: float) -> None:
        """Scroll by pages; a very large number leads to the newest or the oldest line."""
        rows = self._rows
        if self._view.panel == "filmstrip":
            self._scrub(round(max(-1e6, min(1e6, pages * 10))))
        elif self._view.panel == "differences":
            self._view.scroll = round(max(0.0, min(1e6, self._view.scroll + pages * rows)))
        elif self._view.panel == "panes":
            self._turn_page(pages)
        elif lines := self._lines:
            lines.scroll(pages * rows, rows)

    def _turn_page(self, pages: float) -> None:
        """Show another page of panes and select its first lane."""
        page, last = self._painter.layout.page
        wanted = round(max(1, min(last, page + pages)))
        if wanted != page:
            first = (wanted - 1) * len(self._painter.layout.panes)
            self._view.selected = self._view.shown[first]

    def _scrub(self, by: int) -> None:
        """Move the filmstrip by samples, and the crosshair with it."""
        view = self._view
        view.sample_step = beside(
            self._state, self._follower.samples, view.shown, view.sample_step, by
        )
        if view.cursor is not None and view.sample_step is not None:
            lane = self._state.lanes[view.selected]
            view.cursor = view.x.value(lane, self._state.race, view.sample_step)

    def move(self, dx: int, dy: int) -> bool:
        """Move within the panel: through samples and their pictures, or lines. False if the panel
        has no use for the direction."""
        if self._view.panel == "filmstrip" and dx:
            self._scrub(dx)
        elif self._view.panel == "filmstrip":
            self._view.scroll = max(0, self._view.scroll + dy)
        elif (lines := self._lines) and dy:
            lines.scroll(dy, self._rows)
        else:
            return False
        return True

    def wheel(self, x: int, y: int, direction: int) -> bool:
        """Scroll lines, or go through samples; -1: the wheel turns up. False outside of such a
        panel."""
        if not self._painter.layout.panel.contains(x, y):
            return False
        if self._view.panel == "filmstrip":
            self._scrub(direction)
        elif lines := self._lines:
            lines.scroll(WHEEL_LINES * direction, self._rows)
        else:
            return False
        return True

    @property
    def _lines(self) -> LinesPanel | None:
        panel = self._panels.get(self._view.panel)
        return panel if isinstance(panel, LinesPanel) else None

    @property
    def _rows(self) -> int:
        """Lines of a page."""
        return max(1, self._painter.layout.panel.height - 1)
