"""Child processes of a task's code in a trainer, such as DataLoader workers: forked, as from a
plain script, and never orphaned."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.reduction import ForkingPickler
from types import FunctionType
from typing import Any

_PR_SET_PDEATHSIG = 1


TASK_MODULE = "lrtui_task_"
"""Prefix of the names of modules made from the user's files."""


def as_in_a_script() -> None:
    """Makes this process fork its children, and the children die with it. Call once, in the main
    thread.

    A trainer comes from a forkserver, and multiprocessing would start its children in the same way:
    they would have to import the task's file as a module, and could not use objects that do not
    pickle, such as a lambda as `collate_fn`.
    """
    if "fork" in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("fork", force=True)
        _Fork(ctypes.CDLL(None) if sys.platform == "linux" else None)
    ForkingPickler.reducer_override = _by_file  # type: ignore[assignment,method-assign]


def from_file(module: str, path: str, name: str) -> Any:
    """The object `name` of a file, imported as `module` once a process. Pickle calls it in spawned
    (not forked) processes for classes and functions of the task's file."""
    if module not in sys.modules:
        spec = importlib.util.spec_from_file_location(module, path)
        assert spec is not None, path
        assert spec.loader is not None, path
        sys.modules[module] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[module])
    return functools.reduce(getattr, name.split("."), sys.modules[module])


def _by_file(pickler: ForkingPickler, thing: Any) -> Any:
    module = getattr(thing, "__module__", None)
    if module is None or not isinstance(thing, (type, FunctionType)):
        return NotImplemented  # pickled as usual
    if not module.startswith(TASK_MODULE) or "<" in thing.__qualname__:
        return NotImplemented
    return from_file, (module, sys.modules[module].__file__, thing.__qualname__)


class _Fork:
    """Hooks around each fork. Children lose the trainer's signal handlers, and on Linux the kernel
    kills them with the thread that made them; elsewhere DataLoader workers check for their parent
    every few seconds."""

    def __init__(self, libc: ctypes.CDLL | None) -> None:
        self._libc = libc
        self._parent = 0
        self._by_main_thread = False
        os.register_at_fork(before=self._before, after_in_child=self._in_child)

    def _before(self) -> None:
        self._parent = os.getpid()
        self._by_main_thread = threading.current_thread() is threading.main_thread()

    def _in_child(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # another thread may end long before the process
        if self._libc is not None and self._by_main_thread:
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self._parent:  # the parent ended before prctl was called
                os._exit(1)
