"""The first row of each part of the screen: a title, a rule, text at its end. Pure drawing.

Parts have no frames: a rule and a free column separate them, and are sent to the terminal once.
"""

from __future__ import annotations

from lrtui.tui.render import names, styles
from lrtui.tui.render.canvas import Canvas, text_width

LINE = "─"


def draw(canvas: Canvas, title: str, style: int, end: str = "", end_style: int = 0) -> None:
    """Draw `title`, the rule and `end` in the first row; a title that does not fit is cut."""
    row = canvas.view((0, 0, canvas.width, 1))
    row.fill(styles.DIM, LINE)
    room = row.width - text_width(end) - bool(end)
    x = row.text(0, 0, names.cut(title, max(1, room - 1)), style)
    row.text(x, 0, " ")
    if end:
        row.text(room, 0, f" {end}", end_style)
