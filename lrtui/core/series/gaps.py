"""Runs of values that are not finite, in a column of numbers by step; 8 bytes per run."""

from __future__ import annotations

import numpy as np

from lrtui.core.series.array_buffer import ArrayBuffer, Flags, Int64Array

BEYOND = 1 << 40
"""Begin and end of the run after the last one: above every step."""


class Gaps:
    """Runs [begin, end) of NaN and infinities, rising and apart."""

    def __init__(self) -> None:
        self._begins, self._ends = ArrayBuffer(np.uint32), ArrayBuffer(np.uint32)

    @property
    def count(self) -> int:
        """The number of runs."""
        return self._begins.size

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        return self._begins.nbytes + self._ends.nbytes

    def append(self, finite: Flags, start: int) -> None:
        """Add the runs of a block of steps from `start` on, some of which are not finite."""
        known = np.ones(len(finite) + 2, bool)
        known[1:-1] = finite
        flips = np.flatnonzero(known[1:] != known[:-1]) + start
        begins, ends = flips[::2], flips[1::2]
        before = self._ends.view()
        if len(before) and before[-1] == begins[0]:
            before[-1] = ends[0]
            begins, ends = begins[1:], ends[1:]
        self._begins.append(begins)
        self._ends.append(ends)

    def cut(self, count: int) -> Gaps:
        """The runs among the first `count` steps."""
        shorter = Gaps()
        runs = int(self._begins.view().searchsorted(count))
        shorter._begins.append(self._begins.view()[:runs])
        shorter._ends.append(np.minimum(self._ends.view()[:runs], count))
        return shorter

    def mask(self, start: int, stop: int) -> Flags:
        """True for each step of [start, stop) that is not finite."""
        runs = slice(
            int(self._ends.view().searchsorted(start, "right")),
            int(self._begins.view().searchsorted(stop)),
        )
        flips = np.zeros(stop - start + 1, np.int8)
        flips[(self._begins.view()[runs].astype(np.int64) - start).clip(0)] += 1
        flips[(self._ends.view()[runs].astype(np.int64) - start).clip(max=stop - start)] -= 1
        return flips[:-1].cumsum(dtype=np.int8) > 0

    def before(self, edges: Int64Array) -> Int64Array:
        """The step before the last run that begins in each column (edges[c], edges[c + 1]]."""
        begins = self._begins.view()
        count = begins.searchsorted((edges + 1).astype(np.uint32))
        steps: Int64Array = begins[count[1:][count[1:] > count[:-1]] - 1].astype(np.int64) - 1
        return steps[steps >= 0]

    def ends(
        self, a: Int64Array, b: Int64Array
    ) -> tuple[Int64Array, Int64Array, Flags, Flags, Flags]:
        """Of the columns [a, b): first and last finite step; True if it has one; True if it has a
        gap; True if a gap lies right before its first finite step."""
        full = a < b
        first, last = a, b - 1
        gap = cut = np.zeros(len(a), bool)
        if self._ends.size:
            coming = self._ends.view().searchsorted(a.astype(np.uint32), "right")
            begins = _edge(self._begins, coming)
            gap = full & (begins < b)
            first = np.where(begins <= a, _edge(self._ends, coming), a)
            gone = self._begins.view().searchsorted(last.clip(0).astype(np.uint32), "right") - 1
            inside = _edge(self._ends, gone) > last
            last = np.where(inside, _edge(self._begins, gone) - 1, last)
            full = full & (first < b)
            ended = self._ends.view().searchsorted(first.clip(0).astype(np.uint32))
            cut = full & (_edge(self._ends, ended) == first)
        return first, last, full, gap, cut


def _edge(edges: ArrayBuffer, number: Int64Array) -> Int64Array:
    """Begin or end of numbered runs; BEYOND after the last run, -1 before the first."""
    found: Int64Array = edges.view().take(number, mode="clip").astype(np.int64)
    found[number < 0] = -1
    found[number >= edges.size] = BEYOND
    return found
