"""Ctrl-C, and SIGTERM, which means the same: counted, so that it never comes where something is
half done."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from lrtui.cli.output import let_go

ENOUGH = 3
"""Number of interrupts from which on the end of the work begun by the first is not awaited."""


class Interruptible(Protocol):
    """A process that an interrupt ends at once: a supervisor, or a finder with its supervisors."""

    def interrupt(self) -> None:
        """Ends what is waited for; may be called from a signal handler."""


class Signals:
    """Count interrupts within the context.

    After the first one, later ones are ignored once the context is left: the request was carried
    out, and the last output must not be cut off.
    """

    def __init__(self) -> None:
        self.count = 0
        self._waited_for: Interruptible | None = None
        self._impatient = False

    def __enter__(self) -> Signals:
        self._old = {
            number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, old in self._old.items():
            signal.signal(number, _too_late if self.count else old)

    def came(self) -> bool:
        """True after an interrupt."""
        return self.count > 0

    @contextmanager
    def waiting_for(self, work: Interruptible) -> Iterator[None]:
        """Within, an interrupt ends `work` at once, so that what waits for it need not wait."""
        self._waited_for = work
        try:
            if self.count:
                work.interrupt()
            yield
        finally:
            self._waited_for = None

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Within, interrupt number ENOUGH and each later one raise KeyboardInterrupt, even where a
        write never returns."""
        self._impatient = True
        try:
            yield
        finally:
            self._impatient = False

    def _take(self, *_: object) -> None:
        self.count += 1
        if self._waited_for is not None:
            self._waited_for.interrupt()
        if self._impatient and self.count >= ENOUGH:
            self._impatient = False
            let_go()  # else the process would still wait for a reader when it ends
            raise KeyboardInterrupt


def settle() -> None:
    """Keep the exit code of an interrupted process: Python's own shutdown would let a late signal
    kill it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is _too_late:
            signal.signal(number, signal.SIG_IGN)


def _too_late(*_: object) -> None:
    """Ignore a late signal with a handler: SIG_IGN would be inherited by child processes."""
