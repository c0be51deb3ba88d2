"""The keys of the race screen for its lanes: which one, which are shown (filter, pin, solo), in
what order, how they differ."""

from __future__ import annotations

from lrtui.core.errors import LrtuiError
from lrtui.core.results.lane_filter import EVERY, option_names, parse, visible
from lrtui.core.results.standings import ORDERS
from lrtui.tui.render import differences, panels
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.screens.dialogs import FilterBar
from lrtui.tui.screens.watching import Panel, Watching
from lrtui.tui.view import PanelName

EXAMPLES = 'adam  lr>=1e-3  !nan  loss<0.5  status:paused  parent:A  name:"two words"  momentum=0.9'


class ListKeys(Watching):
    """Chooses a lane, and which lanes there are to choose from."""

    def choose(self, index: int) -> None:
        """Makes a lane the one that keys are about; where only one is shown, it is that one from
        now on."""
        self.view.selected = index
        if self.view.solo is not None:
            self.view.solo = index
        self.redraw()

    def action_next(self, step: int) -> None:
        """The next lane in the order in which they are shown, around the end."""
        listed = self.view.listed
        if listed:
            place = listed.index(self.view.selected) if self.view.selected in listed else -1
            self.choose(listed[(place + step) % len(listed)])

    def action_choose(self, place: int) -> None:
        """A lane by its place among those that are shown, counted from 0."""
        if 0 <= place < len(self.view.listed):
            self.choose(self.view.listed[place])

    def action_order(self) -> None:
        """The next order of the standings."""
        self.view.order = ORDERS[(ORDERS.index(self.view.order) + 1) % len(ORDERS)]
        self.view.last_order = []  # what was near in one order says nothing about the next
        self.redraw()

    def action_pin(self) -> None:
        """Pins the chosen lane, or lets it go."""
        self.view.pinned ^= {self.view.selected}
        self.redraw()

    def action_solo(self) -> None:
        """Only the chosen lane, or all again."""
        self.view.solo = self.view.selected if self.view.solo is None else None
        self.redraw()

    def action_differences(self) -> None:
        """The settings in which lanes differ, or panes again."""
        self.show("differences")

    def action_filter(self) -> None:
        """Asks for a filter; what is typed counts at once."""
        self.app.push_screen(FilterBar("/", self.view.filter_text, self._filtered, EXAMPLES))

    def clear_filter(self) -> bool:
        """Shows every lane again; False where every lane was shown."""
        hiding = bool(self.view.filter_text) or self.view.solo is not None
        self.view.filter_text, self.view.filter, self.view.solo = "", EVERY, None
        return hiding

    def _filtered(self, text: str, kept: bool) -> str:
        """Takes in what was typed so far and says what is shown. LrtuiError, and all stays as it
        was, where it cannot be read; also where no lane matches, unless it is to be kept: on the
        way to `lr>=1e-3` there are words that nothing has."""
        wanted = parse(text, option_names(self.state))
        if not kept and not visible(self.state, wanted, self.view.pinned):
            raise LrtuiError("no lane matches", "Esc shows all")
        self.view.filter_text, self.view.filter, self.view.solo = text.strip(), wanted, None
        self.redraw()
        return (
            panels.seen(self.state, self.view).partition(":")[0]
            or f"all {len(self.view.shown)} lanes match"
        )

    def panels_shown(self) -> dict[PanelName, Panel]:
        return super().panels_shown() | {
            "differences": Panel(self._draw_differences, self._stamp_of_differences)
        }

    def _draw_differences(self, canvas: Canvas) -> None:
        lanes = [self.state.lanes[index] for index in self.view.shown]
        self.view.scroll = differences.draw(canvas, lanes, self.state.race, self.view)

    def _stamp_of_differences(self) -> object:
        lanes = [self.state.lanes[index] for index in self.view.shown]
        return (
            self.view.scroll,
            self.view.selected,
            [(lane.index, lane.factor, lane.parent, lane.forked_at) for lane in lanes],
        )
