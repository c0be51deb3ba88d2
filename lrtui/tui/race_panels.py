"""The panels that can take the place of the panes. Each draws itself on the canvas it is given, and
stamps its content, so that only a changed one is drawn again. Knows no Textual."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lrtui.client.follower import Follower
from lrtui.core.protocol import event_text
from lrtui.core.protocol.events import Sampled
from lrtui.core.results.rate_chart import RateChart, rate_chart as rate_chart_of
from lrtui.core.results.rate_sentences import line_name, rate_sentences, widening_words
from lrtui.core.results.widen import widening
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.store.record_index import SampleRef
from lrtui.tui.console import Console, Printed
from lrtui.tui.redraw_policy import RedrawPolicy
from lrtui.tui.render import differences, filmstrip, logs, overlay, rate_chart, styles
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.render.logs import Entry, Line
from lrtui.tui.render.sprite import Pixels
from lrtui.tui.sample_frames import film
from lrtui.tui.view import PanelName, RaceView

CONSOLE_EVERY, FILM_EVERY, RATES_EVERY = 10, 20, 10
"""Polls between two looks at the task's output, at new samples and at the outcomes: a task that
prints or draws without end must not fill the line to the terminal. A key press looks at once."""
RATES_FEW = 32
"""Lanes up to which the rate chart is drawn as often as the standings beside it."""
WIDENED = 6
"""Lines of the rate chart, the best ones, whose edges its hint looks at."""
MISSING = Line("", "", 0, "(a line that the record does not hold)", styles.DIM)


class Panel(Protocol):
    """Content for the middle of the screen."""

    def draw(self, canvas: Canvas) -> None:
        """Fill the canvas."""

    def stamp(self) -> object:
        """A value that differs when the content does."""


class OverlayPanel:
    """The curves of all lanes in one chart."""

    def __init__(self, follower: Follower, view: RaceView) -> None:
        self._state, self._view = follower.state, view

    def draw(self, canvas: Canvas) -> None:
        overlay.draw(canvas, self._state, self._view)

    def stamp(self) -> object:
        view = self._view
        versions = tuple(lane.version for lane in self._state.lanes)
        return versions, view.limits, view.x, view.selected, view.grouped_for


class DifferencesPanel:
    """The settings in which the visible lanes differ."""

    def __init__(self, follower: Follower, view: RaceView) -> None:
        self._state, self._view = follower.state, view

    def draw(self, canvas: Canvas) -> None:
        groups = [self._view.groups[index] for index in self._view.shown]
        self._view.scroll = differences.draw(canvas, groups, self._state.race, self._view)

    def stamp(self) -> object:
        lanes = [
            (lane.index, lane.factor, lane.parent, lane.forked_at, lane.steps > lane.forked_at)
            for lane in self._view.lanes(self._view.shown)
        ]
        return self._view.scroll, self._view.selected, lanes


class RatesPanel:
    """The outcomes of the visible lanes against their rates."""

    def __init__(self, follower: Follower, view: RaceView, policy: RedrawPolicy) -> None:
        self._state, self._view = follower.state, view
        self._stamp = _PacedStamp(policy, RATES_EVERY)
        self._fresh = _PacedStamp(policy, 2)

    def draw(self, canvas: Canvas) -> None:
        state, view = self._state, self._view
        chart = rates(state, view)
        first = (widening(line, state) for line in chart.ranked[:WIDENED])
        found = next(filter(None, first), None)
        key = view.keymap.read("lane.enlarge")
        hint = f"{key} races {line_name(found.line, chart)}{widening_words(found)}" if found else ""
        rate_chart.draw(canvas, chart, rate_sentences(chart, state), hint, view.selected)

    def stamp(self) -> object:
        view = self._view
        wanted = tuple(view.shown), view.selected, view.order, self._state.over
        # as fresh as the standings beside it, unless it takes long
        stamp = self._fresh if len(self._state.lanes) <= RATES_FEW else self._stamp
        return stamp.get(wanted, lambda: [lane.version for lane in self._state.lanes])


class FilmstripPanel:
    """The samples of all lanes at one step."""

    def __init__(self, follower: Follower, view: RaceView, policy: RedrawPolicy) -> None:
        self._follower, self._state, self._view = follower, follower.state, view
        self._stamp = _PacedStamp(policy, FILM_EVERY)

    def draw(self, canvas: Canvas) -> None:
        samples, view = self._follower.samples, self._view
        strip = film(self._state, samples, view.shown, view.sample_step)
        # a task that draws does so before its first step
        trained = any(lane.steps > lane.forked_at for lane in self._state.lanes)
        silent = trained and not any(samples.of(lane.index) for lane in self._state.lanes)
        view.scroll = filmstrip.draw(
            canvas, self._state, strip, self._pixels, view, nothing_will_come=silent
        )

    def _pixels(self, sample: SampleRef) -> Pixels | None:
        found = read_sample(self._follower, sample)
        return found.images() if found else None

    def stamp(self) -> object:
        view, samples = self._view, self._follower.samples
        any_yet = any(samples.of(lane) for lane in view.shown)
        wanted = tuple(view.shown), view.sample_step, view.selected, view.scroll, any_yet
        return self._stamp.get(wanted, lambda: [self._lane_stamp(lane) for lane in view.shown])

    def _lane_stamp(self, index: int) -> object:
        lane, newest = self._state.lanes[index], self._follower.samples.of(index)[-1:]
        return newest, lane.status, len(lane.evaluations), lane.steps > 0


class LinesPanel(ABC):
    """Lines of text that grow at the end; scrolled by the position of the last visible line."""

    def __init__(self, follower: Follower, view: RaceView) -> None:
        self._follower, self._state, self._view = follower, follower.state, view

    @abstractmethod
    def draw(self, canvas: Canvas) -> None:
        """Fill the canvas."""

    @abstractmethod
    def stamp(self) -> object:
        """A value that differs when the content does."""

    @abstractmethod
    def positions(self) -> NDArray[np.intp]:
        """Ascending ids of the lines; an id stays the same while lines are added."""

    def scroll(self, by: float, rows: int = 1) -> None:
        """Scroll by lines; `rows`: height of the panel."""
        positions = self.positions()
        by = round(max(-1e9, min(1e9, by)))
        found = logs.scrolled(len(positions), self._end(positions), by, rows)
        self._view.scroll_end = None if found is None else int(positions[found - 1])

    def _end(self, positions: NDArray[np.intp]) -> int | None:
        """Lines up to the last visible one; None: the newest is visible."""
        end = self._view.scroll_end
        return None if end is None else int(np.searchsorted(positions, end, "right"))


class LogPanel(LinesPanel):
    """The events of the visible lanes and of the run."""

    @property
    def _lanes(self) -> list[int]:
        """The visible lanes, the seeds of folded groups included."""
        return [lane.index for lane in self._view.lanes(self._view.shown)]

    def positions(self) -> NDArray[np.intp]:
        return self._follower.log_index.among(self._lanes)

    def draw(self, canvas: Canvas) -> None:
        numbers, shown = self.positions(), self._view.shown
        hidden = len(self._state.lanes) - len(self._lanes)
        letters = ", ".join(self._view.groups[index].letter for index in shown)
        title = f"log of {letters} and the run ({hidden} lanes hidden)" if hidden else "log"

        def line(index: int) -> Line:
            entry = self._entry(int(numbers[index]))
            return logs.log_line(self._state, entry, self._view) if entry else MISSING

        logs.draw_log(canvas, title, len(numbers), self._end(numbers), line, self._view.keymap)

    def _entry(self, number: int) -> Entry | None:
        """A log entry by its number: recent ones from memory, older ones from the record."""
        kept = number - (self._state.log_count - len(self._state.log))
        if kept >= 0:
            return self._state.log[kept]
        event = self._follower.event(self._follower.log_index.row(number))
        if not event:
            return None
        return event.at, event.lane, event_text.describe(event, self._state.race.lanes)

    def stamp(self) -> object:
        return self._state.log_count, self._view.scroll_end, self._lanes


class ConsolePanel(LinesPanel):
    """The output of the selected lane's task."""

    def __init__(self, follower: Follower, view: RaceView, policy: RedrawPolicy) -> None:
        super().__init__(follower, view)
        self._console = Console(follower.run)
        self._stamp = _PacedStamp(policy, CONSOLE_EVERY)

    @property
    def _lane(self) -> LaneState:
        return self._state.lanes[self._view.selected]

    def _printed(self) -> Printed:
        return self._console.printed(self._state, self._lane)

    def positions(self) -> NDArray[np.intp]:
        return np.array([position for position, _ in self._printed().lines], np.intp)

    def draw(self, canvas: Canvas) -> None:
        end = self._end(self.positions())
        logs.draw_console(canvas, self._lane.lane.called, self._printed(), end, self._view.keymap)

    def stamp(self) -> object:
        wanted = self._view.selected, self._view.scroll_end, len(self._state.lanes)
        return self._stamp.get(wanted, lambda: self._console.stamp(self._state, self._lane))


