"""The final record of a run, streamed: what each lane's steps are once the ways back have cut them.
Holds one block at a time."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import msgspec

from lrtui.core.errors import RunError, StoreUnavailable
from lrtui.core.protocol import events
from lrtui.core.protocol.events import AnyEvent, Ended, LogMessage, Rewound, Snapshotted
from lrtui.core.scenario.spec import Race
from lrtui.store import database, lane_summary
from lrtui.store.run_dir import DATABASE

NEVER = 1 << 62
"""The step at which a block is cut that no way back concerns."""


class LaneColumns(msgspec.Struct):
    """What a lane has on record, by name only, and where it went back."""

    columns: dict[str, None] = {}
    """Of its steps, in the order in which they first came; `metrics` and `measured` likewise."""
    metrics: dict[str, None] = {}
    measured: dict[str, None] = {}
    rows: list[int] = []
    """Where each way back stands, rising."""
    cuts: list[int] = []
    """For each way back the lowest step that it or a later one went back to."""

    def cut(self, row: int) -> int:
        """The step from which on what stands in `row` was given up later; NEVER where nothing of it
        was."""
        place = bisect_right(self.rows, row)
        return self.cuts[place] if place < len(self.rows) else NEVER


class RecordedEvent(NamedTuple):
    """An event of the record."""

    row: int
    event: AnyEvent
    counts: bool
    """False where its lane had ended before: what a process still said then is no part of the race.
    Nor is what concerns no lane."""
    cut: int
    """Steps from here on were given up later."""


class RecordStream:
    """A run as it stands at one moment, whoever writes to it meanwhile. Every method may raise
    StoreUnavailable."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._db = database.connect(run, readonly=True)
        try:
            database.check_version(self._db, run)
            self._db.execute("BEGIN")  # all that is read from here on is of one moment
            self.created, self.version, body = self._db.execute(
                "SELECT created, version, race FROM run"
            ).fetchone()
            self.race: Race = msgspec.json.decode(body, type=Race)
            self.lane_columns = self._survey()
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(f"{run / DATABASE}: {error}") from error
        except (sqlite3.DatabaseError, msgspec.DecodeError, TypeError) as error:
            raise RunError(
                f"{run / DATABASE}: {error}", "expected a run store made by lrtui"
            ) from error

    def events(self) -> Iterator[RecordedEvent]:
        """Every event in the order in which it was written."""
        over: dict[int, bool] = {}
        try:
            for row, body in self._db.execute("SELECT id, body FROM events ORDER BY id"):
                event = events.decode(body)
                counts = event.lane >= 0 and (
                    not over.get(event.lane, False)
                    or isinstance(event, Rewound | Snapshotted | LogMessage)
                )
                if isinstance(event, Ended | Rewound):
                    over[event.lane] = isinstance(event, Ended)
                columns_of_lane = self.lane_columns.get(event.lane)
                yield RecordedEvent(
                    row, event, counts, columns_of_lane.cut(row) if columns_of_lane else NEVER
                )
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise StoreUnavailable(f"{self.run / DATABASE}: {error}") from error

    def lanes(self) -> list[lane_summary.LaneSummary]:
        """Where each lane stands, those that joined included."""
        try:
            return lane_summary.lanes(self._db, self.race)
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise StoreUnavailable(f"{self.run / DATABASE}: {error}") from error

    def close(self) -> None:
        """Lets go of the database."""
        self._db.close()

    def _survey(self) -> dict[int, LaneColumns]:
        """Looks through the record once: which columns there are, which must be known before the
        first line is written."""
        found: dict[int, LaneColumns] = {}
        decode = msgspec.msgpack.Decoder(_Names).decode
        query = (
            "SELECT id, lane, kind, body FROM events WHERE kind IN ('Steps', 'Evaluated',"
            " 'Measured', 'Rewound') ORDER BY id"
        )
        for row, lane, kind, body in self._db.execute(query):
            names, columns_of_lane = decode(body), found.setdefault(lane, LaneColumns())
            match kind:
                case "Steps":
                    columns_of_lane.columns.update(dict.fromkeys(names.columns))
                case "Measured":
                    columns_of_lane.measured.update(dict.fromkeys(names.columns))
                case "Evaluated":
                    columns_of_lane.metrics.update(dict.fromkeys(names.metrics))
                case "Rewound":
                    columns_of_lane.rows.append(row)
                    columns_of_lane.cuts.append(names.step)
        for columns_of_lane in found.values():
            columns_of_lane.cuts = list(accumulate(reversed(columns_of_lane.cuts), min))[::-1]
        return found


class _Names(msgspec.Struct):
    """Of an event, no more than the survey asks for: numbers stay packed."""

    columns: dict[str, msgspec.Raw] = {}
    metrics: dict[str, msgspec.Raw] = {}
    step: int = 0
