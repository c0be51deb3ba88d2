"""Computes the parts of the race screen and of the finder's: pure arithmetic. Knows no widget and
no style.

Panes of one page form a grid of equal cells. The parts of the race as a whole (standings, log) take
the cells that the last row leaves free, or a strip below the grid: whichever leaves the curves more
room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from lrtui.tui.pane_layout import PANE_LEAST, USUAL, PaneParts, Wants, pane_parts
from lrtui.tui.rects import NOTHING, Rect

LEAST = 60, 16
"""Columns and rows below which the screen only asks for more room."""
SHAPES = 2.5, 6.0
"""Columns per row between which a curve is well shaped: more adds nothing to a grid's worth."""
WIDE = 100
"""Columns from which standings and log are side by side."""
STANDINGS_LEAST, STANDINGS_MOST = 44, 72
LOG_LEAST = 3
"""Rows of the log, if the height allows."""
FINDER_WIDE, FINDER_SIDE = 120, (44, 56)
"""Columns from which the finder has a column at the right; least and most columns of it."""
LARGE_MACHINE = 40
"""Rows from which each GPU has its own row."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of the screen; no two overlap."""

    width: int
    height: int
    header: Rect
    panel: Rect
    """The area of all panes together, or of the panel that replaces them."""
    panes: dict[int, Rect]
    """By lane index: all visible lanes, one page of them, or the enlarged one. Equally wide;
    heights differ by one row at most."""
    standings: Rect
    """Header row included; fewer rows than lanes means that it scrolls."""
    log: Rect
    """Without rows if there is no room for it."""
    machine: Rect
    footer: Rect
    parts: PaneParts
    """The parts of every pane: charts of one page have the same columns and rows."""
    page: tuple[int, int] = 1, 1
    """(number of this page of panes, from 1; number of pages)."""

    @property
    def too_small(self) -> bool:
        """True if the screen only asks for more room, in the header."""
        return self.width < LEAST[0] or self.height < LEAST[1]


class Grid(NamedTuple):
    """Cells for the panes of a page, one per lane, and the areas of the race as a whole."""

    panes: list[Rect]
    panel: Rect
    standings: Rect
    log: Rect

    @property
    def worth(self) -> tuple[int, float, int]:
        """Orders grids: more lanes on a page, then larger well-shaped parts of their curves."""
        _, _, width, height = _parts(self.panes, USUAL).curve
        low, high = SHAPES
        shaped = min(width, high * height) * min(height, width / low)
        return len(self.panes), shaped, width * height


