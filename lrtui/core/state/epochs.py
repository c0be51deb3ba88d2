"""The ends of a lane's epochs, in columns: about 40 bytes each, where an event takes 500."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lrtui.core.protocol.events import Evaluated
from lrtui.core.series.array_buffer import ArrayBuffer, Float64Array, Int64Array


class Epochs:
    """Losses and metrics at the end of each epoch, rising by epoch and step."""

    def __init__(self) -> None:
        self.last: Evaluated | None = None
        """The newest event."""
        self.cuts = 0
        """Incremented whenever epochs are removed; readers compare it to drop their caches."""
        self._epochs, self._steps, self._losses = (
            ArrayBuffer(np.int64),
            ArrayBuffer(np.int64),
            ArrayBuffer(np.float64),
        )
        self._metrics: dict[str, tuple[ArrayBuffer, ArrayBuffer]] = {}
        """By name: the indices of the epochs that have the metric, and its values."""

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
        """Names of all metrics so far."""
        return list(self._metrics)

    def metric(self, name: str, since: int = 0) -> tuple[Int64Array, Float64Array]:
        """(steps done, values) of a metric from the index `since` on; empty if it has none."""
        if name not in self._metrics:
            return np.empty(0, np.int64), np.empty(0)
        indices, values = (column.view() for column in self._metrics[name])
        first = int(indices.searchsorted(since))
        return self.steps[indices[first:]], values[first:]

    def newest(self, name: str) -> tuple[int, float] | None:
        """(steps done, value) of the newest value of a metric; None without one."""
        indices, values = (column.view() for column in self._metrics[name])
        return (int(self.steps[indices[-1]]), float(values[-1])) if len(values) else None

    def apply(self, event: Evaluated) -> None:
        """Append an evaluation. One at a step that is known replaces those from it on: the epoch
        whose end a snapshot was taken at may come twice. But at the end of data of unknown length
        both an evaluation within the epoch and its end are kept."""
        known = int(self.steps.searchsorted(event.step))
        same_step = known < len(self) and self.steps[known] == event.step
        if same_step and self._epochs.view()[known] < event.epoch:
            known += 1
        self._shorten(known)
        for name, value in event.metrics.items():
            indices, values = self._metrics.setdefault(
                name, (ArrayBuffer(np.int64), ArrayBuffer(np.float64))
            )
            indices.append(np.array([len(self)]))
            values.append(np.array([value]))
        for column, number in (
            (self._epochs, event.epoch),
            (self._steps, event.step),
            (self._losses, event.loss),
        ):
            column.append(np.array([number]))
        self.last = event

    def cut(self, step: int) -> None:
        """Drop the epochs that ended after more than `step` steps."""
        self._shorten(int(self.steps.searchsorted(step, "right")))

    def _shorten(self, count: int) -> None:
        if count >= len(self):
            return
        self.cuts += 1
        for column in (self._epochs, self._steps, self._losses):
            column.shorten(count)
        for indices, values in self._metrics.values():
            kept = int(indices.view().searchsorted(count))
            indices.shorten(kept)
            values.shorten(kept)
        self.last = self._event(count - 1) if count and self.last else None

    def _event(self, index: int) -> Evaluated:
        """An epoch as an event again."""
        assert self.last is not None
        metrics = {
            name: float(values.view()[at])
            for name, (indices, values) in self._metrics.items()
            if (at := int(indices.view().searchsorted(index))) < indices.size
            and indices.view()[at] == index
        }
        return Evaluated(
            lane=self.last.lane,
            epoch=int(self._epochs.view()[index]),
            step=int(self.steps[index]),
            loss=float(self.losses[index]),
            metrics=metrics,
        )
