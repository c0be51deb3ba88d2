"""Handles signals that end the viewer: it leaves as by a key; if its screen hangs, a thread
restores the terminal.

A terminal that is not read blocks its writer: the queue of Textual's writer fills (30 frames at
most) and the event loop waits for it, which bounds the viewer's memory. But a waiting loop sees no
signal.
"""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)
GRACE_S = 5.0
"""Seconds for the screen to leave in good order."""
SANE = (
    b"\x1b[<u\x1b[?2004l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1004l\x1b[?2048l\x1b[?7h"
    b"\x1b[?1049l\x1b[?25h\x1b[0m\n"
)
"""Resets keyboard, paste, mouse, focus and line wrap, and returns to the normal screen with its
cursor."""
TRIES = 20


@contextmanager
def signals_kept() -> Iterator[None]:
    """Restore the signal handlers on exit; `on_signals` may be called inside."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        for number, old in before.items():
            signal.signal(number, old)


def on_signals(leave: Callable[[], None], attributes: Callable[[], list[Any] | None]) -> None:
    """Call `leave` in the running loop on SIGNALS; end without it if the loop does not get to it in
    GRACE_S.

    `attributes`: the terminal's termios attributes before the screen started, None if unknown. A
    thread waits for the signals: a Python handler would not run while the main thread hangs.
    """
    here, there = os.pipe()
    os.set_blocking(there, False)
    for number in SIGNALS:
        signal.signal(number, _heard)
    signal.set_wakeup_fd(there, warn_on_full_buffer=False)
    threading.Thread(
        target=_watch, args=(here, asyncio.get_running_loop(), leave, attributes), daemon=True
    ).start()


def _heard(*_: object) -> None:
    """Do nothing: the thread learns of the signal through its pipe."""


def _watch(
    pipe: int,
    loop: asyncio.AbstractEventLoop,
    leave: Callable[[], None],
    attributes: Callable[[], list[Any] | None],
) -> None:
    number = 0
    while number not in SIGNALS:  # a change of the terminal's size comes here as well
        number = os.read(pipe, 1)[0]
    with suppress(RuntimeError):  # the loop is closed: it is leaving already
        loop.call_soon_threadsafe(leave)
    time.sleep(GRACE_S)
    _tear_down(number, attributes)


def _tear_down(number: int, attributes: Callable[[], list[Any] | None]) -> None:
    """Restore the terminal and end the process at once; pending output is discarded."""
    with suppress(Exception):  # a terminal that is gone needs nothing
        _restore(2, attributes())
    os._exit(128 + number)


def _restore(fd: int, attributes: list[Any] | None) -> None:
    if attributes is not None:
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    os.set_blocking(fd, False)
    try:
        for _ in range(TRIES):
            # what blocks the writer goes, and with it its hold on the terminal
            termios.tcflush(fd, termios.TCOFLUSH)
            try:
                os.write(fd, SANE)
                return
            except BlockingIOError:
                time.sleep(0.02)
    finally:
        os.set_blocking(fd, True)  # the shell shares it
