"""Prints a race as lines to its end; to leave earlier, it stops the race or names the way back."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.cli.appearance import wanted
from lrtui.cli.exit_codes import ExitCode, race_exit_code
from lrtui.cli.output import complain, reader_gone
from lrtui.cli.signals import Signals
from lrtui.client.commands import CommandClient
from lrtui.client.follower import Follower
from lrtui.client.script_again import again
from lrtui.core.errors import LrtuiError, StoreUnavailable
from lrtui.core.protocol.commands import Stop
from lrtui.core.state.status import RESUMABLE
from lrtui.core.streams import OutputLost
from lrtui.core.text import one_line
from lrtui.store.reader import Reader
from lrtui.terminal.notifications import Notifier

if TYPE_CHECKING:
    from lrtui.plain import LineWriter

RESUME_TIMEOUT_S = 30.0
"""By then a new supervisor has recorded its first event, or has ended."""


def print_run(
    run: Path, as_json: bool, signals: Signals | None = None, *, resumed: bool = False
) -> int:
    """Print a run until its end; returns the exit code.

    With `signals` the race is this frontend's own: an interrupt stops it, and its end is still
    printed. If the lines cannot be written, the race continues if stderr can say so, else it is
    stopped. `resumed`: a supervisor is about to resume the run, so recorded ends are not its end.
    """
    from lrtui.plain.json_lines import JsonLines
    from lrtui.plain.text_lines import PlainLines

    try:
        follower = Follower(run, wanted().memory * 1_000_000)
    except LrtuiError as error:
        raise type(error)(error.message, _goes_on(run) if signals else error.hint) from error
    frontend = PlainFrontend(follower, signals, resumed)
    try:
        lines = JsonLines(follower) if as_json else _announced(PlainLines(run=run), follower)
        return frontend.run(lines)
    except OutputLost as lost:
        return frontend.on_output_lost(lost)
    except KeyboardInterrupt:
        if signals is None:
            raise
        return frontend.abandon()
    except LrtuiError:  # its message names the way back
        raise
    except Exception:  # a bug here: the race does not depend on it
        frontend.report_way_back()
        raise


def _announced(lines: LineWriter, follower: Follower) -> LineWriter:
    """Lines whose news are sent to the desktop of the terminal; the same where they go
    elsewhere."""
    if not sys.stdout.isatty():
        return lines
    from lrtui.plain.announced import Announced

    found = wanted()

    def write(text: str) -> None:
        print(text, end="", flush=True)

    def ring() -> None:
        if found.bell:
            write("\a")

    notifier = Notifier(found.notify, os.environ, write, ring, time.monotonic)
    return Announced(lines, follower, notifier)


class PlainFrontend:
    """Prints a race, either one that it started itself or one that it only watches."""

    def __init__(self, follower: Follower, signals: Signals | None, resumed: bool) -> None:
        self._follower = follower
        self._commands = CommandClient(follower)
        self._signals = signals
        self._resumed = resumed
        self._stopping = self._hinted = self._folder_missing = False

    def run(self, lines: LineWriter) -> int:
        """Print everything until the end; returns the exit code."""
        from lrtui.plain import play

        with self._impatient():
            if self._resumed:
                _wait_until_resumed(self._follower.run, self._interrupted)
            finished = play(self._follower, lines, self._must_leave)
        if not finished:
            self.stop(for_good=not self._interrupted())
            with self._impatient():
                self._wait_for_stops()
                play(self._follower, lines, self._hint)
        if self._interrupted():
            complain(f"interrupted; {self._way_back()}")
            return ExitCode.INTERRUPTED
        if self._follower.reader.gone:
            complain(self._way_back())
        return race_exit_code(self._follower.state)

    def on_output_lost(self, lost: OutputLost) -> int:
        """Report that the lines cannot be written; returns the exit code."""
        if self._signals is None and reader_gone(lost):
            return ExitCode.RACED
        why = f"standard output: {lost}; "
        if self._interrupted():
            self.stop()
            self._wait_for_stops()
            complain(why + f"interrupted; {self._way_back()}")
            return ExitCode.INTERRUPTED
        reported = complain(why + self._way_back())
        if not reported and self._signals is not None:
            self.stop()  # it would run on unknown to its user
            self._wait_for_stops()
        return ExitCode.OUTPUT_LOST

    def report_way_back(self) -> None:
        """Print the state in which the race is left."""
        complain(self._way_back())

    def abandon(self) -> int:
        """Stop the race without waiting for its end, after several interrupts; the exit code."""
        self.stop()
        complain(f"interrupted; {self._way_back()}")
        return ExitCode.INTERRUPTED

    def stop(self, *, for_good: bool = False) -> None:
        """Send Stop to every living lane; of a race that is being resumed, also to lanes whose
        restart is not recorded yet. LrtuiError, with the state of the race, if that fails."""
        follower = self._follower
        stops = [
            Stop(lane=lane.index, for_good=for_good)
            for lane in follower.state.lanes
            if not lane.over or (self._resumed and lane.status in RESUMABLE)
        ]
        try:
            self._commands.send(stops, for_next_supervisor=True)
        except StoreUnavailable as error:
            supervisor = follower.reader.supervisor()
            # a supervisor that is terminated ends its lanes itself
            if supervisor is None or not supervisor.terminate():
                raise LrtuiError(
                    "the stop command could not be sent: " + error.message, self._way_back()
                ) from error
        self._stopping = True

    def _wait_for_stops(self) -> None:
        """Wait until each lane has replied: then its end is recorded."""
        for _ in self._commands.wait(
            RESUME_TIMEOUT_S, lambda: self._hint() or self._follower.supervisor_gone
        ):
            pass

    def _must_leave(self) -> bool:
        self._report_folder()
        return self._interrupted() or self._only_pruned_left()

    def _interrupted(self) -> bool:
        return self._signals is not None and self._signals.came()

    def _report_folder(self) -> None:
        """Report once that the run's folder is gone, or back."""
        if self._follower.reader.gone != self._folder_missing:
            self._folder_missing = not self._folder_missing
            complain(
                self._follower.reader.trouble()
                if self._folder_missing
                else "the run's folder is back: the race goes on"
            )

    def _impatient(self) -> AbstractContextManager[None]:
        return self._signals.impatient() if self._signals else nullcontext()

    def _only_pruned_left(self) -> bool:
        """True if only lanes that the pruning paused are left: no screen could resume them."""
        state = self._follower.state
        prunes = self._signals is not None and state.race.pruning is not None
        return prunes and self._follower.caught_up and not state.training

    def _hint(self) -> bool:
        """Report once, after a second interrupt, that the lanes are ending; always False: their
        ends are still printed. A script that is late is killed by a second stop."""
        if self._signals and self._signals.count > 1 and not self._hinted:
            self._hinted = True
            if self._follower.state.race.script is not None:
                self.stop()
            complain("its lanes are ending; interrupt again to leave at once")
        return False

    def _way_back(self) -> str:
        """The state in which the race is left, and the command that returns to it."""
        name = one_line(self._follower.run.name)
        if self._follower.reader.gone:
            return self._follower.reader.trouble()
        try:
            self._follower.finish()
        except LrtuiError:
            pass  # the last known state has to do
        if not self._follower.state.over:
            if self._stopping:
                return (
                    "its lanes have been told to end; see whether they have with: lrtui watch"
                    f" {name}"
                )
            return (
                _goes_on(self._follower.run)
                if self._signals
                else f"the race goes on; back to it with: lrtui watch {name}"
            )
        if any(lane.status in RESUMABLE for lane in self._follower.state.lanes):
            race = self._follower.state.race
            if race.script is not None:
                return f"to run it again: {again(self._follower.run, race)}"
            return f"to go on: lrtui resume {name}"
        return f"the race has ended; see it with: lrtui report {name}"


def _goes_on(run: Path) -> str:
    """A started race that continues without a frontend, and the commands that reach it."""
    name = one_line(run.name)
    return (
        f"the race goes on; back to it with: lrtui watch {name}; to end it: lrtui send --all {name}"
        " stop"
    )


def _wait_until_resumed(run: Path, interrupted: Callable[[], bool]) -> None:
    """Wait until a lane trains again, the supervisor has ended, or an interrupt came."""
    until = time.monotonic() + RESUME_TIMEOUT_S
    reader = Reader(run)
    while time.monotonic() < until and not interrupted():
        supervisor = reader.supervisor()
        if not reader.outcome()[0] or supervisor is None or not supervisor.alive():
            break
        time.sleep(0.02)
    reader.close()
