"""Identity of the processes in run.db: pid, and start time by a clock that cannot be set.

Linux counts ticks from the start of the machine. Elsewhere, and in runs of schema 1, the start is
a time of day, which is off by as much as the clock has been set since.
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
"""Seconds after which a heartbeat is late."""
EPOCH = 1e9
"""A start above this is seconds since 1970; below, seconds since the start of the machine."""
CLOCK_S, TICK_S = 2.0, 0.005
"""Largest difference between two readings of one start, by time of day and by kernel ticks."""


class Process(msgspec.Struct, frozen=True):
    """One row of the table `processes`: a process of the run and its last heartbeat."""

    role: str
    pid: int
    started: float
    host: str
    beat: float

    def alive(self) -> bool:
        """True if that very process exists (not a reused pid); on another host, if its heartbeat is
        fresh."""
        if self.host != socket.gethostname():
            return abs(time.time() - self.beat) < 2 * LATE_S
        return exists(self.pid, self.started)

    def terminate(self) -> bool:
        """Send SIGTERM to that very process; False if it is gone, or on another host."""
        if self.host != socket.gethostname() or not self.alive():
            return False
        try:
            os.kill(self.pid, signal.SIGTERM)
        except OSError:
            return False
        return True


def processes(db: sqlite3.Connection) -> list[Process]:
    """Every process that works, or last worked, on a run."""
    return [
        Process(*row) for row in db.execute("SELECT role, pid, started, host, beat FROM processes")
    ]


def started(pid: int) -> float:
    """Start time of a process; psutil.NoSuchProcess if there is none."""
    if platform.system() == "Linux":
        try:
            return _since_boot(pid)
        except (FileNotFoundError, ProcessLookupError) as error:
            raise psutil.NoSuchProcess(pid) from error
    return float(psutil.Process(pid).create_time())


def exists(pid: int, at: float) -> bool:
    """True if the process with this pid started `at` and is not a zombie."""
    try:
        process = psutil.Process(pid)
        now, apart = (
            (started(pid), TICK_S) if at < EPOCH else (float(process.create_time()), CLOCK_S)
        )
        return abs(now - at) < apart and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError, ValueError):
        return False


def _since_boot(pid: int) -> float:
    """Field 22 of the stat line; field 2, a name in brackets, may hold any character."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
