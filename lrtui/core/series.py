"""A column of numbers by step, read in windows of O(width); it knows nothing of lanes, files or screens."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHIFT = 4
FACTOR = 1 << SHIFT
"""Values per bucket, buckets per bucket of the next level."""
GROWTH = 1.2
AT_ONCE = 32768
"""So many values or buckets are read in one go; more than that, and the next level up is cheaper."""
KEPT = 4
"""Windows of a series that are kept, to be brought up to date rather than made anew: pane, overlay, a zoom or two."""
_STORED = np.float32
_INF = _STORED(np.inf)
_OFFSETS = np.arange(FACTOR)[:, None]

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


class Window(NamedTuple):
    """What `width` columns of a curve show; each array is (width,), float32 is NaN where a column has no finite point."""

    lo: Floats
    hi: Floats
    first: Floats
    last: Floats
    """The first and the last finite value of a column, for joining it to its neighbours."""
    gap: Flags
    """True where a NaN or an infinity lies in the column."""
    cut: Flags
    """True where a NaN or an infinity lies right before the column's first finite value: no line leads to it."""
    before: tuple[int, float] | None
    """(column, value) of the point left of the window, None where no line leads from it; column < 0."""
    after: tuple[int, float] | None
    """The same right of the window; column >= width."""


class FiniteRange(NamedTuple):
    """Bounds over all finite values of a series; NaN while there are none."""

    low: float
    high: float
    positive: float
    """The smallest value above zero, for a logarithmic axis; NaN when there is none."""


class _Growing:
    """An array that grows at its end, with the room for it."""

    def __init__(self, dtype: type) -> None:
        self._room: NDArray[Any] = np.empty(0, dtype)
        self.size = 0

    def append(self, block: NDArray[Any]) -> None:
        wanted = self.size + len(block)
        if wanted > len(self._room):
            room = np.empty(max(64, int(wanted * GROWTH)), self._room.dtype)
            room[: self.size] = self.view()
            self._room = room
        self._room[self.size : wanted] = block
        self.size = wanted

    def view(self) -> NDArray[Any]:
        return self._room[: self.size]


