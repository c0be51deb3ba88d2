"""Sorts what a task's dataset() returns into training data, validation data and unused parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from lrtui.core.errors import TaskError
from lrtui.training.task import Task

EXPECTED = (
    "expected a Dataset or DataLoader, a pair of them (training, validation), a dict of them"
    " (train, validation), or tensors (X, y)"
)
_TRAINING = ("train", "training")
_VALIDATION = ("validation", "valid", "val", "dev", "eval", "test")
_MOST_ARRAYS = 3
"""Tensors side by side, at most, that count as columns of samples: train_test_split returns four,
and more are a list of samples."""


class Datasets(NamedTuple):
    """The data of a task: Datasets with indices and a length, IterableDatasets, or DataLoaders."""

    training: Any
    validation: Any | None
    notes: tuple[str, ...] = ()
    """Sentences about interpretations of dataset()'s result that may not be the intended ones."""


def datasets(task: Task) -> Datasets:
    """The data that `task.dataset()` returns; raises TaskError if it cannot be trained on."""
    found = _interpreted(task.dataset())
    if length(found.training) == 0:
        raise TaskError("dataset() gave no training samples", _no_batch(found.training))
    return (
        found
        if found.validation is None or length(found.validation) != 0
        else found._replace(validation=None)
    )


def length(data: Any) -> int | None:
    """`len(data)`; None if it has no length, as a stream may."""
    try:
        return len(data)
    except (TypeError, NotImplementedError, AttributeError):
        return None


def _interpreted(made: Any) -> Datasets:
    if isinstance(made, Mapping):
        return _splits(made)
    if isinstance(made, (tuple, list)):
        if arrays := _arrays(made):
            words = (
                f"dataset() gave {len(arrays)} arrays of {len(arrays[0])} rows: they are taken as"
                " the columns of samples"
            )
            return Datasets(_one(made), None, (words,))
        if _are_datasets(made):
            return _in_order(made)
    return Datasets(_one(made), None)


def _splits(made: Mapping[Any, Any]) -> Datasets:
    """The data in a dict of datasets by split names."""
    training, validation = (
        next((key for key in names if key in made), None) for names in (_TRAINING, _VALIDATION)
    )
    if training is None:
        keys = ", ".join(f'"{key}"' for key in list(made)[:8])
        raise TaskError(
            f'dataset() gave a dict with the keys {keys}: none of them is "train"', EXPECTED
        )
    unused = [f'"{key}"' for key in made if key not in (training, validation)]
    notes = (_unused(unused),) if unused else ()
    return Datasets(
        _one(made[training]), None if validation is None else _one(made[validation]), notes
    )


def _in_order(made: Sequence[Any]) -> Datasets:
    """The data in a sequence: training, validation, and unused parts."""
    unused = [f"number {number}" for number in range(3, len(made) + 1)]
    validation = made[1] if len(made) > 1 else None
    return Datasets(
        _one(made[0]),
        None if validation is None else _one(validation),
        (_unused(unused),) if unused else (),
    )


def _unused(which: Sequence[str]) -> str:
    return f"dataset() gave more than training and validation data: {', '.join(which)} is not used"


def _are_datasets(parts: Sequence[Any]) -> bool:
    """True if the parts of a tuple or list are datasets, False if they are samples."""
    if not parts:
        return False
    rest = [part for part in parts[1:] if part is not None]
    if any(_is_dataset(part) for part in (parts[0], *rest)):
        return True
    if len(parts) > 2:
        return all(_lists_samples(part) for part in (parts[0], *rest))
    return len(parts) == 2 and not _columns(*parts) and all(map(_may_be_dataset, (parts[0], *rest)))


def _may_be_dataset(part: Any) -> bool:
    """True if half of a pair is a dataset, or was meant to be one, rather than a sample."""
    return (
        isinstance(part, (list, Tensor, np.ndarray))
        or bool(_arrays(part))
        or _framed(part)
        or _once(part)
    )


def _lists_samples(part: Any) -> bool:
    return isinstance(part, list) and bool(part) and isinstance(part[0], (tuple, Mapping))


