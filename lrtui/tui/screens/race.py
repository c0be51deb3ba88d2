"""The race screen: one run, its panes or what takes their place, and the keys for it. What it shows
is drawn in tui/render."""

from __future__ import annotations

import time
from pathlib import Path

from textual import work
from textual.events import Click
from textual.message import Message

from lrtui.client.lr_finder import FinderPlan, plan
from lrtui.core.errors import LrtuiError
from lrtui.core.files import absolute
from lrtui.core.protocol.commands import Stop
from lrtui.core.text import one_line
from lrtui.tui import keys
from lrtui.tui.html_report import write_page
from lrtui.tui.render import overlay
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.screens import watching
from lrtui.tui.screens.curve_actions import CurveKeys
from lrtui.tui.screens.dialogs import ChoiceDialog, Explain, FormDialog, Help
from lrtui.tui.screens.lane_actions import HandKeys
from lrtui.tui.screens.lane_list_actions import ListKeys
from lrtui.tui.screens.panel_actions import StageKeys
from lrtui.tui.screens.watching import Panel
from lrtui.tui.view import CHART_PANELS, PanelName


class RaceScreen(CurveKeys, StageKeys, ListKeys, HandKeys):
    """Watches one run, and has all its keys."""

    class Another(Message):
        """The person wants to pick another race; this one goes on."""

    class Find(Message):
        """The person wants to find a rate for this race's task; the race goes on."""

        def __init__(self, asked: FinderPlan) -> None:
            super().__init__()
            self.asked = asked

    KEYS = keys.RACE
    BINDINGS = keys.bindings(KEYS)

    def panels_shown(self) -> dict[PanelName, Panel]:
        return super().panels_shown() | {
            "overlay": Panel(self._draw_overlay, self._stamp_of_overlay)
        }

    def _draw_overlay(self, canvas: Canvas) -> None:
        overlay.draw(canvas, self.state, self.view)

    def _stamp_of_overlay(self) -> object:
        view = self.view
        return tuple(lane.version for lane in self.state.lanes), view.limits, view.x, view.selected

    def on_click(self, event: Click) -> None:
        for index, rect in self._layout.panes.items():
            if rect.contains(event.screen_x, event.screen_y):
                self.choose(index)

    def action_move(self, dx: int, dy: int) -> None:
        """The lane whose pane lies nearest in a direction; at the edge of a page, the next or the
        one before."""
        if self.moved_within(dx, dy) or self.moved_crosshair(dx):
            return None
        here = self._layout.panes.get(self.view.selected)
        if here is None or self.view.panel != "panes":
            return self.action_next(1 if dx + dy > 0 else -1)
        middle = (here.x + here.width / 2, here.y + here.height / 2)
        there = [
            (abs(x - middle[0]) + abs(y - middle[1]) * 3, index)
            for index, rect in self._layout.panes.items()
            for x, y in [(rect.x + rect.width / 2, rect.y + rect.height / 2)]
            if (x - middle[0]) * dx > 0.4 * here.width * abs(dx)
            or (y - middle[1]) * dy > 0.4 * here.height * abs(dy)
        ]
        if there:
            return self.choose(min(there)[1])
        return self.action_next(1 if dx + dy > 0 else -1)

    def action_enlarge(self) -> None:
        """The chosen lane alone, or all again."""
        self.show("enlarged")

    def action_overlay(self) -> None:
        """All curves in one chart, or panes again."""
        self.show("overlay")

    def action_back(self) -> None:
        """The curves, then all panes; where they are shown already, no crosshair; where there is
        none, every lane."""
        if self.view.panel not in CHART_PANELS:
            self.show(self.view.panel)
        elif self.view.panel != "panes":
            self.show("panes")
        elif self.view.cursor is not None:
            self.action_crosshair()
        elif self.clear_filter():
            self.redraw()

    def action_explain(self) -> None:
        """The chosen lane's numbers, explained."""
        self.app.push_screen(Explain(self.state, self.view.selected))

    def action_find(self) -> None:
        """The finder, for what the chosen lane trains with."""
        self.post_message(self.Find(plan(self.state.race, self.selected.lane.optimizer)))

    def action_pick(self) -> None:
        """The picker; this race goes on."""
        self.post_message(self.Another())

    def action_write(self) -> None:
        """Asks for a file, and writes the page about this run into it."""

        def read(given: dict[str, str]) -> Path:
            path = absolute(given["file"].strip())
            if not given["file"].strip() or path.is_dir():
                raise LrtuiError(
                    f"{one_line(str(path))}: is no file",
                    "expected the name of a file, such as race.html",
                )
            return path

        def answered(path: Path | None) -> None:
            if path is not None:
                # a long record takes its time
                self.notify(one_line(f"writing {path} ..."), markup=False, timeout=3)
                self._write(path)

        usual = str(Path.cwd() / f"{self.follower.run.name}.html")
        self.app.push_screen(
            FormDialog(
                "A page about this race, for a browser",
                {"file": ("write it to", usual)},
                read,
                edited=True,
                explain="Curves, standings, samples and settings in one file; it needs no network.",
            ),
            answered,
        )

    @work(thread=True, group="page")
    def _write(self, path: Path) -> None:
        try:
            said, how = write_page(self.follower.run, path), "information"
        except LrtuiError as error:
            said, how = str(error), "warning"
        self.app.call_from_thread(
            self.notify, one_line(said), severity=how, markup=False, timeout=8
        )

    def action_help(self) -> None:
        """All keys."""
        self.app.push_screen(Help(keys.RACE, keys.LEGEND, "screen"))

    def action_leave(self) -> None:
        """Quits; while lanes live, asks what is to become of them."""
        if self.state.over:
            self.app.exit(self.follower)
            return

        def answered(answer: str | None) -> None:
            if answer == "stop":
                self.do(
                    lambda: [Stop(lane=lane.index) for lane in self.state.lanes if not lane.over]
                )
                self._leave_when_over()
            elif answer == "leave":
                self.app.exit(self.follower)

        living = "still running" if self.state.training else "paused"
        self.app.push_screen(
            ChoiceDialog(
                f"The race is {living}.",
                {
                    "l": ("leave", "leave it running (lrtui watch shows it again)"),
                    "s": ("stop", "stop it"),
                    "b": ("back", "back"),
                },
            ),
            answered,
        )

    def _leave_when_over(self) -> None:
        """The standings that stay behind are those after the stop; a trainer that does not answer
        is not waited for."""
        asked = time.monotonic()

        def look() -> None:
            if self.state.over or time.monotonic() - asked > 5.0:
                self.app.exit(self.follower)

        self.set_interval(watching.PERIOD_S, look)
