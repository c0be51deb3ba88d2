"""What stands over a screen for a moment: a question with a key for each answer, a form to fill in,
and the help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key as KeyPress
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from lrtui.core.diagnostics import rate_report
from lrtui.core.errors import LrtuiError
from lrtui.core.results.lane_sentence import lane_sentence
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.state.race_state import RaceState
from lrtui.tui import keys


class ChoiceDialog(ModalScreen[str]):
    """Asks; gives back the answer that was chosen by its key. Escape is the last answer."""

    def __init__(self, question: str, answers: dict[str, tuple[str, str]]) -> None:
        """`answers`: key -> (what comes back, what it says)."""
        super().__init__()
        self._question = question
        self._answers = answers

    def compose(self) -> ComposeResult:
        text = Text(self._question, style="bold")
        for key, (_, words) in self._answers.items():
            text.append("\n  ").append(f" {key} ", style="bold reverse").append(
                f" {words}", style="not bold"
            )
        yield Static(text, id="question")

    def on_key(self, event: KeyPress) -> None:
        event.stop()
        if event.key in self._answers:
            self.dismiss(self._answers[event.key][0])
        elif event.key == "escape":
            self.dismiss(list(self._answers.values())[-1][0])


class TextPrompt(ModalScreen[Any]):
    """Has lines that are typed into, the first one to begin with."""

    AUTO_FOCUS = "Input"

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False  # a blink is bytes on the line, twice a second


class FilterBar(TextPrompt):
    """A line at the bottom of the screen: what is typed counts at once. Enter keeps it; Escape
    empties it, and closes too."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "clear", priority=True)]

    def __init__(
        self, sign: str, text: str, take: Callable[[str, bool], str], examples: str
    ) -> None:
        """`take` gets the text whenever it changes, and once more, with True, when it is to be
        kept; it says what came of it, LrtuiError where it will not do."""
        super().__init__()
        self._sign, self._text, self._take, self._examples = sign, text, take, examples

    def compose(self) -> ComposeResult:
        with Vertical(id="line"):
            yield Static(id="line-said")
            with Horizontal():
                yield Static(Text(self._sign, style="bold"), id="line-sign")
                yield Input(self._text, compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        self._say(self._examples if not self._text else "", "dim")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Takes it in, or says why not; what was taken in before stays then."""
        if (said := self._taken(event.value, False)) is not None:
            self._say(
                (
                    f"{said}   Enter keeps it, Esc clears it"
                    if event.value.strip()
                    else self._examples
                ),
                "dim",
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter, after all that was typed before it; what will not do stays to be mended."""
        if self._taken(event.value, True) is not None:
            self.dismiss(None)

    def action_clear(self) -> None:
        """Nothing is typed any more."""
        self._taken("", True)
        self.dismiss(None)

    def _taken(self, text: str, kept: bool) -> str | None:
        try:
            return self._take(text, kept)
        except LrtuiError as error:
            self._say(str(error).replace("\n", "; "), "bold red")
            return None

    def _say(self, text: str, style: str) -> None:
        self.query_one("#line-said", Static).update(
            Text(text, style=style, no_wrap=True, overflow="ellipsis")
        )


class FormDialog(TextPrompt):
    """Asks for a few lines of text, and maybe for one thing of a list; gives back what `read` makes
    of them, None where not.

    What `read` refuses (LrtuiError) is said in the dialog, which stays: nothing of it has happened.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        # enter waits its turn behind what was typed
        Binding("escape", "back", priority=True),
        Binding("enter", "go"),
        Binding("up", "cursor(-1)", priority=True),
        Binding("down", "cursor(1)", priority=True),
    ]

    def __init__(
        self,
        title: str,
        fields: dict[str, tuple[str, str]],
        read: Callable[[dict[str, str]], Any],
        *,
        choices: Sequence[str] = (),
        selected: int = 0,
        explain: str = "",
        edited: bool = False,
    ) -> None:
        """`fields`: name -> (label, text to begin with); `read` gets name -> text, and the number
        chosen under "choice".

        What is typed replaces the text of a field, unless it is there to be `edited`.
        """
        super().__init__()
        self._title, self._explain, self._edited = title, explain, edited
        self._fields = fields
        self._read = read
        self._choices, self._chosen = choices, selected
        self._refused: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="form"):
            yield Static(Text(self._title, style="bold"))
            if self._choices:
                yield OptionList(
                    *(Option(Text(words)) for words in self._choices), id="choices", markup=False
                )
            for name, (label, text) in self._fields.items():
                if label:
                    yield Static(Text(label, style="dim"))
                yield Input(
                    text, id=f"field-{name}", compact=True, select_on_focus=not self._edited
                )
            yield Static(id="refused")
            if self._explain:
                yield Static(Text(self._explain, style="dim"))
            several = "Tab: next line   " if len(self._fields) > 1 else ""
            choose = "↑↓: choose   " if self._choices else ""
            yield Static(Text(f"Enter: do it   {choose}{several}Esc: back", style="dim"))

    def on_mount(self) -> None:
        for choices in self.query(OptionList):
            choices.can_focus = False
            choices.highlighted = self._chosen

    def on_input_changed(self) -> None:
        """What was refused may no longer be what stands there."""
        if self._given() != self._refused:
            self.query_one("#refused", Static).update("")

    def on_input_submitted(self) -> None:
        """Enter, after all that was typed before it."""
        self.action_go()

    def action_cursor(self, step: int) -> None:
        """The list's cursor; without a list, the line above or below."""
        if self._choices:
            choices = self.query_one(OptionList)
            choices.action_cursor_down() if step > 0 else choices.action_cursor_up()
        elif step > 0:
            self.focus_next(Input)
        else:
            self.focus_previous(Input)

    def action_go(self) -> None:
        """Reads what was typed; stays where that will not do."""
        given = self._given()
        if self._choices:
            given["choice"] = str(self.query_one(OptionList).highlighted or 0)
        try:
            found = self._read(given)
        except LrtuiError as error:
            self._refused = self._given()
            self.query_one("#refused", Static).update(Text(str(error), style="bold red"))
            return
        self.dismiss(found)

    def _given(self) -> dict[str, str]:
        return {name: self.query_one(f"#field-{name}", Input).value for name in self._fields}

    def action_back(self) -> None:
        """Nothing is done."""
        self.dismiss(None)


class Explain(ModalScreen[None]):
    """What is known of a lane's learning rate, a line for each number; kept up to date while it
    stands there."""

    PERIOD_S = 0.5

    def __init__(self, state: RaceState, index: int) -> None:
        super().__init__()
        self._state, self._index = state, index
        self._version = -1

    def compose(self) -> ComposeResult:
        with read_only():
            yield Static(id="explained")

    def on_mount(self) -> None:
        self._tell()
        self.set_interval(self.PERIOD_S, self._tell)

    def _tell(self) -> None:
        lane = self._state.lanes[self._index]
        if lane.version == self._version:
            return
        self._version = lane.version
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, value, words in rate_report.explained(lane):
            table.add_row(Text(name, style="bold"), Text(value, style="bold"), Text(words))
        outcome = race_sentences(self._state) if self._state.over else []
        caveats = rate_report.caveats(lane.lane.optimizer, lane.lane.schedule)
        lines = Text("\n".join([lane_sentence(lane, self._state), *caveats, *outcome]))
        self.query_one("#explained", Static).update(Group(lines, Text(), table))

    def on_key(self, event: KeyPress) -> None:
        close_unless_scrolled(self, event)


class Help(ModalScreen[None]):
    """Every key, made from the table."""

    def __init__(self, table: tuple[keys.Key, ...], legend: dict[str, str], topic: str) -> None:
        """`topic`: the page with which the manual begins if it is opened from here."""
        super().__init__()
        self._table = table
        self._legend = legend
        self._topic = topic

    def compose(self) -> ComposeResult:
        table = Table(box=None, show_header=False, pad_edge=False)
        for heading, lines in keys.sections(self._table):
            table.add_row(Text(), Text(heading, style="bold underline"))
            for shown, words in lines:
                table.add_row(Text(shown, style="bold"), Text(words))
        table.add_row(Text(), Text("Signs" if self._legend else "", style="bold underline"))
        for sign, words in self._legend.items():
            table.add_row(Text(sign, style="bold"), Text(keys.told(words), style="dim"))
        with read_only("↑↓ PgUp PgDn, Tab manual, any other key closes"):
            yield Static(table)

    def on_key(self, event: KeyPress) -> None:
        if event.key == "tab":
            # Textual's Markdown takes its time to load
            from lrtui.tui.screens.manual import ManualScreen

            event.stop()
            event.prevent_default()
            self.app.switch_screen(ManualScreen(self._topic))
        else:
            close_unless_scrolled(self, event)


def read_only(words: str = "↑↓ PgUp PgDn scroll, any other key closes") -> VerticalScroll:
    """The frame of what is only read; how to scroll and to leave stands on its border, wherever it
    is scrolled to."""
    frame = VerticalScroll(id="help")
    frame.border_subtitle = words
    return frame


def close_unless_scrolled(screen: ModalScreen[None], event: KeyPress) -> None:
    """Any key closes what is only read, but those that scroll it."""
    if event.key not in ("up", "down", "pageup", "pagedown", "home", "end"):
        event.stop()
        screen.dismiss()
