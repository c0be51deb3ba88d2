"""A new leader is one that led for fifty steps in a row, however the record is read."""

from __future__ import annotations

import random

import msgspec
import numpy as np

from lrtui.core.protocol.events import Alerted, Column, Ended, Evaluated
from lrtui.core.results.leader import LeaderWatch
from lrtui.core.scenario.spec import with_seeds
from lrtui.core.state.race_state import RaceState, apply
from tests.support.builders import make_race, rewound, started, steps

TOTAL = 400


def events_of(lane, curve, block=20, nan=False):
    """A lane's whole record in blocks of steps."""
    told = [started(lane, TOTAL)]
    for first in range(0, len(curve), block):
        told.append(steps(curve[first : first + block], first, lane))
    if nan:
        told.append(Alerted(lane=lane, step=len(curve) - 1, kind="nan", text=""))
    return [*told, Ended(lane=lane, step=len(curve), reason="nan" if nan else "finished")]


def found(stories, order=None, **race):
    """The changes of a race whose lanes speak in turn, or in a given order of their numbers."""
    state, watch, changes = RaceState(make_race(len(stories), **race)), LeaderWatch(), []
    left = [list(story) for story in stories]
    turns = order or [lane for lane, story in enumerate(left) for _ in story]
    for lane in turns:
        apply(state, left[lane].pop(0))
        changes += watch.look(state)
    return [(one.step, one.leader.letter, one.before.letter) for one in changes]


def crossing(at):
    """Two curves that cross at a step."""
    return np.linspace(2.0, 1.0, TOTAL), np.where(np.arange(TOTAL) < at, 3.0, 0.5)


def test_leader_changes_once_it_has_led_fifty_steps():
    first, second = crossing(200)
    (change,) = found([events_of(0, first), events_of(1, second)])
    step, *lanes = change
    assert lanes == ["B", "A"]
    assert 250 < step < 275  # the smoothed loss crosses some steps after the loss


def test_changes_are_the_same_in_every_order_of_arrival():
    noise = np.random.default_rng(3)
    curves = [np.cumsum(noise.normal(0, 0.1, TOTAL)) + 20 for _ in range(3)]
    stories = [events_of(lane, curve, block=7 + 5 * lane) for lane, curve in enumerate(curves)]
    expected = found(stories)
    assert expected
    turns = [lane for lane, story in enumerate(stories) for _ in story]
    for seed in range(5):
        order = turns.copy()
        random.Random(seed).shuffle(order)
        assert found(stories, order) == expected


def test_short_lead_is_no_change():
    first, second = np.full(TOTAL, 1.0), np.full(TOTAL, 2.0)
    second[100:130] = 0.1  # with the average behind it, ahead for less than fifty
    assert found([events_of(0, first), events_of(1, second)]) == []


def test_lane_that_went_nan_hands_the_lead_over():
    stories = [events_of(0, [0.5] * 99 + [np.nan], nan=True), events_of(1, [1.0] * TOTAL)]
    assert found(stories) == [(149, "B", "A")]


def test_leader_is_ranked_by_the_metric_of_the_race():
    def evaluated(lane, values):
        story = [started(lane, TOTAL)]
        for epoch, value in enumerate(values, 1):
            first = 100 * (epoch - 1)
            story.append(steps([1.0 + lane] * 100, first, lane))
            metrics = {"accuracy": value}
            story.append(
                Evaluated(lane=lane, epoch=epoch, step=100 * epoch, loss=1.0, metrics=metrics)
            )
        return [*story, Ended(lane=lane, step=TOTAL, reason="finished")]

    stories = [evaluated(0, [0.5, 0.6, 0.6, 0.6]), evaluated(1, [0.4, 0.7, 0.1, 0.1])]
    assert found(stories, rank_by="accuracy") == [(249, "B", "A"), (349, "A", "B")]
    assert found(stories, rank_by="accuracy", rank_at="best") == [(249, "B", "A")]
    assert found(stories, rank_by="loss") == []


def test_leader_of_seeds_is_a_group_by_its_mean():
    race = make_race(2)
    race = msgspec.structs.replace(race, lanes=with_seeds(race.lanes, 2), seeds=2)
    state, watch = RaceState(race), LeaderWatch()
    curves = [np.full(TOTAL, 1.0), np.full(TOTAL, 1.0), np.full(TOTAL, 0.5), np.full(TOTAL, 3.0)]
    curves[3][200:] = 0.5
    told = [event for lane, curve in enumerate(curves) for event in events_of(lane, curve)]
    changes = [change for event in told if apply(state, event) for change in watch.look(state)]
    assert [(one.leader.called, one.before.called) for one in changes] == [("B lane 1", "A lane 0")]


def test_seed_that_ended_in_an_error_is_left_out_of_the_mean():
    race = make_race(2)
    race = msgspec.structs.replace(race, lanes=with_seeds(race.lanes, 2), seeds=2)
    state, watch = RaceState(race), LeaderWatch()
    for lane, curve in enumerate(([0.5] * TOTAL, [0.5] * TOTAL, [1.0] * TOTAL, [0.1] * 100)):
        for event in events_of(lane, np.array(curve))[:-1]:
            apply(state, event)
        apply(state, Ended(lane=lane, step=len(curve), reason="error" if lane == 3 else "finished"))
    assert watch.look(state) == []  # A leads: 0.5 beside 0.55, then beside 1.0


def test_metric_of_each_step_may_end_before_the_steps_do():
    state, watch = RaceState(make_race(2, rank_by="score")), LeaderWatch()
    for lane, (score, known) in enumerate(((0.9, 100), (0.5, TOTAL))):
        apply(state, started(lane, TOTAL))
        for first in range(0, TOTAL, 100):
            block = steps([1.0] * 100, first, lane)
            if first < known:
                extra = {"score": Column.pack([score] * 100)}
                block = msgspec.structs.replace(block, columns=block.columns | extra)
            apply(state, block)
        apply(state, Ended(lane=lane, step=TOTAL, reason="finished"))
    assert watch.look(state) == []  # A leads, by the value that it had last


def test_long_record_is_opened_at_its_end():
    state, watch = RaceState(make_race(2)), LeaderWatch()
    for lane, curve in enumerate(crossing(200)):
        apply(state, started(lane))
        apply(state, steps(np.repeat(curve, 200), 0, lane))
    assert watch.look(state) == []  # of the last steps alone: a first leader
    apply(state, rewound(70_000, lane=0))
    assert watch.look(state) == []