def _is_dataset(part: Any) -> bool:
    """True if `part` can only be a dataset: a sample may be a tuple, a list, a dict, a tensor."""
    if isinstance(part, (Dataset, DataLoader)):
        return True
    a_sample = isinstance(part, (tuple, list, Mapping, str, bytes, Tensor, np.ndarray, np.generic))
    return (
        not a_sample
        and not _framed(part)
        and hasattr(part, "__getitem__")
        and hasattr(part, "__len__")
    )


def _one(data: Any) -> Any:
    """`data` as one dataset, tensors side by side as a TensorDataset; raises TaskError if it is not
    a dataset."""
    if arrays := _arrays(data):
        return TensorDataset(*map(torch.as_tensor, arrays))
    if isinstance(data, type):
        raise TaskError(
            f"dataset() gave the class {data.__name__}",
            f"expected one of its objects: {data.__name__}(...)",
        )
    if _framed(data):
        raise TaskError(
            f"dataset() gave a {type(data).__name__}, which is indexed by its columns",
            "expected tensors, such as TensorDataset(torch.tensor(frame.to_numpy()), ...)",
        )
    if _once(data):
        raise TaskError(
            f"dataset() gave a {type(data).__name__}, which can be iterated only once",
            "expected an IterableDataset whose __iter__ begins anew each time",
        )
    if isinstance(data, (DataLoader, IterableDataset)):
        return data
    if isinstance(data, (list, tuple)) and len(data) == 4 and all(map(_is_array, data)):
        raise TaskError(
            f"dataset() gave four arrays of {', '.join(str(len(part)) for part in data)} rows",
            "expected TensorDataset(X_train, y_train), TensorDataset(X_test, y_test):"
            " train_test_split gives X_train, X_test, y_train, y_test",
        )
    if isinstance(data, (list, tuple)) and len(data) == 2 and _columns(*data):
        raise TaskError(
            f"dataset() gave {len(data[0])} inputs and as many targets as lists",
            "expected tensors (X, y), or TensorDataset(torch.tensor(X), torch.tensor(y))",
        )
    if hasattr(data, "__iter__") and not hasattr(data, "__getitem__"):
        raise TaskError(
            f"dataset() gave a {type(data).__name__}, which has no indices",
            "expected an IterableDataset of samples, or one of batches in a DataLoader with"
            " batch_size=None",
        )
    if isinstance(data, (str, bytes, Mapping)) or not hasattr(data, "__getitem__"):
        raise TaskError(
            f"dataset() gave {'None' if data is None else f'a {type(data).__name__}'}", EXPECTED
        )
    if (count := length(data)) is None:
        raise TaskError(
            f"dataset() gave a {type(data).__name__} without a length",
            "expected a Dataset with __len__, or an IterableDataset",
        )
    if not isinstance(count, int) or count < 0:
        raise TaskError(
            f"the length of the {type(data).__name__} that dataset() gave is {count!r}",
            "expected a whole number",
        )
    return data


def _arrays(data: Any) -> Sequence[Any]:
    """`data` if it is tensors or arrays with the same number of rows, as in (X, y); else empty."""
    if (
        not isinstance(data, (tuple, list))
        or not 2 <= len(data) <= _MOST_ARRAYS
        or not all(map(_is_array, data))
    ):
        return ()
    return data if len({len(part) for part in data}) == 1 else ()


def _is_array(part: Any) -> bool:
    return isinstance(part, (Tensor, np.ndarray)) and part.ndim > 0


def _columns(inputs: Any, targets: Any) -> bool:
    """True for inputs and targets: a list of numbers or names, one for each row of inputs."""
    return (
        (isinstance(inputs, list) or _is_array(inputs))
        and isinstance(targets, list)
        and 0 < len(targets) == len(inputs)
        and (
            isinstance(targets[0], (int, float, str))
            and not isinstance(inputs[0], (int, float, str))
        )
    )


def _framed(data: Any) -> bool:
    return hasattr(data, "iloc")


def _once(data: Any) -> bool:
    """True for an iterator, such as a generator."""
    return isinstance(data, Iterator) and not isinstance(data, (Dataset, DataLoader))


def _no_batch(data: Any) -> str:
    if isinstance(data, DataLoader) and length(data.dataset):
        return "its DataLoader makes no batch: expected drop_last=False, or a smaller batch_size"
    return "expected at least one"
