"""When a lane's smoothed loss came down to a value: as a lane that is looked at step by step says
it, in any blocks."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.protocol.events import LaneAdded, Rewound
from lrtui.core.results.time_to_target import AT_ONCE, FINE, Descent, TimeToTarget
from lrtui.core.series.ema import Ema
from lrtui.core.state.race_state import apply
from support.builders import race_of, steps


def averages(losses):
    average = Ema(0.9)
    return np.array([average.update(loss) for loss in losses])


LOSSES = st.lists(
    st.floats(-5, 50) | st.sampled_from([math.nan, math.inf]) | st.floats(1e-6, 1e6),
    min_size=1,
    max_size=300,
)


@given(LOSSES, st.lists(st.integers(1, 80), max_size=8), st.floats(-5, 60))
@settings(deadline=None)
def test_it_says_what_looking_at_each_step_says(losses, cuts, target):
    descent, values = Descent(), averages(losses)
    edges = [0, *np.cumsum(cuts).clip(max=len(losses)).tolist(), len(losses)]
    for start, stop in pairwise(edges):
        descent.extend(np.array(losses[start:stop]))
    finite = np.isfinite(losses)
    if finite.any():
        assert descent.lowest == pytest.approx(np.nanmin(values), rel=1e-9, abs=1e-9)
    rounding = 1e-9 * max(1.0, abs(target))
    certain = np.flatnonzero(finite & (values <= target - rounding))
    possible = np.flatnonzero(finite & (values <= target + 1.01 * FINE * abs(target) + rounding))
    found = descent.reached(target)
    assert found is not None or not len(certain)
    assert found is None or possible[0] + 1 <= found <= (
        certain[0] + 1 if len(certain) else len(losses)
    )


def test_a_million_steps_cost_a_few_thousand_numbers():
    descent = Descent()
    descent.extend(np.exp(-np.arange(1e6) / 1e5))
    assert descent.reached(math.exp(-5)) == pytest.approx(500_000, abs=200)
    assert len(descent._steps) < 12_000


def test_a_long_record_is_taken_in_a_piece_at_a_look():
    state = race_of(([1.0] * (AT_ONCE + 10), None))
    time_to_target = TimeToTarget()
    assert not time_to_target.look(state.lanes)
    assert time_to_target.look(state.lanes)
    assert time_to_target.reached(state.lanes[0], state.lanes, 1.0) == 1


def test_the_usual_target_is_a_tenth_above_the_lowest_of_any_lane():
    state = race_of(([4.0] * 10, None), ([2.0] * 10 + [math.nan], "nan"), ([], None))
    time_to_target = TimeToTarget()
    assert math.isnan(time_to_target.usual_target(state.lanes))
    time_to_target.look(state.lanes)
    assert time_to_target.usual_target(state.lanes) == pytest.approx(2.2)
    assert [time_to_target.reached(lane, state.lanes, 2.2) for lane in state.lanes] == [
        None,
        1,
        None,
    ]


def test_where_losses_are_below_zero_a_tenth_above_is_still_above():
    time_to_target, state = TimeToTarget(), race_of(([-4.0] * 10, None))
    time_to_target.look(state.lanes)
    assert time_to_target.usual_target(state.lanes) == pytest.approx(-3.6)


def test_a_lane_that_goes_back_has_not_been_there():
    state = race_of(([4.0] * 10 + [1.0] * 40, None))
    time_to_target = TimeToTarget()
    time_to_target.look(state.lanes)
    assert time_to_target.reached(state.lanes[0], state.lanes, 1.5) == 24
    apply(state, Rewound(lane=0, step=10, why="rewound"))
    apply(state, steps([4.0] * 60, first=10))
    time_to_target.look(state.lanes)
    assert time_to_target.reached(state.lanes[0], state.lanes, 1.5) is None


def test_a_fork_has_been_where_its_parent_was_before_it():
    state = race_of(([4.0] * 10 + [1.0] * 40, None))
    for step in (5, 50):
        apply(
            state, LaneAdded(lane=len(state.lanes), parent=0, step=step, child=state.race.lanes[0])
        )
    time_to_target = TimeToTarget()
    time_to_target.look(state.lanes)
    assert [time_to_target.reached(lane, state.lanes, 1.5) for lane in state.lanes] == [
        24,
        None,
        24,
    ]
