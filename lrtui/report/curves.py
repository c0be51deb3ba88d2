"""The curves of a race, thinned out to columns in which no spike and no gap is lost: what page and charts draw. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrtui.core.axes import whole
from lrtui.core.numbers import rate
from lrtui.core.ranges import COLUMNS as OUTLIERS, ends_well, visible_range, with_beginnings
from lrtui.core.rounding import TINY, multiples, nice
from lrtui.core.series import Flags, Floats, Places
from lrtui.core.state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.core.tracks import Track, track

COLUMNS = 2000
"""A curve on a page has at most so many columns: more than most screens have pixels for it."""
SIGNS = {"nan": "✗", "error": "✗"}
"""How alerts are marked; any other one by "!"."""


class Curve(NamedTuple):
    """A quantity of one lane in columns from the left; each array has one entry for each column, values are float32.

    `lo`, `hi`, `last` and `mean` are over the finite values of a column, NaN where it has none.
    """

    steps: Places
    """The first step of each column."""
    ends: Places
    """The last one."""
    lo: Floats
    hi: Floats
    last: Floats
    mean: Floats
    finite: NDArray[np.int64]
    """How many values are finite."""
    gap: Flags
    """True where a NaN or an infinity lies in the column."""
    cut: Flags
    """True where one lies right before the column's first finite value: no line leads to it."""


class Mark(NamedTuple):
    """Something that happened to a lane, to be marked on its curve at `step`."""

    step: int
    sign: str
    text: str


class Limits(NamedTuple):
    """A y axis: `low` < `high`, both above zero where it is logarithmic."""

    low: float
    high: float
    log: bool

    def shares(self, values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """How far up the axis values lie: 0 at `low`, 1 at `high`, never beyond; NaN where not finite."""
        known = np.where(np.isfinite(values), np.clip(values, self.low, self.high), np.nan)
        low, high = self._place(np.array([self.low, self.high]))
        shares: NDArray[np.floating[Any]] = (self._place(known) - low) / (high - low)
        return shares

    def values(self, shares: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """The other way round."""
        low, high = self._place(np.array([self.low, self.high]))
        places: NDArray[np.floating[Any]] = low + shares * (high - low)
        return np.power(10.0, places) if self.log else places

    def _place(self, values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        return np.log10(values) if self.log else values


def lane_curve(lane: LaneState, name: str, columns: int = COLUMNS) -> Curve | None:
    """A lane's curve of one of `core.tracks.quantities`, from where its own record begins; None where it has no value."""
    found = track(lane, name)
    return None if found is None else curve_of(found, lane.born, columns)


def curve_of(found: Track, born: int, columns: int = COLUMNS) -> Curve | None:
    """A track's curve from step `born` on, in at most so many columns, each of as many values, but for one."""
    first = born if found.steps is None else int(found.steps.searchsorted(born))
    count = len(found.series) - first
    if count < 1:
        return None
    width = min(columns, count)
    edges: Places = first - (-np.arange(width + 1, dtype=np.int64) * count // width)  # rounded up
    window = found.series.window_at(edges)
    values = found.series.part(first, len(found.series))
    good = np.isfinite(values)
    sums = np.add.reduceat(np.where(good, values, np.float32(0)), edges[:-1] - first, dtype=float)
    finite = np.add.reduceat(good, edges[:-1] - first, dtype=np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        mean = np.divide(sums, finite, out=np.full(width, np.nan), where=finite > 0).astype(np.float32)
    steps, ends = (edges[:-1], edges[1:] - 1) if found.steps is None else (found.steps[edges[:-1]], found.steps[edges[1:] - 1])
    return Curve(steps, ends, window.lo, window.hi, window.last, mean, finite, window.gap, window.cut)


def abandoned(lane: LaneState, columns: int = COLUMNS) -> list[Curve]:
    """The losses of what a lane did and went back on, as far as they are kept."""
    tracks = (Track(np.arange(first, first + len(losses)), losses) for first, losses in lane.abandoned)
    return [curve for found in tracks if (curve := curve_of(found, 0, columns)) is not None]


def loss_limits(state: RaceState) -> Limits | None:
    """The y axis of the losses over all steps, by the screen's rule; None without a finite loss."""
    known = [(lane, found) for lane in state.lanes if (found := track(lane, "loss")) is not None]
    windows = [found.window(lane, state.race, whole(state), OUTLIERS) for lane, found in known]
    shown = visible_range(windows, [ends_well(lane, state) for lane, _ in known])
    shown = with_beginnings(shown, windows)
    return limits(shown.low, shown.high) if math.isfinite(shown.low) else None


def limits(low: float, high: float, *, log: bool = True) -> Limits:
    """An axis for finite values, never without a height: logarithmic where that is wanted and all are above zero."""
    log = log and low > TINY  # half of the smallest numbers there are is zero
    if high <= low:
        low, high = (low / 2, low * 2) if log else (low - max(1, abs(low)), low + max(1, abs(low)))
    return Limits(low, high, log)


def marks(lane: LaneState, lanes: Sequence[LaneState]) -> Iterator[Mark]:
    """What happened to a lane: alerts, turns of the dial, forks that left it."""
    for alert in lane.alerts:
        yield Mark(alert.step, SIGNS.get(alert.kind, "!"), one_line(alert.text))
    before = lane.factor_at(-1)
    for change in lane.rate_changes:
        if change.factor != before:
            sign = "▲" if change.factor > before else "▼"
            yield Mark(change.step, sign, f"rate {rate(change.rate)} from step {change.step} on")
        before = change.factor
    for other in lanes:
        if other.parent == lane.index:
            yield Mark(other.born, "Y", f"{other.lane.called} was forked from it at step {other.born}")


def length(state: RaceState) -> int:
    """Steps along the x axis: the budget, so that the curves of a race always lie alike."""
    return int(whole(state).stop)


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """About `most` round numbers from `low` to `high` (low < high), 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / max(most, 1)
    if not TINY < rough < 1 / TINY:
        return [low, high]
    return list(multiples(low, high, nice(rough)))


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """The same for a logarithmic axis, 0 < low < high: powers of ten, with some between them where there is room."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found: list[float] = []
    for units in ((1, 2, 5), (1, 3), (1,)):
        found = [unit * 10.0 ** power for power in range(first, last + 1) for unit in units]
        found = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(found) <= most:
            break
    return found[::max(1, math.ceil(len(found) / most))] if len(found) > 1 else nice_ticks(low, high, most)
