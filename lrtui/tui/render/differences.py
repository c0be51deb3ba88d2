"""A table of the settings in which lanes differ: lanes side by side where they fit, else one below
the other. Pure drawing."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from lrtui.core.results.differences import Differences, differences
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.scenario.spec import Race
from lrtui.core.state.lane_state import LaneState
from lrtui.tui.rects import Rect
from lrtui.tui.render import styles
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.render.standings import nothing_shown
from lrtui.tui.view import RaceView

LONGEST = 40
"""Cells for one value; what is longer (an expression, the path of a file) goes on with a dot dot
dot."""
NAME = 16
"""Cells for letter and name of a lane over a column."""
COMMON_ROWS = 3


class Cell(NamedTuple):
    """A text and how it is written."""

    text: str
    style: int = styles.TEXT


Row = list[Cell]


def draw(canvas: Canvas, groups: Sequence[SeedGroup], race: Race, view: RaceView) -> int:
    """Draw the table from line `view.scroll` on; return the first line really shown, which may be
    lower."""
    canvas.fill()
    if not groups:
        nothing_shown(canvas, view)
        return 0
    found = differences([group.first for group in groups], race)
    top = _common(canvas, found, len(groups))
    rows, fixed = _rows(found, groups, view, canvas.width - 2)
    room = max(1, canvas.height - top - fixed)
    scroll = max(0, min(view.scroll, len(rows) - fixed - room))
    shown = rows[:fixed] + rows[fixed + scroll : fixed + scroll + room]
    for y, row in enumerate(shown, top):
        x = 1
        for cell in row:
            x += canvas.text(x, y, cell.text, cell.style)
    rest = len(rows) - fixed - room - scroll
    if rest > 0 or scroll:
        text = (
            f" {f'{rest} more below' if rest > 0 else 'the end'} ·"
            f" {view.keymap.read('view.page_up', 'view.page_down')} scroll "
        )
        canvas.view(Rect(canvas.width - text_width(text), top - 1, text_width(text), 1)).text(
            0, 0, text, styles.DIM
        )
    return scroll


def _common(canvas: Canvas, found: Differences, lanes: int) -> int:
    """Draw the settings common to all lanes in a few lines; return the rows taken, a free one
    included."""
    head = "this lane: " if lanes == 1 else f"all {lanes} lanes: "
    # "seed 7" stays on one line
    common = ", ".join(phrase.replace(" ", "\xa0") for phrase in found.common.split(", "))
    lines = textwrap.wrap(head + common, max(16, canvas.width - 2)) or [head]
    if len(lines) > COMMON_ROWS:
        lines = [*lines[: COMMON_ROWS - 1], lines[COMMON_ROWS - 1][: canvas.width - 3] + "…"]
    for y, line in enumerate(lines):
        canvas.text(1, y, line, styles.TEXT)
    canvas.text(1, 0, head, styles.BOLD)
    if not found.settings and lanes > 1:
        canvas.text(1, len(lines) + 1, "All settings are equal.", styles.TEXT)
    return len(lines) + 1


def _rows(
    found: Differences, groups: Sequence[SeedGroup], view: RaceView, width: int
) -> tuple[list[Row], int]:
    """(lines of the table, how many of them at the top stay when it scrolls)."""
    if not found.settings:
        return [], 0
    names = [Cell(shortened(group.called, NAME), _style(group.first, view)) for group in groups]
    values = [[Cell(shortened(text, LONGEST)) for text in row] for row in found.cells]
    heads = [Cell(name, styles.DIM) for name in found.settings]
    beside = [[Cell(""), *names], *([head, *row] for head, row in zip(heads, values, strict=True))]
    if _width(beside) <= width:
        return _aligned(beside), 1
    below = [
        [Cell(""), *heads],
        *([name, *column] for name, column in zip(names, zip(*values, strict=True), strict=True)),
    ]
    blocks = _blocks(below, width)
    if len(blocks) == 1:
        return _aligned(blocks[0]), 1
    return [row for block in blocks for row in [*_aligned(block), []]], 0


def _blocks(table: list[Row], width: int) -> list[list[Row]]:
    """The table cut into some that each fit a width, with the first column in each; a column that
    never fits stands alone."""
    cuts = [1]
    for end in range(2, len(table[0]) + 1):
        if end - cuts[-1] > 1 and _width([[row[0], *row[cuts[-1] : end]] for row in table]) > width:
            cuts.append(end - 1)
    return [
        [[row[0], *row[start:stop]] for row in table]
        for start, stop in pairwise([*cuts, len(table[0])])
    ]


def _widths(table: list[Row]) -> list[int]:
    return [max(text_width(cell.text) for cell in column) for column in zip(*table, strict=True)]


def _width(table: list[Row]) -> int:
    return sum(_widths(table)) + 2 * (len(table[0]) - 1)


def _aligned(table: list[Row]) -> list[Row]:
    """Pad each cell to its column's width and two more."""
    widths = _widths(table)
    return [
        [
            part
            for cell, width in zip(row, widths, strict=True)
            for part in (
                Cell(cell.text, cell.style),
                Cell(" " * (width - text_width(cell.text) + 2)),
            )
        ]
        for row in table
    ]


def _style(lane: LaneState, view: RaceView) -> int:
    return (
        styles.lane_chosen(view.hue(lane.index))
        if lane.index == view.selected
        else styles.lane_bold(view.hue(lane.index))
    )
