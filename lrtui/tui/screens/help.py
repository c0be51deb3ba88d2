"""The key help of a screen; Tab opens the manual."""

from __future__ import annotations

from collections.abc import Collection

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.events import Key as KeyPress
from textual.screen import ModalScreen
from textual.widgets import Static

from lrtui.tui.key_table import Key
from lrtui.tui.keymap import Keymap
from lrtui.tui.screens.dialogs import close_unless_scrolled, read_only


class Help(ModalScreen[None]):
    """All keys of a screen, from its key table."""

    def __init__(
        self,
        table: tuple[Key, ...],
        legend: dict[str, str],
        topic: str,
        keymap: Keymap,
        off: Collection[str] = (),
    ) -> None:
        """`topic`: the first page of the manual if it is opened from here; `off`: ids of keys
        without effect here, which are grey and in brackets."""
        super().__init__()
        self._table = table
        self._legend = legend
        self._topic = topic
        self._keys = keymap
        self._off = {key.shown for key in keymap.table(table) if key.id in off}

    def compose(self) -> ComposeResult:
        table = Table(box=None, show_header=False, pad_edge=False)
        for heading, lines in self._keys.sections(self._table):
            table.add_row(Text(), Text(heading, style="bold underline"))
            for shown, words in lines:
                if shown in self._off:
                    table.add_row(Text(shown, style="dim"), Text(f"({words})", style="dim"))
                else:
                    table.add_row(Text(shown, style="bold"), Text(words))
        table.add_row(Text(), Text("Signs" if self._legend else "", style="bold underline"))
        for sign, words in self._legend.items():
            table.add_row(Text(sign, style="bold"), Text(self._keys.expand(words), style="dim"))
        with read_only("↑↓ PgUp PgDn, Tab manual, any other key closes"):
            yield Static(table)

    def on_key(self, event: KeyPress) -> None:
        if event.key == "tab":
            # imported late: Textual's Markdown is slow to load
            from lrtui.tui.screens.manual import ManualScreen

            event.stop()
            event.prevent_default()
            self.app.switch_screen(ManualScreen(self._topic))
        else:
            close_unless_scrolled(self, event)
