"""Keeps the user's modules that a lane's code imports apart from those of other lanes.

State that a script keeps in a module beside it (a counter, a cache, weights drawn at import)
belongs to a process, and lanes may share one. So each lane imports these modules anew, and lanes
that share a process swap their modules in sys.modules, too, so that a method's late import finds
its own lane's. Modules of installed packages and of the standard library are shared, and so are
extension modules, most of which cannot be imported twice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

import torch

from lrtui.training import rng
from lrtui.training.traces import is_users
from lrtui.training.user_code import is_own
from lrtui.training.workers import TASK_MODULE


class LaneModules:
    """The modules of one lane, stored here while another lane runs."""

    def __init__(self) -> None:
        self._away: dict[str, ModuleType] = {}

    def enter(self) -> None:
        """Puts the lane's modules into sys.modules, in place of another lane's."""
        global _present
        if _present is not self:
            _present._away = _taken_out()
            _present = self
            sys.modules.update(self._away)
            self._away = {}

    def forget(self) -> None:
        """Drops the lane's modules."""
        if _present is self:
            _taken_out()
        self._away = {}


def imported_anew(task: str, load: Callable[[], ModuleType]) -> ModuleType:
    """The result of `load`, which imports the code of a lane that begins.

    Some code can be imported only once in a process, such as code that registers a name with a
    library: the lane then shares the modules of the first lane that began with this `task`.
    """
    _taken_out()
    began = rng.capture(torch.device("cpu"))
    try:
        module = load()
    except Exception as error:
        if task not in _first:
            raise
        _taken_out()
        sys.modules.update(_first[task])
        rng.restore(began, torch.device("cpu"))
        module = load()
        print(
            f"{task} cannot be imported twice in a process ({error}): lanes share its modules",
            file=sys.stderr,
            flush=True,
        )
    _first.setdefault(task, _own())
    return module


_present = LaneModules()
"""The modules of the lane that ran last."""
_first: dict[str, dict[str, ModuleType]] = {}
"""The modules of the first lane that began with a task, by task."""
_shared: set[str] = set()
"""Names of modules that all lanes share: imported before any lane's code, or not the user's."""


def _taken_out() -> dict[str, ModuleType]:
    """Removes the present lane's modules from sys.modules and returns them."""
    own = _own()
    for name in own:
        del sys.modules[name]
    return own


def _own() -> dict[str, ModuleType]:
    """The present lane's modules."""
    names = tuple(sys.modules)  # threads may import at the same time
    if not _shared:
        _shared.update(names)
    found = {name: sys.modules[name] for name in names if name not in _shared}
    own = {name: module for name, module in found.items() if _is_lanes(name, module)}
    _shared.update(found.keys() - own.keys())
    return own


def _is_lanes(name: str, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if file is None:  # a namespace package, or a builtin
        return any(is_users(str(place)) for place in getattr(module, "__path__", ()))
    return (name.startswith(TASK_MODULE) or is_own(module)) and not file.endswith(
        tuple(EXTENSION_SUFFIXES)
    )
