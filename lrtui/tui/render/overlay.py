"""All lanes' curves in one chart: what it shows, a legend, the curves with their letters, marks,
the crosshair. Pure drawing."""

from __future__ import annotations

import math

from lrtui.core.charts.marks import ALERT
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import RaceState
from lrtui.core.state.status import UNRANKED
from lrtui.tui.rects import Rect
from lrtui.tui.render import (
    chart,
    crosshair,
    marks,
    names,
    overlay_curves,
    raster,
    styles,
    unseen,
    x_labels,
)
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.render.dashes import dashed
from lrtui.tui.view import RaceView

GUTTER = 8
FEW = styles.LANES
MARGINS = 2, 6
"""Columns right of the curves for letters: of a few lanes, and of a crowd."""
MARKS_FROM = 10
"""Rows from which on the marks have a row of their own; with fewer they lie on the curves' lowest
one."""
LEGEND_ROWS = 4
NAMED_FROM = 6
"""Cells of a legend entry from which on it holds a name."""
MOST_RAW = 4
"""Most lanes whose raw curves the heading names."""
SAMPLE = 3
"""Cells of line style in the legend, if there are more styles than the solid one."""
NEAR = sorted((dx + 1.5 * abs(dy), dx, dy) for dx in range(8) for dy in range(-6, 7))
"""Ways from the end of a curve to a place for its letter, the shortest first: how far that is to
the eye, columns, rows."""
OVER = 3.5
"""A letter hides a piece of a curve rather than to stand this much further away from the end of its
own."""


