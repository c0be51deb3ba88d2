"""The list of the picker: its items under headings, filtered by words, and the highlighted one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.text import Text
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from lrtui.tui.keymap import Keymap
from lrtui.tui.screens.picker_items import HEADINGS, Item


class FilterInput(Input):
    """Takes every character but the help key's."""

    def __init__(self, keymap: Keymap) -> None:
        super().__init__(placeholder="type to filter", id="filter", compact=True)
        self._help = keymap.pressed("picker.help")
        # each blink sends bytes, twice a second
        self.cursor_blink = False

    def check_consume_key(self, key: str, character: str | None) -> bool:
        return key not in self._help and super().check_consume_key(key, character)


class ItemList(OptionList):
    """Keys come from the filter; the list itself has no focus."""

    can_focus = False

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: seconds since the epoch, for the labels."""
        super().__init__(id="list", markup=False)
        self._now = now
        self._items: dict[str, Item] = {}
        """By option id."""

    def show(self, items: Iterable[Item]) -> None:
        """Replace the items."""
        self._items = {str(index): item for index, item in enumerate(items)}
        self.filter("")

    def filter(self, words: str) -> None:
        """List the items that match all words, under headings."""
        self.clear_options()
        heading = ""
        for key, item in self._items.items():
            text = item.label(self._now())
            searched = f"{item.kind} {text.plain}".lower()
            if not all(word in searched for word in words.lower().split()):
                continue
            if item.kind != heading:
                heading = item.kind
                self.add_option(Option(Text(HEADINGS[heading], style="dim"), disabled=True))
            self.add_option(Option(text, id=key))
        self.action_first()

    def move(self, step: int) -> None:
        """Move the cursor by `step` items; headings do not count."""
        for _ in range(abs(step)):
            self.action_cursor_down() if step > 0 else self.action_cursor_up()

    @property
    def item(self) -> Item | None:
        """The highlighted item."""
        if self.highlighted is None:
            return None
        return self._items.get(self.get_option_at_index(self.highlighted).id or "")
