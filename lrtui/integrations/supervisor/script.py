"""One lane of a script race: it waits, runs and ends; how it is stopped. Knows no record."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from lrtui.core.protocol.commands import SIGTERM_S, Stop
from lrtui.integrations.supervisor.process import ScriptProcess

STOP_S = SIGTERM_S
"""Seconds that a script has to end after a stop command, before SIGTERM; and after the supervisor's
SIGTERM, before SIGKILL."""
LINGER_S = 5.0
"""Seconds to wait for processes that outlive the script that started them."""

StopReason = Literal["", "stopped", "interrupted"]
"""The end that a lane was asked for; "" for none."""


def reason_of(command: Stop) -> StopReason:
    """The end that a stop command asks for."""
    return "stopped" if command.for_good else "interrupted"


class SupervisedScript:
    """The script of one lane, before, while and after it runs."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.place = 0
        """Where it runs (environment.Places)."""
        self.process: ScriptProcess | None = None
        """None before it is started, and where it never was."""
        self.failure = ""
        """Why it could not be started."""
        self.stops: list[int] = []
        """Numbers of the commands that asked it to stop."""
        self.asked: StopReason = ""
        self.signalled: StopReason = ""
        """The end for which it was signalled, or withdrawn before its start."""
        self._asked_at = 0.0
        self.notes: list[str] = []
        """Lines for the log that are not written yet."""
        self._over = self._orphaned = False

    @property
    def waits(self) -> bool:
        """True before it is started."""
        return self.process is None and not self.failure and not self.signalled

    @property
    def runs(self) -> bool:
        """True while it takes up a place."""
        return self.process is not None and not self._over

    def trains(self, records: Callable[[], bool]) -> bool:
        """True while its first process lives, or another one writes the lane's record, as
        `records` tells."""
        return self.process is not None and (self.process.exitcode is None or records())

    def over(self, records: Callable[[], bool]) -> bool:
        """True once it does not train and its last process has ended, or outlives it for
        LINGER_S."""
        if self.process is None or self._over:
            return self._over or not self.waits
        if self.trains(records):
            self._note_orphans()
            return False
        rest = self.process.rest()
        if rest and self.process.ended_for < LINGER_S:
            return False
        if rest and (self.asked or self.signalled):
            self.process.kill()  # they were to stop, too
        elif rest:
            who = ", ".join(str(one.pid) for one in rest)
            self.notes.append(f"processes that it started outlive it, and are left alone: {who}")
        self._over = True
        return True

    def _note_orphans(self) -> None:
        assert self.process is not None
        if not self._orphaned and self.process.ended_for > LINGER_S:
            self._orphaned = True
            self.notes.append("its first process has ended; another one of it goes on training")

    def stop(self, number: int, reason: StopReason, records: Callable[[], bool]) -> str:
        """Take in a stop command: its result, or '' if the script is to execute it itself, or has
        ended.

        `records`: True if the script makes steps, and reads its commands.
        """
        before, self.asked = self.asked, reason
        self.stops.append(number)
        if self.waits:
            self.signalled = reason
            return "stopped before it was started"
        if self.process is None or not self.trains(records):
            return ""
        if self.signalled:
            self.process.kill()
            return "killed"
        if before:
            self.terminate(reason)
            return "sent SIGTERM: it was told to stop before; another stop kills it"
        if not records():
            self.terminate(reason)
            return "sent SIGTERM: it had made no step yet"
        self._asked_at = time.monotonic()
        return ""

    def escalate(self) -> str:
        """Send SIGTERM if the script runs for STOP_S after it was asked to stop: a line about it,
        '' if there was no need."""
        late = self._asked_at and time.monotonic() - self._asked_at > STOP_S
        if not late or self.signalled or not self.runs:
            return ""
        self.terminate(self.asked)
        return f"still running {STOP_S:g} s after the stop: sent SIGTERM; another stop kills it"

    def terminate(self, reason: StopReason) -> None:
        """Send SIGTERM, or withdraw a script that waits."""
        self.signalled = self.signalled or reason
        if self.process is not None:
            self.process.terminate()
