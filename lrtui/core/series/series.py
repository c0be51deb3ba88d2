"""A column of numbers by step, read in windows of O(width). Knows no lane, file or screen."""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrtui.core.series.array_buffer import Flags, Floats, Int64Array
from lrtui.core.series.gaps import Gaps
from lrtui.core.series.pyramid import STORED, Pyramid

__all__ = [
    "FiniteRange",
    "Flags",
    "Floats",
    "Int64Array",
    "Series",
    "Window",
    "columns_of",
    "linear_edges",
    "window_of",
]

BATCH, BLOCKS = 1024, 64
"""Appended blocks are flushed into the pyramid after this many values or blocks (each costs a
hundred bytes until then), or on the first read: most columns are rarely read."""
KEPT = 4
"""Cached windows per series, updated instead of recomputed: pane, overlay, a zoom or two."""


class Window(NamedTuple):
    """`width` columns of a curve; each array is (width,), float32 is NaN for a column without a
    finite point."""

    lo: Floats
    hi: Floats
    first: Floats
    last: Floats
    """The first and the last finite value of a column, for joining it to its neighbours."""
    gap: Flags
    """True where a NaN or an infinity lies in the column."""
    cut: Flags
    """True if a NaN or an infinity lies right before the column's first finite value, so that no
    line leads to it."""
    before: tuple[int, float] | None
    """(column, value) of the point left of the window, None if no line leads from it; column <
    0."""
    after: tuple[int, float] | None
    """The same right of the window; column >= width."""


class FiniteRange(NamedTuple):
    """Bounds over all finite values of a series; NaN without any."""

    low: float
    high: float
    positive: float
    """The smallest value above zero, for a logarithmic axis; NaN without any."""


class _Extremes:
    """The lowest and the highest value of each column of a growing series without gaps."""

    def __init__(self, edges: Int64Array, count: int, lows: Floats, highs: Floats) -> None:
        self.edges, self.count, self.lows, self.highs = edges, count, lows, highs

    def extend(self, values: Floats) -> bool:
        """Take in the next values; False if one of them is not finite."""
        start, self.count = self.count, self.count + len(values)
        if not np.isfinite(values).all():
            return False
        first = max(int(self.edges.searchsorted(start, "right")) - 1, 0)
        for column in range(first, int(self.edges.searchsorted(self.count, "left"))):
            inside = values[max(self.edges[column] - start, 0) : self.edges[column + 1] - start]
            if len(inside):
                self.lows[column] = np.fmin(self.lows[column], inside.min())
                self.highs[column] = np.fmax(self.highs[column], inside.max())
        return True


