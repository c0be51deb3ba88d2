"""The processes that a task's code starts in a trainer, DataLoader workers above all: forked, as from a plain script, and
never left behind."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def as_in_a_script() -> None:
    """Fork the processes that this one will start, and let them die with it. To be called once, by the main thread.

    A trainer comes from a forkserver, and multiprocessing would start its children in the same way: they would have to
    import the task's file as a module and could take nothing that does not pickle, such as a lambda as `collate_fn`.
    """
    if "fork" in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("fork", force=True)
        _Fork(ctypes.CDLL(None) if sys.platform == "linux" else None)


class _Fork:
    """What happens around each fork. Children keep none of the trainer's ways to end, and on Linux the kernel kills them with
    the thread that made them, however that ends; elsewhere DataLoader workers look for their parent every few seconds."""

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
        if self._libc is not None and self._by_main_thread:  # another thread may end long before its process
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self._parent:  # it was gone before the kernel was asked
                os._exit(1)
