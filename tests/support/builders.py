"""Races, events and folds by hand, for tests that need no torch."""

from __future__ import annotations

import msgspec
import numpy as np

from lrtui.core.protocol.events import (
    Alerted,
    Column,
    Ended,
    LaneAdded,
    Measured,
    RateChanged,
    Rewound,
    Started,
    Steps,
)
from lrtui.core.protocol.findings import Findings
from lrtui.core.scenario.spec import Lane, OptimizerSpec, Race, TaskRef
from lrtui.core.state.race_state import RaceState, apply


def make_race(lanes=2, **keys):
    """Lanes of SGD at 0.1 over a task that does not exist; `keys` are fields of a Race."""
    made = tuple(Lane("ABCDEFGH"[i], f"lane {i}", OptimizerSpec("SGD"), 0.1) for i in range(lanes))
    task = TaskRef("bundled", "/nowhere.py", "nothing")
    return Race("a race", task, made, **{"steps": 100, **keys})


def started(lane=0, total=100):
    return Started(
        lane=lane,
        at=10.0,
        device="cpu",
        steps_per_epoch=10,
        total_steps=total,
        parameters=3,
        init_checksum="a",
        batch_checksum="b",
        intra_op_threads=1,
        validated=False,
    )


def steps(losses, first=0, lane=0, at=None, rates=None, seconds=None):
    rates = [0.1] * len(losses) if rates is None else rates
    columns = {
        "loss": Column.pack(losses),
        "applied_lr": Column.pack(rates),
        "next_lr": Column.pack([rate / 2 for rate in rates]),
        "grad_norm": Column.pack([1.0] * len(losses), "f4"),
        "seconds": Column.pack([0.5] * len(losses) if seconds is None else seconds),
    }
    return Steps(
        lane=lane,
        at=11.0 + first if at is None else at,
        first=first,
        count=len(losses),
        columns=columns,
    )


def measured(steps, lane=0, spent=0.25, **columns):
    return Measured(
        lane=lane,
        at=11.0,
        steps=steps,
        spent=spent,
        columns={name: Column.pack(values) for name, values in columns.items()},
    )


def fold(events, lanes=2):
    state = RaceState(make_race(lanes))
    for event in events:
        apply(state, event)
    return state


def block(first, losses, seconds, at, lane=0):
    columns = {
        name: Column.pack(np.full(len(losses), 1.0))
        for name in ("applied_lr", "next_lr", "grad_norm")
    }
    return Steps(
        lane=lane,
        at=at,
        first=first,
        count=len(losses),
        columns={"loss": Column.pack(losses), "seconds": Column.pack(seconds, "f4"), **columns},
    )


def rewound(step, why="rewound", lane=0):
    return Rewound(lane=lane, at=50.0, step=step, why=why)


def forked(step, lane=2, parent=0, **changes):
    child = msgspec.structs.replace(make_race(3).lanes[2], **{"name": "the fork", **changes})
    return LaneAdded(lane=lane, at=30.0, child=child, parent=parent, step=step)


def turned(step, factor, lane=0):
    return RateChanged(lane=lane, at=40.0, step=step, factor=factor, rate=0.1 * factor)


def race_of(*stories):
    """A state with a lane for each story: its losses, and how it ended (None: it goes on)."""
    state = RaceState(make_race(len(stories)))
    for lane, (losses, reason) in enumerate(stories):
        if losses:
            apply(state, started(lane))
            apply(state, steps(losses, lane=lane))
        if reason == "nan":
            apply(state, Alerted(lane=lane, step=len(losses), kind="nan", text=""))
        if reason:
            apply(state, Ended(lane=lane, step=len(losses), reason=reason))
    return state


OK = Findings(early=False, early_gain=0.7, samples=18, first_gain=0.5, peak=1.5, progress=0.3)


HOT, COLD = (
    msgspec.structs.replace(OK, early_gain=0.1, progress=0.9),
    msgspec.structs.replace(OK, early_gain=0.99),
)


STUCK = msgspec.structs.replace(OK, flat_since=40)


def changed(found, **changes):
    return msgspec.structs.replace(found, **changes)
