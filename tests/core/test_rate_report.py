"""What is said of the five numbers, and of optimizers and schedules whose rate is not what people
think."""

import math
import re

import msgspec
import pytest

from lrtui.core.diagnostics import param_groups, rate_report
from lrtui.core.protocol.events import RateChanged, Rewound
from lrtui.core.scenario.spec import OptimizerSpec, ScheduleSpec
from lrtui.core.state.race_state import RaceState, apply
from support.builders import make_race, measured, started, steps
from support.param_groups import with_groups

NUMBERS = {
    "step_size": 0.0123,
    "rate_p10": 0.00111,
    "rate_p50": 0.00222,
    "rate_p90": 0.00333,
    "realised": 0.0456,
    "update_ratio": -2.7,
}


def lane_with(optimizer="Adam", options=(), numbers=NUMBERS, **columns):
    race = make_race(1)
    spec = OptimizerSpec(optimizer, dict(options))
    state = RaceState(
        msgspec.structs.replace(
            race, lanes=(msgspec.structs.replace(race.lanes[0], optimizer=spec),)
        )
    )
    apply(state, started())
    apply(state, steps([2.0, 1.0], rates=[0.2, 0.125]))
    apply(
        state,
        measured(
            [0], gain=[0.5], **{name: [value] for name, value in {**numbers, **columns}.items()}
        ),
    )
    apply(state, measured([1], gain=[0.5], **{name: [math.nan] for name in {**numbers, **columns}}))
    return state.lanes[0]


def rows(lane):
    return {name: (value, words) for name, value, words in rate_report.explained(lane)}


def test_rates_are_those_of_the_last_step_and_the_last_finite_sample():
    found = rate_report.rates(lane_with())
    assert found == rate_report.Rates(
        0.125, 0.0625, 0.0123, 0.00111, 0.00222, 0.00333, 0.0456, -2.7
    )


def test_further_groups_have_their_own():
    lane = lane_with(**{f"{name}/1": value / 2 for name, value in NUMBERS.items()})
    assert param_groups.groups(lane) == ["group 1"]  # by the rates recorded at each step
    assert rate_report.rates(lane, 1).step_size == 0.0123 / 2
    assert math.isnan(rate_report.rates(lane, 1).applied)


def test_before_the_first_step_nothing_is_known_and_said_to_be():
    lane = RaceState(make_race(1)).lanes[0]
    assert all(map(math.isnan, rate_report.rates(lane)))
    assert param_groups.groups(lane) == ["group 1"]
    assert [value for _, value, _ in rate_report.explained(lane)] == ["–"] * 6


class TestParamGroups:
    def lane(self, names=("body", "head"), rates=(0.2, 0.1)):
        state = RaceState(make_race(1))
        for event in with_groups([started(), steps([2.0, 1.0], rates=list(rates))], names):
            apply(state, event)
        return state, state.lanes[0]

    def test_names_are_those_of_the_start(self):
        assert param_groups.groups(self.lane()[1]) == ["body", "head"]
        assert [param_groups.group_name(self.lane()[1], group) for group in (0, 1)] == [
            "body",
            "head",
        ]

    def test_names_are_numbers_in_an_older_run(self):
        assert param_groups.groups(self.lane(names=())[1]) == ["group 1"]

    def test_equal_names_get_numbers(self):
        assert param_groups.groups(self.lane(("x", "x", "x"))[1]) == ["x", "x 2", "x 3"]

    def test_single_group_needs_no_name(self):
        assert param_groups.group_name(self.lane(["all"])[1], 0) == ""

    def test_group_is_found_by_name_else_the_first(self):
        lane = self.lane()[1]
        assert [param_groups.group_called(lane, name) for name in ("head", "body", "", "x")] == [
            1,
            0,
            0,
            0,
        ]

    def test_rates_are_those_of_the_group(self):
        lane = self.lane()[1]
        assert rate_report.rates(lane, 1)[:2] == (1.0, 0.5)
        assert rate_report.shown_rate(lane, 1) == 1.0

    def test_rate_before_the_first_step_is_known_of_the_first_group(self):
        lane = RaceState(make_race(1)).lanes[0]
        assert rate_report.shown_rate(lane) == 0.1
        assert math.isnan(rate_report.shown_rate(lane, 1))

    def test_forecast_is_in_proportion_while_the_ratio_stays(self):
        state, lane = self.lane()
        assert param_groups.forecast_ratio(lane, 0) == 1.0
        assert param_groups.forecast_ratio(lane, 1) == pytest.approx(10.0)
        apply(state, with_groups([steps([1.0], first=2)], ratio=9.0)[0])
        assert math.isnan(param_groups.forecast_ratio(lane, 1))

    def test_turn_of_the_dial_turns_the_next_rate_of_all(self):
        state, lane = self.lane()
        apply(state, RateChanged(lane=0, step=2, factor=2.0, rate=0.1))
        assert (lane.rates.next, lane.rates.next_by(1)) == (0.1, 1.0)
        apply(state, Rewound(lane=0, step=1, why="rewound"))
        assert (lane.rates.next, lane.rates.next_by(1)) == pytest.approx((0.1, 1.0))
        assert (lane.rates.applied, lane.rates.applied_by(1)) == pytest.approx((0.2, 2.0))


