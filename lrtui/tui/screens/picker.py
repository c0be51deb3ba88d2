"""The picker: scenarios and runs to choose from, with what there is to know of each; a supervisor
warms up meanwhile."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from lrtui.client.launcher import Launcher
from lrtui.client.lr_finder import FinderPlan, plan
from lrtui.core.errors import LaunchError, LrtuiError
from lrtui.core.numbers import ago
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.store import run_dir
from lrtui.store.reader import RESUMABLE_STATES, Reader, Summary, summary
from lrtui.tui import keys
from lrtui.tui.canvas_widget import CanvasWidget
from lrtui.tui.render import card, panels
from lrtui.tui.render.canvas import fitted, shortened
from lrtui.tui.screens import command_forms
from lrtui.tui.screens.dialogs import Help

RECENT_RUNS = 30
NAME = 15
"""Cells for the name of a run."""


class FilterInput(Input):
    """Takes every character but one that asks for help."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return key not in keys.pressed("picker.help") and super().check_consume_key(key, character)


class Picker(Screen[None]):
    """Typing filters, arrows choose, Enter races a scenario or watches a run."""

    KEYS = keys.PICKER
    BINDINGS = keys.bindings(KEYS)

    class Chosen(Message):
        """A run to be shown: one that has just been started, or an old one."""

        def __init__(self, run: Path) -> None:
            super().__init__()
            self.run = run

    class Find(Message):
        """A rate is to be found, on a supervisor that is warm."""

        def __init__(self, asked: FinderPlan, launcher: Launcher) -> None:
            super().__init__()
            self.asked = asked
            self.launcher = launcher

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self._runs = runs
        self._launcher: Launcher | None = None
        self._supervisor_lock = threading.Lock()
        self._items: dict[str, tuple[str, Path, Summary | None]] = {}
        self._races: dict[Path, Race | LrtuiError] = {}
        self._previews: dict[Path, list[Preview] | LrtuiError] = {}
        self._edited: set[Path] = set()
        self._starting = False
        self._said = ""
        self._drawn_once = False
        """The list comes first: reading a scenario takes as long again as all before it."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(id="left"):
                yield FilterInput(placeholder="type to filter", id="filter", compact=True)
                yield OptionList(id="list", markup=False)
            with Vertical():
                yield CanvasWidget(id="card")
        yield CanvasWidget(id="picker-footer")

    def on_mount(self) -> None:
        self.query_one("#picker-footer", CanvasWidget).styles.height = 1
        self.query_one("#list", OptionList).can_focus = False
        # a blink is bytes on the line, twice a second
        self.query_one("#filter", FilterInput).cursor_blink = False
        self._items = _items(self._runs)
        self._fill("")
        self.query_one(Input).focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._drawn_once = True
        self._show()
        self._warm_up()

    def on_screen_resume(self) -> None:
        if self._drawn_once:
            self._warm_up()  # the finder, which stood over this, took the supervisor

    def on_unmount(self) -> None:
        if self._launcher is not None:
            self._launcher.close()

    def on_canvas_widget_resized(self, message: CanvasWidget.Resized) -> None:
        if message.frame.id == "picker-footer":
            panels.footer(message.frame.canvas, keys.footer_words(keys.PICKER))
            message.frame.commit()
        else:
            self._show()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    def on_input_submitted(self) -> None:
        self.action_go()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        self._show()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_go()

    def action_cursor(self, step: int) -> None:
        """The cursor, over headings, to the item `step` further."""
        options = self.query_one(OptionList)
        for _ in range(abs(step)):
            options.action_cursor_down() if step > 0 else options.action_cursor_up()

    def action_clear(self) -> None:
        """An empty filter; out, when it is empty."""
        words = self.query_one(Input)
        if words.value:
            words.value = ""
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Out of the program."""
        self.app.exit(None)

    def action_help(self) -> None:
        """All keys."""
        self.app.push_screen(Help(keys.PICKER, {}, "scenarios"))

    def action_go(self) -> None:
        """Races the scenario, or watches the run."""
        item = self._item()
        if item is None or self._starting:
            return
        kind, path, _ = item
        if kind == "run":
            self.post_message(self.Chosen(path))
            return
        race = self._race(path)
        if isinstance(race, LrtuiError):
            self.notify(one_line(str(race)), severity="error", markup=False)
            return
        self._starting, self._said = True, "starting ..."
        self._show()
        self._start(race)

    def action_find(self) -> None:
        """The finder, for the first lane of the scenario or of the run."""
        item = self._item()
        if item is None or self._starting:
            return
        race = self._run_race(item[1]) if item[0] == "run" else self._race(item[1])
        if isinstance(race, LrtuiError):
            self.notify(one_line(str(race)), severity="error", markup=False)
            return
        launcher, self._launcher = self._get_launcher(), None
        self.post_message(self.Find(plan(race), launcher))

    def action_edit(self) -> None:
        """The lanes of the scenario, in words; what comes of it is raced, the file stays as it
        is."""
        item = self._item()
        race = self._race(item[1]) if item is not None and item[0] != "run" else None
        if not isinstance(race, Race) or item is None or self._starting:
            return
        path = item[1]

        def edited(found: Race | None) -> None:
            if found is not None and found != race:
                self._races[path] = found
                self._previews.pop(path, None)
                self._edited.add(path)
            self._show()

        self.app.push_screen(command_forms.lanes(race), edited)

    def _item(self) -> tuple[str, Path, Summary | None] | None:
        options = self.query_one(OptionList)
        index = options.highlighted
        return (
            self._items.get(options.get_option_at_index(index).id or "")
            if index is not None
            else None
        )

    def _fill(self, words: str) -> None:
        """The list of what matches all words, under headings."""
        options = self.query_one(OptionList)
        options.clear_options()
        heading = ""
        for key, (kind, path, run) in self._items.items():
            text = _label(kind, path, run)
            if not all(word in f"{kind} {text.plain}".lower() for word in words.lower().split()):
                continue
            if kind != heading:
                heading = kind
                options.add_option(Option(Text(_HEADINGS[kind], style="dim"), disabled=True))
            options.add_option(Option(text, id=key))
        options.action_first()
        self._show()

    def _show(self) -> None:
        """Draws what is known of the chosen item."""
        frame, item = self.query_one("#card", CanvasWidget), self._item()
        if not frame.canvas.width or not self._drawn_once:
            return
        frame.canvas.fill()
        if item is None:
            card.nothing(frame.canvas)
        elif item[0] == "run" and item[2] is not None:
            card.run(frame.canvas, item[2], self._run_race(item[1]))
        else:
            race = self._race(item[1])
            said = self._said or (
                f"{keys.read('list.go')} races it as edited" if item[1] in self._edited else ""
            )
            card.race(frame.canvas, race, self._previews.get(item[1]), said)
            if isinstance(race, Race) and item[1] not in self._previews:
                self._preview(item[1], race)
        frame.commit()

    def _race(self, path: Path) -> Race | LrtuiError:
        if path not in self._races:
            try:
                self._races[path] = scenario_file.load(str(path))
            except LrtuiError as error:
                self._races[path] = error
        return self._races[path]

    def _run_race(self, run: Path) -> Race | LrtuiError:
        if run not in self._races:
            try:
                reader = Reader(run)
                self._races[run] = reader.race
                reader.close()
            except LrtuiError as error:
                self._races[run] = error
        return self._races[run]

    @work(thread=True, group="crew")
    def _warm_up(self) -> None:
        """torch is imported in the supervisor's process while the person reads."""
        self._get_launcher()

    def _get_launcher(self) -> Launcher:
        with self._supervisor_lock:
            self._launcher = self._launcher or Launcher()
            return self._launcher

    @work(thread=True, group="preview", exclusive=True)
    def _preview(self, path: Path, race: Race) -> None:
        """Asks the supervisor what each lane's schedule will do; an answer that nobody waits for
        any more is kept, too."""
        try:
            found: list[Preview] | LrtuiError = self._get_launcher().preview(race)
        except LrtuiError as error:
            found = error
        self._previews[path] = found
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
                self._launcher = None  # it is dead; the next try needs another one
            self.app.call_from_thread(self._failed, error)

    def _failed(self, error: LrtuiError) -> None:
        self._starting, self._said = False, ""
        self.notify(
            one_line(str(error)), title="not started", severity="error", markup=False, timeout=10
        )
        self._show()


