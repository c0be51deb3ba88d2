"""The finder's screen: sweep, check, and the way to the full race. Drawn by render/finder.py."""

from __future__ import annotations

import math
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen

from lrtui.client.launcher import Launcher
from lrtui.client.lr_finder import FinderPlan, LrFinder
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.errors import LrtuiError
from lrtui.core.numbers import loss, rate
from lrtui.core.results.batch_size import batch_words
from lrtui.core.results.lr_suggestions import bounds
from lrtui.core.text import one_line
from lrtui.tui import axis_fit
from lrtui.tui.canvas_widget import CanvasWidget
from lrtui.tui.clock import Clock
from lrtui.tui.key_table import FINDER
from lrtui.tui.keymap import Keymap
from lrtui.tui.layout import FinderLayout, arrange_finder
from lrtui.tui.rects import Rect
from lrtui.tui.render import chart, finder as drawing, overlay, panels
from lrtui.tui.screens.bindings import bindings
from lrtui.tui.screens.help import Help
from lrtui.tui.view import RaceView

POLL_BUDGET_S = 0.06
LEGEND = {
    "valley": "the headline: half-way down the longest stretch over which the average falls",
    "steep": "where the average falls fastest",
    "minimum": "a tenth of the rate where the average is lowest",
    "slide": "from the right, where the slope levels out; depends on the loss's scale",
    "grey": (
        "single batches, and what the rules leave out: the first tenth and the last five points"
    ),
    "✗": "where the loss or its gradient was not finite",
}


