"""The state of each lane of a run without its history, for lists of runs and for a supervisor that
resumes one.

Only the events that define it are read, through the index `turns`; a run of schema 1 has no such
index and is searched.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lrtui.core.protocol import events
from lrtui.core.protocol.command_result import CommandResult, decode_result
from lrtui.core.protocol.events import (
    AnyEvent,
    Ended,
    EndReason,
    LaneAdded,
    RateChanged,
    Rewound,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.scenario.spec import Lane, Race
from lrtui.core.state.lifecycle import Lifecycle
from lrtui.core.state.status import RESUMABLE
from lrtui.store import database

TURNS = "kind IN ('Joined', 'Started', 'StatusChanged', 'RateChanged', 'Rewound', 'Ended')"
"""The condition of the index `turns`, word for word: SQLite would scan the table for another
one."""


class LaneSummary(msgspec.Struct, frozen=True):
    """A lane as the record leaves it."""

    index: int
    lane: Lane
    parent: int = -1
    """Index of the lane it was forked from; -1: none."""
    forked_at: int = 0
    """Step of the fork; 0 after a restart from the initial weights."""
    rate: float | None = None
    """The rate a fork is to apply first, until the record shows that it did."""
    end: EndReason | None = None
    """None before the end, or if a rewind undid it."""
    paused: bool = False
    """True after a pause command; a lost process does not change it."""
    steps: int = 0
    """Steps done, as far as they are recorded."""
    started: bool = False
    """True once its process made it ready for the first step."""
    threads: int = 0
    """torch's intra-op threads, on which results depend; 0: the lane never started."""
    device: str = ""
    changes: tuple[RateChanged, ...] = ()
    """Turns of the dial in force, rising by step; those that a rewind gave up are left out."""
    restarts: int = 0
    """Times that its process was lost and another one went on."""

    @property
    def unfinished(self) -> bool:
        """True if `lrtui resume` continues the lane."""
        return self.end is None or self.end in RESUMABLE


class _LaneFold:
    """A lane's summary while its events are read."""

    def __init__(self, added: LaneSummary) -> None:
        self.lifecycle = Lifecycle()
        self.summary = added
        self.cut_row = 0
        """Row of the last rewind: blocks of steps count behind it."""

    def apply(self, row: int, event: AnyEvent) -> None:
        """Fold in an event of the lane."""
        if not self.lifecycle.apply(event):
            return
        lane, changes = self.summary, {}
        match event:
            case Started():
                changes = {"threads": event.intra_op_threads, "device": event.device}
            case StatusChanged() | Ended():
                changes = {"steps": event.step}
            case RateChanged():
                changes = {"rate": None, "changes": _with_change(lane, event)}
            case Rewound():
                self.cut_row = row
                changes = {"steps": event.step}
                if event.why == "lengthened":
                    changes["lane"] = event.lengthened(lane.lane)
                elif event.replays:
                    changes["restarts"] = lane.restarts + (event.why == "recovered")
                else:
                    changes |= {"rate": None, "changes": _until(lane.changes, event.step)}
                    changes["forked_at"] = 0 if event.why == "restarted" else lane.forked_at
        self.summary = msgspec.structs.replace(lane, **changes)

    def result(self, db: sqlite3.Connection) -> LaneSummary:
        """The summary; the steps of a lane that runs are those of its last block."""
        end = self.lifecycle.ended
        lane = msgspec.structs.replace(
            self.summary,
            end=end.reason if end else None,
            paused=self.lifecycle.paused,
            started=self.lifecycle.started is not None,
        )
        if end or lane.paused or not lane.started:
            return lane
        steps = max(lane.steps, recorded_steps(db, lane.index, self.cut_row))
        return msgspec.structs.replace(lane, steps=steps)


def lane_summaries(run: Path) -> list[LaneSummary]:
    """Summarize every lane of a run, added ones included; RunError if `run` is not a run,
    StoreUnavailable if it cannot be read now."""
    db = database.connect(run, readonly=True)
    try:
        race = database.read_header(db, run).race
        with database.read_errors(run):
            return summarize(db, race)
    finally:
        db.close()


def joined_race(run: Path) -> Race:
    """The race of a run with all lanes that ever joined it; raises what `lane_summaries` does."""
    db = database.connect(run, readonly=True)
    try:
        race = database.read_header(db, run).race
        with database.read_errors(run):
            lanes = tuple(one.lane for one in summarize(db, race))
        return msgspec.structs.replace(race, lanes=lanes)
    finally:
        db.close()


def summarize(db: sqlite3.Connection, race: Race) -> list[LaneSummary]:
    """Summaries from an open database; `race` as it was started."""
    lanes = [_LaneFold(LaneSummary(index, lane)) for index, lane in enumerate(race.lanes)]
    for row, event in _turns(db):
        if isinstance(event, LaneAdded):
            if event.lane == len(lanes) and event.parent < event.lane:
                lanes.append(_LaneFold(_added(event)))
        elif 0 <= event.lane < len(lanes):
            lanes[event.lane].apply(row, event)
    return [lane.result(db) for lane in lanes]


def end_reasons(db: sqlite3.Connection) -> dict[int, EndReason]:
    """The end reason of each lane that has ended."""
    lives: defaultdict[int, Lifecycle] = defaultdict(Lifecycle)
    for _, event in _turns(db):
        lives[event.lane].apply(event)
    return {lane: life.ended.reason for lane, life in lives.items() if life.ended}


def added_lanes(db: sqlite3.Connection) -> int:
    """Number of lanes that were added since the start of the race."""
    rows = db.execute(f"SELECT lane, kind FROM events WHERE {TURNS}")
    return len({lane for lane, kind in rows if kind == "Joined"})


def recorded_steps(db: sqlite3.Connection, lane: int, after: int = 0) -> int:
    """Steps done by the end of a lane's last block behind row `after`; 0 without one."""
    query = (
        "SELECT body FROM events WHERE lane = ? AND kind = 'Steps' AND id > ? ORDER BY id DESC"
        " LIMIT 1"
    )
    blocks = [events.decode(body) for (body,) in db.execute(query, (lane, after))]
    return max(
        (block.first + block.count for block in blocks if isinstance(block, Steps)), default=0
    )


def answers(db: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, CommandResult]:
    """The results of those commands that have one, by number."""
    marks = ",".join("?" * len(numbers))
    query = f"SELECT id, result FROM commands WHERE id IN ({marks}) AND result IS NOT NULL"
    return {number: decode_result(stored) for number, stored in db.execute(query, numbers)}


def _turns(db: sqlite3.Connection) -> Iterator[tuple[int, AnyEvent]]:
    """The events of TURNS with their rows, in the order of the record."""
    rows = db.execute(f"SELECT id, body FROM events WHERE {TURNS}").fetchall()
    return ((row, events.decode(body)) for row, body in sorted(rows))


def _added(event: LaneAdded) -> LaneSummary:
    return LaneSummary(
        event.lane, event.child, event.parent, event.step, event.rate, steps=event.step
    )


def _with_change(lane: LaneSummary, event: RateChanged) -> tuple[RateChanged, ...]:
    """The turns of the dial after another one, which a resumed process may repeat."""
    before = _until(lane.changes, event.step)
    factor = before[-1].factor if before else None if lane.forked_at else 1.0
    # repeated by a process that goes on: the changes to come are still to come
    return lane.changes if event.factor == factor else (*before, event)


def _until(changes: tuple[RateChanged, ...], step: int) -> tuple[RateChanged, ...]:
    return changes[: bisect_right(changes, step, key=lambda change: change.step)]
