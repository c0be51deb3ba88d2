"""Following a run, live or finished: polls its record, folds it, notices a supervisor that is gone.
Knows no screen.

The plain lines and the screen both look at a run through this; replay, watching and racing are the
same to them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from lrtui.client.script_again import again
from lrtui.core.errors import RunError, StoreUnavailable
from lrtui.core.protocol.command_result import CommandResult
from lrtui.core.protocol.commands import AnyCommand
from lrtui.core.protocol.events import AnyEvent, Ended, LogMessage, Steps
from lrtui.core.state.memory_budget import DEFAULT_BYTES
from lrtui.core.state.race_state import LaneState, RaceState, apply, presume_ended
from lrtui.core.state.status import RESUMABLE
from lrtui.store.identity import Process
from lrtui.store.label import read_label
from lrtui.store.reader import Reader
from lrtui.store.record_index import LogIndex, SampleIndex
from lrtui.store.run_dir import SUPERVISOR_LOG, SUPERVISOR_ROLE, tail, trainer_role
from lrtui.store.writer import Writer

LOOK_S = 1.0
"""Seconds between two checks for the supervisor, and between two looks at the run's label."""
LAST_WORDS_S = 10.0
"""Seconds to wait for orphaned trainers to record their lanes' ends before marking them
interrupted."""
LAST_LINES = 5
"""Lines shown of the log of a supervisor that died."""


