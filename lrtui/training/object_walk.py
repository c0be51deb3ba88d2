"""Walks over every object that can be reached from a task, and saves its content.

Followed are containers, instances (of the standard library, too, such as argparse.Namespace),
closures, cached results of functions, classes, functions and modules of the user's own code, and
the globals that this code names. Not followed: code of installed packages and the standard library,
elements of containers with more than LARGE entries.
"""

from __future__ import annotations

import collections
import ctypes
import functools
import gc
import io
import multiprocessing.process
import queue
import socket
import subprocess
import sys
import threading
import types
from array import array
from collections.abc import Mapping
from multiprocessing.sharedctypes import SynchronizedBase
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lrtui.training import rng, user_code
from lrtui.training.saved_state import Record, SavedState
from lrtui.training.state_kinds import (
    ARRAY,
    ATOMS,
    BYTES,
    CELL,
    CLASS,
    DICT,
    EMPTY,
    FILE,
    GENERATOR,
    GLOBAL,
    LIST,
    MEMORY,
    SET,
    SLOT,
    TENSOR,
    VERSION,
    Kind,
    cell,
)

LARGE = 1000
"""Entries of a container beyond which its elements count as data: its members are compared, not
their content."""
MOST = 50_000
"""Objects that one walk may follow; a task that holds more takes too long to compare."""


class TooLarge(Exception):
    """More than MOST objects are reachable."""


