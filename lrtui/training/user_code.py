"""Tells the user's code from the standard library, installed packages and lrtui itself."""

from __future__ import annotations

import functools
import os
import site
import sys
import sysconfig
import types
from pathlib import Path

import torch

_PLACES: list[str] = [
    str(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")
]
_PLACES += [*site.getsitepackages(), site.getusersitepackages()]
_PLACES += [str(Path(torch.__file__).parents[1]), str(Path(__file__).parents[1])]
_INSTALLED = tuple(dict.fromkeys(os.path.realpath(place) + os.sep for place in _PLACES))
_HOLDERS = frozenset({"argparse", "collections", "configparser", "optparse", "types", "weakref"})
"""Standard modules whose instances hold the user's objects, such as argparse.Namespace."""


def is_own(thing: types.FunctionType | types.ModuleType | type) -> bool:
    """True if a function, a module or a class is the user's code."""
    if isinstance(thing, types.FunctionType):
        return _is_own_file(thing.__code__.co_filename)
    if isinstance(thing, types.ModuleType):
        file = getattr(thing, "__file__", None)
        return bool(file) and _is_own_file(str(file))
    return _is_own_class(thing)


@functools.lru_cache(4096)
def is_system(kind: type) -> bool:
    """True for a class of the interpreter, the standard library or lrtui whose instances hold no
    state of the user's."""
    package = _package(kind.__module__)
    return (package in sys.stdlib_module_names and package not in _HOLDERS) or package == "lrtui"


@functools.lru_cache(4096)
def names(code: types.CodeType) -> tuple[str, ...]:
    """Names of globals and attributes in a code object and those nested in it."""
    inner = (
        name for part in code.co_consts if isinstance(part, types.CodeType) for name in names(part)
    )
    return tuple(dict.fromkeys((*code.co_names, *inner)))


def _is_own_class(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    if module is None:
        return True
    return is_own(module) or kind.__module__ == "__main__"


@functools.lru_cache(4096)
def _is_own_file(file: str) -> bool:
    return not file.startswith("<frozen") and not os.path.realpath(file).startswith(_INSTALLED)


def _package(module: str | None) -> str:
    return (module or "").partition(".")[0]
