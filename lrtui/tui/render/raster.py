"""Windows of curves turned into braille dots; knows neither colours nor lanes, only columns, rows
and bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lrtui.core.series.array_buffer import Int64Array
from lrtui.core.series.series import Window

DOTS_X, DOTS_Y = 2, 4
"""Dot columns and dot rows of a cell: a window for a curve of W cells has 2 W columns."""
BLANK = 0x2800
SIDES: tuple[tuple[int, ...], ...] = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The dots of a cell's left and right column, from the top down."""
SHADE = 0x95
"""The dots of a shaded cell: every other one, as on a chessboard."""
NOBODY = 0xFF
"""The owner of a cell without a dot."""

Bits = NDArray[np.uint8]
"""(rows, cells) dots of a cell as in Unicode's braille patterns: code point = 0x2800 + bits."""
Position = NDArray[np.float64]
"""Dot rows as real numbers, 0 at the top, before they are rounded and kept on the screen."""

_FAR = 1e30
"""Stands for minus infinity, where zero lies on a logarithmic axis: finite, so that arithmetic
stays quiet."""
_NOWHERE = 1 << 14


class Raster(NamedTuple):
    """A drawn curve."""

    bits: Bits
    above: NDArray[np.bool_]
    """(cells,) True where a value lies above the upper limit; its dots are in the top row."""
    below: NDArray[np.bool_]
    """(cells,) True where a value lies below the lower limit (or is not positive on a logarithmic
    axis)."""
    end: tuple[int, int] | None
    """The cell (x, y) of the last finite point in the window."""


class _Columns(NamedTuple):
    """Positions by dot column, NaN without a value; one more column at either end than is drawn."""

    top: Position
    bottom: Position
    first: Position
    last: Position
    cut: NDArray[np.bool_]


def _bit_table() -> NDArray[np.uint8]:
    """bits[side, from, to]: the dots of one half of a cell, from row `from` to before row `to`."""
    table: Bits = np.zeros((DOTS_X, 5, 5), np.uint8)
    for side, dots in enumerate(SIDES):
        for start in range(5):
            for stop in range(5):
                table[side, start, stop] = sum(dots[start:stop])
    return table.reshape(-1)


_BITS = _bit_table()
_CELL_TOPS = (np.arange(4096, dtype=np.int16) * DOTS_Y)[:, None]


def draw(window: Window, rows: int, low: float, high: float, log: bool = False) -> Raster:
    """The window's curve in cells of `rows` x (columns / 2): dots between `low` (bottom) and `high`
    (top, > low).

    A column has dots from its lowest to its highest value; it is joined to its neighbour half-way
    in each of both columns; columns without a point are interpolated in the axis' space; nothing is
    joined across a gap.
    """
    dots = rows * DOTS_Y
    columns = _filled(_positions(window, dots, low, high, log), window)
    top, bottom = _joined(columns)
    above, below = window.hi > np.float64(high), window.lo < np.float64(low)
    end = _end(columns.last[1:-1], window, dots)
    return Raster(_column_bits(top, bottom, rows), _by_cell(above), _by_cell(below), end)


def band(
    windows: Sequence[Window], rows: int, low: float, high: float, log: bool = False
) -> tuple[Raster, Bits]:
    """The mean of some curves as a curve, and the shaded dots between the lowest and the highest of
    them, without a hole between two columns.

    A column's mean is that of the curves with a value there, read off the line where a curve has a
    point on either side only.
    """
    dots = rows * DOTS_Y
    lows, highs = _spans(windows, dots, low, high, log)
    lowest, highest = np.fmin.reduce(lows), np.fmax.reduce(highs)
    top, bottom = _round(_position(np.array((highest, lowest)), dots, low, high, log))
    falls, rises = top[1:] > bottom[:-1], bottom[1:] < top[:-1]
    if falls.any() or rises.any():
        down, up = np.floor((bottom[:-1] + top[1:]) / 2), np.floor((top[:-1] + bottom[1:]) / 2)
        bottom[:-1][falls], top[:-1][rises] = down[falls], up[rises] + 1
        top[1:][falls], bottom[1:][rises] = down[falls] + 1, up[rises]
    line = draw(_mean((lows + highs) / 2), rows, low, high, log)
    above, below = _by_cell(highest > high), _by_cell(lowest < low)
    shaded: Bits = _column_bits(top, bottom, rows) & np.uint8(SHADE)
    return line._replace(above=above, below=below), shaded