class ObjectWalk:
    """One walk over everything reachable, nearest first, in an order that only the code decides.

    A method for each kind of object (see _VISITORS) records its content and queues its parts.
    """

    def __init__(self, roots: Mapping[str, Any], data: dict[int, Any] | None) -> None:
        """`data`: tensors and arrays that are not copied, by id; None: none is copied."""
        self._data = data
        self.records: list[Record] = []
        self._names: list[tuple[int, str]] = []
        """The path to each object: index of its parent here (-1: a root), and its label there."""
        self._fixed: list[int] = []
        self._seen: set[int] = set()
        self._modules: dict[int, types.ModuleType] = {}
        """Modules of user code found so far, by id."""
        self._variables: set[tuple[int, str]] = set()
        """Globals visited, as pairs of the id of their module's table and their name."""
        self._waiting: list[tuple[Any, int, str]] = [
            (thing, -1, name) for name, thing in roots.items() if thing is not None
        ]
        """All objects found so far. The list keeps temporary objects alive, so that no id is used
        twice."""

    def run(self) -> SavedState:
        """Follows every reference; returns the state found."""
        for thing, parent, label in self._waiting:  # grows during the loop
            if id(thing) in self._seen:
                continue
            self._seen.add(id(thing))
            if len(self._seen) > MOST:
                raise TooLarge(f"more than {MOST:,} objects are reachable from the task")
            self._names.append((parent, label))
            getattr(self, _visitor(type(thing)))(thing, len(self._names) - 1)  # type: ignore[arg-type]  # a type is hashable
        return SavedState(self.records, self._names, self._fixed)

    def _record(self, thing: Any, kind: Kind, place: int, label: str = "") -> Any:
        content = kind.take(thing)
        self.records.append(Record(thing, kind, content, place, label))
        return content

    def _follow(self, place: int, parts: Any) -> None:
        """Queues parts, pairs of label and object. Empty containers, frequent in modules, are
        recorded at once."""
        for label, part in parts:
            kind = type(part)
            if kind in _CONTAINERS and not part:
                if kind not in _FROZEN:
                    self.records.append(Record(part, EMPTY, None, place, label))
            elif kind not in ATOMS and not (
                kind in _FROZEN and all(type(one) in ATOMS for one in part)
            ):
                self._waiting.append((part, place, label))

    def _tensor(self, thing: Tensor, place: int) -> None:
        if torch.nn.parameter.is_lazy(thing):  # it has no shape yet
            return
        self._record(
            thing, VERSION if self._data is None or id(thing) in self._data else TENSOR, place
        )
        if vars(thing):
            self._attributes(thing, place)
        if thing.is_leaf and thing.grad is not None:
            self._follow(place, ((".grad", thing.grad),))

    def _array(self, thing: np.ndarray, place: int) -> None:
        if thing.flags.writeable and self._data is not None and id(thing) not in self._data:
            self._record(thing, ARRAY, place)
        if thing.dtype.hasobject and thing.size <= LARGE:
            self._follow(
                place, [(f"[{index}]", part) for index, part in enumerate(thing.ravel().tolist())]
            )

    def _generator(self, thing: rng.Generator, place: int) -> None:
        self._record(thing, GENERATOR, place)

    def _bytes(self, thing: Any, place: int) -> None:
        self._record(thing, BYTES, place)

    def _bound(self, thing: types.MethodType, place: int) -> None:
        self._follow(place, (("", thing.__self__), ("", thing.__func__)))

    def _partial(self, thing: Any, place: int) -> None:
        self._follow(
            place, ((".func", thing.func), (".args", thing.args), (".keywords", thing.keywords))
        )

    def _wrapped(self, thing: Any, place: int) -> None:
        self._follow(place, (("", thing.__func__),))

    def _property(self, thing: property, place: int) -> None:
        self._follow(place, (("", part) for part in (thing.fget, thing.fset)))

    def _closure_cell(self, thing: types.CellType, place: int) -> None:
        self._record(thing, CELL, place)
        self._follow(place, (("", part) for part in cell(thing)))

    def _loader(self, thing: DataLoader[Any], place: int) -> None:
        """A DataLoader: its dataset, samplers, generator and functions."""
        parts = ("generator", "sampler", "batch_sampler", "dataset", "collate_fn", "worker_init_fn")
        self._follow(place, ((f".{name}", getattr(thing, name, None)) for name in parts))

    def _script(self, thing: Any, place: int) -> None:
        self._follow(
            place,
            [
                (f".{name}", part)
                for name, part in (*thing.named_parameters(), *thing.named_buffers())
            ],
        )

    def _shared(self, thing: Any, place: int) -> None:
        """A multiprocessing.Value or Array: a fork shares its memory, so a rehearsal changes it."""
        self._follow(place, (("", thing.get_obj()),))

    def _memory(self, thing: Any, place: int) -> None:
        self._record(thing, MEMORY, place)

    def _cached(self, thing: Any, place: int) -> None:
        """A function with functools.cache: the wrapped function and the cached results."""
        if user_code.is_own(thing.__wrapped__):
            self._follow(
                place,
                (
                    (", cached", part)
                    for part in gc.get_referents(thing)
                    if type(part) in (dict, list)
                ),
            )
            self._follow(place, (("", thing.__wrapped__),))

    def _module(self, thing: types.ModuleType, place: int) -> None:
        """A module of user code that is held as a value: all its variables."""
        if user_code.is_own(thing):
            self._globals(
                vars(thing), tuple(name for name in vars(thing) if not name.startswith("__"))
            )

    def _position(self, thing: Any, place: int) -> None:
        self._fixed.append(place)

    def _nothing(self, thing: Any, place: int) -> None:
        """An object that is neither recorded nor followed."""

    def _dict(self, thing: dict[Any, Any], place: int) -> None:
        items = self._record(thing, DICT, place)
        if len(items) <= LARGE:
            self._follow(
                place,
                [(f"[{key!r}]" if type(key) in ATOMS else "[...]", value) for key, value in items],
            )
            self._follow(place, [("", key) for key, _ in items if type(key) is not str])
        if type(thing) not in _CONTAINERS:
            self._attributes(thing, place)

    def _sequence(self, thing: Any, place: int) -> None:
        if not isinstance(thing, (tuple, frozenset)):
            self._record(thing, SET if isinstance(thing, set) else LIST, place)
        if len(thing) <= LARGE:
            self._follow(place, [(f"[{index}]", part) for index, part in enumerate(thing)])
        if type(thing) not in _CONTAINERS:
            self._attributes(thing, place)

    def _instance(self, thing: Any, place: int) -> None:
        """An object of any other class: its attributes and its class. A library object that holds a
        lock, thread or process is a service, such as a log writer, which other threads change: it
        is skipped."""
        parts = getattr(thing, "__dict__", {}).values()
        if not user_code.is_own(type(thing)) and any(isinstance(part, _SERVICES) for part in parts):
            return
        self._attributes(thing, place)
        self._follow(-1, ((type(thing).__name__, type(thing)),))

    def _attributes(self, thing: Any, place: int) -> None:
        """The instance's attributes, in its `__dict__` and in slots."""
        own = getattr(thing, "__dict__", None)
        if type(own) is dict:
            self._seen.add(id(own))
            self._record(own, DICT, place, ".")
            self._follow(place, [(f".{name}", part) for name, part in own.items()])
        for name in _slots(type(thing)):  # type: ignore[arg-type]  # likewise
            self._record((thing, name), SLOT, place, f".{name}")
            self._follow(place, ((f".{name}", getattr(thing, name, None)),))

    def _function(self, thing: types.FunctionType, place: int) -> None:
        """A function of user code: attributes, defaults, closure, and the globals that it names."""
        if not user_code.is_own(thing):
            return
        names = user_code.names(thing.__code__)
        own = thing.__globals__
        self._globals(own, tuple(own) if "globals" in names else names)
        # modules at any depth, as in package.state.step, and those imported inside the function
        for name in names:
            met = [getattr(module, name, None) for module in self._modules.values()]
            for module in (own.get(name), sys.modules.get(name), *met):
                if isinstance(module, types.ModuleType) and user_code.is_own(module):
                    self._modules[id(module)] = module
                    self._globals(vars(module), names)
        self._attributes(thing, place)
        self._follow(place, ((", closure", cell) for cell in thing.__closure__ or ()))
        self._follow(place, ((", default", part) for part in thing.__defaults__ or ()))
        self._follow(place, ((", default", part) for part in (thing.__kwdefaults__ or {}).values()))

    def _globals(self, table: dict[str, Any], names: tuple[str, ...]) -> None:
        """The variables of a module of user code that a function names."""
        for name in names:
            if name in table and (id(table), name) not in self._variables:
                self._variables.add((id(table), name))
                self._record((table, name), GLOBAL, -1, f"the global {name}")
                self._follow(-1, ((f"the global {name}", table[name]),))

    def _class(self, thing: type, place: int) -> None:
        """A class of user code: its attributes, its methods, its bases."""
        if not user_code.is_own(thing):
            return
        self._record(thing, CLASS, place)
        self._follow(
            place,
            [(f".{name}", part) for name, part in vars(thing).items() if name not in _CLASS_KEYS],
        )
        self._follow(-1, ((base.__name__, base) for base in thing.__bases__))

    def _file(self, thing: io.IOBase, place: int) -> None:
        """A file that is read from has a position."""
        try:
            readable = not thing.closed and thing.readable() and not thing.isatty()
            if readable and thing.seekable():
                self._record(thing, FILE, place)
            elif readable:
                self._fixed.append(place)
        except (OSError, ValueError):  # such as tell() during an iteration
            self._fixed.append(place)


