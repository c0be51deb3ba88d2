"""Lanes that stand still, whose losses are nothing but noise of their batches, are never called
diverged, hot or at the floor."""

import math
import sys

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

from lrtui.core.diagnostics.baseline import (
    Baseline,
    Promise,
    Reach,
    deviation_of,
    mean_of,
    spread_of,
    widened,
)
from lrtui.core.diagnostics.loss_monitor import LossMonitor
from lrtui.core.protocol import thresholds

NOISES = {
    "squares": lambda draw, size: draw.normal(size=size) ** 2,
    "exponential": lambda draw, size: draw.exponential(size=size),
    "outliers": lambda draw, size: (
        draw.normal(size=size) ** 2 * np.where(draw.random(size) < 0.05, 100.0, 1.0)
    ),
}


def judged(losses, gain=1.0, change=1e-7, still=True):
    """What is said of a lane whose every eighth step is measured, and whether it is alarmed;
    `still`: it never moves."""
    judge, alarms = LossMonitor(len(losses)), []
    for step, loss in enumerate(losses):
        if still and step % 8 == 0:
            pair = (loss, loss) if step < 100 else (loss, math.nan)
            judge.measured(step, gain, change, change * loss, pair)
        said, _ = judge.update(loss, 1.0)
        alarms += [said] if said else []
    return judge.findings(), alarms


@pytest.mark.parametrize("batch", [1, 2, 4, 8, 16, 32])
@pytest.mark.parametrize("noise", NOISES)
def test_a_net_that_never_changes_is_cold_and_nothing_else(noise, batch):
    for seed in range(60):
        losses = NOISES[noise](np.random.default_rng(seed), (300, batch)).mean(1).tolist()
        found, alarms = judged(losses)
        assert (alarms, found.word, found.moved) == ([], "cold", False)


@pytest.mark.parametrize("batch", [4, 8, 16, 32])
@pytest.mark.parametrize("noise", ["squares", "exponential"])
def test_without_a_gauge_it_raises_no_alarm_either(noise, batch):
    for seed in range(60):
        losses = NOISES[noise](np.random.default_rng(seed), (300, batch)).mean(1).tolist()
        assert judged(losses, still=False)[1] == []


def test_large_losses_are_judged_like_small_ones():
    losses = NOISES["squares"](np.random.default_rng(3), (300, 16)).mean(1)
    for scale in (1e-12, 1.0, 1e13):
        assert judged((scale * losses).tolist())[1] == []


def test_a_lane_that_really_rises_is_told_in_spite_of_the_noise():
    noise = NOISES["squares"](np.random.default_rng(1), (300, 8)).mean(1)
    rising = (noise * np.concatenate([np.ones(150), np.geomspace(1, 100, 150)])).tolist()
    judge, alarms = LossMonitor(300), []
    for step, loss in enumerate(rising):
        if step % 8 == 0:
            judge.measured(
                step,
                0.3,
                0.5,
                0.5 * loss,
                (loss, float(noise[step])) if step < 100 else (loss, math.nan),
            )
        said, _ = judge.update(loss)
        alarms += [said] if said else []
    assert alarms


class TestFloor:
    def flat(self, change, seed=0, fallen=1.0):
        """Findings on a lane whose every step promises to change the loss by `change` of itself;
        None: nothing is measured."""
        losses = NOISES["squares"](np.random.default_rng(seed), (400, 16)).mean(1)
        losses[50:] *= fallen
        return judged(losses.tolist(), change=change or 0.0, still=change is not None)[0]

    @pytest.mark.parametrize(("change", "settled"), [(1e-7, False), (1e-3, False), (1e-2, True)])
    def test_a_lane_whose_steps_are_too_short_has_not_come_to_the_floor(self, change, settled):
        found = self.flat(change)
        assert found.flat_since is not None
        assert found.settled == settled

    @pytest.mark.parametrize(("fallen", "settled"), [(1.0, False), (0.2, True)])
    def test_without_a_gauge_the_loss_must_have_fallen(self, fallen, settled):
        found = self.flat(None, fallen=fallen)
        assert found.flat_since is not None
        assert found.settled == settled


class TestReach:
    def test_nothing_is_known_before_the_first_measured_step(self):
        assert Reach().moved(0)
        assert Reach().moved(1000)

    def test_small_changes_add_up_over_the_steps(self):
        reach = Reach()
        reach.measured(0, 1e-4)
        assert not reach.moved(100)
        assert reach.moved(600)

    def test_of_two_measured_steps_the_larger_change_counts_for_those_between(self):
        reach = Reach()
        reach.measured(0, 1e-9)
        reach.measured(100, 1e-2)
        assert reach.moved(100)

    @pytest.mark.parametrize("change", [math.nan, math.inf])
    def test_a_change_that_is_not_known_is_a_move(self, change):
        reach = Reach()
        reach.measured(0, change)
        assert reach.moved(0)
        assert reach.moved(1)


class TestBaseline:
    def test_noise_and_start_are_those_of_the_initial_weights(self):
        base = Baseline()
        for loss, initial in ((1.0, 2.0), (0.5, 4.0), (0.25, 6.0)):
            base.update(loss, initial)
        assert (base.start, base.highest, base.noise) == (4.0, 6.0, pytest.approx(0.5))
        assert base.rise == pytest.approx(-1.0 / 4.0)

    def test_progress_compares_the_same_batches(self):
        base = Baseline()
        draw = np.random.default_rng(0)
        for initial in draw.exponential(size=12):
            base.update(0.5 * initial, initial)
        assert base.progress() == (pytest.approx(0.5), pytest.approx(0.0, abs=1e-12))

    def test_pairs_that_are_not_finite_say_nothing(self):
        base = Baseline()
        for pair in ((math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0)):
            base.update(*pair)
        assert not base.known
        assert (base.noise, base.margin(5.0)) == (0.0, 1.0)


def test_a_promise_of_less_than_the_loss_says_nothing():
    promise = Promise()
    promise.measured(0, 0.01)
    assert math.isnan(promise.kept(100, dropped=0.5, start=1.0))
    promise = Promise()
    promise.measured(0, 1.0)
    assert promise.kept(100, dropped=0.5, start=1.0) == pytest.approx(0.005)


def test_thresholds_are_widened_by_noise_and_not_without_it():
    assert widened(0.0, 12, 50.0) == 1.0
    assert widened(0.5, 12, 0.0) == pytest.approx(
        1 + thresholds.NOISE_SIGMAS * 0.5 * math.sqrt(1 / 12 + thresholds.AVERAGE_SHARE)
    )
    assert widened(0.5, 12, 1e9) == widened(0.5, 12, thresholds.RARE * 0.5)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=30))
@example([sys.float_info.max] * 3)
def test_numbers_of_any_size_have_a_mean_and_a_deviation(values):
    assert math.isfinite(mean_of(values))
    assert deviation_of(values) >= 0
    assert 0 <= spread_of(values) <= thresholds.MOST_NOISE
