"""Rectangles of cells: what layouts are made of."""

from __future__ import annotations

from typing import NamedTuple


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
