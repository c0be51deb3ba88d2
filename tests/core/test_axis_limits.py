"""Limits hold what they are for and stay; what lies on the axis lies between its ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lrtui.core.charts.axis_limits import AxisLimits

VALUES = st.floats(-(2.0**100), 2.0**100, width=32)
POSITIVE = st.floats(2.0**-100, 2.0**100, width=32)


@given(VALUES, VALUES)
def test_linear_limits_hold_the_data(one: float, other: float) -> None:
    low, high = sorted((one, other))
    limits = AxisLimits.around(low, high)
    assert limits.low <= low <= high <= limits.high
    assert limits.low < limits.high


@given(POSITIVE, POSITIVE)
def test_logarithmic_limits_hold_the_data_down_to_twelve_decades(one: float, other: float) -> None:
    low, high = sorted((one, other))
    limits = AxisLimits.around(low, high, log=True)
    assert 0 < limits.low <= max(low, high * 1e-12)
    assert high <= limits.high


@given(VALUES, VALUES, st.booleans())
def test_limits_that_fit_are_kept(one: float, other: float, log: bool) -> None:
    low, high = sorted((one, other))
    limits = AxisLimits.around(low, high, log)
    assert limits.fit(low, high) == limits


@pytest.mark.parametrize(
    ("low", "high", "log", "expected"),
    [
        (0.013, 2.7, False, (0, 3)),
        (0.013, 2.7, True, (0.01, 10**0.5)),
        (5, 5, False, (4.5, 5.5)),
        (0, 0.98, False, (0, 1)),
    ],
)
def test_limits_snap(low: float, high: float, log: bool, expected: tuple[float, float]) -> None:
    limits = AxisLimits.around(low, high, log)
    assert (limits.low, limits.high) == pytest.approx(expected)


def test_limits_change_rarely() -> None:
    limits = AxisLimits.around(0, 2.7)
    for low, high in [(0.1, 2.9), (0.4, 2.0), (math.nan, 1), (0, math.inf)]:
        assert limits.fit(low, high) is limits
    assert limits.fit(0, 3.1).high > 3.1
    assert limits.fit(0, 0.5).high < 1


def test_an_axis_changes_its_scale() -> None:
    limits = AxisLimits.around(0, 2.7).with_log(True).fit(0.02, 2.7)
    assert limits.log
    assert 0 < limits.low <= 0.02


@given(POSITIVE, POSITIVE, st.floats(width=32), st.booleans())
def test_shares_lie_between_the_ends_and_rise_with_the_values(
    one: float, other: float, value: float, log: bool
) -> None:
    limits = AxisLimits.around(*sorted((one, other)), log)
    low, at, high = limits.shares(np.array([limits.low, value, limits.high])).tolist()
    assert (low, high) == (0, 1)
    assert 0 <= at <= 1 if math.isfinite(value) else math.isnan(at)


def test_a_share_is_one_of_decades_on_a_logarithmic_axis() -> None:
    assert AxisLimits(0.01, 1, True).shares(np.array([0.1, 0.0])).tolist() == [0.5, 0]
    assert AxisLimits(0, 2).shares(np.array([0.5, 3])).tolist() == [0.25, 1]