def arrange(
    width: int,
    height: int,
    shown: Sequence[int],
    big: int | None = None,
    selected: int = 0,
    gpus: int = 0,
    wants: Wants = USUAL,
    *,
    whole: bool = False,
) -> Layout:
    """Lay out `width` x `height` cells for the lanes of the indices `shown`, in this order.

    Shows all panes; or the page with the lane `selected` if not all fit; or the lane `big` alone;
    or none if a panel needs the `whole` area, or no lane is visible. `wants`: the needs of the
    panes. The machine has one row; from LARGE_MACHINE rows on, one more for each of the `gpus`, but
    at most a tenth of the height.
    """
    header = Rect(0, 0, width, min(1, height))
    parts = _parts([], wants)
    if width < LEAST[0] or height < LEAST[1]:
        return Layout(width, height, header, NOTHING, {}, NOTHING, NOTHING, NOTHING, NOTHING, parts)
    rows = 1 if height < LARGE_MACHINE else min(1 + gpus, height // 10)
    body = Rect(0, 1, width, height - 2 - rows)
    machine, footer = Rect(0, body.bottom, width, rows), Rect(0, height - 1, width, 1)
    if big is not None or whole or not shown:
        panel, standings, log = _with_strip(body, len(shown), alone=big is not None)
        panes, page = {} if big is None else {big: panel}, (1, 1)
    else:
        cells, panel, standings, log = _best_grid(body, len(shown))
        place = shown.index(selected) if selected in shown else 0
        first = min(place // len(cells) * len(cells), len(shown) - len(cells))
        panes = dict(zip(shown[first : first + len(cells)], cells, strict=True))
        page = place // len(cells) + 1, -(-len(shown) // len(cells))
    parts = _parts(panes.values(), wants)
    return Layout(width, height, header, panel, panes, standings, log, machine, footer, parts, page)


def _parts(panes: Iterable[Rect], wants: Wants) -> PaneParts:
    """The parts that fit into every pane of a page, even the lowest; an extra row of a higher pane
    stays free."""
    return pane_parts(*min((pane[2:] for pane in panes), default=PANE_LEAST), wants)


@lru_cache(64)
def _best_grid(body: Rect, shown: int) -> Grid:
    return max(_grids(body, shown), key=lambda grid: grid.worth)


def _grids(body: Rect, shown: int) -> Iterator[Grid]:
    """Every grid that holds all lanes or a page; the race takes free cells of its last row."""
    for rows in range(1, body.height // PANE_LEAST[1] + 1):
        for across in range(1, body.width // PANE_LEAST[0] + 1):
            lanes = min(shown, rows * across)
            full = lanes == rows * across
            panel, standings, log = _with_strip(body, shown, rows, with_log=full)
            if panel.height // rows >= PANE_LEAST[1] and lanes > (rows - 1) * across:
                cells = _cells(panel, rows, across)
                log = log if full else _room(cells[lanes], panel)
                yield Grid(cells[:lanes], panel, standings, log)
            yield from _grids_without_strip(body, rows, across, shown)


def _grids_without_strip(body: Rect, rows: int, across: int, shown: int) -> Iterator[Grid]:
    """The grid of `rows` x `across` cells in the whole body, if its last row has room for the
    standings."""
    cells = _cells(body, rows, across)
    lanes = min(shown, rows * across - -(-STANDINGS_LEAST // cells[0].width))
    if lanes <= (rows - 1) * across:
        return
    standings, log = _race_parts(_room(cells[lanes], body), shown, _log_rows(body))
    least = min(shown + 1, max(5, body.height // 5))
    if standings.height >= least and log.height >= _log_rows(body):
        yield Grid(cells[:lanes], body, standings, log)


def _room(first: Rect, panel: Rect) -> Rect:
    """The area that the last row leaves free, from this cell on."""
    return Rect(first.x, first.y, panel.right - first.x, panel.bottom - first.y)


def _cells(panel: Rect, rows: int, across: int) -> list[Rect]:
    """Cells row by row, equally wide; the rest of the width stays free."""
    width = panel.width // across
    return [
        Rect(panel.x + column * width, panel.y + y, width, height)
        for y, height in _cut(panel.height, rows)
        for column in range(across)
    ]


def _cut(length: int, parts: int) -> list[tuple[int, int]]:
    """(start, size) of parts that cover a length; sizes differ by one at most."""
    edges = [length * part // parts for part in range(parts + 1)]
    return [(start, stop - start) for start, stop in pairwise(edges)]


def _with_strip(
    body: Rect, lanes: int, rows: int = 1, *, with_log: bool = True, alone: bool = False
) -> tuple[Rect, Rect, Rect]:
    """(panel, standings, log): the panel in `rows` of equal height above the two others.

    `alone`: below one enlarged lane only the leader and this lane are needed.
    """
    log_rows = _log_rows(body) if with_log else 0
    if alone:
        lanes, log_rows = min(lanes, 2), log_rows if body.width >= WIDE else 0
    table = min(max(lanes, 1) + 1, (body.height + 3) // 3)
    strip = max(table, log_rows) if body.width >= WIDE else table + log_rows
    strip = min(strip, body.height - PANE_LEAST[1])
    panel = body._replace(height=(body.height - strip) // rows * rows)
    below = Rect(body.x, panel.bottom, body.width, body.bottom - panel.bottom)
    return (panel, *_race_parts(below, lanes, log_rows)) if with_log else (panel, below, NOTHING)


def _log_rows(body: Rect) -> int:
    """The least rows of the log."""
    return LOG_LEAST if body.height >= 27 else 2 if body.height >= 17 else 0


def _race_parts(room: Rect, lanes: int, log_rows: int) -> tuple[Rect, Rect]:
    """Standings and log: side by side in a wide area that is not much higher than the standings."""
    table = max(lanes, 1) + 1
    if room.width >= WIDE and room.height < 2 * table:
        width = min(STANDINGS_MOST, room.width * 55 // 100)
        return room._replace(width=width), room._replace(x=room.x + width, width=room.width - width)
    rows = min(table, max(2, room.height - log_rows))
    return room._replace(height=rows), Rect(room.x, room.y + rows, room.width, room.height - rows)


@dataclass(frozen=True, slots=True)
class FinderLayout:
    """The parts of the finder's screen; without rows if there is no room for one."""

    header: Rect
    marks: Rect
    """Rows for the names of the rules, above the chart."""
    y_labels: Rect
    curve: Rect
    x_labels: Rect
    standings: Rect
    """Standings of the check, header row included."""
    sentences: Rect
    footer: Rect
    too_small: bool = False


def arrange_finder(width: int, height: int, lanes: int) -> FinderLayout:
    """Lay out the finder's screen for a check of `lanes` lanes: the chart, and beside or below it
    the results."""
    header = Rect(0, 0, width, min(1, height))
    if width < LEAST[0] or height < LEAST[1]:
        return FinderLayout(
            header, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, too_small=True
        )
    body, footer = Rect(0, 1, width, height - 2), Rect(0, height - 1, width, 1)
    rows = min(lanes + 1, max(2, height // 3))
    if width >= FINDER_WIDE:
        side = max(FINDER_SIDE[0], min(FINDER_SIDE[1], width * 30 // 100))
        panel = Rect(0, body.y, width - side - 1, body.height)
        standings = Rect(panel.right + 1, body.y, side, rows)
        words = Rect(standings.x, standings.bottom + 1, side, body.height - rows - 1)
    else:
        lines = max(2, (height - 8) // 3)
        panel = Rect(0, body.y, width, body.height - rows - lines)
        standings = Rect(0, panel.bottom, width, rows)
        words = Rect(0, standings.bottom, width, lines)
    top = 1 if height < 20 else 2 if height < 30 else 4
    curve = Rect(8, panel.y + top, panel.width - 10, panel.height - top - 1)
    return FinderLayout(
        header,
        Rect(curve.x, panel.y, curve.width, top),
        Rect(0, curve.y, 8, curve.height),
        curve,
        Rect(curve.x, curve.bottom, curve.width, 1),
        standings,
        words,
        footer,
    )
