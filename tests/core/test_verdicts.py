"""One word about a lane, by hand: which comes first, the reasons of a stall, and what other lanes
have to do with it."""

import math

import msgspec
import pytest

from lrtui.core.diagnostics.verdicts import Verdict, gauge_word, margin, verdict, warming
from lrtui.core.protocol import thresholds
from lrtui.core.protocol.events import Alerted, Column, Ended, FindingsUpdated
from lrtui.core.scenario.spec import OptimizerSpec
from lrtui.core.state.race_state import RaceState, apply
from support.builders import COLD, HOT, OK, STUCK, changed, make_race, started, steps


def race(*lanes, optimizers=()):
    """A state with a lane for each (loss, rate, findings)."""
    asked = make_race(len(lanes))
    made = (
        tuple(
            msgspec.structs.replace(lane, optimizer=OptimizerSpec(name))
            for lane, name in zip(asked.lanes, optimizers, strict=True)
        )
        if optimizers
        else asked.lanes
    )
    state = RaceState(msgspec.structs.replace(asked, lanes=made))
    for index, (loss, rate, found) in enumerate(lanes):
        apply(state, started(index))
        apply(state, steps([loss] * 10, lane=index, rates=[rate] * 10))
        apply(state, FindingsUpdated(lane=index, step=10, findings=found))
    return state


def alerted(state, lane, *kinds):
    for kind in kinds:
        apply(state, Alerted(lane=lane, step=5, kind=kind, text=""))
    return state


def on(state, lane=0):
    return verdict(state.lanes[lane], state)


class TestPriority:
    def test_nothing_is_said_before_anything_is_known(self):
        assert on(RaceState(make_race())) == Verdict("none")
        assert str(Verdict("none")) == ""

    @pytest.mark.parametrize(
        ("found", "word"),
        [(OK, "ok"), (HOT, "hot"), (COLD, "cold"), (changed(OK, samples=2), "none")],
    )
    @pytest.mark.parametrize("early", [True, False])
    def test_the_gauge_has_a_word_while_its_window_is_open_and_after_it(self, found, word, early):
        assert on(race((1.0, 0.1, changed(found, early=early)))).word == word

    def test_nan_goes_before_everything(self):
        state = alerted(race((1.0, 0.1, changed(HOT, flat_since=3))), 0, "diverged", "nan")
        assert on(state) == Verdict("nan")
        assert str(on(state)) == "NaN"

    def test_divergence_goes_before_the_gauge_and_the_plateau(self):
        state = alerted(race((1.0, 0.1, changed(COLD, flat_since=3))), 0, "diverged")
        assert on(state) == Verdict("diverged")
        assert str(on(state)) == "DIVERGED"

    def test_a_lane_that_has_recovered_is_judged_like_any_other(self):
        assert (
            on(alerted(race((1.0, 0.1, changed(OK, recovered=True))), 0, "diverged")).word == "ok"
        )
        assert (
            on(alerted(race((1.0, 0.1, changed(OK, recovered=True))), 0, "diverged", "nan")).word
            == "nan"
        )

    def test_an_error_is_no_verdict_on_the_rate(self):
        assert on(alerted(race((1.0, 0.1, OK)), 0, "error")).word == "ok"

    def test_a_plateau_goes_before_the_word_once_the_window_is_closed(self):
        assert on(race((1.0, 0.1, STUCK))).word == "stalled"
        assert on(race((1.0, 0.1, changed(STUCK, early=True)))).word == "ok"

    def test_a_plateau_goes_before_shaking_and_shaking_before_the_word(self):
        calm, wild = (
            changed(OK, reversal_share=0.5, median_change=0.01),
            changed(OK, reversal_share=0.9, median_change=0.5),
        )
        assert on(race((2.0, 0.1, wild), (1.0, 0.01, calm))).word == "noisy"
        assert (
            on(race((2.0, 0.1, changed(wild, flat_since=3)), (1.0, 0.01, calm))).word == "stalled"
        )
        assert on(race((2.0, 0.1, changed(wild, early=True)), (1.0, 0.01, calm))).word == "ok"


