"""Modal screens: a question with one key per answer, a form, a filter bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key as KeyPress
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from lrtui.core.errors import LrtuiError
from lrtui.tui import key_names
from lrtui.tui.screens.forms import Choice, FieldError, Form


class ChoiceDialog(ModalScreen[str]):
    """Asks a question with one key per answer; returns the answer."""

    def __init__(self, choice: Choice) -> None:
        super().__init__()
        self._choice = choice

    def compose(self) -> ComposeResult:
        yield Static(self._question(), id="question")

    def _question(self, refused: str = "") -> Text:
        """The question with its answers; `refused`: a key that is none of them."""
        text = Text(self._choice.question, style="bold")
        for key, (_, words) in self._choice.answers.items():
            text.append("\n  ").append(f" {key} ", style="bold reverse").append(
                f" {words}", style="not bold"
            )
        if refused:
            keys = ", ".join([*self._choice.answers, "Esc"])
            text.append(f"\n{key_names.read(refused)} is no answer: expected {keys}", "bold red")
        return text

    def on_key(self, event: KeyPress) -> None:
        event.stop()
        if event.key in self._choice.answers:
            self.dismiss(self._choice.answers[event.key][0])
        elif event.key == "escape":
            self.dismiss(list(self._choice.answers.values())[-1][0])
        else:
            self.query_one("#question", Static).update(self._question(event.key))


class TextPrompt(ModalScreen[Any]):
    """Base of the dialogs with text fields; focuses the first one."""

    AUTO_FOCUS = "Input"

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False  # each blink sends bytes, twice a second


class FilterBar(TextPrompt):
    """A line at the bottom of the screen whose text takes effect while it is typed. Enter keeps it,
    Escape clears it; both close the bar."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "clear", priority=True)]

    def __init__(
        self, sign: str, text: str, take: Callable[[str, bool], str], examples: str
    ) -> None:
        """`take(text, final)` is called on every change, and with `final` on Enter or Escape; it
        returns a description of the effect, or raises LrtuiError for an invalid text."""
        super().__init__()
        self._sign, self._text, self._take, self._examples = sign, text, take, examples

    def compose(self) -> ComposeResult:
        with Vertical(id="line"):
            yield Static(id="line-reply")
            with Horizontal():
                yield Static(Text(self._sign, style="bold"), id="line-sign")
                yield Input(self._text, compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        self._say(self._examples if not self._text else "", "dim")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Apply the text; an invalid one leaves the last valid text in effect."""
        if (effect := self._taken(event.value, False)) is not None:
            self._say(
                (
                    f"{effect}   Enter keeps it, Esc clears it"
                    if event.value.strip()
                    else self._examples
                ),
                "dim",
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Close if the text is valid. Submission comes after all keys typed before Enter."""
        if self._taken(event.value, True) is not None:
            self.dismiss(None)

    def action_clear(self) -> None:
        """Apply an empty text and close."""
        self._taken("", True)
        self.dismiss(None)

    def _taken(self, text: str, kept: bool) -> str | None:
        try:
            return self._take(text, kept)
        except LrtuiError as error:
            self._say(str(error).replace("\n", "; "), "bold red")
            return None

    def _say(self, text: str, style: str) -> None:
        self.query_one("#line-reply", Static).update(
            Text(text, style=style, no_wrap=True, overflow="ellipsis")
        )


class FormDialog(TextPrompt):
    """Asks for a form's texts; returns the result of its `read`, None if cancelled.

    An LrtuiError of `read` is shown in the dialog, which stays open.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        # without priority: Enter comes after the keys typed before it
        Binding("escape", "back", priority=True),
        Binding("enter", "go"),
        Binding("up", "cursor(-1)", priority=True),
        Binding("down", "cursor(1)", priority=True),
    ]

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form
        self._refused: dict[str, str] = {}
        """The texts that `read` refused last."""

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="form"):
            yield Static(Text(self._form.title, style="bold"))
            if self._form.choices:
                yield OptionList(
                    *(Option(Text(words)) for words in self._form.choices),
                    id="choices",
                    markup=False,
                )
            for name, (label, text) in self._form.fields.items():
                if label:
                    yield Static(Text(label, style="dim"))
                yield Input(
                    text, id=f"field-{name}", compact=True, select_on_focus=not self._form.edited
                )
            yield Static(id="refused")
            if self._form.explain:
                yield Static(Text(self._form.explain, style="dim"))
            several = "Tab: next line   " if len(self._form.fields) > 1 else ""
            choose = "↑↓: choose   " if self._form.choices else ""
            yield Static(Text(f"Enter: do it   {choose}{several}Esc: back", style="dim"))

    def on_mount(self) -> None:
        for choices in self.query(OptionList):
            choices.can_focus = False
            choices.highlighted = 0

    def on_input_changed(self) -> None:
        """Clear the error once the refused text has changed."""
        if self._given() != self._refused:
            self.query_one("#refused", Static).update("")

    def on_input_submitted(self) -> None:
        """Submission comes after all keys typed before Enter."""
        self.action_go()

    def action_cursor(self, step: int) -> None:
        """Move the list's cursor; without a list, focus the next or previous field."""
        if self._form.choices:
            choices = self.query_one(OptionList)
            choices.action_cursor_down() if step > 0 else choices.action_cursor_up()
        elif step > 0:
            self.focus_next(Input)
        else:
            self.focus_previous(Input)

    def action_go(self) -> None:
        """Read the fields and close; show the error and stay if they are invalid."""
        given = self._given()
        if self._form.choices:
            given["choice"] = str(self.query_one(OptionList).highlighted or 0)
        try:
            found = self._form.read(given)
        except LrtuiError as error:
            self._refuse(error)
            return
        self.dismiss(found)

    def _refuse(self, error: LrtuiError) -> None:
        """Show an error under its field, if it has one."""
        self._refused = self._given()
        refused = self.query_one("#refused", Static)
        refused.update(Text(str(error), style="bold red"))
        if isinstance(error, FieldError):
            field = self.query_one(f"#field-{error.field}", Input)
            self.query_one("#form").move_child(refused, after=field)
            field.focus()

    def _given(self) -> dict[str, str]:
        return {name: self.query_one(f"#field-{name}", Input).value for name in self._form.fields}

    def action_back(self) -> None:
        """Cancel."""
        self.dismiss(None)


def read_only(words: str = "↑↓ PgUp PgDn scroll, any other key closes") -> VerticalScroll:
    """A scrollable container that names its keys on the border, visible at any scroll position."""
    frame = VerticalScroll(id="help")
    frame.border_subtitle = words
    return frame


def close_unless_scrolled(screen: ModalScreen[None], event: KeyPress) -> None:
    """Close a read-only dialog on any key that does not scroll."""
    if event.key not in ("up", "down", "pageup", "pagedown", "home", "end"):
        event.stop()
        screen.dismiss()
