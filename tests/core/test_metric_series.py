"""The quantities of a lane: which there are, where their values lie, and that they follow a lane
forward and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrtui.core.charts.axes import XAxis
from lrtui.core.charts.metric_series import Quantity, quantities, smoothed, track
from lrtui.core.protocol.events import Column, Evaluated, Rewound, Steps
from lrtui.core.state.race_state import RaceState, apply
from support.builders import block, make_race, measured, started, steps
from support.curves import tensorboard
from support.param_groups import with_groups


def evaluated(epoch, step, **metrics):
    return Evaluated(lane=0, at=1.0, epoch=epoch, step=step, loss=1.0, metrics=metrics)


def raced(*events):
    state = RaceState(make_race(2))
    for event in (started(0), *events):
        apply(state, event)
    return state


def test_quantities_are_those_that_any_lane_has_in_a_fixed_order():
    assert [each.name for each in quantities(raced())] == ["loss"]
    first = block(0, [1.0], [0.1], 11.0)
    both = Steps(
        lane=0,
        at=11.0,
        first=0,
        count=1,
        columns={**first.columns, "applied_lr/1": Column.pack([1.0])},
    )
    state = raced(
        both,
        evaluated(1, 1, acc=0.5, val_loss=2.0),
        measured([0], gain=[0.5], update_ratio=[-3.0], step_size=[1.0]),
    )
    assert [each.name for each in quantities(state)] == [
        "loss",
        "val_loss",
        "acc",
        "grad_norm",
        "update_ratio",
        "gain",
        "applied_lr",
        "applied_lr/1",
    ]
    assert quantities(state)[1] == Quantity("val_loss", "val loss", True)
    assert {each.label for each in quantities(state)} >= {
        "loss",
        "acc",
        "grad norm",
        "update ratio group 1",
        "rate group 1",
        "rate group 2",
    }
    assert [each.log for each in quantities(state)][:3] == [True, True, False]


def test_a_quantity_that_a_lane_has_not_is_none():
    state = raced()
    for name in ("loss", "val_loss", "gain", "nothing"):
        assert track(state.lanes[0], name) is None
        assert smoothed(state.lanes[0], name, 0.5) is None


def test_values_lie_at_their_steps():
    state = raced(
        block(0, [3.0, math.nan, 1.0], [0.1] * 3, 11.0),
        evaluated(1, 2, acc=0.5),
        evaluated(2, 3, acc=0.75),
        measured([0, 2], gain=[0.5, math.nan], update_ratio=[-3.0, -2.0]),
    )
    lane = state.lanes[0]
    assert [track(lane, "loss").at(step) for step in (-1, 0, 2, 9)] == [
        None,
        (0, 3.0),
        (2, 1.0),
        (2, 1.0),
    ]
    assert math.isnan(track(lane, "loss").at(1)[1])
    assert [track(lane, "acc").at(step) for step in (0, 1, 2, 9)] == [
        None,
        (1, 0.5),
        (2, 0.75),
        (2, 0.75),
    ]
    assert track(lane, "gain").steps.tolist() == [0, 2]
    assert track(lane, "update_ratio").series.values == pytest.approx([1e-3, 1e-2])


def test_a_track_grows_with_its_lane_and_is_not_made_anew():
    state = raced(
        block(0, [1.0] * 5, [0.1] * 5, 11.0), evaluated(1, 5, acc=0.5), measured([1], gain=[0.5])
    )
    lane = state.lanes[0]
    before = [track(lane, name).series for name in ("loss", "acc", "gain")] + [
        smoothed(lane, "loss", 0.9).series
    ]
    for event in (
        block(5, [2.0] * 5, [0.1] * 5, 12.0),
        evaluated(2, 10, acc=0.75),
        measured([7], gain=[0.25]),
    ):
        apply(state, event)
    after = [track(lane, name).series for name in ("loss", "acc", "gain")] + [
        smoothed(lane, "loss", 0.9).series
    ]
    assert all(one is other for one, other in zip(before, after, strict=True))
    assert [len(one) for one in after] == [10, 2, 2, 10]


def test_a_way_back_cuts_all_tracks():
    state = raced(
        block(0, [1.0, 2.0, 3.0, 4.0], [0.1] * 4, 11.0),
        evaluated(1, 2, acc=0.5),
        evaluated(2, 4, acc=0.75),
        measured([0, 3], gain=[0.5, 0.25]),
    )
    lane = state.lanes[0]
    for name in ("loss", "acc", "gain"):
        smoothed(lane, name, 0.9)
    apply(state, Rewound(lane=0, at=20.0, step=2, why="rewound"))
    assert [len(track(lane, name).series) for name in ("loss", "acc", "gain")] == [2, 1, 1]
    for event in (
        block(2, [9.0, 8.0], [0.1] * 2, 21.0),
        evaluated(2, 4, acc=0.25),
        measured([3], gain=[0.125]),
    ):
        apply(state, event)
    assert track(lane, "acc").series.values.tolist() == [0.5, 0.25]
    assert track(lane, "gain").series.values.tolist() == [0.5, 0.125]
    for name in ("loss", "acc", "gain"):
        np.testing.assert_allclose(
            smoothed(lane, name, 0.9).series.values,
            tensorboard(track(lane, name).series.values.tolist(), 0.9),
            rtol=1e-6,
        )


def test_a_smoothed_track_follows_every_block_and_only_a_few_are_kept():
    state, random = raced(), np.random.default_rng(0)
    lane, losses = state.lanes[0], random.normal(size=600)
    losses[[50, 51, 300]] = math.nan
    for first in range(0, 600, 30):
        apply(state, block(first, losses[first : first + 30], [0.1] * 30, 11.0 + first))
        found = smoothed(lane, "loss", 0.97)
        np.testing.assert_allclose(
            found.series.values,
            tensorboard(losses[: first + 30].tolist(), 0.97),
            rtol=1e-5,
            atol=1e-7,
        )
    for weight in (0.1, 0.2, 0.3, 0.4, 0.5):
        smoothed(lane, "loss", weight)
    assert len([key for key in lane.derived if key[0] == "smoothed"]) == 3
    assert smoothed(lane, "loss", 0.0) == track(lane, "loss")


def test_sparse_points_are_in_a_window_with_their_neighbours_outside():
    epochs = [evaluated(epoch, 10 * epoch, acc=float(epoch)) for epoch in range(1, 6)]
    state = raced(block(0, [1.0] * 50, [0.1] * 50, 15.0), *epochs)
    lane = state.lanes[0]
    window = track(lane, "acc").window(lane, state.race, XAxis("step", False, 15.0, 35.0), 20)
    assert np.flatnonzero(~np.isnan(window.lo)).tolist() == [4, 14]
    assert (window.before, window.after) == ((-6, 1.0), (24, 4.0))


def test_labels_have_the_names_of_param_groups_that_lanes_agree_on():
    def labels(*names):
        state = RaceState(make_race(len(names)))
        for lane, each in enumerate(names):
            for event in with_groups([started(lane), steps([1.0], lane=lane)], each):
                apply(state, event)
        return [one.label for one in quantities(state) if one.name.startswith("applied_lr")]

    assert (
        labels(("body", "head")) == labels(("body", "head"), ("all",)) == ["rate body", "rate head"]
    )
    assert labels(("body", "head"), ("body", "tail")) == ["rate body", "rate/1"]
    assert labels(("all",), ("all",)) == ["rate"]
