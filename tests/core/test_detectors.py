"""Averages computed by hand, rules that fire at the step that they should, numbers of any kind."""

import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lrtui.core.detectors import PATIENCE, SETTLED, Divergence, Smooth

ANY = st.lists(st.floats(), max_size=60)
TAME = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=60)


def by_hand(values, factor):
    """Sum of factor^k * value over sum of factor^k, the newest with k = 0."""
    finite = [value for value in values if math.isfinite(value)]
    weights = [factor ** (len(finite) - 1 - index) for index in range(len(finite))]
    return math.fsum(w * v for w, v in zip(weights, finite, strict=True)) / math.fsum(weights) if finite else math.nan


def fed(values, factor):
    smooth = Smooth(factor)
    for value in values:
        smooth.update(value)
    return smooth


def said_at(losses):
    """The step (from 0) of each alarm."""
    rule = Divergence()
    return [step for step, loss in enumerate(losses) if rule.update(loss)]


def test_the_first_value_counts_in_full():
    assert fed([7.0], 0.98).value == pytest.approx(7.0)
    assert fed([1.0, 3.0], 0.5).value == pytest.approx((0.5 * 1 + 3) / 1.5)


def test_before_the_first_value_there_is_none():
    assert math.isnan(Smooth().value)
    assert math.isnan(fed([math.nan, math.inf], 0.9).value)


@given(TAME, st.sampled_from([0.5, 0.9, 0.98]))
def test_the_average_is_the_one_computed_by_hand(values, factor):
    assert fed(values, factor).value == pytest.approx(by_hand(values, factor), nan_ok=True, rel=1e-6, abs=1e-6)


@given(TAME, st.integers(1, 20), st.sampled_from([0.5, 0.9, 0.98]))
def test_a_block_at_once_is_the_same_as_its_values_one_by_one(values, size, factor):
    blocks = Smooth(factor)
    for start in range(0, len(values), size):
        blocks.extend(np.array(values[start : start + size]))
    assert blocks.value == pytest.approx(fed(values, factor).value, nan_ok=True, rel=1e-6, abs=1e-6)


def test_a_value_that_is_not_finite_is_skipped():
    assert fed([1.0, math.nan, 2.0, math.inf, -math.inf], 0.9).value == fed([1.0, 2.0], 0.9).value


def test_a_loss_that_falls_raises_no_alarm():
    assert said_at([10 * 0.99**step + 0.1 for step in range(1000)]) == []


def test_noise_raises_no_alarm():
    noise = np.random.default_rng(0).lognormal(sigma=0.4, size=3000)
    assert said_at([float(n) * (0.2 + math.exp(-step / 300)) for step, n in enumerate(noise)]) == []


def test_a_single_spike_raises_no_alarm():
    losses = [1.0] * 200
    losses[100] = 8.0
    assert said_at(losses) == []


def test_four_times_the_best_is_divergence_at_the_first_such_step():
    losses = [1.0] * 100 + [1.0 * 1.1**k for k in range(100)]
    first = said_at(losses)[0]
    smooth = [by_hand(losses[: step + 1], 0.98) for step in range(len(losses))]
    assert first == next(step for step, value in enumerate(smooth) if value > 4 * min(smooth[: step + 1]))


def test_above_its_start_for_twenty_steps_after_step_fifty_is_divergence():
    losses = [1.0] * 5 + [1.5] * 200  # never four times the best, always above 1.2 times the start
    smooth = [by_hand(losses[: step + 1], 0.98) for step in range(len(losses))]
    above = next(step for step, value in enumerate(smooth) if value > 1.2 * median(losses[:5]))
    assert said_at(losses)[0] == max(above, SETTLED) + PATIENCE - 1


def test_a_while_above_its_start_that_ends_in_time_is_none():
    losses = [1.0] * 60 + [8.0] * 3  # the average is above 1.2 for as long as it takes to sink again
    rule = Divergence()
    for loss in losses:
        assert rule.update(loss) is None
    above = 0
    while rule.smooth.value > 1.2:
        assert rule.update(-5.0) is None
        above += 1
    assert 0 < above < PATIENCE
    assert [rule.update(1.0) for _ in range(100)] == [None] * 100


def test_the_start_is_the_median_of_five_so_one_odd_loss_does_not_make_it():
    assert said_at([1.0, 1.0, 1000.0, 1.0, 1.0][:2] + [1.0, 0.001, 1.0] + [1.15] * 300) == []


def test_the_sentence_has_the_numbers():
    rule = Divergence()
    said = next(filter(None, (rule.update(loss) for loss in [1.0, 1.0, 1.0, 1000.0])))
    assert said == f"smoothed loss {rule.smooth.value:.4g} is above 4 times its best, 1"


def test_nan_is_skipped_by_the_rules():
    losses = [1.0] * 100 + [1.0 * 1.1**k for k in range(100)]
    with_nan = [value for loss in losses for value in (loss, math.nan)]
    assert [step // 2 for step in said_at(with_nan)] == said_at(losses) != []
    assert said_at([math.nan] * 100) == []


def test_a_loss_below_zero_is_compared_with_its_start_only():
    assert said_at([-1.0] * 100 + [-0.1] * 100) == []
    assert said_at([1.0] * 5 + [-5.0] * 5 + [2.0] * 300) != []


@given(ANY)
def test_no_numbers_make_the_rules_fail(losses):
    rule = Divergence()
    for loss in losses * 3:
        said = rule.update(loss)
        assert said is None or said.startswith("smoothed loss")


@given(ANY)
def test_no_numbers_make_the_average_fail(values):
    fed(values, 0.98).extend(np.array(values))
