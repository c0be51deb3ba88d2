"""A column of numbers by step, read in windows of O(width); it knows nothing of lanes, files or
screens."""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrtui.core.series.array_buffer import ArrayBuffer, Flags, Floats, Int64Array
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
"""What is appended is worked in when so many values have come, in so many blocks (each costs a
hundred bytes until then), or when somebody asks: most columns are seldom looked at."""
KEPT = 4
"""Windows of a series that are kept, to be brought up to date rather than made anew: pane, overlay,
a zoom or two."""


class Window(NamedTuple):
    """What `width` columns of a curve show; each array is (width,), float32 is NaN where a column
    has no finite point."""

    lo: Floats
    hi: Floats
    first: Floats
    last: Floats
    """The first and the last finite value of a column, for joining it to its neighbours."""
    gap: Flags
    """True where a NaN or an infinity lies in the column."""
    cut: Flags
    """True where a NaN or an infinity lies right before the column's first finite value: no line
    leads to it."""
    before: tuple[int, float] | None
    """(column, value) of the point left of the window, None where no line leads from it; column <
    0."""
    after: tuple[int, float] | None
    """The same right of the window; column >= width."""


class FiniteRange(NamedTuple):
    """Bounds over all finite values of a series; NaN while there are none."""

    low: float
    high: float
    positive: float
    """The smallest value above zero, for a logarithmic axis; NaN when there is none."""