class Series:
    """A column of numbers by step, with a min/max pyramid: appended in blocks, read in windows of O(width)."""

    def __init__(self) -> None:
        self._values = _Growing(_STORED)
        self._levels: list[tuple[_Growing, _Growing]] = []
        self._bad_from, self._bad_to = _Growing(np.uint32), _Growing(np.uint32)
        self._range = FiniteRange(math.nan, math.nan, math.nan)
        self._windows: dict[tuple[float, float, int], tuple[int, Window]] = {}

    def __len__(self) -> int:
        return self._values.size

    @property
    def values(self) -> Floats:
        """All values, read-only; NaN and infinities included."""
        view = self._values.view()
        view.flags.writeable = False
        return view

    @property
    def last(self) -> float:
        """The newest value, finite or not; NaN when there is none."""
        return float(self._values.view()[-1]) if len(self) else math.nan

    @property
    def last_finite(self) -> tuple[int, float] | None:
        """(step, value) of the newest finite value."""
        at = len(self) - 1
        if self._bad_to.size and self._bad_to.view()[-1] == len(self):
            at = int(self._bad_from.view()[-1]) - 1
        return (at, float(self._values.view()[at])) if at >= 0 else None

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        parts = [self._values, self._bad_from, self._bad_to, *(part for level in self._levels for part in level)]
        return sum(part._room.nbytes for part in parts)

    def finite_range(self) -> FiniteRange:
        """Lowest, highest and smallest positive finite value so far, in O(1)."""
        return self._range

    def extend(self, values: ArrayLike) -> None:
        """Append numbers of any float type; kept as float32, so what float32 cannot hold becomes an infinity."""
        with np.errstate(over="ignore"):
            block = np.asarray(values, dtype=_STORED).reshape(-1)
        if not len(block):
            return
        finite = np.isfinite(block)
        self._note_bad_runs(finite)
        self._note_range(block[finite])
        self._values.append(block)
        if self._values.size // FACTOR > (self._levels[0][0].size if self._levels else 0):
            self._build_levels()

    def cut(self, count: int) -> Series:
        """The first `count` values, or all where there are not so many, as a series of its own."""
        shorter = Series()
        shorter.extend(self._values.view()[:count])
        return shorter

    def window(self, start: float, stop: float, width: int) -> Window:
        """Steps [start, stop) cut in `width` columns; step x lies in column int((x - start) * width / (stop - start)).

        Asked again for the same range, it only looks at the columns that may have changed. Its arrays are not to be written to.
        """
        key = start, stop, width
        count, known = self._windows.pop(key, (0, None))
        if known is None or count != len(self):
            known = self._window(key, known, count)
        self._windows[key] = len(self), known
        if len(self._windows) > KEPT:
            del self._windows[next(iter(self._windows))]
        return known

    def _window(self, key: tuple[float, float, int], known: Window | None, count: int) -> Window:
        """The window, of which the columns that were complete when there were `count` values are known."""
        start, stop, width = key
        every = _endless_edges(start, stop, width)
        edges = np.minimum(every, len(self))
        before, after = (math.floor((step - start) * width / (stop - start)) for step in (int(edges[0]) - 1, int(edges[-1])))
        before, after = min(before, -1), max(after, width)
        complete = min(int(every[1:].searchsorted(count, "right")), width - 1)
        if known is None or not complete:
            return self.window_at(edges, before, after)
        fresh = self.window_at(edges[complete:], before, after)
        lo, hi, first, last = (np.concatenate((old[:complete], new)) for old, new in zip(known[:4], fresh[:4], strict=True))
        gap, cut = (np.concatenate((old[:complete], new)) for old, new in zip(known[4:6], fresh[4:6], strict=True))
        return Window(lo, hi, first, last, gap, cut, known.before, fresh.after)

    def window_at(self, edges: Places, before: int = -1, after: int | None = None) -> Window:
        """Columns of any size: column c holds the values [edges[c], edges[c + 1]), edges never fall and stay in 0..len.

        `before` and `after` are the columns, outside, of the values next to the first and the last edge.
        """
        first, last, gap, cut = self._ends(edges[:-1], edges[1:])
        lo, hi = self._extremes(edges)
        left, inner, right = (self._finite_at(int(at)) for at in (edges[0] - 1, edges[-1] - 1, edges[-1]))
        return Window(
            lo, hi, first, last, gap, cut,
            before=None if left is None else (before, left),
            after=None if right is None or inner is None else (len(lo) if after is None else after, right),
        )  # fmt: skip

    def _note_bad_runs(self, finite: Flags) -> None:
        """Remember where runs of NaN and infinities begin and end (8 bytes a run)."""
        if finite.all():
            return
        flips = np.flatnonzero(np.diff(~finite, prepend=False, append=False)) + self._values.size
        begins, ends = flips[::2], flips[1::2]
        known = self._bad_to.view()
        if len(known) and known[-1] == begins[0]:
            known[-1] = ends[0]
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
        self._range = FiniteRange(_least(known.low, low), -_least(-known.high, -high), _least(known.positive, positive))

    def _build_levels(self) -> None:
        """Complete buckets only: the tail of each level waits until FACTOR of them are there."""
        raw = self._values.view()
        below: tuple[NDArray[Any], NDArray[Any]] = (raw, raw)
        for number in range(64):
            complete = len(below[0]) // FACTOR
            if not complete:
                return
            if number == len(self._levels):
                self._levels.append((_Growing(_STORED), _Growing(_STORED)))
            lows, highs = self._levels[number]
            part = slice(lows.size * FACTOR, complete * FACTOR)
            lo, hi = _cleaned(raw[part]) if number == 0 else (below[0][part], below[1][part])
            lows.append(lo.reshape(-1, FACTOR).min(axis=1))
            highs.append(hi.reshape(-1, FACTOR).max(axis=1))
            below = lows.view(), highs.view()

    def _extremes(self, edges: Places) -> tuple[Floats, Floats]:
        """Lowest and highest finite value of each column: ragged ends level by level, then whole buckets at once."""
        a, b, bucket = edges[:-1], edges[1:], edges
        lo, hi = np.full(len(a), _INF), np.full(len(a), -_INF)
        number = 0
        while a[0] + AT_ONCE < b[-1]:
            index = (bucket & ~(FACTOR - 1)) + _OFFSETS
            lows, highs = self._read(number, index)
            for side in (slice(None, -1), slice(1, None)):
                outside = (index[:, side] < a) | (index[:, side] >= b)
                np.minimum(lo, np.where(outside, _INF, lows[:, side]).min(axis=0), out=lo)
                np.maximum(hi, np.where(outside, -_INF, highs[:, side]).max(axis=0), out=hi)
            a, b, bucket, number = (a + FACTOR - 1) >> SHIFT, b >> SHIFT, bucket >> SHIFT, number + 1
        if (a < b).any():
            lows, highs = self._stretch(number, int(a[0]), int(b[-1]))
            pairs, full = np.minimum(np.stack((a, b), axis=1).reshape(-1), b[-1]) - a[0], a < b
            np.minimum(lo, np.minimum.reduceat(lows, pairs)[::2], out=lo, where=full)
            np.maximum(hi, np.maximum.reduceat(highs, pairs)[::2], out=hi, where=full)
        empty = lo > hi
        lo[empty] = hi[empty] = np.nan
        return lo, hi

    def _read(self, number: int, index: Places) -> tuple[Floats, Floats]:
        """Lows and highs of values (level 0) or of buckets; places beyond the end may hold anything."""
        if number == 0:
            return _cleaned(self._values.view().take(index, mode="clip"))
        lows, highs = self._levels[number - 1]
        return lows.view().take(index, mode="clip"), highs.view().take(index, mode="clip")

    def _stretch(self, number: int, start: int, stop: int) -> tuple[Floats, Floats]:
        """Lows and highs of [start, stop), and a zero after them."""
        if number == 0:
            return _cleaned(np.append(self._values.view()[start:stop], _STORED(0)))
        lows, highs = self._levels[number - 1]
        return np.append(lows.view()[start:stop], _STORED(0)), np.append(highs.view()[start:stop], _STORED(0))

    def _ends(self, a: Places, b: Places) -> tuple[Floats, Floats, Flags, Flags]:
        """First and last finite value of the columns [a, b), gap and cut, by the runs of what is not finite."""
        full = a < b
        first, last = a, b - 1
        gap = cut = np.zeros(len(a), bool)
        if self._bad_to.size:
            coming = self._bad_to.view().searchsorted(a.astype(np.uint32), "right")
            begins = self._run(self._bad_from, coming)
            gap = full & (begins < b)
            first = np.where(begins <= a, self._run(self._bad_to, coming), a)
            gone = self._bad_from.view().searchsorted(last.clip(0).astype(np.uint32), "right") - 1
            last = np.where(self._run(self._bad_to, gone) > last, self._run(self._bad_from, gone) - 1, last)
            full = full & (first < b)
            ended = self._bad_to.view().searchsorted(first.clip(0).astype(np.uint32))
            cut = full & (self._run(self._bad_to, ended) == first)
        return self._pick(first, full), self._pick(last, full), gap, cut

    def _run(self, edge: _Growing, number: Places) -> Places:
        """Where the numbered runs begin or end; beyond the last run: beyond every step, before the first: -1."""
        place: Places = edge.view().take(number, mode="clip").astype(np.int64)
        place[number < 0] = -1
        place[number >= edge.size] = 1 << 40
        return place

    def _pick(self, places: Places, full: Flags) -> Floats:
        if not len(self):
            return np.full(len(places), np.nan, _STORED)
        return np.where(full, self._values.view().take(places, mode="clip"), _STORED(np.nan))

    def _finite_at(self, place: int) -> float | None:
        value = float(self._values.view()[place]) if 0 <= place < len(self) else math.nan
        return value if math.isfinite(value) else None