class _PacedStamp:
    """A stamp that is looked up once per some polls, and at once when the request changes."""

    def __init__(self, policy: RedrawPolicy, every: int) -> None:
        self._policy, self._every = policy, every
        self._last: tuple[int, object, object] = (-1, None, None)
        """(interval of polls, request, stamp) of the last look-up."""

    def get(self, wanted: object, look_up: Callable[[], object]) -> object:
        interval = self._policy.interval(self._every)
        if self._last[:2] != (interval, wanted):
            self._last = interval, wanted, look_up()
        return self._last[1:]


def rates(state: RaceState, view: RaceView) -> RateChart:
    """The rate chart of the visible lanes, by the order that the standings have."""
    return rate_chart_of(state, view.lanes(view.shown), view.order)


def read_sample(follower: Follower, sample: SampleRef) -> Sampled | None:
    """A sample, read again from the record; None if that fails."""
    event = follower.event(sample.row)
    return event if isinstance(event, Sampled) else None


def race_panels(follower: Follower, view: RaceView, policy: RedrawPolicy) -> dict[PanelName, Panel]:
    """The panels of a race by the names of `RaceView.panel`."""
    return {
        "overlay": OverlayPanel(follower, view),
        "rates": RatesPanel(follower, view, policy),
        "differences": DifferencesPanel(follower, view),
        "filmstrip": FilmstripPanel(follower, view, policy),
        "log": LogPanel(follower, view),
        "console": ConsolePanel(follower, view, policy),
    }
