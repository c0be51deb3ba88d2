"""The action that gives a run its name and note. Knows no Textual."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lrtui.client.follower import Follower
from lrtui.core.errors import LrtuiError
from lrtui.core.state.label import Label, name_of, note_of
from lrtui.store import run_dir
from lrtui.tui.screens.forms import FieldError, Form
from lrtui.tui.screens.ui import Ui

T = TypeVar("T")


class LabelActions:
    """Names a run, and keeps a note about it."""

    def __init__(self, follower: Follower, ui: Ui) -> None:
        self._follower = follower
        self._ui = ui

    def label(self) -> None:
        """Ask for name and note, and store them."""
        label = self._follower.state.label
        self._ui.ask(
            Form(
                "Name and note of this run",
                {
                    "name": ("name, by which commands find it", label.name),
                    "note": ("note, for lists and reports", label.note),
                },
                self._read,
                explain="Empty: none. They lie in the run's folder, beside its record.",
                edited=True,
            ),
            self._on_answer,
        )

    def _read(self, given: dict[str, str]) -> Label:
        name, note = (
            _field(field, read, given[field])
            for field, read in (("name", name_of), ("note", note_of))
        )
        run = self._follower.run
        _field("name", lambda word: run_dir.check_name(word, run.parent, run), name)
        return Label(name, note)

    def _on_answer(self, label: Label | None) -> None:
        if label is not None:
            run, state = self._follower.run, self._follower.state
            state.label = run_dir.relabel(run, label.name, label.note)
            self._ui.show(f"named {label.name}" if label.name else "the run has no name", 4)


def _field(field: str, read: Callable[[str], T], text: str) -> T:
    """The text of a field, read; its error names the field."""
    try:
        return read(text)
    except LrtuiError as error:
        raise FieldError(field, error) from error