class Series:
    """A column of numbers by step, with a min/max pyramid: appended in blocks, read in windows of
    O(width)."""

    def __init__(self) -> None:
        self._pending: list[Floats] = []
        """Blocks that are not in the pyramid yet."""
        self._count = 0
        self._pyramid = Pyramid()
        self._gaps = Gaps()
        self._range = FiniteRange(math.nan, math.nan, math.nan)
        self._windows: dict[Hashable, tuple[Int64Array, Window]] = {}
        self._extremes: list[_Extremes] = []

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> Floats:
        """All values, NaN and infinities included, not to be written to; see `part`."""
        return self.part(0, len(self))

    @property
    def forgotten(self) -> int:
        """Number of first values that were thinned: only the extremes of their buckets are known,
        and which of them are finite."""
        return self._pyramid.forgotten

    @property
    def last(self) -> float:
        """The newest value, finite or not; NaN if empty."""
        return self.at(len(self) - 1) if len(self) else math.nan

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        self._flush()
        return self._pyramid.nbytes + self._gaps.nbytes

    def finite_range(self) -> FiniteRange:
        """Lowest, highest and smallest positive finite value so far, in O(1)."""
        self._flush()
        return self._range

    def part(self, start: int, stop: int) -> Floats:
        """The values [start, stop), 0 <= start; a thinned finite one is the middle of its
        bucket."""
        self._flush()
        values = self._pyramid.part(start, min(stop, len(self)))
        if start < self.forgotten:
            early = values[: self.forgotten - start]
            early[self._gaps.mask(start, start + len(early))] = np.nan
        values.flags.writeable = False
        return values

    def at(self, step: int) -> float:
        """The value of a step in 0..len - 1, likewise."""
        self._flush()
        return (
            float(self.part(step, step + 1)[0])
            if step < self.forgotten
            else float(self._pyramid.newer(step))
        )

    def lowest(self, start: int = 0) -> tuple[int, float] | None:
        """(step, value) of the lowest finite value from step `start` on, the first of equal ones;
        None without any."""
        values = self.part(start, len(self))
        if start < self.forgotten:
            lows = self._pyramid.read(0, np.arange(start, self.forgotten))[0]
            values = np.concatenate((lows, values[len(lows) :]))
            values[self._gaps.mask(start, len(self))] = np.inf
        values = np.where(np.isfinite(values), values, np.inf)
        index = int(values.argmin()) if len(values) else 0
        return (
            (start + index, float(values[index]))
            if len(values) and values[index] < np.inf
            else None
        )

    def before_gaps(self, edges: Int64Array) -> Int64Array:
        """Steps of the last finite values before runs of NaN and infinities: of each column
        [edges[c], edges[c + 1]) the last such step. The start of the series is not a gap."""
        self._flush()
        return self._gaps.before(edges)

    def extend(self, values: ArrayLike) -> None:
        """Append numbers of any float type; kept as float32, so what float32 cannot hold becomes an
        infinity."""
        with np.errstate(over="ignore"):
            block = np.array(values, dtype=STORED).reshape(-1)
        self._pending.append(block)
        self._count += len(block)
        if self._count - len(self._pyramid) >= BATCH or len(self._pending) >= BLOCKS:
            self._flush()

    def _flush(self) -> None:
        """Move the pending blocks into the pyramid."""
        if not self._pending:
            return
        block = np.concatenate(self._pending)
        self._pending.clear()
        finite = np.isfinite(block)
        if finite.all():
            self._extend_range(block)
        else:
            self._gaps.append(finite, len(self._pyramid))
            self._extend_range(block[finite])
        self._pyramid.append(block)

    def cut(self, count: int) -> Series:
        """A new series with at most the first `count` values."""
        shorter, count = Series(), min(count, len(self))
        shorter._pyramid = self._pyramid.cut(
            count, self.part(self._pyramid.forgotten_of(count), count)
        )
        shorter._count = count
        shorter._gaps = self._gaps.cut(count)
        values = self.part(0, count)
        shorter._extend_range(values[np.isfinite(values)])
        if count and self.forgotten:
            lows, highs = self._pyramid.extremes(np.array([0]), np.array([count]))
            shorter._extend_range(np.concatenate((lows, highs)))
        return shorter

    def thin(self) -> int:
        """Replace the older half of the single values by the extremes of each 16, or, if few are
        left, of those by each 256, and so on. Return the bytes freed; 0 if nothing is left to
        thin."""
        self._flush()
        return self._pyramid.thin()

    def window(self, start: float, stop: float, width: int) -> Window:
        """Steps [start, stop) cut in `width` columns; step x lies in column int((x - start) * width
        / (stop - start))."""
        edges = np.minimum(linear_edges(start, stop, width), len(self))
        before, after = (
            math.floor((step - start) * width / (stop - start))
            for step in (int(edges[0]) - 1, int(edges[-1]))
        )
        return self.window_at(edges, min(before, -1), max(after, width), key=(start, stop, width))

    def window_at(
        self, edges: Int64Array, before: int = -1, after: int | None = None, key: Hashable = None
    ) -> Window:
        """Columns of any size: column c holds the values [edges[c], edges[c + 1]); edges never fall
        and stay in 0..len.

        `before` and `after` are the columns, outside, of the values next to the first and the last
        edge. A repeated call with the same `key` recomputes only the columns from the first moved
        edge on. The arrays are read-only.
        """
        self._flush()
        outside = self._outside(edges, before, len(edges) - 1 if after is None else after)
        if key is None:
            return Window(*self._inside(edges), *outside)
        known_edges, known = self._windows.pop(key, (edges[:0], None))
        same = _first_difference(known_edges, edges) - 1
        if known is None or same < 1:
            known = Window(*self._inside(edges), *outside)
        elif same < len(edges) - 1:
            fresh = self._inside(edges[same:])
            lo, hi, first, last = (
                np.concatenate((old[:same], new))
                for old, new in zip(known[:4], fresh[:4], strict=True)
            )
            gap, cut = (
                np.concatenate((old[:same], new))
                for old, new in zip(known[4:6], fresh[4:], strict=True)
            )
            known = Window(lo, hi, first, last, gap, cut, *outside)
        elif outside != known[-2:]:
            known = Window(*known[:-2], *outside)
        self._windows[key] = edges, known
        if len(self._windows) > KEPT:
            del self._windows[next(iter(self._windows))]
        return known

    def extremes_at(self, edges: Int64Array) -> tuple[Floats, Floats] | None:
        """Lowest and highest value of each column [edges[c], edges[c + 1]), NaN beyond the end.

        None with a gap, with thinned values or with columns narrower than a step: `window_at` reads
        those. A call with the same array again looks at the new values alone. Not to be written to.
        """
        known = next((one for one in self._extremes if one.edges is edges), None)
        if known is None:
            self._flush()
            if self._gaps.count or self.forgotten or not (edges[1:] > edges[:-1]).all():
                return None
            inside = np.minimum(edges, len(self))
            known = _Extremes(edges, len(self), *self._pyramid.extremes(inside[:-1], inside[1:]))
            self._extremes = [*self._extremes[1 - KEPT :], known]
        elif known.count < len(self) and not known.extend(self._newest(known.count)):
            self._extremes.remove(known)
            return None
        return known.lows, known.highs

    def _newest(self, start: int) -> Floats:
        """The values from `start` on; those that are not in the pyramid yet are left there."""
        if start < len(self._pyramid):
            return self.part(start, len(self))
        return np.concatenate(self._pending)[start - len(self._pyramid) :]

    def _inside(self, edges: Int64Array) -> tuple[Floats, Floats, Floats, Floats, Flags, Flags]:
        first_at, last_at, full, gap, cut = self._gaps.ends(edges[:-1], edges[1:])
        first, last = self._pick(first_at, full), self._pick(last_at, full)
        lo, hi = self._pyramid.extremes(edges[:-1], edges[1:])
        # rounded outward, a column may hold values of its neighbour
        if self.forgotten > edges[0]:
            lo, hi = (np.where(np.isnan(first), first, found) for found in (lo, hi))
        return lo, hi, first, last, gap, cut

    def _outside(
        self, edges: Int64Array, before: int, after: int
    ) -> tuple[tuple[int, float] | None, tuple[int, float] | None]:
        left, inner, right = (
            self._finite_at(int(index)) for index in (edges[0] - 1, edges[-1] - 1, edges[-1])
        )
        return (None if left is None else (before, left)), (
            None if right is None or inner is None else (after, right)
        )

    def _extend_range(self, finite: Floats) -> None:
        if not len(finite):
            return
        low, high = float(finite.min()), float(finite.max())
        positive = low if low > 0 else math.nan
        if low <= 0 < high:
            positive = float(finite[finite > 0].min())
        known = self._range
        self._range = FiniteRange(
            _least(known.low, low), -_least(-known.high, -high), _least(known.positive, positive)
        )

    def _pick(self, indices: Int64Array, full: Flags) -> Floats:
        if not len(self):
            return np.full(len(indices), np.nan, STORED)
        return np.where(full, self._pyramid.pick(indices), STORED(np.nan))

    def _finite_at(self, index: int) -> float | None:
        value = self.at(index) if 0 <= index < len(self) else math.nan
        return value if math.isfinite(value) else None


