"""Where everything stands on the race screen and inside a pane: pure arithmetic. Knows no widget and no style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

LEAST = 60, 16
"""Columns and rows below which the screen only asks for more room."""
PANE_LEAST = 26, 6
SHAPES = 2.5, 4.0
"""Columns per row between which a pane looks right."""
WIDE = 120
"""From so many columns on, standings and log stand in a column at the right."""
SIDE = 44, 56
LARGE_RATE = 24, 3
"""Room for a rate in large digits ..."""
LARGE_FROM = 14
"""... which a pane of so many rows has."""
DIAL_FROM, DIAL_LEAST = 16, 50
"""Rows and columns from which on a pane has a row for the gauge's dial."""
FACTS_FROM, FACTS_LEAST = 22, 50
"""Rows from which on the large view has room for everything, and columns below which it has no facts."""
LARGE_MACHINE = 40
"""Rows from which on GPUs have rows of their own."""


class Rect(NamedTuple):
    """Cells: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    def contains(self, x: int, y: int) -> bool:
        return self.x <= x < self.right and self.y <= y < self.bottom


NOTHING = Rect(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of the screen: they cover all of it, and no two overlap."""

    width: int
    height: int
    header: Rect
    stage: Rect
    """What all panes cover together; an overlay of all curves takes their place."""
    panes: dict[int, Rect]
    """By the lane's index: all lanes that are shown, one page of them, or the enlarged one."""
    standings: Rect
    """Header row included; fewer rows than lanes means that it scrolls."""
    log: Rect
    """Without rows where there is no room for it."""
    machine: Rect
    footer: Rect
    page: tuple[int, int] = 1, 1
    """Which page of panes this is, counted from 1, and how many there are."""

    @property
    def too_small(self) -> bool:
        """Then there is only the header, one row, for asking for more room."""
        return self.width < LEAST[0] or self.height < LEAST[1]


class PaneParts(NamedTuple):
    """The parts of a pane, seen from its upper left corner; None where there is no room for one.

    The last column of a pane stays free, as the border to its neighbour.
    """

    title: Rect
    words: Rect
    rate: Rect
    large: bool
    """Whether the rate's rect takes large digits (three rows)."""
    numbers: tuple[Rect, ...]
    """Lines for loss, progress, speed, most important first: one to four."""
    y_labels: Rect
    curve: Rect
    rate_labels: Rect | None
    rate_curve: Rect | None
    """Under the curve, on the same x axis."""
    x_labels: Rect | None
    sprite: Rect | None
    facts: Rect | None = None
    """In the large view, above the curve: what the rate really does."""
    dial: Rect | None = None
    """One row above the curve for the gauge, where the facts are not shown."""