class Series:
    """A column of numbers by step, with a min/max pyramid: appended in blocks, read in windows of
    O(width)."""

    def __init__(self) -> None:
        self._coming: list[Floats] = []
        """Blocks that are not worked in yet."""
        self._count = 0
        self._pyramid = Pyramid()
        self._bad_from, self._bad_to = ArrayBuffer(np.uint32), ArrayBuffer(np.uint32)
        self._range = FiniteRange(math.nan, math.nan, math.nan)
        self._windows: dict[Hashable, tuple[Int64Array, Window]] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> Floats:
        """All values, NaN and infinities included, not to be written to; see `part`."""
        return self.part(0, len(self))

    @property
    def forgotten(self) -> int:
        """Of the first so many values only the extremes of buckets are known, and which of them are
        finite."""
        return self._pyramid.forgotten

    @property
    def last(self) -> float:
        """The newest value, finite or not; NaN when there is none."""
        return self.at(len(self) - 1) if len(self) else math.nan

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        self._settle()
        return self._pyramid.nbytes + self._bad_from.nbytes + self._bad_to.nbytes

    def finite_range(self) -> FiniteRange:
        """Lowest, highest and smallest positive finite value so far, in O(1)."""
        self._settle()
        return self._range

    def part(self, start: int, stop: int) -> Floats:
        """The values [start, stop), 0 <= start; for each that is forgotten and finite the middle of
        its bucket."""
        self._settle()
        values = self._pyramid.part(start, min(stop, len(self)))
        if start < self.forgotten:
            early = values[: self.forgotten - start]
            early[self._bad(start, start + len(early))] = np.nan
        values.flags.writeable = False
        return values

    def at(self, step: int) -> float:
        """The value of a step in 0..len - 1, likewise."""
        self._settle()
        return (
            float(self.part(step, step + 1)[0])
            if step < self.forgotten
            else float(self._pyramid.newer(step))
        )

    def lowest(self, start: int = 0) -> tuple[int, float] | None:
        """(step, value) of the lowest finite value from step `start` on, the first of equal ones;
        None where there is none."""
        values = self.part(start, len(self))
        if start < self.forgotten:
            lows = self._pyramid.read(0, np.arange(start, self.forgotten))[0]
            values = np.concatenate((lows, values[len(lows) :]))
            values[self._bad(start, len(self))] = np.inf
        values = np.where(np.isfinite(values), values, np.inf)
        place = int(values.argmin()) if len(values) else 0
        return (
            (start + place, float(values[place]))
            if len(values) and values[place] < np.inf
            else None
        )

    def before_gaps(self, edges: Int64Array) -> Int64Array:
        """Where the last finite values before runs of NaN and infinities stand: of each column
        [edges[c], edges[c + 1]) the last one that there is. What comes before the first finite
        value is no gap."""
        self._settle()
        begins = self._bad_from.view()
        count = begins.searchsorted((edges + 1).astype(np.uint32))
        places: Int64Array = begins[count[1:][count[1:] > count[:-1]] - 1].astype(np.int64) - 1
        return places[places >= 0]

    def extend(self, values: ArrayLike) -> None:
        """Append numbers of any float type; kept as float32, so what float32 cannot hold becomes an
        infinity."""
        with np.errstate(over="ignore"):
            block = np.array(values, dtype=STORED).reshape(-1)
        self._coming.append(block)
        self._count += len(block)
        if self._count - len(self._pyramid) >= BATCH or len(self._coming) >= BLOCKS:
            self._settle()

    def _settle(self) -> None:
        """Works in what has come."""
        if not self._coming:
            return
        block = np.concatenate(self._coming)
        self._coming.clear()
        finite = np.isfinite(block)
        if finite.all():
            self._note_range(block)
        else:
            self._note_bad_runs(finite)
            self._note_range(block[finite])
        self._pyramid.append(block)

    def cut(self, count: int) -> Series:
        """The first `count` values, or all where there are not so many, as a series of its own."""
        shorter, count = Series(), min(count, len(self))
        shorter._pyramid = self._pyramid.cut(
            count, self.part(self._pyramid.forgotten_of(count), count)
        )
        shorter._count = count
        runs = int(self._bad_from.view().searchsorted(count))
        shorter._bad_from.append(self._bad_from.view()[:runs])
        shorter._bad_to.append(np.minimum(self._bad_to.view()[:runs], count))
        values = self.part(0, count)
        shorter._note_range(values[np.isfinite(values)])
        if count and self.forgotten:
            lows, highs = self._pyramid.extremes(np.array([0]), np.array([count]))
            shorter._note_range(np.concatenate((lows, highs)))
        return shorter

    def thin(self) -> int:
        """Forgets the older half of the single values in favour of the extremes of each 16, or,
        where few are left, of those in favour of each 256, and so on. The bytes that it set free; 0
        where there is nothing left to forget."""
        self._settle()
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
        """Columns of any size: column c holds the values [edges[c], edges[c + 1]), edges never fall
        and stay in 0..len.

        `before` and `after` are the columns, outside, of the values next to the first and the last
        edge. Asked again with a `key`, it looks only at the columns from the first edge on that has
        moved. Its arrays are not to be written to.
        """
        self._settle()
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

    def _inside(self, edges: Int64Array) -> tuple[Floats, Floats, Floats, Floats, Flags, Flags]:
        first, last, gap, cut = self._ends(edges[:-1], edges[1:])
        lo, hi = self._pyramid.extremes(edges[:-1], edges[1:])
        # rounded outward, a column may have come upon its neighbour's values
        if self.forgotten > edges[0]:
            lo, hi = (np.where(np.isnan(first), first, found) for found in (lo, hi))
        return lo, hi, first, last, gap, cut

    def _outside(
        self, edges: Int64Array, before: int, after: int
    ) -> tuple[tuple[int, float] | None, tuple[int, float] | None]:
        left, inner, right = (
            self._finite_at(int(place)) for place in (edges[0] - 1, edges[-1] - 1, edges[-1])
        )
        return (None if left is None else (before, left)), (
            None if right is None or inner is None else (after, right)
        )

    def _note_bad_runs(self, finite: Flags) -> None:
        """Remember where runs of NaN and infinities begin and end (8 bytes a run)."""
        known = np.ones(len(finite) + 2, bool)
        known[1:-1] = finite
        flips = np.flatnonzero(known[1:] != known[:-1]) + len(self._pyramid)
        begins, ends = flips[::2], flips[1::2]
        before = self._bad_to.view()
        if len(before) and before[-1] == begins[0]:
            before[-1] = ends[0]
            begins, ends = begins[1:], ends[1:]
        self._bad_from.append(begins)
        self._bad_to.append(ends)

    def _note_range(self, finite: Floats) -> None:
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

    def _ends(self, a: Int64Array, b: Int64Array) -> tuple[Floats, Floats, Flags, Flags]:
        """First and last finite value of the columns [a, b), gap and cut, by the runs of what is
        not finite."""
        full = a < b
        first, last = a, b - 1
        gap = cut = np.zeros(len(a), bool)
        if self._bad_to.size:
            coming = self._bad_to.view().searchsorted(a.astype(np.uint32), "right")
            begins = self._run(self._bad_from, coming)
            gap = full & (begins < b)
            first = np.where(begins <= a, self._run(self._bad_to, coming), a)
            gone = self._bad_from.view().searchsorted(last.clip(0).astype(np.uint32), "right") - 1
            last = np.where(
                self._run(self._bad_to, gone) > last, self._run(self._bad_from, gone) - 1, last
            )
            full = full & (first < b)
            ended = self._bad_to.view().searchsorted(first.clip(0).astype(np.uint32))
            cut = full & (self._run(self._bad_to, ended) == first)
        return self._pick(first, full), self._pick(last, full), gap, cut

    def _run(self, edge: ArrayBuffer, number: Int64Array) -> Int64Array:
        """Where the numbered runs begin or end; beyond the last run: beyond every step, before the
        first: -1."""
        place: Int64Array = edge.view().take(number, mode="clip").astype(np.int64)
        place[number < 0] = -1
        place[number >= edge.size] = 1 << 40
        return place

    def _bad(self, start: int, stop: int) -> Flags:
        """Which of the values [start, stop) are not finite, by the runs of them."""
        runs = slice(
            int(self._bad_to.view().searchsorted(start, "right")),
            int(self._bad_from.view().searchsorted(stop)),
        )
        turns = np.zeros(stop - start + 1, np.int8)
        turns[(self._bad_from.view()[runs].astype(np.int64) - start).clip(0)] += 1
        turns[(self._bad_to.view()[runs].astype(np.int64) - start).clip(max=stop - start)] -= 1
        return turns[:-1].cumsum(dtype=np.int8) > 0

    def _pick(self, places: Int64Array, full: Flags) -> Floats:
        if not len(self):
            return np.full(len(places), np.nan, STORED)
        return np.where(full, self._pyramid.pick(places), STORED(np.nan))

    def _finite_at(self, place: int) -> float | None:
        value = self.at(place) if 0 <= place < len(self) else math.nan
        return value if math.isfinite(value) else None


def window_of(x: ArrayLike, y: ArrayLike, start: float, stop: float, width: int) -> Window:
    """The window of a few points with their own, increasing x, such as a metric by epoch; costs
    O(len(x))."""
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
    """The edges of `Series.window`, of a series without end; a guess, then exactly what the formula
    for a step's column says."""
    columns = np.arange(width + 1)
    near = np.ceil(start + columns * ((stop - start) / width)) + np.array([[-1], [0], [1]])
    edges = near[0] + (np.floor((near - start) * width / (stop - start)) < columns).sum(axis=0)
    whole: Int64Array = edges.clip(max(math.ceil(start), 0), max(math.ceil(stop), 0)).astype(
        np.int64
    )
    return whole


def _first_difference(one: Int64Array, other: Int64Array) -> int:
    """The place from which on two rows of edges differ; their length where they do not; 0 where
    they are not as long."""
    if len(one) != len(other):
        return 0
    differs = one != other
    place = int(differs.argmax())
    return place if differs[place] else len(one)


def _least(one: float, other: float) -> float:
    """The smaller one; NaN only when both are."""
    return one if one <= other or math.isnan(other) else other
