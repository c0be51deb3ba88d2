"""Batches of any type that a dataset or DataLoader makes: moves them to a device, counts their
samples."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from lrtui.core.errors import TaskError
from lrtui.core.scenario.spec import Race

_DEEPEST = 8
"""Levels of nesting that are searched: a batch's objects may refer to each other in circles."""


def to_device(batch: Any, device: torch.device) -> Any:
    """`batch` with every tensor, and every object with a `to` method, moved to `device`. Collated
    batches are on the CPU already."""
    if device.type == "cpu":
        return batch
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if callable(getattr(batch, "to", None)) and not isinstance(batch, type):
        return batch.to(device)
    if isinstance(batch, Mapping):
        moved = {key: to_device(value, device) for key, value in batch.items()}
        if not isinstance(batch, MutableMapping):
            return moved
        mapping = copy.copy(batch)
        mapping.update(moved)
        return mapping
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(value, device) for value in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(to_device(value, device) for value in batch)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        same = copy.copy(batch)
        for field in dataclasses.fields(batch):
            # the dataclass may be frozen
            object.__setattr__(same, field.name, to_device(getattr(batch, field.name), device))
        return same
    return batch


def batch_length(batch: Any) -> int:
    """The number of samples in a batch.

    In this order: the number that the batch states; the first dimension of its tensors if they
    agree; the length of a list of samples, or of the lists that their parts were gathered in; the
    first dimension of the first tensor.
    """
    if stated := _stated(batch):
        return stated
    rows = list(_rows(batch))
    gathered = _gathered(batch, agree=len(set(rows)) == 1)
    return gathered or (rows[0] if rows else _entries(batch)) or 1


def one_sample(error: ValueError, batch: Any, race: Race, *, own: bool) -> TaskError | None:
    """The error to raise if batch normalization refused a batch of one sample; None if `error` has
    another reason.

    `own`: the batch came from the task's own DataLoader.
    """
    if (
        "more than 1 value per channel" not in str(error)
        or batch is None
        or batch_length(batch) != 1
    ):
        return None
    needs = "and batch normalization needs more than one in training"
    if own:
        return TaskError(
            f"a batch of the task's DataLoader has 1 sample, {needs}",
            "expected DataLoader(..., drop_last=True), or another batch_size",
        )
    if race.batch_size == 1:
        return TaskError(
            f"batch_size = 1 makes batches of 1 sample, {needs}", "expected a larger batch_size"
        )
    return TaskError(
        f"the last batch of the epoch has 1 sample with batch_size = {race.batch_size}, {needs}",
        "drop_last = true in the scenario (or --set drop_last=true) leaves it out; or another"
        " batch_size",
    )


def _stated(batch: Any) -> int | None:
    if isinstance(batch, PackedSequence):
        return int(batch.batch_sizes[0])
    graphs = getattr(batch, "num_graphs", None)  # the attribute of torch_geometric
    return graphs if isinstance(graphs, int) else None


def _gathered(batch: Any, *, agree: bool) -> int | None:
    """The length of `batch` if it is a list of tensors that differ in length only, or of its parts
    if they are lists of equal length, as zip(*samples) makes them; else None. `agree`: all its
    tensors have the same first dimension."""
    if not isinstance(batch, (list, tuple)) or not batch:
        return None
    if all(isinstance(part, Tensor) and part.dim() for part in batch):
        ragged = len({part.shape[1:] for part in batch}) == 1
        return len(batch) if ragged and not agree else None
    if not all(isinstance(part, (list, tuple)) for part in batch) or len(set(map(len, batch))) != 1:
        return None
    loose = any(map(_is_single, (item for part in batch for item in part)))
    return len(batch[0]) if loose or not agree else None


def _is_single(item: Any) -> bool:
    return isinstance(item, (int, float, str)) or (isinstance(item, Tensor) and not item.dim())


def _rows(batch: Any, depth: int = 0) -> Iterator[int]:
    """The first dimension of every tensor in a batch."""
    if isinstance(batch, (Tensor, np.ndarray)):
        if batch.ndim:
            yield batch.size(0) if isinstance(batch, Tensor) else batch.shape[0]
    elif depth < _DEEPEST:
        for part in _parts(batch):
            yield from _rows(part, depth + 1)


def _entries(batch: Any, depth: int = 0) -> int | None:
    """The length of the first list in a batch. A tuple of numbers does not count: it may be a
    shape."""
    if isinstance(batch, (list, tuple)) and batch and not any(map(_parts, batch)):
        return (
            None if isinstance(batch, tuple) and isinstance(batch[0], (int, float)) else len(batch)
        )
    parts = _parts(batch) if depth < _DEEPEST else []
    return next((found for part in parts if (found := _entries(part, depth + 1)) is not None), None)


def _parts(batch: Any) -> list[Any]:
    if isinstance(batch, Mapping):
        return list(batch.values())
    if isinstance(batch, (list, tuple)):
        return [] if isinstance(batch, torch.Size) else list(batch)
    if isinstance(batch, (type, str, bytes, int, float, complex, Tensor, np.ndarray, np.generic)):
        return []
    if dataclasses.is_dataclass(batch):
        return [getattr(batch, field.name, None) for field in dataclasses.fields(batch)]
    return list(getattr(batch, "__dict__", {}).values())
