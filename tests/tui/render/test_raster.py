"""The rasteriser dot for dot against a slow one that looks at every point."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from lrtui.core.series.series import Series, window_of
from lrtui.tui.render import raster

Points = list[tuple[float, float]]
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


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


@st.composite
def curves(draw: st.DrawFn) -> NDArray[np.float32]:
    """A walk with spikes inside and outside the limits, zeros, NaNs, infinities, and stretches of
    NaN."""
    length = draw(st.integers(0, 400))
    walk = (
        np.random.default_rng(draw(st.integers(0, 99)))
        .normal(size=length)
        .cumsum()
        .astype(np.float32)
    )
    for _ in range(draw(st.integers(0, 8)) if length else 0):
        at = draw(st.integers(0, length - 1))
        odd = st.sampled_from([math.nan, math.inf, -math.inf, 1e6, -300.0, 0.0, 7.0])
        walk[at : at + draw(st.sampled_from([1, 1, 2, 60]))] = draw(odd)
    return walk


ZOOMS = st.sampled_from([(0.0, 1.0), (0.0, 1.4), (0.31, 0.64), (0.5, 0.52), (-0.2, 0.3)])
SIZES = st.sampled_from([(96, 16), (38, 3), (7, 1), (160, 30), (61, 9)])
LIMITS = st.sampled_from([(-5.0, 5.0, False), (0.1, 10.0, True), (-1.0, 0.5, False)])


@given(curves(), ZOOMS, SIZES, LIMITS)
@settings(max_examples=200, deadline=None)
def test_dense_curve_equals_a_raster_of_all_points(
    walk: NDArray[np.float32],
    zoom: tuple[float, float],
    size: tuple[int, int],
    limits: tuple[float, float, bool],
) -> None:
    series = Series()
    series.extend(walk)
    start, stop = (edge * max(1, len(walk)) for edge in zoom)
    drawn = raster.draw(series.window(start, stop, size[0]), size[1], *limits)
    points = [(float(x), float(y)) for x, y in enumerate(walk)]
    np.testing.assert_array_equal(drawn.bits, SlowRaster(points, start, stop, *size).draw(*limits))


@given(curves(), st.integers(0, 99), ZOOMS, SIZES, LIMITS)
@settings(max_examples=150, deadline=None)
def test_sparse_curve_equals_a_raster_of_all_points(
    walk: NDArray[np.float32],
    seed: int,
    zoom: tuple[float, float],
    size: tuple[int, int],
    limits: tuple[float, float, bool],
) -> None:
    y = walk[:12]
    x = np.random.default_rng(seed).uniform(0.1, 30, len(y)).cumsum()
    start, stop = (edge * (float(x[-1]) if len(x) else 1) for edge in zoom)
    drawn = raster.draw(window_of(x, y, start, stop, size[0]), size[1], *limits)
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    np.testing.assert_array_equal(drawn.bits, SlowRaster(points, start, stop, *size).draw(*limits))


def picture(
    values: list[float], cells: int, rows: int, low: float, high: float, log: bool = False
) -> list[str]:
    window = window_of(np.arange(len(values)), values, 0, len(values), cells * 2)
    return [
        "".join(map(chr, row))
        for row in raster.codes(raster.draw(window, rows, low, high, log).bits)
    ]


def test_a_nan_leaves_a_hole_and_no_dot_at_the_bottom() -> None:
    assert picture([1, 1, 1, math.nan, math.nan, 1, 1, 1], 4, 2, 0, 2) == ["    ", "⠉⠁⠈⠉"]


def test_points_far_apart_are_joined_by_a_straight_line() -> None:
    window = window_of([0, 7], [0, 7], 0, 8, 8)
    assert ["".join(map(chr, row)) for row in raster.codes(raster.draw(window, 2, 0, 7).bits)] == [
        "  ⡠⠊",
        "⡠⠊  ",
    ]


@pytest.mark.parametrize("spike", [1e5, 3e38, -3e38])
def test_a_spike_beyond_the_limits_stays_inside_and_is_reported(spike: float) -> None:
    window = window_of(np.arange(8), [1, 1, 1, spike, 1, 1, 1, 1], 0, 8, 8)
    drawn = raster.draw(window, 3, 0, 5)
    flags = [False, True, False, False]
    assert (drawn.above if spike > 0 else drawn.below).tolist() == flags
    assert not (drawn.below if spike > 0 else drawn.above).any()
    assert drawn.bits[0 if spike > 0 else -1, 1]


def test_zero_on_a_logarithmic_axis_is_below_it() -> None:
    drawn = raster.draw(window_of([0, 1], [1, 0], 0, 2, 2), 2, 0.1, 1, log=True)
    assert drawn.below.tolist() == [True]


def test_the_end_is_the_cell_of_the_last_finite_point() -> None:
    window = window_of(np.arange(6), [0, 1, 2, 3, math.nan, math.nan], 0, 8, 8)
    assert raster.draw(window, 4, 0, 3).end == (1, 0)
    assert raster.draw(window_of([0], [math.nan], 0, 8, 8), 4, 0, 3).end is None


def test_overlay_keeps_all_dots_and_gives_a_cell_to_the_last_lane_in_it() -> None:
    one, two = np.array([[1, 1, 0]], np.uint8), np.array([[0, 8, 0]], np.uint8)
    bits, owner = raster.overlay([one, two], [5, 2])
    assert bits.tolist() == [[1, 9, 0]]
    assert owner.tolist() == [[5, 2, raster.NOBODY]]
