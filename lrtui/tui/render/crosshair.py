"""The crosshair: a vertical line at one x through all charts, and the values that lanes have there.
Pure drawing."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lrtui.core.charts.metric_series import smoothed, track
from lrtui.core.numbers import UNKNOWN, loss
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line
from lrtui.tui.rects import Rect
from lrtui.tui.render import raster, styles
from lrtui.tui.render.canvas import Canvas, fitted, text_width
from lrtui.tui.view import RaceView

HIGHER = ("acc", "auc", "bleu", "f1", "iou", "psnr", "r2", "score", "ssim")
"""Parts of the names of metrics for which higher is better."""
NAME_WIDTH = 14
BOX_LEAST = 24
"""Columns of the chart below which the list of values has no names."""


class Reading(NamedTuple):
    """A lane's values at the crosshair."""

    lane: LaneState
    step: int | None
    """The step of the value; None where the lane has none there: it has not come so far, or began
    later."""
    value: float
    """NaN without a value, and where the value is NaN."""
    smooth: float
    """NaN where nothing is smoothed."""

    @property
    def words(self) -> str:
        """The value as text, the smoothed one after a ~."""
        if self.step is None:
            return UNKNOWN
        return loss(self.value) + (f" ~{loss(self.smooth)}" if self.smooth == self.smooth else "")


def higher_is_better(name: str) -> bool:
    """True if the highest value of a quantity is its best, judging by its name."""
    return any(word in name.lower() for word in HIGHER)


def reading(lane: LaneState, race: Race, view: RaceView) -> Reading:
    """Read a lane's value at the crosshair: that of the step, or the newest of a quantity measured
    rarely."""
    found = track(lane, view.quantity)
    nothing = Reading(lane, None, math.nan, math.nan)
    if found is None or view.cursor is None or lane.steps <= lane.forked_at:
        return nothing
    if (
        not view.x.value(lane, race, lane.forked_at)
        <= view.cursor
        < view.x.value(lane, race, lane.steps)
    ):
        return nothing
    step = view.x.step(lane, race, view.cursor)
    at = found.at(step)
    if at is None:
        return nothing
    smooth = smoothed(lane, view.quantity, view.smoothing) if view.smoothing else None
    average = smooth.at(step) if smooth else None
    return Reading(lane, at[0], at[1], average[1] if average else math.nan)


def ranked(lanes: list[LaneState], race: Race, view: RaceView) -> list[Reading]:
    """Sort the readings best first, by the smoothed value if there is one; NaN and missing ones
    last."""
    sign = -1 if higher_is_better(view.quantity) else 1

    def place(one: Reading) -> tuple[int, float]:
        value = one.smooth if math.isfinite(one.smooth) else one.value
        return (
            (0, sign * value) if math.isfinite(value) else (1 if one.step is not None else 2, 0.0)
        )

    return sorted((reading(lane, race, view) for lane in lanes), key=place)


def line(canvas: Canvas, view: RaceView) -> int | None:
    """Draw the line through a chart, behind its curves; return its cell column, None out of
    sight."""
    if view.cursor is None or not canvas.width or not canvas.height:
        return None
    column = view.x.place(view.cursor, 2 * canvas.width)
    if not 0 <= column < 2 * canvas.width:
        return None
    cell, dots = column // 2, np.uint8(sum(raster.SIDES[column % 2]))
    codes, tints = canvas.codes[:, cell], canvas.styles[:, cell]
    empty, curves = codes == ord(" "), codes > raster.BLANK
    codes[curves] |= dots  # of a braille character the low byte says which dots it has
    codes[empty] = raster.BLANK + int(dots)
    tints[empty] = styles.CURSOR
    return int(cell)


def step_words(lane: LaneState, race: Race, view: RaceView) -> str:
    """Step of a lane at the crosshair, as text."""
    if view.cursor is None:
        return ""
    return f"step {view.x.step(lane, race, view.cursor)}"


def words(canvas: Canvas, lane: LaneState, race: Race, view: RaceView) -> None:
    """A pane's line about the crosshair: the step and the value there."""
    canvas.fill()
    one = reading(lane, race, view)
    step = f"step {one.step}" if one.step is not None else "not there"
    x = 1 + canvas.text(1, 0, f"{step}: ", styles.DIM)
    canvas.text(x, 0, one.words, styles.lane_bold(lane.index))


def box(canvas: Canvas, lanes: list[LaneState], race: Race, view: RaceView, cell: int) -> None:
    """The list of values, best first, at the side of the chart where the crosshair at `cell` is
    not."""
    found = ranked(lanes, race, view)
    selected = next(
        (lane for lane in lanes if lane.index == view.selected), lanes[0] if lanes else None
    )
    if selected is None or canvas.height < 3:
        return
    head = (
        f"{step_words(selected, race, view)},"
        f" {'highest' if higher_is_better(view.quantity) else 'lowest'} first"
    )
    rows = canvas.height - 1
    entries = _entries(found, named=len(found) <= rows and canvas.width >= 2 * BOX_LEAST)
    width = max(map(text_width, entries)) + 1
    across = min(-(-len(entries) // rows), max(1, (canvas.width // 2 - 2) // width))
    down = min(rows, -(-len(entries) // across))
    place = _place(
        canvas,
        max(width * across + 1, text_width(head) + 2),
        down + 1,
        at_right=cell < canvas.width // 2,
    )
    place.fill()
    place.fill(styles.BAR, rect=(0, 0, place.width, 1))
    place.text(1, 0, head, styles.BAR)
    for number, (text, one) in enumerate(zip(entries[: down * across], found, strict=False)):
        index = one.lane.index
        style = styles.lane_chosen(index) if index == view.selected else styles.lane(index)
        place.text(1 + number // down * width, 1 + number % down, text, style)


def _place(canvas: Canvas, width: int, height: int, *, at_right: bool) -> Canvas:
    """Room at a side of the chart: at its top, or at its bottom where that hides less of the
    curves."""
    x = canvas.width - width if at_right else 0
    top, bottom = (canvas.view(Rect(x, y, width, height)) for y in (0, canvas.height - height))
    return bottom if (bottom.codes != ord(" ")).sum() < (top.codes != ord(" ")).sum() else top


def _entries(found: list[Reading], *, named: bool) -> list[str]:
    """Lines of the list: place, letter, name if `named`, value."""
    letters = max(len(one.lane.lane.letter) for one in found)
    if not named:
        return [f"{one.lane.lane.letter:<{letters}} {one.words}" for one in found]
    names = [one_line(one.lane.lane.name) for one in found]
    width = min(NAME_WIDTH, max(map(text_width, names)))
    return [
        f"{place:>2} {one.lane.lane.letter:<{letters}} {fitted(name, width)} {one.words}"
        for place, (one, name) in enumerate(zip(found, names, strict=True), 1)
    ]
