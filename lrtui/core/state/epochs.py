"""The ends of a lane's epochs, in columns: some forty bytes each, where an event takes half a
kilobyte."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lrtui.core.protocol.events import Evaluated
from lrtui.core.series.array_buffer import ArrayBuffer, Float64Array, Int64Array


class Epochs:
    """What was measured at the end of each epoch, rising by epoch and step."""

    def __init__(self) -> None:
        self.last: Evaluated | None = None
        """The newest one, as it was told."""
        self.returns = 0
        """How often some were forgotten: what was read of them before may not be so any more."""
        self._epochs, self._steps, self._losses = (
            ArrayBuffer(np.int64),
            ArrayBuffer(np.int64),
            ArrayBuffer(np.float64),
        )
        self._metrics: dict[str, tuple[ArrayBuffer, ArrayBuffer]] = {}
        """By name: the places at which it was measured, and its values."""

    def __len__(self) -> int:
        return self._steps.size

    def __iter__(self) -> Iterator[int]:
        """The epochs, counted from 1."""
        return iter(self._epochs.view().tolist())

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        columns = [
            self._epochs,
            self._steps,
            self._losses,
            *(column for pair in self._metrics.values() for column in pair),
        ]
        return sum(column.nbytes for column in columns)

    @property
    def steps(self) -> Int64Array:
        """Steps done at the end of each."""
        return self._steps.view()

    @property
    def losses(self) -> Float64Array:
        """The mean training loss of each."""
        return self._losses.view()

    @property
    def metrics(self) -> list[str]:
        """The names of all that was ever measured."""
        return list(self._metrics)

    def metric(self, name: str, since: int = 0) -> tuple[Int64Array, Float64Array]:
        """(steps done, values) of a metric from the place `since` on; empty where it was not
        measured."""
        if name not in self._metrics:
            return np.empty(0, np.int64), np.empty(0)
        places, values = (column.view() for column in self._metrics[name])
        first = int(places.searchsorted(since))
        return self.steps[places[first:]], values[first:]

    def take(self, event: Evaluated) -> None:
        """Adds the end of an epoch; one that comes again replaces those that stand there from it
        on."""
        known = int(self._epochs.view().searchsorted(event.epoch))
        self._shorten(known)
        for name, value in event.metrics.items():
            places, values = self._metrics.setdefault(
                name, (ArrayBuffer(np.int64), ArrayBuffer(np.float64))
            )
            places.append(np.array([len(self)]))
            values.append(np.array([value]))
        for column, number in (
            (self._epochs, event.epoch),
            (self._steps, event.step),
            (self._losses, event.loss),
        ):
            column.append(np.array([number]))
        self.last = event

    def cut(self, step: int) -> None:
        """Forgets those that ended after so many steps."""
        self._shorten(int(self.steps.searchsorted(step, "right")))

    def _shorten(self, count: int) -> None:
        if count >= len(self):
            return
        self.returns += 1
        for column in (self._epochs, self._steps, self._losses):
            column.shorten(count)
        for places, values in self._metrics.values():
            kept = int(places.view().searchsorted(count))
            places.shorten(kept)
            values.shorten(kept)
        self.last = self._told(count - 1) if count and self.last else None

    def _told(self, place: int) -> Evaluated:
        """One of them as an event again."""
        assert self.last is not None
        metrics = {
            name: float(values.view()[at])
            for name, (places, values) in self._metrics.items()
            if (at := int(places.view().searchsorted(place))) < places.size
            and places.view()[at] == place
        }
        return Evaluated(
            lane=self.last.lane,
            epoch=int(self._epochs.view()[place]),
            step=int(self.steps[place]),
            loss=float(self.losses[place]),
            metrics=metrics,
        )
