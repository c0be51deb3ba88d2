"""The finder's rules against hand computation, against recorded sweeps, and against any floats at
all."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from lrtui.core.results.lr_suggestions import (
    FEWEST_POINTS,
    LEAST_USABLE,
    RULES,
    bounds,
    find,
    minimum,
    slide,
    smoothed,
    steep,
    valley,
)
from support.fake_sweep import SWEEPS

SUGGESTED = {
    "linear SGD": (5.214e-4, 1.353e-6, 1.233e-3, 6.428e-7),
    "linear Adam": (4.535e-2, 1.353e-6, 2.257e-1, 6.428e-7),
    "lr-dial SGD": (2.420e-1, 3.275, 3.944e-1, 2.420e-1),
    "lr-dial Adam": (7.055e-3, 4.863e-3, 3.275e-1, 2.420e-1),
    "circles-squares SGD": (2.154e-2, 4.229e-1, 5.094e-2, 2.420e-1),
    "circles-squares Adam": (4.329e-4, 1.789e-2, 2.595e-3, 1.485e-2),
}
"""valley, steep, minimum, slide of each."""
FLOATS = st.lists(
    st.one_of(
        st.floats(), st.sampled_from([0.0, 1.0, -1.0, math.nan, math.inf, 1e308, -1e308, 1e-320])
    ),
    max_size=80,
)


def rates(count, low=1e-7, high=10.0):
    return np.array([low * (high / low) ** (step / (count - 1)) for step in range(count)])


def recorded(name):
    entry = SWEEPS[name]
    return (
        rates(100)[: len(entry["losses"])],
        [float(value) for value in entry["losses"]],
        entry["bad"],
    )


def valley_as_written_down(lr, s):
    """The rule word for word, in O(n^2): the longest strictly falling subsequence, by the table of
    lengths."""
    lengths = [1] * len(s)
    for i in range(len(s)):
        for j in range(i):
            if s[i] < s[j] and lengths[i] < lengths[j] + 1:
                lengths[i] = lengths[j] + 1
    e = lengths.index(max(lengths))
    b = e - lengths[e]
    return lr[max(0, b + int((e - b) / 3) + int((e - b) / 3 / 2))]


class TestTheRules:
    def test_valley_lies_half_way_down_the_longest_fall(self):
        # 5 4 3 2 1 0, ending at 7: b = 1, the rate at 1 + 2 + 1
        s = np.array([5.0, 5, 4, 3, 6, 2, 1, 0, 7, 8])
        assert valley(np.arange(10.0), s) == 4.0

    def test_valley_of_a_fall_from_beginning_to_end(self):
        assert valley(np.arange(30.0), np.arange(30.0)[::-1]) == -1 + 10 + 5

    def test_valley_where_nothing_falls_is_the_first_rate(self):
        assert valley(np.arange(1.0, 31.0), np.arange(30.0)) == 1.0

    def test_steep_divides_by_the_logarithm_of_the_rate(self):
        # per factor e: -0.43, -0.33, -0.22
        lr, s = np.array([1.0, 10, 1000, 1e4]), np.array([9.0, 8, 6.5, 6])
        assert steep(lr, s) == 1.0
        assert steep(lr, np.array([9.0, 8, 4, 3.5])) == 10.0

    def test_minimum_is_a_tenth_of_the_lowest(self):
        assert minimum(np.array([1.0, 2, 4]), np.array([3.0, 1, 2])) == 0.2

    def test_slide_stops_where_two_slopes_fifteen_points_apart_are_alike(self):
        s = np.concatenate([np.zeros(20), -(np.arange(20.0) ** 2) / 10])  # level, then ever steeper
        lr = np.arange(40.0)
        slopes = np.gradient(s)
        right, left = 39, 24
        while abs(slopes[right] - slopes[left]) > 0.005:
            right, left = right - 1, left - 1
        assert slide(lr, s) == lr[left] == 4.0  # the slope is level up to 19

    def test_slide_that_never_levels_out_is_the_lowest_rate(self):
        assert slide(np.arange(1.0, 41.0), np.arange(40.0) ** 2) == 1.0

    def test_the_average_is_debiased(self):
        assert smoothed(np.full(5, 3.0)) == pytest.approx([3.0] * 5)
        weights = 0.02 * 0.98 ** np.arange(2, -1, -1)
        assert smoothed(np.array([1.0, 2.0, 4.0]))[-1] == pytest.approx(
            weights @ [1, 2, 4] / (1 - 0.98**3)
        )

    @given(st.lists(st.floats(0.0, 1.0), min_size=30, max_size=120), st.integers(1, 8))
    def test_valley_is_the_rule_as_written_down(self, values, levels):
        s = np.round(np.array(values) * 10**levels)  # few levels: many equal values
        lr = rates(len(s))
        assert valley(lr, s) == valley_as_written_down(lr, s)


class TestRecordedSweeps:
    @pytest.mark.parametrize("name", SWEEPS)
    def test_what_the_rules_suggest(self, name):
        lr, losses, bad = recorded(name)
        found = find(lr, losses, bad, 100)
        assert found.reason == ""
        assert [found.suggestions[rule] for rule in RULES] == pytest.approx(
            SUGGESTED[name], rel=1e-3
        )
        assert list(found.suggestions) == ["valley", "steep", "minimum", "slide"]
        assert found.end == SWEEPS[name]["end"]
        assert (found.first, found.last) == (10, found.end - 5)
        assert found.disagreement == pytest.approx(
            max(SUGGESTED[name]) / min(SUGGESTED[name]), rel=2e-3
        )

    @pytest.mark.parametrize("name", SWEEPS)
    def test_a_valley_of_a_real_sweep_is_the_rule_as_written_down(self, name):
        lr, losses, bad = recorded(name)
        found = find(lr, losses, bad, 100)
        used = slice(found.first, found.last)
        assert found.suggestions["valley"] == valley_as_written_down(
            lr[used].tolist(), found.smooth[used].tolist()
        )

    def test_a_thousand_points_and_ten_thousand_are_no_trouble(self):
        lr = rates(10_000)
        noise = np.random.default_rng(0).normal(size=10_000)
        assert find(lr, 5 - np.linspace(0, 3, 10_000) + noise).suggestions["valley"] > 0


class TestWhereASweepEnds:
    def test_at_the_first_loss_that_is_not_finite(self):
        losses = np.linspace(2, 1, 100)
        losses[80] = math.inf
        found = find(rates(100), losses)
        assert (found.end, found.last) == (80, 75)
        assert "not finite at rate" in found.ending

    def test_at_a_gradient_that_was_not_finite(self):
        found = find(rates(100), np.linspace(2, 1, 100), bad=70)
        assert found.end == 70

    def test_where_the_average_is_above_four_times_its_best(self):
        losses = np.concatenate([np.linspace(2, 1, 80), np.full(20, 1e6)])
        found = find(rates(100), losses)
        assert found.end == 80
        assert "above 4 times its best" in found.ending
        assert find(rates(100), -losses).end == 100, "a best below zero has no multiples"

    def test_not_at_all(self):
        assert find(rates(100), np.linspace(2, 1, 100)).ending == "it ran to its end"
        assert (
            "before all of its 200"
            in find(rates(200)[:100], np.linspace(2, 1, 100), asked=200).ending
        )


class TestNothingIsSuggested:
    def test_where_the_loss_is_nan_from_the_first_step(self):
        found = find([1e-7], [math.nan], 0, 100)
        assert found.suggestions == {}
        assert found.reason.startswith("the loss is NaN from the first step: ")
        assert find([1e-7], [math.inf], 0, 100).reason.startswith(
            "the loss is infinite from the first step"
        )

    def test_from_fewer_than_thirty_usable_points(self):
        falling = np.linspace(2, 1, 100)
        assert find(rates(100)[:44], falling[:44], asked=100).usable == LEAST_USABLE - 1
        few = find(rates(100)[:44], falling[:44], asked=100)
        assert (few.suggestions, few.reason[:27]) == ({}, "only 29 of 44 points can be")
        assert find(rates(100)[:45], falling[:45], asked=100).suggestions

    def test_from_a_loss_that_never_falls(self):
        assert "begin with a lower rate" in find(rates(100), np.linspace(1, 1.2, 100)).reason
        assert "the loss does not change" in find(rates(100), np.full(100, 3.0)).reason

    def test_from_nothing(self):
        assert find([], []).reason == "the sweep made no step"

    def test_the_fewest_points_leave_enough(self):
        count = FEWEST_POINTS
        assert find(rates(count), np.linspace(2, 1, count)).suggestions
        assert not find(rates(count - 1), np.linspace(2, 1, count - 1)).suggestions


class TestAnyFloats:
    @given(
        FLOATS, st.one_of(st.none(), st.integers(0, 90)), st.one_of(st.none(), st.integers(1, 200))
    )
    @example([math.nan] * 50, None, None)
    @example([1e308, -1e308] * 30, None, None)
    @settings(max_examples=300)
    def test_a_sweep_of_any_losses_ends_in_suggestions_or_a_reason(self, losses, bad, asked):
        found = find(rates(max(2, len(losses)))[: len(losses)], losses, bad, asked)
        assert bool(found.suggestions) != bool(found.reason)
        assert all(math.isfinite(value) and value > 0 for value in found.suggestions.values())
        assert 0 <= found.end <= len(losses)
        assert found.usable >= LEAST_USABLE or not found.suggestions

    @given(FLOATS)
    def test_the_bounds_of_a_chart_are_finite_and_in_order(self, losses):
        low, high = bounds(losses, smoothed(np.array(losses, float)))
        assert (math.isnan(low) and math.isnan(high)) or (
            math.isfinite(low) and math.isfinite(high) and low <= high
        )

    @given(st.lists(st.floats(0.01, 100.0), min_size=60, max_size=60), st.floats(1e-3, 1e3))
    def test_what_is_suggested_does_not_hang_on_the_losses_scale_but_for_slide(self, losses, scale):
        lr = rates(60)
        one, other = (
            find(lr, losses),
            find(lr, [loss * 2.0 ** round(math.log2(scale)) for loss in losses]),
        )
        assert {k: v for k, v in one.suggestions.items() if k != "slide"} == {
            k: v for k, v in other.suggestions.items() if k != "slide"
        }
