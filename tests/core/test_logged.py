"""Numbers that a script logs: their series, their names beside other quantities, their memory."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lrtui.core.charts.metric_series import quantities, track
from lrtui.core.protocol.events import Evaluated, Logged, Sampled
from lrtui.core.series.sparse import SparseSeries
from lrtui.core.state.logged import MOST_NAMES
from lrtui.core.state.memory_budget import thin_to_fit
from lrtui.core.state.race_state import apply
from support.fake_script import folded, logged, make_script_race, script_started, script_steps

NAMES = [
    "val_loss",
    "epoch",
    "acc",
    "loss",
    "grad_norm",
    "applied_lr/1",
    "logged.acc",
    "metrics.x",
    "step",
]
VALUES = st.floats(width=32) | st.just(math.nan)


def race(*events):
    return folded(make_script_race(), script_started(0), *events)


def names(state):
    return [one.name for one in quantities(state)]


@st.composite
def stories(draw):
    """Blocks of steps and logged numbers in any order, at any steps."""
    events, done = [], 0
    for _ in range(draw(st.integers(0, 8))):
        if draw(st.booleans()):
            losses = draw(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=5))
            events.append(script_steps(losses, first=done))
            done += len(losses)
        else:
            at = sorted(draw(st.lists(st.integers(0, 50), min_size=1, max_size=5)))
            used = draw(st.lists(st.sampled_from(NAMES), unique=True))
            columns = {
                name: draw(st.lists(VALUES, min_size=len(at), max_size=len(at))) for name in used
            }
            events.append(logged(at, **columns))
    return events


@given(stories())
def test_any_order_of_events_gives_sorted_series_without_nan(events):
    state = race(*events)
    lane = state.lanes[0]
    known = {}
    for one in quantities(state):
        found = track(lane, one.name)
        if found is not None and found.steps is not None:
            assert (np.diff(found.steps) >= 0).all()
            assert not np.isnan(found.series.values).any()
            known[one.name] = len(found.series)
    for name, sparse in lane.logged.items():
        meant = sum(
            int((~np.isnan(event.values(name))).sum())
            for event in events
            if isinstance(event, Logged) and name in event.columns
        )
        assert len(sparse.series) == meant
        assert meant in (known.get(name), known.get(f"logged.{name}"))


def test_values_lie_at_the_last_step_before_they_were_logged():
    state = race(script_steps([1.0] * 20), logged([10, 20], acc=[0.5, 0.75]))
    found = track(state.lanes[0], "acc")
    assert found.steps.tolist() == [9, 19]
    assert found.at(15) == (9, 0.5)


def test_the_newest_numbers_are_metrics_of_the_lane():
    state = race(
        script_steps([1.0] * 4), logged([2], acc=[0.5], val_loss=[2.0]), logged([4], acc=[0.25])
    )
    assert state.lanes[0].metrics == {"acc": 0.25, "val_loss": 2.0}
    apply(state, logged([4], loss=[7.0]))
    assert state.lanes[0].metrics["logged.loss"] == 7.0


def test_a_pane_keeps_to_one_kind_of_images():
    def image(name, step):
        return Sampled(lane=0, epoch=0, step=step, shape=(1, 1, 1, 3), pixels=b"abc", name=name)

    state = race(image("filters", 1), image("inputs", 2), image("filters", 3), image("inputs", 4))
    assert state.lanes[0].sample == image("filters", 3)


def test_names_that_mean_something_else_are_kept_apart():
    state = race(
        script_steps([1.0, 2.0]),
        Evaluated(lane=0, epoch=1, step=2, loss=1.0, metrics={"f1": 0.1}),
        logged(
            [2], loss=[7.0], grad_norm=[8.0], val_loss=[3.0], f1=[0.2], **{"logged.loss": [9.0]}
        ),
    )
    lane = state.lanes[0]
    assert {"logged.loss", "logged.grad_norm", "val_loss", "f1", "logged.f1"} <= set(names(state))
    last = {name: track(lane, name).series.last for name in names(state)}
    assert last["loss"] == 2.0
    assert last["logged.loss"] == 7.0
    assert last["grad_norm"] == 1.0
    assert last["logged.grad_norm"] == 8.0
    assert (last["f1"], last["logged.f1"]) == (pytest.approx(0.1), pytest.approx(0.2))
    assert last["logged.logged.loss"] == 9.0


def test_a_reserved_name_is_not_drawn_as_what_is_recorded():
    state = race(logged([1], grad_norm=[8.0]))
    assert track(state.lanes[0], "grad_norm") is None
    assert track(state.lanes[0], "logged.grad_norm").series.last == 8.0


def test_names_without_end_fill_no_memory():
    state = race(*(logged([1], **{f"n{number}": [1.0]}) for number in range(2 * MOST_NAMES)))
    assert len(state.lanes[0].logged) == MOST_NAMES


def test_logged_numbers_count_towards_the_memory_budget():
    rng = np.random.default_rng(0)
    values = rng.normal(size=100_000)
    values[1234], values[4321] = 99.0, -99.0
    state = race(logged(list(range(1, len(values) + 1)), noise=values.tolist()))
    before = state.lanes[0].logged["noise"].nbytes
    thin_to_fit(state.lanes, before // 4)
    found = track(state.lanes[0], "noise")
    assert state.lanes[0].logged["noise"].nbytes <= before // 4
    assert found.at(1234) == (1234, 99.0)
    assert found.at(4321) == (4321, -99.0)
    assert found.series.values[-100:] == pytest.approx(values[-100:], rel=1e-6)


def test_what_is_few_is_not_thinned():
    sparse = SparseSeries()
    sparse.add(list(range(4000)), [1.0] * 4000)
    assert sparse.thin() == 0
    assert len(sparse.series) == 4000
