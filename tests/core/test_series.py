"""A series' windows against a brute-force reading of every point."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from lrtui.core.series.series import Series, Window, window_of
from support.curves import assert_same, series_of, walks


def tenths(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low * 10, high * 10).map(lambda number: number / 10)


def slow_window(
    x: NDArray[np.float64], y: NDArray[np.float32], start: float, stop: float, width: int
) -> Window:
    """Every point looked at, one after another."""
    nan = [np.full(width, np.nan, np.float32) for _ in range(4)]
    lo, hi, first, last = nan
    gap, cut = np.zeros(width, bool), np.zeros(width, bool)
    exact = [math.floor((at - start) * width / (stop - start)) for at in x]
    place = [
        max(column, width) if at >= stop else column for at, column in zip(x, exact, strict=True)
    ]
    for number, (column, value) in enumerate(zip(place, y, strict=True)):
        if not 0 <= column < width:
            continue
        if not math.isfinite(value):
            gap[column] = True
            continue
        if math.isnan(first[column]):
            first[column] = lo[column] = hi[column] = value
            cut[column] = number > 0 and not math.isfinite(y[number - 1])
        last[column] = value
        lo[column], hi[column] = min(lo[column], value), max(hi[column], value)
    points = [(column, float(value)) for column, value in zip(place, y, strict=True)]
    left, right = [p for p in points if p[0] < 0][-1:], [p for p in points if p[0] >= width]
    inner = [p for p in points if p[0] < width][-1:]
    before = left[0] if left and math.isfinite(left[0][1]) else None
    after = right[0] if right and inner and math.isfinite(right[0][1] + inner[0][1]) else None
    return Window(lo, hi, first, last, gap, cut, before, after)


@given(
    walks(),
    st.integers(1, 400),
    tenths(-50, 1600),
    tenths(1, 2000),
    st.integers(1, 130),
    st.sampled_from([1, 40, 9999]),
)
@settings(max_examples=300, deadline=None)
def test_window_equals_reading_every_point(
    walk: NDArray[np.float32], block: int, start: float, span: float, width: int, at_once: int
) -> None:
    with patch("lrtui.core.series.pyramid.AT_ONCE", at_once):
        window = series_of(walk, block).window(start, start + span, width)
    assert_same(window, slow_window(np.arange(len(walk)) * 1.0, walk, start, start + span, width))


@given(
    walks(),
    st.lists(st.integers(1, 300), max_size=8),
    tenths(-50, 900),
    tenths(1, 2000),
    st.integers(1, 130),
)
@settings(max_examples=200, deadline=None)
def test_a_window_brought_up_to_date_equals_a_new_one(
    walk: NDArray[np.float32], blocks: list[int], start: float, span: float, width: int
) -> None:
    series, at = Series(), 0
    for block in blocks:
        series.extend(walk[at : at + block])
        at += block
        for columns in (width, 1):
            fresh = series_of(walk[:at]).window(start, start + span, columns)
            assert_same(series.window(start, start + span, columns), fresh)


@given(walks(), st.integers(0, 99), tenths(-5, 50), tenths(1, 200), st.integers(1, 130))
@settings(max_examples=150, deadline=None)
def test_window_of_sparse_points_equals_reading_every_point(
    walk: NDArray[np.float32], seed: int, start: float, span: float, width: int
) -> None:
    y = walk[:40]
    x = np.random.default_rng(seed).uniform(0.01, 5, len(y)).cumsum()
    assert_same(
        window_of(x, y, start, start + span, width), slow_window(x, y, start, start + span, width)
    )


@given(walks(), st.integers(1, 400))
@settings(max_examples=100, deadline=None)
def test_range_and_values_follow_every_block(walk: NDArray[np.float32], block: int) -> None:
    series = series_of(walk, block)
    finite = walk[np.isfinite(walk)]
    expected = [finite.min(), finite.max()] if len(finite) else [math.nan, math.nan]
    positive = finite[finite > 0].min() if (finite > 0).any() else math.nan
    np.testing.assert_array_equal(series.finite_range(), [*expected, positive])
    np.testing.assert_array_equal(series.values, walk)


DEEDS = st.tuples(
    st.sampled_from(
        [
            "extend",
            "extend",
            "cut",
            "thin",
            "window",
            "window_at",
            "at",
            "last",
            "lowest",
            "finite_range",
            "part",
            "before_gaps",
            "nbytes",
        ]
    ),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(1, 40),
)


def asked(series: Series, deed: str, start: int, stop: int, width: int) -> Any:
    """What a series says of a stretch of it, by its own words."""
    match deed:
        case "window":
            return series.window(start, max(stop, start + 1), width)
        case "window_at":
            return series.window_at(np.linspace(start, stop, width + 1).astype(np.int64))
        case "at":
            return series.at(start) if start < len(series) else None
        case "part":
            return series.part(start, stop)
        case "before_gaps":
            return series.before_gaps(np.linspace(start, stop, width + 1).astype(np.int64))
        case "lowest":
            return series.lowest(start)
        case "finite_range":
            return series.finite_range()
        case "nbytes":
            return series.nbytes >= 4 * len(series)
    return series.last


@given(walks(), st.lists(DEEDS, max_size=30))
@settings(max_examples=500, deadline=None)
def test_series_edited_step_by_step_equals_series_built_at_once(
    walk: NDArray[np.float32], deeds: list[tuple[str, int, int, int]]
) -> None:
    """Extends, cuts and queries in any order; each reference series answers one query only."""
    series, known, ahead = Series(), walk[:0], 0
    for deed, start, stop, width in deeds:
        if deed == "extend":
            known = np.concatenate((known, walk[ahead : ahead + start]))
            series.extend(walk[ahead : ahead + start])
            ahead += start
        elif deed == "cut":
            known = known[: len(known) * start // 99]
            series = series.cut(len(known))
        elif deed == "thin":
            series.thin()  # there is too little for it to forget anything
        else:
            low, high = sorted((len(known) * start // 99, len(known) * stop // 99))
            with patch("lrtui.core.series.series.BATCH", 1):
                said = asked(series_of(known), deed, low, high, width)
            found = asked(series, deed, low, high, width)
            if isinstance(said, Window):
                assert_same(found, said)
            elif isinstance(said, np.ndarray):
                np.testing.assert_array_equal(found, said)
            else:
                assert repr(found) == repr(said)
        assert len(series) == len(known)
    np.testing.assert_array_equal(series.values, known)


def test_blocks_of_one_value_do_not_pile_up() -> None:
    series = Series()
    for step in range(1000):
        series.extend([step])
        series.extend([])
    assert len(series._pending) < 100
    assert series.values.tolist() == list(range(1000))


def test_spike_of_one_step_in_a_million_is_in_every_covering_window() -> None:
    values = np.ones(1_000_000, np.float32)
    values[654_321] = 1e30
    series = series_of(values, 9973)
    for start, stop, width in [
        (0, 1_000_000, 90),
        (0, 1_000_000, 7),
        (600_000, 700_001, 400),
        (654_321, 654_322, 3),
    ]:
        window = series.window(start, stop, width)
        assert np.nanmax(window.hi) == np.float32(1e30)
        assert np.sum(window.hi > 1) == 1


def test_values_that_float32_cannot_hold_are_infinities() -> None:
    series = series_of(np.array([1.0, 1e300]))
    assert series.last == math.inf
    assert series.window(0, 2, 2).gap.tolist() == [False, True]


def test_an_empty_series_has_an_empty_window() -> None:
    window = Series().window(0, 10, 4)
    assert np.isnan(window.lo).all()
    assert not window.gap.any()
    assert math.isnan(Series().last)


def test_values_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        series_of(np.ones(3, np.float32)).values[0] = 2


@pytest.mark.parametrize("every", [1, 10])
def test_a_value_costs_at_most_six_bytes(every: int) -> None:
    values = np.full(300_000, np.nan, np.float32)
    values[::every] = 1
    series = series_of(values, 100)
    assert series.nbytes <= 6.6 * len(series) if every > 1 else 5.6 * len(series)


@given(st.lists(st.floats(width=32), max_size=200), st.integers(0, 250))
def test_a_series_that_is_cut_is_as_if_it_had_never_been_longer(values, count):
    longer, shorter = Series(), Series()
    longer.extend(values)
    shorter.extend(values[:count])
    found = longer.cut(count)
    assert len(longer) == len(values)
    assert repr(found.values.tolist()) == repr(shorter.values.tolist())
    assert repr(found.finite_range()) == repr(shorter.finite_range())
    found.extend([1.0, math.nan])
    shorter.extend([1.0, math.nan])
    assert repr(found.window(0, 260, 7)) == repr(shorter.window(0, 260, 7))
