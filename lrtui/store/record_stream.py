"""The final record of a run, streamed: each lane's steps with those that rewinds gave up marked.
Holds one block at a time."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import msgspec

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol import events
from lrtui.core.protocol.events import AnyEvent
from lrtui.core.state.lifecycle import Lifecycle
from lrtui.store import database, lane_summary
from lrtui.store.run_dir import DATABASE

NEVER = 1 << 62
"""The cut of a row that no later rewind gave up."""


class LaneColumns(msgspec.Struct):
    """Names of the columns that a lane has on record, and its rewinds."""

    columns: dict[str, None] = {}
    """Of its steps, in the order of their first appearance; the others likewise."""
    metrics: dict[str, None] = {}
    measured: dict[str, None] = {}
    logged: dict[str, None] = {}
    rows: list[int] = []
    """Row of each rewind, rising."""
    cuts: list[int] = []
    """For each rewind, the lowest step that it or a later one went back to."""

    def cut(self, row: int) -> int:
        """First step of a row's event that a later rewind gave up; NEVER if none was."""
        later = bisect_right(self.rows, row)
        return self.cuts[later] if later < len(self.rows) else NEVER


class RecordedEvent(NamedTuple):
    """An event of the record."""

    row: int
    event: AnyEvent
    counts: bool
    """False for an event after its lane's end, which is not part of the race, and for one that
    concerns no lane."""
    cut: int
    """Steps from this one on were given up later."""


class RecordStream:
    """A consistent snapshot of a run, while other processes may write to it. Every method may raise
    StoreUnavailable."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._db = database.connect(run, readonly=True)
        with database.read_errors(run):
            self._db.execute("BEGIN")  # all reads from here on see the same moment
            header = database.read_header(self._db, run)
            self.created, self.version, self.race = header.created, header.lrtui, header.race
            self.lane_columns = self._survey()

    def events(self) -> Iterator[RecordedEvent]:
        """Every event in the order of the record."""
        lives: defaultdict[int, Lifecycle] = defaultdict(Lifecycle)
        try:
            for row, body in self._db.execute("SELECT id, body FROM events ORDER BY id"):
                event = events.decode(body)
                counts = event.lane >= 0 and lives[event.lane].apply(event)
                columns_of_lane = self.lane_columns.get(event.lane)
                yield RecordedEvent(
                    row, event, counts, columns_of_lane.cut(row) if columns_of_lane else NEVER
                )
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise StoreUnavailable(f"{self.run / DATABASE}: {error}") from error

    def lanes(self) -> list[lane_summary.LaneSummary]:
        """The summary of each lane, added ones included."""
        try:
            return lane_summary.summarize(self._db, self.race)
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise StoreUnavailable(f"{self.run / DATABASE}: {error}") from error

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _survey(self) -> dict[int, LaneColumns]:
        """Read the record once for its columns, which must be known before the first line is
        written."""
        found: dict[int, LaneColumns] = {}
        decode = msgspec.msgpack.Decoder(_Names).decode
        query = (
            "SELECT id, lane, kind, body FROM events WHERE kind IN ('Steps', 'Evaluated',"
            " 'Measured', 'Logged', 'Rewound') ORDER BY id"
        )
        for row, lane, kind, body in self._db.execute(query):
            names, columns_of_lane = decode(body), found.setdefault(lane, LaneColumns())
            match kind:
                case "Steps":
                    columns_of_lane.columns.update(dict.fromkeys(names.columns))
                case "Measured":
                    columns_of_lane.measured.update(dict.fromkeys(names.columns))
                case "Logged":
                    columns_of_lane.logged.update(dict.fromkeys(names.columns))
                case "Evaluated":
                    columns_of_lane.metrics.update(dict.fromkeys(names.metrics))
                case "Rewound":
                    columns_of_lane.rows.append(row)
                    columns_of_lane.cuts.append(names.step)
        for columns_of_lane in found.values():
            columns_of_lane.cuts = list(accumulate(reversed(columns_of_lane.cuts), min))[::-1]
        return found


class _Names(msgspec.Struct):
    """The fields of an event that the survey needs; numbers stay packed."""

    columns: dict[str, msgspec.Raw] = {}
    metrics: dict[str, msgspec.Raw] = {}
    step: int = 0
