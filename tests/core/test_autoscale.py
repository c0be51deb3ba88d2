"""What a chart shows of its curves' values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.charts.autoscale import visible_range
from lrtui.core.series.series import Series
from support.curves import walks


def window(values, width=100):
    series = Series()
    series.extend(values)
    return series.window(0, max(len(values), 1), width)


def falling(count=1000):
    return 0.1 + np.exp(-np.arange(count) / 200)


def test_a_spike_does_not_flatten_the_others():
    values = falling()
    values[300] = 1e6
    low, high, positive = visible_range([window(values), window(falling())], [True, True])
    assert high < 1.2
    assert low == positive == pytest.approx(values.min(), rel=1e-3)


def test_a_full_range_holds_everything_finite():
    values = falling()
    values[[300, 400, 500]] = 1e6, math.nan, -2.0
    assert visible_range([window(values), window(falling())], [True, False], full=True)[:2] == (
        -2.0,
        1e6,
    )


def test_an_explosion_flattens_the_others_only_while_it_lives():
    exploding = np.exp(np.arange(500) / 10)
    _, ended, _ = visible_range([window(falling()), window(exploding)], [True, False])
    _, living, _ = visible_range([window(falling()), window(exploding)], [True, True])
    assert ended < 1.2
    assert living == pytest.approx(exploding.max(), rel=1e-6)


def test_where_all_have_diverged_they_are_shown():
    exploding = np.exp(np.arange(500) / 10)
    assert visible_range([window(exploding)], [False]).high > 1e15


def test_a_tail_that_rises_above_all_is_in_view():
    values = falling()
    values[-3:] = 50.0
    assert visible_range([window(values)], [True]).high == 50.0


def test_the_lowest_positive_value_is_there_for_a_logarithmic_axis():
    values = falling()
    values[::7] = 0.0
    low, _, positive = visible_range([window(values)], [True])
    assert low == 0.0
    assert positive > 0.1
    assert math.isnan(visible_range([window(-falling())], [True]).positive)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("tail", [False, True])
def test_of_nothing_there_is_no_range(full, tail):
    for windows in ([], [window([])], [window([math.nan, math.inf])]):
        assert all(map(math.isnan, visible_range(windows, [tail] * len(windows), full)))


@given(st.lists(st.tuples(walks(), st.booleans()), min_size=1, max_size=4), st.integers(1, 130))
@settings(max_examples=200, deadline=None)
def test_visible_range_holds_each_tail_and_stays_within_full_range(lanes, width):
    windows, tails = [window(walk, width) for walk, _ in lanes], [tail for _, tail in lanes]
    low, high, positive = visible_range(windows, tails)
    everything = visible_range(windows, tails, full=True)
    assert math.isnan(low) == math.isnan(everything.low)
    if not math.isnan(low):
        assert everything.low <= low <= high <= everything.high
        assert math.isnan(positive) or everything.positive <= positive <= high
    for (walk, _), tail in zip(lanes, tails, strict=True):
        finite = walk[np.isfinite(walk)]
        if tail and len(finite):
            assert low <= finite[-1] <= high