class TestStalled:
    def reason(self, *lanes, **keys):
        found = on(race(*lanes, **keys))
        assert found.word == "stalled"
        return found.reason

    @pytest.mark.parametrize(("loss", "reason"), [(1.0, "floor"), (1.049, "floor"), (1.06, "hot")])
    def test_within_a_twentieth_of_the_leader_it_is_at_the_floor(self, loss, reason):
        assert self.reason((loss, 0.1, STUCK), (1.0, 0.01, OK)) == reason

    @pytest.mark.parametrize("loss", [5.0, 0.0, -3.0])
    def test_the_leader_itself_is_at_the_floor_whatever_its_loss(self, loss):
        assert self.reason((loss, 0.1, STUCK)) == "floor"
        assert self.reason((loss, 0.1, STUCK), (6.0, 0.01, OK)) == "floor"

    @pytest.mark.parametrize(
        ("found", "reason"),
        [
            ({"early_gain": 0.99, "gain": 0.99}, "cold"),
            ({"early_gain": 0.99, "gain": 0.7}, "floor"),
            ({"early_gain": 0.7, "gain": 0.99}, "floor"),
            ({"samples": 0, "early_gain": math.nan, "unmeasured": "it cannot"}, ""),
        ],
    )
    def test_a_lane_that_cannot_have_come_to_the_floor_is_not_said_to_be_there(self, found, reason):
        stuck = changed(STUCK, settled=False, **found)
        for others in ((), ((1.0, 0.01, OK),), ((0.99, 0.01, changed(OK, flat_since=5)),)):
            assert self.reason((1.0, 0.1, stuck), *others) == reason

    @pytest.mark.parametrize(
        ("loss", "gradient", "reason"),
        [
            (2.1, 0.9e-3, "dead"),
            (2.0, 0.9e-3, "hot"),
            (2.1, 1e-3, "hot"),
            (2.1, math.nan, "hot"),
            (1.01, 0.0, "floor"),
        ],
    )
    def test_with_hardly_any_gradient_far_above_the_leader_it_is_dead(self, loss, gradient, reason):
        assert (
            self.reason((loss, 0.1, changed(STUCK, gradient=gradient)), (1.0, 0.01, OK)) == reason
        )

    @pytest.mark.parametrize(
        ("own", "leaders", "reason"), [(0.1, 0.01, "hot"), (0.001, 0.01, "cold")]
    )
    def test_stalled_lane_is_hot_above_the_leaders_rate_and_cold_below(self, own, leaders, reason):
        against_it = changed(STUCK, early_gain=0.9 if reason == "hot" else 0.3)
        assert self.reason((3.0, own, against_it), (1.0, leaders, OK)) == reason

    @pytest.mark.parametrize(
        ("gain", "reason"), [(0.49, "hot"), (0.5, "cold"), (0.99, "cold"), (math.nan, "cold")]
    )
    @pytest.mark.parametrize("keys", [{"optimizers": ("SGD", "Adam")}, {}])
    def test_else_the_gauge_does(self, gain, reason, keys):
        rates = (0.1, 0.01) if keys else (0.1, 0.1)
        assert (
            self.reason(
                (3.0, rates[0], changed(STUCK, early_gain=gain)), (1.0, rates[1], OK), **keys
            )
            == reason
        )

    def test_a_lane_that_went_nan_leads_nobody(self):
        state = race((3.0, 0.01, STUCK), (1.0, 0.1, HOT), (2.5, 0.001, OK))
        apply(state, Alerted(lane=1, step=10, kind="nan", text=""))
        apply(state, Ended(lane=1, step=10, reason="nan"))
        assert on(state) == Verdict("stalled", "hot")
        assert str(on(state)) == "STALLED hot"


