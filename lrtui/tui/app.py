"""The Textual app: composes the screens and routes between them. Whatever has an `if` about training lies below it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from textual.app import App, SystemCommand
from textual.screen import Screen

from lrtui.core.errors import LrtuiError
from lrtui.core.text import one_line
from lrtui.follow import Follower
from lrtui.tui import fewer_bytes
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen


class LrtuiApp(App[Follower]):
    """Begins with the picker, or with a run. Gives back the run that was watched last, for what stays in the scrollback."""

    CSS_PATH = "lrtui.tcss"
    TITLE = "lrtui"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  # as Textual declares it

    def __init__(self, runs: Path, run: Path | None = None) -> None:
        super().__init__()
        fewer_bytes.install()
        self._runs = runs
        self._run = run
        self._watched: Follower | None = None

    def on_mount(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):  # Textual has no handler: the terminal would stay as it is
            with suppress(NotImplementedError, RuntimeError, ValueError):
                asyncio.get_running_loop().add_signal_handler(number, self.leave)
        if self._run is None:
            self.push_screen(Picker(self._runs))
        else:
            self.watch_run(self._run)

    def leave(self) -> None:
        """Out of the program, whatever is shown; a race goes on."""
        self.exit(self._watched)

    def watch_run(self, run: Path) -> None:
        """Shows a run in the place of whatever is shown."""
        try:
            follower = Follower(run)
        except LrtuiError as error:
            self.notify(one_line(error.message), severity="error", markup=False)
            return
        if self._watched is not None:
            self._watched.close()
        self._watched = follower
        if len(self.screen_stack) > 1:
            self.switch_screen(RaceScreen(follower))
        else:
            self.push_screen(RaceScreen(follower))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: what the keys of this screen do, by name; choosing a lane or a line is quicker by key."""
        for key in screen.KEYS if isinstance(screen, (RaceScreen, Picker)) else ():
            if key.help and "(" not in key.action:
                yield SystemCommand(key.help, f"key {key.shown}", partial(self.run_action, key.action, screen))

    async def action_quit(self) -> None:
        """Textual's Ctrl+Q asks what `q` asks."""
        if isinstance(self.screen, (RaceScreen, Picker)):
            self.screen.action_leave()

    def on_picker_chosen(self, message: Picker.Chosen) -> None:
        self.watch_run(message.run)

    def on_race_screen_another(self) -> None:
        self.switch_screen(Picker(self._runs))
