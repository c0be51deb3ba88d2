"""Averages computed by hand, rules that fire at the step that they should, numbers of any kind."""

import math
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.diagnostics.divergence import Divergence
from lrtui.core.diagnostics.loss_monitor import LossMonitor
from lrtui.core.diagnostics.oscillation import Oscillation
from lrtui.core.diagnostics.plateau import Plateau
from lrtui.core.diagnostics.spikes import Spikes
from lrtui.core.protocol import thresholds
from lrtui.core.protocol.findings import Findings
from lrtui.core.protocol.thresholds import early_steps
from lrtui.core.series.ema import Ema

ANY = st.lists(
    st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 1.7e308, -1.7e308, 0.0, 5e-324]),
    max_size=60,
)
TAME = st.lists(
    st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=60
)
TOTAL = 1000
"""Steps of the lanes here, unless they say otherwise: the early window has 100."""
EARLY = 100


def by_hand(values, factor):
    """Sum of factor^k * value over sum of factor^k, the newest with k = 0."""
    finite = [value for value in values if math.isfinite(value)]
    weights = [factor ** (len(finite) - 1 - index) for index in range(len(finite))]
    return (
        math.fsum(w * v for w, v in zip(weights, finite, strict=True)) / math.fsum(weights)
        if finite
        else math.nan
    )


def fed(values, factor):
    smooth = Ema(factor)
    for value in values:
        smooth.update(value)
    return smooth


def lower_average(losses):
    """At each step the lower of both averages, by hand."""
    return [
        min(by_hand(losses[: step + 1], 0.98), by_hand(losses[: step + 1], 0.9))
        for step in range(len(losses))
    ]


def said_at(losses, total=TOTAL, hot=False):
    """The step (from 0) and the words of each alarm."""
    rule = Divergence(total)
    return [(step, said) for step, loss in enumerate(losses) if (said := rule.update(loss, hot))]


def first_after(holds, patience=thresholds.PATIENCE, early=EARLY):
    """The first step from which something has held for so many steps in a row, none of them in the
    early window."""
    lasted = 0
    for step, held in enumerate(holds):
        lasted = lasted + 1 if held and step >= early else 0
        if lasted == patience:
            return step
    return None


def judged(losses, gains=(), norms=None, total=TOTAL):
    """A judge that has seen the losses, with (step, gain) told before the step that it is of."""
    judge, told = LossMonitor(total), dict(gains)
    for step, loss in enumerate(losses):
        if step in told:
            judge.measured(step, told[step])
        judge.update(loss, norms[step] if norms else None)
    return judge


def some_gains(value, count=18):
    """As they may be measured in an early window."""
    return [(step, value) for step in range(0, 5 * count, 5)]


class TestEma:
    def test_the_first_value_counts_in_full(self):
        assert fed([7.0], 0.98).value == pytest.approx(7.0)
        assert fed([1.0, 3.0], 0.5).value == pytest.approx((0.5 * 1 + 3) / 1.5)

    def test_before_the_first_value_there_is_none(self):
        assert math.isnan(Ema(0.98).value)
        assert math.isnan(fed([math.nan, math.inf], 0.9).value)

    @given(TAME, st.sampled_from([0.5, 0.9, 0.98]))
    def test_the_average_is_the_one_computed_by_hand(self, values, factor):
        assert fed(values, factor).value == pytest.approx(
            by_hand(values, factor), nan_ok=True, rel=1e-6, abs=1e-6
        )

    def test_a_value_that_is_not_finite_is_skipped(self):
        assert (
            fed([1.0, math.nan, 2.0, math.inf, -math.inf], 0.9).value == fed([1.0, 2.0], 0.9).value
        )

    @given(ANY)
    def test_no_numbers_make_it_fail(self, values):
        fed(values, 0.98)


@pytest.mark.parametrize(
    ("total", "steps"),
    [(1, 20), (50, 20), (60, 24), (100, 40), (249, 100), (250, 100), (10**6, 100)],
)
def test_the_early_window_is_two_fifths_of_the_budget_from_20_to_100_steps(total, steps):
    assert early_steps(total) == steps