def window_of(x: ArrayLike, y: ArrayLike, start: float, stop: float, width: int) -> Window:
    """The window of a few points with increasing x, such as a metric by epoch; O(len(x))."""
    series = Series()
    series.extend(y)
    columns = columns_of(np.asarray(x, np.float64), start, stop, width)
    edges = columns.searchsorted(np.arange(width + 1))
    outside = columns[max(edges[0] - 1, 0) : edges[-1] + 1]
    if not len(outside):
        return series.window_at(edges)
    return series.window_at(edges, int(outside[0]), int(outside[-1]))


def columns_of(x: NDArray[np.float64], start: float, stop: float, width: int) -> Int64Array:
    """The column of each x, rounded down; below 0 left of the range [start, stop), width and more
    right of it."""
    columns: Int64Array = np.floor((x - start) * width / (stop - start)).astype(np.int64)
    columns[x < start] = columns[x < start].clip(max=-1)
    columns[x >= stop] = columns[x >= stop].clip(min=width)
    return columns


@lru_cache(256)
def linear_edges(start: float, stop: float, width: int) -> Int64Array:
    """The edges of `Series.window` for an endless series: an estimate, then exact by the formula
    for a step's column."""
    columns = np.arange(width + 1)
    near = np.ceil(start + columns * ((stop - start) / width)) + np.array([[-1], [0], [1]])
    edges = near[0] + (np.floor((near - start) * width / (stop - start)) < columns).sum(axis=0)
    whole: Int64Array = edges.clip(max(math.ceil(start), 0), max(math.ceil(stop), 0)).astype(
        np.int64
    )
    return whole


def _first_difference(one: Int64Array, other: Int64Array) -> int:
    """Index from which two rows of edges differ; their length if equal; 0 if of different
    lengths."""
    if len(one) != len(other):
        return 0
    differs = one != other
    index = int(differs.argmax())
    return index if differs[index] else len(one)


def _least(one: float, other: float) -> float:
    """The smaller one; NaN only when both are."""
    return one if one <= other or math.isnan(other) else other
