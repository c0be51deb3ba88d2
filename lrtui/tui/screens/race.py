"""The race screen: one run, its panes or what takes their place, and the keys for it. What it shows is drawn in tui/render."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.events import Click
from textual.message import Message

from lrtui.core.commands import Stop
from lrtui.find import Plan, plan
from lrtui.tui import keys
from lrtui.tui.render import panels
from lrtui.tui.screens import watching
from lrtui.tui.screens.dialogs import Explain, Help, Question
from lrtui.tui.screens.handkeys import HandKeys
from lrtui.tui.screens.watching import Stage, Watching
from lrtui.tui.view import StageName, steps_shown


def _overlay_stamp(screen: Watching) -> object:
    view = screen.view
    return (tuple(lane.version for lane in screen.state.lanes), view.loss_limits, steps_shown(screen.state), view.chosen)


class RaceScreen(HandKeys):
    """Watches one run, and has all its keys."""

    class Another(Message):
        """The person wants to pick another race; this one goes on."""

    class Find(Message):
        """The person wants to find a rate for this race's task; the race goes on."""

        def __init__(self, asked: Plan) -> None:
            super().__init__()
            self.asked = asked

    KEYS = keys.RACE
    BINDINGS = keys.bindings(KEYS)
    STAGES: ClassVar[dict[str, Stage]] = {
        "overlay": Stage(lambda screen, canvas: panels.overlay(canvas, screen.state, screen.view, steps_shown(screen.state)),
                         _overlay_stamp),
    }

    def on_click(self, event: Click) -> None:
        for index, rect in self._layout.panes.items():
            if rect.contains(event.screen_x, event.screen_y):
                self.action_choose(index)

    def action_move(self, dx: int, dy: int) -> None:
        """The lane whose pane lies nearest in a direction; at the edge of a page, the next or the one before."""
        here = self._layout.panes.get(self.view.chosen)
        if here is None or self.view.stage != "panes":
            return self.action_next(1 if dx + dy > 0 else -1)
        middle = (here.x + here.width / 2, here.y + here.height / 2)
        there = [(abs(x - middle[0]) + abs(y - middle[1]) * 3, index) for index, rect in self._layout.panes.items()
                 for x, y in [(rect.x + rect.width / 2, rect.y + rect.height / 2)]
                 if (x - middle[0]) * dx > 0.4 * here.width * abs(dx) or (y - middle[1]) * dy > 0.4 * here.height * abs(dy)]
        if there:
            return self.action_choose(min(there)[1])
        return self.action_next(1 if dx + dy > 0 else -1)

    def action_next(self, step: int) -> None:
        """The next lane, around the end."""
        self.action_choose((self.view.chosen + step) % len(self.state.lanes))

    def action_choose(self, index: int) -> None:
        """A lane by its place."""
        if 0 <= index < len(self.state.lanes):
            self.view.chosen = index
            self.redraw()

    def show(self, stage: StageName) -> None:
        """What takes the place of the panes; asked for again, the panes."""
        self.view.stage = "panes" if self.view.stage == stage else stage
        self.redraw()

    def action_enlarge(self) -> None:
        """The chosen lane alone, or all again."""
        self.show("enlarged")

    def action_overlay(self) -> None:
        """All curves in one chart, or panes again."""
        self.show("overlay")

    def action_back(self) -> None:
        """All panes."""
        self.show("panes")

    def action_explain(self) -> None:
        """The chosen lane's numbers, explained."""
        self.app.push_screen(Explain(self.state, self.view.chosen))

    def action_log_axis(self) -> None:
        """The other scale."""
        self.view.log = not self.view.log
        self.redraw()

    def action_find(self) -> None:
        """The finder, for what the chosen lane trains with."""
        self.post_message(self.Find(plan(self.state.race, self.chosen.lane.optimizer)))

    def action_pick(self) -> None:
        """The picker; this race goes on."""
        self.post_message(self.Another())

    def action_help(self) -> None:
        """All keys."""
        self.app.push_screen(Help(keys.RACE, keys.LEGEND))

    def action_leave(self) -> None:
        """Quits; while lanes live, asks what is to become of them."""
        if self.state.over:
            self.app.exit(self.follower)
            return

        def answered(answer: str | None) -> None:
            if answer == "stop":
                self.do(lambda: [Stop(lane=lane.index) for lane in self.state.lanes if not lane.over])
                self._leave_when_over()
            elif answer == "leave":
                self.app.exit(self.follower)
        living = "still running" if self.state.training else "paused"
        self.app.push_screen(Question(f"The race is {living}.", {
            "l": ("leave", "leave it running (lrtui watch shows it again)"), "s": ("stop", "stop it"),
            "b": ("back", "back")}), answered)

    def _leave_when_over(self) -> None:
        """The standings that stay behind are those after the stop; a trainer that does not answer is not waited for."""
        asked = time.monotonic()

        def look() -> None:
            if self.state.over or time.monotonic() - asked > 5.0:
                self.app.exit(self.follower)
        self.set_interval(watching.PERIOD_S, look)