def _spans(
    windows: Sequence[Window], dots: int, low: float, high: float, log: bool
) -> tuple[Position, Position]:
    """Lowest and highest values of each curve by column, those between two points read off the
    line."""
    lows = np.array([each.lo for each in windows], np.float64)
    highs = np.array([each.hi for each in windows], np.float64)
    empty: NDArray[np.bool_] = np.asarray(np.isnan(lows))
    # a curve that has not come so far has no value in its last columns alone
    holes: NDArray[np.bool_] = np.any(empty[:, :-1] & ~empty[:, 1:], axis=1)
    for row, window in enumerate(windows):
        if holes[row] or (empty[row, -1] and window.after) or (empty[row].all() and window.before):
            filled = _filled(_positions(window, dots, low, high, log), window)
            read = _value(filled.top[1:-1][empty[row]], dots, low, high, log)
            lows[row, empty[row]] = highs[row, empty[row]] = read
    return lows, highs


def _mean(values: NDArray[np.float64]) -> Window:
    """The mean of some curves by column, as a window; NaN where none has a value."""
    there = ~np.isnan(values)
    count = there.sum(axis=0)
    mean = np.where(there, values, 0.0).sum(axis=0) / np.where(count, count, np.nan)
    cut = np.concatenate(([False], np.isnan(mean[:-1])))
    return Window(mean, mean, mean, mean, np.zeros(len(mean), np.bool_), cut, None, None)


def _value(position: Position, dots: int, low: float, high: float, log: bool) -> Position:
    """The values that lie at dot rows: the inverse of `_position`."""
    if log:
        low, high = float(np.log10(low)), float(np.log10(high))
    real = high - position * ((high - low) / (dots - 1))
    with np.errstate(over="ignore"):
        return np.power(10.0, real) if log else real


def codes(bits: Bits, blank: int = 32) -> NDArray[np.uint32]:
    """Code points of the cells; those without a dot become `blank`."""
    return np.where(bits == 0, np.uint32(blank), bits + np.uint32(BLANK))


def overlay(layers: Sequence[Bits], owners: Sequence[int]) -> tuple[Bits, NDArray[np.uint8]]:
    """All dots together, and the owner of each cell: the last layer with a dot there, else
    NOBODY."""
    together = np.zeros_like(layers[0])
    owner = np.full(together.shape, NOBODY, np.uint8)
    for bits, number in zip(layers, owners, strict=True):
        together |= bits
        np.copyto(owner, np.uint8(number), where=bits != 0)
    return together, owner


def dot_row(value: float, dots: int, low: float, high: float, log: bool = False) -> int:
    """The dot row of a finite value, 0 at the top, kept within 0..dots - 1."""
    return int(_round(_position(np.array([value]), dots, low, high, log)).clip(0, dots - 1)[0])


def _position(
    values: NDArray[np.floating[Any]], dots: int, low: float, high: float, log: bool
) -> Position:
    """Dot rows of values; far below the screen for values that a logarithmic axis cannot show."""
    real = values.astype(np.float64)
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            real = np.where(real <= 0, -_FAR, np.log10(real))
        low, high = float(np.log10(low)), float(np.log10(high))
    return (high - real) * ((dots - 1) / (high - low))


def _within(numbers: NDArray[Any], most: int) -> NDArray[Any]:
    """At least 0, at most `most`; four times as quick as `ndarray.clip` for a few hundred
    numbers."""
    within: NDArray[Any] = np.minimum(np.maximum(numbers, 0), most)
    return within


def _round(position: Position) -> Position:
    return np.floor(position + 0.5)


