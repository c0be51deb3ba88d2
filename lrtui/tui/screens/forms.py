"""Questions to the user as data; `dialogs` shows them. Knows no Textual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lrtui.core.errors import LrtuiError


class FieldError(LrtuiError):
    """An error about one field of a form."""

    def __init__(self, field: str, error: LrtuiError) -> None:
        super().__init__(error.message, error.hint)
        self.field = field


class Choice(NamedTuple):
    """A question with one key per answer."""

    question: str
    answers: dict[str, tuple[str, str]]
    """By key: (the answer to return, its description). Escape gives the last one."""


class Form(NamedTuple):
    """A few lines of text to fill in, and optionally one item of a list to choose."""

    title: str
    fields: dict[str, tuple[str, str]]
    """By name: (label, initial text)."""
    read: Callable[[dict[str, str]], Any]
    """Converts the texts by name, and the index of the chosen item under "choice", to the form's
    result. Its LrtuiError is shown in the form, which stays open, a FieldError under its
    field."""
    choices: Sequence[str] = ()
    explain: str = ""
    edited: bool = False
    """True if typing changes the initial text instead of replacing it."""
