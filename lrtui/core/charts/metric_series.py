"""The quantities that a lane has, each as numbers by step: columns of steps, what was measured now
and then, metrics of epochs.

What is worked out for it stays with the lane (`LaneState.kept`) and is extended; a lane that went
back has other columns, which is how it is noticed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrtui.core.charts.axes import CLOCKS, XAxis
from lrtui.core.diagnostics.param_groups import groups
from lrtui.core.protocol.column_names import (
    LOGGED,
    METRIC,
    SKIPPED,
    family,
    is_reserved,
    logged_name,
)
from lrtui.core.results.recipe_words import beside_averaged
from lrtui.core.scenario.spec import Race
from lrtui.core.series.ema import TensorBoardEma
from lrtui.core.series.series import Int64Array, Series, Window
from lrtui.core.series.sparse import SparseSeries
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line

SELDOM = ("grad_norm",)
"""Columns that are measured at some steps only, and hold NaN at the others; so do the numbers that
a task's loss gives, the rates of a lane whose steps may be skipped, and losses that a script
hides."""
LABELS = {
    "val_loss": "val loss",
    "ema_val_loss": "ema val loss",
    "grad_norm": "grad norm",
    "update_ratio": "update ratio",
    "applied_lr": "rate",
}
"""Short labels of columns."""
SMOOTHED = 3
"""Smoothed tracks of a lane that are kept: those that were asked for last."""


class Quantity(NamedTuple):
    """Something that can be drawn by step."""

    name: str
    label: str
    """Short, for the axis."""
    log: bool
    """True if its axis is logarithmic by default."""


class MetricSeries(NamedTuple):
    """One quantity of one lane."""

    steps: Int64Array | None
    """The step (counted from 0, rising) of each value; None: one value for each step from 0 on, NaN
    for missing ones."""
    series: Series

    def window(self, lane: LaneState, race: Race, x: XAxis, width: int) -> Window:
        """`width` columns of the axis; a repeated call recomputes only the columns that may have
        changed."""
        edges = x.edges(lane, race, width)
        points = (
            np.minimum(edges, len(self.series))
            if self.steps is None
            else self.steps.searchsorted(edges)
        )
        before, after = -1, width
        if (first := int(points[0])) > 0:
            before = min(self._column(x, edges, lane, race, first - 1), -1)
        if (last := int(points[-1])) < len(self.series):
            after = max(self._column(x, edges, lane, race, last), width)
        return self.series.window_at(points, before, after, key=(x, width))

    def envelope(self, lane: LaneState, race: Race, x: XAxis, width: int) -> Window:
        """The window, of which `lo` and `hi` alone are exact: at a step a dot and more it is read
        quicker, from the new values."""
        if self.steps is None and x.kind not in CLOCKS:
            found = self.series.extremes_at(x.edges(lane, race, width))
            if found is not None:
                none = np.zeros(width, np.bool_)
                return Window(*found, *found, none, none, None, None)
        return self.window(lane, race, x, width)

    def _column(self, x: XAxis, edges: Int64Array, lane: LaneState, race: Race, index: int) -> int:
        step = index if self.steps is None else self.steps[index]
        return int(x.columns_between(edges, lane, race, np.array([step]))[0])

    def between(self, start: int, stop: int) -> tuple[Int64Array, NDArray[np.float64]]:
        """(steps, values) of the steps from `start` up to, not including, `stop`."""
        if self.steps is None:
            first, last = max(0, start), min(stop, len(self.series))
            steps: Int64Array = np.arange(first, max(first, last))
        else:
            first, last = (int(edge) for edge in self.steps.searchsorted([start, stop]))
            steps = self.steps[first:last]
        return steps, self.series.part(first, last).astype(float)

    def at(self, step: int) -> tuple[int, float] | None:
        """(step, value) of the newest value at or before a step, finite or not; None before the
        first."""
        index = step if self.steps is None else int(self.steps.searchsorted(step, "right")) - 1
        index = min(index, len(self.series) - 1)
        if index < 0:
            return None
        return index if self.steps is None else int(self.steps[index]), self.series.at(index)


def quantities(state: RaceState, labels: Mapping[str, str] = LABELS) -> list[Quantity]:
    """The loss, and what any lane has: numbers that the task's loss gave, validation loss, metrics
    and numbers that a script logged, then what is measured, then the rates. `labels`: names of
    columns for people."""
    found: dict[str, None] = {"loss": None}
    known: set[str] = set().union(
        *(each for lane in state.lanes for each in (lane.columns, lane.measured.columns))
    )
    metrics = dict.fromkeys(name for lane in state.lanes for name in lane.evaluations.metrics)
    metrics |= dict.fromkeys(
        _logged_name(name, lane, known) for lane in state.lanes for name in lane.logged
    )
    found |= dict.fromkeys(
        sorted(name for lane in state.lanes for name in lane.columns if not is_reserved(name))
    )
    found |= dict.fromkeys(
        METRIC + name if name in known else name
        for name in beside_averaged(sorted(metrics, key="val_loss".__ne__))
    )
    for kind in ("grad_norm", "update_ratio", "gain", "applied_lr"):
        names = [name for name in known if family(name) == kind]
        found |= dict.fromkeys(sorted(names, key=lambda name: (len(name), name)))
    return [Quantity(name, _label(name, state, labels), _usually_log(name)) for name in found]


def track(lane: LaneState, name: str) -> MetricSeries | None:
    """A quantity of a lane; None where it has no value yet. `update_ratio` is a ratio here, not its
    logarithm."""
    if name in lane.columns and not _is_seldom(lane, name):
        return MetricSeries(None, lane.columns[name]) if len(lane.columns[name]) else None
    gather = (
        _seldom
        if name in lane.columns
        else _measured
        if name in lane.measured.columns
        else _evaluated
        if name.removeprefix(METRIC) in lane.evaluations.metrics
        else _logged
    )
    sparse = gather(lane, name)
    return MetricSeries(sparse.steps.view(), sparse.series) if sparse.steps.size else None


def smoothed(lane: LaneState, name: str, weight: float) -> MetricSeries | None:
    """The same smoothed as TensorBoard does, 0 < weight < 1; the quantity itself for a weight of
    0."""
    raw = track(lane, name)
    if raw is None or weight <= 0:
        return raw
    key = "smoothed", name, weight
    kept = lane.derived.pop(key, None)
    if kept is None or kept.source is not raw.series:
        kept = _Smoothed(raw.series, weight)
    kept.follow()
    lane.derived[key] = kept
    for old in [key for key in lane.derived if key[0] == "smoothed"][:-SMOOTHED]:
        del lane.derived[old]
    return MetricSeries(raw.steps, kept.series)


class _Gathered(SparseSeries):
    """Values at some steps, gathered from `source`; whoever reads on adds what is new."""

    def __init__(self, source: object, cuts: int = 0) -> None:
        super().__init__()
        self.source, self.cuts = source, cuts
        self.read = 0


class _Smoothed:
    """The smoothed values of a series that grows."""

    def __init__(self, source: Series, weight: float) -> None:
        self.source, self.series = source, Series()
        self._ema = TensorBoardEma(weight)

    def follow(self) -> None:
        done = len(self.series)
        if done < len(self.source):
            self.series.extend(self._ema.extend(self.source.part(done, len(self.source))))


def _seldom(lane: LaneState, name: str) -> _Gathered:
    """The values of a column at the steps that have one."""
    column = lane.columns[name]
    sparse: _Gathered | None = lane.derived.get(("sparse", name))
    if sparse is None or sparse.source is not column:
        sparse = lane.derived["sparse", name] = _Gathered(column)
    fresh = column.part(sparse.read, len(column))
    there = np.flatnonzero(~np.isnan(fresh))
    if len(there):
        sparse.add(there + sparse.read, fresh[there])
    sparse.read = len(column)
    return sparse


def _measured(lane: LaneState, name: str) -> _Gathered:
    values = lane.measured.columns[name]
    sparse: _Gathered | None = lane.derived.get(("sparse", name))
    if sparse is None or sparse.source is not values:  # a lane that goes back has new lists
        sparse = lane.derived["sparse", name] = _Gathered(values)
    fresh = np.array(values[sparse.read :], float)
    if len(fresh):
        with np.errstate(over="ignore"):
            shown = 10.0**fresh if name.split("/")[0] == "update_ratio" else fresh
        sparse.add(lane.measured.steps[-len(fresh) :], shown)
        sparse.read = len(values)
    return sparse


def _evaluated(lane: LaneState, name: str) -> _Gathered:
    """A metric by the last step before it was taken."""
    epochs = lane.evaluations
    own = name if name in epochs.metrics else name.removeprefix(METRIC)
    sparse: _Gathered | None = lane.derived.get(("sparse", name))
    if sparse is None or sparse.cuts != epochs.cuts:
        sparse = lane.derived["sparse", name] = _Gathered(epochs, epochs.cuts)
    steps, values = epochs.metric(own, sparse.read)
    if len(steps):
        sparse.add(np.maximum(steps - 1, 0), values)
    sparse.read = len(epochs)
    return sparse


def _logged(lane: LaneState, name: str) -> SparseSeries:
    if not name.startswith(LOGGED) and logged_name(name) != name:
        return _NOTHING
    return lane.logged.get(name.removeprefix(LOGGED), _NOTHING)


def _logged_name(name: str, lane: LaneState, known: Collection[str]) -> str:
    """The quantity's name of a number that a lane's script logged: its own, unless that is the
    name of a column of any lane (`known`), or of an evaluation's metric."""
    taken = name in known or name in lane.evaluations.metrics
    return LOGGED + name if taken else logged_name(name)


_NOTHING = SparseSeries()
_LOG = ("loss", "val_loss", "ema_val_loss", "grad_norm", "update_ratio", "applied_lr")


def _is_seldom(lane: LaneState, name: str) -> bool:
    """True if NaN in a column of the lane stands for a step without a value."""
    skips = SKIPPED in lane.columns and family(name) in ("applied_lr", "next_lr")
    unseen = name == "loss" and lane.unseen
    return name in SELDOM or not is_reserved(name) or skips or unseen


def _label(name: str, state: RaceState, labels: Mapping[str, str]) -> str:
    """A column's name for an axis; that of a param group with the group's name, or its number where
    the lanes have different names for it."""
    kind, slash, number = one_line(name).partition("/")
    label = labels.get(kind, kind)
    if kind not in ("applied_lr", "update_ratio") or (slash and not number.isdecimal()):
        return label + slash + number
    group = int(number or 0)
    named = [groups(lane) for lane in state.lanes]
    names = {each[group] for each in named if len(each) > max(group, 1)}
    return f"{label} {names.pop()}" if len(names) == 1 else label + slash + number


def _usually_log(name: str) -> bool:
    return name.split("/")[0] in _LOG
