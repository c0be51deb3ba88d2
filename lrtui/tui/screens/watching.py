"""The race screen as far as it watches: polls the run, draws what changed. What its keys do lies in
the modules beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from textual.app import ComposeResult
from textual.screen import Screen

from lrtui.client.commands import CommandClient, Hints
from lrtui.client.follower import Follower
from lrtui.core.diagnostics.verdicts import verdict
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
from lrtui.core.text import one_line
from lrtui.store.record_index import SampleRef
from lrtui.tui import axis_fit, keys, view_state
from lrtui.tui.canvas_widget import CanvasWidget
from lrtui.tui.layout import Layout, arrange
from lrtui.tui.machine import Machine
from lrtui.tui.pane_layout import Wants
from lrtui.tui.render import machine_strip, pane, panels, standings
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import PanelName, RaceView

PERIOD_S = 0.1
USUAL_FPS = 10
"""Frames a second that the numbers below, which count looks, are meant for."""
FIGURES_EVERY = 5
"""Numbers that change with each step are drawn at every fifth look: nobody reads faster, and SSH
counts bytes. Curves are drawn in between where they have grown by a dot, and all of it at once when
there is news."""
NEWS = (Started, Alerted, StatusChanged, RateChanged, LaneAdded, Rewound, Ended, LogMessage)
"""What a person sees at once."""
MACHINE_EVERY = 10
STRANDED_EVERY = 10
KEEP_EVERY = 50
POLL_BUDGET_S = 0.06
ANSWER_S, CLOSELY_S = 0.02, 2.0
"""Seconds between two looks for the answer to a command, and for how long the screen looks that
often."""
CATCH_UP_S = 0.005
PIECES = 5  # of a long record are read before the next look at them
COMPLAINT_S = 5.0


class Panel(NamedTuple):
    """What can take the place of the panes."""

    draw: Callable[[Canvas], None]
    """On the canvas of the stage, which it fills."""
    stamp: Callable[[], object]
    """What is drawn is drawn again when this differs."""


class Watching(Screen[None]):
    """Watches one run; a subclass has the keys."""

    def __init__(self, follower: Follower, fps: int = 10) -> None:
        """`fps`: looks, and at most frames, a second."""
        super().__init__()
        self.follower = follower
        self._slower = USUAL_FPS / fps
        self.state = follower.state
        self.view = RaceView()
        self._unread = view_state.restore(self.view, self.state.race.scenario)
        self._kept = view_state.stored(self.view)
        """What is on record of it for the next race of this scenario."""
        self._layout = arrange(0, 0, [])
        self._panels = self.panels_shown()
        self._machine = Machine()
        self._ticks = 0
        """Looks so far."""
        self._moved = True
        """Whether a curve had grown by a dot at the last one."""
        self._skipped = False
        """Whether the last beat was no look."""
        self._drawn: dict[int, object] = {}
        self._ended_at: dict[int, int] = {}
        """Where curves ended when they were drawn."""
        self._shaped = self._shape()
        """What the layout was made for."""
        self._pressed = 0.0
        """When the last command was sent."""
        self._since = time.time()
        self._owed = False
        """Whether figures are to be drawn with the next frame."""
        hints = Hints(keys.read("race.resume"), keys.restart_words())
        self.commands = CommandClient(follower, hints, time.monotonic)
        self.all_lanes = False
        """True while the dial, pause and stop address all living lanes."""
        self._warned = dict[str, float]()

    def panels_shown(self) -> dict[PanelName, Panel]:
        """What can take the place of the panes, by the name that `RaceView.panel` has; a subclass
        adds its own."""
        return {}

    def compose(self) -> ComposeResult:
        yield CanvasWidget()

    def on_mount(self) -> None:
        self._frame = self.query_one(CanvasWidget)
        self.set_interval(PERIOD_S * self._slower, self._beat)
        if self._unread:
            self.notify(self._unread, severity="warning", markup=False)

    def on_unmount(self) -> None:
        self._keep_view()

    def _keep_view(self) -> None:
        if (now := view_state.stored(self.view)) != self._kept:
            self._kept = now
            view_state.keep(self.view, self.state.race.scenario)

    def on_canvas_widget_resized(self, message: CanvasWidget.Resized) -> None:
        self.redraw()

    def _beat(self) -> None:
        """Looks at the run; every other time while curves grow so slowly that the last look moved
        none by a dot, unless a person wants few looks anyway."""
        self._skipped = self._slower <= 1 and not self._moved and not self._skipped
        if not self._skipped:
            self.tick()

    def tick(self) -> None:
        """One look at the run: what came since the last one is folded and drawn."""
        was_training = self.state.training
        events, news = self._look()
        self._ticks += 1
        self._look_at_the_machine(was_training)
        if self._each(KEEP_EVERY):
            self._keep_view()
        self._owed = self._owed or news or self._each(FIGURES_EVERY)
        behind = bool(events) and not self.follower.caught_up
        self._moved = self._curve_ends() != self._ended_at
        if (
            (self._owed or self._moved)
            and (not behind or self._ticks % PIECES == 1)
            and not self._frame.resting
        ):
            self.draw(figures=self._owed)
            self._owed = False
        if behind:
            # a long record is read in pieces, keys between them
            self.set_timer(CATCH_UP_S, self.tick)

    def _each(self, looks: int, after: int = 0) -> bool:
        """Whether this look is one in so many, `after` the first: as often in time at any frame
        rate."""
        every = max(1, round(looks / self._slower))
        return self._ticks % every == after % every

    def _look_at_the_machine(self, training: bool) -> None:
        """Every now and then, until the race is over; while nothing trains nothing of it is shown,
        and nothing is sent."""
        if self.state.over:
            self._machine.reading = None
        elif self._each(MACHINE_EVERY, 1):
            self._machine.look(self.follower.reader.trainers())
        news = self._machine.news()
        if not training:
            self.view.loads = {}
        elif news:
            self.view.loads = self._machine.loads(self.state)

    def _look(self) -> tuple[list[AnyEvent], bool]:
        """What came since the last look, folded; and whether there is anything in it, or a word
        about the last command, that a person sees at once."""
        events = self.follower.poll(POLL_BUDGET_S)
        self._alarm(
            [event for event in events if isinstance(event, Alerted) and event.at > self._since]
        )
        if (child := self.commands.on_events(events)) is not None:
            self.view.selected = child
        another, complaints = self.commands.poll()
        for text in complaints:
            self.warn(text)
        return events, another or any(isinstance(event, NEWS) for event in events)

    def watch_for_reply(self) -> None:
        """A command has been sent: it is shown, and its answer is looked for."""
        self._pressed = time.monotonic()
        self.draw()
        self.set_timer(ANSWER_S, self._watch_closely)

    def _watch_closely(self) -> None:
        """Between two ticks, while an answer is waited for: a key that was pressed is seen to work
        at once."""
        if self._look()[1]:
            self.draw()
        if self.commands.waiting and time.monotonic() - self._pressed < CLOSELY_S:
            self.set_timer(ANSWER_S, self._watch_closely)

    def draw(self, *, figures: bool = True) -> None:
        """Draws the parts that are out of date, and shows them."""
        if not self._frame.canvas.height or not self._frame.canvas.width:
            return None
        before = self.view.x
        axis_fit.fit(self.view, self.state, figures=figures)
        figures = figures or self.view.x != before
        if self._shape() != self._shaped:
            return self._lay_out()  # another lane has joined or is hidden, or the race is over
        return self._paint(figures)

    def _paint(self, figures: bool) -> None:
        """Draws what the view has been fitted to, and shows it."""
        canvas, layout = self._frame.canvas, self._layout
        if layout.too_small:
            panels.too_small(canvas)
            return self._frame.commit()
        self._fit_pictures()
        self._ended_at = self._curve_ends()
        panels.header(
            canvas.view(layout.header),
            self.state,
            self._trouble,
            panels.seen(self.state, self.view, layout.page),
        )
        self._draw_panel(layout, figures)
        if figures:
            standings.draw(canvas.view(layout.standings), self.state, self.view)
            panels.log(canvas.view(layout.log), self.state)
        reading = self._machine.reading if self.state.training else None
        machine = canvas.view(layout.machine)
        machine.fill()
        room = machine.width - panels.view_words(machine, self.view)
        machine = machine.view((0, 0, room, machine.height))
        machine_strip.draw(machine, self.state, reading, self._machine.history, self.view.time_base)
        if line := self.commands.status_line:
            panels.said(canvas.view(layout.machine._replace(height=1)), line)
        every = [(keys.read("race.all"), "ALL LANES")] if self.all_lanes else []
        panels.footer(
            canvas.view(layout.footer), every + keys.footer_words(keys.RACE, over=self.state.over)
        )
        return self._frame.commit()

    def _shape(self) -> tuple[tuple[int, ...], Wants, int]:
        """Which lanes have panes, what these have to have room for, and how many GPUs rows: none
        where the race is over."""
        lanes = [self.state.lanes[index] for index in axis_fit.charted(self.view)]
        wants = Wants(
            any(lane.index in self.view.moving for lane in lanes),
            any(lane.sample is not None for lane in lanes),
            facts=self.view.panel == "enlarged",
        )
        return tuple(self.view.shown), wants, 0 if self.state.over else len(self._machine.gpus)

    def redraw(self) -> None:
        """Draws everything anew: another size, another choice."""
        axis_fit.fit(self.view, self.state)
        self._lay_out()

    def _lay_out(self) -> None:
        """Finds a place for what is shown now, and draws all of it."""
        width, height = self._frame.size
        self._shaped = self._shape()
        big = self.view.selected if self.view.panel == "enlarged" and self.view.shown else None
        shown, wants, gpus = self._shaped
        self._layout = arrange(
            width,
            height,
            shown,
            big,
            self.view.selected,
            gpus,
            wants,
            whole=self.view.panel in self._panels,
        )
        self._drawn.clear()
        self._frame.canvas.fill()
        if width and height:
            self._paint(figures=True)

    def _draw_panel(self, layout: Layout, figures: bool) -> None:
        if not self.view.shown and self.view.panel not in ("log", "console"):
            return standings.nothing_shown(self._frame.canvas.view(layout.panel), self.view)
        if panel := self._panels.get(self.view.panel):
            now = panel.stamp()
            if self._drawn.get(-1) != now:
                self._drawn[-1] = now
                panel.draw(self._frame.canvas.view(layout.panel))
            return None
        for index, rect in layout.panes.items():
            lane = self.state.lanes[index]
            now = (self._ended_at[index], self.view.limits, self.view.rate_limits, self.view.x)
            if self._drawn.get(index) != now or figures:
                self._drawn[index] = now
                place, selected = self._frame.canvas.view(rect), index == self.view.selected
                pane.draw(
                    place,
                    lane,
                    verdict(lane, self.state),
                    self.view,
                    self.state.race,
                    layout.parts,
                    selected=selected,
                    figures=figures,
                )
        return None

    def _curve_ends(self) -> dict[int, int]:
        """At which dot the curve of each lane that is shown ends, by the lane's index: what comes
        before it does not change."""
        view, race = self.view, self.state.race
        wide = (
            self._layout.panel.width
            if view.panel in self._panels
            else self._layout.parts.curve.width
        )
        return {
            index: min(
                max(view.x.place(view.x.value(lane, race, lane.steps - 1), 2 * wide), -1), 2 * wide
            )
            for index in view.shown
            for lane in (self.state.lanes[index],)
        }

    def _alarm(self, alerts: list[Alerted]) -> None:
        """The bell and a toast, one for each lane: its last alert. The pane says the rest."""
        for event in {event.lane: event for event in alerts}.values():
            lane = self.state.lanes[event.lane].lane
            self.app.bell()
            what = event.text if event.kind == "lost" else f"{event.kind} at step {event.step}"
            self.notify(
                one_line(f"{lane.called}: {what}"),
                markup=False,
                severity="warning" if event.kind in ("diverged", "lost") else "error",
                timeout=4,
            )

    @property
    def selected(self) -> LaneState:
        """The lane that keys are about."""
        return self.state.lanes[self.view.selected]

    def show(self, panel: PanelName) -> None:
        """What takes the place of the panes; asked for again, what was there before."""
        self.view.show(panel)
        self.redraw()

    def step_at_cursor(self, lane: int) -> int | None:
        """The steps that a lane had done at the crosshair; None where there is none."""
        if self.view.cursor is None:
            return None
        return self.view.x.step(self.state.lanes[lane], self.state.race, self.view.cursor)

    def sample_of(self, picture: SampleRef) -> Sampled | None:
        """A sample, read again from the record; None where that cannot be done."""
        event = self.follower.reader.event(picture.row)
        return event if isinstance(event, Sampled) else None

    def _fit_pictures(self) -> None:
        """The samples that panes show while there is a crosshair: those that had been drawn by
        then."""
        self.view.pictures = {}
        for lane in self.view.shown:
            step = self.step_at_cursor(lane)
            if step is not None:
                picture = self.follower.samples.at(lane, step)
                self.view.pictures[lane] = self.sample_of(picture) if picture else None

    def warn(self, text: str) -> None:
        """Says what is wrong, but not the same twice in a few seconds."""
        now = time.monotonic()
        # else it stands there already
        if now - self._warned.get(text, -COMPLAINT_S) >= COMPLAINT_S:
            self._warned = {text: now}
            self.notify(one_line(text), severity="warning", markup=False, timeout=COMPLAINT_S)

    @property
    def _trouble(self) -> str:
        """What the header says is wrong, and what to do about it."""
        if self.commands.restarting:
            return "a new supervisor is starting ..."
        trouble = self.follower.trouble
        if self.state.over and (left := self.follower.resumable()):
            trouble = trouble or f"{len(left)} of {len(self.state.lanes)} interrupted"
            return f"{trouble} · {keys.read('race.resume')} resumes"
        return trouble
