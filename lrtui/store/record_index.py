"""Where in the record those things lie that are read again when somebody looks back: pictures and
lines of the log. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrtui.core.protocol.events import AnyEvent, Rewound, Sampled


class SampleRef(NamedTuple):
    """Where a sample of a lane lies. `step`: steps done by then; `row`: of the table of events."""

    step: int
    epoch: int
    row: int


class SampleIndex:
    """The samples of all lanes, those that a way back has undone left out."""

    def __init__(self) -> None:
        self._lanes: dict[int, list[SampleRef]] = {}
        """Of each lane, rising by step."""

    def add(self, row: int, event: AnyEvent) -> None:
        """Notes a sample that lies in a row, or forgets those that are to come anew."""
        known = (
            self._lanes.setdefault(event.lane, []) if isinstance(event, Sampled | Rewound) else []
        )
        if isinstance(event, Sampled):
            # an end that was NaN draws again what may be drawn already
            self._keep(known, event.step - 1)
            known.append(SampleRef(event.step, event.epoch, row))
        elif isinstance(event, Rewound):
            self._keep(known, event.step)

    def of(self, lane: int) -> list[SampleRef]:
        """All of a lane, rising by step; not to be changed."""
        return self._lanes.get(lane, [])

    def at(self, lane: int, step: int) -> SampleRef | None:
        """A lane's newest one that was drawn after `step` steps or before."""
        known = self.of(lane)
        place = bisect_right(known, step, key=lambda picture: picture.step)
        return known[place - 1] if place else None

    def steps(self, lanes: list[int]) -> list[int]:
        """The steps after which any of these lanes has drawn, rising."""
        return sorted({picture.step for lane in lanes for picture in self.of(lane)})

    @staticmethod
    def _keep(known: list[SampleRef], step: int) -> None:
        """Forgets those beyond a step."""
        while known and known[-1].step > step:
            known.pop()


class LogIndex:
    """The row and the lane of each line of the log: 12 bytes a line, so that all of them can be
    found again."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._lanes = array("i")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: int, lane: int) -> None:
        """Notes the next line; row 0 where the record does not hold it. `lane` is -1 for the whole
        run."""
        self._rows.append(row)
        self._lanes.append(lane)

    def row(self, number: int) -> int:
        """The row of a line, counted from 0."""
        return self._rows[number]

    def among(self, lanes: list[int]) -> NDArray[np.intp]:
        """The numbers of the lines that concern any of these lanes or the whole run, rising."""
        return np.flatnonzero(np.isin(np.array(self._lanes, np.int32), [-1, *lanes]))
