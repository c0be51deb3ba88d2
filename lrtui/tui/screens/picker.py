"""The picker: a list of scenarios and runs beside a card with details; a supervisor warms up
meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, OptionList

from lrtui.client.launcher import Launcher
from lrtui.client.lr_finder import FinderPlan, plan
from lrtui.core.errors import LaunchError, LrtuiError
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.tui.canvas_widget import CanvasWidget
from lrtui.tui.clock import Clock
from lrtui.tui.key_table import PICKER
from lrtui.tui.keymap import Keymap
from lrtui.tui.render import card, panels
from lrtui.tui.screens import command_forms, picker_scripts
from lrtui.tui.screens.bindings import bindings
from lrtui.tui.screens.dialogs import ChoiceDialog, FormDialog
from lrtui.tui.screens.help import Help
from lrtui.tui.screens.picker_items import (
    OwnScriptItem,
    RaceCache,
    RunItem,
    ScenarioItem,
    find_items,
)
from lrtui.tui.screens.picker_list import FilterInput, ItemList


class Picker(Screen[None]):
    """Lists scenarios and runs; typing filters, Enter races a scenario or watches a run."""

    KEYS = PICKER
    BINDINGS = bindings(KEYS)

    class Chosen(Message):
        """A run was chosen, or has just been started."""

        def __init__(self, run: Path) -> None:
            super().__init__()
            self.run = run

    class Find(Message):
        """The user wants to find a rate; `launcher` has a warm supervisor."""

        def __init__(self, asked: FinderPlan, launcher: Launcher) -> None:
            super().__init__()
            self.asked = asked
            self.launcher = launcher

    def __init__(
        self, runs: Path, clock: Clock | None = None, keymap: Keymap | None = None
    ) -> None:
        super().__init__()
        self._keys = keymap or Keymap()
        self._now = (clock or Clock()).time
        self._runs = runs
        self._launcher: Launcher | None = None
        self._supervisor_lock = threading.Lock()
        self._cache = RaceCache()
        self._typed: dict[str, str] = {}
        """The last texts of the form for a script of one's own."""
        self._starting = False
        self._drawn_once = False
        """The list is drawn first: reading a scenario takes as long as everything before it."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="left"):
                yield FilterInput(self._keys)
                yield ItemList(self._now)
            with Vertical():
                yield CanvasWidget(id="card")
        yield CanvasWidget(id="picker-footer")

    def on_mount(self) -> None:
        self.query_one("#picker-footer", CanvasWidget).styles.height = 1
        self.query_one(ItemList).show(find_items(self._runs))
        self._show()
        self.query_one(Input).focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._drawn_once = True
        self._show()
        self._warm_up()

    def on_screen_resume(self) -> None:
        if self._drawn_once:
            self._warm_up()  # the finder took the supervisor

    def on_unmount(self) -> None:
        if self._launcher is not None:
            self._launcher.close()

    def on_canvas_widget_resized(self, message: CanvasWidget.Resized) -> None:
        if message.frame.id == "picker-footer":
            panels.footer(message.frame.canvas, self._keys.footer_words(PICKER))
            message.frame.commit()
        else:
            self._show()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one(ItemList).filter(event.value)
        self._show()

    def on_input_submitted(self) -> None:
        self.action_go()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self._show()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_go()

    def action_cursor(self, step: int) -> None:
        """Move the cursor by `step` items; headings do not count."""
        self.query_one(ItemList).move(step)

    def action_clear(self) -> None:
        """Clear the filter; quit if it is empty."""
        words = self.query_one(Input)
        if words.value:
            words.value = ""
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Quit."""
        self.app.exit(None)

    def action_help(self) -> None:
        """Show all keys."""
        self.app.push_screen(Help(PICKER, {}, "scenarios", self._keys))

    def action_go(self) -> None:
        """Race the scenario, or watch the run."""
        item = self.query_one(ItemList).item
        if item is None or self._starting:
            return
        if isinstance(item, RunItem):
            self.post_message(self.Chosen(item.path))
            return
        if isinstance(item, OwnScriptItem):
            self.app.push_screen(FormDialog(picker_scripts.own_script(self._typed)), self._race)
            return
        self._race(self._readable(item))

    def action_find(self) -> None:
        """Find a rate for the first lane of the scenario or run."""
        item = self.query_one(ItemList).item
        if item is None or self._starting or isinstance(item, OwnScriptItem):
            return
        if (race := self._readable(item)) is None:
            return
        try:
            asked = plan(race)
        except LrtuiError as error:
            self._refuse(error)
            return
        launcher, self._launcher = self._get_launcher(), None
        self.post_message(self.Find(asked, launcher))

    def action_edit(self) -> None:
        """Edit the lanes of the scenario for this race; its file stays as it is."""
        item = self.query_one(ItemList).item
        if not isinstance(item, ScenarioItem) or self._starting:
            return
        race = item.race(self._cache)
        if not isinstance(race, Race):
            return

        def edited(found: Race | None) -> None:
            if found is not None and found != race:
                self._cache.edit(item.path, found)
            self._show()

        try:
            lanes = command_forms.lanes if race.script is None else picker_scripts.edit_script
            self.app.push_screen(FormDialog(lanes(race)), edited)
        except LrtuiError as error:
            self._refuse(error)

    def _race(self, race: Race | None) -> None:
        """Start a race; one of a script only once its command line was confirmed."""

        def answered(answer: str | None) -> None:
            if race is not None and answer == picker_scripts.RUN:
                self._starting = True
                self._show()
                self._start(race)

        if race is not None and race.script is not None:
            self.app.push_screen(ChoiceDialog(picker_scripts.confirm(race)), answered)
        else:
            answered(picker_scripts.RUN)

    def _readable(self, item: ScenarioItem | RunItem) -> Race | None:
        """The race of an item; None, after a word about it, if it cannot be read."""
        race = item.race(self._cache)
        if isinstance(race, Race):
            return race
        self._refuse(race)
        return None

    def _refuse(self, error: LrtuiError) -> None:
        self.notify(one_line(str(error)), severity="error", markup=False)

    def _show(self) -> None:
        """Draw the card of the highlighted item."""
        frame, item = self.query_one("#card", CanvasWidget), self.query_one(ItemList).item
        if not frame.canvas.width or not self._drawn_once:
            return
        frame.canvas.fill()
        if item is None:
            card.nothing(frame.canvas, self._keys)
        else:
            message = "starting ..." if self._starting else ""
            item.card(frame.canvas, self._cache, message, self._keys)
            if isinstance(item, ScenarioItem) and item.path not in self._cache.previews:
                race = item.race(self._cache)
                if isinstance(race, Race) and race.script is None:
                    self._preview(item.path, race)
        frame.commit()

    @work(thread=True, group="launcher")
    def _warm_up(self) -> None:
        """Start a supervisor, which imports torch while the user reads."""
        self._get_launcher()

    def _get_launcher(self) -> Launcher:
        with self._supervisor_lock:
            self._launcher = self._launcher or Launcher()
            return self._launcher

    @work(thread=True, group="preview", exclusive=True)
    def _preview(self, path: Path, race: Race) -> None:
        """Ask the supervisor for each lane's scheduled rates; a late answer is cached as well."""
        try:
            found: list[Preview] | LrtuiError = self._get_launcher().preview(race)
        except LrtuiError as error:
            found = error
        self._cache.previews[path] = found
        if not self._starting and self.is_mounted:
            self.app.call_from_thread(self._show)

    @work(thread=True, group="start")
    def _start(self, race: Race) -> None:
        try:
            run = self._get_launcher().start(race, self._runs)
            self._launcher = None
            self.app.call_from_thread(self.post_message, self.Chosen(run))
        except LrtuiError as error:
            if isinstance(error, LaunchError):
                self._launcher = None  # it has ended; the next try needs another one
            self.app.call_from_thread(self._failed, error)

    def _failed(self, error: LrtuiError) -> None:
        self._starting = False
        self.notify(
            one_line(str(error)), title="not started", severity="error", markup=False, timeout=10
        )
        self._show()
