"""The services of a screen that its controllers use. Knows no Textual."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

from lrtui.tui.screens.forms import Choice, Form

T = TypeVar("T")
Severity = Literal["information", "warning", "error"]


class Ui(Protocol):
    """A screen as its controllers see it.

    Callbacks run on the screen's thread; their LrtuiError is shown as a warning, and the screen is
    drawn after them.
    """

    def ask(self, question: Form | Choice, on_answer: Callable[[Any], None]) -> None:
        """Show a dialog; `on_answer` gets its result, None if it was cancelled."""

    def in_thread(self, job: Callable[[], T], on_done: Callable[[T], None]) -> object:
        """Run a job in a thread; `on_done` gets its result."""

    def show(self, text: str, seconds: float, severity: Severity = "information") -> None:
        """Show a message for some seconds."""

    def watch_for_reply(self) -> None:
        """Poll more often for a moment: a command was sent."""

    def leave(self, *, when_over: bool = False) -> None:
        """Leave the program; `when_over`: once the race is over, or after a few seconds."""
