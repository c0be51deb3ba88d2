"""Actions on the list of lanes: select, filter, sort. They change the view alone."""

from __future__ import annotations

from lrtui.core.errors import LrtuiError
from lrtui.core.results.lane_filter import EVERY, option_names, parse, visible
from lrtui.core.results.standings import ORDERS
from lrtui.core.state.race_state import RaceState
from lrtui.tui import axis_fit
from lrtui.tui.race_painter import RacePainter
from lrtui.tui.render import panels
from lrtui.tui.view import RaceView

EXAMPLES = 'adam  lr>=1e-3  !nan  loss<0.5  status:paused  parent:A  name:"two words"  momentum=0.9'


class LaneListActions:
    """Selects, filters and sorts lanes."""

    def __init__(self, state: RaceState, view: RaceView, painter: RacePainter) -> None:
        self._state = state
        self._view = view
        self._painter = painter

    def select(self, index: int) -> None:
        """Select a lane; a solo view shows it from now on."""
        self._view.selected = index
        if self._view.solo is not None:
            self._view.solo = index

    def select_next(self, step: int) -> None:
        """Select the next lane in display order, around the end."""
        listed = self._view.listed
        if listed:
            now = listed.index(self._view.selected) if self._view.selected in listed else -1
            self.select(listed[(now + step) % len(listed)])

    def select_number(self, number: int) -> None:
        """Select a lane by its number in display order, counted from 0."""
        if 0 <= number < len(self._view.listed):
            self.select(self._view.listed[number])

    def select_beside(self, dx: int, dy: int) -> None:
        """Select the lane with the nearest pane in a direction; at the edge of a page, the next or
        previous lane."""
        panes = self._painter.layout.panes
        here = panes.get(self._view.selected)
        found = []
        if here is not None and self._view.panel == "panes":
            x, y = here.x + here.width / 2, here.y + here.height / 2
            for index, pane in panes.items():
                right, down = pane.x + pane.width / 2 - x, pane.y + pane.height / 2 - y
                beside = right * dx > 0.4 * here.width * abs(dx)
                below = down * dy > 0.4 * here.height * abs(dy)
                if beside or below:
                    found.append((abs(right) + abs(down) * 3, index))
        if found:
            self.select(min(found)[1])
        else:
            self.select_next(1 if dx + dy > 0 else -1)

    def select_at(self, x: int, y: int) -> bool:
        """Select the lane whose pane is at a screen position; False if none is."""
        for index, pane in self._painter.layout.panes.items():
            if pane.contains(x, y):
                self.select(index)
                return True
        return False

    def next_order(self) -> None:
        """Sort the standings by the next criterion."""
        order = self._view.order or self._state.race.rank_at
        following = ORDERS[(ORDERS.index(order) + 1) % len(ORDERS)]
        self._view.order = None if following == self._state.race.rank_at else following
        self._view.last_order = []  # the hysteresis of one criterion means nothing to the next

    def toggle_pin(self) -> None:
        """Pin the selected lane, or unpin it."""
        self._view.pinned ^= {lane.index for lane in self._view.groups[self._view.selected].lanes}

    def toggle_solo(self) -> None:
        """Show only the selected lane, or all again."""
        self._view.solo = self._view.selected if self._view.solo is None else None

    def clear_filter(self) -> bool:
        """Show every lane; False if every lane was visible."""
        hiding = bool(self._view.filter_text) or self._view.solo is not None
        self._view.filter_text, self._view.filter, self._view.solo = "", EVERY, None
        return hiding

    def apply_filter(self, text: str, final: bool) -> str:
        """Apply a filter and return a description of its effect; LrtuiError leaves the last one in
        effect.

        No match is an error only while the text is not `final`: on the way to `lr>=1e-3` there are
        words that match nothing.
        """
        parsed = parse(text, option_names(self._state))
        if not final and not visible(self._state, parsed, self._view.pinned):
            raise LrtuiError("no lane matches", "Esc shows all")
        self._view.filter_text, self._view.filter, self._view.solo = text.strip(), parsed, None
        axis_fit.fit(self._view, self._state)
        return (
            panels.seen(self._state, self._view).partition(":")[0]
            or f"all {len(self._view.shown)} lanes match"
        )