def _positions(window: Window, dots: int, low: float, high: float, log: bool) -> _Columns:
    """The window in dot rows; the points outside, wherever they are, in one more column at either
    end."""
    padded = np.full((4, len(window.lo) + 2), np.nan)
    for row, values in enumerate((window.hi, window.lo, window.first, window.last)):
        padded[row, 1:-1] = values
    if window.before:
        padded[:, 0] = window.before[1]
    if window.after:
        padded[:, -1] = window.after[1]
    cut = np.concatenate(([False], window.cut, [False]))
    top, bottom, first, last = _position(padded, dots, low, high, log)
    return _Columns(top, bottom, first, last, cut)


def _filled(columns: _Columns, window: Window) -> _Columns:
    """The columns with those without a point interpolated, and the outer ones cut to the columns
    next to the window."""
    places = np.arange(len(columns.top))
    places[0] = window.before[0] + 1 if window.before else 0
    places[-1] = window.after[0] + 1 if window.after else places[-1]
    points = (~np.isnan(columns.first)).nonzero()[0]
    wanted = np.isnan(columns.first)
    wanted[[0, -1]] |= places[[0, -1]] != (0, len(places) - 1)
    empty = wanted.nonzero()[0]
    if not len(empty):
        return columns
    values = _between(columns, places, points, empty)
    for part in columns[:4]:
        part[empty] = values
    return columns


def _between(
    columns: _Columns, places: Int64Array, points: Int64Array, empty: Int64Array
) -> Position:
    """Positions on the straight lines between points, at the columns `empty`; NaN where no line
    passes."""
    if len(points) < 2:
        return np.full(len(empty), np.nan)
    at = places[points]
    right = np.minimum(np.maximum(at.searchsorted(empty), 1), len(points) - 1)
    x0, x1 = at[right - 1], at[right]
    y0, y1 = columns.last[points[right - 1]], columns.first[points[right]]
    passes = (x0 <= empty) & (empty <= x1) & ~columns.cut[points[right]]
    return np.where(passes, y0 + (y1 - y0) * ((empty - x0) / (x1 - x0)), np.nan)


def _joined(columns: _Columns) -> tuple[Position, Position]:
    """Highest and lowest dot row of the drawn columns, lines to their neighbours included."""
    top, bottom = _round(columns.top), _round(columns.bottom)
    a, b = _round(columns.last[:-1]), np.where(columns.cut[1:], np.nan, _round(columns.first[1:]))
    half = (a + b) / 2
    falls, rises = np.where(b > a, np.floor(half), np.nan), np.where(b < a, np.ceil(half), np.nan)
    top[:-1], bottom[:-1] = np.fmin(top[:-1], rises), np.fmax(bottom[:-1], falls)
    top[1:], bottom[1:] = np.fmin(top[1:], falls + 1), np.fmax(bottom[1:], rises - 1)
    return top[1:-1], bottom[1:-1]


def _column_bits(top: Position, bottom: Position, rows: int) -> Bits:
    """Dot bits of columns from dot row `top` to `bottom`; none where these are NaN."""
    empty, most = np.isnan(top), rows * DOTS_Y - 1
    starts = np.where(empty, _NOWHERE, _within(top, most)).astype(np.int16)
    stops = np.where(empty, -_NOWHERE, _within(bottom, most)).astype(np.int16)
    return _bits(starts, stops, rows)


def _bits(starts: NDArray[np.int16], stops: NDArray[np.int16], rows: int) -> Bits:
    """Dot bits of columns that are set from row `starts` to row `stops`."""
    tops = _CELL_TOPS[:rows]
    index = _within(starts - tops, DOTS_Y) * 5 + _within(stops - tops + 1, DOTS_Y)
    left: Bits = _BITS.take(index[:, 0::2])
    right: Bits = _BITS.take(index[:, 1::2] + 25)
    left[:, : right.shape[1]] |= right
    return left


def _by_cell(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    cells: NDArray[np.bool_] = flags[0::2].copy()
    cells[: len(flags) // 2] |= flags[1::2]
    return cells


def _end(last: Position, window: Window, dots: int) -> tuple[int, int] | None:
    points = (~np.isnan(window.last)).nonzero()[0]
    if not len(points):
        return None
    column = int(points[-1])
    return column // DOTS_X, int(_round(last[column]).clip(0, dots - 1)) // DOTS_Y