_HEADINGS = {"run": "── runs ──", "own": "── ./scenarios ──", "scenario": "── scenarios ──"}


def _items(runs: Path) -> dict[str, tuple[str, Path, Summary | None]]:
    """What there is to choose from, by an id: running races first, then the last run if it was cut
    off, then scenarios, then other runs, newest first."""
    recent = [summary(run) for run in run_dir.listing(runs)[:RECENT_RUNS]]
    own = sorted(Path("scenarios").absolute().glob("*.toml"))
    own = [] if own and own[0].parent.samefile(scenario_file.BUNDLED) else own
    rest = [run for run in recent if run.state != "running"]
    first = [run for run in recent if run.state == "running"] + [
        run for run in rest[:1] if run.state in RESUMABLE_STATES
    ]
    entries: list[tuple[str, Path, Summary | None]] = [("run", run.path, run) for run in first]
    entries += [("own", path, None) for path in own] + [
        ("scenario", path, None) for path in scenario_file.bundled()
    ]
    entries += [("run", run.path, run) for run in rest if run not in first]
    return {str(index): entry for index, entry in enumerate(entries)}


def _label(kind: str, path: Path, run: Summary | None) -> Text:
    if run is None:
        return Text(one_line(path.stem))
    when = ago(time.time() - run.created)
    words = (
        "● running"
        if run.state == "running"
        else when
        if run.state == "ended"
        else f"{run.state}, {when}"
    )
    # a title would fill two lines
    scenario_name = one_line(re.sub(r"-\d{8}-\d{6}-\w+$", "", run.path.name))
    name = fitted(shortened(scenario_name, NAME), NAME)
    return Text(f"{name}  ").append(words, style="green" if run.state == "running" else "dim")