def arrange(width: int, height: int, shown: Sequence[int], big: int | None = None, chosen: int = 0,
            gpus: int = 0) -> Layout:
    """The screen for the lanes of these indices, in this order; without any there are no panes.

    All panes show, or the page with the lane `chosen` where not all fit, or the lane `big` alone in the room of all. The machine
    has one row; from LARGE_MACHINE rows on, one more for each GPU, but no more than a tenth of the height.
    """
    header = Rect(0, 0, width, min(1, height))
    if width < LEAST[0] or height < LEAST[1]:
        return Layout(width, height, header, NOTHING, {}, NOTHING, NOTHING, NOTHING, NOTHING)
    rows = 1 if height < LARGE_MACHINE else min(1 + gpus, height // 10)
    body = Rect(0, 1, width, height - 2 - rows)
    machine, footer = Rect(0, body.bottom, width, rows), Rect(0, height - 1, width, 1)
    stage, standings, log = (_beside if width >= WIDE else _below)(body, max(1, len(shown)))
    if big is not None or not shown:
        return Layout(width, height, header, stage, {} if big is None else {big: stage}, standings, log, machine, footer)
    place, size = shown.index(chosen) if chosen in shown else 0, min(len(shown), page_size(stage))
    first = min(place // size * size, len(shown) - size)
    panes = dict(zip(shown[first:first + size], _grid(stage, size), strict=True))
    page = place // size + 1, -(-len(shown) // size)
    return Layout(width, height, header, stage, panes, standings, log, machine, footer, page)


@dataclass(frozen=True, slots=True)
class FinderLayout:
    """The parts of the finder's screen; without rows where there is no room for one."""

    header: Rect
    marks: Rect
    """Rows for the names of the rules, over the chart."""
    y_labels: Rect
    curve: Rect
    x_labels: Rect
    standings: Rect
    """Of the check, header row included."""
    sentences: Rect
    footer: Rect
    too_small: bool = False


def arrange_finder(width: int, height: int, lanes: int) -> FinderLayout:
    """The screen of a finder whose check has so many lanes: the chart, and beside or under it what follows from it."""
    header = Rect(0, 0, width, min(1, height))
    if width < LEAST[0] or height < LEAST[1]:
        return FinderLayout(header, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, too_small=True)
    body, footer = Rect(0, 1, width, height - 2), Rect(0, height - 1, width, 1)
    rows = min(lanes + 1, max(2, height // 3))
    if width >= WIDE:
        side = max(SIDE[0], min(SIDE[1], width * 30 // 100))
        stage = Rect(0, body.y, width - side - 1, body.height)
        standings = Rect(stage.right + 1, body.y, side, rows)
        words = Rect(standings.x, standings.bottom + 1, side, body.height - rows - 1)
    else:
        lines = max(2, (height - 8) // 3)
        stage = Rect(0, body.y, width, body.height - rows - lines)
        standings = Rect(0, stage.bottom, width, rows)
        words = Rect(0, standings.bottom, width, lines)
    top = 1 if height < 20 else 2 if height < 30 else 4
    curve = Rect(8, stage.y + top, stage.width - 10, stage.height - top - 1)
    return FinderLayout(header, Rect(curve.x, stage.y, curve.width, top), Rect(0, curve.y, 8, curve.height), curve,
                        Rect(curve.x, curve.bottom, curve.width, 1), standings, words, footer)


def page_size(stage: Rect) -> int:
    """How many panes of the least size a stage holds."""
    return (stage.width // PANE_LEAST[0]) * (stage.height // PANE_LEAST[1])


def _beside(body: Rect, lanes: int) -> tuple[Rect, Rect, Rect]:
    """Stage at the left; standings over the log in a column at the right."""
    side = max(SIDE[0], min(SIDE[1], body.width * 28 // 100))
    stage = Rect(0, body.y, body.width - side, body.height)
    rows = min(lanes + 1, body.height * 2 // 3)
    standings = Rect(stage.width, body.y, side, rows)
    return stage, standings, Rect(stage.width, standings.bottom, side, body.height - rows)


def _below(body: Rect, lanes: int) -> tuple[Rect, Rect, Rect]:
    """Stage, under it the standings, under them the log where the height allows."""
    height = body.height + 3
    log_rows = 3 if height >= 30 else 2 if height >= 20 else 0
    rows = min(lanes + 1, height // 3, body.height - log_rows - PANE_LEAST[1])
    stage = Rect(0, body.y, body.width, body.height - rows - log_rows)
    standings = Rect(0, stage.bottom, body.width, rows)
    return stage, standings, Rect(0, standings.bottom, body.width, log_rows)


def _grid(stage: Rect, shown: int) -> list[Rect]:
    """So many panes, at most as many as a page holds, from left to right and from top to bottom."""
    most_rows, most_across = stage.height // PANE_LEAST[1], stage.width // PANE_LEAST[0]
    choices = range(-(-shown // most_across), min(most_rows, shown) + 1)
    rows = min(choices, key=lambda rows: _ugliness(stage, shown, rows))
    return [Rect(stage.x + x, stage.y + y, width, height) for row, (y, height) in enumerate(_cut(stage.height, rows))
            for x, width in _cut(stage.width, shown // rows + (row < shown % rows))]


def _ugliness(stage: Rect, lanes: int, rows: int) -> float:
    """How far the panes are from a good shape, from each other's size, and from room for a large rate."""
    fewest, most = lanes // rows, -(-lanes // rows)
    shapes = [stage.width / across / (stage.height / rows) for across in (fewest, most)]
    worst = max(abs(math.log(shape / max(SHAPES[0], min(SHAPES[1], shape)))) for shape in shapes)
    return worst + math.log(most / fewest) + 0.1 * (stage.height // rows < LARGE_FROM)


def _cut(length: int, parts: int) -> list[tuple[int, int]]:
    """(start, size) of parts that cover a length and differ by one at most."""
    edges = [length * part // parts for part in range(parts + 1)]
    return [(start, stop - start) for start, stop in pairwise(edges)]


def pane_parts(width: int, height: int, has_sprite: bool = False, facts: bool = False) -> PaneParts:
    """The parts of a pane of at least PANE_LEAST; less important ones go first where it is small. `facts`: the large view."""
    inner = width - 1
    sprite_width = _sprite_width(inner, height) if has_sprite else 0
    left = inner - sprite_width - (sprite_width > 0)
    sprite = Rect(left + 1, 2, sprite_width, height - 2) if sprite_width else None
    tight = facts and height < FACTS_FROM
    large, rate, numbers = _figures(left, min(height, 11) if tight else height)
    top = max(rate.bottom, numbers[-1].bottom)
    extra = _extra_rows(left, height, facts)
    below, top = Rect(0, top, left, extra), top + extra
    gutter = 7 if left >= 40 else 6
    rate_rows = 0 if height < 10 or tight else 2 if height < 18 else 3 if height < 28 else 4
    label_rows = int(height >= 11)
    curve = Rect(gutter, top, left - gutter, height - top - rate_rows - label_rows)
    return PaneParts(
        title=Rect(0, 0, inner, 1),
        words=Rect(0, 1, inner, 1),
        rate=rate,
        large=large,
        numbers=numbers,
        y_labels=Rect(0, top, gutter, curve.height),
        curve=curve,
        rate_labels=Rect(0, curve.bottom, gutter, rate_rows) if rate_rows else None,
        rate_curve=Rect(gutter, curve.bottom, curve.width, rate_rows) if rate_rows else None,
        x_labels=Rect(gutter, height - 1, curve.width, 1) if label_rows else None,
        sprite=sprite,
        facts=below if extra and facts else None,
        dial=below if extra and not facts else None,
    )


def _extra_rows(width: int, height: int, facts: bool) -> int:
    """Rows for the facts of the large view, or for the dial of a pane that has room to spare."""
    if facts:
        return 0 if height < 12 or width < FACTS_LEAST else 4 if height < FACTS_FROM else 7
    return int(height >= DIAL_FROM and width >= DIAL_LEAST)


def _figures(width: int, height: int) -> tuple[bool, Rect, tuple[Rect, ...]]:
    """(large?, rate, lines of numbers), from row 2 down."""
    if height < LARGE_FROM or width < LARGE_RATE[0]:
        beside = Rect(13, 2, width - 13, 1)
        more = 0 if height < 9 else 1 if height < 12 else 2
        return False, Rect(0, 2, 12, 1), (beside, *(Rect(0, 3 + row, width, 1) for row in range(more)))
    rate = Rect(0, 2, *LARGE_RATE)
    if width >= LARGE_RATE[0] + 22:
        x = rate.right + 2
        return True, rate, tuple(Rect(x, 2 + row, width - x, 1) for row in range(3))
    return True, rate, tuple(Rect(0, rate.bottom + row, width, 1) for row in range(2 if height < 20 else 3))


def _sprite_width(inner: int, height: int) -> int:
    """Columns for sprites of 16 x 16 pixels: a third of a large pane, two, one, one of half size, or none."""
    if inner >= 120 and height >= 18:
        return min(inner // 3, 70)
    choices = ((33, 8, 60), (16, 8, 32), (8, 4, 25))
    fitting = (size for size, rows, rest in choices if height - 2 >= rows and inner - size - 1 >= rest)
    return next(fitting, 0)
