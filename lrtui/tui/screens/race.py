"""The race screen: polls the run, draws what changed, turns keys into commands. What it shows is drawn in tui/render."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from textual import work
from textual.app import ComposeResult
from textual.events import Click
from textual.message import Message
from textual.screen import Screen

from lrtui.core.commands import AnyCommand, Rewind, Stop
from lrtui.core.errors import LrtuiError
from lrtui.core.events import Alerted, AnyEvent
from lrtui.core.owncode import own_code
from lrtui.core.state import LaneState
from lrtui.core.text import one_line
from lrtui.core.verdicts import verdict
from lrtui.find import Plan, plan
from lrtui.follow import Follower
from lrtui.launch import Crew
from lrtui.tui import keys
from lrtui.tui.frame import Frame
from lrtui.tui.layout import Layout, arrange
from lrtui.tui.machine import Machine
from lrtui.tui.render import pane, panels
from lrtui.tui.screens import asking
from lrtui.tui.screens.dialogs import Explain, Form, Help, Question
from lrtui.tui.screens.hands import Hands
from lrtui.tui.view import RaceView, steps_shown

PERIOD_S = 0.1
FIGURES_EVERY = 5
"""Numbers that change with each step are drawn at every fifth look: nobody reads faster, and SSH counts bytes."""
MACHINE_EVERY = 20
STRANDED_EVERY = 10
POLL_BUDGET_S = 0.06
ANSWER_S, CLOSELY_S = 0.02, 2.0
"""Seconds between two looks for the answer to a command, and for how long the screen looks that often."""
CATCH_UP_S = 0.005
PIECES = 5  # of a long record are read before the next look at them
COMPLAINT_S = 5.0


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
        self._lanes = len(self.state.lanes)
        """As many have their panes."""
        self._pressed = 0.0
        """When the last command was sent."""
        self._since = time.time()
        self.hands, self._complained = Hands(follower), dict[str, float]()

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
        events, _ = self._look()
        self._ticks += 1
        if not was_training:
            self._load = ""  # idle: nothing is sent
        elif self._ticks % MACHINE_EVERY == 1:
            self._load = self._machine.line()
        if self._ticks % STRANDED_EVERY == 0 and self.hands.stranded:
            self._revive()
        figures = self._ticks % FIGURES_EVERY == 0 or any(self._is_news(event) for event in events)
        behind = bool(events) and not self.follower.caught_up
        if not behind or self._ticks % PIECES == 1:
            self.draw(figures=figures)
        if behind:
            self.set_timer(CATCH_UP_S, self.tick)  # a long record is read in pieces, keys between them

    def _look(self) -> tuple[list[AnyEvent], bool]:
        """What came since the last look, folded; and whether there is another word about the last command."""
        events = self.follower.poll(POLL_BUDGET_S)
        self._alarm([event for event in events if isinstance(event, Alerted) and event.at > self._since])
        self.hands.heard(events)
        another, complaints = self.hands.look()
        for text in complaints:
            self._complain(text)
        if len(self.state.lanes) != self._lanes:
            self.redraw()  # one has joined
        return events, another

    def _watch_closely(self) -> None:
        """Between two ticks, while an answer is waited for: a key that was pressed is seen to work at once."""
        events, another = self._look()
        if another or any(self._is_news(event) for event in events):
            self.draw()
        if self.hands.waiting and time.monotonic() - self._pressed < CLOSELY_S:
            self.set_timer(ANSWER_S, self._watch_closely)

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
        panels.header(canvas.view(layout.header), self.state, self._trouble)
        self._draw_stage(layout, figures)
        if figures:
            panels.table(canvas.view(layout.standings), self.state, self.view)
        panels.log(canvas.view(layout.log), self.state)
        if line := self.hands.line:
            panels.said(canvas.view(layout.machine), line)
        else:
            panels.machine(canvas.view(layout.machine), self._load, self.state)
        every = [("A", "ALL LANES")] if self.hands.all_lanes else []
        panels.footer(canvas.view(layout.footer), every + keys.footer_words(keys.RACE))
        self._frame.commit()

    def redraw(self) -> None:
        """Draws everything anew: another size, another choice."""
        width, height = self._frame.size
        self._lanes = len(self.state.lanes)
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
            what = event.text if event.kind == "lost" else f"{event.kind} at step {event.step}"
            self.notify(one_line(f"{lane.letter} {lane.name}: {what}"), markup=False,
                        severity="warning" if event.kind in ("diverged", "lost") else "error", timeout=4)

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

    def action_dial(self, decades: float) -> None:
        """Multiplies the rate by so many decades."""
        self._do(lambda: self.hands.scale(self.hands.meant(self.chosen), 10.0 ** decades))

    def action_hand(self, what: str, everyone: bool = False) -> None:
        """Something that needs no question, to the lanes that are meant, or to all."""
        self._do(lambda: self.hands.KEYS[what](self.hands, self.hands.meant(self.chosen, everyone=everyone)))

    def action_ask(self, what: str) -> None:
        """Shows a form about the chosen lane, and sends the commands that come of it."""
        self._ask(lambda: asking.FORMS[what](self.state, self.chosen))

    def action_rate(self) -> None:
        """Asks for the rate of the lanes that are meant."""
        self._ask(lambda: asking.new_rate(self.hands.meant(self.chosen)))

    def action_all_lanes(self) -> None:
        """Keys are about all living lanes, or about the chosen one again."""
        self.hands.all_lanes = not self.hands.all_lanes
        self.draw()

    def action_restart(self) -> None:
        """Back to the initial weights, if the person means it."""
        lane = self.chosen
        self._confirm(f"Restart lane {lane.lane.letter} {one_line(lane.lane.name)} from its initial weights?", "restart it",
                      lambda: [Rewind(lane=lane.index, to=0)])

    def action_stop(self) -> None:
        """Ends the lanes that are meant, if the person means it."""
        try:
            lanes = self.hands.meant(self.chosen)
        except LrtuiError as error:
            return self._complain(error.message)
        who = f"lane {lanes[0].lane.letter} {one_line(lanes[0].lane.name)}" if len(lanes) == 1 else f"all {len(lanes)} lanes"
        return self._confirm(f"Stop {who} for good?", f"stop {'it' if len(lanes) == 1 else 'them'}",
                             lambda: [Stop(lane=lane.index) for lane in lanes])

    def action_resume(self) -> None:
        """A new crew for a race that has none."""
        if not self.follower.crew_gone:
            self._complain("the race has its crew: there is nothing to resume")
        elif not self.follower.resumable():
            self._complain("every lane has ended: r rewinds, R restarts, f forks")
        elif not self.hands.reviving:
            self._revive()

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
                self._do(lambda: [Stop(lane=lane.index) for lane in self.state.lanes if not lane.over])
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

    def _ask(self, form: Callable[[], Form]) -> None:
        try:
            self.app.push_screen(form(), lambda commands: self._do(lambda: commands or []))
        except LrtuiError as error:
            self._complain(error.message)

    def _confirm(self, question: str, yes: str, commands: Callable[[], Sequence[AnyCommand]]) -> None:
        """Asks before it sends."""
        answers = {"y": ("yes", yes), "n": ("no", "let it be")}
        self.app.push_screen(Question(question, answers), lambda answer: self._do(commands) if answer == "yes" else None)

    def _do(self, commands: Callable[[], Sequence[AnyCommand]]) -> None:
        """Sends commands; what keeps them from being made or sent is said."""
        try:
            wanted = commands()
            self.hands.send(wanted)
        except LrtuiError as error:
            return self._complain(error.message)
        if not wanted:
            return None
        if self.hands.stranded:
            self._revive()
        self._pressed = time.monotonic()
        self.draw()
        self.set_timer(ANSWER_S, self._watch_closely)
        return None

    def _complain(self, text: str) -> None:
        now = time.monotonic()
        if now - self._complained.get(text, -COMPLAINT_S) >= COMPLAINT_S:  # else it stands there already
            self._complained = {text: now}
            self.notify(one_line(text), severity="warning", markup=False, timeout=COMPLAINT_S)

    @property
    def _trouble(self) -> str:
        """What the header says is wrong, and what to do about it."""
        if self.hands.reviving:
            return "a new crew is starting ..."
        trouble = self.follower.trouble
        if self.state.over and (left := self.follower.resumable()):
            trouble = trouble or f"{len(left)} of {len(self.state.lanes)} interrupted"
            return f"{trouble} · Ctrl+R resumes"
        return trouble

    @work(thread=True, group="crew")
    def _start_crew(self) -> None:
        trouble, crew = "", Crew()
        try:
            crew.resume(self.follower.run)
        except LrtuiError as error:
            trouble = error.message
            crew.close()
        self.app.call_from_thread(self._revived, trouble)

    def _revive(self) -> None:
        """A new crew for this run, started beside the screen; what runs a person's own code is named."""
        self.hands.reviving = True
        for place in own_code(self.state.race):
            self.notify(one_line(f"runs the code of {place}"), markup=False, timeout=5)
        self._start_crew()

    def _revived(self, trouble: str) -> None:
        self.hands.revived(trouble)
        if trouble:
            self._complain(f"not resumed: {trouble}")
        self.draw()
