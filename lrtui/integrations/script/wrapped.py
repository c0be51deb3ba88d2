"""A function of torch with a wrapper in its place, until the wrapper is removed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch._compile import _disable_dynamo


class Wrapped:
    """A handle to remove the wrapper; one that someone else has wrapped since stays."""

    def __init__(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """`make`: makes the wrapper of the original."""
        self._owner, self._name, self._original = owner, name, getattr(owner, name)
        self._wrapper = functools.wraps(self._original)(_disable_dynamo(make(self._original)))
        setattr(owner, name, self._wrapper)

    def remove(self) -> None:
        """Put the original back."""
        if getattr(self._owner, self._name) is self._wrapper:
            setattr(self._owner, self._name, self._original)
