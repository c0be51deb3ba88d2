"""Reading run.db while other processes write it: whole flushes, in order, under a budget. Writes
nothing."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from lrtui.core.errors import LrtuiError, StoreUnavailable
from lrtui.core.protocol import events
from lrtui.core.protocol.command_result import CommandResult
from lrtui.core.protocol.events import AnyEvent, Column, Steps
from lrtui.core.state.label import Label
from lrtui.store import database
from lrtui.store.identity import LATE_S, Process, processes
from lrtui.store.label import read_label
from lrtui.store.lane_summary import added_lanes, answers, end_reasons
from lrtui.store.run_dir import DATABASE, GONE_S, SUPERVISOR_LOG, SUPERVISOR_ROLE, is_gone

ROWS = 4000
"""Most rows of one poll."""
FOLDER_GONE = "the run's folder is gone: "
KEPT_BYTES = 16 * 1024 * 1024
"""Cache of events that were read again, in bytes of their records."""


RunState = Literal["running", "ended", "interrupted", "cut off", "unreadable"]
"""interrupted: the race was ended early on request. cut off: the process that would have to end it
is gone, but not all lanes have ended."""


class Summary(msgspec.Struct, frozen=True):
    """A run in a list."""

    path: Path
    title: str
    lanes: int
    created: float
    """Seconds since 1970."""
    state: RunState
    is_script: bool = False
    label: Label = Label()

    @property
    def resumable(self) -> bool:
        """True if `lrtui resume` goes on with it; scripts have no snapshots."""
        return self.state in ("cut off", "interrupted") and not self.is_script


def summary(run: Path) -> Summary:
    """Summarize a run without reading its history."""
    try:
        reader = Reader(run)
    except LrtuiError as error:
        return Summary(run, error.message, 0, 0.0, "unreadable", label=read_label(run))
    try:
        over, interrupted, lanes = reader.outcome()
        state: RunState
        if over and not interrupted:
            state = "ended"
        elif reader.alive():
            state = "running"
        else:
            state = "interrupted" if over else "cut off"
        is_script = reader.race.script is not None
        title, label = reader.race.title, read_label(run)
        return Summary(run, title, lanes, reader.created, state, is_script, label)
    finally:
        reader.close()


class Reader:
    """A run as a viewer sees it. `poll` raises StoreUnavailable if the database is unreadable
    now."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._db = database.connect(run, readonly=True)
        header = database.read_header(self._db, run)
        self.created, self.race, self.version = header.created, header.race, header.schema
        self.rows: list[int] = []
        """Rows of the events of the last `poll` except blocks of steps, in order; for `event`."""
        self._again: OrderedDict[int, tuple[AnyEvent, int]] = OrderedDict()
        """Events read again, with their sizes; least recently used first."""
        self._again_bytes = 0
        self._last = 0
        self._beat, self._beat_at = 0.0, time.monotonic()
        """The last beat of all keepers, and the monotonic time at which it was first seen: the
        clocks of two machines may differ."""
        self.caught_up = False
        """True if the last `poll` reached the end of the record."""

    def poll(self, budget_s: float = 0.05, rows: int = ROWS) -> list[AnyEvent]:
        """The next events in the order of the record; adjacent blocks of a lane are merged.

        At most `rows` rows; fetching stops after `budget_s` seconds.
        """
        found: list[AnyEvent] = []
        until = time.perf_counter() + budget_s
        self.caught_up, self.rows = False, []
        try:
            query = "SELECT id, body FROM events WHERE id > ? ORDER BY id LIMIT ?"
            for number, body in self._db.execute(query, (self._last, rows)):
                found.append(events.decode(body))
                self._last = number
                if not isinstance(found[-1], Steps):
                    self.rows.append(number)
                if time.perf_counter() > until:
                    break
            else:
                self.caught_up = len(found) < rows
        except (sqlite3.Error, msgspec.DecodeError) as error:
            # the events before the error count; the next poll meets it again
            if not found:
                where = (
                    f" behind row {self._last}" if isinstance(error, msgspec.DecodeError) else ""
                )
                raise StoreUnavailable(f"{self.run / DATABASE}{where}: {error}") from error
        return list(merge(found))

    def event(self, row: int) -> AnyEvent | None:
        """Read one event again, by its row; None if it cannot be read now. Cached."""
        if row in self._again:
            self._again.move_to_end(row)
            return self._again[row][0]
        try:
            found = self._db.execute("SELECT body FROM events WHERE id = ?", (row,)).fetchone()
            event = events.decode(found[0]) if found else None
        except (sqlite3.Error, msgspec.DecodeError):
            return None
        if event is None:
            return None
        self._again[row] = event, len(found[0])
        self._again_bytes += len(found[0])
        while self._again_bytes > KEPT_BYTES and len(self._again) > 1:
            self._again_bytes -= self._again.popitem(last=False)[1][1]
        return event

    def results(self, numbers: list[int]) -> dict[int, CommandResult]:
        """The results of those commands that have one, by number."""
        try:
            return answers(self._db, numbers)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.run / DATABASE}: {error}") from error

    def outcome(self) -> tuple[bool, bool, int]:
        """(all lanes have ended, any of them was interrupted, number of lanes)."""
        try:
            reasons = end_reasons(self._db)
            lanes = len(self.race.lanes) + added_lanes(self._db)
            return len(reasons) == lanes, "interrupted" in reasons.values(), lanes
        except (sqlite3.Error, msgspec.DecodeError):
            return False, False, len(self.race.lanes)

    def supervisor(self) -> Process | None:
        """The supervisor's row, None before its first beat."""
        return next(
            (process for process in self._processes() if process.role == SUPERVISOR_ROLE), None
        )

    def keepers(self) -> list[Process]:
        """The processes that keep the run going, dead or alive: its supervisor, whose trainers end
        without it; and scripts, which do not. Empty before the first one."""
        supervisor = self.supervisor()
        scripts = self.trainers().values() if self.race.script is not None else ()
        return [*([supervisor] if supervisor else []), *scripts]

    def alive(self) -> bool:
        """True while a process lives that keeps the run going."""
        return any(one.alive() for one in self.keepers())

    def trainers(self) -> dict[str, Process]:
        """Trainers that have worked on the run, by role."""
        return {
            process.role: process
            for process in self._processes()
            if process.role.startswith("trainer")
        }

    def trainers_alive(self) -> bool:
        """True if any trainer process exists: it may still write although the supervisor is
        gone."""
        return any(process.alive() for process in self.trainers().values())

    def _processes(self) -> list[Process]:
        try:
            return processes(self._db)
        except sqlite3.Error:
            return []

    @property
    def gone(self) -> bool:
        """True if the run's folder was deleted or moved."""
        return is_gone(self.run)

    def trouble(self) -> str:
        """Reason why the record may lag behind the training, for the user; '' if none."""
        keepers = self.keepers()
        living = [one for one in keepers if one.alive()]
        if self.gone:
            return FOLDER_GONE + self._without_folder(living)
        if not keepers:
            return ""
        if not living:
            return self._death()
        if self.supervised and not any(one.role == SUPERVISOR_ROLE for one in living):
            return "the supervisor died: its scripts go on, and their ends are not recorded"
        beat = max(one.beat for one in living)
        if beat != self._beat:
            self._beat, self._beat_at = beat, time.monotonic()
        if time.monotonic() - self._beat_at > LATE_S:
            full = shutil.disk_usage(self.run).free < 1_000_000
            return (
                "the disk is full: training goes on, the record waits"
                if full
                else "the record is late: training goes on"
            )
        return ""

    @property
    def supervised(self) -> bool:
        """True if the run has a supervisor; a script that watches itself has none."""
        return self.race.script is None or self.race.script.supervised

    def _without_folder(self, living: list[Process]) -> str:
        if not living:
            return "the race has ended"
        if not self.supervised:
            return "the script goes on, its record waits"
        return f"unless it is back within {GONE_S:g} s, the race ends"

    def _death(self) -> str:
        if not self.supervised:
            return "the script died"
        resumable = self.race.script is None and self.version > 1
        back = f"lrtui resume {self.run.name} goes on; " if resumable else ""
        return f"the supervisor died: {back}see {SUPERVISOR_LOG}"

    def close(self) -> None:
        """Closes the connection."""
        self._db.close()


