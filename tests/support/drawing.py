"""A lane drawn on a canvas, and the slow reference of a raster."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lrtui.core.state.race_state import RaceState
from lrtui.tui import axis_fit
from lrtui.tui.pane_layout import Wants, pane_parts
from lrtui.tui.render import pane
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView

Points = list[tuple[float, float]]
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The bits of a braille cell, column by column."""


def drawn(state: RaceState, index: int, canvas: Canvas, view: RaceView | None = None) -> list[str]:
    """The rows of a canvas on which a lane is drawn, over what stands there."""
    view = view or RaceView()
    axis_fit.fit(view, state)
    wants = Wants(index in view.moving, state.lanes[index].sample is not None)
    pane.draw(
        canvas,
        view.groups[index],
        state,
        view,
        pane_parts(canvas.width, canvas.height, wants),
        selected=False,
        figures=True,
    )
    return [canvas.strip(y).text for y in range(canvas.height)]


class SlowRaster:
    """Every point, every joining line, one dot column after another; far columns too."""

    def __init__(self, points: Points, start: float, stop: float, width: int, rows: int) -> None:
        self.start, self.stop, self.width, self.dots = start, stop, width, rows * 4
        self.spans: dict[int, tuple[float, float]] = {}
        self.points = points

    def draw(self, low: float, high: float, log: bool) -> NDArray[np.uint8]:
        previous: tuple[int, float] | None = None
        for x, value in self.points:
            if not math.isfinite(value):
                previous = None
                continue
            column, position = self.column(x), self.position(value, low, high, log)
            self.mark(column, position)
            if previous is not None and column > previous[0]:
                self.line(previous, (column, position))
            previous = column, position
        return self.bits()

    def column(self, x: float) -> int:
        column = math.floor((x - self.start) * self.width / (self.stop - self.start))
        return max(column, self.width) if x >= self.stop else column

    def position(self, value: float, low: float, high: float, log: bool) -> float:
        if log:
            value = float(np.log10(value)) if value > 0 else -1e30
            low, high = float(np.log10(low)), float(np.log10(high))
        return (high - value) * ((self.dots - 1) / (high - low))

    def mark(self, column: int, position: float) -> None:
        row = math.floor(position + 0.5)
        top, bottom = self.spans.get(column, (row, row))
        self.spans[column] = min(top, row), max(bottom, row)

    def line(self, left: tuple[int, float], right: tuple[int, float]) -> None:
        """Through the columns between; each step from a column to the next is shared by both, half
        and half."""
        rows = []
        for column in range(left[0], right[0] + 1):
            share = (column - left[0]) / (right[0] - left[0])
            rows.append(
                (column, left[1] + (right[1] - left[1]) * share if column < right[0] else right[1])
            )
        for (c0, y0), (c1, y1) in pairwise(rows):
            a, b = math.floor(y0 + 0.5), math.floor(y1 + 0.5)
            half = math.floor((a + b) / 2.0) if b > a else math.ceil((a + b) / 2.0)
            self.mark(c0, y0)
            self.mark(c1, y1)
            if a != b:
                self.mark(c0, float(half))
                self.mark(c1, float(half + (1 if b > a else -1)))

    def bits(self) -> NDArray[np.uint8]:
        bits = np.zeros((self.dots // 4, (self.width + 1) // 2), np.uint8)
        for column, (top, bottom) in self.spans.items():
            if 0 <= column < self.width:
                first, last = (max(0, min(self.dots - 1, row)) for row in (top, bottom))
                for row in range(int(first), int(last) + 1):
                    bits[row // 4, column // 2] |= DOTS[column % 2][row % 4]
        return bits
