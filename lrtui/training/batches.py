"""The training batches of a lane, from any one of them on. Knows no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader

from lrtui.core.errors import TaskError
from lrtui.training import rng
from lrtui.training.order import BatchOrder, order_checksum


class Batches:
    """Epochs of batches, on the CPU, in an order that is the same in every lane.

    Of a Dataset, the order is a function of seed and epoch, and an epoch that begins in its middle fetches nothing of what
    was before. A task's own DataLoader is used as it is; there, what was before is drawn again and thrown away, from the
    random state that the epoch began with.
    """

    def __init__(self, data: Any, seed: int, batch_size: int, device: torch.device, held: Sequence[rng.Source]) -> None:
        """`held`: the generators that are the task's own, which an own DataLoader may draw from."""
        self._order = None if isinstance(data, DataLoader) else BatchOrder(seed, len(data), batch_size)
        self._loader = loader(data, batch_sampler=self._order)
        self._device, self._held = device, held
        self._began: rng.RandomState | None = None
        """What an own loader drew the present epoch from."""

    def __len__(self) -> int:
        """Batches of an epoch."""
        try:
            return len(self._loader)
        except TypeError as error:
            raise TaskError("the training data has no length", "expected a Dataset or DataLoader with __len__") from error

    @property
    def checksum(self) -> str:
        """Stands for the order of the first epoch's batches."""
        return order_checksum(_own_order(self._loader, self._held) if self._order is None else self._order)

    def epoch(self, epoch: int, done: int) -> Iterator[Any]:
        """The batches of `epoch` (counted from 0) but for the first `done` of them."""
        if self._order is not None:
            self._order.epoch, self._order.first = epoch, done
            return iter(self._loader)
        if done:
            return self._again(done)
        self._began = rng.capture(self._device, self._held)
        return iter(self._loader)

    def state_dict(self) -> Any:
        """What the batches of the present epoch are drawn from, as plain values; None where nothing is drawn."""
        return None if self._began is None else rng.packed(self._began)

    def load_state_dict(self, kept: Any) -> None:
        """Takes what `state_dict` gave."""
        self._began = None if kept is None else rng.unpacked(kept, self._device)

    def _again(self, done: int) -> Iterator[Any]:
        assert self._began is not None
        now = rng.capture(self._device, self._held)
        rng.restore(self._began, self._device, self._held)
        batches = iter(self._loader)
        for _ in range(done):
            next(batches)
        rng.restore(now, self._device, self._held)
        return batches


def loader(data: Any, **batching: Any) -> DataLoader[Any]:
    """A DataLoader over `data`, unless it is one. It seeds itself from a generator of its own: each pass over a loader
    draws a number, which must not come out of the lane's random state."""
    if isinstance(data, DataLoader):
        return data
    return DataLoader(data, generator=torch.Generator().manual_seed(0), **batching)


def _own_order(data: DataLoader[Any], held: Sequence[rng.Source]) -> Sequence[Sequence[int]]:
    """The batches that a task's own loader will make first, its generators left as they were."""
    now = rng.capture(torch.device("cpu"), held)
    batches = [list(batch) for batch in data.batch_sampler] if data.batch_sampler is not None else []
    rng.restore(now, torch.device("cpu"), held)
    return batches