def merge(found: list[AnyEvent]) -> Iterator[AnyEvent]:
    """The same events, with blocks of steps of a lane merged if no other event of it lies between
    them."""
    open_blocks: dict[int, list[Steps]] = {}
    for event in found:
        if isinstance(event, Steps):
            blocks = open_blocks.setdefault(event.lane, [])
            if blocks and not _adjacent(blocks[-1], event):
                yield _merged(open_blocks.pop(event.lane))
                blocks = open_blocks.setdefault(event.lane, [])
            blocks.append(event)
        else:
            if event.lane in open_blocks:
                yield _merged(open_blocks.pop(event.lane))
            yield event
    for blocks in open_blocks.values():
        yield _merged(blocks)


def _adjacent(one: Steps, other: Steps) -> bool:
    return one.first + one.count == other.first and one.columns.keys() == other.columns.keys()


def _merged(blocks: list[Steps]) -> Steps:
    if len(blocks) == 1:
        return blocks[0]
    columns = {
        name: Column.pack(np.concatenate([block.values(name) for block in blocks]), column.dtype)
        for name, column in blocks[0].columns.items()
    }
    return Steps(
        lane=blocks[0].lane,
        at=blocks[-1].at,
        first=blocks[0].first,
        count=sum(block.count for block in blocks),
        columns=columns,
    )
