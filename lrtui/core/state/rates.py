"""The learning rates of a lane: applied, next and forecast, and the turns of its dial."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrtui.core.protocol.column_names import family
from lrtui.core.protocol.events import RateChanged, ScheduleForecast
from lrtui.core.series.series import FiniteRange
from lrtui.core.state.columns import Columns

NO_RANGE = FiniteRange(math.nan, math.nan, math.nan)


class RateHistory:
    """Rates of a lane from step `begin` on."""

    def __init__(
        self, columns: Columns, begin: int = 0, inherited: float = 1.0, reconfigured: bool = False
    ) -> None:
        """`inherited`: the dial's factor at the fork. `reconfigured`: a fork whose optimizer, rate
        or schedule differs from its parent's."""
        self._newest: dict[str, float] = {}
        """Newest rates by column, in the precision of the record, float64; the columns are float32,
        for drawing."""
        self.changes: list[RateChanged] = []
        """Turns of the dial, rising by step."""
        self.forecast: ScheduleForecast | None = None
        """The rates to come, at factor 1; None if they are constant, or depend on the losses."""
        self.forecast_range = NO_RANGE
        """Bounds of `forecast`, so that an axis need not move when those rates are applied."""
        self._columns, self._begin = columns, begin
        self._inherited, self._reconfigured = inherited, reconfigured

    def applied_by(self, group: int) -> float:
        """The rate of a param group in the last step that updated it; NaN before the first."""
        return self._newest.get(column("applied_lr", group), math.nan)

    def next_by(self, group: int) -> float:
        """The rate of a param group's next step; NaN if unknown, or after the last step."""
        return self._newest.get(column("next_lr", group), math.nan)

    @property
    def applied(self) -> float:
        """`applied_by` of the first param group."""
        return self.applied_by(0)

    @property
    def next(self) -> float:
        """`next_by` of the first param group."""
        return self.next_by(0)

    @property
    def factor(self) -> float:
        """The dial: the schedule's rate times this factor is applied."""
        return self.changes[-1].factor if self.changes else self._inherited

    def factor_at(self, step: int) -> float:
        """The dial at a step, counted from 0; at -1 as the lane began with it."""
        return next(
            (change.factor for change in reversed(self.changes) if change.step <= step),
            self._inherited,
        )

    @property
    def since(self) -> int:
        """Step since which the present rate, the schedule apart, is in force; 0: from the start."""
        since, before = self._begin if self._reconfigured else 0, self._inherited
        for change in self.changes:
            if change.factor != before:
                since, before = max(since, change.step), change.factor
        return since

    def apply(self, event: RateChanged) -> bool:
        """Fold in a turn of the dial; False if the dial stands there already: a process that goes
        on repeats it."""
        turn = event.factor / self.factor if self.factor else 1.0
        self._newest |= {name: rate * turn for name, rate in self._newest.items() if _is_next(name)}
        self._newest["next_lr"] = event.rate
        if event.factor == self.factor:
            return False
        self.changes.append(event)
        return True

    def plan(self, event: ScheduleForecast) -> None:
        """Replace the forecast."""
        positive = min((value for value in event.rates if value > 0), default=math.nan)
        lowest, highest = (limit(event.rates, default=math.nan) for limit in (min, max))
        self.forecast, self.forecast_range = event, FiniteRange(lowest, highest, positive)

    def extend(self, blocks: dict[str, NDArray[Any]]) -> None:
        """Fold in the columns of a block of steps."""
        for name, block in blocks.items():
            if _is_next(name):
                self._newest[name] = float(block[-1])
            elif is_applied(name):
                self._see(name, block)

    def cut(self, step: int) -> None:
        """Drop the turns of the dial after `step`; `columns` are cut there already."""
        if step < self._begin:  # a fork restarted from the initial weights: nothing is inherited
            self._begin, self._inherited = step, 1.0
        self.changes = [change for change in self.changes if change.step <= step]
        self._newest = {name: self._columns.last(name) for name in self._columns if _is_next(name)}
        for name, series in self._columns.items():
            if is_applied(name):
                self._see(name, series.values)

    def _see(self, name: str, applied: NDArray[Any]) -> None:
        """Keep the newest finite rate: a step without an update has NaN."""
        rate = float(applied[-1]) if len(applied) else math.nan
        if not math.isfinite(rate):
            known = applied[np.isfinite(applied)]
            rate = float(known[-1]) if len(known) else math.nan
        if math.isfinite(rate):
            self._newest[name] = rate


def column(kind: str, group: int) -> str:
    """The column of a param group, counted from 0: "applied_lr", "applied_lr/1"."""
    return f"{kind}/{group}" if group else kind


def is_applied(name: str) -> bool:
    """True for the columns of applied rates, one a param group."""
    return family(name) == "applied_lr"


def _is_next(name: str) -> bool:
    return family(name) == "next_lr"
