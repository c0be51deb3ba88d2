"""Where each lane of a run stands, without reading its history: what a supervisor must know that
takes it up, and a list of runs.

Only the events that say it are read, by an index of their own; a run of an older version is
searched instead.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from lrtui.core.errors import RunError, StoreUnavailable
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
from lrtui.core.results.standings import UNFINISHED
from lrtui.core.scenario.spec import Lane, Race
from lrtui.store import database
from lrtui.store.run_dir import DATABASE

TURNS = "kind IN ('Joined', 'Started', 'StatusChanged', 'RateChanged', 'Rewound', 'Ended')"
"""The condition of the index `turns`, word for word: with another one SQLite would read all that
there is."""


class LaneSummary(msgspec.Struct, frozen=True):
    """A lane as the record leaves it."""

    index: int
    lane: Lane
    parent: int = -1
    """The lane that it was forked from; -1: none."""
    forked_at: int = 0
    """The step at which it joined; 0 once it was sent back to the initial weights."""
    rate: float | None = None
    """The rate that it was forked to apply first, as long as nothing on record says that it did."""
    end: EndReason | None = None
    """None while it has none, or where a way back has undone it."""
    paused: bool = False
    """Whether it was paused, by the last word about that; a lost process does not change it."""
    steps: int = 0
    """Steps done, as far as they are recorded."""
    threads: int = 0
    """torch's intra-op threads, on which results depend; 0: it never started."""
    device: str = ""
    changes: tuple[RateChanged, ...] = ()
    """Turns of the dial that hold, rising by step: those that a person or a policy went back on are
    not among them."""
    restarts: int = 0
    """How often its process was lost and another one went on."""

    @property
    def unfinished(self) -> bool:
        """Whether whoever takes the run up goes on with it, unasked."""
        return self.end is None or self.end in UNFINISHED


def lane_summaries(run: Path) -> list[LaneSummary]:
    """Every lane of a run, those that joined included; RunError where it is none, StoreUnavailable
    where it cannot be read."""
    db = database.connect(run, readonly=True)
    try:
        database.check_version(db, run)
        (body,) = db.execute("SELECT race FROM run").fetchone()
        return lanes(db, msgspec.json.decode(body, type=Race))
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"{run / DATABASE}: {error}") from error
    except (sqlite3.DatabaseError, msgspec.DecodeError, TypeError) as error:
        raise RunError(
            f"{run / DATABASE}: {error}", "expected a run store made by lrtui"
        ) from error
    finally:
        db.close()


def lanes(db: sqlite3.Connection, race: Race) -> list[LaneSummary]:
    """The same, read from an open database, where `race` is what was asked for."""
    found = [LaneSummary(index, lane) for index, lane in enumerate(race.lanes)]
    back: dict[int, int] = {}
    """The row after which a lane's blocks count."""
    for number, event in _turns(db):
        if isinstance(event, LaneAdded) and event.lane == len(found) and event.parent < event.lane:
            found.append(
                LaneSummary(
                    event.lane, event.child, event.parent, event.step, event.rate, steps=event.step
                )
            )
        elif 0 <= event.lane < len(found):
            found[event.lane] = _after(found[event.lane], event)
            if isinstance(event, Rewound):
                back[event.lane] = number
    return [_with_steps(db, lane, back.get(lane.index, 0)) for lane in found]


def ends(db: sqlite3.Connection) -> dict[int, int]:
    """The row of each lane's end, for the lanes that have one that no way back has undone."""
    last: dict[int, tuple[int, str]] = {}
    for number, lane, kind in db.execute(f"SELECT id, lane, kind FROM events WHERE {TURNS}"):
        if kind in ("Ended", "Rewound"):
            last[lane] = max(last.get(lane, (0, "")), (number, kind))
    return {lane: number for lane, (number, kind) in last.items() if kind == "Ended"}


def reasons(db: sqlite3.Connection) -> dict[int, EndReason]:
    """Why each lane ended that has an end."""
    found = {}
    for lane, number in ends(db).items():
        event = events.decode(
            db.execute("SELECT body FROM events WHERE id = ?", (number,)).fetchone()[0]
        )
        if isinstance(event, Ended):
            found[lane] = event.reason
    return found


def joined(db: sqlite3.Connection) -> int:
    """How many lanes have joined the race since its start."""
    rows = db.execute(f"SELECT lane, kind FROM events WHERE {TURNS}")
    return len({lane for lane, kind in rows if kind == "Joined"})


def reached(db: sqlite3.Connection, lane: int, after: int = 0) -> int:
    """How many steps are done by a lane's last block behind row `after`; 0 where there is none."""
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
    """The events that say where lanes stand, with their rows, in the order in which they were
    written."""
    rows = db.execute(f"SELECT id, body FROM events WHERE {TURNS}").fetchall()
    return ((number, events.decode(body)) for number, body in sorted(rows))


def _after(lane: LaneSummary, event: AnyEvent) -> LaneSummary:
    """What an event makes of what was known of a lane."""
    change = msgspec.structs.replace
    match event:
        case Started():
            return change(lane, threads=event.intra_op_threads, device=event.device)
        case StatusChanged():
            return change(lane, paused=event.status == "paused", steps=event.step)
        case RateChanged():
            kept = _until(lane.changes, event.step)
            stands = kept[-1].factor if kept else None if lane.forked_at else 1.0
            # told again by a process that goes on: what was to come is still to come
            if event.factor == stands:
                return change(lane, rate=None)
            return change(lane, rate=None, changes=(*kept, event))
        case Rewound(why="recovered" | "resumed"):
            return change(
                lane,
                end=None,
                steps=event.step,
                restarts=lane.restarts + (event.why == "recovered"),
            )
        case Rewound():
            kept = _until(lane.changes, event.step)
            return change(
                lane,
                end=None,
                steps=event.step,
                paused=False,
                changes=kept,
                rate=None,
                forked_at=0 if event.why == "restarted" else lane.forked_at,
            )
        case Ended():
            return change(lane, end=event.reason, steps=event.step)
    return lane


def _until(changes: tuple[RateChanged, ...], step: int) -> tuple[RateChanged, ...]:
    """The turns of the dial at a step and before it."""
    return changes[: bisect_right(changes, step, key=lambda change: change.step)]


def _with_steps(db: sqlite3.Connection, lane: LaneSummary, after: int) -> LaneSummary:
    """The steps of a lane that has ended, is paused or never began are known; those of another one
    are in its last block."""
    if lane.end is not None or lane.paused or not lane.threads:
        return lane
    return msgspec.structs.replace(lane, steps=max(lane.steps, reached(db, lane.index, after)))
