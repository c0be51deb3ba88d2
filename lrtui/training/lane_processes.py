"""The processes that run the lanes of a race, as their supervisor sees them: trainers of tasks
(trainer_pool.py), or scripts (integrations/supervisor/pool.py). Imports no torch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Protocol

from lrtui.core.protocol.events import LaneAdded
from lrtui.core.scenario.spec import Race


class ProcessExit(NamedTuple):
    """A process that has exited and is still in its pool."""

    number: int
    code: int
    lanes: frozenset[int]
    """Indices of the lanes assigned to it."""


class LaneTable(Protocol):
    """The lanes of a race, and those that have a process."""

    run: Path
    race: Race
    """Includes the lanes that joined."""

    def has_lane(self, lane: int) -> bool:
        """True if a lane is assigned to a process, even to one that has exited unnoticed."""

    def add_lane(self, added: LaneAdded) -> None:
        """Add a lane to the race and start a process for it."""


class ProcessPool(LaneTable, Protocol):
    """Starts processes, tells which have exited, and signals them."""

    ending: bool
    """True once the processes were signalled to end."""

    def __len__(self) -> int:
        """Processes that run, or are not removed yet."""

    def wait(self, seconds: float) -> None:
        """Wait until a process exits, at most `seconds`."""

    def exits(self) -> list[ProcessExit]:
        """The processes that have exited and were not removed yet."""

    def remove(self, number: int) -> None:
        """Forget a process that has exited."""

    def end(self) -> None:
        """Send SIGTERM to all processes, once; later calls kill those that are overdue."""

    @property
    def overdue(self) -> bool:
        """True if the processes were signalled to end too long ago to wait for a record that cannot
        be written."""

    def kill(self) -> None:
        """Kill all processes."""


class Router(Protocol):
    """Ensures that each command without a result is executed, or refuses it."""

    @property
    def busy(self) -> bool:
        """True while a lane is about to join."""

    def route(self) -> bool:
        """Route all waiting commands. False: the record cannot be read or written now."""

    def forget_pending(self) -> None:
        """Forget the lanes about to join; their commands wait for the next supervisor."""


class Recovery(Protocol):
    """Records what became of the lanes of processes that have exited."""

    def recover(self, gone: ProcessExit, *, interrupted: bool) -> bool:
        """Restart the lanes that a process left without an end, or record their ends.

        `interrupted`: the race is ending, so no lane is restarted. False: the record cannot be read
        or written now.
        """


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
