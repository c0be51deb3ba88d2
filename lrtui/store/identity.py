"""Which process a row of run.db means: its number, and when it started by a clock that nobody can
set.

Linux counts the ticks from the machine's start to the process's own. Elsewhere, and in runs of
schema version 1, it is the time of day, which may be off by what the clock has been set since.
"""

from __future__ import annotations

import os
import platform
import signal
import socket
import sqlite3
import time
from pathlib import Path

import msgspec
import psutil

LATE_S = 5.0
"""A beat older than this is late."""
EPOCH = 1e9
"""A start time above this is one by the time of day, in seconds since 1970; below, it is seconds
since the machine started."""
CLOCK_S, TICK_S = 2.0, 0.005
"""How far two readings of the same start may be apart; the kernel's ticks are exact."""


class Process(msgspec.Struct, frozen=True):
    """One row of `processes`: who works on the run and when it last said so."""

    role: str
    pid: int
    started: float
    host: str
    beat: float

    def alive(self) -> bool:
        """Whether that very process exists (a reused pid is another); on another host, whether its
        beat is fresh."""
        if self.host != socket.gethostname():
            return abs(time.time() - self.beat) < 2 * LATE_S
        return exists(self.pid, self.started)

    def terminate(self) -> bool:
        """Sends SIGTERM to that very process; False where it is gone, or on another host."""
        if self.host != socket.gethostname() or not self.alive():
            return False
        try:
            os.kill(self.pid, signal.SIGTERM)
        except OSError:
            return False
        return True


def processes(db: sqlite3.Connection) -> list[Process]:
    """All who work on a run, or have worked on it last."""
    return [
        Process(*row) for row in db.execute("SELECT role, pid, started, host, beat FROM processes")
    ]


def started(pid: int) -> float:
    """When a process started; psutil.NoSuchProcess where there is none."""
    if platform.system() == "Linux":
        try:
            return _since_boot(pid)
        except (FileNotFoundError, ProcessLookupError) as error:
            raise psutil.NoSuchProcess(pid) from error
    return float(psutil.Process(pid).create_time())


def exists(pid: int, at: float) -> bool:
    """Whether the process that started `at` is there, and no zombie: one that only has its number
    is another."""
    try:
        process = psutil.Process(pid)
        now, apart = (
            (started(pid), TICK_S) if at < EPOCH else (float(process.create_time()), CLOCK_S)
        )
        return abs(now - at) < apart and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError, ValueError):
        return False


def _since_boot(pid: int) -> float:
    """Field 22 of its stat line; the second one, a name in brackets, may hold anything."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