_CONTAINERS = frozenset(
    {dict, list, set, tuple, frozenset, collections.OrderedDict, collections.deque}
)
_FROZEN = frozenset({tuple, frozenset})
_CLASS_KEYS = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__annotations__",
        "__slots__",
        "_abc_impl",
    }
)
_SERVICES = (
    type(threading.Lock()),
    type(threading.RLock()),
    threading.Thread,
    threading.Condition,
    threading.Event,
    multiprocessing.process.BaseProcess,
    subprocess.Popen,
    socket.socket,
    queue.Queue,
)


_VISITORS: tuple[tuple[Any, str], ...] = (
    (Tensor, "_tensor"),
    (np.ndarray, "_array"),
    (rng.Generator, "_generator"),
    (dict, "_dict"),
    ((list, tuple, set, frozenset, collections.deque), "_sequence"),
    ((bytearray, array), "_bytes"),
    (types.FunctionType, "_function"),
    (types.MethodType, "_bound"),
    ((functools.partial, functools.partialmethod), "_partial"),
    ((staticmethod, classmethod), "_wrapped"),
    (property, "_property"),
    (types.CellType, "_closure_cell"),
    (type, "_class"),
    (io.IOBase, "_file"),
    (DataLoader, "_loader"),
    (torch.jit.ScriptModule, "_script"),
    (types.ModuleType, "_module"),
    (functools._lru_cache_wrapper, "_cached"),
    (SynchronizedBase, "_shared"),
    (ctypes._SimpleCData.__base__, "_memory"),
)


@functools.lru_cache(4096)
def _visitor(kind: type) -> str:
    """Name of the walk's method for instances of `kind`."""
    if found := next((name for base, name in _VISITORS if issubclass(kind, base)), None):
        return found
    if hasattr(kind, "__next__") and not user_code.is_own(kind):
        return "_position"
    return "_nothing" if user_code.is_system(kind) else "_instance"


@functools.lru_cache(4096)
def _slots(kind: type) -> tuple[str, ...]:
    """Names of the slots of a class and its bases."""
    found = [
        _mangled(base, name)
        for base in kind.__mro__
        for name in _as_names(vars(base).get("__slots__", ()))
    ]
    return tuple(name for name in found if not name.startswith("__"))


def _mangled(kind: type, name: str) -> str:
    """The attribute that a private name of a class stands for."""
    private = name.startswith("__") and not name.endswith("__")
    return f"_{kind.__name__.lstrip('_')}{name}" if private else name


def _as_names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)
