"""The crosshair: a vertical line at one x through all charts, and the values that lanes have there.
Pure drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lrtui.core.charts.metric_series import smoothed, track
from lrtui.core.numbers import UNKNOWN, loss
from lrtui.core.results.ranking import highest_is_best
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import spread_of
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line
from lrtui.tui.rects import Rect
from lrtui.tui.render import raster, styles
from lrtui.tui.render.canvas import Canvas, fitted, text_width
from lrtui.tui.view import RaceView

NAME_WIDTH = 14
BOX_LEAST = 24
"""Columns of the chart below which the list of values has no names."""


class Reading(NamedTuple):
    """The values of a lane, or of a group of seeds, at the crosshair."""

    group: SeedGroup
    step: int | None
    """The step of the value; None where no lane has one there: it has not come so far, or began
    later."""
    value: float
    """NaN without a value, and where it is NaN; of seeds the mean of the finite ones."""
    smooth: float
    """NaN where nothing is smoothed."""
    span: tuple[float, float] | None = None
    """The lowest and the highest value of seeds."""

    @property
    def words(self) -> str:
        """The value as text, the range of seeds behind it, or the smoothed one after a ~."""
        if self.step is None:
            return UNKNOWN
        smooth = f" ~{loss(self.smooth)}" if self.smooth == self.smooth else ""
        if smooth or self.span is None:
            return loss(self.value) + smooth
        return f"{loss(self.value)} {loss(self.span[0])}…{loss(self.span[1])}"


def reading(group: SeedGroup, race: Race, view: RaceView) -> Reading:
    """Read a lane's value at the crosshair: that of the step, or the newest of a quantity measured
    rarely; of seeds the mean."""
    each = [_reading(lane, race, view) for lane in group.lanes]
    there = [one for one in each if one[0] is not None]
    if len(there) < 2:
        return Reading(group, *(there or each)[0])
    spread = spread_of([value for _, value, _ in there])
    span = (spread.low, spread.high) if spread.known > 1 else None
    value = spread.mean if spread.known else there[0][1]
    return Reading(group, there[0][0], value, spread_of([one[2] for one in there]).mean, span)


def _reading(lane: LaneState, race: Race, view: RaceView) -> tuple[int | None, float, float]:
    """(step, value, smoothed value) of one lane."""
    found = track(lane, view.quantity)
    nothing = None, math.nan, math.nan
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
    return at[0], at[1], average[1] if average else math.nan


def ranked(groups: Sequence[SeedGroup], race: Race, view: RaceView) -> list[Reading]:
    """Sort the readings best first, by the smoothed value if there is one; NaN and missing ones
    last."""
    sign = -1 if highest_is_best(race, view.quantity) else 1

    def place(one: Reading) -> tuple[int, float]:
        value = one.smooth if math.isfinite(one.smooth) else one.value
        return (
            (0, sign * value) if math.isfinite(value) else (1 if one.step is not None else 2, 0.0)
        )

    return sorted((reading(group, race, view) for group in groups), key=place)


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


def words(canvas: Canvas, group: SeedGroup, race: Race, view: RaceView) -> None:
    """A pane's line about the crosshair: the step and the value there."""
    canvas.fill()
    one = reading(group, race, view)
    step = f"step {one.step}" if one.step is not None else "not there"
    x = 1 + canvas.text(1, 0, f"{step}: ", styles.DIM)
    canvas.text(x, 0, one.words, styles.lane_bold(view.hue(group.first.index)))


def box(canvas: Canvas, groups: Sequence[SeedGroup], race: Race, view: RaceView, cell: int) -> None:
    """The list of values, best first, at the side of the chart where the crosshair at `cell` is
    not."""
    found = ranked(groups, race, view)
    first = [group.first for group in groups]
    selected = next(
        (lane for lane in first if lane.index == view.selected), first[0] if first else None
    )
    if selected is None or canvas.height < 3:
        return
    best = "highest" if highest_is_best(race, view.quantity) else "lowest"
    head = f"{step_words(selected, race, view)}, {best} first"
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
        index = one.group.first.index
        hue = view.hue(index)
        style = styles.lane_chosen(hue) if index == view.selected else styles.lane(hue)
        place.text(1 + number // down * width, 1 + number % down, text, style)


def _place(canvas: Canvas, width: int, height: int, *, at_right: bool) -> Canvas:
    """Room at a side of the chart: at its top, or at its bottom where that hides less of the
    curves."""
    x = canvas.width - width if at_right else 0
    top, bottom = (canvas.view(Rect(x, y, width, height)) for y in (0, canvas.height - height))
    return bottom if (bottom.codes != ord(" ")).sum() < (top.codes != ord(" ")).sum() else top


def _entries(found: list[Reading], *, named: bool) -> list[str]:
    """Lines of the list: place, letter, name if `named`, value."""
    letters = max(len(one.group.letter) for one in found)
    if not named:
        return [f"{one.group.letter:<{letters}} {one.words}" for one in found]
    names = [one_line(one.group.first.lane.name) for one in found]
    width = min(NAME_WIDTH, max(map(text_width, names)))
    return [
        f"{place:>2} {one.group.letter:<{letters}} {fitted(name, width)} {one.words}"
        for place, (one, name) in enumerate(zip(found, names, strict=True), 1)
    ]
