"""One pass over a DataLoader, whose failures are reported with their causes."""

from __future__ import annotations

import re
import signal
import threading
import traceback
from collections.abc import Generator, Iterator
from multiprocessing import connection
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from lrtui.core.errors import TaskError

_COLLATE = "/torch/utils/data/_utils/collate.py"
ENDING_S = 1.0
"""Seconds to wait for the end of a worker whose connection is broken."""
_HINTS = {
    signal.SIGKILL: "often the memory has run out: try fewer workers, or smaller batches",
    signal.SIGBUS: "often the shared memory is full: try a larger /dev/shm, or fewer workers",
}


def one_pass(loader: DataLoader[Any]) -> Generator[Any]:
    """The batches of one pass, which begins at once; its workers end with it, unless they are
    persistent.

    torch's handler of SIGCHLD raises a worker's death wherever the main thread is, perhaps within
    another lane; without the handler the pass itself notices it.
    """
    if threading.current_thread() is not threading.main_thread():
        return _with_causes(iter(loader))
    before = signal.getsignal(signal.SIGCHLD)
    try:
        return _with_causes(iter(loader))
    finally:
        if signal.getsignal(signal.SIGCHLD) != before:
            signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)


def end_workers(loader: DataLoader[Any]) -> None:
    """Ends the persistent workers of a loader, if it has any."""
    if (kept := getattr(loader, "_iterator", None)) is not None:
        kept._shutdown_workers()
        loader._iterator = None


def _with_causes(batches: Iterator[Any]) -> Generator[Any]:
    try:
        yield from batches
    except Exception as error:
        if why := _cause(error, batches):
            raise TaskError(*why) from error
        raise
    finally:
        end = getattr(batches, "_shutdown_workers", None)  # only an iterator with workers has it
        if end and not getattr(batches, "_persistent_workers", False):
            end()


def _cause(error: Exception, batches: Iterator[Any]) -> tuple[str, str] | None:
    """The cause of a failed pass and a hint; None if the error itself says enough."""
    text = str(error)
    lost = "exited unexpectedly" in text or "is killed by signal" in text
    if (
        (lost or isinstance(error, (OSError, EOFError)))
        and (ended := _ended(batches))
        and (lost or ended.exitcode)
    ):
        return _end_of(ended)
    place, line = "", traceback.format_exception_only(error)[0].strip()
    if raised := re.match(r"Caught (\w+) in (DataLoader worker process \d+)\.", text):
        frames = re.findall(r'^ *File "(.+)", line (\d+)', text, re.MULTILINE)
        own = [
            f"{Path(file).name}:{number}, "
            for file, number in frames
            if "site-packages" not in file
        ]
        place = f" ({''.join(own[-1:])}in {raised[2]})"
        line = [line, *re.findall(rf"^(?:\w+\.)*{raised[1]}\b.*", text, re.MULTILINE)][-1]
    if _COLLATE in text or any(
        frame.filename.endswith(_COLLATE) for frame in traceback.extract_tb(error.__traceback__)
    ):
        return (
            (
                "the samples of a batch cannot be put together:"
                f" {line.partition(': ')[2] or line}{place}"
            ),
            (
                "expected samples of equal shapes and of tensors, numbers, lists or dicts, or"
                " dataset() to give a DataLoader with a collate_fn of its own"
            ),
        )
    return (f"{line}{place}", "num_workers=0 makes it easier to look into") if place else None


def _ended(batches: Iterator[Any]) -> Any | None:
    """A worker that has ended, preferably with a failure; waits for one whose connections broke
    first."""
    workers = getattr(batches, "_workers", ())
    if all(worker.exitcode in (None, 0) for worker in workers):
        ending = connection.wait(
            [worker.sentinel for worker in workers if worker.is_alive()], ENDING_S
        )
        for worker in workers:
            if worker.sentinel in ending:
                worker.join(ENDING_S)  # until its exit code is known
    return max(
        (worker for worker in workers if not worker.is_alive()),
        key=lambda worker: worker.exitcode != 0,
        default=None,
    )


def _end_of(worker: Any) -> tuple[str, str]:
    code = worker.exitcode
    if code >= 0:
        return (
            (
                f"a DataLoader worker (process {worker.pid}) ended with exit code {code} before its"
                " work was done"
            ),
            (
                "what it printed is in the log of the lane's trainer; num_workers=0 makes it easier"
                " to look into"
            ),
        )
    number = signal.Signals(-code)
    return (
        f"a DataLoader worker (process {worker.pid}) was killed by {number.name}",
        _HINTS.get(number, "num_workers=0 makes it easier to look into"),
    )
