"""Converts names of keys between Textual's, those written in settings, and those shown."""

from __future__ import annotations

from collections.abc import Sequence

from textual.keys import Keys, _character_to_key

_KNOWN = frozenset(key.value for key in Keys if not key.value.startswith("<"))
_CHARACTERS = {
    _character_to_key(character): character for character in map(chr, range(33, 127))
} | {"minus": "-", "space": " "}
_MODIFIERS = ("ctrl", "shift", "alt", "super", "meta", "hyper")
_READ = {
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "escape": "Esc",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "delete": "Del",
    "insert": "Ins",
    "space": "Space",
}
_ARROWS = "←→↑↓"
_WRITTEN = {
    "esc": "escape",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "return": "enter",
    "del": "delete",
    "ins": "insert",
    " ": "space",
    "-": "minus",
}
"""Other spellings in settings."""


def named(written: str) -> str | None:
    """Textual's name of a key as written in settings ("+", "plus", "F", "Ctrl+R", "esc"); None if
    unknown."""
    if len(written) == 1:
        return _WRITTEN.get(written) or _of_character(written)
    *before, last = (
        written.split("+") if not written.endswith("++") else [*written[:-2].split("+"), "+"]
    )
    modifiers = [word.lower() for word in before]
    key = last if len(last) == 1 else _WRITTEN.get(last.lower(), last.lower())
    if any(word not in _MODIFIERS for word in modifiers) or (
        modifiers == ["shift"] and len(key) == 1
    ):
        return None  # Shift and a letter is the capital letter
    base = _of_character(key) if len(key) == 1 else key
    if base is None or not (len(base) == 1 or base in _KNOWN or base in _CHARACTERS):
        return None
    return "+".join([*modifiers, base.lower() if modifiers and len(base) == 1 else base])


def _of_character(character: str) -> str | None:
    return _character_to_key(character) if character.isprintable() else None


def types(key: str) -> bool:
    """True if a key types a character into a text field."""
    return len(key) == 1 or key in _CHARACTERS


def together(shown: Sequence[str]) -> str:
    """Several shown keys together: arrows in one ("←→", "Shift+←→"), others apart ("PgUp PgDn")."""
    before = {key[:-1] for key in shown}
    if len(before) == 1 and all(key[-1] in _ARROWS for key in shown):
        return before.pop() + "".join(key[-1] for key in shown)
    return " ".join(shown)


def read(key: str) -> str:
    """The shown name of a key: "Ctrl+R", "PgUp", "+"."""
    *modifiers, last = key.split("+")
    shown = _READ.get(last) or _CHARACTERS.get(last, last)
    return "+".join(
        [
            *(word.capitalize() for word in modifiers),
            shown if len(shown) == 1 and not modifiers else shown[0].upper() + shown[1:],
        ]
    )