def window_of(x: ArrayLike, y: ArrayLike, start: float, stop: float, width: int) -> Window:
    """The window of a few points with their own, increasing x, such as a metric by epoch; costs O(len(x))."""
    series = Series()
    series.extend(y)
    columns = columns_of(np.asarray(x, np.float64), start, stop, width)
    edges = columns.searchsorted(np.arange(width + 1))
    outside = columns[max(edges[0] - 1, 0) : edges[-1] + 1]
    if not len(outside):
        return series.window_at(edges)
    return series.window_at(edges, int(outside[0]), int(outside[-1]))


def columns_of(x: NDArray[np.float64], start: float, stop: float, width: int) -> Places:
    """The column of each x, rounded down; below 0 left of the range [start, stop), width and more right of it."""
    columns: Places = np.floor((x - start) * width / (stop - start)).astype(np.int64)
    columns[x < start] = columns[x < start].clip(max=-1)
    columns[x >= stop] = columns[x >= stop].clip(min=width)
    return columns


@lru_cache(256)
def _endless_edges(start: float, stop: float, width: int) -> Places:
    """The edges of a series without end; a guess, and then exactly what the formula for a step's column says."""
    columns = np.arange(width + 1)
    near = np.ceil(start + columns * ((stop - start) / width)) + np.array([[-1], [0], [1]])
    edges = near[0] + (np.floor((near - start) * width / (stop - start)) < columns).sum(axis=0)
    whole: Places = edges.clip(max(math.ceil(start), 0), max(math.ceil(stop), 0)).astype(np.int64)
    return whole


def _least(one: float, other: float) -> float:
    """The smaller one; NaN only when both are."""
    return one if one <= other or math.isnan(other) else other


def _cleaned(values: Floats) -> tuple[Floats, Floats]:
    """The values twice, fit for a minimum and for a maximum: what is not finite never wins."""
    finite = np.isfinite(values)
    if finite.all():
        return values, values
    return np.where(finite, values, _INF), np.where(finite, values, -_INF)
