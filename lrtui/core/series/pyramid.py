"""A min/max pyramid: the extremes of every 16, 256, 4096, ... numbers, for the extremes of any
range in a few reads.

The oldest single numbers may be thinned to their buckets of 16, those to buckets of 256, and so on:
a thinned range is rounded outward to whole buckets, so that no extreme is ever lost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrtui.core.series.array_buffer import ArrayBuffer, Floats, Int64Array

SHIFT = 4
FACTOR = 1 << SHIFT
"""Values per bucket, buckets per bucket of the next level."""
AT_ONCE = 32768
"""Most values or buckets read at once; beyond it the next level is cheaper."""
LEAST = 4096
"""Newest values, and newest buckets of each level, that are never thinned."""
STORED = np.float32
_INF = STORED(np.inf)
_OFFSETS = np.arange(FACTOR)[:, None]


class Pyramid:
    """Float32 numbers, NaN and infinities among them, and the finite extremes of their buckets."""

    def __init__(self) -> None:
        self._values = ArrayBuffer(STORED)
        self._levels: list[tuple[ArrayBuffer, ArrayBuffer]] = []
        self._gone: list[int] = [0]
        """Thinned values, and thinned buckets of each level; multiples of FACTOR, covered by the
        level above."""

    def __len__(self) -> int:
        return self._gone[0] + self._values.size

    @property
    def forgotten(self) -> int:
        """Number of first values that are known only by their buckets."""
        return self._gone[0]

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        return sum(
            part.nbytes
            for part in (self._values, *(part for level in self._levels for part in level))
        )

    def append(self, block: Floats) -> None:
        """Append float32 numbers, shape (n,)."""
        self._values.append(block)
        if len(self) // FACTOR > (self._gone[1] + self._levels[0][0].size if self._levels else 0):
            self._build_levels()

    def thin(self) -> int:
        """Drop the older half of the single values; of buckets of 16, of 256, ... once few are
        left. Return the bytes freed."""
        before = self.nbytes
        for number in range(len(self._levels)):
            held = self._held(number)
            count = (held.size - max(LEAST, held.size // 2)) // FACTOR * FACTOR
            if count >= FACTOR * FACTOR:
                for part in (self._values,) if number == 0 else self._levels[number - 1]:
                    part.drop(count)
                self._gone[number] += count
                break
        return before - self.nbytes

    def forgotten_of(self, count: int) -> int:
        """Numbers among the first `count` that stay thinned after `cut`: whole buckets."""
        return min(self._gone[0], count // FACTOR * FACTOR)

    def cut(self, count: int, tail: Floats) -> Pyramid:
        """A new pyramid of the first `count` numbers; `tail`: those from `forgotten_of(count)` on.

        Of a thinned bucket that is cut in two, only `tail` is left.
        """
        shorter = Pyramid()
        gone = [
            min(known, count >> SHIFT * (number + 1) << SHIFT)
            for number, known in enumerate(self._gone)
        ]
        for number in range(len(self._levels), 0, -1):
            index = np.arange(gone[number], count >> SHIFT * number)
            shorter._levels.insert(0, (ArrayBuffer(STORED), ArrayBuffer(STORED)))
            for part, extremes in zip(shorter._levels[0], self.read(number, index), strict=True):
                part.append(extremes)
        shorter._gone = gone
        shorter._values.append(tail)
        return shorter

    def part(self, start: int, stop: int) -> Floats:
        """The numbers [start, stop); a thinned one is the middle of its bucket."""
        held = self._values.view()[max(start - self._gone[0], 0) : max(stop - self._gone[0], 0)]
        early = np.arange(start, min(stop, self._gone[0]))
        return np.concatenate((self.pick(early), held)) if len(early) else held

    def newer(self, index: int) -> float:
        """One number that is not thinned."""
        return float(self._values.view()[index - self._gone[0]])

    def pick(self, indices: Int64Array) -> Floats:
        """The numbers at `indices`, likewise; arbitrary beyond the end."""
        picked = _at(self._values, indices - self._gone[0])
        early = indices < self._gone[0]
        if early.any():
            low, high = self.read(0, indices[early])
            with np.errstate(invalid="ignore"):  # of a bucket without any finite value: NaN
                picked[early] = low / 2 + high / 2
        return picked

    def read(self, number: int, index: Int64Array) -> tuple[Floats, Floats]:
        """Lows and highs of values (level 0) or of buckets; of a thinned one, those of its bucket;
        arbitrary beyond the end."""
        held = index - self._gone[number]
        if number == 0:
            lows, highs = _cleaned(_at(self._values, held))
        else:
            lows, highs = (_at(part, held) for part in self._levels[number - 1])
        if self._gone[number] and (early := held < 0).any():
            lows, highs = lows.copy(), highs.copy()
            lows[early], highs[early] = self.read(number + 1, index[early] >> SHIFT)
        return lows, highs

    def extremes(self, a: Int64Array, b: Int64Array) -> tuple[Floats, Floats]:
        """Lowest and highest finite value of each range [a, b); NaN without one. `a` and `b` rise.

        Ragged ends level by level, then whole buckets at once.
        """
        a, b = self._outward(a, b)
        lo, hi = np.full(len(a), _INF), np.full(len(a), -_INF)
        number = 0
        while a[0] + AT_ONCE < b.max() or a[0] < min(self._first_held(number), b.max()):
            for ends in (a, b):
                index = (ends & ~(FACTOR - 1)) + _OFFSETS
                lows, highs = self.read(number, index)
                outside = (index < a) | (index >= b)
                np.minimum(lo, np.where(outside, _INF, lows).min(axis=0), out=lo)
                np.maximum(hi, np.where(outside, -_INF, highs).max(axis=0), out=hi)
            a, b, number = (a + FACTOR - 1) >> SHIFT, b >> SHIFT, number + 1
        if (a < b).any():
            end = int(b.max())
            lows, highs = self._stretch(number, int(a[0]), end)
            pairs, full = np.minimum(np.stack((a, b), axis=1).reshape(-1), end) - a[0], a < b
            np.minimum(lo, np.minimum.reduceat(lows, pairs)[::2], out=lo, where=full)
            np.maximum(hi, np.maximum.reduceat(highs, pairs)[::2], out=hi, where=full)
        empty = lo > hi
        lo[empty] = hi[empty] = np.nan
        return lo, hi

    def _outward(self, a: Int64Array, b: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Ranges rounded to whole buckets if their single values are thinned; empty ones stay
        so."""
        if not self._gone[0] or a[0] >= self._gone[0]:
            return a, b
        full = a < b
        for number, gone in enumerate(self._gone):
            size, known = FACTOR << SHIFT * number, gone << SHIFT * number
            a = np.where(a < known, a & -size, a)
            b = np.where(b - 1 < known, (b + size - 1) & -size, b)
        return a, np.where(full, b, a)

    def _first_held(self, number: int) -> int:
        return self._gone[number] if number < len(self._gone) else 0

    def _held(self, number: int) -> ArrayBuffer:
        return self._levels[number - 1][0] if number else self._values

    def _build_levels(self) -> None:
        """Complete buckets only: the tail of each level waits until it has FACTOR of them."""
        raw = self._values.view()
        below: tuple[NDArray[Any], NDArray[Any]] = (raw, raw)
        for number in range(64):
            gone = self._gone[number]
            complete = (gone + len(below[0])) // FACTOR
            if not complete:
                return
            if number == len(self._levels):
                self._levels.append((ArrayBuffer(STORED), ArrayBuffer(STORED)))
                self._gone.append(0)
            lows, highs = self._levels[number]
            known = self._gone[number + 1] + lows.size
            part = slice(known * FACTOR - gone, complete * FACTOR - gone)
            lo, hi = _cleaned(raw[part]) if number == 0 else (below[0][part], below[1][part])
            lows.append(lo.reshape(-1, FACTOR).min(axis=1))
            highs.append(hi.reshape(-1, FACTOR).max(axis=1))
            below = lows.view(), highs.view()

    def _stretch(self, number: int, start: int, stop: int) -> tuple[Floats, Floats]:
        """Lows and highs of [start, stop), none of them thinned, with a zero appended."""
        held = slice(start - self._gone[number], stop - self._gone[number])
        if number == 0:
            return _cleaned(np.append(self._values.view()[held], STORED(0)))
        lows, highs = self._levels[number - 1]
        return np.append(lows.view()[held], STORED(0)), np.append(highs.view()[held], STORED(0))


def _at(held: ArrayBuffer, indices: Int64Array) -> Floats:
    """Numbers by index; arbitrary outside."""
    found: Floats = (
        held.view().take(indices, mode="clip") if held.size else np.zeros(indices.shape, STORED)
    )
    return found


def _cleaned(values: Floats) -> tuple[Floats, Floats]:
    """The values for a minimum and for a maximum: one that is not finite never wins."""
    finite = np.isfinite(values)
    if finite.all():
        return values, values
    return np.where(finite, values, _INF), np.where(finite, values, -_INF)
