"""Numbers that a script logs, gathered until a flush."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from lrtui.core.protocol.events import Column, Logged
from lrtui.core.text import one_line
from lrtui.integrations.script.steps import read_floats

MAX_NAMES = 200
"""Names that are kept; others are dropped, and told of once."""


class ScriptLog:
    """Logged numbers by step."""

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._numbers: dict[str, dict[int, Any]] = {}
        """By name and row."""
        self._names: set[str] = set()
        self.refused: list[str] = []
        """Names, with the reason, whose value is no number; not told of yet."""

    def add(self, step: int, numbers: dict[str, Any]) -> None:
        """Add numbers after `step` steps."""
        row = len(self._steps)
        kept = {
            one_line(str(name)): value for name, given in numbers.items()
            if (value := self._number(str(name), given)) is not None
        }  # fmt: skip
        if kept:
            self._steps.append(step)
            for name, value in kept.items():
                self._numbers.setdefault(name, {})[row] = value

    def take(self, lane: int) -> Logged | None:
        """Remove all numbers; return them as an event, None if there are none."""
        steps, numbers = self._steps, self._numbers
        if not steps:
            return None
        self._steps, self._numbers = [], {}
        columns = {}
        for name, values in numbers.items():
            column = [values.get(row, math.nan) for row in range(len(steps))]
            columns[name] = Column.pack(read_floats(column))
        return Logged(lane=lane, steps=steps, columns=columns)

    def _number(self, name: str, value: Any) -> Any:
        """A value as a float, or as a scalar on an accelerator; None if it is no number."""
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.detach().reshape(())
            value = value if value.device.type != "cpu" else value.item()
        elif isinstance(value, np.ndarray | np.generic) and value.size == 1:
            value = value.item()
        if isinstance(value, bool | int | float):
            value = float(value)
        elif not isinstance(value, Tensor):
            self._refuse(f"{name} is a {type(value).__name__}, expected a number")
            return None
        if name not in self._names and len(self._names) >= MAX_NAMES:
            self._refuse(f"{name} is one name too many, expected at most {MAX_NAMES}")
            return None
        self._names.add(name)
        return value

    def _refuse(self, text: str) -> None:
        if text not in self._names:
            self._names.add(text)
            self.refused.append(text)