def test_each_number_stands_in_its_line_with_those_that_it_is_made_of():
    found = rows(lane_with())
    assert list(found) == [
        "applied",
        "next",
        "step size",
        "per element",
        "realised",
        "change/weight",
    ]
    assert found["applied"][0] == "0.125"
    assert "change = -rate x what Adam makes of the gradient" in found["applied"][1]
    assert found["next"][0] == "0.0625"
    assert found["step size"][0] == "0.0123"
    assert found["step size"][1].startswith(
        "rate x sqrt(1 - beta2^t) / (1 - beta1^t): 0.0123 (measured at step "
    )
    assert found["per element"][0] == "0.00222"
    for number in ("0.00111", "0.00222", "0.00333"):
        assert number in found["per element"][1]
    assert found["realised"][0] == "0.0456"
    assert "0.0456 times as far" in found["realised"][1]
    assert found["change/weight"][0] == "10^-2.7"
    assert "a step moved the weights by 0.2 %" in found["change/weight"][1]
    assert "10^-3 is customary" in found["change/weight"][1]


def test_plain_sgd_is_the_formula_itself():
    assert "each weight moves by 0.125 times its gradient" in rows(lane_with("SGD"))["applied"][1]
    assert "each weight" not in rows(lane_with("SGD", {"momentum": 0.9}))["applied"][1]
    assert rows(lane_with("SGD"))["step size"][1].startswith(
        "the rate itself: 0.0123 (measured at step "
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Adam", "sqrt(1 - beta2^t)"),
        ("AdamW", "sqrt(1 - beta2^t)"),
        ("NAdam", "momentum of the next step"),
        ("RAdam", "rectification"),
        ("Adamax", "rate / (1 - beta1^t)"),
        ("RMSprop", "no correction"),
        ("Adagrad", "lr_decay"),
        ("Adadelta", "Adadelta sizes"),
        ("Adafactor", "1 / sqrt(t)"),
        ("ASGD", "lambd"),
        ("Rprop", "keeps for each weight"),
        ("Muon", "shape"),
        ("Own", "multiplies"),
    ],
)
def test_every_optimizer_has_its_own_formula(name, words):
    assert words in rows(lane_with(name))["step size"][1]
    assert "0.0123" in rows(lane_with(name))["step size"][1]


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(-3.0, "0.1 %"), (-0.5, "32 %"), (0.0, "1 times"), (1.0, "10 times"), (math.nan, "by –")],
)
def test_a_ratio_is_a_share_of_the_weights(ratio, words):
    assert words in rows(lane_with(numbers={**NUMBERS, "update_ratio": ratio}))["change/weight"][1]


def test_nothing_is_written_in_a_way_that_no_one_would():
    for name, value, words in rate_report.explained(lane_with("Rprop")):
        assert not re.search(r"\d{7,}|nan", f"{name} {value} {words}")


def schedule(name, *children, **options):
    return ScheduleSpec(name, "batch", options, children)


class TestCaveats:
    def said(self, optimizer="Adam", plan=None, **options):
        return rate_report.caveats(OptimizerSpec(optimizer, options), plan)

    @pytest.mark.parametrize(
        "name", ["Adam", "AdamW", "SGD", "NAdam", "RAdam", "Adamax", "Adagrad", "ASGD"]
    )
    def test_most_have_none(self, name):
        assert self.said(name) == []
        assert self.said(name, schedule("CosineAnnealingLR", T_max=3)) == []

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("Rprop", "later rates change nothing"),
            ("Adafactor", "1 / sqrt(t)"),
            ("Adadelta", "sizes its own steps"),
            ("RMSprop", "ten times as long"),
            ("Muon", "shape"),
            ("LBFGS", "nothing else is measured"),
        ],
    )
    def test_those_whose_rate_is_not_what_people_think_say_so(self, name, words):
        (line,) = self.said(name)
        assert line.startswith(name)
        assert words in line

    @pytest.mark.parametrize("name", ["OneCycleLR", "CyclicLR"])
    def test_schedules_that_move_momentum_say_so_wherever_they_stand(self, name):
        words = f"{name} also moves momentum (or beta1) against the rate"
        one = schedule(name)
        assert self.said(plan=one) == [words]
        assert self.said(
            plan=schedule("SequentialLR", schedule("ConstantLR"), one, milestones=[3])
        ) == [words]
        assert self.said(plan=schedule("ChainedScheduler", schedule("SequentialLR", one, one))) == [
            words
        ]
        assert self.said(plan=schedule(name, cycle_momentum=False)) == []
        assert (
            self.said(
                plan=schedule(
                    "SequentialLR", schedule(name, cycle_momentum=False), schedule("StepLR")
                )
            )
            == []
        )

    def test_both_together(self):
        both = schedule("SequentialLR", schedule("OneCycleLR"), schedule("CyclicLR"))
        assert self.said(plan=both) == [
            "CyclicLR and OneCycleLR also move momentum (or beta1) against the rate"
        ]

    @pytest.mark.parametrize(
        ("momentum", "words"),
        [
            (
                0.9,
                (
                    "momentum 0.9: a steady gradient moves the weights 10 times as far as the rate"
                    " says"
                ),
            ),
            (
                0.5,
                "momentum 0.5: a steady gradient moves the weights 2 times as far as the rate says",
            ),
            (1.0, "momentum 1: a steady gradient moves the weights further and further"),
        ],
    )
    def test_momentum_makes_steps_longer(self, momentum, words):
        assert self.said("SGD", momentum=momentum) == [words]

    def test_several_have_a_line_each(self):
        assert len(self.said("RMSprop", schedule("CyclicLR"))) == 2
