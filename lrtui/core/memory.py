"""What an object remembers, as plain values, and back into a fresh one. Knows neither the rules that it is for nor torch."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec


def remembered(thing: Any) -> dict[str, Any]:
    """All attributes of `thing` by name: numbers, text and lists of them; those of the objects that it is made of as dicts."""
    return {name: _plain(getattr(thing, name)) for name in _names(thing)}


def recall(thing: Any, memory: dict[str, Any]) -> None:
    """Gives a `thing`, built as the one that was `remembered`, its attributes; one that an older version did not have stays."""
    for name in _names(thing):
        if name not in memory:
            continue
        value, now = memory[name], getattr(thing, name)
        if isinstance(now, deque):
            setattr(thing, name, deque(value, now.maxlen))
        elif isinstance(now, msgspec.Struct):
            setattr(thing, name, type(now)(**value))
        elif isinstance(now, list):
            setattr(thing, name, list(value))
        elif _names(now):
            recall(now, value)
        else:
            setattr(thing, name, value)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, deque)):
        return list(value)
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    return remembered(value) if _names(value) else value


def _names(thing: Any) -> list[str]:
    """The attributes that an object of ours has; none for a plain value."""
    return list(getattr(thing, "__slots__", ()) or getattr(thing, "__dict__", ()))
