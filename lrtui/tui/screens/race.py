"""The race screen: polls the run, draws what changed, turns keys into commands. What it shows is drawn in tui/render."""

from __future__ import annotations

import time
from collections.abc import Iterable

from textual.app import ComposeResult
from textual.events import Click
from textual.message import Message
from textual.screen import Screen

from lrtui.core.commands import AnyCommand, Pause, Resume, Stop
from lrtui.core.errors import StoreUnavailable
from lrtui.core.events import Alerted, AnyEvent, StatusChanged
from lrtui.core.state import LaneState
from lrtui.core.text import one_line
from lrtui.core.verdicts import verdict
from lrtui.find import Plan, plan
from lrtui.follow import Follower
from lrtui.tui import keys
from lrtui.tui.frame import Frame
from lrtui.tui.layout import Layout, arrange
from lrtui.tui.machine import Machine
from lrtui.tui.render import pane, panels
from lrtui.tui.screens.dialogs import Explain, Help, Question
from lrtui.tui.view import RaceView, steps_shown

PERIOD_S = 0.1
FIGURES_EVERY = 5
"""Numbers that change with each step are drawn at every fifth look: nobody reads faster, and SSH counts bytes."""
MACHINE_EVERY = 20
POLL_BUDGET_S = 0.06
CATCH_UP_S = 0.005
LEGEND = {"✗": "the last finite loss of a lane that ended NaN or in an error", "!": "where a lane was found to diverge",
          "^": "a spike: a loss six standard deviations above those before it",
          "↑": "the curve goes on above the chart",
          "smoothed": "the loss that the standings go by: an average over the last ten steps or so (EMA 0.9)"}


