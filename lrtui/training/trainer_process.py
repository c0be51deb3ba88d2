"""The supervisor's handle to one trainer process. Imports no torch."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from typing import Any

import psutil

from lrtui.core.scenario.spec import Race
from lrtui.store import identity
from lrtui.training.lane_assignment import LaneAssignment

context = multiprocessing.get_context("forkserver")
UNKNOWN = 255
"""Exit code that multiprocessing reports once the forkserver is gone, even of a live process."""


class TrainerProcess:
    """A trainer that has been started, with the lanes that are its own."""

    def __init__(
        self, run: str, number: int, race: Race, assignments: Sequence[LaneAssignment], threads: int
    ) -> None:
        self.assignments = list(assignments)
        self._process = context.Process(
            target=_trainer, args=(run, number, race, self.assignments, threads), daemon=False
        )
        self._process.start()
        assert self._process.pid is not None
        self._pid = self._process.pid
        try:
            self._started = identity.started(self._pid)
        except psutil.Error:  # it was as quick as that
            self._started = -1.0

    @property
    def exitcode(self) -> int | None:
        """None while it lives. A machine that shuts down ends the forkserver, too, from which the
        code would be known."""
        code = self._process.exitcode
        return None if code == UNKNOWN and identity.exists(self._pid, self._started) else code

    @property
    def sentinel(self) -> int | None:
        """Handle that becomes ready for `connection.wait` on exit; None if that is unknown."""
        return None if self._process.exitcode is not None else int(self._process.sentinel)

    def send_signal(self, signal: int) -> None:
        """Sends a signal, if it is still there."""
        if self.exitcode is None:
            try:
                os.kill(self._pid, signal)
            except ProcessLookupError:
                pass


def _trainer(*args: Any) -> None:
    from lrtui.training.trainer import run

    run(*args)
