"""The Textual app: composes the screens and routes between them. Whatever has an `if` about
training lies below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from lrtui.terminal.palette import THEMES
from lrtui.terminal.settings import Settings
from lrtui.tui import key_names, keys
from lrtui.tui.canvas_widget import CanvasWidget
from lrtui.tui.screens.finder import FinderScreen
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen
from lrtui.tui.textual_patches import compositor, escape_key
from lrtui.tui.textual_patches.signals import on_signals
from lrtui.tui.tiers import Look
from lrtui.tui.typeahead import TypeAhead

SAID_S = 12.0


class LrtuiApp(App[Follower]):
    """Begins with the picker, or with a run. Gives back the run that was watched last, for what
    stays in the scrollback."""

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
        race_after: bool = False,
        look: Look = Look(),  # noqa: B008  # frozen
        wanted: Settings = Settings(),  # noqa: B008  # frozen
        said: Sequence[str] = (),
    ) -> None:
        """`asked`: begin with a finder; `race_after`: with the full race after it, unasked; `said`:
        to be read on the screen."""
        super().__init__()
        compositor.install()
        self.look = look
        """How everything is drawn."""
        self._wanted = wanted
        self._said = said
        look.use()
        keys.choose(wanted.keys)
        if not any(
            key.startswith("alt+") for own in keys.keymap().values() for key in own.split(",")
        ):
            escape_key.install()
        self.no_color = look.colors == "none"
        self.console._color_system = look.color_system
        self._runs = runs
        self._run = run
        self._asked = asked
        self._race_after = race_after
        self._watched: Follower | None = None
        self.finder: LrFinder | None = None
        """The one that was shown last."""
        self._type_ahead = TypeAhead(self)

    async def on_event(self, event: Event) -> None:
        """Handles an event; keys one after another."""
        if not self._type_ahead.takes(event):
            await super().on_event(event)

    def on_mount(self) -> None:
        if not self.is_headless:
            on_signals(self.leave, lambda: getattr(self._driver, "attrs_before", None))
        self.theme = self.look.textual_theme
        self.set_class(self.look.colors in ("16", "none"), "-few-colors")
        self.set_keymap(keys.keymap())
        for words in self._said:
            self.notify(words, title="settings", severity="warning", markup=False, timeout=SAID_S)
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

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What is done to the lines of all widgets but frames: no others of Textual's, which would
        make colours of NO_COLOR's greys and of the terminal's own background."""
        return self.look.filters

    def bell(self) -> None:
        """Rings, if the person wants it."""
        if self._wanted.bell:
            super().bell()

    def next_theme(self) -> None:
        """Dark, light, contrast, and dark again; for the next time too."""
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
        """Out of the program, whatever is shown; a race goes on."""
        self.exit(self._watched)

    def watch_run(self, run: Path) -> None:
        """Shows a run in the place of whatever is shown."""
        try:
            follower = Follower(run, self._wanted.memory * 1_000_000)
        except LrtuiError as error:
            self.notify(one_line(error.message), severity="error", markup=False)
            return
        if self._watched is not None:
            self._watched.close()
        self._watched = follower
        screen = RaceScreen(follower, self.look.fps)
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def find(
        self, asked: FinderPlan, launcher: Launcher | None = None, *, race_after: bool = False
    ) -> None:
        """Shows a finder over whatever is shown."""
        screen = FinderScreen(asked, self._runs, launcher, race_after=race_after)
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
        """The palette: all that the keys of this screen do, by name."""
        for key in (
            keys.selected(screen.KEYS)
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
        """Shows the manual over whatever is shown."""
        # Textual's Markdown takes its time to load
        from lrtui.tui.screens.manual import ManualScreen

        self.push_screen(ManualScreen("screen"))

    async def action_quit(self) -> None:
        """Textual's Ctrl+Q asks what `q` asks."""
        if isinstance(self.screen, (RaceScreen, Picker, FinderScreen)):
            self.screen.action_leave()

    def on_picker_chosen(self, message: Picker.Chosen) -> None:
        self.watch_run(message.run)

    def on_picker_find(self, message: Picker.Find) -> None:
        self.find(message.asked, message.launcher)

    def on_race_screen_find(self, message: RaceScreen.Find) -> None:
        self.find(message.asked)

    def on_race_screen_another(self) -> None:
        self.switch_screen(Picker(self._runs))
