"""Computes the parts of a pane: pure arithmetic. Knows no widget and no style.

The curve comes first: a pane keeps CURVE_SHARE of its rows for it, and grants the others in the
order of `_wishes`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from lrtui.tui.rects import Rect

PANE_LEAST = 26, 6
"""Columns and rows of the smallest pane."""
CURVE_SHARE = 0.6
"""Share of a pane's rows that its loss curve keeps, beyond FIRST_ROWS other rows."""
FIRST_ROWS = 3
"""Rows of every pane: title, words, and the first line of figures."""
FIELDS, FIELD = 3, 28
"""Figures of a lane (losses, steps, pace); columns for one if several share a line."""
SMALL_RATE = 13
"""Columns for the rate at the start of the first line of figures."""
LOSS = 12
"""Columns for the loss, which is never cut."""
LARGE_RATE = 24, 3
"""Columns and rows for the rate in large digits."""
DIAL_LEAST, FACTS_LEAST = 50, 50
"""Columns below which a pane has no dial, and no facts."""
FACTS, FACTS_MORE = 4, 3
"""Rows of the facts: table, quantiles and dial, and those for notes; without a gauge notes take the
rows of quantiles and dial."""
SPRITES = ((33, 8), (16, 8), (8, 4))
"""Columns and rows for two sprites of 16 x 16 pixels, for one, and for one of half size."""


class Wants(NamedTuple):
    """The needs of the panes of a page: the same for each, so that charts have one size."""

    rates: bool = True
    """True if the rate of one of the lanes changes: that takes a chart."""
    sprites: bool = False
    """True if one of the lanes has samples."""
    facts: bool = False
    """True in the large view: the effects of the rate."""
    gauge: bool = True
    """True if the lanes have a gauge to show on a dial."""


USUAL = Wants()


class PaneParts(NamedTuple):
    """The parts of a pane, relative to its upper left corner; None if there is no room for one.

    The last column of a pane stays free, as the border to its neighbour.
    """

    title: Rect
    words: Rect
    rate: Rect
    large: bool
    """True if the rate has large digits (three rows)."""
    numbers: tuple[Rect, ...]
    """Areas for loss, progress and speed, most important first: one to three."""
    y_labels: Rect
    curve: Rect
    rate_labels: Rect | None
    """Beside `rate_curve`."""
    rate_curve: Rect | None
    """Under the curve, on the same x axis."""
    marks: Rect
    """One row: a separate one, the lowest of the rates, or the lowest of the curve."""
    x_labels: Rect | None
    sprite: Rect | None
    facts: Rect | None = None
    """In the large view, above the curve."""
    dial: Rect | None = None
    """One row above the curve for the gauge, where the facts are not shown."""


def pane_parts(width: int, height: int, wants: Wants = USUAL) -> PaneParts:
    """The parts of a pane of `width` >= 26 columns and `height` >= 6 rows, the curve first."""
    inner = width - 1
    sprite_width = _sprite_width(width, height) if wants.sprites else 0
    left = inner - sprite_width - (sprite_width > 0)
    got = _granted(left, height, wants)
    large = got["large"] > 0
    rate, numbers = _figures(left, 1 + got["line"], large)
    top = max(rate.bottom, numbers[-1].bottom)
    above = Rect(0, top, left, got["facts"] + got["dial"])
    gutter = _gutter(left)
    below = got["rate"] + got["marks"]
    own = 0 if got["rate"] == 1 else below  # one row of rates is too little for marks in it
    curve = Rect(gutter, above.bottom, left - gutter, height - above.bottom - below - got["x"])
    return PaneParts(
        title=Rect(0, 0, inner, 1),
        words=Rect(0, 1, inner, 1),
        rate=rate,
        large=large,
        numbers=numbers,
        y_labels=Rect(0, curve.y, gutter, curve.height),
        curve=curve,
        rate_labels=Rect(0, curve.bottom, gutter, got["rate"]) if got["rate"] else None,
        rate_curve=Rect(gutter, curve.bottom, curve.width, got["rate"]) if got["rate"] else None,
        marks=Rect(gutter, curve.bottom - 1 + own, curve.width, 1),
        x_labels=Rect(gutter, height - 1, curve.width, 1) if got["x"] else None,
        sprite=Rect(left + 1, 2, sprite_width, height - 2) if sprite_width else None,
        facts=above if got["facts"] else None,
        dial=above if got["dial"] else None,
    )


