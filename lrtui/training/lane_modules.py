"""The modules of the user's own that a lane's code has imported.

State that a plain script keeps in a module beside it (a counter, a cache, weights drawn while it is
imported) is one process's, and lanes may share one. So each lane imports these modules anew, and
lanes that take turns in a process take turns in sys.modules, too: what a method imports late is its
own lane's. Modules of installed packages and of the standard library are one for all, and so are
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
    """Those of one lane, kept here while another one has its turn."""

    def __init__(self) -> None:
        self._away: dict[str, ModuleType] = {}

    def enter(self) -> None:
        """Make them the ones that imports find, in the place of another lane's."""
        global _present
        if _present is not self:
            _present._away = _taken_out()
            _present = self
            sys.modules.update(self._away)
            self._away = {}

    def forget(self) -> None:
        """Let go of them."""
        if _present is self:
            _taken_out()
        self._away = {}


def imported_anew(task: str, load: Callable[[], ModuleType]) -> ModuleType:
    """What `load` gives, which imports the code of a lane that begins.

    Some code can be imported once in a process, such as that which gives a name to a registry of a
    library: then the lane shares the modules of the first one that began with this `task`.
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
"""Those of the lane that had the last turn."""
_first: dict[str, dict[str, ModuleType]] = {}
"""By task, those of the first lane that began with it."""
_shared: set[str] = set()
"""Names of modules that are no lane's: they were there before any lane's code, or are not the
user's own."""


def _taken_out() -> dict[str, ModuleType]:
    """The modules of the present lane, which are in sys.modules no more."""
    own = _own()
    for name in own:
        del sys.modules[name]
    return own


def _own() -> dict[str, ModuleType]:
    """The modules of the present lane."""
    names = tuple(sys.modules)  # threads may import meanwhile
    if not _shared:
        _shared.update(names)
    found = {name: sys.modules[name] for name in names if name not in _shared}
    own = {name: module for name, module in found.items() if _is_lanes(name, module)}
    _shared.update(found.keys() - own.keys())
    return own


def _is_lanes(name: str, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if file is None:  # a folder without an __init__.py, or a builtin
        return any(is_users(str(place)) for place in getattr(module, "__path__", ()))
    return (name.startswith(TASK_MODULE) or is_own(module)) and not file.endswith(
        tuple(EXTENSION_SUFFIXES)
    )
