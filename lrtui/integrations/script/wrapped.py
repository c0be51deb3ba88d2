"""A function of torch with a wrapper in its place, until the wrapper is removed."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any


@functools.cache
def spare_from_compilation() -> None:
    """Let torch.compile run the functions of lrtui as they are, within what a script compiles: it
    would follow what they record, and fail.

    Takes effect for what is compiled afterwards. Imports torch's compiler, as the first optimizer
    of a script does. Its own decorator for one function costs 5 us a call.
    """
    with contextlib.suppress(Exception):  # not a part of torch that it promises to keep
        from torch._dynamo import trace_rules

        trace_rules.add("lrtui")


class Wrapped:
    """A handle to remove the wrapper; one that someone else has wrapped since stays."""

    def __init__(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """`make`: makes the wrapper of the original."""
        self._owner, self._name, self._original = owner, name, getattr(owner, name)
        self._wrapper = functools.wraps(self._original)(make(self._original))
        setattr(owner, name, self._wrapper)

    def remove(self) -> None:
        """Put the original back."""
        if getattr(self._owner, self._name) is self._wrapper:
            setattr(self._owner, self._name, self._original)
