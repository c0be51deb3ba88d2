"""Limits hold what they are for and stay; ticks stand where the raster puts their value."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from lrtui.core.axes import XAxis
from lrtui.core.rounding import nice
from lrtui.tui.render.axis import Limits, y_ticks
from lrtui.tui.render.raster import dot_row
from lrtui.tui.render.xlabels import ticks as x_ticks

VALUES = st.floats(-(2.0**100), 2.0**100, width=32)
POSITIVE = st.floats(2.0**-100, 2.0**100, width=32)


@given(VALUES, VALUES)
def test_linear_limits_hold_the_data(one: float, other: float) -> None:
    low, high = sorted((one, other))
    limits = Limits.around(low, high)
    assert limits.low <= low <= high <= limits.high
    assert limits.low < limits.high


@given(POSITIVE, POSITIVE)
def test_logarithmic_limits_hold_the_data_down_to_twelve_decades(one: float, other: float) -> None:
    low, high = sorted((one, other))
    limits = Limits.around(low, high, log=True)
    assert 0 < limits.low <= max(low, high * 1e-12)
    assert high <= limits.high


@given(VALUES, VALUES, st.booleans())
def test_limits_that_fit_are_kept(one: float, other: float, log: bool) -> None:
    low, high = sorted((one, other))
    limits = Limits.around(low, high, log)
    assert limits.fit(low, high) == limits


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [(0.013, 2.7, False, (0, 3)), (0.013, 2.7, True, (0.01, 10**0.5)), (5, 5, False, (4.5, 5.5)), (0, 0.98, False, (0, 1))],
)
def test_limits_snap(low: float, high: float, log: bool, expected: tuple[float, float]) -> None:
    limits = Limits.around(low, high, log)
    assert (limits.low, limits.high) == pytest.approx(expected)


def test_limits_change_rarely() -> None:
    limits = Limits.around(0, 2.7)
    for low, high in [(0.1, 2.9), (0.4, 2.0), (math.nan, 1), (0, math.inf)]:
        assert limits.fit(low, high) is limits
    assert limits.fit(0, 3.1).high > 3.1
    assert limits.fit(0, 0.5).high < 1


def test_an_axis_changes_its_scale() -> None:
    limits = Limits.around(0, 2.7).with_log(True).fit(0.02, 2.7)
    assert limits.log
    assert 0 < limits.low <= 0.02


@given(VALUES, VALUES, st.booleans(), st.integers(1, 60))
def test_y_ticks_stand_where_the_raster_puts_them_and_never_touch(one: float, other: float, log: bool, rows: int) -> None:
    low, high = sorted((one, other))
    limits = Limits.around(low, high, log)
    ticks = y_ticks(limits, rows)
    assert 1 <= len(ticks) <= 11
    for tick in ticks:
        assert 0 <= tick.cell < rows
        assert tick.cell == dot_row(tick.value, rows * 4, limits.low, limits.high, log) // 4
        assert len(tick.label) <= 14
    cells = [tick.cell for tick in ticks]
    assert all(b - a >= (2 if rows > 2 else 1) for a, b in pairwise(cells))


@pytest.mark.parametrize(
    ("limits", "rows", "labels"),
    [
        (Limits(0, 3), 8, ["3", "2", "1", "0"]),
        (Limits(0.01, 10, True), 16, ["10", "1", "0.1", "0.01"]),
        (Limits(0.01, 10, True), 4, ["10", "0.01"]),
        (Limits(0.3, 0.34), 8, ["0.34", "0.32", "0.30"]),
        (Limits(1e-6, 1e4, True), 8, ["1e4", "1", "1e-4"]),
        (Limits(0, 3e8), 8, ["3e8", "2e8", "1e8", "0"]),
    ],
)
def test_y_labels_are_short_and_alike(limits: Limits, rows: int, labels: list[str]) -> None:
    assert [tick.label for tick in y_ticks(limits, rows)] == labels


@given(st.integers(0, 10**7), st.integers(1, 10**7), st.integers(1, 200))
def test_x_labels_stay_inside_and_do_not_touch(start: int, span: int, width: int) -> None:
    ticks = x_ticks(XAxis("step", False, start, start + span), width)
    ends = [tick.cell + len(tick.label) for tick in ticks]
    assert all(tick.cell >= 0 and end <= width for tick, end in zip(ticks, ends, strict=True))
    assert all(end < tick.cell for end, tick in zip(ends, ticks[1:], strict=False))


def test_x_labels_are_exact() -> None:
    assert [tick.label for tick in x_ticks(XAxis("step", False, 0, 12_500), 60)] == ["0", "2k", "4k", "6k", "8k", "10k", "12k"]
    assert [tick[:2] for tick in x_ticks(XAxis("step", False, 0, 240), 40)] == [(0, 0), (8, 50), (16, 100), (25, 150), (33, 200)]


@given(st.floats(1e-30, 1e30))
def test_nice_steps_are_the_next_1_2_or_5(step: float) -> None:
    assert step * (1 - 1e-8) <= nice(step) <= step * 2.5 * (1 + 1e-8)
