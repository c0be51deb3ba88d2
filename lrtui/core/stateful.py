"""Objects whose state is saved and restored under names of its own: a state_dict without torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec


def stored(*names: str) -> dict[str, str]:
    """Stored names of attributes that are still called the same."""
    return {name: name for name in names}


class Stateful:
    """Base of classes whose `STATE` maps each stored name to the attribute that holds it.

    Stored names are part of the snapshot format: an attribute may be renamed, its stored name not.
    """

    __slots__ = ()
    STATE: ClassVar[Mapping[str, str]] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain values: numbers, text, lists, and dicts for nested states."""
        return {name: _plain(getattr(self, attribute)) for name, attribute in self.STATE.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned. A name that an older version did not store keeps its
        initial value."""
        for name, attribute in self.STATE.items():
            if name in state:
                value, now = state[name], getattr(self, attribute)
                if isinstance(now, Stateful):
                    now.load_state_dict(value)
                else:
                    setattr(self, attribute, _like(now, value))


def _plain(value: Any) -> Any:
    if isinstance(value, Stateful):
        return value.state_dict()
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)  # by the names of its fields, which are stored ones
    return list(value) if isinstance(value, (list, deque)) else value


def _like(now: Any, value: Any) -> Any:
    """Convert a plain value back into the type of the present one."""
    if isinstance(now, deque):
        return deque(value, now.maxlen)
    if isinstance(now, msgspec.Struct):
        return msgspec.convert(value, type(now))
    return list(value) if isinstance(now, list) else value
