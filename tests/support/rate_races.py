"""Races by their rates and outcomes alone, for what looks at one against the other."""

from __future__ import annotations

import math

import msgspec

from lrtui.core.protocol.events import Alerted, Ended, Evaluated, FindingsUpdated
from lrtui.core.scenario.spec import Lane, OptimizerSpec, Script, letter, with_seeds
from lrtui.core.state.race_state import RaceState, apply
from support.builders import OK, changed, make_race, started, steps

UNMEASURED = changed(OK, samples=0)


def race(*lanes, optimizer="SGD", over=True, seeds=1, **keys):
    """A race of lanes (rate, loss): NaN for a lane that went NaN, "diverged", or None for one that
    has not begun. More of a lane in a third place: fields of Lane, `found`, `val`."""
    more = [one[2] if len(one) > 2 else {} for one in lanes]
    specs = [
        Lane(
            letter(i),
            f"lane {i}",
            OptimizerSpec(one.get("optimizer", optimizer)),
            rate,
            one.get("schedule"),
        )
        for i, ((rate, *_), one) in enumerate(zip(lanes, more, strict=True))
    ]
    asked = msgspec.structs.replace(
        make_race(1, **keys), lanes=with_seeds(specs, seeds), seeds=seeds
    )
    state = RaceState(asked)
    for index, ((rate, loss, *_), one) in enumerate(zip(lanes, more, strict=True)):
        for seed in range(seeds):
            tell(state, index * seeds + seed, rate, loss, one, over=over)
    return state


def tell(state, lane, rate, loss, one, *, over):
    if loss is None:
        return
    apply(state, started(lane))
    lost = loss if isinstance(loss, str) else "nan" if math.isnan(loss) else ""
    losses = [5.0] * 9 + [math.nan] if lost == "nan" else [9.0 if lost else loss] * 10
    apply(state, steps(losses, lane=lane, rates=[rate] * 10))
    apply(state, FindingsUpdated(lane=lane, step=10, findings=one.get("found", UNMEASURED)))
    for name, value in one.get("metrics", {}).items():
        apply(state, Evaluated(lane=lane, epoch=1, step=10, loss=1.0, metrics={name: value}))
    if lost:
        apply(state, Alerted(lane=lane, step=9, kind=lost, text=""))
    if over:
        apply(state, Ended(lane=lane, step=10, reason="nan" if lost == "nan" else "finished"))


def script_race(values, *, supervised=True, begun=None):
    """A race of a script that is told its values; the first `begun` lanes are over, all by
    default, and the higher its rate the better."""
    names = list(values)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True)]
    lanes = tuple(
        Lane(letter(i), f"lane {i}", OptimizerSpec(""), 0.0, values=row)
        for i, row in enumerate(rows)
    )
    script = Script(("python", "train.py", "{lr}"), supervised=supervised)
    state = RaceState(msgspec.structs.replace(make_race(1), lanes=lanes, script=script))
    for index, row in enumerate(rows[:begun]):
        own = float(row["lr"])
        apply(state, msgspec.structs.replace(started(index), optimizer="SGD", initial_lr=own))
        apply(state, steps([1.0 / own] * 10, lane=index, rates=[own] * 10))
        apply(state, FindingsUpdated(lane=index, step=10, findings=UNMEASURED))
        apply(state, Ended(lane=index, step=10, reason="finished"))
    return state
