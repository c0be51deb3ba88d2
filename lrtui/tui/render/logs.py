"""Two stages of lines: the race's log, and what a task has printed. Pure drawing; long lines are
wrapped, not cut."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lrtui.core.state.race_state import RaceState
from lrtui.core.text import one_line
from lrtui.tui.console import Printed
from lrtui.tui.keymap import Keymap
from lrtui.tui.render import rule, styles
from lrtui.tui.render.canvas import Canvas, shortened, text_width
from lrtui.tui.view import RaceView

LOUD = {
    "nan": styles.ALERT,
    "error": styles.ALERT,
    "died": styles.ALERT,
    "lost": styles.WARN,
    "diverged": styles.WARN,
}
"""By the first word of a line in the log."""
LATEST = 2.5e11
"""Seconds since 1970 up to which a time of day exists; later ones come of a wrong clock and are
shown as this."""
Entry = tuple[float, int, str]
"""(seconds since 1970, lane or -1, text), as in the log of a race."""


class Line(NamedTuple):
    """One entry, ready to be wrapped."""

    head: str
    """Stands before its first row, dim; `sign` after it."""
    sign: str
    sign_style: int
    text: str
    style: int


def style_of(text: str) -> int:
    """The style of a line of the log: loud where something went wrong."""
    return next((style for word, style in LOUD.items() if text.startswith(word)), styles.TEXT)


def log_line(state: RaceState, entry: Entry, view: RaceView) -> Line:
    """An entry of the log, as it is drawn."""
    at, lane, text = entry
    sign, style = (
        (state.lanes[lane].lane.letter, styles.lane_bold(view.hue(lane)))
        if lane >= 0
        else ("·", styles.DIM)
    )
    return Line(
        time.strftime("%H:%M:%S ", time.localtime(min(at, LATEST))),
        sign,
        style,
        one_line(text),
        style_of(text),
    )


def draw_log(
    canvas: Canvas,
    title: str,
    count: int,
    end: int | None,
    line: Callable[[int], Line],
    keymap: Keymap,
) -> None:
    """The log: `count` lines, of which `line(i)` gives one; `end` is the number after the last one
    to be shown, None: all."""
    place = _headed(canvas, title, count, end, keymap)
    if not count:
        place.text(1, 0, "nothing has happened yet", styles.DIM)
    fill(place, count if end is None else end, line, count)


def draw_console(
    canvas: Canvas, whose: str, printed: Printed, end: int | None, keymap: Keymap
) -> None:
    """Draw printed output; `end` is the number after the last line shown, None: the newest."""
    title = f"console of {whose} ─ {printed.title}"
    place = _headed(canvas, title, len(printed.lines), end, keymap)
    if printed.note:
        place.text(1, 0, printed.note, styles.DIM)
    lines = printed.lines
    fill(
        place,
        len(lines) if end is None else end,
        lambda number: Line("", "", 0, lines[number][1], styles.TEXT),
        len(lines),
    )


def scrolled(count: int, end: int | None, by: int, rows: int) -> int | None:
    """End of a list of `count` lines on a page of `rows` after scrolling `by` lines down; None: at
    the newest."""
    found = max((count if end is None else end) + by, min(count, rows))
    return None if found >= count else found


def _headed(canvas: Canvas, title: str, count: int, end: int | None, keymap: Keymap) -> Canvas:
    """Draws the heading; the room under it."""
    canvas.fill()
    where = (
        f"{count - end} newer below: {keymap.read('view.newest')} "
        if end is not None and end < count
        else ""
    )
    rule.draw(canvas, f" {title}", styles.BOLD, where, styles.WARN)
    return canvas.view((0, 1, canvas.width, canvas.height - 1))


def fill(canvas: Canvas, end: int, line: Callable[[int], Line], count: int) -> None:
    """Lines that end with number `end` - 1 at the bottom; where the first ones do not fill the
    room, from the top down."""
    found: list[tuple[Line, str, bool]] = []
    first = end
    while first > 0 and len(found) < canvas.height:
        first -= 1
        found[:0] = rows(line(first), canvas.width - 2)
    if first == 0 and len(found) <= canvas.height:
        while end < count and len(found) < canvas.height:
            found += rows(line(end), canvas.width - 2)
            end += 1
        found = found[: canvas.height]
    for y, (entry, text, begins) in enumerate(found[-canvas.height :] if canvas.height else []):
        x = 1
        if begins:
            x += canvas.text(x, y, entry.head, styles.DIM)
            x += canvas.text(x, y, entry.sign, entry.sign_style)
        canvas.text(1 + _indent(entry), y, text, entry.style)


def _indent(entry: Line) -> int:
    return len(entry.head) + len(entry.sign) + bool(entry.sign)


def rows(entry: Line, width: int) -> list[tuple[Line, str, bool]]:
    """Break an entry into rows of `width` cells: (entry, text of the row, True for its first
    row)."""
    return [
        (entry, text, number == 0)
        for number, text in enumerate(wrapped(entry.text, max(8, width - _indent(entry))))
    ]


def cut(entry: Line, width: int, height: int) -> Line:
    """Beginning of an entry in at most `height` rows of `width` cells."""
    most = height * max(8, width - _indent(entry))
    while len(rows(entry, width)) > height:
        entry, most = entry._replace(text=shortened(entry.text, most)), most - 1
    return entry


def wrapped(text: str, width: int) -> Sequence[str]:
    """Break a text into pieces of at most `width` cells; only the spaces at the breaks are
    dropped."""
    if text_width(text) <= width:
        return [text]
    pieces: list[str] = []
    while text:
        piece = text[:width]
        while text_width(piece) > width:
            piece = piece[:-1]
        space = piece.rfind(" ") if len(piece) < len(text) and text[len(piece)] != " " else -1
        piece = piece[:space] if space > width // 2 else piece or text[:1]
        pieces.append(piece)
        text = (
            text[len(piece) :].lstrip(" ")
            if text[len(piece) : len(piece) + 1] == " "
            else text[len(piece) :]
        )
    return pieces