class TestDivergence:
    def test_a_loss_that_falls_raises_no_alarm(self):
        assert said_at([10 * 0.99**step + 0.1 for step in range(1000)]) == []

    def test_noise_raises_no_alarm(self):
        noise = np.random.default_rng(0).lognormal(sigma=0.4, size=3000)
        assert (
            said_at(
                [float(n) * (0.2 + math.exp(-step / 300)) for step, n in enumerate(noise)], 3000
            )
            == []
        )

    def test_a_single_spike_raises_no_alarm(self):
        losses = [1.0] * 400
        losses[200] = 8.0
        assert said_at(losses) == []
        falling = [0.99**step for step in range(400)]
        falling[300] = 1.0  # of a lane that is at a twentieth of its start
        assert said_at(falling) == []

    def test_twenty_steps_above_four_times_the_best_are_divergence(self):
        # below 1.2 times its start all the while
        losses = [10.0] * 5 + [1.0] * 145 + [min(1.1**k, 7.0) for k in range(100)]
        slow, now = (
            [by_hand(losses[: step + 1], 0.98) for step in range(len(losses))],
            lower_average(losses),
        )
        step, words = said_at(losses)[0]
        assert step == first_after(
            [value > 4 * min(slow[: index + 1]) for index, value in enumerate(now)]
        )
        assert words == f"smoothed loss {now[step]:.4g} is above 4 times its best"

    def test_loss_above_1_2_times_its_start_for_patience_steps_diverges(self):
        # never four times the best, always above 1.2 times the start
        losses = [1.0] * 5 + [1.5] * 300
        assert all(value > 1.2 for value in lower_average(losses)[EARLY:])
        step, words = said_at(losses)[0]
        assert step == EARLY + thresholds.PATIENCE - 1
        assert (
            words == f"smoothed loss {lower_average(losses)[step]:.4g} is above 1.2 times its start"
        )

    def test_a_loss_at_exactly_the_threshold_is_no_divergence(self):
        assert said_at([1.0] * 5 + [1.2] * 600) == []
        assert said_at([1.0] * 5 + [1.21] * 600) != []

    @pytest.mark.parametrize("total", [50, 250, 10**6])
    def test_the_wait_is_as_long_as_the_early_window(self, total):
        assert (
            said_at([1.0] * 5 + [3.0] * 300, total)[0][0]
            == early_steps(total) + thresholds.PATIENCE - 1
        )

    def test_a_while_above_its_start_that_ends_in_time_is_none(self):
        # both averages are above 1.2 for as long as the faster takes to sink again
        losses = [1.0] * 120 + [8.0] * 4
        rule = Divergence(TOTAL)
        assert [rule.update(loss) for loss in losses] == [None] * len(losses)
        above = 0
        while min(rule.fast.value, rule.slow.value) > 1.2:
            assert rule.update(0.5) is None
            above += 1
        assert 0 < above < thresholds.PATIENCE
        assert [rule.update(1.0) for _ in range(100)] == [None] * 100

    def test_recovered_spike_in_the_slow_average_is_not_divergence(self):
        losses = [1.0] * 120 + [45.0] + [0.5] * 200
        slow = [by_hand(losses[: step + 1], 0.98) for step in range(len(losses))]
        assert sum(value > 1.2 for value in slow[121:]) > thresholds.PATIENCE
        assert said_at(losses) == []

    def test_each_rule_needs_its_own_twenty_steps(self):
        rule = Divergence(TOTAL)
        for loss in [1.0] * 200:
            rule.update(loss)
        rises = [5.0] * 60
        held = [rule.update(loss) for loss in rises]
        assert held.index(next(filter(None, held))) >= thresholds.PATIENCE - 1

    def test_million_times_the_start_diverges_within_the_early_window(self):
        losses = [1.0] * 10 + [1e6 * 8.0, 1e6 * 80.0]
        fast = [by_hand(losses[: step + 1], 0.9) for step in range(len(losses))]
        first = next(step for step, value in enumerate(fast) if value > 1e6)
        assert said_at(losses)[0] == (
            first,
            f"smoothed loss {fast[first]:.4g} is above 1e+06 times its start",
        )
        assert first < 12

    def test_a_hot_lane_that_is_not_below_its_start_is_divergence(self):
        losses = [1.0] * 5 + [1.1] * 300
        assert said_at(losses) == []
        step, words = said_at(losses, hot=True)[0]
        assert step == EARLY + thresholds.PATIENCE - 1
        assert (
            words
            == f"smoothed loss {lower_average(losses)[step]:.4g} is not below its start, and the"
            " rate is too hot"
        )

    def test_a_hot_lane_that_is_below_its_start_is_none(self):
        assert said_at([1.0] * 5 + [0.99] * 600, hot=True) == []

    def test_the_start_is_the_median_of_five_so_one_odd_loss_does_not_make_it(self):
        assert said_at([1.0, 1.0, 0.001, 1.0, 1.0] + [1.15] * 300) == []

    def test_start_is_the_first_loss_if_the_first_median_is_twice_as_high(self):
        rule = Divergence(TOTAL)
        for loss in (1.0, 60.0, 60.0, 60.0, 60.0):
            rule.update(loss)
        assert rule.start == 1.0
        rule = Divergence(TOTAL)
        for loss in (1.0, 1.5, 1.9, 2.0, 2.5):  # their median is not twice as high
            rule.update(loss)
        assert rule.start == 1.9

    def test_nan_is_skipped_by_the_rules(self):
        losses = [1.0] * 5 + [1.5] * 300
        with_nan = [value for loss in losses for value in (loss, math.nan)]
        assert (
            [step // 2 for step, _ in said_at(with_nan)]
            == [step for step, _ in said_at(losses)]
            != []
        )
        assert said_at([math.nan] * 100) == []

    def test_a_start_or_a_best_below_zero_has_no_multiples(self):
        assert said_at([-1.0] * 200 + [-0.1] * 200) == []
        assert said_at([-1.0] * 200 + [500.0] * 200) == []
        assert said_at([1.0] * 5 + [-5.0] * 100 + [20.0] * 300) != []  # above its start, at least

    @given(ANY, st.booleans())
    def test_no_numbers_make_the_rules_fail(self, losses, hot):
        for _, said in said_at(losses * 3, 50, hot):
            assert said.startswith("smoothed loss")


class TestSpikes:
    NOISE = tuple(np.random.default_rng(1).normal(1.0, 0.01, 400).tolist())

    def found(self, losses):
        rule = Spikes()
        return [step for step, loss in enumerate(losses) if rule.update(loss)]

    def test_a_loss_six_deviations_above_the_last_128_is_one(self):
        losses = list(self.NOISE)
        assert self.found(losses) == []
        window = losses[300 - thresholds.SPIKE_WINDOW : 300]
        edge = float(np.mean(window) + thresholds.SPIKE_SIGMAS * np.std(window))
        losses[300] = edge * (1 + 1e-9)
        assert self.found(losses) == [300]
        losses[300] = edge * (1 - 1e-9)
        assert self.found(losses) == []

    def test_only_upward(self):
        assert self.found([*self.NOISE[:200], -50.0, *self.NOISE[200:]]) == []

    def test_with_fewer_than_64_losses_before_it_there_is_none(self):
        assert self.found([*self.NOISE[:63], 50.0]) == []
        assert self.found([*self.NOISE[:64], 50.0]) == [64]

    def test_a_constant_loss_has_no_spread_to_stand_out_of(self):
        assert self.found([1.0] * 200 + [1.0 + 1e-9]) == []

    def test_one_does_not_hide_another(self):
        losses = [*self.NOISE[:100], 50.0, *self.NOISE[100:270], 50.0, 50.0]
        assert self.found(losses) == [100, 271, 272]

    @pytest.mark.parametrize("high", [1e8, 1e15])
    def test_a_huge_loss_leaves_the_sums_exact_for_those_after_it(self, high):
        losses = [*self.NOISE[:150], high, *self.NOISE[150:400], 1.2]
        assert self.found(losses) == [150, 401]

    @pytest.mark.parametrize("offset", [0.0, 1e6, -1e6])
    def test_they_do_not_depend_on_where_zero_is(self, offset):
        losses = [offset + value for value in (*self.NOISE[:200], 1.2, *self.NOISE[200:])]
        assert self.found(losses) == [200]


class TestPlateau:
    def since(self, values, total=TOTAL):
        rule, found = Plateau(total), []
        for value in values:
            rule.update(value)
            found.append(rule.since)
        return found

    def test_a_tenth_of_the_budget_without_a_hundredth_of_progress_is_one(self):
        found = self.since([1.0] * 150 + [0.5] * 200)
        assert found[:EARLY] == [None] * EARLY  # the early window is the gauge's
        assert found[EARLY] == 1
        assert found[150] is None
        assert found[250 - 1] is None
        assert found[250] == 151
        assert found[-1] == 151

    def test_it_is_at_least_fifty_steps_long(self):
        found = self.since([1.0] * 30 + [0.5] * 70, total=100)
        assert found.index(31) == 30 + 50

    @pytest.mark.parametrize(("factor", "flat"), [(0.989, False), (0.991, True)])
    def test_a_hundredth_is_the_edge(self, factor, flat):
        assert (self.since([1.0] * 150 + [factor] * 80)[-1] is not None) == flat

    def test_slow_but_steady_progress_is_none(self):
        assert self.since([0.9995**step for step in range(900)])[EARLY:].count(None) == 800

    def test_below_zero_lower_is_still_better(self):
        assert self.since([-1.0] * 90 + [-1.5 - step for step in range(60)])[-1] is None
        assert self.since([-1.0] * 150)[-1] == 1


class TestShaking:
    def measured(self, losses, smooth=1.0):
        rule = Oscillation()
        for loss in losses:
            rule.update(loss)
        return rule.measure(smooth)

    def test_a_loss_that_goes_up_and_down_turns_at_each_step(self):
        assert self.measured([1.0, 1.5] * 30, smooth=1.25) == (1.0, 0.5 / 1.25)

    def test_a_loss_that_falls_never_turns(self):
        turns, jumps = self.measured([100.0 - step for step in range(60)], smooth=2.0)
        assert (turns, jumps) == (0.0, 0.5)

    def test_only_the_last_fifty_changes_count(self):
        assert self.measured([1.0, 9.0] * 50 + [5.0 - 0.01 * step for step in range(51)])[0] == 0.0

    @pytest.mark.parametrize(
        "losses", [[], [1.0, 2.0] * 25, [1.0, math.nan] * 40, [1.7e308, -1.7e308] * 40]
    )
    def test_there_is_nothing_to_say_with_too_few_losses_or_unusable_ones(self, losses):
        assert all(map(math.isnan, self.measured(losses)))

    @pytest.mark.parametrize("smooth", [0.0, -1.0, math.nan])
    def test_nor_where_the_loss_is_no_measure(self, smooth):
        assert all(map(math.isnan, self.measured([1.0, 2.0] * 40, smooth)))


class TestTheWord:
    """Each clause of what the early window says."""

    OK = Findings(early=False, early_gain=0.7, samples=18, first_gain=0.5, peak=1.5, progress=0.3)

    def word(self, **changes):
        return Findings(
            **{name: getattr(self.OK, name) for name in self.OK.__struct_fields__} | changes
        ).word

    def test_a_lane_that_goes_well_is_ok(self):
        assert self.OK.word == "ok"

    @pytest.mark.parametrize(("samples", "word"), [(0, "none"), (2, "none"), (3, "ok")])
    def test_with_fewer_than_three_samples_there_is_none(self, samples, word):
        assert self.word(samples=samples) == word

    def test_without_a_median_there_is_none(self):
        assert self.word(early_gain=math.nan) == "none"

    @pytest.mark.parametrize(
        ("gain", "word"),
        [
            (-5.0, "hot"),
            (0.499, "hot"),
            (thresholds.HOT, "ok"),
            (thresholds.COLD, "ok"),
            (0.966, "cold"),
            (1.5, "cold"),
        ],
    )
    def test_the_median_gain_decides(self, gain, word):
        assert self.word(early_gain=gain, progress=0.6) == word

    @pytest.mark.parametrize(
        ("progress", "word"), [(0.51, "hot"), (0.5, "ok"), (0.01, "ok"), (math.nan, "hot")]
    )
    def test_a_lane_that_has_halved_its_loss_is_not_hot(self, progress, word):
        assert self.word(early_gain=-1.0, progress=progress) == word

    @pytest.mark.parametrize(
        ("gain", "word"), [(0.249, "hot"), (0.25, "ok"), (0.4, "ok"), (0.966, "cold")]
    )
    def test_while_the_window_is_open_only_a_very_low_gain_is_hot(self, gain, word):
        assert self.word(early=True, early_gain=gain, progress=1.0) == word

    @pytest.mark.parametrize(
        ("peak", "first", "progress", "word"),
        [
            (3.1, 0.5, 0.41, "hot"),  # thrown up and not back
            (3.1, 0.5, 0.4, "cold"),  # thrown up, and back
            (3.0, 0.5, 0.9, "cold"),  # not high enough
            (
                1.0,
                0.19,
                0.41,
                "hot",
            ),  # a first step that lost what it should have gained, and not back
            (1.0, 0.19, 0.4, "cold"),
            (1.0, 0.2, 0.9, "cold"),
            (math.nan, math.nan, math.nan, "cold"),
        ],
    )  # nothing is known of a start at or below zero
    def test_a_lane_that_was_thrown_up_is_hot_whatever_its_gain(self, peak, first, progress, word):
        assert self.word(early_gain=0.999, peak=peak, first_gain=first, progress=progress) == word

    @pytest.mark.parametrize(
        ("long", "progress", "word"), [(True, 0.981, "hot"), (True, 0.98, "ok"), (False, 1.5, "ok")]
    )
    def test_long_steps_are_hot_only_without_progress(self, long, progress, word):
        assert self.word(long=long, progress=progress) == word

    @pytest.mark.parametrize(
        ("total", "steps", "long"),
        [(400, 99, False), (400, 100, True), (100, 60, False), (125, 50, True)],
    )
    def test_a_window_of_fifty_steps_is_long_enough(self, total, steps, long):
        judge = LossMonitor(total)
        for _ in range(steps):
            judge.update(1.0)
        assert judge.findings().long is long


class TestJudge:
    def test_the_window_closes_after_its_last_step_and_what_it_knows_stays(self):
        open_one, closed = (
            judged([1.0] * 99, some_gains(0.9)).findings(),
            judged([1.0] * 100, some_gains(0.9)).findings(),
        )
        assert (open_one.early, closed.early) == (True, False)
        late = judged(
            [1.0] * 300, [*some_gains(0.9), (150, -3.0), (175, -3.0), (200, -3.0)]
        ).findings()
        assert (late.early_gain, late.samples, late.first_gain) == (0.9, 18, 0.9)
        assert late.gain == -3.0
        assert late.word == closed.word

    def test_early_gain_counts_until_three_later_gains_exist(self):
        assert (
            judged([1.0] * 200, [*some_gains(0.9), (120, 0.1), (150, 0.1)]).findings().gain == 0.9
        )

    def test_the_late_gain_forgets(self):
        gains = [(step, 0.1) for step in range(100, 120)] + [
            (step, 0.8) for step in range(200, 215)
        ]
        assert judged([1.0] * 300, gains).findings().gain == 0.8

    def test_gains_that_are_not_finite_do_not_count(self):
        found = judged(
            [1.0] * 50, [(0, math.nan), (1, 0.5), (2, -math.inf), (8, math.inf)]
        ).findings()
        assert (found.samples, found.early_gain) == (1, 0.5)

    def test_the_first_gain_is_that_of_the_first_sample(self):
        assert judged([1.0] * 50, [(0, 0.3), (9, 0.1), (18, -4.0)]).findings().first_gain == 0.3
        assert math.isnan(judged([1.0] * 50).findings().first_gain)

    def test_peak_and_progress_are_in_starts(self):
        losses = [2.0] * 5 + [8.0] + [1.0] * 94
        found = judged(losses).findings()
        assert found.peak == 4.0
        assert found.progress == pytest.approx(by_hand(losses, 0.9) / 2.0)
        assert judged([*losses, 1000.0]).findings().peak == 4.0  # the window has closed
        below = judged([-1.0] * 100).findings()
        assert math.isnan(below.peak)
        assert math.isnan(below.progress)

    def test_a_hot_word_makes_the_rule_of_the_start_stricter(self):
        losses = [1.0] * 5 + [1.1] * 295
        assert judged(losses, some_gains(0.9))._divergence.update(1.1) is None
        judge, said = LossMonitor(TOTAL), []
        for step, loss in enumerate(losses):
            for at, gain in some_gains(0.1):
                if at == step:
                    judge.measured(at, gain)
            said.append(judge.update(loss)[0])
        assert (
            next(step for step, words in enumerate(said) if words)
            == EARLY + thresholds.PATIENCE - 1
        )

    def test_the_gradient_is_over_what_it_was_at_the_beginning(self):
        norms = [10.0, 20.0, None, 30.0, 40.0, math.nan, 50.0, None, 0.3]
        assert judged([1.0] * len(norms), norms=norms).findings().gradient == pytest.approx(0.01)
        assert math.isnan(judged([1.0]).findings().gradient)
        assert math.isnan(judged([1.0], norms=[0.0]).findings().gradient)

    def test_recovered_is_lower_than_ever_before_the_first_alarm(self):
        worse = [1.0] * 200 + [9.0] * 100
        assert not judged(worse).findings().recovered
        # as low as before is not lower
        assert not judged([*worse, *[1.0] * 600]).findings().recovered
        assert judged([*worse, *[0.5] * 600]).findings().recovered
        assert not judged([1.0] * 200 + [0.1] * 200).findings().recovered  # there was no alarm

    def test_spikes_are_counted(self):
        noise = np.random.default_rng(1).normal(1.0, 0.01, 300).tolist()
        assert judged(noise).findings().spikes == 0
        noise[200] = noise[250] = 9.0
        assert judged(noise).findings().spikes == 2

    def test_it_tells_of_a_plateau_and_of_shaking(self):
        found = judged([1.0, 3.0] * 200).findings()
        assert found.flat_since is not None
        assert found.reversal_share == 1.0
        assert found.median_change == pytest.approx(1.0, rel=0.05)


STEPS = st.lists(
    st.tuples(
        st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 1.7e308, -1.7e308]),
        st.none() | st.floats(),
        st.none() | st.floats(),
    ),
    min_size=1,
    max_size=25,
)


