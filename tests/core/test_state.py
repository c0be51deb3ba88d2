"""The state of a race is a fold over its events: the same however they are cut into blocks."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, strategies as st

from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.protocol.events import (
    Alerted,
    Ended,
    Evaluated,
    FindingsUpdated,
    LogMessage,
    LossSpiked,
    Rewound,
    Sampled,
    ScheduleForecast,
    StatusChanged,
    Steps,
)
from lrtui.core.protocol.findings import Findings
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store.reader import merge
from support.builders import fold, make_race, measured, started, steps


def facts(state):
    """All that is known, but for rounding in the average and for how fast it came."""
    return [
        (
            lane.status,
            lane.steps,
            lane.losses.first,
            lane.losses.last,
            lane.losses.best,
            lane.losses.best_step,
            lane.rates.applied,
            lane.rates.next,
            lane.findings,
            verdict(lane, state),
            lane.measured.steps,
            lane.measured.columns,
            lane.measured.seconds,
            lane.losses.spikes,
            lane.clock.own_seconds,
            lane.epoch,
            {name: series.values.tolist() for name, series in lane.columns.items()},
        )
        for lane in state.lanes
    ], list(state.log)


def test_before_anything_happens_lanes_wait():
    state = RaceState(make_race())
    lane = state.lanes[0]
    assert (lane.status, lane.steps, lane.total_steps, lane.epoch, lane.over) == (
        "waiting",
        0,
        0,
        0,
        False,
    )
    assert (
        verdict(lane, state).word,
        lane.findings,
        list(lane.measured.steps),
        lane.measured.columns,
        lane.measured.seconds,
        lane.losses.spikes,
    ) == ("none", Findings(), [], {}, 0.0, [])
    assert math.isnan(lane.measured.last("gain"))
    assert all(
        map(
            math.isnan,
            (
                lane.losses.first,
                lane.losses.last,
                lane.losses.best,
                lane.rates.applied,
                lane.steps_per_second,
                lane.throughput.speed,
            ),
        )
    )
    assert lane.losses.best_step is None
    assert state.training
    assert not state.over


def test_steps_tell_first_last_and_best_loss_and_the_rates():
    lane = fold([started(), steps([3.0, 1.0]), steps([1.0, 2.0], 2, rates=[0.1, 0.05])]).lanes[0]
    assert (lane.status, lane.steps, lane.total_steps) == ("running", 4, 100)
    # the earliest of equals
    assert (lane.losses.first, lane.losses.last, lane.losses.best, lane.losses.best_step) == (
        3.0,
        2.0,
        1.0,
        1,
    )
    assert (lane.rates.applied, lane.rates.next) == (0.05, 0.025)
    assert lane.steps_per_second == 2.0
    assert lane.columns["loss"].values.tolist() == [3.0, 1.0, 1.0, 2.0]


def test_a_loss_that_is_not_finite_is_the_last_but_never_the_best():
    lane = fold([steps([2.0, -math.inf, 1.5, math.nan])]).lanes[0]
    assert math.isnan(lane.losses.last)
    assert (lane.losses.best, lane.losses.best_step) == (1.5, 2)
    lane = fold([steps([math.nan, math.inf])]).lanes[0]
    assert math.isnan(lane.losses.first)
    assert math.isnan(lane.losses.best)
    assert lane.losses.best_step is None


LOSSES = st.lists(
    st.floats(0, 100, width=32) | st.sampled_from([math.nan, math.inf]), min_size=1, max_size=80
)


@given(LOSSES, st.lists(st.integers(1, 9), min_size=1, max_size=80))
def test_the_state_does_not_depend_on_how_steps_are_cut_into_blocks(losses, sizes):
    blocks, start = [], 0
    while start < len(losses):
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(steps(losses[start : start + size], start))
        start += size
    whole, cut, merged = fold([steps(losses)]), fold(blocks), fold(merge(blocks))
    assert repr(facts(whole)) == repr(facts(cut)) == repr(facts(merged))
    for other in (cut, merged):
        assert repr(other.lanes[0].losses.smooth.value) == repr(whole.lanes[0].losses.smooth.value)


@given(st.lists(st.floats(2.0**-20, 10), min_size=1, max_size=600), st.integers(1, 300))
def test_the_training_time_does_not_either(seconds, size):
    blocks = [
        steps([1.0] * len(part), start, seconds=part)
        for start in range(0, len(seconds), size)
        for part in [seconds[start : start + size]]
    ]
    assert fold(blocks).lanes[0].clock.own_seconds == fold(merge(blocks)).lanes[0].clock.own_seconds


@given(LOSSES, st.integers(1, 9), st.data())
def test_smoothed_loss_after_a_resume_equals_an_uninterrupted_lane(losses, size, data):
    back = data.draw(st.integers(0, len(losses)))
    straight = fold([steps(losses)]).lanes[0]
    again = [steps(losses[start : start + size], start) for start in range(back, len(losses), size)]
    returned = fold(
        [steps(losses), Rewound(lane=0, at=9.0, step=back, why="resumed"), *again]
    ).lanes[0]
    assert repr(returned.losses.smooth.value) == repr(straight.losses.smooth.value)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "steps",
                "steps",
                "steps",
                "alert",
                "sample",
                "epoch",
                "pause",
                "note",
                "measured",
                "judged",
                "spike",
                "end",
            ]
        ),
        st.integers(0, 2),
        st.integers(1, 5),
    ),
    max_size=40,
)


@given(EVENTS)
def test_merging_what_a_reader_found_changes_nothing(script):
    events, done = [], [0, 0, 0]
    for number, (kind, lane, size) in enumerate(script):
        match kind:
            case "steps":
                events.append(
                    steps(
                        [float(done[lane] + i) for i in range(size)],
                        done[lane],
                        lane,
                        at=float(number),
                    )
                )
                done[lane] += size
            case "alert":
                events.append(
                    Alerted(lane=lane, at=number, step=done[lane], kind="diverged", text="x")
                )
            case "sample":
                events.append(
                    Sampled(
                        lane=lane,
                        at=number,
                        epoch=number,
                        step=done[lane],
                        shape=(1, 1, 1, 3),
                        pixels=b"abc",
                    )
                )
            case "epoch":
                events.append(
                    Evaluated(lane=lane, at=number, epoch=number, step=done[lane], loss=1.0)
                )
            case "pause":
                events.append(StatusChanged(lane=lane, at=number, step=done[lane], status="paused"))
            case "note":
                events.append(LogMessage(lane=-1, at=number, text="x"))
            case "measured":
                events.append(measured([number], lane, gain=[0.5]))
            case "judged":
                events.append(
                    FindingsUpdated(
                        lane=lane, at=number, step=done[lane], findings=Findings(samples=number)
                    )
                )
            case "spike":
                events.append(LossSpiked(lane=lane, at=number, steps=[number]))
            case "end":
                events.append(Ended(lane=lane, at=number, step=done[lane], reason="finished"))
    merged = list(merge(events))
    assert repr(facts(fold(merged, 3))) == repr(facts(fold(events, 3)))
    for lane in range(3):  # and no event of a lane overtakes another one
        assert [type(e) for e in merged if e.lane == lane and not isinstance(e, Steps)] == [
            type(e) for e in events if e.lane == lane and not isinstance(e, Steps)
        ]


def test_an_end_is_the_end():
    state = fold(
        [
            started(),
            steps([1.0]),
            Ended(lane=0, step=1, reason="finished"),
            steps([2.0], 1),
            StatusChanged(lane=0, step=1, status="running"),
            Ended(lane=0, step=1, reason="died"),
        ]
    )
    lane = state.lanes[0]
    assert (lane.status, lane.steps, lane.losses.last, lane.over) == ("finished", 1, 1.0, True)
    assert not state.over
    apply(state, Ended(lane=1, step=0, reason="error", error="why"))
    assert state.over
    assert not state.training
    assert state.lanes[1].ended.error == "why"


def test_a_race_whose_lanes_are_all_paused_is_not_training():
    state = fold([started(0), started(1), StatusChanged(lane=0, step=0, status="paused")])
    assert state.training
    apply(state, StatusChanged(lane=1, step=0, status="paused"))
    assert not state.training
    apply(state, StatusChanged(lane=0, step=0, status="running"))
    assert state.training


def test_what_was_measured_is_kept_by_step():
    lane = fold(
        [
            measured([0, 2], gain=[0.9, math.nan], step_size=[0.1, math.nan]),
            measured([8], spent=0.5, gain=[0.7], step_size=[math.nan], **{"step_size/1": [0.3]}),
        ]
    ).lanes[0]
    assert list(lane.measured.steps) == [0, 2, 8]
    assert repr(list(lane.measured.columns["gain"])) == repr([0.9, math.nan, 0.7])
    assert lane.measured.seconds == 0.5
    assert (
        lane.measured.last("gain"),
        lane.measured.last("step_size"),
        lane.measured.last("step_size/1"),
    ) == (0.7, 0.1, 0.3)
    assert math.isnan(lane.measured.last("realised"))


def test_the_last_findings_count_and_spikes_add_up():
    first, second = (
        Findings(samples=3, early_gain=0.5),
        Findings(early=False, samples=18, early_gain=0.1),
    )
    lane = fold(
        [
            FindingsUpdated(lane=0, step=5, findings=first),
            LossSpiked(lane=0, steps=[3, 4]),
            FindingsUpdated(lane=0, step=100, findings=second),
            LossSpiked(lane=0, steps=[90]),
        ]
    ).lanes[0]
    assert lane.findings == second
    assert lane.losses.spikes == [3, 4, 90]


def test_what_is_measured_or_marked_is_no_line_in_the_log():
    state = fold(
        [
            measured([0], gain=[1.0]),
            FindingsUpdated(lane=0, step=1, findings=Findings()),
            LossSpiked(lane=0, steps=[1]),
            ScheduleForecast(lane=0, steps=[0, 1], rates=[0.1, 0.0], total=2),
        ]
    )
    assert state.log_count == 0
    assert state.lanes[0].rates.forecast.rates == [0.1, 0.0]


def test_metrics_are_points_by_step_of_the_epochs_that_have_them():
    lane = fold(
        [
            Evaluated(lane=0, epoch=1, step=10, loss=1.0, metrics={"acc": 0.5}),
            Evaluated(lane=0, epoch=2, step=20, loss=1.0),
            Evaluated(lane=0, epoch=3, step=30, loss=1.0, metrics={"acc": math.nan}),
        ]
    ).lanes[0]
    x, y = lane.evaluations.metric("acc")
    assert x.tolist() == [10, 30]
    assert np.array_equal(y, [0.5, math.nan], equal_nan=True)
    assert [len(part) for part in lane.evaluations.metric("nothing")] == [0, 0]
    assert lane.epoch == 3


def test_everything_that_happens_has_a_line_in_the_log():
    state = fold(
        [
            started(),
            Alerted(lane=0, at=2.0, step=3, kind="nan", text="loss nan at step 3"),
            StatusChanged(lane=0, at=3.0, step=4, status="paused"),
            steps([0.25]),
            LogMessage(lane=-1, at=5.0, text="a word"),
            LogMessage(lane=1, at=6.0, text="another"),
            Ended(lane=0, at=7.0, step=1, reason="nan"),
        ]
    )
    assert list(state.log)[:5] == [
        (10.0, 0, "started on cpu, 100 steps"),
        (2.0, 0, "nan: loss nan at step 3"),
        (3.0, 0, "paused at step 4"),
        (5.0, -1, "a word"),
        (6.0, 1, "another"),
    ]
    at, lane, text = state.log[5]
    assert (at, lane) == (7.0, 0)
    assert text.startswith("nan after 1 step")
    assert "0.25" in text
    assert state.log_count == 6


def test_what_changes_a_lane_is_seen_in_its_version_and_no_other():
    state = RaceState(make_race())
    for event in (
        started(),
        steps([1.0]),
        Alerted(lane=0, step=1, kind="diverged", text=""),
        Ended(lane=0, step=1, reason="finished"),
    ):
        before = [lane.version for lane in state.lanes]
        apply(state, event)
        assert [lane.version for lane in state.lanes] == [before[0] + 1, before[1]]


def test_speed_is_that_of_the_last_seconds():
    lane = fold(
        [
            started(),
            steps([1.0] * 10, 0, at=20.0),
            steps([1.0] * 10, 10, at=21.0),
            steps([1.0] * 30, 20, at=22.0),
        ]
    ).lanes[0]
    assert lane.throughput.speed == pytest.approx(20.0)
    state = fold(
        [
            started(),
            steps([1.0] * 10, 0, at=20.0),
            StatusChanged(lane=0, at=100.0, step=10, status="running"),
            steps([1.0] * 5, 10, at=101.0),
        ]
    )
    assert state.lanes[0].throughput.speed == pytest.approx(5.0)  # a pause is no slowness


def test_the_state_takes_what_the_store_gives_back():
    race = msgspec.json.decode(msgspec.json.encode(make_race()), type=Race)
    assert len(RaceState(race).lanes) == 2
