"""The action that writes a web page about the race. Knows no Textual."""

from __future__ import annotations

from pathlib import Path

from lrtui.core.errors import LrtuiError
from lrtui.core.files import absolute
from lrtui.core.text import one_line
from lrtui.tui.html_report import write_page
from lrtui.tui.screens.forms import Form
from lrtui.tui.screens.ui import Severity, Ui


class ReportActions:
    """Writes a run as a web page."""

    def __init__(self, run: Path, ui: Ui) -> None:
        self._run = run
        self._ui = ui

    def write(self) -> None:
        """Ask for a file and write the page into it."""
        self._ui.ask(
            Form(
                "A page about this race, for a browser",
                {"file": ("write it to", str(Path.cwd() / f"{self._run.name}.html"))},
                _read_path,
                explain="Curves, standings, samples and settings in one file; it needs no network.",
                edited=True,
            ),
            self._on_answer,
        )

    def _on_answer(self, path: Path | None) -> None:
        if path is not None:
            self._ui.show(f"writing {path} ...", 3)  # a long record takes a while
            self._ui.in_thread(lambda: self._write(path), lambda done: self._ui.show(*done))

    def _write(self, path: Path) -> tuple[str, float, Severity]:
        """Write the page; return the message to show. Runs in a thread."""
        try:
            return write_page(self._run, path), 8, "information"
        except LrtuiError as error:
            return str(error), 8, "warning"


def _read_path(given: dict[str, str]) -> Path:
    path = absolute(given["file"].strip())
    if not given["file"].strip() or path.is_dir():
        raise LrtuiError(
            f"{one_line(str(path))}: not a file", "expected the name of a file, such as race.html"
        )
    return path