@given(STEPS, st.sampled_from([1, 20, 60, 1000]))
@settings(deadline=None, max_examples=150)
@pytest.mark.filterwarnings("error")
def test_no_numbers_make_the_judge_fail_or_warn(steps, total):
    judge = LossMonitor(total)
    for number, (loss, norm, gain) in enumerate(steps * (300 // len(steps) + 1)):
        if gain is not None:
            judge.measured(number, gain)
        said, spike = judge.update(loss, norm)
        assert said is None or said.startswith("smoothed loss")
        assert spike in (True, False)
        if number % 7 == 0:
            assert judge.findings().word in ("hot", "ok", "cold", "none")


@given(
    st.lists(
        st.tuples(st.floats(0, 99), st.none() | st.floats(0, 9), st.none() | st.floats(-3, 3)),
        min_size=60,
        max_size=99,
    ),
    st.lists(st.integers(1, 30), min_size=1, max_size=20),
)
@settings(deadline=None, max_examples=100)
def test_findings_are_independent_of_query_time_and_block_size(steps, sizes):
    one_by_one, in_blocks, total = LossMonitor(len(steps)), LossMonitor(len(steps)), len(steps)
    said, spikes = [], []
    for number, (loss, norm, gain) in enumerate(steps):
        if gain is not None:
            one_by_one.measured(number, gain)
        said.append(one_by_one.update(loss, norm))
        one_by_one.findings()
    number, block = 0, 0
    while number < total:  # as a block comes: first all its gains, then all its losses
        stop = min(number + sizes[block % len(sizes)], total)
        for step in range(number, stop):
            if steps[step][2] is not None:
                in_blocks.measured(step, steps[step][2])
        spikes += [in_blocks.update(*steps[step][:2]) for step in range(number, stop)]
        number, block = stop, block + 1
    assert said == spikes
    assert repr(one_by_one.findings()) == repr(in_blocks.findings())


def test_the_start_is_a_median():
    rule = Divergence(TOTAL)
    for loss in (5.0, 3.0, 4.0, 1.0, 2.0, 100.0):
        rule.update(loss)
    assert rule.start == median([5.0, 3.0, 4.0, 1.0, 2.0]) == 3.0
