"""Imports the user's code, from a file or a module, as Python does when it runs that file as a
script.

Order of sys.path: during the import the code's folder comes first, as for a script. Afterwards the
folder is behind the standard library and before installed packages: methods still find the modules
beside the file, and torch's late imports never find a user's file with the name of a standard
module. Only processes that run the code have the folder on their path.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import multiprocessing
import os
import re
import signal
import sys
import sysconfig
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch

from lrtui.core.errors import TaskError
from lrtui.core.scenario.spec import CodeRef, TaskRef
from lrtui.core.scenario.task_ref import bundled_file, module_path
from lrtui.training.exits import exits_reported
from lrtui.training.traces import is_users

_STANDARD = tuple({str(Path(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib")})
_DTYPE, _DEVICE = torch.get_default_dtype(), torch.get_default_device()
_INTEROP = torch.set_num_interop_threads
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

entries: list[str] = []
"""Folders on sys.path of this process that the user's code needs."""


def import_code(ref: TaskRef | CodeRef) -> ModuleType:
    """Imports the module that `ref` names: a file anew each time, a module once a lane
    (lane_modules.py)."""
    if ref.kind == "module":
        path = module_path(ref.target, ref.found_in)
        if path is None:
            where = f" in {ref.found_in}" if ref.found_in else ""
            raise TaskError(
                f"{ref.target}: no such module{where}",
                "expected it where it was when the race was started",
            )
        with _as_script(path, [ref.found_in or str(Path.cwd())]):
            module = importlib.import_module(ref.target)
        if (found := getattr(module, "__file__", None)) is None or not path.samefile(found):
            raise TaskError(
                f"{path} has the name of another module, {found or 'a built-in one'}, which is"
                " imported already",
                "rename it",
            )
        return module
    # lrtui may have been moved since
    path = bundled_file(ref.name)[0] if ref.kind == "bundled" else Path(ref.target)
    if not path.is_file():
        raise TaskError(f"{path}: no such file", "expected a Python file")
    package = _package(path)
    with _as_script(path, [str(path.parent), *([str(package[1])] if package else [])]):
        return _execute(path, package[0] if package else _private_name(path))


def _execute(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    if parent := name.rpartition(".")[0]:
        found = importlib.import_module(parent)
        if str(path.parent) not in map(str, getattr(found, "__path__", ())):
            raise TaskError(
                f"{path} uses relative imports, and its package {parent} has the name of another"
                f" one, {getattr(found, '__file__', None) or 'a built-in one'}",
                "rename the folder",
            )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickled data sets look their module up
    spec.loader.exec_module(module)
    return module


def _private_name(path: Path) -> str:
    """A unique module name for a file: two tasks may be called train.py."""
    stem = re.sub(r"[^0-9a-zA-Z_]", "_", path.stem)
    return f"lrtui_task_{stem}_{zlib.crc32(str(path).encode()):08x}"


def _package(path: Path) -> tuple[str, Path] | None:
    """Name and root folder of a file that belongs to a package, as its relative imports show; None
    for a file that does not."""
    try:
        levels = [
            node.level
            for node in ast.walk(ast.parse(path.read_bytes()))
            if isinstance(node, ast.ImportFrom)
        ]
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    folders = [path.parent, *path.parent.parents]
    depth = max(levels, default=0)
    while 0 < depth < len(folders) and (folders[depth] / "__init__.py").is_file():
        depth += 1
    if not 0 < depth < len(folders) or not all(
        folder.name.isidentifier() for folder in folders[:depth]
    ):
        return None
    return (
        ".".join([*(folder.name for folder in reversed(folders[:depth])), path.stem]),
        folders[depth],
    )


@contextmanager
def _as_script(path: Path, folders: list[str]) -> Iterator[None]:
    """Prepares the process as for a script: its path in sys.argv, its folder first on sys.path,
    torch's default types, no start method chosen. Restores lrtui's signal handlers on exit."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    method = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(None, force=True)
    torch.set_default_dtype(_DTYPE)
    if torch.get_default_device() != _DEVICE:
        torch.set_default_device(None)
    sys.argv = [str(path)]
    sys.path[:0] = folders
    others = _of_equal_name(folders)
    for name in others:
        del sys.modules[name]
    torch.set_num_interop_threads = _set_interop_threads  # type: ignore[assignment]  # its parameter has another name
    try:
        with exits_reported(path.name):
            yield
    finally:
        torch.set_num_interop_threads = _INTEROP
        sys.modules.update(others)
        for folder in folders:
            if folder in sys.path:  # the code may have changed the list
                sys.path.remove(folder)
            keep_on_path(folder)
        if multiprocessing.get_start_method(allow_none=True) is None:
            multiprocessing.set_start_method(method, force=True)
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)


def _of_equal_name(folders: list[str]) -> dict[str, ModuleType]:
    """Modules imported from other folders of the user whose names `folders` have, too: a task's
    helpers.py is not that of a schedule in another folder."""
    elsewhere = tuple(folder + os.sep for folder in entries if folder not in folders)
    loaded = {
        name: module
        for name, module in list(sys.modules.items())
        if (file := getattr(module, "__file__", None))
        and file.startswith(elsewhere)
        and is_users(file)
    }
    return {
        name: module
        for name, module in loaded.items()
        if any(
            Path(folder, name.partition(".")[0] + end).exists()
            for folder in folders
            for end in (".py", "/__init__.py")
        )
    }


def _set_interop_threads(count: int) -> None:
    """torch's function, which a process may call only once: a later lane's import may repeat the
    call."""
    if count != torch.get_num_interop_threads():
        _INTEROP(count)


def keep_on_path(folder: str) -> None:
    """Puts a folder on sys.path behind the standard library, unless it is there."""
    if folder not in sys.path:
        last = max(
            (index for index, entry in enumerate(sys.path) if _is_standard(entry)), default=-1
        )
        sys.path.insert(last + 1, folder)
    if folder not in entries:
        entries.append(folder)


def _is_standard(entry: str) -> bool:
    return (
        entry in _STANDARD
        or Path(entry).name == "lib-dynload"
        or bool(re.fullmatch(r"python\d+\.zip", Path(entry).name))
    )
