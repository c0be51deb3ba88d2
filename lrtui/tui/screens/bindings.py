"""Bindings of Textual, from the key table."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from lrtui.tui.key_table import Key


def bindings(table: tuple[Key, ...]) -> list[BindingType]:
    """The table as Textual's bindings. They have priority, so that a focused text field does not
    take them; only Enter waits for the keys typed before it, which may arrive in the same piece."""
    return [
        Binding(
            ",".join(key.keys),
            key.action,
            key.name,
            id=key.id,
            show=False,
            priority=key.id != "list.go",
        )
        for key in table
    ]
