"""Training time and wall time of a lane's steps, for the time axes of curves.

Folding a block costs a sum and a few marks; the time of each step is computed on the first read and
extended from then on.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from lrtui.core.series.array_buffer import ArrayBuffer, Float64Array, Int64Array
from lrtui.core.series.series import KEPT, Series

STRIDE = 256
"""Steps between two stored training times; between them the column of seconds is summed."""
MAX_STEP_S = 1e9
"""Longest step that counts, in seconds; longer ones are damage, whose sums fit no axis."""
_MAX_STEP = 1 << 40


class Clock:
    """Training time and wall time of a lane's steps. A step (counted from 0) lies where it ends.

    Steps before `forked_at` are inherited by a fork; all of them lie at `since`, its initial time.
    """

    def __init__(self, forked_at: int = 0, since: float = 0.0) -> None:
        self.origin = math.nan
        """Wall time (seconds since 1970) of the axis' zero; NaN: the start of the lane."""
        self.steps, self.total = forked_at, since
        """Steps done, and the training seconds they took."""
        self._begin, self._since = forked_at, since
        self._strides = ArrayBuffer(np.float64)
        self._strides.append(np.full(forked_at // STRIDE + 1, since))
        self._done, self._spent, self._at = (
            ArrayBuffer(np.int64),
            ArrayBuffer(np.float64),
            ArrayBuffer(np.float64),
        )
        """Marks: steps done, training time and wall time at that moment. All three rise."""
        self._loose = False
        """True if the last mark is only the end of a block, which that of the next block
        replaces."""
        self._seconds = Series()
        self._edges: dict[Hashable, tuple[float, Int64Array]] = {}
        """Edges by key, and the second up to which they are final."""
        self._fine, self._fine_total, self._fine_from = ArrayBuffer(np.float32), since, 0

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        return sum(
            part.nbytes for part in (self._strides, self._done, self._spent, self._at, self._fine)
        )

    @property
    def own_seconds(self) -> float:
        """Training seconds of the steps since `forked_at`."""
        return self.total - self._since

    def extend(self, first: int, seconds: NDArray[np.floating], at: float, column: Series) -> None:
        """Append a block of steps from `first` on: the seconds of each, shape (n,), the wall time
        of the event, and the lane's whole column of seconds."""
        if first != self.steps:
            self.cut(first, column)
        took = _counted(seconds)
        if not self._done.size:
            self.mark(at - float(took.sum()))
        # one after another: the same bits whatever the blocks
        sums = np.cumsum(np.concatenate(([self.total], took)))[1:]
        due = np.arange(-(-(first + 1) // STRIDE) * STRIDE, first + len(sums) + 1, STRIDE)
        self._strides.append(sums[due - first - 1])
        self.steps, self.total, self._seconds = first + len(sums), float(sums[-1]), column
        if self._loose and self.steps - self._done.view()[-2] <= STRIDE:
            self._drop_mark()
        self.mark(at)
        self._loose = self._done.size > 1

    def mark(self, at: float) -> None:
        """Record the wall time of the steps so far: before and after a pause, an evaluation, a
        block."""
        if self._at.size:
            at = max(at, float(self._at.view()[-1]))
            if self._done.view()[-2:].tolist() == [self.steps] * 2:
                self._drop_mark()  # of a standstill, only its two ends count
        for column, value in zip(
            (self._done, self._spent, self._at), (self.steps, self.total, at), strict=True
        ):
            column.append(np.array([value]))
        self._loose = False

    def cut(self, step: int, column: Series | None) -> None:
        """Drop everything from `step` on; a step beyond the last one (a hole in the record) adds
        steps of zero seconds. `column` as for `extend`."""
        column = Series() if column is None else column
        if step < self._begin:  # a fork restarted from the initial weights
            self._begin, self._since = step, 0.0
            self.steps, self.total = step, 0.0
            self._strides.shorten(0)
            self._strides.append(np.zeros(step // STRIDE + 1))
        elif step > self.steps:
            missing = step // STRIDE + 1 - self._strides.size
            self._strides.append(np.full(missing, self.total))
        else:
            self.total = self.spent(step)
            self._strides.shorten(step // STRIDE + 1)
        for part in (self._done, self._spent, self._at):
            part.shorten(
                int(self._done.view().searchsorted(step, "right"))
                if step < self.steps
                else part.size
            )
        self.steps, self._seconds, self._loose = step, column, False
        self._edges.clear()
        self._begin_column(column.forgotten // STRIDE * STRIDE)

    def spent(self, step: int) -> float:
        """Training seconds of the first `step` steps, as far as they are recorded."""
        step = min(step, self.steps)
        if step <= self._begin:
            return self._since
        begun = max(step // STRIDE * STRIDE, self._begin)
        return float(
            self._strides.view()[step // STRIDE] + _counted(self._seconds.part(begun, step)).sum()
        )

    def time(self, steps: Int64Array) -> Float64Array:
        """Training seconds at the end of each step, float64 of the shape of `steps`; future steps
        are extrapolated at the mean pace."""
        fine = self._column()
        index = steps - self._fine_from
        known: Float64Array = np.full(steps.shape, self._since)
        if fine.size:
            known = fine.take(index.clip(0), mode="clip").astype(np.float64)
        early = index < 0
        if early.any():
            known[early] = np.interp(
                steps[early] + 1, np.arange(self._strides.size) * STRIDE, self._strides.view()
            )
        known[steps < self._begin] = self._since
        return known + (steps + 1 - self.steps).clip(0) * self._pace(self.total - self._since)

    def wall(self, steps: Int64Array) -> Float64Array:
        """Seconds of wall time since `origin`, likewise."""
        if self._at.size < 2:
            return self._began() + (steps + 1 - self._begin).clip(0).astype(np.float64)
        done, spent, at = self._done.view(), self._spent.view(), self._at.view()
        mark = (done.searchsorted(steps, "right") - 1).clip(0, len(done) - 2)
        share = self._share(self.time(steps) - spent[mark], steps + 1 - done[mark], mark)
        known: Float64Array = at[mark] + share * (at[mark + 1] - at[mark]) - self._zero()
        return known + (steps + 1 - self.steps).clip(0) * self._pace(float(at[-1] - at[0]))

    def edges(self, bounds: Float64Array, wall: bool, key: Hashable) -> Int64Array:
        """First step that ends at or after each second of wall time since `origin`, or of training
        time; never falling.

        Extrapolated beyond the last step at the mean pace. A repeated call with the same `key` only
        searches behind the seconds that are final.
        """
        final, known = self._edges.pop(key, (-math.inf, np.empty(0, np.int64)))
        begin = min(int(bounds.searchsorted(final)), len(known))
        fresh = self.first_at_wall(bounds[begin:]) if wall else self.first_at_time(bounds[begin:])
        found = np.concatenate((known[:begin], fresh)) if begin else fresh
        if wall and self._at.size > 2:
            final = float(self._at.view()[-3]) - self._zero()
        elif not wall:
            final = self.total * (1 - 1e-6)  # times are kept as float32
        self._edges[key] = final, found
        if len(self._edges) > KEPT:
            del self._edges[next(iter(self._edges))]
        return found

    def first_at_time(self, seconds: Float64Array) -> Int64Array:
        """First step that ends at or after each training time; extrapolated beyond the last one."""
        fine = self._column()
        found = fine.searchsorted(seconds.astype(np.float32)) + self._fine_from
        early = found == self._fine_from
        if self._fine_from and early.any():
            strides = self._strides.view()[: self._fine_from // STRIDE + 1]
            position = np.interp(seconds[early], strides, np.arange(len(strides)) * STRIDE) - 1
            found[early] = np.ceil(position).clip(0)
        return self._ahead(found, seconds - self.total, self._pace(self.total - self._since))

    def first_at_wall(self, seconds: Float64Array) -> Int64Array:
        """The first step that ends at or after each wall time since `origin`, likewise."""
        if self._at.size < 2:
            return (
                np.ceil(seconds - self._began() - 1 + self._begin)
                .clip(0, _MAX_STEP)
                .astype(np.int64)
            )
        done, spent, at = self._done.view(), self._spent.view(), self._at.view() - self._zero()
        mark = (at.searchsorted(seconds) - 1).clip(0, len(at) - 2)
        length = at[mark + 1] - at[mark]
        share = np.divide(seconds - at[mark], length, out=np.zeros(len(seconds)), where=length > 0)
        passed = spent[mark + 1] - spent[mark]
        found = self.first_at_time(spent[mark] + share * passed)
        still = passed <= 0
        found[still] = np.ceil(done[mark] + share * (done[mark + 1] - done[mark]) - 1)[still]
        found = np.where(seconds <= at[0], 0, found.clip(done[mark], done[mark + 1]))
        return self._ahead(
            np.maximum.accumulate(found), seconds - at[-1], self._pace(float(at[-1] - at[0]))
        )

    def end(self, wall: bool) -> float:
        """End of the axis: the last mark in wall time, or the last step in training time."""
        return (
            (float(self._at.view()[-1]) - self._zero() if self._at.size else 0.0)
            if wall
            else self.total
        )

    def thin(self, step: int) -> None:
        """Keep only the times at STRIDE steps before `step`, whose seconds the column has
        dropped."""
        gone = step // STRIDE * STRIDE - self._fine_from
        self._edges.clear()
        if gone >= self._fine.size:
            self._begin_column(self._fine_from + max(gone, 0))
        elif gone > 0:
            self._fine.drop(gone)
            self._fine_from += gone

    def _begin_column(self, step: int) -> None:
        """Recompute the times on the next read, from a step on that is a multiple of STRIDE."""
        self._fine, self._fine_from = ArrayBuffer(np.float32), step
        self._fine_total = float(self._strides.view()[step // STRIDE])

    def _column(self) -> NDArray[np.float32]:
        """Training time at the end of each step from `_fine_from` on, brought up to date."""
        held = self._fine_from + self._fine.size
        if held < self.steps:
            took = _counted(self._seconds.part(held, self.steps))
            sums = self._fine_total + np.cumsum(np.pad(took, (0, self.steps - held - len(took))))
            self._fine_total = float(sums[-1])
            self._fine.append(sums)
        fine: NDArray[np.float32] = self._fine.view()
        return fine

    def _share(self, spent: Float64Array, made: Int64Array, mark: Int64Array) -> Float64Array:
        """Fraction of the way from a mark to the next at a step: by training time, or by steps if
        the training time stood still."""
        whole, steps = np.diff(self._spent.view())[mark], np.diff(self._done.view())[mark]
        by_steps = made / np.maximum(steps, 1)
        return np.divide(spent, whole, out=by_steps, where=whole > 0).clip(0, 1)

    def _ahead(self, found: Int64Array, beyond: Float64Array, pace: float) -> Int64Array:
        """The steps found; those beyond the end extrapolated by `pace`, seconds per step."""
        ahead = self.steps - 1 + np.ceil((beyond / pace).clip(0, _MAX_STEP))
        return np.where(
            beyond > 0, np.maximum(ahead, self.steps), np.minimum(found, self.steps)
        ).astype(np.int64)

    def _pace(self, seconds: float) -> float:
        """Mean seconds per step; 1.0 before the first step."""
        made = self.steps - self._begin
        return seconds / made if made > 0 and seconds > 0 else 1.0

    def _began(self) -> float:
        return float(self._at.view()[0]) - self._zero() if self._at.size else 0.0

    def _zero(self) -> float:
        return self.origin if math.isfinite(self.origin) else float(self._at.view()[0])

    def _drop_mark(self) -> None:
        for part in (self._done, self._spent, self._at):
            part.shorten(part.size - 1)


def _counted(seconds: NDArray[np.floating]) -> Float64Array:
    """Seconds of steps as they add up: NaN, negative and oversized values count as 0."""
    counted: Float64Array = np.where((seconds > 0) & (seconds < MAX_STEP_S), seconds, 0).astype(
        np.float64
    )
    return counted
