"""Line styles for more curves than there are colours: which of a curve's braille dots are left out.
Knows no lane's name."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lrtui.tui.render.raster import DOTS_X, DOTS_Y, SIDES, Bits

PATTERNS = ("1", "11110000", "10", "1000", "111111110000", "11110010", "1111010100", "11000000")
"""Dot patterns along a line, 1 for a dot, by the number of times that all colours are used up. The
first is solid."""
LEVEL = 4
"""Highest column, in dots, of a level line, which is dashed from column to column; a higher column
belongs to a line that goes up or down, which is dashed from row to row: no spike falls into a
gap."""
_COUNTS = np.array([number.bit_count() for number in range(256)])


def dashed(bits: Bits, style: int) -> Bits:
    """A curve in the line style number `style`, counted round; what stands alone between two empty
    columns is kept."""
    pattern = PATTERNS[style % len(PATTERNS)]
    if len(pattern) == 1 or not bits.size:
        return bits
    kept = np.zeros_like(bits)
    heights = _heights(bits)
    there = np.pad(heights > 0, 1)
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    whole, steep = alone | _on(pattern, len(heights)), ~alone & (heights > LEVEL)
    rows = _rows(pattern, bits.shape[0])
    for side, dots in enumerate(SIDES):
        columns = slice(side, None, DOTS_X)
        level = np.where(whole[columns], np.uint8(sum(dots)), np.uint8(0))
        kept |= bits & np.where(steep[columns], rows[side][:, None], level)
    return kept


def _heights(bits: Bits) -> NDArray[np.int64]:
    """Number of dots in each dot column."""
    heights = np.zeros(bits.shape[1] * DOTS_X, np.int64)
    for side, dots in enumerate(SIDES):
        heights[side::DOTS_X] = _COUNTS[bits & np.uint8(sum(dots))].sum(axis=0)
    return heights


@lru_cache(64)
def _on(pattern: str, count: int) -> NDArray[np.bool_]:
    return np.resize(np.array([sign == "1" for sign in pattern]), count)


@lru_cache(64)
def _rows(pattern: str, rows: int) -> tuple[Bits, Bits]:
    """The dots that a pattern leaves of a full column, by cell, for the left and the right side."""
    on = _on(pattern, rows * DOTS_Y).reshape(rows, DOTS_Y)
    left, right = ((on * np.array(dots, np.uint8)).sum(axis=1).astype(np.uint8) for dots in SIDES)
    return left, right
