"""Finds user's files that shadow a module of the standard library or an installed package."""

from __future__ import annotations

import importlib.machinery
import sys
import traceback
from pathlib import Path
from types import ModuleType

from lrtui.training import imports


def hidden_by(error: BaseException) -> str:
    """A sentence that names the shadowing file behind an exception; "" if there is none."""
    suspects = []
    if isinstance(error, ImportError) and error.name:
        suspects.append(error.name)
    elif isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        suspects.append(error.obj.__name__)
    for folder in imports.entries:
        raised_in = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
        in_folder = [path.stem for path in raised_in if str(path.parent) == folder]
        for name in (*suspects, *reversed(in_folder)):
            if sentence := _sentence(name.partition(".")[0], folder):
                return sentence
    return ""


def _sentence(name: str, folder: str) -> str:
    """A sentence about the module that a file in `folder` shadows, or that shadows the file; "" if
    there is none."""
    own = next(
        (
            path
            for path in (Path(folder, f"{name}.py"), Path(folder, name, "__init__.py"))
            if path.is_file()
        ),
        None,
    )
    if own is None:
        return ""
    shown = own.name if own.stem == name else f"{name}/"
    if name in sys.stdlib_module_names:
        other = f"the standard library's {name}"
    else:
        elsewhere = [entry for entry in sys.path if entry not in imports.entries]
        if importlib.machinery.PathFinder.find_spec(name, elsewhere) is None:
            return ""
        other = f"the installed package {name}"
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is not None and Path(loaded) != own:
        return f"{shown} in {folder} is hidden by {other}: rename it"
    return f"{shown} in {folder} hides {other}: rename it"
