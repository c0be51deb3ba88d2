"""What stands over a screen for a moment: a question with a key for each answer, and the help."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.events import Key as KeyPress
from textual.screen import ModalScreen
from textual.widgets import Static

from lrtui.tui import keys


class Question(ModalScreen[str]):
    """Asks; gives back the answer that was chosen by its key. Escape is the last answer."""

    def __init__(self, question: str, answers: dict[str, tuple[str, str]]) -> None:
        """`answers`: key -> (what comes back, what it says)."""
        super().__init__()
        self._question = question
        self._answers = answers

    def compose(self) -> ComposeResult:
        text = Text(self._question, style="bold")
        for key, (_, words) in self._answers.items():
            text.append("\n  ").append(f" {key} ", style="bold reverse").append(f" {words}", style="not bold")
        yield Static(text, id="question")

    def on_key(self, event: KeyPress) -> None:
        event.stop()
        if event.key in self._answers:
            self.dismiss(self._answers[event.key][0])
        elif event.key == "escape":
            self.dismiss(list(self._answers.values())[-1][0])


class Help(ModalScreen[None]):
    """Every key, made from the table."""

    def __init__(self, table: tuple[keys.Key, ...], legend: dict[str, str]) -> None:
        super().__init__()
        self._table = table
        self._legend = legend

    def compose(self) -> ComposeResult:
        table = Table(box=None, show_header=False, pad_edge=False)
        for shown, words in keys.help_lines(self._table):
            table.add_row(Text(shown, style="bold"), Text(words))
        for sign, words in self._legend.items():
            table.add_row(Text(sign, style="bold"), Text(words, style="dim"))
        with VerticalScroll(id="help"):
            yield Static(table)
            yield Static(Text("any key closes this", style="dim"))

    def on_key(self, event: KeyPress) -> None:
        if event.key not in ("up", "down", "pageup", "pagedown", "home", "end"):
            event.stop()
            self.dismiss()
