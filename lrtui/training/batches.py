"""The training batches of a lane, starting at any of them. Knows no model."""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from lrtui.core.errors import TaskError
from lrtui.core.scenario.spec import Race
from lrtui.training import fetching, rng
from lrtui.training.datasets import length
from lrtui.training.object_walk import ObjectWalk, TooLarge
from lrtui.training.order import BatchOrder, order_checksum
from lrtui.training.reachable import Reachable

CHECKED = 10_000
"""Batches of a DataLoader that enter its checksum, at most."""


class Batches:
    """Epochs of batches, on the CPU, in an order that is the same in every lane.

    For a Dataset with indices, the order is a function of seed and epoch, and an epoch that begins
    in its middle fetches no earlier batch. A stream is cut into batches as it comes, and the task's
    own DataLoader is used as it is; there an epoch is one pass of whatever length, and earlier
    batches are drawn again and dropped, from the random state that the epoch began with.
    """

    def __init__(
        self, data: Any, race: Race, device: torch.device, generators: Sequence[rng.Generator]
    ) -> None:
        """`generators`: those of the task, from which its own DataLoader may draw."""
        self.own = isinstance(data, DataLoader)
        """True if the task's dataset() returns a DataLoader."""
        streamed = self.own or isinstance(data, IterableDataset)
        self._order = (
            None
            if streamed
            else BatchOrder(race.seed, len(data), race.batch_size, drop_last=race.drop_last)
        )
        cut = (
            {"batch_size": race.batch_size, "drop_last": race.drop_last}
            if streamed
            else {"batch_sampler": self._order}
        )
        self._loader = loader(data, **cut)
        self._seed, self._device, self._generators = race.seed, device, generators
        self._pass: Generator[Any] | None = None
        self._began: rng.RandomState | None = None
        """Random state at the start of a pass over a stream or the task's own DataLoader."""
        self.length = length(self._loader)
        """Batches of an epoch as the data states it; None if unknown."""
        if self.length == 0:
            raise TaskError(
                f"{len(data)} samples make no batch of {race.batch_size} with drop_last = true",
                "expected a smaller batch_size, or drop_last = false",
            )

    @property
    def exact(self) -> bool:
        """True if every epoch has exactly `length` batches; else its end is known when it comes."""
        return self._order is not None

    @property
    def batch_size(self) -> int | None:
        """Samples of a batch (the last one may be short); None if it varies or is unknown."""
        sampler = self._loader.batch_sampler
        if self._order is None and self._loader.batch_size is None:
            return sampler.batch_size if type(sampler) is BatchSampler else None
        return self._order.batch_size if self._order else self._loader.batch_size

    @property
    def checksum(self) -> str:
        """A checksum of the order of the first epoch's batches; "" if it is unknown before they
        come."""
        return (
            order_checksum(self._order) if self._order else _own_checksum(self._loader, self._seed)
        )

    def epoch(self, epoch: int, done: int) -> Iterator[Any]:
        """The batches of `epoch` (counted from 0) after the first `done` of them."""
        if self._order is not None:
            self._order.epoch, self._order.first = epoch, done
        elif done:
            self._pass = self._again(done)
            return self._pass
        else:
            self._began = rng.capture(self._device, self._generators)
        self._pass = fetching.one_pass(self._loader)
        return self._pass

    def first(self) -> Any:
        """The first batch of the first epoch. What the data counts or holds is as before, except
        values of tensors and positions of iterators; random generators are the caller's."""
        saved = None
        with suppress(TooLarge):
            saved = ObjectWalk({"data": self._loader}, None).run()
        batch = next(self.epoch(0, 0))
        self.close()
        if saved:
            saved.restore()
        return batch

    def close(self) -> None:
        """Ends the present pass and all worker processes."""
        if self._pass is not None:
            self._pass.close()
        fetching.end_workers(self._loader)

    def state_dict(self) -> Any:
        """The random state that the present epoch's batches are drawn from, as plain values; None
        if none is used."""
        return None if self._began is None else rng.packed(self._began)

    def load_state_dict(self, kept: Any) -> None:
        """Restores what `state_dict` returned."""
        self._began = None if kept is None else rng.unpacked(kept, self._device)

    def _again(self, done: int) -> Generator[Any]:
        assert self._began is not None
        now = rng.capture(self._device, self._generators)
        rng.restore(self._began, self._device, self._generators)
        batches = fetching.one_pass(self._loader)
        found = sum(1 for _ in islice(batches, done))
        if found < done:
            raise TaskError(
                f"the training data gives {found} batches, and {done} of this epoch were seen"
                " before",
                "expected the same data as when the race began",
            )
        rng.restore(now, self._device, self._generators)
        return batches


def loader(data: Any, **batching: Any) -> DataLoader[Any]:
    """A DataLoader over `data`, unless it is one. It has its own generator, because each pass draws
    a seed, which must not come from the lane's random state."""
    if isinstance(data, DataLoader):
        return data
    return DataLoader(data, generator=torch.Generator().manual_seed(0), **batching)


def _own_checksum(data: DataLoader[Any], seed: int) -> str:
    """A checksum of the first batches of the task's own loader under `seed`; "" if it has no
    indices or no end.

    A copy of its sampler makes them, because the sampler may count its passes or hold generators.
    State that the copy shares with it, such as the data set, its generators or a counter of its
    class, is restored; if that is impossible, the checksum is "".
    """
    sampler = data.sampler if data.batch_sampler is None else data.batch_sampler
    count = length(data)
    if isinstance(data.dataset, IterableDataset) or count is None:
        return ""
    # a failing sampler fails again in the lane, with its error
    with suppress(Exception), rng.preserved(torch.device("cpu")), _without_trace(sampler):
        copied, generator = copy.deepcopy(
            (sampler, data.generator), {id(data.dataset): data.dataset}
        )
        rng.seed_all(seed)
        # each pass draws a seed for its workers
        torch.empty((), dtype=torch.int64).random_(generator=generator)
        batches = islice(copied, min(count, CHECKED))
        return order_checksum(
            batch if isinstance(batch, (list, tuple)) else [batch] for batch in batches
        )
    return ""


@contextmanager
def _without_trace(sampler: Any) -> Iterator[None]:
    """Restores the state that passes over copies of `sampler` change beside the copies; raises
    ValueError if it includes a position that cannot be restored."""
    if _is_torchs(sampler):  # skips a walk through all of its data
        yield
        return
    saved = Reachable({"sampler": sampler}).save()
    if saved.fixed:
        raise ValueError("it cannot be put back")
    try:
        yield
    finally:
        saved.restore()


def _is_torchs(sampler: Any) -> bool:
    """True if a sampler, and the one that gives it indices, are torch's: these change only
    themselves."""
    inner = getattr(sampler, "sampler", None)
    return type(sampler).__module__.startswith("torch.") and (inner is None or _is_torchs(inner))


def unused_options(race: Race, batches: Batches) -> list[str]:
    """A note about the race's batch options if the task makes its batches itself."""
    given = {"batch_size": race.batch_size_given, "drop_last": race.drop_last}
    asked = [name for name, value in given.items() if value]
    size = batches.batch_size
    if not batches.own or not asked or (asked == ["batch_size"] and size == race.batch_size):
        return []
    own = "of a size of their own" if size is None else f"of {size}"
    return [
        f"{' and '.join(asked)} not used: dataset() gives a DataLoader, whose batches are {own}"
    ]
