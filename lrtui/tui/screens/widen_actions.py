"""The action that races beyond the edge of the rate chart, as a new race. Knows no Textual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lrtui.client.launcher import Launcher
from lrtui.core.errors import LrtuiError
from lrtui.core.results.rate_sentences import refusal, widening_words
from lrtui.core.results.widen import Widening, that_fit, widened, widenings
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line
from lrtui.tui.race_panels import rates
from lrtui.tui.screens.forms import Choice
from lrtui.tui.screens.ui import Ui
from lrtui.tui.view import RaceView

MOST = 9
"""Lines that can be widened one by one: a digit each."""
STARTING_S = 5.0


class WidenActions:
    """Starts the race that widens a rate chart."""

    def __init__(
        self,
        state: RaceState,
        view: RaceView,
        runs: Path,
        ui: Ui,
        open_run: Callable[[Path], None],
        start: Callable[[Race, Path], Path] | None = None,
    ) -> None:
        """`open_run`: show another run in place of this one; `start`: by default a supervisor of
        its own."""
        self._state, self._view = state, view
        self._runs = runs
        self._ui = ui
        self._open_run = open_run
        self._start = start or _start
        self._starting = False

    def widen(self) -> None:
        """Ask which lines to widen, and start the race; LrtuiError where there is none."""
        if self._starting:
            raise LrtuiError("the race with further rates is starting")
        chart = rates(self._state, self._view)
        found = that_fit(widenings(chart, self._state), self._state.race)[:MOST]
        if not found:
            raise LrtuiError(refusal(chart, self._state))
        widened(self._state, found)  # refused before anything is asked
        answers = {
            str(number): (str(number), f"{one_line(one.line.name)}: {widening_words(one)}")
            for number, one in enumerate(found, 1)
        }
        if len(found) == 1:
            answers = {"y": ("1", widening_words(found[0]))}
        else:
            answers["a"] = ("a", "all of them in one race")
        question = "A new race with further rates; this one stays as it is"
        self._ui.ask(
            Choice(question, {**answers, "n": ("", "no")}),
            lambda answer: self._on_answer(found, answer),
        )

    def _on_answer(self, found: Sequence[Widening], answer: str) -> None:
        if not answer:
            return
        chosen = found if answer == "a" else [found[int(answer) - 1]]
        race = widened(self._state, chosen)
        self._starting = True
        self._ui.show(f"starting {race.title}", STARTING_S)
        self._ui.in_thread(lambda: self._launch(race), self._on_started)

    def _launch(self, race: Race) -> Path | LrtuiError:
        """Start the race; runs in a thread."""
        try:
            return self._start(race, self._runs)
        except LrtuiError as error:
            return error

    def _on_started(self, started: Path | LrtuiError) -> None:
        self._starting = False
        if isinstance(started, LrtuiError):
            raise started
        self._open_run(started)


def _start(race: Race, runs: Path) -> Path:
    launcher = Launcher(race)
    try:
        return launcher.start(race, runs)
    except BaseException:
        launcher.close()
        raise
