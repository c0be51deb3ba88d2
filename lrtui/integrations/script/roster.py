"""The optimizers of a script in the order of their first steps, and the columns of their groups."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from typing import Any

from torch.optim import Optimizer

from lrtui.training import param_groups
from lrtui.training.optimizers import applied_rate
from lrtui.training.step_recorder import SCHEDULED

LEAD_AFTER = 100
"""Steps of other optimizers without one of the first, after which it is done with."""


class Roster:
    """Each param group has a column of rates of its own, also one that is added later."""

    def __init__(self) -> None:
        self._known: list[weakref.ref[Optimizer]] = []
        self._columns: dict[tuple[int, int], int] = {}
        """By optimizer and group."""
        self._others = 0
        """Steps of others since the last one of the first."""

    def index(self, optimizer: Optimizer) -> int:
        """The number of an optimizer, counted from 0. A new one takes the place of one that is
        gone or that trained the same parameters, else it is added."""
        for index, known in enumerate(self._known):
            if known() is optimizer:
                return index
        for index, known in enumerate(self._known):
            if (other := known()) is None or _parameters(other) == _parameters(optimizer):
                self._known[index] = weakref.ref(optimizer)
                return index
        self._known.append(weakref.ref(optimizer))
        return len(self._known) - 1

    @property
    def first(self) -> Optimizer | None:
        """The lane's own optimizer; None before its first step, and once it is gone."""
        return self._known[0]() if self._known else None

    def lead(self, optimizer: Optimizer) -> None:
        """Make an optimizer the first; has no effect once one has stepped."""
        if not self._known:
            self.index(optimizer)

    def stepping(self, optimizer: Optimizer) -> tuple[int, bool]:
        """Take in that a step of an optimizer begins; return its number, and True if it becomes
        the first: that one is gone, or done with."""
        index = self.index(optimizer)
        succeeds = index > 0 and (self.first is None or self._others >= LEAD_AFTER)
        if succeeds:
            self._known[0], self._known[index] = self._known[index], self._known[0]
            index = 0
        self._others = self._others + 1 if index else 0
        return index, succeeds

    def rates(
        self, index: int, groups: list[dict[str, Any]], into: list[float], *, done: bool = False
    ) -> None:
        """Write the rates that stand in the groups of optimizer `index` to their columns of `into`.

        `done`: after a step, in which a schedule-free optimizer leaves the rate it applied.
        """
        for at, group in enumerate(groups):
            rate = _rate(group, done)
            if done and rate is None:
                continue
            column = self._columns.setdefault((index, at), len(self._columns))
            into.extend([math.nan] * (column + 1 - len(into)))
            into[column] = math.nan if rate is None else rate

    def next_rates(self, factor: float) -> list[float]:
        """The rates that steps would apply now, by column; call it while no rate is scaled."""
        rates = [math.nan] * len(self._columns)
        for (index, at), column in self._columns.items():
            optimizer = self._known[index]()
            if optimizer is not None and at < len(optimizer.param_groups):
                rate = _rate(optimizer.param_groups[at], False)
                rates[column] = math.nan if rate is None else rate * factor
        return rates

    def names(self) -> list[str]:
        """The names of the columns: those of the groups, behind that of their optimizer if there
        are several."""
        names = [""] * len(self._columns)
        for index, optimizer in self._living():
            titles = param_groups.names(optimizer.param_groups)
            for at, title in enumerate(titles):
                if (column := self._columns.get((index, at))) is not None:
                    names[column] = self._called(index, optimizer, title)
        return [name or f"group {number}" for number, name in enumerate(names, 1)]

    def _called(self, index: int, optimizer: Optimizer, title: str) -> str:
        if len(self._known) == 1:
            return title
        kind = f"{type(optimizer).__name__} {index + 1}"
        return kind if title == "all" else f"{kind} {title}"

    def _living(self) -> Iterator[tuple[int, Optimizer]]:
        for index, known in enumerate(self._known):
            if (optimizer := known()) is not None:
                yield index, optimizer


def _parameters(optimizer: Optimizer) -> list[int]:
    return [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]


def _rate(group: dict[str, Any], done: bool) -> float | None:
    """The rate of a group; None if it has none."""
    if done:
        return float(group[SCHEDULED]) if SCHEDULED in group else None
    return None if group.get("lr") is None else applied_rate(group)
