"""The race screen: polls one run, draws it, and routes keys and mouse to controllers.

It only composes: see race_painter, redraw_policy, and the action modules beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from textual import work
from textual.app import ComposeResult
from textual.events import Click, MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.message import Message
from textual.screen import Screen

from lrtui.client.commands import CommandClient, Hints
from lrtui.client.follower import Follower
from lrtui.client.lr_finder import FinderPlan, plan
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Ended,
    LaneAdded,
    LogMessage,
    RateChanged,
    Rewound,
    Sampled,
    Started,
    StatusChanged,
)
from lrtui.core.state.race_state import LaneState
from lrtui.terminal.notifications import Notifier
from lrtui.tui.canvas_widget import CanvasWidget
from lrtui.tui.clock import Clock
from lrtui.tui.console import last_lines
from lrtui.tui.key_legend import LEGEND
from lrtui.tui.key_table import RACE, actions_of, off
from lrtui.tui.keymap import Keymap
from lrtui.tui.machine import Machine
from lrtui.tui.race_painter import RacePainter, Status
from lrtui.tui.race_panels import race_panels, read_sample
from lrtui.tui.redraw_policy import RedrawPolicy
from lrtui.tui.screens.bindings import bindings
from lrtui.tui.screens.crosshair_actions import CrosshairActions
from lrtui.tui.screens.curve_actions import CurveActions
from lrtui.tui.screens.dialogs import ChoiceDialog, FilterBar, FormDialog
from lrtui.tui.screens.explain import Explain
from lrtui.tui.screens.forms import Choice, Form
from lrtui.tui.screens.help import Help
from lrtui.tui.screens.label_actions import LabelActions
from lrtui.tui.screens.lane_actions import LaneActions
from lrtui.tui.screens.lane_list_actions import EXAMPLES, LaneListActions
from lrtui.tui.screens.panel_actions import PanelActions
from lrtui.tui.screens.race_actions import Action, Controllers, action_table
from lrtui.tui.screens.report_actions import ReportActions
from lrtui.tui.screens.take_actions import TakeActions
from lrtui.tui.screens.toaster import Toaster
from lrtui.tui.screens.ui import Severity, T
from lrtui.tui.screens.widen_actions import WidenActions
from lrtui.tui.still_frame import view_name
from lrtui.tui.view import RaceView
from lrtui.tui.view_state import StoredView

NEWS = (Started, Alerted, StatusChanged, RateChanged, LaneAdded, Rewound, Ended, LogMessage)
"""Events that are drawn at once."""
MACHINE_EVERY, SUPERVISE_EVERY, STORE_EVERY = 10, 10, 50
"""Polls between readings of the machine, checks for a missing supervisor, writes of the view."""
POLL_BUDGET_S = 0.06
CATCH_UP_S = 0.005
"""Seconds between two pieces of a long record: keys are handled in between."""
CLOSELY_S = 2.0
"""Seconds for which the screen polls closely for the reply to a command."""
LEAVE_S = 5.0
"""Seconds to wait for stopped lanes before leaving: a trainer may not answer."""


class RaceScreen(Screen[None]):
    """Shows one run."""

    class Another(Message):
        """The user wants to pick another race; this one continues."""

    class Opened(Message):
        """The user has started another race, to be shown; this one continues."""

        def __init__(self, run: Path) -> None:
            super().__init__()
            self.run = run

    class Find(Message):
        """The user wants to find a rate for this race's task; the race continues."""

        def __init__(self, asked: FinderPlan) -> None:
            super().__init__()
            self.asked = asked

    KEYS = RACE
    BINDINGS = bindings(KEYS)

    def __init__(
        self,
        follower: Follower,
        fps: int = 10,
        clock: Clock | None = None,
        machine: Machine | None = None,
        keymap: Keymap | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        """`fps`: polls, and at most frames, per second; `clock`, `machine` and `keymap`: the usual
        ones by default; `notifier`: takes the news of the race."""
        super().__init__()
        self.follower, self.state = follower, follower.state
        self.view = view = RaceView(keymap=keymap or Keymap())
        self._stored_view = StoredView(view, view_name(self.state))
        self._clock = clock or Clock()
        self._machine = machine or Machine()
        self._toaster = Toaster(self, self._clock, notifier)
        hints = Hints(view.keymap.read("race.resume"), view.keymap.restart_words(self.state.race))
        self.commands = CommandClient(follower, hints, self._clock.monotonic)
        self._sent_at = 0.0
        """Time of the last command, of the monotonic clock."""
        self.policy = RedrawPolicy(fps)
        panels = race_panels(follower, view, self.policy)
        lines = partial(last_lines, follower.run)
        self.painter = painter = RacePainter(self.state, view, panels, self._sample_at, lines)
        curves = CurveActions(self.state, view, painter)
        self.controllers = Controllers(
            curves,
            CrosshairActions(self.state, view, painter, curves),
            PanelActions(follower, view, painter, panels),
            LaneListActions(self.state, view, painter),
            LaneActions(follower, view, self.commands, self),
            WidenActions(self.state, view, follower.run.parent, self, self._open),
        )
        grey = off(self.state)
        self._actions: dict[str, Action] = action_table(self.controllers) | {
            "filter": self._ask_filter,
            "explain": lambda: self.app.push_screen(Explain(self.state, view)),
            "find": self._find,
            "write": ReportActions(follower.run, self).write,
            "label": LabelActions(follower, self).label,
            "take": TakeActions(follower, view, self.commands, self).take,
            "pick": lambda: self.post_message(self.Another()),
            "help": lambda: self.app.push_screen(Help(RACE, LEGEND, "screen", view.keymap, grey)),
        }
        if self.state.read_only:
            view.panel = "overlay"
            self._actions |= dict.fromkeys(actions_of(grey), self._refuse)
            self._actions |= {"leave": self.leave, "enlarge": self.controllers.panels.enlarge}

    def compose(self) -> ComposeResult:
        yield CanvasWidget()

    def on_mount(self) -> None:
        self._frame = self.query_one(CanvasWidget)
        self.set_interval(self._clock.poll_s * self.policy.slowdown, self.beat)
        if self._stored_view.trouble:
            self.notify(self._stored_view.trouble, severity="warning", markup=False)

    def on_unmount(self) -> None:
        self._stored_view.save()

    def on_canvas_widget_resized(self) -> None:
        self.redraw()

    # Polling

    def beat(self) -> None:
        """Poll, unless the policy skips this beat."""
        if self.policy.beat():
            self.tick()

    def tick(self) -> None:
        """Poll the run once and draw what changed."""
        was_training = self.state.training
        events, news = self._poll()
        self.policy.polls += 1
        self._poll_machine(was_training)
        if self.policy.every(STORE_EVERY):
            self._stored_view.save()
        behind = bool(events) and not self.follower.caught_up
        parts = self.policy.parts(
            news=news, moved=self.painter.moved(), behind=behind, resting=self._frame.resting
        )
        if parts != "nothing":
            self.draw(figures=parts == "everything")
        if behind:
            self.set_timer(CATCH_UP_S, self.tick)
        if self.policy.every(SUPERVISE_EVERY):
            self.controllers.lanes.supervise()

    def _poll(self) -> tuple[list[AnyEvent], bool]:
        """Fold new events and replies. Return the events, and True if there is news to draw."""
        events = self.follower.poll(POLL_BUDGET_S)
        self._toaster.look(events, self.follower)
        if (child := self.commands.on_events(events)) is not None:
            self.view.selected = child
        replied, warnings = self.commands.poll()
        for text in warnings:
            self._toaster.warn(text)
        return events, replied or any(isinstance(event, NEWS) for event in events)

    def _poll_machine(self, training: bool) -> None:
        """Read the machine's load now and then, until the race is over. While no lane trains the
        load is not shown, so that nothing is sent."""
        if self.state.over:
            self._machine.reading = None
        elif self.policy.every(MACHINE_EVERY, 1):
            self._machine.look(self.follower.trainers())
        news = self._machine.news()
        if not training:
            self.view.loads = {}
        elif news:
            self.view.loads = self._machine.loads(self.state)

    def watch_for_reply(self) -> None:
        """Poll closely for the reply to a command that was sent now."""
        self._sent_at = self._clock.monotonic()
        self.set_timer(self._clock.reply_s, self._poll_for_reply)

    def _poll_for_reply(self) -> None:
        if self._poll()[1]:
            self.draw()
        if self.commands.waiting and self._clock.monotonic() - self._sent_at < CLOSELY_S:
            self.set_timer(self._clock.reply_s, self._poll_for_reply)

    # Drawing

    def draw(self, *, figures: bool = True) -> None:
        """Draw the parts that are out of date; without `figures` only curves."""
        self.painter.draw(self._frame.canvas, self._status(), figures=figures)
        self._frame.commit()

    def redraw(self) -> None:
        """Lay out and draw everything."""
        self.painter.redraw(self._frame.canvas, self._status())
        self._frame.commit()

    def _status(self) -> Status:
        lanes, machine = self.controllers.lanes, self._machine
        return Status(
            lanes.trouble(),
            self.commands.status_line,
            lanes.all_lanes,
            machine.reading,
            machine.history,
            len(machine.gpus),
        )

    def _sample_at(self, lane: int, step: int) -> Sampled | None:
        found = self.follower.samples.at(lane, step)
        return read_sample(self.follower, found) if found else None

    @property
    def selected(self) -> LaneState:
        """The selected lane."""
        return self.state.lanes[self.view.selected]

    # Keys and mouse

    def action_run(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        """Run an action of the key table. One tuple, as Textual passes no `*arguments`."""
        self._perform(self._actions[name], *arguments)

    def _perform(self, action: Callable[..., object], *arguments: Any) -> None:
        """Run a controller's method, show its LrtuiError, and draw what it changed."""
        try:
            action(*arguments)
        except LrtuiError as error:
            self._toaster.warn(error.message)
        self.redraw()

    def on_click(self, event: Click) -> None:
        if self.controllers.lane_list.select_at(event.screen_x, event.screen_y):
            self.redraw()

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self._wheel(event, -1)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self._wheel(event, 1)

    def _wheel(self, event: MouseScrollUp | MouseScrollDown, direction: int) -> None:
        if self.controllers.wheel(event.screen_x, event.screen_y, direction):
            self.redraw()

    def on_mouse_down(self, event: MouseDown) -> None:
        self.controllers.curves.press(event.screen_x, event.screen_y)

    def on_mouse_move(self, event: MouseMove) -> None:
        if event.button and event.delta_x and self.controllers.curves.drag(event.screen_x):
            self.redraw()

    def on_mouse_up(self, event: MouseUp) -> None:
        self.controllers.curves.release()

    # Services of the controllers, see `ui.Ui`

    def ask(self, question: Form | Choice, on_answer: Callable[[Any], None]) -> None:
        """Show a dialog and pass its result on."""
        dialog = FormDialog(question) if isinstance(question, Form) else ChoiceDialog(question)
        self.app.push_screen(dialog, lambda answer: self._perform(on_answer, answer))

    @work(thread=True)
    def in_thread(self, job: Callable[[], T], on_done: Callable[[T], None]) -> None:
        """Run a job in a thread and pass its result on."""
        self.app.call_from_thread(self._perform, on_done, job())

    def show(self, text: str, seconds: float, severity: Severity = "information") -> None:
        """Show a message."""
        self._toaster.show(text, seconds, severity)

    def leave(self, *, when_over: bool = False) -> None:
        """Leave the program; `when_over`: once the race is over, or after LEAVE_S."""
        deadline = self._clock.monotonic() + LEAVE_S

        def leave() -> None:
            if not when_over or self.state.over or self._clock.monotonic() > deadline:
                self.app.exit(self.follower)

        leave()
        if when_over:
            self.set_interval(self._clock.poll_s, leave)

    # Actions of the screen itself

    def _ask_filter(self) -> None:
        def take(text: str, final: bool) -> str:
            effect = self.controllers.lane_list.apply_filter(text, final)
            self.redraw()
            return effect

        self.app.push_screen(FilterBar("/", self.view.filter_text, take, EXAMPLES))

    def _refuse(self, *_: object) -> None:
        """Refuse an action of a screen that only shows."""
        raise LrtuiError(self.state.read_only)

    def _find(self) -> None:
        self.commands.allow("find")
        self.post_message(self.Find(plan(self.state.race, self.selected.lane)))

    def _open(self, run: Path) -> None:
        self.post_message(self.Opened(run))

    def action_leave(self) -> None:
        """Quit, as the key does."""
        self.action_run("leave")
