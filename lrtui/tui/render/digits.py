"""Numbers in large glyphs, three rows high. Knows only characters and a canvas."""

from __future__ import annotations

from lrtui.tui.render.canvas import Canvas

ROWS = 3
_GLYPHS: dict[str, tuple[str, str, str]] = {
    "0": ("╭─╮", "│ │", "╰─╯"),
    "1": ("╶╮ ", " │ ", "╶┴╴"),
    "2": ("╶─╮", "┌─┘", "╰─╴"),
    "3": ("╶─╮", " ─┤", "╶─╯"),
    "4": ("╷ ╷", "╰─┤", "  ╵"),
    "5": ("╭─╴", "╰─╮", "╶─╯"),
    "6": ("╭─╴", "├─╮", "╰─╯"),
    "7": ("╶─┐", "  │", "  ╵"),
    "8": ("╭─╮", "├─┤", "╰─╯"),
    "9": ("╭─╮", "╰─┤", "╶─╯"),
    "e": ("╭─╮", "├─╯", "╰─╴"),
    "-": ("   ", "╶─╴", "   "),
    "+": ("   ", "╶┼╴", "   "),
    ".": (" ", " ", "•"),
    " ": (" ", " ", " "),
}


def width(text: str) -> int:
    """The cells in a row that the glyphs of a text take."""
    return sum(len(_glyph(char)[0]) for char in text)


def write(canvas: Canvas, x: int, y: int, text: str, style: int = 0) -> int:
    """Write a text in rows y to y + 2; returns its width. What has no glyph (NaN) stands small in
    the middle row."""
    for row in range(ROWS):
        canvas.text(x, y + row, "".join(_glyph(char)[row] for char in text), style)
    return width(text)


def _glyph(char: str) -> tuple[str, str, str]:
    return _GLYPHS.get(char, (" ", char, " "))
