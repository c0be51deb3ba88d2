"""The Textual app: composes the screens and routes between them. Decides nothing about training."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from textual.app import App, SystemCommand
from textual.events import Event
from textual.filter import LineFilter
from textual.screen import Screen

from lrtui.client.follower import Follower
from lrtui.client.launcher import Launcher
from lrtui.client.lr_finder import FinderPlan, LrFinder
from lrtui.core.errors import LrtuiError
from lrtui.core.text import one_line
from lrtui.terminal import settings
from lrtui.terminal.notifications import Notifier
from lrtui.terminal.palette import THEMES
from lrtui.terminal.settings import Settings
from lrtui.tui import key_names
from lrtui.tui.canvas_widget import CanvasWidget
from lrtui.tui.clock import Clock
from lrtui.tui.keymap import Keymap
from lrtui.tui.machine import Machine
from lrtui.tui.screens.finder import FinderScreen
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen
from lrtui.tui.textual_patches import compositor, escape_key
from lrtui.tui.textual_patches.signals import on_signals
from lrtui.tui.tiers import Look
from lrtui.tui.typeahead import TypeAhead

FAULTS_S = 12.0
"""Seconds that the faults of the settings file are shown."""


def _beside(job: Callable[[], None]) -> None:
    """Run a job in a thread of its own."""
    threading.Thread(target=job, daemon=True).start()


class LrtuiApp(App[Follower]):
    """Shows the picker, a finder or a run; returns the run that was watched last, for the
    scrollback."""

    CSS_PATH = "lrtui.tcss"
    TITLE = "lrtui"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  # as in Textual

    def __init__(
        self,
        runs: Path,
        run: Path | None = None,
        asked: FinderPlan | None = None,
        *,
        compared: Follower | None = None,
        race_after: bool = False,
        look: Look = Look(),  # noqa: B008  # frozen
        wanted: Settings = Settings(),  # noqa: B008  # frozen
        faults: Sequence[str] = (),
        clock: Clock | None = None,
        machine: Callable[[], Machine] = Machine,
    ) -> None:
        """Begin with `run`, with what is `compared`, with a finder (`asked`), or with the
        picker.

        `race_after`: start the full race after the finder; `faults`: lines about the settings file
        to show; `clock` and `machine`: the real ones by default.
        """
        super().__init__()
        self._clock = clock or Clock()
        self._new_machine = machine
        compositor.install()
        self.look = look
        """Colours, theme, glyphs and frame rate."""
        self._wanted = wanted
        self._faults = faults
        look.use()
        self.keys = Keymap(wanted.keys)
        if not self.keys.has_alt():
            escape_key.install()
        self.no_color = look.colors == "none"
        self.console._color_system = look.color_system
        self._runs = runs
        self._run = run
        self._asked = asked
        self._race_after = race_after
        self._compared = compared
        self._watched: Follower | None = None
        self.finder: LrFinder | None = None
        """The finder that was shown last."""
        self._type_ahead = TypeAhead(self)
        self._notifier = Notifier(
            wanted.notify, os.environ, self.send, self._ring, self._clock.monotonic, _beside
        )

    async def on_event(self, event: Event) -> None:
        """Handle an event; keys one after another, see `TypeAhead`."""
        if not self._type_ahead.takes(event):
            await super().on_event(event)

    def on_mount(self) -> None:
        if not self.is_headless:
            on_signals(self.leave, lambda: getattr(self._driver, "attrs_before", None))
        self.theme = self.look.textual_theme
        self.set_class(self.look.colors in ("16", "none"), "-few-colors")
        self.set_keymap(self.keys.textual())
        for words in self._faults:
            self.notify(words, title="settings", severity="warning", markup=False, timeout=FAULTS_S)
        if self._asked is not None:
            self.find(self._asked, race_after=self._race_after)
        elif self._compared is not None:
            self._watch(self._compared)
        elif self._run is None:
            self.push_screen(Picker(self._runs, self._clock, self.keys))
        else:
            self.watch_run(self._run)

    @property
    def broke(self) -> str:
        """The error that ended the screen, in a line; '' if there was none."""
        error = self._exception
        return "" if error is None else one_line(f"{type(error).__name__}: {error}")

    @property
    def watched(self) -> Follower | None:
        """The run that is shown, or was shown last."""
        return self._watched

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The filters of all widgets' lines but those of CanvasWidget. Textual's own are left out:
        they would colour NO_COLOR's greys and the terminal's background."""
        return self.look.filters

    def bell(self) -> None:
        """Ring, unless the settings turn the bell off."""
        if self._wanted.bell:
            super().bell()

    def _ring(self) -> None:
        self.bell()

    def send(self, text: str) -> None:
        """Write an escape sequence to the terminal, unless the screen goes elsewhere; from any
        thread."""
        there = sys.__stderr__ is not None and sys.__stderr__.isatty()  # where Textual writes
        if there and not self.is_headless and self._driver is not None:
            self._driver.write(text)

    def next_theme(self) -> None:
        """Use the next theme, and store it in the settings."""
        theme = THEMES[(THEMES.index(self.look.theme) + 1) % len(THEMES)]
        self.look = self.look._replace(theme=theme)
        self.look.use()
        self.theme = self.look.textual_theme
        for screen in self.screen_stack:
            for frame in screen.query(CanvasWidget):
                frame.repaint()
        try:
            settings.write("theme", theme)
        except LrtuiError as error:
            self.notify(str(error), severity="warning", markup=False)

    def leave(self) -> None:
        """Quit from any screen; a race continues."""
        self.exit(self._watched)

    def watch_run(self, run: Path) -> None:
        """Replace the current screen by a run."""
        try:
            follower = Follower(run, self._wanted.memory * 1_000_000)
        except LrtuiError as error:
            self.notify(one_line(error.message), severity="error", markup=False)
            return
        self._watch(follower)

    def _watch(self, follower: Follower) -> None:
        """Replace the current screen by what a follower follows."""
        if self._watched is not None:
            self._watched.close()
        self._watched = follower
        screen = RaceScreen(
            follower, self.look.fps, self._clock, self._new_machine(), self.keys, self._notifier
        )
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def find(
        self, asked: FinderPlan, launcher: Launcher | None = None, *, race_after: bool = False
    ) -> None:
        """Show a finder over the current screen."""
        screen = FinderScreen(
            asked, self._runs, launcher, race_after=race_after, clock=self._clock, keymap=self.keys
        )
        self.finder = screen.finder
        self.push_screen(screen)

    def on_finder_screen_left(self) -> None:
        if len(self.screen_stack) > 2:
            self.pop_screen()
        else:
            self.leave()  # it was all that there was

    def on_finder_screen_quit(self) -> None:
        self.leave()

    def on_finder_screen_racing(self, message: FinderScreen.Racing) -> None:
        if len(self.screen_stack) > 2:
            self.pop_screen()
        self.watch_run(message.run)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every key of this screen by name."""
        for key in (
            self.keys.table(screen.KEYS)
            if isinstance(screen, (RaceScreen, Picker, FinderScreen))
            else ()
        ):
            # the palette reads markup
            by = "key " + " ".join(map(key_names.read, key.keys)).replace("[", "\\[")
            yield SystemCommand(key.name, by, partial(self.run_action, key.action, screen))
        yield SystemCommand(
            "Manual", "every page of `lrtui help`, with a search over all of them", self.show_manual
        )
        yield SystemCommand(
            "Theme: next", f"{', '.join(THEMES)}; now {self.look.theme}", self.next_theme
        )

    def show_manual(self) -> None:
        """Show the manual over the current screen."""
        # Textual's Markdown takes its time to load
        from lrtui.tui.screens.manual import ManualScreen

        self.push_screen(ManualScreen("screen"))

    async def action_quit(self) -> None:
        """Ctrl+Q, which Textual reserves, asks the same as `q`."""
        if isinstance(self.screen, (RaceScreen, Picker, FinderScreen)):
            self.screen.action_leave()

    def on_picker_chosen(self, message: Picker.Chosen) -> None:
        self.watch_run(message.run)

    def on_picker_find(self, message: Picker.Find) -> None:
        self.find(message.asked, message.launcher)

    def on_race_screen_find(self, message: RaceScreen.Find) -> None:
        self.find(message.asked)

    def on_race_screen_opened(self, message: RaceScreen.Opened) -> None:
        self.watch_run(message.run)

    def on_race_screen_another(self) -> None:
        self.switch_screen(Picker(self._runs, self._clock, self.keys))
