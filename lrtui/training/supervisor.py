"""The supervisor of a run: one loop over processes, commands, news and pruning, to the last end.

It outlives every screen, and imports no torch. Its only channel is the run's database. What runs
the lanes is given to it: trainers (trainer_supervisor.py), or scripts
(integrations/supervisor/supervisor.py).
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence

from lrtui.core.errors import StoreUnavailable, Superseded
from lrtui.core.protocol.commands import AnyCommand
from lrtui.core.protocol.events import AnyEvent, LogMessage
from lrtui.core.protocol.launch_protocol import HookCommands, Preview
from lrtui.core.scenario.spec import Race
from lrtui.store.run_dir import GONE_S, Absence, is_gone
from lrtui.store.writer import Writer, row
from lrtui.training.event_hook import EventHook
from lrtui.training.lane_processes import ProcessPool, Recovery, Router
from lrtui.training.output import reported
from lrtui.training.pruning import PruningMonitor

LOOK_S = 0.1
BEAT_S = 1.0


class Supervisor:
    """Supervises one race, from its start or resumption to the end of its last lane."""

    def __init__(
        self,
        writer: Writer,
        pool: ProcessPool,
        router: Router,
        recovery: Recovery,
        hooks: HookCommands = HookCommands(),  # noqa: B008  # immutable
        folder: str | None = None,
    ) -> None:
        """`folder`: the working directory of the commands; None: that of this process."""
        self.run = writer.run
        self._writer = writer
        self._pool = pool
        self._router = router
        self._recovery = recovery
        self._hook = EventHook(hooks, writer, folder=folder)
        self._pruning = PruningMonitor(self.run, pool.race)
        self._unsent: list[tuple[AnyCommand, str]] = []
        """Commands of the pruning that are not sent yet, each with its line for the log."""
        self._absence = Absence(self.run)
        self._stop_reason = ""
        """The reason this process ends the race; '' while it does not."""
        self._beat_at = -BEAT_S
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        reported(self._writer.claim)

    @property
    def race(self) -> Race:
        """The race with all lanes that joined."""
        return self._pool.race

    def note(self, previews: Sequence[Preview]) -> None:
        """Log the warnings about the lanes' schedules, if the record can be written."""
        self._append(
            [
                LogMessage(lane=index, at=time.time(), text=text)
                for index, preview in enumerate(previews)
                for text in preview.warnings
            ]
        )

    def run_to_end(self) -> None:
        """Run the loop until nothing is left to do."""
        try:
            self._loop()
        # this process was frozen, and replaced by another supervisor
        except Superseded as error:
            print(error.message, file=sys.stderr, flush=True)
            self._pool.kill()

    def _loop(self) -> None:
        routed = False
        while not routed or self._has_work():
            self._pool.wait(LOOK_S)
            self._beat()
            self._reap()
            self._hook.look(self.race)
            if self._absence.seconds() > GONE_S:  # no command reaches the race any more
                self.stop(f"{self.run} has been gone for {GONE_S:g} s")
            if self._stop_reason:
                self._end_processes()
            if self._ends():
                self._router.forget_pending()
                routed = True
            else:
                routed = self._router.route()
                self._prune()
        self._hook.give_up()
        self._writer.close()

    def _has_work(self) -> bool:
        announces = self._hook.telling if self._ends() else self._hook.busy
        return bool(self._pool) or self._router.busy or announces

    def _ends(self) -> bool:
        """True if nothing new may begin: the race is being stopped, or its folder is gone."""
        return bool(self._stop_reason) or is_gone(self.run)

    def _reap(self) -> None:
        """Recover the lanes of processes that have exited; give them up if that cannot succeed."""
        for gone in self._pool.exits():
            recovered = self._recovery.recover(gone, interrupted=bool(self._stop_reason))
            if recovered or is_gone(self.run) or self._pool.overdue:
                self._pool.remove(gone.number)

    def _prune(self) -> None:
        """Send the commands of the pruning, and log them."""
        try:
            self._unsent += self._pruning.look()
            while self._unsent:
                command, text = self._unsent[0]
                self._writer.send(command)
                del self._unsent[0]
                if text:
                    self._log(command.lane, text)
        except StoreUnavailable:
            pass  # at the next look

    def stop(self, reason: str) -> None:
        """End the race as interrupted, soon; only the first reason counts."""
        self._stop_reason = self._stop_reason or reason

    def on_signal(self, number: int, frame: object) -> None:
        """Handle a signal that ends this process."""
        self._stop_reason = signal.Signals(number).name

    def _end_processes(self) -> None:
        if not self._pool.ending:
            print(f"{self._stop_reason}: all lanes are interrupted", file=sys.stderr, flush=True)
            self._hook.end(self._stop_reason)
        self._pool.end()

    def _beat(self) -> None:
        if time.monotonic() - self._beat_at >= BEAT_S:
            self._beat_at = time.monotonic()
            reported(self._writer.beat)

    def _log(self, lane: int, text: str) -> None:
        self._append([LogMessage(lane=lane, at=time.time(), text=text)])

    def _append(self, events: Sequence[AnyEvent]) -> None:
        if events:
            reported(lambda: self._writer.append([row(event) for event in events]))
