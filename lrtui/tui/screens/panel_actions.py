"""The keys of the race screen for its lists and pictures: filmstrip, log, what a task printed, the
machine's time base."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from textual.events import MouseScrollDown, MouseScrollUp

from lrtui.core.protocol import event_text
from lrtui.store.record_index import SampleRef
from lrtui.tui.console import Console, Printed
from lrtui.tui.machine_history import BASES
from lrtui.tui.render import filmstrip, logs, styles
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.render.logs import Entry, Line
from lrtui.tui.render.sprite import Pixels
from lrtui.tui.sample_frames import beside, film
from lrtui.tui.screens.watching import Panel, Watching
from lrtui.tui.view import PanelName

CONSOLE_EVERY, FILM_EVERY = 10, 20
"""Looks at the run between two at the logs, and at new pictures: a task that prints or draws
without end must not fill the line to the terminal. What a key asks for is shown at once."""
WHEEL_LINES = 3
NOT_KEPT = Line("", "", 0, "(a line that the record does not hold)", styles.DIM)


class StageKeys(Watching):
    """Shows what takes the place of the panes, and scrolls it."""

    _last_stamp: tuple[int, object, object] = (-1, None, None)
    """When it was last looked whether the stage has something new, what was asked for, and what
    there was."""

    @cached_property
    def _printer(self) -> Console:
        return Console(self.follower.run)

    def action_filmstrip(self) -> None:
        """The samples of all lanes side by side, at the crosshair's step where there is one; or
        panes again."""
        self.view.sample_step = self.step_at_cursor(self.view.selected)
        self.show("filmstrip")

    def action_log(self) -> None:
        """All that happened, or panes again."""
        self.show("log")

    def action_console(self) -> None:
        """What the chosen lane's task has printed, or panes again."""
        self.show("console")

    def action_time_base(self) -> None:
        """The next time base for the machine's bars."""
        self.view.time_base = (self.view.time_base + 1) % len(BASES)
        self.draw()

    def action_scroll(self, pages: float) -> None:
        """So many pages down, or up: very many lead to the newest, or to the oldest."""
        rows = max(1, self._layout.panel.height - 1)
        if self.view.panel == "filmstrip":
            self.scrub(round(max(-1e6, min(1e6, pages * 10))))
        elif self.view.panel in ("log", "console"):
            self.scroll_lines(pages * rows, rows)
        elif self.view.panel == "differences":
            self.view.scroll = round(max(0.0, min(1e6, self.view.scroll + pages * rows)))
            self.redraw()
        elif self.view.panel == "panes":
            self._turn_page(pages)

    def _turn_page(self, pages: float) -> None:
        """Another page of panes, the first lane of it chosen."""
        page, last = self._layout.page
        wanted = round(max(1, min(last, page + pages)))
        if wanted != page:
            self.view.selected = self.view.shown[(wanted - 1) * len(self._layout.panes)]
            self.redraw()

    def scroll_lines(self, by: float, rows: int = 1) -> None:
        """Log and console: so many lines down, or up."""
        places = self._places()
        found = logs.scrolled(len(places), self._end(places), round(max(-1e9, min(1e9, by))), rows)
        self.view.scroll_end = None if found is None else int(places[found - 1])
        self.redraw()

    def scrub(self, by: int) -> None:
        """So many samples on, or back; a crosshair goes along."""
        self.view.sample_step = beside(
            self.state, self.follower.samples, self.view.shown, self.view.sample_step, by
        )
        if self.view.cursor is not None and self.view.sample_step is not None:
            self.view.cursor = self.view.x.value(
                self.selected, self.state.race, self.view.sample_step
            )
        self.redraw()

    def moved_within(self, dx: int, dy: int) -> bool:
        """Whether a step in a direction is one within the stage: through the samples and their
        pictures, or the lines."""
        if self.view.panel == "filmstrip" and dx:
            self.scrub(dx)
        elif self.view.panel == "filmstrip":
            self.view.scroll = max(0, self.view.scroll + dy)
            self.draw()
        elif self.view.panel in ("log", "console") and dy:
            self.scroll_lines(dy, max(1, self._layout.panel.height - 1))
        else:
            return False
        return True

    def _places(self) -> NDArray[np.intp]:
        """By which the lines of the stage are known, rising: they stay the same while more come."""
        if self.view.panel == "console":
            return np.array([place for place, _ in self._printed().lines], np.intp)
        return self.follower.log_index.among(self.view.shown)

    def _end(self, places: NDArray[np.intp]) -> int | None:
        """How many of these lines come before the end of what is to be seen; None: it is the
        newest, whatever it is."""
        return (
            None
            if self.view.scroll_end is None
            else int(np.searchsorted(places, self.view.scroll_end, "right"))
        )

    def _printed(self) -> Printed:
        return self._printer.printed(self.state, self.selected)

    def _pixels(self, picture: SampleRef) -> Pixels | None:
        found = self.sample_of(picture)
        return found.images() if found else None

    def _entry(self, number: int) -> Entry | None:
        """A line of the log by its number: of the newest from memory, of older ones from the
        record."""
        kept = number - (self.state.log_count - len(self.state.log))
        if kept >= 0:
            return self.state.log[kept]
        event = self.follower.reader.event(self.follower.log_index.row(number))
        return (event.at, event.lane, event_text.describe(event)) if event else None

    def panels_shown(self) -> dict[PanelName, Panel]:
        return super().panels_shown() | {
            "filmstrip": Panel(self._draw_filmstrip, self._stamp_of_film),
            "log": Panel(
                self._draw_log,
                lambda: (self.state.log_count, self.view.scroll_end, tuple(self.view.shown)),
            ),
            "console": Panel(self._draw_console, self._stamp_of_console),
        }

    def _draw_filmstrip(self, canvas: Canvas) -> None:
        strip = film(self.state, self.follower.samples, self.view.shown, self.view.sample_step)
        # a task that draws does so before its first step
        trained = any(lane.steps > lane.forked_at for lane in self.state.lanes)
        silent = trained and not any(
            self.follower.samples.of(lane.index) for lane in self.state.lanes
        )
        self.view.scroll = filmstrip.draw(
            canvas, self.state, strip, self._pixels, self.view, nothing_will_come=silent
        )

    def _stamp_of_film(self) -> object:
        any_yet = any(self.follower.samples.of(lane) for lane in self.view.shown)
        wanted = (
            tuple(self.view.shown),
            self.view.sample_step,
            self.view.selected,
            self.view.scroll,
            any_yet,
        )
        lanes = self.state.lanes
        return self._now_and_then(
            FILM_EVERY,
            wanted,
            lambda: [
                (
                    self.follower.samples.of(lane)[-1:],
                    lanes[lane].status,
                    len(lanes[lane].evaluations),
                    lanes[lane].steps > 0,
                )
                for lane in self.view.shown
            ],
        )

    def _draw_log(self, canvas: Canvas) -> None:
        numbers = self._places()
        hidden = len(self.state.lanes) - len(self.view.shown)
        letters = ", ".join(self.state.lanes[lane].lane.letter for lane in self.view.shown)
        title = f"log of {letters} and the run ({hidden} lanes hidden)" if hidden else "log"

        def line(index: int) -> Line:
            entry = self._entry(int(numbers[index]))
            return logs.log_line(self.state, entry) if entry else NOT_KEPT

        logs.draw_log(canvas, title, len(numbers), self._end(numbers), line)

    def _draw_console(self, canvas: Canvas) -> None:
        printed = self._printed()
        lane = self.selected.lane
        logs.draw_console(canvas, lane.called, printed, self._end(self._places()))

    def _stamp_of_console(self) -> object:
        wanted = self.view.selected, self.view.scroll_end, len(self.state.lanes)
        return self._now_and_then(
            CONSOLE_EVERY, wanted, lambda: self._printer.stamp(self.state, self.selected)
        )

    def _now_and_then(self, every: int, wanted: object, look: Callable[[], object]) -> object:
        """What `look` finds, at every so many looks at the run, or as soon as something else is
        wanted."""
        now = self._ticks // max(1, round(every / self._slower))
        if self._last_stamp[:2] != (now, wanted):
            self._last_stamp = now, wanted, look()
        return self._last_stamp[1:]

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        self._wheel_within(-1, event.screen_x, event.screen_y)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        self._wheel_within(1, event.screen_x, event.screen_y)

    def _wheel_within(self, direction: int, x: int, y: int) -> None:
        """The wheel over a stage of lines scrolls them, over the filmstrip it goes through the
        samples."""
        if self._layout.panel.contains(x, y):
            if self.view.panel == "filmstrip":
                self.scrub(direction)
            elif self.view.panel in ("log", "console"):
                self.scroll_lines(WHEEL_LINES * direction, max(1, self._layout.panel.height - 1))
