"""The Textual app: composes the screens and routes between them. Whatever has an `if` about training lies below it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from textual.app import App, SystemCommand
from textual.screen import Screen

from lrtui.core.errors import LrtuiError
from lrtui.core.text import one_line
from lrtui.find import Finder, Plan
from lrtui.follow import Follower
from lrtui.launch import Crew
from lrtui.tui import fewer_bytes
from lrtui.tui.leaving import on_signals
from lrtui.tui.screens.finder import FinderScreen
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen


class LrtuiApp(App[Follower]):
    """Begins with the picker, or with a run. Gives back the run that was watched last, for what stays in the scrollback."""

    CSS_PATH = "lrtui.tcss"
    TITLE = "lrtui"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  # as Textual declares it

    def __init__(self, runs: Path, run: Path | None = None, asked: Plan | None = None, *, race_after: bool = False) -> None:
        """`asked`: begin with a finder; `race_after`: with the full race after it, unasked."""
        super().__init__()
        fewer_bytes.install()
        self._runs = runs
        self._run = run
        self._asked = asked
        self._race_after = race_after
        self._watched: Follower | None = None
        self.finder: Finder | None = None
        """The one that was shown last."""

    def on_mount(self) -> None:
        if not self.is_headless:
            on_signals(self.leave, lambda: getattr(self._driver, "attrs_before", None))
        if self._asked is not None:
            self.find(self._asked, race_after=self._race_after)
        elif self._run is None:
            self.push_screen(Picker(self._runs))
        else:
            self.watch_run(self._run)

    @property
    def broke(self) -> str:
        """What ended the screen that nobody asked for, in a line; '' where it was left."""
        error = self._exception
        return "" if error is None else one_line(f"{type(error).__name__}: {error}")

    @property
    def watched(self) -> Follower | None:
        """The run that is shown, or was shown last."""
        return self._watched

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

    def find(self, asked: Plan, crew: Crew | None = None, *, race_after: bool = False) -> None:
        """Shows a finder over whatever is shown."""
        screen = FinderScreen(asked, self._runs, crew, race_after=race_after)
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
        """The palette: what the keys of this screen do, by name; choosing a lane or a line is quicker by key."""
        for key in screen.KEYS if isinstance(screen, (RaceScreen, Picker, FinderScreen)) else ():
            if key.help and not key.action.startswith(("move", "next", "choose", "cursor", "dial")):
                yield SystemCommand(key.help, f"key {key.shown}", partial(self.run_action, key.action, screen))

    async def action_quit(self) -> None:
        """Textual's Ctrl+Q asks what `q` asks."""
        if isinstance(self.screen, (RaceScreen, Picker, FinderScreen)):
            self.screen.action_leave()

    def on_picker_chosen(self, message: Picker.Chosen) -> None:
        self.watch_run(message.run)

    def on_picker_find(self, message: Picker.Find) -> None:
        self.find(message.asked, message.crew)

    def on_race_screen_find(self, message: RaceScreen.Find) -> None:
        self.find(message.asked)

    def on_race_screen_another(self) -> None:
        self.switch_screen(Picker(self._runs))
