"""A lane's events as signs on a row of their own, which hides no curve. The crosshair jumps to the
same."""

from __future__ import annotations

import math

import numpy as np

from lrtui.core.charts.marks import (
    ALERT,
    HOTTER,
    LOST,
    REWOUND,
    SNAPSHOT,
    SPIKE,
    Mark,
    lane_marks,
    turns,
)
from lrtui.core.charts.metric_series import track
from lrtui.core.protocol.events import RateChanged
from lrtui.core.scenario.spec import Race
from lrtui.core.state import rates
from lrtui.core.state.race_state import LaneState
from lrtui.tui.render import raster, styles
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView

MOST_GAPS = 1000


def marks(lane: LaneState, view: RaceView) -> list[Mark]:
    """All of a lane's marks but those on its curve (`gaps`), what matters least first."""
    return lane_marks(lane, view.forks.get(lane.index, []))


def gaps(lane: LaneState, view: RaceView) -> list[Mark]:
    """Gaps of the shown quantity, NaN or infinite: the first step of each, the last ones of
    many."""
    found = track(lane, view.quantity)
    if found is None:
        return []
    values = found.series.values
    bad = np.flatnonzero(~np.isfinite(values[1:]) & np.isfinite(values[:-1]))[-MOST_GAPS:] + 1
    steps = bad if found.steps is None else found.steps[bad]
    return [
        Mark(int(step), LOST, "NaN" if math.isnan(values[at]) else "infinite")
        for at, step in zip(bad, steps, strict=True)
    ]


def nothing(signs: str) -> str:
    """Message for a lane without any of the marks `signs`."""
    kinds = {SPIKE: "no spike", LOST: "no alert and no NaN", HOTTER: "no change of its rate"}
    return next((words for sign, words in kinds.items() if sign in signs), "no marks")


def row(
    canvas: Canvas, lane: LaneState, race: Race, view: RaceView, *, only: str = "", but: str = ""
) -> None:
    """Writes the marks of a lane into the first row of the canvas, over what stands there; all, or
    some signs only."""
    shown = [
        mark
        for mark in marks(lane, view)
        if (not only or mark.sign in only) and mark.sign not in but
    ]
    if not shown or not canvas.height or not canvas.width:
        return
    columns = view.x.columns(lane, race, np.array([mark.step for mark in shown]), canvas.width)
    for mark, column in zip(shown, columns.tolist(), strict=True):
        if column == canvas.width and mark.step >= lane.steps:
            column -= 1  # the end of the budget
        if 0 <= column < canvas.width:
            canvas.text(column, 0, mark.sign, _style(mark, view.hue(lane.index)))


def on_rates(canvas: Canvas, lane: LaneState, race: Race, view: RaceView) -> None:
    """Marks on the curve of the rates where the dial was turned."""
    found = turns(lane)
    if not found or not canvas.height or not canvas.width:
        return
    columns = view.x.columns(lane, race, np.array([turn.step for turn, _ in found]), canvas.width)
    limits = view.rate_limits
    for (turn, sign), column in zip(found, columns.tolist(), strict=True):
        rate = _rate_at(turn, lane, view.group_of(lane))
        if rate > 0 and 0 <= column < canvas.width:
            y = raster.dot_row(rate, 4 * canvas.height, limits.low, limits.high, limits.log) // 4
            canvas.text(column, y, sign, styles.lane_bold(view.hue(lane.index)))


def _rate_at(turn: RateChanged, lane: LaneState, group: int) -> float:
    """The rate of a param group at a turn of the dial; NaN if it is unknown."""
    if not group:
        return turn.rate
    found = track(lane, rates.column("applied_lr", group))
    at = found.at(turn.step) if found else None
    return at[1] if at else math.nan


def _style(mark: Mark, hue: int) -> int:
    if mark.sign == ALERT:
        return styles.WARN
    return styles.DIM if mark.sign in (SNAPSHOT, REWOUND) else styles.lane_bold(hue)