class RaceScreen(Screen[None]):
    """Watches one run."""

    class Another(Message):
        """The person wants to pick another race; this one goes on."""

    class Find(Message):
        """The person wants to find a rate for this race's task; the race goes on."""

        def __init__(self, asked: Plan) -> None:
            super().__init__()
            self.asked = asked

    KEYS = keys.RACE
    BINDINGS = keys.bindings(KEYS)

    def __init__(self, follower: Follower) -> None:
        super().__init__()
        self.follower = follower
        self.state = follower.state
        self.view = RaceView()
        self._layout = arrange(0, 0, len(self.state.lanes))
        self._machine = Machine()
        self._load = ""
        self._ticks = 0
        self._drawn: dict[int, object] = {}
        self._since = time.time()
        self._wanted: dict[int, str] = {}
        """What a lane was told to be and has not yet said that it is: a second key press means the opposite."""

    def compose(self) -> ComposeResult:
        yield Frame()

    def on_mount(self) -> None:
        self._frame = self.query_one(Frame)
        self.set_interval(PERIOD_S, self.tick)

    def on_frame_resized(self, message: Frame.Resized) -> None:
        self.redraw()

    def tick(self) -> None:
        """One look at the run: what came since the last one is folded and drawn."""
        was_training = self.state.training
        events = self.follower.poll(POLL_BUDGET_S)
        self._alarm([event for event in events if isinstance(event, Alerted) and event.at > self._since])
        for event in events:
            if isinstance(event, StatusChanged):
                self._wanted.pop(event.lane, None)
        self._ticks += 1
        if not was_training:
            self._load = ""  # idle: nothing is sent
        elif self._ticks % MACHINE_EVERY == 1:
            self._load = self._machine.line()
        figures = self._ticks % FIGURES_EVERY == 0 or any(self._is_news(event) for event in events)
        self.draw(figures=figures)
        if not self.follower.caught_up and events:
            self.set_timer(CATCH_UP_S, self.tick)  # a long record is read in pieces, keys between them

    def draw(self, *, figures: bool = True) -> None:
        """Draws the parts that are out of date, and shows them."""
        canvas, layout = self._frame.canvas, self._layout
        if not canvas.height or not canvas.width:
            return
        if layout.too_small:
            panels.too_small(canvas)
            self._frame.commit()
            return
        self.view.fit(self.state)
        panels.header(canvas.view(layout.header), self.state, self.follower.trouble)
        self._draw_stage(layout, figures)
        if figures:
            panels.table(canvas.view(layout.standings), self.state, self.view)
        panels.log(canvas.view(layout.log), self.state)
        panels.machine(canvas.view(layout.machine), self._load, self.state)
        panels.footer(canvas.view(layout.footer), keys.footer_words(keys.RACE))
        self._frame.commit()

    def redraw(self) -> None:
        """Draws everything anew: another size, another choice."""
        width, height = self._frame.size
        big = self.view.chosen if self.view.enlarged else None
        self._layout = arrange(width, height, len(self.state.lanes), big, self.view.chosen)
        self._drawn.clear()
        self._frame.canvas.fill()
        self.draw()

    def _draw_stage(self, layout: Layout, figures: bool) -> None:
        total = steps_shown(self.state)
        if self.view.overlay:
            now: object = (tuple(lane.version for lane in self.state.lanes), self.view.loss_limits, total, self.view.chosen)
            if self._drawn.get(-1) != now:
                self._drawn[-1] = now
                panels.overlay(self._frame.canvas.view(layout.stage), self.state, self.view, total)
            return
        for index, rect in layout.panes.items():
            lane = self.state.lanes[index]
            now = (lane.version, self.view.loss_limits, self.view.rate_limits, total)
            if self._drawn.get(index) != now or figures:
                self._drawn[index] = now
                place, chosen = self._frame.canvas.view(rect), index == self.view.chosen
                pane.draw(place, lane, verdict(lane, self.state), self.view, total, chosen=chosen, figures=figures)

    def _is_news(self, event: AnyEvent) -> bool:
        """Whether an event is worth fresh figures at once: anything but steps."""
        return type(event).__name__ != "Steps"

    def _alarm(self, alerts: list[Alerted]) -> None:
        """The bell and a toast, one for each lane: its last alert. The pane says the rest."""
        for event in {event.lane: event for event in alerts}.values():
            lane = self.state.lanes[event.lane].lane
            self.app.bell()
            self.notify(one_line(f"{lane.letter} {lane.name}: {event.kind} at step {event.step}"), markup=False,
                        severity="warning" if event.kind == "diverged" else "error", timeout=4)

    @property
    def chosen(self) -> LaneState:
        """The lane that keys are about."""
        return self.state.lanes[self.view.chosen]

    def on_click(self, event: Click) -> None:
        for index, rect in self._layout.panes.items():
            if rect.contains(event.screen_x, event.screen_y):
                self.action_choose(index)

    def action_move(self, dx: int, dy: int) -> None:
        """The lane whose pane lies nearest in a direction; at the edge of a page, the next or the one before."""
        here = self._layout.panes.get(self.view.chosen)
        if here is None or self.view.enlarged or self.view.overlay:
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

    def action_enlarge(self) -> None:
        """The chosen lane alone, or all again."""
        self.view.enlarged, self.view.overlay = not self.view.enlarged, False
        self.redraw()

    def action_overlay(self) -> None:
        """All curves in one chart, or panes again."""
        self.view.overlay, self.view.enlarged = not self.view.overlay, False
        self.redraw()

    def action_back(self) -> None:
        """All panes."""
        self.view.overlay = self.view.enlarged = False
        self.redraw()

    def action_explain(self) -> None:
        """The chosen lane's numbers, explained."""
        self.app.push_screen(Explain(self.state, self.view.chosen))

    def action_log_axis(self) -> None:
        """The other scale."""
        self.view.log = not self.view.log
        self.redraw()

    def action_pause(self) -> None:
        """Pauses or resumes the chosen lane."""
        lane = self.chosen
        if lane.over:
            self.notify(f"{lane.lane.letter} has ended", markup=False, timeout=2)
        else:
            resume = self._wanted.get(lane.index, lane.status) == "paused"
            self._wanted[lane.index] = "running" if resume else "paused"
            self._send([Resume(lane=lane.index) if resume else Pause(lane=lane.index)])

    def action_pause_all(self) -> None:
        """Pauses all lanes; resumes all when all that live are paused."""
        living = [lane for lane in self.state.lanes if not lane.over]
        resume = all(lane.status == "paused" for lane in living)
        self._send(Resume(lane=lane.index) if resume else Pause(lane=lane.index) for lane in living)

    def action_stop(self) -> None:
        """Ends the chosen lane, if the person means it."""
        lane = self.chosen
        if lane.over:
            self.notify(f"{lane.lane.letter} has ended", markup=False, timeout=2)
            return

        def answered(answer: str | None) -> None:
            if answer == "stop":
                self._send([Stop(lane=lane.index)])
        question = f"Stop lane {lane.lane.letter} {one_line(lane.lane.name)} for good?"
        self.app.push_screen(Question(question, {"y": ("stop", "stop it"), "n": ("back", "let it race")}), answered)

    def action_find(self) -> None:
        """The finder, for what the chosen lane trains with."""
        self.post_message(self.Find(plan(self.state.race, self.chosen.lane.optimizer)))

    def action_pick(self) -> None:
        """The picker; this race goes on."""
        self.post_message(self.Another())

    def action_help(self) -> None:
        """All keys."""
        self.app.push_screen(Help(keys.RACE, LEGEND))

    def action_leave(self) -> None:
        """Quits; while lanes live, asks what is to become of them."""
        if self.state.over:
            self.app.exit(self.follower)
            return

        def answered(answer: str | None) -> None:
            if answer == "stop":
                self._send(Stop(lane=lane.index) for lane in self.state.lanes if not lane.over)
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
        self.set_interval(PERIOD_S, look)

    def _send(self, commands: Iterable[AnyCommand]) -> None:
        try:
            self.follower.send(commands)
        except StoreUnavailable as error:
            self.notify(one_line(error.message), title="not sent", severity="error", markup=False)
