"""The rasteriser dot for dot against a slow one that looks at every point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from lrtui.core.series.series import Series, window_of
from lrtui.tui.render import raster
from support.drawing import SlowRaster


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
