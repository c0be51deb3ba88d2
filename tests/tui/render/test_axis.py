"""Ticks stand where the raster puts their value."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from lrtui.core.charts.axes import XAxis
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.tui.render.axis import y_ticks
from lrtui.tui.render.raster import dot_row
from lrtui.tui.render.x_labels import ticks as x_ticks

VALUES = st.floats(-(2.0**100), 2.0**100, width=32)


@given(VALUES, VALUES, st.booleans(), st.integers(1, 60))
def test_y_ticks_stand_where_the_raster_puts_them_and_never_touch(
    one: float, other: float, log: bool, rows: int
) -> None:
    low, high = sorted((one, other))
    limits = AxisLimits.around(low, high, log)
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
        (AxisLimits(0, 3), 8, ["3", "2", "1", "0"]),
        (AxisLimits(0.01, 10, True), 16, ["10", "1", "0.1", "0.01"]),
        (AxisLimits(0.01, 10, True), 4, ["10", "0.01"]),
        (AxisLimits(0.3, 0.34), 8, ["0.34", "0.32", "0.30"]),
        (AxisLimits(1e-6, 1e4, True), 8, ["1e4", "1", "1e-4"]),
        (AxisLimits(0, 3e8), 8, ["3e8", "2e8", "1e8", "0"]),
    ],
)
def test_y_labels_are_short_and_alike(limits: AxisLimits, rows: int, labels: list[str]) -> None:
    assert [tick.label for tick in y_ticks(limits, rows)] == labels


@given(st.integers(0, 10**7), st.integers(1, 10**7), st.integers(1, 200))
def test_x_labels_stay_inside_and_do_not_touch(start: int, span: int, width: int) -> None:
    ticks = x_ticks(XAxis("step", False, start, start + span), width)
    ends = [tick.cell + len(tick.label) for tick in ticks]
    assert all(tick.cell >= 0 and end <= width for tick, end in zip(ticks, ends, strict=True))
    assert all(end < tick.cell for end, tick in zip(ends, ticks[1:], strict=False))


def test_x_labels_are_exact() -> None:
    assert [tick.label for tick in x_ticks(XAxis("step", False, 0, 12_500), 60)] == [
        "0",
        "2k",
        "4k",
        "6k",
        "8k",
        "10k",
        "12k",
    ]
    assert [tick[:2] for tick in x_ticks(XAxis("step", False, 0, 240), 40)] == [
        (0, 0),
        (8, 50),
        (16, 100),
        (25, 150),
        (33, 200),
    ]
