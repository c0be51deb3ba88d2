"""What happened to a lane, as signs on a row of their own: no curve is hidden by them. The crosshair jumps to the same."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lrtui.core.spec import Race
from lrtui.core.state import LaneState
from lrtui.core.tracks import track
from lrtui.tui.render import raster, styles
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView

ALERT, SPIKE, HOTTER, COLDER, FORK, REWOUND, SNAPSHOT = "!", "^", "▲", "▼", "Y", "«", "▪"
LOST = "✗"
MOST_GAPS = 1000
MOST_SPIKES = 100
"""Only so many of the last spikes are marked: what else happened must be seen beside them."""


class Mark(NamedTuple):
    """Something that happened to a lane."""

    step: int
    sign: str
    what: str
    """In words, for the crosshair: "spike", "rate x1.78"."""


def marks(lane: LaneState, forks: list[int]) -> list[Mark]:
    """All of a lane's marks but those on its curve (`gaps`), what matters least first; `forks`: steps of those that left it."""
    kept = lane.snapshots.kept if lane.snapshots else ()
    return [
        *(Mark(step, SNAPSHOT, "snapshot") for step in kept),
        *(Mark(first, REWOUND, "rewound to here") for first, _ in lane.abandoned),
        *(Mark(step, FORK, "fork") for step in forks),
        *(Mark(step, SPIKE, "spike") for step in lane.spikes[-MOST_SPIKES:]),
        *(Mark(step, sign, what) for step, sign, what, _ in turns(lane)),
        *(Mark(one.step, ALERT, one.kind) for one in lane.alerts if one.kind != "nan"),
    ]


def turns(lane: LaneState) -> list[tuple[int, str, str, float]]:
    """Where the dial of a lane was turned: (step, up or down, words, the rate from there on)."""
    found, before = [], lane.factor_at(-1)
    for change in lane.rate_changes:
        if change.factor != before:
            sign = HOTTER if change.factor > before else COLDER
            found.append((change.step, sign, f"rate ×{change.factor:.3g}", change.rate))
        before = change.factor
    return found


def gaps(lane: LaneState, view: RaceView) -> list[Mark]:
    """Where what the view shows of a lane is NaN or infinite: the first step of each gap, the last ones of many."""
    found = track(lane, view.quantity)
    if found is None:
        return []
    values = found.series.values
    bad = np.flatnonzero(~np.isfinite(values[1:]) & np.isfinite(values[:-1]))[-MOST_GAPS:] + 1
    steps = bad if found.steps is None else found.steps[bad]
    return [Mark(int(step), LOST, "NaN" if math.isnan(values[at]) else "infinite") for at, step in zip(bad, steps, strict=True)]


def nothing(signs: str) -> str:
    """What a lane has not, where it has none of some marks."""
    kinds = {SPIKE: "no spike", LOST: "no alert and no NaN", HOTTER: "no change of its rate"}
    return next((words for sign, words in kinds.items() if sign in signs), "no marks")


def row(canvas: Canvas, lane: LaneState, race: Race, view: RaceView, *, only: str = "", but: str = "") -> None:
    """Writes the marks of a lane into the first row of the canvas, over what stands there; all, or some signs only."""
    found = marks(lane, view.forks.get(lane.index, []))
    shown = [mark for mark in found if (not only or mark.sign in only) and mark.sign not in but]
    if not shown or not canvas.height or not canvas.width:
        return
    columns = view.x.columns(lane, race, np.array([mark.step for mark in shown]), canvas.width)
    for mark, column in zip(shown, columns.tolist(), strict=True):
        if column == canvas.width and mark.step >= lane.steps:
            column -= 1  # the end of the budget
        if 0 <= column < canvas.width:
            canvas.text(column, 0, mark.sign, _style(mark, lane.index))


def on_rates(canvas: Canvas, lane: LaneState, race: Race, view: RaceView) -> None:
    """Marks on the curve of the rates where the dial was turned."""
    found = turns(lane)
    if not found or not canvas.height or not canvas.width:
        return
    columns = view.x.columns(lane, race, np.array([step for step, *_ in found]), canvas.width)
    limits = view.rate_limits
    for (_, sign, _, rate), column in zip(found, columns.tolist(), strict=True):
        if rate > 0 and 0 <= column < canvas.width:
            y = raster.dot_row(rate, 4 * canvas.height, limits.low, limits.high, limits.log) // 4
            canvas.text(column, y, sign, styles.lane_bold(lane.index))


def _style(mark: Mark, index: int) -> int:
    if mark.sign == ALERT:
        return styles.WARN
    return styles.DIM if mark.sign in (SNAPSHOT, REWOUND) else styles.lane_bold(index)
