"""Axes against a reading of every step: where each one lies, and what a window of columns holds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.charts.axes import KINDS, XAxis, whole
from lrtui.core.charts.metric_series import MetricSeries, track
from lrtui.core.protocol.events import (
    Column,
    Ended,
    Evaluated,
    LaneAdded,
    Measured,
    Rewound,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.series.series import Window
from lrtui.core.state.race_state import RaceState, apply
from support.builders import block, make_race, started
from support.curves import assert_same

NAN = math.nan


@st.composite
def stories(draw):
    """What a lane says: blocks of steps, pauses, evaluations, ways back, now and then a hole; in a
    random wall time."""
    random = np.random.default_rng(draw(st.integers(0, 999)))
    at, done, epoch = 1000.0, 0, 0
    events = [started(0, 3000)]
    events[0] = Started(
        **{name: getattr(events[0], name) for name in events[0].__struct_fields__} | {"at": at}
    )
    for kind in draw(
        st.lists(
            st.sampled_from(["block"] * 6 + ["pause", "epoch", "back", "hole"]),
            min_size=1,
            max_size=14,
        )
    ):
        match kind:
            case "pause":
                events.append(StatusChanged(lane=0, at=at, step=done, status="paused"))
                at += float(random.uniform(0, 30))
                events.append(StatusChanged(lane=0, at=at, step=done, status="running"))
            case "epoch" if done:
                at += float(random.uniform(0, 2))
                epoch += 1
                events.append(
                    Evaluated(
                        lane=0,
                        at=at,
                        epoch=epoch,
                        step=done,
                        loss=1.0,
                        metrics={"acc": float(random.normal())},
                    )
                )
            case "back" if done:
                done = int(random.integers(0, done + 1))
                epoch = sum(isinstance(one, Evaluated) and one.step <= done for one in events)
                events.append(Rewound(lane=0, at=at, step=done, why="rewound"))
            case "hole":
                done += int(random.integers(0, 40))
            case "block":
                count = int(random.integers(1, 400))
                seconds = random.exponential(0.01, count).astype(np.float32)
                seconds[random.uniform(size=count) < 0.05] = NAN
                losses = random.normal(size=count)
                losses[random.uniform(size=count) < 0.05] = random.choice([NAN, math.inf])
                at += float(np.nansum(seconds)) + float(random.choice([0.0, 0.2]))
                events.append(block(done, losses, seconds, at))
                done += count
                events.append(
                    Measured(
                        lane=0,
                        at=at,
                        steps=[done - 1],
                        columns={"gain": Column.pack([float(random.normal())])},
                        spent=0.0,
                    )
                )
    return events


def told(events):
    state = RaceState(make_race(2))
    for event in events:
        apply(state, event)
    return state


def axis(draw_start, draw_span, kind, log, state):
    end = whole(state, kind).stop
    start = 0.0 if log else draw_start * end
    return XAxis(kind, log, start, start + max(draw_span * end, 1e-6))


def slow_window(track: MetricSeries, x: XAxis, lane, race, width) -> Window:
    """Every point looked at, one after another; its column by the place of its own."""
    steps = np.arange(len(track.series)) if track.steps is None else track.steps
    values = track.series.values
    columns = x.columns(lane, race, steps, width)
    lo, hi, first, last = (np.full(width, np.nan, np.float32) for _ in range(4))
    gap, cut = np.zeros(width, bool), np.zeros(width, bool)
    for number, (column, value) in enumerate(zip(columns.tolist(), values, strict=True)):
        if 0 <= column < width:
            if not math.isfinite(value):
                gap[column] = True
                continue
            if math.isnan(first[column]):
                first[column] = lo[column] = hi[column] = value
                cut[column] = number > 0 and not math.isfinite(values[number - 1])
            last[column] = value
            lo[column], hi[column] = min(lo[column], value), max(hi[column], value)
    left = [pair for pair in zip(columns.tolist(), values.tolist(), strict=True) if pair[0] < 0][
        -1:
    ]
    inner = [
        pair for pair in zip(columns.tolist(), values.tolist(), strict=True) if pair[0] < width
    ][-1:]
    right = [
        pair for pair in zip(columns.tolist(), values.tolist(), strict=True) if pair[0] >= width
    ][:1]
    before = left[0] if left and math.isfinite(left[0][1]) else None
    after = right[0] if right and inner and math.isfinite(right[0][1] + inner[0][1]) else None
    return Window(lo, hi, first, last, gap, cut, before, after)


@given(
    stories(),
    st.sampled_from(KINDS),
    st.booleans(),
    st.floats(0, 0.8),
    st.floats(0.001, 1.2),
    st.integers(1, 90),
)
@settings(max_examples=200, deadline=None)
def test_updated_window_equals_reading_every_point_on_every_axis(
    events, kind, log, start, span, width
):
    state, x = told(events), None
    x = axis(start, span, kind, log, state)
    state = RaceState(make_race(2))
    for event in events:
        apply(state, event)
        lane = state.lanes[0]
        for name in ("loss", "acc", "gain"):
            if found := track(lane, name):
                window = found.window(lane, state.race, x, width)
    lane = state.lanes[0]
    for name in ("loss", "acc", "gain"):
        if found := track(lane, name):
            window = found.window(lane, state.race, x, width)
            fresh = track(told(events).lanes[0], name).window(lane, state.race, x, width)
            expected = slow_window(found, x, lane, state.race, width)
            assert_same(fresh, expected)
            assert_same(window, expected)


@given(
    stories(),
    st.sampled_from(KINDS),
    st.booleans(),
    st.floats(0, 0.8),
    st.floats(0.001, 1.2),
    st.integers(1, 90),
)
@settings(max_examples=200, deadline=None)
def test_columns_are_where_the_axis_says(events, kind, log, start, span, width):
    state = told(events)
    lane, race = state.lanes[0], state.race
    x = axis(start, span, kind, log, state)
    edges = x.edges(lane, race, width)
    assert (np.diff(edges) >= 0).all()
    assert edges[0] >= 0
    steps = np.arange(lane.steps)
    columns = x.columns(lane, race, steps, width)
    assert (np.diff(columns) >= 0).all()
    for step in steps[:: max(1, lane.steps // 50)].tolist():
        value, column = x.value(lane, race, step), int(columns[step])
        # times are kept as float32
        slack = 1e-4 * (x.stop - x.start) / width + 1e-4 * abs(value) + 1e-6
        assert x.value_at(min(column, 10**6), width) <= value + slack or column < 0
        assert value - slack <= x.value_at(column + 1, width) or column >= width
        if x.start < value - slack and value + slack < x.stop:
            assert 0 <= column < width


@given(stories(), st.sampled_from(KINDS))
@settings(max_examples=100, deadline=None)
def test_values_rise_with_the_steps_and_lead_back(events, kind):
    state = told(events)
    lane, race, x = state.lanes[0], state.race, whole(state, kind)
    values = [x.value(lane, race, step) for step in range(0, lane.steps + 30, 7)]
    assert all(math.isfinite(value) for value in values)
    assert all(one <= other * (1 + 1e-6) + 1e-9 for one, other in itertools.pairwise(values))
    for step in range(0, lane.steps, 11):
        back = x.step(lane, race, x.value(lane, race, step))
        assert abs(x.value(lane, race, back) - x.value(lane, race, step)) <= 1e-5 * (
            1 + x.value(lane, race, step)
        )


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_all_of_an_axis_holds_all_steps(kind, log):
    state = told(
        [
            started(0, 100),
            *(block(first, [1.0] * 20, [0.5] * 20, first + 20.0) for first in (0, 20)),
        ]
    )
    lane, x = state.lanes[0], whole(state, kind, log)
    columns = x.columns(lane, state.race, np.arange(40), 50)
    assert columns.min() >= 0
    assert columns.max() < 50
    assert x.place(x.value_at(7.5, 50), 50) == 7


def test_axes_of_the_budget_do_not_move_and_those_of_time_move_rarely():
    state, ends = told([started(0, 1000)]), []
    for first in range(0, 1000, 10):
        apply(state, block(first, [1.0] * 10, [0.05] * 10, 10 + first * 0.06 + 0.6))
        assert whole(state, "step").stop == 1000
        assert whole(state, "epoch").stop == 1000 / state.lanes[0].started.steps_per_epoch
        assert whole(state, "samples").stop == 1000 * state.race.batch_size
        ends.append(whole(state, "time").stop)
    assert list(dict.fromkeys(ends)) == [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    for lane in (0, 1):
        apply(state, Ended(lane=lane, at=99.0, step=1000, reason="finished"))
    assert whole(state, "time").stop == pytest.approx(50.0, rel=1e-5)


def test_a_pause_is_in_the_wall_time_and_not_in_the_training_time():
    state = told(
        [
            started(0, 100),
            block(0, [1.0] * 10, [0.5] * 10, 15.0),
            StatusChanged(lane=0, at=15.0, step=10, status="paused"),
            StatusChanged(lane=0, at=75.0, step=10, status="running"),
            block(10, [1.0] * 10, [0.5] * 10, 80.0),
        ]
    )
    lane, race = state.lanes[0], state.race
    began = lane.started.at
    assert [XAxis("time", False, 0, 1).value(lane, race, step) for step in (0, 9, 10, 19)] == [
        0.5,
        5.0,
        5.5,
        10.0,
    ]
    ends = [XAxis("wall", False, 0, 1).value(lane, race, step) + began for step in (9, 10, 19)]
    assert ends == pytest.approx([15.0, 75.5, 80.0])


def test_a_fork_begins_at_the_time_of_its_parent():
    state = told([started(0, 100), block(0, [1.0] * 10, [0.5] * 10, 15.0)])
    child = state.race.lanes[1]
    apply(state, LaneAdded(lane=2, at=15.0, child=child, parent=0, step=6))
    apply(state, started(2, 100))
    apply(state, block(6, [1.0] * 2, [0.25] * 2, 20.0, lane=2))
    lane = state.lanes[2]
    assert [XAxis("time", False, 0, 1).value(lane, state.race, step) for step in (0, 5, 6, 7)] == [
        3.0,
        3.0,
        3.25,
        3.5,
    ]
    assert lane.clock.own_seconds == 0.5


def test_an_axis_is_of_use_before_anything_has_happened():
    state = RaceState(make_race(2))
    for kind in KINDS:
        x = whole(state, kind)
        assert x.start < x.stop
        assert len(x.edges(state.lanes[0], state.race, 9)) == 10
        assert math.isfinite(x.value(state.lanes[0], state.race, 3))


@given(st.booleans(), st.floats(0, 1), st.floats(0.1, 0.9), st.floats(0, 1))
def test_a_range_is_zoomed_about_a_number_and_moved_within_all_there_is(log, here, size, by):
    full = XAxis("step", log, 0.0, 1000.0)
    about = full.at(here)
    near = full.zoomed(about, 1 / size)
    assert near.share(about) == pytest.approx(here, abs=1e-6)
    assert near.zoomed(about, size).within(full) == full
    moved = near.moved(by).within(full)
    assert full.share(moved.stop) - full.share(moved.start) == pytest.approx(size, abs=1e-6)
    assert moved.start >= -1e-6
    assert moved.stop <= 1000 + 1e-6
    assert moved.within(full).start == pytest.approx(moved.start, abs=1e-6)


@pytest.mark.parametrize("odd", [1e308, -1e308, math.inf, NAN])
@pytest.mark.parametrize("at", [5.0, 1e18])
@pytest.mark.parametrize("log", [False, True])
def test_a_number_that_no_step_can_take_leaves_every_axis_whole(odd, at, log):
    state = RaceState(make_race(1))
    apply(state, started(0))
    told = block(0, [3.0, 2.0, 1.0], [1.0] * 3, at)
    apply(
        state,
        Steps(
            lane=0,
            at=at,
            first=0,
            count=3,
            columns={**told.columns, "seconds": Column.pack([odd, 1.0, odd])},
        ),
    )
    lane = state.lanes[0]
    assert lane.clock.own_seconds == 1.0
    for kind in KINDS:
        axis = whole(state, kind, log)
        assert 0 <= axis.place(axis.value(lane, state.race, 2), 200) <= 200
        assert len(axis.edges(lane, state.race, 50)) == 51
