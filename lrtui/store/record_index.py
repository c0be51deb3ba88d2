"""Rows of the samples and log lines of a run, which are read again on demand. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrtui.core.protocol.events import AnyEvent, Rewound, Sampled


class SampleRef(NamedTuple):
    """A sample of a lane. `step`: steps done by then; `row`: of the table of events."""

    step: int
    epoch: int
    row: int


class SampleIndex:
    """The samples of all lanes, without those that a rewind gave up."""

    def __init__(self) -> None:
        self._lanes: dict[int, list[SampleRef]] = {}
        """Of each lane, rising by step."""

    def add(self, row: int, event: AnyEvent) -> None:
        """Add the sample of a row, or drop those that a rewind gives up."""
        if isinstance(event, Sampled):
            # a NaN end draws again, at a step that may have its sample already
            samples = self._cut(event.lane, event.step - 1)
            samples.append(SampleRef(event.step, event.epoch, row))
        elif isinstance(event, Rewound):
            self._cut(event.lane, event.step)

    def of(self, lane: int) -> list[SampleRef]:
        """The samples of a lane, rising by step; not to be changed."""
        return self._lanes.get(lane, [])

    def at(self, lane: int, step: int) -> SampleRef | None:
        """The lane's newest sample at or before `step`."""
        samples = self.of(lane)
        count = bisect_right(samples, step, key=lambda sample: sample.step)
        return samples[count - 1] if count else None

    def steps(self, lanes: list[int]) -> list[int]:
        """Steps at which any of these lanes has a sample, rising."""
        return sorted({sample.step for lane in lanes for sample in self.of(lane)})

    def _cut(self, lane: int, step: int) -> list[SampleRef]:
        """Drop the lane's samples after `step`; the list that is left."""
        samples = self._lanes.setdefault(lane, [])
        while samples and samples[-1].step > step:
            samples.pop()
        return samples


class LogIndex:
    """Row and lane of each log line; 12 bytes per line, so that all of them can be kept."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._lanes = array("i")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: int, lane: int) -> None:
        """Append a line; row 0 if the record does not hold it. `lane` is -1 for the whole run."""
        self._rows.append(row)
        self._lanes.append(lane)

    def row(self, number: int) -> int:
        """Row of a line by its number, counted from 0."""
        return self._rows[number]

    def among(self, lanes: list[int]) -> NDArray[np.intp]:
        """Numbers of the lines of these lanes and of the whole run, rising."""
        return np.flatnonzero(np.isin(np.array(self._lanes, np.int32), [-1, *lanes]))