class TestSeismic:
    WILD = changed(OK, reversal_share=0.7, median_change=0.31)
    CALM = changed(OK, reversal_share=0.7, median_change=0.1)

    def test_noisy_lane_jumps_three_times_as_far_as_the_calmest_better_lane(self):
        assert on(race((2.0, 0.1, self.WILD), (1.0, 0.01, self.CALM))).word == "noisy"
        assert (
            on(race((2.0, 0.1, changed(self.WILD, median_change=0.3)), (1.0, 0.01, self.CALM))).word
            == "ok"
        )

    def test_a_calm_lane_that_is_higher_says_nothing(self):
        assert on(race((2.0, 0.1, self.WILD), (3.0, 0.01, self.CALM))).word == "ok"
        assert on(race((2.0, 0.1, self.WILD), (2.0, 0.01, self.CALM))).word == "ok"

    def test_a_lower_lane_that_shakes_too_is_no_calm_one(self):
        assert (
            on(race((2.0, 0.1, self.WILD), (1.0, 0.01, changed(self.CALM, median_change=0.2)))).word
            == "ok"
        )
        assert (
            on(
                race((2.0, 0.1, self.WILD), (1.0, 0.01, changed(self.CALM, median_change=math.nan)))
            ).word
            == "ok"
        )

    def test_alone_no_lane_is(self):
        assert (
            on(race((2.0, 0.1, changed(self.WILD, reversal_share=1.0, median_change=9.0)))).word
            == "ok"
        )

    @pytest.mark.parametrize(
        ("turns", "word"), [(thresholds.NOISY_TURNS, "noisy"), (0.59, "ok"), (math.nan, "ok")]
    )
    def test_its_changes_turn_back(self, turns, word):
        assert (
            on(
                race((2.0, 0.1, changed(self.WILD, reversal_share=turns)), (1.0, 0.01, self.CALM))
            ).word
            == word
        )


@pytest.mark.parametrize(("gain", "expected"), [(1.0, 0.0), (0.5, 1.0), (0.0, 2.0), (-0.5, 3.0)])
def test_the_margin_is_rate_times_curvature(gain, expected):
    assert margin(gain) == expected


class TestAWarmup:
    """The rate of a lane of make_race is 0.1."""

    def lane(self, rates, found=COLD):
        state = RaceState(make_race(1))
        apply(state, started())
        apply(state, steps([1.0] * len(rates), rates=rates))
        apply(state, FindingsUpdated(lane=0, step=len(rates), findings=found))
        return state

    @pytest.mark.parametrize(
        ("rates", "is_warming"),
        [
            (
                [0.001 * step for step in range(60)],
                True,
            ),  # at 0.04 when the window of 40 steps closes
            ([0.00125 * step for step in range(60)], True),
            ([0.0013 * step for step in range(60)], False),
            ([0.1] * 60, False),
            ([0.1, *[1e-9] * 59], False),
            ([0.0] * 10, True),
            ([math.nan], False),
            ([], False),
        ],
    )
    def test_a_lane_is_cold_only_where_its_rate_was_reached_in_the_window(self, rates, is_warming):
        state = self.lane(rates) if rates else RaceState(make_race(1))
        assert warming(state.lanes[0]) == is_warming
        if rates:
            assert (
                gauge_word(state.lanes[0]) == on(state).word == ("none" if is_warming else "cold")
            )

    def test_rate_is_reached_if_it_is_in_any_param_group(self):
        state, block = RaceState(make_race(1)), steps([1.0] * 60, rates=[0.01] * 60)
        apply(state, started())
        second = {"applied_lr/1": Column.pack([0.1] * 60)}
        apply(state, msgspec.structs.replace(block, columns=block.columns | second))
        assert not warming(state.lanes[0])

    @pytest.mark.parametrize(("found", "word"), [(HOT, "hot"), (OK, "ok")])
    def test_what_is_hot_or_right_at_less_than_its_rate_is_that_all_the_same(self, found, word):
        assert on(self.lane([0.001] * 60, found)).word == word
