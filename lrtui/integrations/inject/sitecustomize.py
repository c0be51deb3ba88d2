"""Run by Python itself at the start of each process of a script that lrtui watches.

Standard library only, and any Python from 3.8 on: the script may have an interpreter of its own.
It runs a `sitecustomize` that was there before, and seeds `random`, numpy and torch, and hooks
torch, right after the script imports them. It imports none of them, nor much else: a module of the
script's own may have the name of any.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))


def say(text: str) -> None:
    print("lrtui: " + text, file=sys.stderr)


def run_the_other_sitecustomize() -> None:
    """Run the `sitecustomize` that this one hides."""
    path = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    sys.path[:] = path


class AfterImport:
    """Calls functions right after a module of a given name was imported, once."""

    def __init__(self, actions: dict[str, Callable[[], None]]) -> None:
        self.actions = actions

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        action = self.actions.pop(name, None)
        if action is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            self.actions[name] = action
            return None
        loader, run = spec.loader, spec.loader.exec_module

        def exec_module(module: Any) -> None:
            run(module)
            try:
                del loader.exec_module
            except AttributeError:
                pass
            try:
                action()
            except Exception as error:  # of a module of the script's own that has this name
                say(f"{name} is neither seeded nor watched ({type(error).__name__}: {error})")

        loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


class FromLrtui:
    """Finds lrtui and the packages that it needs where the script's own interpreter has none."""

    names = ("lrtui", "msgspec", "psutil", "platformdirs", "numpy")

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        places = os.environ.get("LRTUI_PATH", "").split(os.pathsep)
        if path is not None or name not in self.names or not any(places):
            return None
        return importlib.machinery.PathFinder.find_spec(name, places)


def seed() -> int | None:
    """The lane's seed for this process, a different one for each rank; None if it is not seeded."""
    given = os.environ.get("LRTUI_SEED", "")
    return int(given) + int(os.environ.get("RANK", "0") or 0) if given else None


def seed_python() -> None:
    if (number := seed()) is not None:
        import random

        random.seed(number)


def seed_numpy() -> None:
    if (number := seed()) is not None:
        import numpy

        numpy.random.seed(number % 2**32)


def attach() -> None:
    """Hook torch, which has just been imported."""
    if (number := seed()) is not None:
        import torch

        torch.manual_seed(number)
    try:
        sys.meta_path.append(FromLrtui())
        from lrtui.integrations.script.attach import attach as hook

        hook()
    except Exception as error:
        say(
            f"this script runs unwatched, because lrtui cannot be loaded by {sys.executable}"
            f" ({type(error).__name__}: {error}); expected Python 3.11 or later, or lrtui installed"
            " beside its torch"
        )


try:
    run_the_other_sitecustomize()
finally:
    if os.environ.get("LRTUI_RUN"):
        after = {"random": seed_python, "numpy": seed_numpy, "torch": attach}
        for known in sys.modules.keys() & after.keys():
            after.pop(known)()
        sys.meta_path.insert(0, AfterImport(after))