def draw(canvas: Canvas, state: RaceState, view: RaceView) -> None:
    """Draws the whole chart; the chosen lane's curve lies on top."""
    canvas.fill()
    race = state.race
    top = _heading(canvas, view)
    groups = sorted(
        (view.groups[index] for index in view.shown),
        key=lambda group: group.first.index == view.selected,
    )
    place = _chart_rect(canvas.width, canvas.height, top, len(groups))
    chart.y_labels(
        canvas.view(Rect(0, place.y, GUTTER, place.height)), view.limits, view.axis_words
    )
    canvas.put(0, canvas.height - 1, x_labels.row(view.x, GUTTER, place.width), styles.DIM)
    area = canvas.view(place)
    ends = overlay_curves.draw(area, groups, race, view)
    if not ends:
        text = unseen.nothing(view)
        area.text(max(0, (area.width - len(text)) // 2), area.height // 2, text, styles.DIM)
    _marks(canvas.view(Rect(place.x, canvas.height - 2, place.width, 1)), groups, race, view)
    cell = crosshair.line(area, view)
    wide = canvas.view(Rect(place.x, place.y, canvas.width - place.x, place.height))
    _letters(wide, groups, ends, view)
    if cell is not None:
        crosshair.box(area, groups, race, view, cell)


def source_of(width: int, height: int, view: RaceView) -> Rect:
    """Part of an overlay of that size that the curves take."""
    return _chart_rect(width, height, _heading(Canvas(width, height), view), len(view.shown))


def _chart_rect(width: int, height: int, top: int, lanes: int) -> Rect:
    """Below `top` rows of heading, right of the y labels, over the marks and the x labels, with
    room for letters at the right."""
    below = 2 if height >= MARKS_FROM else 1
    return Rect(
        GUTTER, top, max(0, width - GUTTER - MARGINS[lanes > FEW]), max(0, height - top - below)
    )


def _marks(canvas: Canvas, groups: list[SeedGroup], race: Race, view: RaceView) -> None:
    """All marks of the chosen lane or group, and the alerts of the others."""
    for group in groups:
        only = "" if group.first.index == view.selected else ALERT
        for lane in group.lanes:
            marks.row(canvas, lane, race, view, only=only)


def _letters(
    canvas: Canvas, groups: list[SeedGroup], ends: dict[int, tuple[int, int]], view: RaceView
) -> None:
    """Each one's letter beside the end of its curve, or near it: none hides another, and where it
    can be none a curve."""
    taken: set[tuple[int, int]] = set()
    # AB beside C must not read A beside BC
    apart = int(any(len(group.letter) > 1 for group in groups))
    for group in sorted(
        groups,
        key=lambda group: (group is not groups[-1], *ends.get(group.first.index, (0, 0))[::-1]),
    ):
        index, sign = group.first.index, group.letter
        if index not in ends:
            continue
        lost = all(lane.status in UNRANKED for lane in group.lanes)
        x, y = ends[index]
        if lost:
            canvas.text(x, y, chart.NAN_MARK, styles.ALERT)
            taken.add((x, y))
        found = _free(canvas, x + 1, y, len(sign), taken)
        if found is not None:
            style = styles.ALERT if lost else styles.lane_bold(view.hue(index))
            canvas.text(*found, sign, style)
            taken.update((found[0] + cell, found[1]) for cell in range(-apart, len(sign) + apart))


def _free(
    canvas: Canvas, x: int, y: int, width: int, taken: set[tuple[int, int]]
) -> tuple[int, int] | None:
    """The best place for a letter near a cell; None where all are taken."""
    best, least = None, math.inf
    for far, dx, dy in NEAR:
        if far >= least:
            break
        if not 0 <= y + dy < canvas.height or x + dx + width > canvas.width:
            continue
        if any((x + dx + cell, y + dy) in taken for cell in range(width)):
            continue
        cost = far + OVER * bool((canvas.codes[y + dy, x + dx : x + dx + width] != ord(" ")).any())
        if cost < least:
            best, least = (x + dx, y + dy), cost
    return best


def _heading(canvas: Canvas, view: RaceView) -> int:
    """Draw what the chart shows, right of the legend if both fit, else above it; return the rows
    taken."""
    groups = [view.groups[index] for index in view.shown]
    words = view.chart_heading + _of_seeds(groups) + _of_a_crowd(groups, view)
    entries = [_name(group) for group in groups]
    one_row = (
        not _dashed(groups, view)
        and sum(text_width(text) + 2 for text in entries) + text_width(words) + 2 <= canvas.width
    )
    start = 0 if one_row or canvas.height < 8 else 1
    if start or one_row:
        canvas.text(
            canvas.width - text_width(words) - 1 if one_row else 1,
            0,
            words,
            styles.DIM,
            canvas.width - 2,
        )
    most = max(1, min(LEGEND_ROWS, canvas.height // 5))
    return start + _legend(canvas.view(Rect(0, start, canvas.width, most)), groups, view)


def _of_seeds(groups: list[SeedGroup]) -> str:
    """The meaning of bands, if there are any."""
    most = max((len(group.lanes) for group in groups), default=1)
    return f" · mean and range of {most} seeds" if most > 1 else ""


def _of_a_crowd(groups: list[SeedGroup], view: RaceView) -> str:
    """Of more lanes than there are colours: whose raw curves lie behind smoothed ones, or which key
    smooths."""
    if len(groups) <= FEW:
        return ""
    if not view.smoothing:
        return f" · {view.keymap.read('view.smooth')} smooths"
    faint = overlay_curves.behind(groups, view)
    letters = [group.letter for group in groups if group.first.index in faint]
    return f" · raw: {', '.join(letters[:MOST_RAW])}{', …' if len(letters) > MOST_RAW else ' only'}"


def _name(group: SeedGroup, without: int = 0) -> str:
    """Letter and name, without its first `without` words."""
    return names.named(group, pinned=False, without=without)


def _dashed(groups: list[SeedGroup], view: RaceView) -> bool:
    """True if colours alone do not distinguish the lanes: then the legend shows their line
    styles."""
    return any(styles.line(view.hue(group.first.index)) for group in groups)


def _legend(canvas: Canvas, groups: list[SeedGroup], view: RaceView) -> int:
    """Draw names in their colours, in a row or in columns.

    The first form that fits: whole, without the words that all begin with, without line styles,
    cut, only letters.
    """
    texts = [_name(group) for group in groups]
    if not texts:
        canvas.text(1, 0, "no lane matches the filter", styles.DIM)
        return 1
    sample = SAMPLE + 1 if _dashed(groups, view) else 0
    if not sample and sum(text_width(text) + 2 for text in texts) <= canvas.width:
        x = 1
        for group, text in zip(groups, texts, strict=True):
            x += _entry(canvas, x, 0, text, group, view) + 2
        return 1
    least = -(-len(texts) // canvas.height)
    without = names.shared([group.first for group in groups])
    own = [_name(group, without) for group in groups]
    choices = [
        (_across(canvas, one, cells), one, cells)
        for one, cells in ((texts, sample), (own, sample), (own, 0))
    ]
    across, texts, sample = next(
        (choice for choice in choices if choice[0] >= least), (least, own, sample)
    )
    width = (canvas.width - 1) // across
    if width < NAMED_FROM + sample:
        sample, texts = 0, [group.letter for group in groups]
        across = max(1, (canvas.width - 1) // (max(map(len, texts)) + 1))
        width = (canvas.width - 1) // across
    rows = min(canvas.height, -(-len(texts) // across))
    for number, (group, text) in enumerate(zip(groups, texts, strict=True)):
        column, row = divmod(number, rows)
        x = 1 + column * width
        if sample and column < across:
            _line_style(canvas, x, row, view.hue(group.first.index))
        if column < across:
            _entry(canvas, x + sample, row, text, group, view, width - sample - 1)
    return rows


def _across(canvas: Canvas, texts: list[str], sample: int) -> int:
    """Number of columns of whole texts, each after `sample` cells of line style, that fit."""
    return (canvas.width - 1) // (max(map(text_width, texts)) + 2 + sample)


def _entry(
    canvas: Canvas,
    x: int,
    y: int,
    text: str,
    group: SeedGroup,
    view: RaceView,
    width: int | None = None,
) -> int:
    hue, selected = view.hue(group.first.index), group.first.index == view.selected
    style = styles.lane_chosen(hue) if selected else styles.lane(hue)
    return canvas.text(x, y, text if width is None else shortened(text, max(1, width)), style)


def _line_style(canvas: Canvas, x: int, y: int, hue: int) -> None:
    """A piece of a lane's line, as it is dashed in the chart."""
    piece = Canvas(SAMPLE, 1)
    piece.codes[...] = raster.BLANK + 0x12  # dots in the second row of both columns
    bits = dashed((piece.codes - raster.BLANK).astype("uint8"), styles.line(hue))
    canvas.put(x, y, raster.codes(bits), styles.lane(hue))
