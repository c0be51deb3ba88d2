"""Which steps are measured depends on the step and the lane's length, and on nothing else."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.protocol import thresholds
from lrtui.core.protocol.thresholds import early_steps

TOTALS = st.integers(1, 5000)


def measured(total):
    return [step for step in range(total) if Sampling(total).due(step)]


@given(TOTALS)
def test_the_first_step_is_measured_and_the_early_window_is_covered_evenly(total):
    early = [step for step in measured(total) if step < early_steps(total)]
    assert early[0] == 0
    gaps = [b - a for a, b in pairwise(early)]
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert len(early) == min(total, thresholds.EARLY_SAMPLES) or total < early_steps(total)


@given(TOTALS)
def test_later_ones_lie_a_fixed_number_of_steps_apart(total):
    late = [step for step in measured(total) if step >= early_steps(total)]
    assert late == list(range(early_steps(total), total, thresholds.LATE_STRIDE))


@given(TOTALS, st.permutations(range(0, 5000, 7)))
def test_the_order_of_questions_makes_no_difference(total, order):
    sampling = Sampling(total)
    assert {step for step in order if sampling.due(step)} == {
        step for step in range(0, 5000, 7) if Sampling(total).due(step)
    }


@pytest.mark.parametrize("total", [100, 250, 400, 1000, 20_000])
def test_a_lane_is_measured_at_a_small_share_of_its_steps(total):
    assert len(measured(total)) <= thresholds.EARLY_SAMPLES + total / thresholds.LATE_STRIDE


def test_only_early_steps_are_compared_with_the_initial_weights():
    sampling = Sampling(1000)
    assert [step for step in measured(1000) if sampling.compared(step)] == [
        step for step in measured(1000) if step < 100
    ]