class Follower:
    """A run and what is known of it; `poll` brings it up to date."""

    def __init__(self, run: Path, memory: int = DEFAULT_BYTES) -> None:
        """`memory`: bytes that the curves of all lanes may take up."""
        self.run = run
        self.reader = Reader(run)
        self.state = RaceState(self.reader.race, memory)
        self.state.label = read_label(run)
        self.samples: SampleIndex = SampleIndex()
        self.log_index = LogIndex()
        """Positions of samples and log lines in the record; `event` reads them again."""
        self.trouble = ""
        """Reason why the record may be behind the training, or ended too early; '' if all is
        well."""
        self._writer: Writer | None = None
        self._looked = self._labelled = time.monotonic()
        self._gone_since: float | None = None
        """Time of the first check that found the supervisor gone; None while it runs."""
        self._death_reported = False
        """True once the log says that the supervisor died: only the lanes' ends carry it, not the
        record."""

    def poll(self, budget_s: float = 0.05) -> list[AnyEvent]:
        """The events since the last call (as many as fit the budget), which `state` now holds."""
        self._look_at_label()
        try:
            events = self.reader.poll(budget_s)
        except StoreUnavailable as error:
            self.trouble = error.message
            return []
        self._fold(events)
        if events and self.trouble:
            self.trouble = self.reader.trouble()  # the record continues: its cause may be over
        if not self.state.over:
            self._death_reported = False
        elif self.reader.caught_up and not self._death_reported:
            self._death_reported = True
            if (
                any(lane.ended and lane.ended.orphaned for lane in self.state.lanes)
                and self._abandoned()
            ):
                events += self._report_supervisor_death()
        if (
            self.reader.caught_up
            and not self.state.over
            and time.monotonic() - self._looked > LOOK_S
        ):
            self._looked = self._labelled = time.monotonic()
            events += self._look()
        return events

    def _look_at_label(self) -> None:
        """Now and then: another viewer, or a command, may have given the run a name."""
        if time.monotonic() - self._labelled > LOOK_S:
            self._labelled = time.monotonic()
            self.state.label = read_label(self.run)

    def _fold(self, events: list[AnyEvent]) -> None:
        """Events that were just read come into the state; where lines and pictures lie is noted.
        Those that do not fit go."""
        rows = iter(self.reader.rows)
        fit = []
        for event in events:
            row = 0 if isinstance(event, Steps) else next(rows)
            if apply(self.state, event):
                fit.append(event)
                self.samples.add(row, event)
                self._note_lines(event.lane, row)
            else:
                self._note_lines(-1)
        events[:] = fit

    def _note_lines(self, lane: int, row: int = 0) -> None:
        """Notes where a line lies that the log has got."""
        if len(self.log_index) < self.state.log_count:
            self.log_index.add(row, lane)

    def catch_up(self) -> None:
        """Reads the record to its end; RunError if that is not possible now."""
        while not self.caught_up:
            self.poll(1.0)
            if self.trouble and not self.caught_up:
                raise RunError(self.trouble, "try again")

    def finish(self) -> None:
        """Reads the record to its end and presumes the ends of orphaned lanes at once; RunError if
        that is not possible now."""
        self.catch_up()
        if not self.state.over:
            self._look()

    def _look(self) -> list[AnyEvent]:
        """Looks whether the run's processes live. One that is gone may have ended since the record
        was read: it is read again."""
        orphans, trouble = self._orphans(), self.reader.trouble()
        try:
            events = self.reader.poll() if trouble else []
        except StoreUnavailable:
            return []
        self._fold(events)
        self.trouble = self.reader.trouble() if events else trouble
        if not self.reader.caught_up:
            return events
        ends = self._ends([lane for lane in orphans if not lane.over])
        for end in ends:
            presume_ended(self.state, end)
            self._note_lines(end.lane)
        return [*events, *ends]

    @property
    def caught_up(self) -> bool:
        return self.reader.caught_up

    @property
    def supervisor_gone(self) -> bool:
        """True if the run's supervisor, and any script of it, is gone: commands are not read any
        more."""
        return self._abandoned()

    def resumable(self) -> list[LaneState]:
        """The lanes that `lrtui resume` continues once the supervisor is gone: those interrupted.
        Empty for scripts, and if the run's folder is gone."""
        if self.reader.gone or self.state.race.script is not None:
            return []
        return [lane for lane in self.state.lanes if not lane.over or lane.status in RESUMABLE]

    def send(self, commands: Iterable[AnyCommand]) -> list[int]:
        """Writes commands for the run's trainers and its supervisor; returns their numbers.
        StoreUnavailable if the record cannot be written now."""
        self._writer = self._writer or Writer(self.run, "viewer")
        return [self._writer.send(command) for command in commands]

    def results(self, numbers: list[int]) -> dict[int, CommandResult]:
        """The results of those commands that have one, by number; {} if the store cannot be read
        now."""
        try:
            return self.reader.results(numbers) if numbers else {}
        except StoreUnavailable:
            return {}

    def event(self, row: int) -> AnyEvent | None:
        """Read one event again, by its row; None if it cannot be read now."""
        return self.reader.event(row)

    def trainers(self) -> dict[str, Process]:
        """Trainers that have worked on the run, by role."""
        return self.reader.trainers()

    def withdraw(self, numbers: list[int], why: str) -> None:
        """Withdraws commands that no process has read; raises StoreUnavailable if the store cannot
        be written now."""
        self._writer = self._writer or Writer(self.run, "viewer")
        self._writer.acknowledge([(number, CommandResult("withdrawn", why)) for number in numbers])

    def close(self) -> None:
        """Closes the database."""
        self.reader.close()
        if self._writer:
            self._writer.close()

    def _orphans(self) -> list[LaneState]:
        """The lanes without an end whose processes are all gone."""
        living = [lane for lane in self.state.lanes if not lane.over]
        if self.state.race.script is None:
            return living if self._no_writer_left() else []
        keepers = {one.role: one for one in self.reader.keepers()}
        supervisor = keepers.get(SUPERVISOR_ROLE)
        if not keepers or (supervisor is not None and supervisor.alive()):
            return []
        scripts = {role for role, one in keepers.items() if one.alive()}
        return [lane for lane in living if trainer_role(lane.index) not in scripts]

    def _no_writer_left(self) -> bool:
        """True if the supervisor is gone, and its trainers are gone or silent for LAST_WORDS_S."""
        if not self._abandoned():
            self._gone_since = None
            return False
        self._gone_since = self._gone_since or time.monotonic()
        return (
            not self.reader.trainers_alive() or time.monotonic() - self._gone_since > LAST_WORDS_S
        )

    def _abandoned(self) -> bool:
        return bool(self.reader.keepers()) and not self.reader.alive()

    def _last_words(self) -> list[str]:
        """The supervisor's death, the last lines of its log, and the command to resume."""
        if self.reader.gone:
            return [self.reader.trouble()]
        if not self.reader.supervised:
            return ["the script died", self._way_back()]
        last = tail(self.run / SUPERVISOR_LOG).splitlines()[-LAST_LINES:]
        return list(filter(None, ("the supervisor died", *last, self._way_back())))

    def _way_back(self) -> str:
        """The command that goes on with the lanes, or starts their scripts again."""
        if self.state.race.script is not None:
            return f"start it again with: {again(self.run, self.state.race)}"
        if self.reader.version == 1:
            return ""
        return f"go on from the last snapshots with: lrtui resume {self.run.name}"

    def _report_supervisor_death(self) -> list[AnyEvent]:
        """Lines for the log about a supervisor that died while its trainers could still end in good
        order."""
        notes = [LogMessage(lane=-1, at=time.time(), text=line) for line in self._last_words()]
        for note in notes:
            apply(self.state, note)
            self._note_lines(note.lane)
        self.trouble = self.reader.trouble()
        return [*notes]

    def _ends(self, orphans: list[LaneState]) -> list[Ended]:
        """Presumed ends of the lanes whose processes are gone."""
        error = "\n".join(self._last_words()) if orphans else ""
        return [
            Ended(
                lane=lane.index, at=time.time(), step=lane.steps, reason="interrupted", error=error
            )
            for lane in orphans
        ]
