"""The tables [snapshots] and [pruning] of a scenario: what is kept of a race, and who is paused in
it."""

from __future__ import annotations

import math

from lrtui.core.scenario.spec import Pruning, Snapshots
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import one_line


def read_snapshots(table: Table) -> Snapshots:
    """How often a lane's state is put on disk; the usual way where the scenario says nothing."""
    usual = Snapshots()
    table.only({"seconds", "steps", "last", "megabytes"})
    seconds = table.number("seconds", usual.seconds)
    if not (math.isfinite(seconds) and seconds > 0):
        raise table.error("seconds", f"{seconds:g} will not do", "a number of seconds above 0")
    return Snapshots(
        seconds,
        table.whole("steps", usual.steps, 0),
        table.whole("last", usual.last, 1, 1000),
        table.whole("megabytes", usual.megabytes, 1),
    )


def read_pruning(table: Table) -> Pruning:
    """At which parts of the budget the lanes behind are paused, and what fraction races on."""
    usual = Pruning()
    table.only({"rungs", "keep"})
    rungs = table.raw.get("rungs", list(usual.rungs))
    rising = (
        isinstance(rungs, list)
        and all(isinstance(rung, float) for rung in rungs)
        and sorted(set(rungs)) == rungs
    )
    if not (rungs and rising and all(0 < rung < 1 for rung in rungs)):
        raise table.error(
            "rungs",
            f"{one_line(str(rungs))[:60]} will not do",
            "rising parts of the budget, each above 0 and below 1, such as [0.11, 0.33]",
        )
    keep = table.number("keep", usual.keep)
    if not 0 < keep < 1:
        raise table.error(
            "keep", f"{keep:g} will not do", "the fraction that races on, above 0 and below 1"
        )
    return Pruning(tuple(rungs), keep)
