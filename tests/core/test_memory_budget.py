"""Series whose oldest values are forgotten: what their windows still promise, and how much memory a
race's curves take up."""

from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.charts.axes import whole
from lrtui.core.charts.metric_series import smoothed, track
from lrtui.core.series.series import Series, Window
from lrtui.core.state.memory_budget import all_series
from lrtui.core.state.race_state import RaceState, apply
from support.builders import block, make_race, started
from support.curves import assert_same, series_of, walks

AGAIN = st.lists(st.sampled_from(["thin", "extend", "cut"]), max_size=8)


def assert_around(thin: Window, full: Window) -> None:
    """Nothing that the full window shows is missing from the thinned one."""
    there = ~np.isnan(full.lo)
    assert (np.isnan(thin.lo) == ~there).all()
    assert (thin.lo[there] <= full.lo[there]).all()
    assert (thin.hi[there] >= full.hi[there]).all()
    for values in (thin.first, thin.last):
        assert (np.isnan(values) == ~there).all()
        assert ((thin.lo <= values) & (values <= thin.hi))[there].all()
    np.testing.assert_array_equal(thin.gap, full.gap)
    np.testing.assert_array_equal(thin.cut, full.cut)


@given(
    walks(),
    AGAIN,
    st.integers(0, 99),
    st.integers(1, 130),
    st.floats(0, 0.9),
    st.floats(0.01, 1),
    st.sampled_from([1, 40, 9999]),
)
@settings(max_examples=300, deadline=None)
def test_thinned_window_encloses_the_full_one_and_is_exact_where_unthinned(
    walk, deeds, seed, width, start, span, at_once
):
    random = np.random.default_rng(seed)
    with (
        patch("lrtui.core.series.pyramid.LEAST", 32),
        patch("lrtui.core.series.pyramid.AT_ONCE", at_once),
    ):
        thin, full, rough = series_of(walk, 77), walk, 0
        for deed in deeds:
            match deed:
                case "thin":
                    thin.thin()
                    rough = max(rough, thin.forgotten)
                case "extend":
                    more = random.normal(size=int(random.integers(1, 900))).astype(np.float32)
                    thin.extend(more)
                    full = np.concatenate((full, more))
                case "cut":
                    count = int(random.integers(0, len(full) + 1))
                    thin, full = thin.cut(count), full[:count].copy()
                    if count < rough:  # of a bucket that is cut in two, only its middle is known
                        full[count // 16 * 16 :] = thin.values[count // 16 * 16 :]
                    rough = min(rough, count)
        whole_series = series_of(full)
        edges = np.linspace(start * len(full), min(start + span, 1) * len(full), width + 1).astype(
            np.int64
        )
        window, expected = thin.window_at(edges), whole_series.window_at(edges)
        assert_around(window, expected)
        known = int(edges.searchsorted(rough))
        for name in Window._fields[:6]:
            np.testing.assert_array_equal(
                getattr(window, name)[known:], getattr(expected, name)[known:]
            )
        assert len(thin) == len(full)
        values = thin.values
        np.testing.assert_array_equal(values[rough:], full[rough:])
        np.testing.assert_array_equal(np.isfinite(values), np.isfinite(full))
        for step in {0, len(full) // 3, len(full) - 1} if len(full) else ():
            assert repr(thin.at(step)) == repr(float(values[step]))
        found, lowest = thin.lowest(), whole_series.lowest()
        assert (found is None) == (lowest is None)
        assert found is None or found[1] <= lowest[1]


def test_a_spike_in_what_is_forgotten_is_in_every_window_that_covers_it():
    values = np.ones(1_000_000, np.float32)
    values[123_456] = 1e30
    series = series_of(values, 9973)
    while series.thin():
        pass
    assert series.forgotten > 990_000
    for start, stop, width in [
        (0, 1_000_000, 90),
        (0, 1_000_000, 7),
        (100_000, 200_001, 400),
        (123_456, 123_457, 3),
    ]:
        window = series.window(start, stop, width)
        assert np.nanmax(window.hi) == np.float32(1e30)
        assert 1 <= np.sum(window.hi > 1) <= 2
    assert series.nbytes < 0.4 * len(series)


def test_nothing_is_forgotten_of_a_short_series():
    series = series_of(np.ones(4000, np.float32))
    assert series.thin() == 0
    assert series.forgotten == 0


def long_race(memory, steps=60_000, blocks=500):
    state = RaceState(make_race(2), memory)
    random = np.random.default_rng(1)
    for lane in (0, 1):
        apply(state, started(lane, steps))
    for first in range(0, steps, blocks):
        for lane in (0, 1):
            losses = random.normal(size=blocks).cumsum()
            apply(state, block(first, losses, [0.01] * blocks, 10 + (first + blocks) * 0.011, lane))
        for name in ("loss", "applied_lr"):
            smoothed(state.lanes[0], name, 0.9)
    return state


@pytest.mark.parametrize("memory", [300_000, 1_000_000])
def test_the_curves_of_a_race_take_up_no_more_than_they_may(memory):
    with patch("lrtui.core.series.pyramid.LEAST", 512):
        state = long_race(memory)
    held = sum(
        lane.clock.nbytes + sum(series.nbytes for series in all_series(lane))
        for lane in state.lanes
    )
    assert held < memory * 1.05
    assert held > memory * 0.3
    full = long_race(10**9)
    assert not any(series.forgotten for lane in full.lanes for series in all_series(lane))
    for kind in ("step", "wall", "time"):
        x = whole(full, kind)
        for lane, other in zip(state.lanes, full.lanes, strict=True):
            assert lane.columns["loss"].forgotten
            window = track(lane, "loss").window(lane, state.race, x, 100)
            exact = track(other, "loss").window(other, full.race, x, 100)
            assert np.nanmin(window.lo) == np.nanmin(exact.lo)
            assert np.nanmax(window.hi) == np.nanmax(exact.hi)
            assert lane.losses.best == other.losses.best
            assert x.value(lane, state.race, 12_345) == pytest.approx(
                x.value(other, full.race, 12_345), rel=1e-3
            )


def test_a_lane_that_goes_back_into_what_is_forgotten_goes_on():
    state = long_race(300_000)
    lane, step = state.lanes[0], 10_007
    lane._rewind(rewound_to(step))
    assert (lane.steps, len(lane.columns["loss"])) == (step, step)
    assert math.isfinite(lane.losses.best)
    assert lane.clock.own_seconds == pytest.approx(0.01 * step, rel=1e-2)
    apply(state, block(step, [0.5] * 50, [0.01] * 50, 9e4))
    assert lane.columns["loss"].last == 0.5
    assert_same(
        lane.columns["loss"].window(step, step + 50, 7),
        series_of(np.full(step + 50, 0.5))
        .window(step, step + 50, 7)
        ._replace(before=lane.columns["loss"].window(step, step + 50, 7).before),
    )


def rewound_to(step):
    from lrtui.core.protocol.events import Rewound

    return Rewound(lane=0, at=8e4, step=step, why="rewound")


def test_thinning_keeps_windows_that_are_known():
    series = Series()
    series.extend(np.arange(100_000))
    known = series.window(0, 100_000, 50)
    series.thin()
    assert_around(series.window(0, 100_000, 50), known)
