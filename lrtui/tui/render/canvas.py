"""A screenful of cells in numpy: text and dots go in, strips and changed spans come out. Knows no
widget and no lane."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from lrtui.tui.render import glyphs

Codes = NDArray[np.uint32]
"""Unicode code points; 0 in the second cell of a wide character."""
StyleIds = NDArray[np.uint16]

SPACE = 32
MERGE = 8
"""Spans of a row with fewer unchanged cells than this between them become one: moving the cursor
costs as much."""

_styles: list[Style] = [Style()]
_ids: dict[Style, int] = {_styles[0]: 0}


def style_id(style: Style) -> int:
    """The number of a style, the same for equal styles and for as long as the process lives; at
    most 65,536 of them."""
    known = _ids.get(style)
    if known is None:
        known = _ids[style] = len(_styles)
        _styles.append(style)
    return known


def new_style() -> int:
    """Allocate a style number, plain until `restyle` sets its looks: for a role that depends on the
    terminal."""
    _styles.append(Style())
    return len(_styles) - 1


def restyle(number: int, look: Style) -> None:
    """Gives a number of `new_style` another look; strips that were made before keep the one they
    had."""
    _styles[number] = look


def style(number: int) -> Style:
    """The style of a number; always the same object, so that its escape codes are made once."""
    return _styles[number]


def style_count() -> int:
    return len(_styles)


class Canvas:
    """Cells of `width` x `height`, or a view of a part of another canvas: what is drawn in a view
    is drawn in both."""

    def __init__(self, width: int, height: int) -> None:
        self.codes: Codes = np.full((height, width), SPACE, np.uint32)
        self.styles: StyleIds = np.zeros((height, width), np.uint16)
        self._root, self._x, self._y = self, 0, 0
        self._wide = False
        """True once a wide character was written: only then can one be cut in half."""

    @property
    def width(self) -> int:
        return int(self.codes.shape[1])

    @property
    def height(self) -> int:
        return int(self.codes.shape[0])

    def view(self, rect: tuple[int, int, int, int]) -> Canvas:
        """The part (x, y, width, height), cut at the borders, sharing its cells."""
        x, y, width, height = rect
        x, right = max(0, min(x, self.width)), min(max(x + width, x, 0), self.width)
        y, bottom = max(0, min(y, self.height)), min(max(y + height, y, 0), self.height)
        part = Canvas.__new__(Canvas)
        part.codes, part.styles = self.codes[y:bottom, x:right], self.styles[y:bottom, x:right]
        part._root, part._x, part._y = self._root, self._x + x, self._y + y
        return part

    def copy(self) -> Canvas:
        """Return an independent canvas with the same content."""
        twin = Canvas(self.width, self.height)
        twin.take(self)
        return twin

    def take(self, other: Canvas) -> None:
        """Make every cell equal to that of a canvas of the same size."""
        self.codes[...] = other.codes
        self.styles[...] = other.styles
        self._root._wide |= other._root._wide

    def text(
        self, x: int, y: int, string: str, style: int = 0, max_width: int | None = None
    ) -> int:
        """Write one line, cut at the border or after `max_width` cells; returns the cells it took.

        Control characters become `?`, zero-width characters are left out, a wide one cut in half
        becomes a space.
        """
        room = self.width - x if max_width is None else min(max_width, self.width - x)
        if not 0 <= y < self.height or room <= 0:
            return 0
        cells, wide = _cells(string)
        cells = cells[-x if x < 0 else 0 : room]
        start = max(x, 0)
        end = start + len(cells)
        if end > start:
            self._root._wide |= wide
            self._mend(y, y + 1, start, end)
            self.codes[y, start:end] = cells
            self.styles[y, start:end] = style
            if wide:
                self._trim(y, start, end - 1)
        return len(cells)

    def fill(
        self, style: int = 0, char: str = " ", rect: tuple[int, int, int, int] | None = None
    ) -> None:
        """Put one single-width character and style everywhere, or in a part."""
        part = self if rect is None else self.view(rect)
        part._mend(0, part.height, 0, part.width)
        part.codes[...] = ord(char)
        part.styles[...] = style

    def put(
        self,
        x: int,
        y: int,
        codes: NDArray[np.integer[Any]],
        styles: NDArray[np.integer[Any]] | int,
    ) -> None:
        """Copy cells of single-width characters (rows, columns) there, cut at the right and lower
        border; x, y >= 0."""
        part = self.view((x, y, codes.shape[1], codes.shape[0]))
        part._mend(0, part.height, 0, part.width)
        part.codes[...] = codes[: part.height, : part.width]
        part.styles[...] = (
            styles if isinstance(styles, int) else styles[: part.height, : part.width]
        )

    def strip(self, y: int) -> Strip:
        """Row y as one segment per run of equal style, in characters that the terminal has."""
        if not self.width:
            return Strip([], 0)
        row = self.styles[y]
        text = glyphs.shown(self.codes[y]).tobytes().decode("utf-32-le")
        cuts = [0, *(np.flatnonzero(row[1:] != row[:-1]) + 1).tolist()]
        ends = [*cuts[1:], len(row)]
        runs = zip(cuts, ends, row[cuts].tolist(), strict=True)
        return Strip(
            [Segment(text[a:z].replace("\0", ""), _styles[number]) for a, z, number in runs],
            len(row),
        )

    def changed(self, old: Canvas) -> list[tuple[int, int, int]]:
        """Spans (row, first column, column after) whose cells differ from those of a canvas of the
        same size."""
        rows, columns = np.nonzero((self.codes != old.codes) | (self.styles != old.styles))
        if not len(rows):
            return []
        apart = (rows[1:] != rows[:-1]) | (columns[1:] - columns[:-1] > MERGE)
        begins = np.flatnonzero(np.concatenate(([True], apart)))
        ends = np.flatnonzero(np.concatenate((apart, [True])))
        spans = zip(
            rows[begins].tolist(), columns[begins].tolist(), columns[ends].tolist(), strict=True
        )
        return [(y, *self._whole(old, y, first, last + 1)) for y, first, last in spans]

    def _whole(self, old: Canvas, y: int, start: int, stop: int) -> tuple[int, int]:
        """The span widened so that no wide character, old or new, is cut in half."""
        if start and not (self.codes[y, start] and old.codes[y, start]):
            start -= 1
        if stop < self.width and not (self.codes[y, stop] and old.codes[y, stop]):
            stop += 1
        return start, stop

    def _mend(self, top: int, bottom: int, left: int, right: int) -> None:
        """Make spaces of the other halves of wide characters that a write to these cells will
        cut."""
        if not self._root._wide or left >= right:
            return
        codes, rows = self._root.codes, slice(top + self._y, bottom + self._y)
        left, right = left + self._x, right + self._x
        if left:
            codes[rows, left - 1][codes[rows, left] == 0] = SPACE
        if right < codes.shape[1]:
            codes[rows, right][codes[rows, right] == 0] = SPACE

    def _trim(self, y: int, first: int, last: int) -> None:
        """Make spaces of the wide characters that were cut at the ends of a text."""
        if not self.codes[y, first]:
            self.codes[y, first] = SPACE
        if is_wide(int(self.codes[y, last])):
            self.codes[y, last] = SPACE


def is_wide(code: int) -> bool:
    """True if a character takes two cells."""
    return code >= 0x1100 and get_character_cell_size(chr(code)) == 2


def text_width(string: str) -> int:
    """Cells that `Canvas.text` needs for a string."""
    return len(_cells(string)[0])


def fitted(text: str, width: int) -> str:
    """Pad or shorten a text to exactly `width` cells."""
    if text_width(text) > width:
        text = text[
            : bisect_right(range(1, len(text)), width, key=lambda length: text_width(text[:length]))
        ]
    return text + " " * (width - text_width(text))


def shortened(text: str, width: int) -> str:
    """Shorten a text to at most `width` cells; a cut ends in an ellipsis."""
    return text if text_width(text) <= width else fitted(text, width - 1).rstrip() + "…"


@lru_cache(2048)
def _cells(string: str) -> tuple[Codes, bool]:
    """The codes of a text's cells, and whether a character takes two of them."""
    if string.isascii() and string.isprintable():
        return np.frombuffer(string.encode("ascii"), np.uint8).astype(np.uint32), False
    cells: list[int] = []
    for char in string:
        if not char.isprintable():
            cells.append(SPACE if char in "\t\n\xa0\u3000" else ord("?"))
        elif size := get_character_cell_size(char):
            cells.extend([ord(char), 0][:size])
    return np.array(cells, np.uint32), 0 in cells