class FinderScreen(Screen[None]):
    """Shows a finder at work."""

    KEYS = FINDER
    BINDINGS = bindings(KEYS)

    class Racing(Message):
        """The full race has been started."""

        def __init__(self, run: Path) -> None:
            super().__init__()
            self.run = run

    class Left(Message):
        """The user returns to the screen below."""

    class Quit(Message):
        """The user quits."""

    def __init__(
        self,
        asked: FinderPlan,
        runs: Path,
        launcher: Launcher | None = None,
        *,
        race_after: bool = False,
        clock: Clock | None = None,
        keymap: Keymap | None = None,
    ) -> None:
        super().__init__()
        self._poll_s = (clock or Clock()).poll_s
        self.finder = LrFinder(asked, runs, launcher, race_after=True)
        self._race_after = race_after
        self._starting = False
        self._trouble = ""
        self._log = True
        self._limits = AxisLimits.around(math.nan, math.nan, log=True)
        self._view = RaceView(keymap=keymap or Keymap())

    def compose(self) -> ComposeResult:
        yield CanvasWidget()

    def on_mount(self) -> None:
        self._frame = self.query_one(CanvasWidget)
        self.set_interval(self._poll_s, self.tick)
        self.tick()

    def on_unmount(self) -> None:
        self.finder.stop()

    def on_canvas_widget_resized(self, message: CanvasWidget.Resized) -> None:
        self.draw()

    def tick(self) -> None:
        """Poll the current run; start the next one when it is due."""
        was_over, events = self.finder.over, self.finder.poll(POLL_BUDGET_S)
        if self.finder.due and not self._starting and not self._trouble:
            self._starting = True
            self._advance()
            self.draw()
        elif events or self.finder.over != was_over:
            self.draw()
        if (
            self.finder.over
            and not was_over
            and self._race_after
            and self.finder.outcome
            and self.finder.outcome.winner
        ):
            self.action_race()

    @work(thread=True, group="start")
    def _advance(self) -> None:
        try:
            self.finder.advance()
        except LrtuiError as error:
            self._trouble = one_line(f"{error.message}: {error.hint}")
        self._starting = False
        if self.is_mounted:
            self.app.call_from_thread(self.draw)

    def draw(self) -> None:
        """Draw everything; the widget sends what changed."""
        canvas = self._frame.canvas
        if not canvas.height or not canvas.width:
            return
        canvas.fill()
        check = self.finder.check.state if self.finder.check else None
        layout = arrange_finder(canvas.width, canvas.height, len(check.lanes) if check else 4)
        if layout.too_small:
            panels.too_small(canvas)
            self._frame.commit()
            return
        drawing.header(canvas.view(layout.header), self._title(), self._phase(), self._trouble)
        if self.finder.plan.rates:
            self._draw_race(layout)
        else:
            self._draw_sweep(layout)
        outcome = self.finder.outcome
        waiting = (
            "the check comes after the sweep" if outcome is None else "there was nothing to check"
        )
        drawing.standings(canvas.view(layout.standings), check, waiting)
        winner = outcome.winner if outcome else None
        headline = ""
        if winner:
            key = self._view.keymap.read("finder.race")
            headline = f"found {rate(winner.lane.lr, 3)}: {key} races with it"
        drawing.sentences(
            canvas.view(layout.sentences), outcome.sentences if outcome else [], headline
        )
        panels.footer(canvas.view(layout.footer), self._view.keymap.footer_words(FINDER))
        self._frame.commit()

    def _draw_sweep(self, layout: FinderLayout) -> None:
        canvas, finder = self._frame.canvas, self.finder
        nan = finder.sweep is not None and finder.sweep.state.lanes[0].status == "nan"
        sweep = drawing.Sweep(
            finder.plan.low,
            finder.plan.high,
            finder.rates,
            finder.losses,
            finder.smooth,
            finder.found,
            nan,
        )
        low, high = bounds(finder.losses, finder.smooth)
        self._limits = self._limits.with_log(self._log and low > 0).fit(low, high)
        drawing.marks(canvas.view(layout.marks), sweep)
        if math.isfinite(low):
            chart.y_labels(canvas.view(layout.y_labels), self._limits)
        drawing.curve(canvas.view(layout.curve), sweep, self._limits)
        drawing.x_labels(canvas.view(layout.x_labels), sweep)

    def _draw_race(self, layout: FinderLayout) -> None:
        """Draw the curves of the lanes: a finder with given rates has no sweep."""
        if self.finder.check is None:
            return
        state = self.finder.check.state
        self._view.y_log = self._log
        axis_fit.fit(self._view, state)
        panel = Rect(
            0, layout.marks.y, layout.curve.right + 2, layout.x_labels.bottom - layout.marks.y
        )
        overlay.draw(self._frame.canvas.view(panel), state, self._view)

    def _title(self) -> str:
        asked, begun = self.finder.plan, self.finder.follower
        batch = batch_words(begun.state.lanes if begun else (), asked.race)
        return (
            f"Finding a rate: {asked.race.title} · {asked.lane.optimizer} · {batch} · seed"
            f" {asked.race.seed}"
        )

    def _phase(self) -> str:
        """The progress in a few words."""
        finder = self.finder
        if finder.outcome is not None:
            return (
                f"found {rate(finder.outcome.winner.lane.lr, 3)}"
                if finder.outcome.winner
                else "no rate found"
            )
        if finder.check is not None:
            living = [lane for lane in finder.check.state.lanes if not lane.over]
            return f"check: {len(living)} of {len(finder.check.state.lanes)} lanes racing"
        if self._starting:
            return "the check starts" if finder.found else "torch is warming up"
        if finder.losses:
            done = f"sweep {len(finder.losses)}/{finder.plan.points}"
            return f"{done} · rate {rate(finder.rates[-1], 3)} · loss {loss(finder.losses[-1])}"
        return "the sweep starts"

    def action_race(self) -> None:
        """Start the full race with the winner."""
        outcome = self.finder.outcome
        if outcome is None or outcome.winner is None:
            self.notify(
                "there is no rate to race with yet" if outcome is None else "no rate was found",
                markup=False,
                timeout=3,
            )
        elif not self._starting:
            self._starting = True
            self._race()

    @work(thread=True, group="start")
    def _race(self) -> None:
        try:
            run = self.finder.start_full_race()
            self.app.call_from_thread(self.post_message, self.Racing(run))
        except LrtuiError as error:
            self._starting = False
            self.app.call_from_thread(
                self.notify,
                one_line(str(error)),
                title="not started",
                severity="error",
                markup=False,
            )

    def action_log_axis(self) -> None:
        """Switch between a logarithmic and a linear loss axis."""
        self._log = not self._log
        self.draw()

    def action_back(self) -> None:
        """Return to the screen below; the current run is stopped."""
        self.post_message(self.Left())

    def action_help(self) -> None:
        """Show all keys and the rules."""
        self.app.push_screen(Help(FINDER, LEGEND, "finder", self._view.keymap))

    def action_leave(self) -> None:
        """Quit; the current run is stopped."""
        self.post_message(self.Quit())
