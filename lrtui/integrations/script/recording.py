"""The way of a script's process into the record of its run, which only rank 0 has."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from lrtui.core.protocol.command_result import CommandResult
from lrtui.core.protocol.commands import AnyCommand
from lrtui.core.protocol.events import AnyEvent
from lrtui.store.recorder import Recorder

CLOSE_S = 5.0
"""Seconds that the end of a script waits for the last flush."""


class Recording(Protocol):
    """Takes events, gives commands; never waits for the disk."""

    @property
    def superseded(self) -> bool:
        """True if another process has the lane now."""

    def put(self, event: AnyEvent) -> None:
        """Hand over an event."""

    def commands(self) -> list[tuple[int, AnyCommand]]:
        """The commands since the last call, each with its number."""

    def acknowledge(self, number: int, result: CommandResult) -> None:
        """Hand over the result of a command."""

    def atomic(self) -> AbstractContextManager[None]:
        """Write what is handed over within the block in one transaction."""

    def wait(self, seconds: float) -> None:
        """Wait for a command, at most `seconds`."""

    def close(self, patience_s: float = CLOSE_S) -> bool:
        """Write what is left."""


class Silence:
    """The recording of a rank that records nothing and takes no commands."""

    superseded = False

    def __init__(self) -> None:
        self._never = threading.Event()

    def put(self, event: AnyEvent) -> None:
        """Drop an event."""

    def commands(self) -> list[tuple[int, AnyCommand]]:
        """No commands."""
        return []

    def acknowledge(self, number: int, result: CommandResult) -> None:
        """Drop a result."""

    def atomic(self) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    def wait(self, seconds: float) -> None:
        """Wait `seconds`."""
        self._never.wait(seconds)

    def close(self, patience_s: float = CLOSE_S) -> bool:
        """Do nothing."""
        return True


def recorder(run: Path, lane: int) -> Recorder | None:
    """The recorder of a lane; None if another process of the script has the lane: the first whose
    optimizer steps."""
    role = f"trainer {lane}"
    try:
        with open(run / f"lane-{lane}.claim", "x", encoding="ascii") as file:
            file.write(str(os.getpid()))
    except FileExistsError:
        owner = (run / f"lane-{lane}.claim").read_text(encoding="ascii").strip()
        print(
            f"lrtui: process {owner} of this script has the lane already; the steps of process"
            f" {os.getpid()} are not recorded",
            file=sys.stderr,
        )
        return None
    except OSError:  # a full disk: the recorder waits for it
        pass
    return Recorder(run, role, {lane})