def _granted(width: int, height: int, wants: Wants) -> Counter[str]:
    """Rows for each part beside the first ones: as many as the curve can spare."""
    spare = height - FIRST_ROWS - math.ceil(CURVE_SHARE * height)
    got: Counter[str] = Counter()
    for part, rows in _wishes(width, wants):
        if part == "large" and width >= LARGE_RATE[0] + FIELD:
            rows = max(rows - 1 - got["line"], 0)  # beside the lines that are there anyway
        if rows <= spare:
            got[part] += max(rows, part == "large")
            spare -= rows
    return got


def _wishes(width: int, wants: Wants) -> Iterator[tuple[str, int]]:
    """(part, rows), most important first."""
    facts = wants.facts and width >= FACTS_LEAST
    yield "facts", FACTS if facts else 0
    yield "rate", int(wants.rates)
    yield "x", 1
    yield "rate" if wants.rates else "marks", 1
    for _ in range(-(-(FIELDS - _across(width - SMALL_RATE)) // _across(width))):
        yield "line", 1
    yield "dial", int(not facts and wants.gauge and width >= DIAL_LEAST)
    yield "facts", FACTS_MORE if facts and wants.gauge else 0
    if width >= LARGE_RATE[0]:
        yield "large", LARGE_RATE[1]
    yield from [("rate", 1)] * 2 if wants.rates else []


def _across(width: int) -> int:
    """Figures in a line of `width` columns."""
    return min(FIELDS, max(1, width // FIELD))


def _figures(width: int, lines: int, large: bool) -> tuple[Rect, tuple[Rect, ...]]:
    """(rate, places of the other figures): in `lines`, or in the rows beside large digits."""
    if not large:
        first = Rect(SMALL_RATE, 2, width - SMALL_RATE, 1)
        rest = [Rect(0, 3 + row, width, 1) for row in range(lines - 1)]
        return Rect(0, 2, SMALL_RATE - 1, 1), _in_fields([first, *rest])
    rate = Rect(0, 2, *LARGE_RATE)
    beside = Rect(rate.right + 2, 2, width - rate.right - 2, 1)
    if beside.width >= FIELD - 2:
        return rate, _in_fields([beside._replace(y=2 + row) for row in range(rate.height)])
    return rate, _in_fields([Rect(0, rate.bottom + row, width, 1) for row in range(lines)])


def _in_fields(rows: list[Rect]) -> tuple[Rect, ...]:
    """Rows of cells cut into areas for the figures."""
    fields: list[Rect] = []
    for row in rows:
        width = row.width // _across(row.width)
        starts = range(row.x, row.right - width + 1, width)
        fields += [row._replace(x=x, width=width - 1) for x in starts]
        fields[-1] = fields[-1]._replace(width=row.right - fields[-1].x)
    return tuple(fields[:FIELDS])


def _gutter(left: int) -> int:
    """Columns for the labels of the y axis."""
    return 7 if left >= 40 else 6


def _sprite_width(width: int, height: int) -> int:
    """Columns for sprites, so that the curve keeps half of the pane; 0 if there is no room.

    A third of a large pane, or room for two sprites, for one, or for one of half size.
    """

    def fits(columns: int) -> bool:
        left = width - 2 - columns
        return left >= SMALL_RATE + LOSS and left - _gutter(left) >= width / 2

    if width > 120 and height >= 18:
        return min(width // 3, 70)
    return next((columns for columns, rows in SPRITES if height - 2 >= rows and fits(columns)), 0)
