"""Saves, compares and restores the content of each kind of object: containers, attributes, tensors,
generators, files."""

from __future__ import annotations

import collections
import ctypes
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lrtui.training import rng, tensors


class Kind(NamedTuple):
    """Three functions of one kind of object: save its content, compare with it, restore it."""

    take: Callable[[Any], Any]
    same: Callable[[Any, Any], bool]
    put: Callable[[Any, Any], None]


ATOMS = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        slice,
        type(...),
        type(NotImplemented),
        torch.dtype,
        torch.device,
        torch.Size,
        torch.layout,
        torch.memory_format,
        types.BuiltinFunctionType,
        types.WrapperDescriptorType,
        types.MethodDescriptorType,
        types.GetSetDescriptorType,
        types.MemberDescriptorType,
        np.dtype,
        np.float64,
        np.float32,
        np.int64,
        np.bool_,
    }
)
"""Types whose objects never change and refer to nothing that does."""


def alike(one: Any, other: Any) -> bool:
    """The same object, or equal values of the same immutable type (NaN equals NaN)."""
    if one is other:
        return True
    if type(one) is not type(other) or type(one) not in ATOMS:
        return False
    return bool(one == other or (one != one and other != other))


def _all_alike(now: Any, before: Any) -> bool:
    return len(now) == len(before) and all(map(alike, now, before))


def _take_dict(thing: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return list(thing.items())


def _same_dict(thing: dict[Any, Any], content: list[tuple[Any, Any]]) -> bool:
    if len(thing) != len(content):
        return False
    return all(
        now[0] is before[0] and (now[1] is before[1] or alike(now[1], before[1]))
        for now, before in zip(thing.items(), content, strict=True)
    )


def _put_dict(thing: dict[Any, Any], content: list[tuple[Any, Any]]) -> None:
    base: Any = collections.OrderedDict if isinstance(thing, collections.OrderedDict) else dict
    if [id(key) for key in thing] != [id(key) for key, _ in content]:
        base.clear(thing)
    for key, value in content:
        base.__setitem__(thing, key, value)


def _put_list(thing: Any, content: list[Any]) -> None:
    if isinstance(thing, collections.deque):
        collections.deque.clear(thing)
        collections.deque.extend(thing, content)
    else:
        list.__setitem__(thing, slice(None), content)


def _put_set(thing: set[Any], content: set[Any]) -> None:
    set.clear(thing)
    set.update(thing, content)


def cell(thing: types.CellType) -> Iterator[Any]:
    try:
        yield thing.cell_contents
    except ValueError:  # empty
        return


def _put_cell(thing: types.CellType, content: list[Any]) -> None:
    if content:
        thing.cell_contents = content[0]
    else:
        del thing.cell_contents


def _take_class(thing: type) -> dict[str, Any]:
    return {name: part for name, part in vars(thing).items() if not name.startswith(("__", "_abc"))}


def _put_class(thing: type, content: dict[str, Any]) -> None:
    for name in _take_class(thing).keys() - content.keys():
        type.__delattr__(thing, name)
    for name, part in content.items():
        if vars(thing).get(name, thing) is not part:
            type.__setattr__(thing, name, part)


ABSENT = object()


def _take_slot(place: tuple[Any, str]) -> Any:
    return getattr(*place, ABSENT)


def _put_slot(place: tuple[Any, str], content: Any) -> None:
    if content is ABSENT:
        object.__delattr__(*place)
    else:
        object.__setattr__(*place, content)


def _take_global(place: tuple[dict[str, Any], str]) -> Any:
    return place[0].get(place[1], ABSENT)


def _put_global(place: tuple[dict[str, Any], str], content: Any) -> None:
    if content is ABSENT:
        place[0].pop(place[1], None)
    else:
        place[0][place[1]] = content


class _Content(NamedTuple):
    """A tensor's values (None: only the version is compared) and its other settable state."""

    values: Tensor | None
    grad: Tensor | None
    requires_grad: bool
    version: int


def version(thing: Tensor) -> int:
    """The number of writes to a tensor so far; -1 if they are not counted."""
    return -1 if thing.is_inference() else thing._version


def _take_version(thing: Tensor) -> _Content:
    return _Content(
        None, thing.grad if thing.is_leaf else None, thing.requires_grad, version(thing)
    )


def _take_tensor(thing: Tensor) -> _Content:
    try:
        values = tensors.copied(thing)
    except (RuntimeError, NotImplementedError):  # a layout without a copy
        values = None
    return _take_version(thing)._replace(values=values)


def _same_tensor(thing: Tensor, content: _Content) -> bool:
    if thing.requires_grad != content.requires_grad or (
        thing.is_leaf and thing.grad is not content.grad
    ):
        return False
    return (
        version(thing) == content.version
        if content.values is None
        else tensors.same_values(thing.detach(), content.values)
    )


def _put_tensor(thing: Tensor, content: _Content) -> None:
    if content.values is not None and not tensors.same_values(thing.detach(), content.values):
        tensors.put(thing, content.values)
    if thing.is_leaf:
        if thing.requires_grad != content.requires_grad:
            thing.requires_grad_(content.requires_grad)
        thing.grad = content.grad


def _same_array(thing: np.ndarray, content: np.ndarray) -> bool:
    if thing.shape != content.shape or thing.dtype != content.dtype:
        return False
    return (
        _all_alike(thing.ravel(), content.ravel())
        if thing.dtype.hasobject
        else thing.tobytes() == content.tobytes()
    )


def _put_array(thing: np.ndarray, content: np.ndarray) -> None:
    thing[...] = content


def _put_empty(thing: Any, content: None) -> None:
    type(thing).clear(thing)


def _put_memory(thing: Any, content: bytes) -> None:
    ctypes.memmove(ctypes.addressof(thing), content, len(content))


EMPTY = Kind(lambda thing: None, lambda thing, content: not thing, _put_empty)
DICT = Kind(_take_dict, _same_dict, _put_dict)
LIST = Kind(list, _all_alike, _put_list)
SET = Kind(set, lambda thing, content: thing == content, _put_set)
BYTES = Kind(
    lambda thing: thing[:],
    lambda thing, content: thing == content,
    lambda thing, content: thing.__setitem__(slice(None), content),
)
CELL = Kind(
    lambda thing: list(cell(thing)),
    lambda thing, content: _all_alike(list(cell(thing)), content),
    _put_cell,
)
CLASS = Kind(
    _take_class,
    lambda thing, content: _same_dict(_take_class(thing), list(content.items())),
    _put_class,
)
SLOT = Kind(_take_slot, lambda place, content: alike(_take_slot(place), content), _put_slot)
GLOBAL = Kind(_take_global, lambda place, content: alike(_take_global(place), content), _put_global)
GENERATOR = Kind(
    rng.get_state,
    lambda thing, content: rng.same_state(rng.get_state(thing), content),
    rng.set_state,
)
MEMORY = Kind(bytes, lambda thing, content: bytes(thing) == content, _put_memory)
FILE = Kind(
    lambda thing: thing.tell(),
    lambda thing, content: thing.tell() == content,
    lambda thing, content: thing.seek(content),
)
TENSOR = Kind(_take_tensor, _same_tensor, _put_tensor)
VERSION = Kind(_take_version, _same_tensor, _put_tensor)
ARRAY = Kind(np.copy, _same_array, _put_array)
