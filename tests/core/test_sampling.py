"""With a clock of its own: how often a lane is measured, and that it never costs more than it may."""

import math
import random

import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core import thresholds as limits
from lrtui.core.detectors import early_steps
from lrtui.core.sampling import Sampling


class Lane:
    """A lane on a fake clock: each step takes `step_s`, and `cost()` more where it is measured."""

    def __init__(self, total, step_s, cost, pace=0, first_s=None):
        self.sampling = Sampling(total, pace)
        self.measured, self.costs, self.training = [], [], 0.0
        for step in range(total):
            took = first_s if step == 0 and first_s is not None else step_s() if callable(step_s) else step_s
            self.training += max(took, 1 / pace if pace else 0.0)
            if self.sampling.due(step):
                self.measured.append(step)
                self.costs.append(cost() if callable(cost) else cost)
                self.sampling.spent(0.25 * self.costs[-1])
                self.sampling.sampled(0.75 * self.costs[-1])
                took += self.costs[-1]
            self.sampling.stepped(took)
            following = self.sampling._next
            assert following is None or following > step or following == 0

    @property
    def early(self):
        return [step for step in self.measured if step < early_steps(self.sampling.total)]

    @property
    def share(self):
        return sum(self.costs) / self.training


LENGTHS = st.sampled_from([50, 60, 100, 133, 250, 400, 1000, 4000])


@given(LENGTHS, st.floats(1.001e-3, 0.5), st.floats(0.01, 3.0), st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_measuring_takes_at_most_its_share_and_one_sample_more(total, step_s, times, seed):
    draw = random.Random(seed)
    lane = Lane(total, step_s, lambda: step_s * times * draw.uniform(0.8, 1.2), first_s=step_s * 10)
    over = sum(lane.costs) - limits.SHARE * step_s * total
    assert over <= max(lane.costs) + 0.4 * step_s * times
    assert lane.sampling.total_spent == pytest.approx(sum(lane.costs))


@given(LENGTHS, st.floats(3.0, 100.0))
@settings(max_examples=30, deadline=None)
def test_a_sample_that_costs_many_steps_is_taken_at_most_twice_too_often(total, times):
    lane = Lane(total, 0.01, 0.01 * times)  # the second may come before the length of a step is known
    assert sum(lane.costs) <= limits.SHARE * 0.01 * total + 2 * lane.costs[0]


@pytest.mark.parametrize("times", [0.3, 1.0, 3.0])
def test_a_long_lane_keeps_to_its_share_and_is_measured_to_its_end(times):
    lane = Lane(100_000, 0.002, 0.002 * times)
    assert min(0.02, 0.9 * times / limits.LATE_STRIDE) < lane.share <= limits.SHARE
    assert lane.measured[-1] > 99_000
    assert min(b - a for a, b in zip(lane.measured, lane.measured[1:], strict=False) if a >= 100) >= limits.LATE_STRIDE


def test_a_first_sample_that_is_dear_costs_itself_and_nothing_more():
    costs = iter([1.0, *[0.001] * 10_000])
    lane = Lane(2000, 0.01, lambda: next(costs), first_s=3.0)
    assert len(lane.early) >= limits.EARLY_SAMPLES - 2


def test_after_a_hiccup_there_are_fewer():
    costs = iter([0.001] * 6 + [0.5] + [0.001] * 6 + [0.5] + [0.001] * 10_000)
    lane = Lane(2000, 0.01, lambda: next(costs))
    assert sum(lane.costs) <= limits.SHARE * 0.01 * 2000 + 2 * 0.5
    assert len(lane.measured) < 30 < len(Lane(2000, 0.01, 0.001).measured)


@pytest.mark.parametrize("total", [60, 250, 1000, 50_000])
@pytest.mark.parametrize("times", [0.5, 2.0, 5.0])
def test_short_steps_still_have_their_early_samples(total, times):
    lane = Lane(total, 1e-4, 1e-4 * times)
    assert limits.EARLY_SAMPLES - 2 <= len(lane.early) <= limits.EARLY_SAMPLES


def test_the_early_samples_are_spread_over_the_window():
    lane = Lane(1000, 0.01, 0.001)
    gaps = [b - a for a, b in zip(lane.early, lane.early[1:], strict=False)]
    assert lane.measured[0] == 0
    assert max(gaps) - min(gaps) <= 2
    assert len(lane.early) >= limits.EARLY_SAMPLES - 2


@pytest.mark.parametrize("total", [100, 133, 200, 400, 5000])
def test_a_lane_has_as_many_early_samples_as_it_can_afford(total):
    lane = Lane(total, 0.005, 0.0015, first_s=0.1)
    afforded = limits.EARLY_TIME * limits.SHARE * total / 0.3
    assert 0.8 * min(limits.EARLY_SAMPLES, afforded) - 1 <= len(lane.early) <= min(limits.EARLY_SAMPLES, afforded)


def test_a_short_lane_is_measured_as_soon_as_the_length_of_its_steps_is_known():
    lane = Lane(50, 0.01, 0.002)  # 3 % are seven samples; after the first one nothing but its own cost was known
    assert len(lane.measured) >= limits.LEAST_SAMPLES + 1
    assert lane.share <= limits.SHARE


def test_where_a_sample_costs_more_than_the_share_of_the_lane_there_is_only_the_first():
    assert Lane(50, 0.01, 0.05).measured == [0]
    assert len(Lane(1000, 0.01, 1.0).measured) <= 2


def test_the_pace_of_a_race_is_the_time_that_a_step_takes():
    paced, free = Lane(600, 0.002, 0.004, pace=40), Lane(600, 0.002, 0.004)
    assert len(paced.early) >= limits.EARLY_SAMPLES - 2 > len(free.early)
    assert paced.share <= limits.SHARE


@pytest.mark.parametrize("total", [1, 2, 3, 20])
@pytest.mark.parametrize("step_s", [0.0, 1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("cost", [0.0, 1e-5, 10.0])
def test_the_shortest_lanes_and_clocks_that_stand_still_are_no_trouble(total, step_s, cost):
    lane = Lane(total, step_s, cost)
    assert lane.measured[0] == 0
    assert len(set(lane.measured)) == len(lane.measured)
    assert math.isfinite(lane.sampling.total_spent)


def test_a_lane_whose_steps_are_never_measured_is_planned_for_all_the_same():
    sampling = Sampling(100)
    for step in range(100):
        assert sampling.due(step) == (step == 0)
        sampling.stepped(0.01)
