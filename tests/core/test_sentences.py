"""What is said of a race when it is over, word for word, from hand-made states."""

import math

import msgspec
import pytest

from lrtui.core.numbers import ordinal
from lrtui.core.protocol.events import Alerted, Ended, Evaluated, FindingsUpdated
from lrtui.core.protocol.findings import Findings
from lrtui.core.results.lane_sentence import lane_sentence
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.scenario.spec import OptimizerSpec, Recipe, ScheduleSpec
from lrtui.core.state.race_state import RaceState, apply
from support.builders import COLD, HOT, OK, changed, make_race, started, steps

BRIEF = Findings(samples=1)


def race(*lanes, **keys):
    """A state that is over, with a lane for each dict: the keys below, and fields of Lane. `keys`
    are fields of a Race."""
    asked = make_race(len(lanes))
    own = ("loss", "found", "status", "at", "val", "alerts", "losses")
    made = tuple(
        msgspec.structs.replace(
            one, name=f"lane {i}", **{key: value for key, value in lane.items() if key not in own}
        )
        for i, (one, lane) in enumerate(zip(asked.lanes, lanes, strict=True))
    )
    state = RaceState(msgspec.structs.replace(asked, lanes=made, **keys))
    for index, lane in enumerate(lanes):
        apply(state, started(index))
        losses = lane.get("losses", [lane.get("loss", 1.0)] * 10)
        if losses:
            apply(state, steps(losses, lane=index, rates=[made[index].lr] * len(losses)))
        apply(state, FindingsUpdated(lane=index, step=10, findings=lane.get("found", OK)))
        if "val" in lane:
            apply(
                state,
                Evaluated(
                    lane=index, epoch=1, step=10, loss=1.0, metrics={"val_loss": lane["val"]}
                ),
            )
        for kind, step in lane.get("alerts", []):
            apply(state, Alerted(lane=index, step=step, kind=kind, text=""))
        apply(
            state, Ended(lane=index, step=lane.get("at", 10), reason=lane.get("status", "finished"))
        )
    return state


def about(*lanes):
    """The sentence on the first lane."""
    state = race(*lanes)
    return lane_sentence(state.lanes[0], state)


def nan_lane(at=7, **keys):
    return {"status": "nan", "at": at, "alerts": [("nan", at)], **keys}


class TestALane:
    @pytest.mark.parametrize(
        ("lane", "words"),
        [
            ({}, "about right early on (step gain 0.70, margin 0.60 of 2)"),
            (
                {"found": HOT},
                "too hot, its early steps overshot (step gain 0.10, margin 1.80 of 2)",
            ),
            (
                {"found": changed(HOT, early_gain=0.99, peak=60.0)},
                "too hot, it was thrown up to 60 times its start and did not come back in time",
            ),
            (
                {"found": changed(HOT, early_gain=0.99, first_gain=-2.0)},
                (
                    "too hot, its first step overshot (step gain -2.00) and it did not come back in"
                    " time"
                ),
            ),
            (
                {"found": changed(HOT, early_gain=0.9, progress=0.99, long=True)},
                "too hot, its early steps led nowhere: the loss was still at 99% of its start",
            ),
            (
                {"found": COLD},
                (
                    "too cold, the loss was a straight line along its steps (step gain 0.99, margin"
                    " 0.02 of 2): a higher rate gains more"
                ),
            ),
            ({"found": BRIEF}, "too few steps were measured for a verdict"),
            (
                {"alerts": [("error", 2), ("diverged", 3)]},
                "diverged at step 3; the rate is too high",
            ),
        ],
    )
    def test_the_verdict_with_the_numbers_that_it_rests_on(self, lane, words):
        assert about({"lr": 0.1, **lane}) == f"A lane 0 (0.1): {words}; it ended at 1.000."

    def test_a_warmup_that_outlasts_the_early_window_has_no_verdict(self):
        state = RaceState(make_race(1))
        apply(state, started())
        apply(state, steps([1.0] * 60, rates=[0.001] * 60))
        apply(state, FindingsUpdated(lane=0, step=60, findings=COLD))
        assert (
            lane_sentence(state.lanes[0], state)
            == "A lane 0 (0.1): no verdict on its rate, which was still warming up in the early"
            " window; it is at 1.000."
        )

    def test_nan_says_at_which_step_and_nothing_of_where_it_ended(self):
        assert (
            about(nan_lane(lr=3.0), {})
            == "A lane 0 (3): not finite at step 7; the rate is far too high."
        )

    def test_nan_at_a_rate_without_effect_blames_the_batch(self):
        still = nan_lane(lr=1e-8, found=changed(COLD, moved=False))
        state = race(still, nan_lane(lr=0.1), nan_lane(5, lr=3.0))
        assert [lane_sentence(lane, state).partition(": ")[2] for lane in state.lanes] == [
            *2
            * [
                "not finite at step 7, as with a rate too low to change the loss: the batch is at"
                " fault, not the rate."
            ],
            "not finite at step 5; the rate is far too high.",
        ]
        assert race_sentences(race(still, nan_lane(lr=0.1))) == [
            "Nobody won: a batch gives no finite loss, whatever the rate: look at its data."
        ]

    def test_a_loss_of_zero_from_the_start_leaves_nothing_to_learn(self):
        solved = {"loss": 0.0, "found": changed(OK, dead=True)}
        assert race_sentences(race(solved, solved)) == [
            "Nobody won: the loss was exactly 0 in every lane from the first step on, and there is"
            " nothing to learn."
        ]

    def test_a_loss_that_was_never_finite_is_not_the_rates_fault(self):
        said = about(nan_lane(0, lr=3.0), {})
        assert (
            said
            == "A lane 0 (3): not finite at step 0, before any update: the rate has no part in it."
        )

    @pytest.mark.parametrize(
        ("found", "words"),
        [
            (
                {},
                (
                    "less than 1 % gained since step 40, above the best lane, and its steps are the"
                    " longer ones"
                ),
            ),
            (
                {"early_gain": 0.9},
                (
                    "less than 1 % gained since step 40, above the best lane, and its steps are the"
                    " shorter ones"
                ),
            ),
            (
                {"gradient": 1e-6},
                (
                    "less than 1 % gained since step 40, and it is dead: hardly any gradient passes"
                    " through it any more"
                ),
            ),
        ],
    )
    def test_a_stall_has_its_reason(self, found, words):
        stuck = changed(OK, **{"flat_since": 40, "early_gain": 0.3, **found})
        sentence = about({"loss": 3.0, "found": stuck}, {"loss": 1.0})
        assert sentence == f"A lane 0 (0.1): {words}; it ended at 3.000, 3 times the best lane's."

    def test_at_the_floor(self):
        sentence = about({"loss": 1.01, "found": changed(OK, flat_since=40)}, {"loss": 1.0})
        assert (
            sentence
            == "A lane 0 (0.1): less than 1 % gained since step 40, and it is at the floor: no lane"
            " is lower by more than a twentieth; it ended at 1.010, level with the best lane's."
        )

    @pytest.mark.parametrize(
        ("found", "words", "advice"),
        [
            (
                {"early_gain": 0.99, "gain": 0.99},
                "but its steps were too short to come to a floor: a higher rate gains more",
                "Next: try 0.3; the winner's early step gain was 0.99: it was too cold.",
            ),
            (
                {"early_gain": math.nan, "samples": 0, "unmeasured": "it cannot"},
                "and whether that is the floor or the rate is not known: no step gain was measured",
                (
                    "Next: 0.1 again, for longer: no step gain was measured to say on which side to"
                    " look."
                ),
            ),
        ],
    )
    def test_short_of_the_floor(self, found, words, advice):
        stuck = changed(OK, flat_since=40, settled=False, **found)
        assert (
            about({"found": stuck})
            == f"A lane 0 (0.1): less than 1 % gained since step 40, {words}; it ended at 1.000."
        )
        assert race_sentences(race({"found": stuck}))[-1] == advice

    def test_shaking_has_its_numbers(self):
        wild, calm = (
            changed(OK, reversal_share=0.75, median_change=0.4),
            changed(OK, reversal_share=0.5, median_change=0.01),
        )
        said = about({"loss": 2.0, "found": wild}, {"found": calm})
        assert "shaking: 75% of its changes turned back, each 40% of the loss;" in said

    @pytest.mark.parametrize("status", ["error", "died"])
    def test_a_lane_that_failed_ended_nowhere(self, status):
        assert (
            about({"status": status}, {})
            == "A lane 0 (0.1): about right early on (step gain 0.70, margin 0.60 of 2)."
        )

    def test_where_losses_have_no_ratio_there_is_none(self):
        assert about({"loss": 1.0}, {"loss": -2.0}).endswith("; it ended at 1.000.")

    def test_the_rate_is_added_only_where_the_name_does_not_say_it(self):
        names = {}
        for name, lr in (
            ("SGD 0.1", 0.1),
            ("SGD lr=0.1", 0.1),
            ("SGD 0.01", 0.1),
            ("lane 10", 1.0),
            ("lane 1", 1.0),
            ("Adam 1e-5", 1e-5),
        ):
            state = race({"lr": lr})
            lane = state.lanes[0]
            lane.lane = msgspec.structs.replace(lane.lane, name=name)
            names[name] = lane_sentence(lane, state).partition(":")[0]
        assert names == {
            "SGD 0.1": "A SGD 0.1",
            "SGD lr=0.1": "A SGD lr=0.1",
            "SGD 0.01": "A SGD 0.01 (0.1)",
            "lane 10": "A lane 10 (1)",
            "lane 1": "A lane 1",
            "Adam 1e-5": "A Adam 1e-5",
        }

    def test_names_are_text_and_nothing_else(self):
        state = race({}, {"loss": 2.0})
        for lane in state.lanes:
            lane.lane = msgspec.structs.replace(
                lane.lane, name="\x1b]0;owned\x07\x1b[31m[bold]red\n\u202eline", expect="cold"
            )
        said = [lane_sentence(lane, state) for lane in state.lanes] + race_sentences(state)
        for sentence in said:
            assert not {"\x1b", "\x07", "\n", "\u202e"} & set(sentence)
            assert "owned" not in sentence
        assert sum("[bold]red line" in sentence for sentence in said) >= 3


class TestTheWinner:
    def first(self, *lanes):
        return race_sentences(race(*lanes))[0]

    def test_by_how_much_it_won(self):
        assert (
            self.first({"loss": 3.0, "lr": 0.2}, {"loss": 1.0})
            == "B lane 1 (0.1) won: smoothed loss 1.000; A lane 0 (0.2) is next with 3 times as"
            " much."
        )

    @pytest.mark.parametrize(("second", "level"), [(1.0, True), (1.04, True), (1.06, False)])
    def test_within_a_twentieth_two_are_level(self, second, level):
        said = self.first({"loss": 1.0}, {"loss": second})
        assert ("but B lane 1 (0.1) is level with it" in said) == level
        assert ("another seed may turn them round" in said) == level

    def test_a_loss_below_zero_has_no_multiples(self):
        assert (
            self.first({"loss": -2.0}, {"loss": 1.0})
            == "A lane 0 (0.1) won: smoothed loss -2.000; B lane 1 (0.1) is next with 1.000."
        )

    def test_alone(self):
        assert (
            self.first({})
            == "A lane 0 (0.1) won: smoothed loss 1.000, the only lane with one to show."
        )
        assert (
            self.first({}, nan_lane(loss=0.1), {"status": "error", "loss": 0.1}, {"losses": []})
            == "A lane 0 (0.1) won: smoothed loss 1.000, the only lane with one to show."
        )

    def test_nobody(self):
        assert race_sentences(race(nan_lane(lr=0.3), nan_lane(lr=3.0))) == [
            "Nobody won: no loss stayed finite. Next: try 0.03; a tenth of the lowest rate raced."
        ]
        assert race_sentences(race(nan_lane(), {"status": "error"})) == [
            "Nobody won: no lane has a loss to show."
        ]
        assert race_sentences(RaceState(make_race())) == ["Nobody won: no lane has a loss to show."]

    def test_nobody_because_the_task_is_broken(self):
        (said,) = race_sentences(
            race(nan_lane(0, losses=[math.nan]), nan_lane(0, losses=[math.inf], lr=1e-5))
        )
        assert (
            said
            == "Nobody won: the loss is not finite from the first step on, whatever the rate: look"
            " at the task."
        )

    @pytest.mark.parametrize(
        ("own", "others", "named"),
        [
            (2.0, 1.0, True),
            (1.06, 1.0, True),
            (1.04, 1.0, False),
            (1.0, 2.0, False),
            (2.0, math.nan, False),
            (2.0, 0.0, False),
        ],
    )
    def test_where_the_validation_names_another_it_is_said(self, own, others, named):
        lanes = {"loss": 1.0, "val": own}, {"loss": 2.0, "val": others}
        said = race_sentences(race(*lanes, rank_by="loss"))
        assert (
            any(
                sentence.startswith("On the validation samples B lane 1 (0.1) is better: ")
                for sentence in said
            )
            == named
        )

    def test_without_validation_nothing_is_said_of_it(self):
        assert not any(
            "validation" in sentence
            for sentence in race_sentences(race({"loss": 1.0}, {"loss": 2.0, "val": 0.1}))
        )


class TestTheNextRate:
    def next(self, *lanes):
        return next(
            sentence for sentence in race_sentences(race(*lanes)) if sentence.startswith("Next: ")
        )

    WON, LOST = {"loss": 1.0}, {"loss": 5.0}

    def test_next_rate_is_below_the_upper_neighbour_of_a_cold_winner(self):
        lanes = [{"lr": 0.001, **self.LOST}, {"lr": 0.01, **self.WON}, {"lr": 1.0, **self.LOST}]
        assert (
            self.next(*lanes)
            == "Next: try 0.02; the winner's early step gain was 0.70: there was headroom above,"
            " and 1 was worse."
        )
        lanes[1]["found"] = COLD
        assert (
            self.next(*lanes)
            == "Next: try 0.03; the winner's early step gain was 0.99: it was too cold, and 1 was"
            " worse."
        )

    def test_schedule_is_suggested_for_early_headroom_and_late_overshoot(self):
        lanes = [
            {"lr": 0.001, **self.LOST},
            {"lr": 0.01, **self.WON, "found": changed(OK, gain=0.2)},
        ]
        assert (
            self.next(*lanes)
            == "Next: a schedule that begins at 0.01 and comes down: its early steps had headroom "
            "(step gain 0.70), its last ones overshot (0.20)."
        )

    def test_nothing_further_for_a_winner_at_the_floor(self):
        lanes = [
            {"lr": 0.001, **self.LOST},
            {"lr": 0.01, **self.WON, "found": changed(OK, flat_since=40)},
        ]
        assert (
            self.next(*lanes)
            == "Next: 0.01 is settled, it is at the floor; try other seeds, optimizers and"
            " schedules at it."
        )

    def test_a_rise_by_little_is_none(self):
        lanes = [
            {"lr": 0.01, **self.WON, "found": changed(OK, early_gain=0.55)},
            {"lr": 1.0, **self.LOST},
        ]
        assert "is settled within a factor of 2" in self.next(*lanes)

    def test_next_rate_is_above_the_lower_neighbour_of_a_hot_winner(self):
        lanes = [
            {"lr": 1e-4, **self.LOST},
            {"lr": 0.01, "found": HOT, **self.WON},
            {"lr": 1.0, **self.LOST},
        ]
        assert (
            self.next(*lanes)
            == "Next: try 0.001; the winner's early step gain was 0.10: it was too hot, and 0.0001"
            " was worse."
        )
        lanes[1]["found"] = changed(OK, early_gain=0.4)
        words = (
            "the winner's early step gain was 0.40: its steps went beyond the lowest point, and"
            " 0.0001 was worse"
        )
        assert self.next(*lanes) == f"Next: try 0.001; {words}."

    def test_beyond_the_edge_of_the_rates_raced(self):
        cold, hot = {"lr": 0.01, "found": COLD, **self.WON}, {"lr": 0.001, "found": HOT, **self.WON}
        assert (
            self.next({"lr": 0.001, **self.LOST}, cold)
            == "Next: try 0.03; the winner's early step gain was 0.99: it was too cold."
        )
        assert (
            self.next(hot, {"lr": 0.01, **self.LOST})
            == "Next: try 0.0003; the winner's early step gain was 0.10: it was too hot."
        )

    @pytest.mark.parametrize(
        ("other", "expected"),
        [(0.019, "settled"), (0.02, "0.014"), (0.022, "0.015"), (0.03, "0.02")],
    )
    def test_a_rate_that_was_raced_is_never_the_next(self, other, expected):
        said = self.next({"lr": 0.01, **self.WON}, {"lr": other, **self.LOST})
        if expected == "settled":
            assert (
                said
                == "Next: 0.01 is settled within a factor of 2; try other seeds, optimizers and"
                " schedules at it."
            )
        else:
            assert said.startswith(f"Next: try {expected}; ")

    def test_without_a_verdict_the_edge_says_where_to_look(self):
        low, high = {"lr": 0.01, **self.LOST}, {"lr": 0.1, **self.LOST}
        best = {"found": BRIEF, **self.WON}
        assert (
            self.next(low, {"lr": 0.1, **best})
            == "Next: try 0.3; the winner is at the edge of the rates raced."
        )
        assert (
            self.next({"lr": 0.01, **best}, high)
            == "Next: try 0.003; the winner is at the edge of the rates raced."
        )
        again = (
            "Next: 0.03 again, for longer: too few steps were measured to say on which side to"
            " look."
        )
        assert self.next(low, {"lr": 0.03, **best}, high) == again
        assert self.next({"lr": 0.03, **best}) == again

    def test_neighbours_share_optimizer_and_schedule_and_did_not_fail(self):
        adam, cosine = (
            OptimizerSpec("Adam"),
            ScheduleSpec("CosineAnnealingLR", "epoch", {"T_max": 3}),
        )
        winner = {"lr": 0.01, "found": COLD, **self.WON}
        for other in ({"optimizer": adam}, {"schedule": cosine}, {"status": "error"}):
            assert self.next(winner, {"lr": 0.1, **other, **self.LOST}).startswith(
                "Next: try 0.03; "
            )

    def test_a_lane_that_went_nan_was_worse(self):
        said = self.next({"lr": 0.01, "found": COLD, **self.WON}, nan_lane(lr=1.0))
        assert (
            said
            == "Next: try 0.03; the winner's early step gain was 0.99: it was too cold, and 1 was"
            " worse."
        )


class TestSurprises:
    def said(self, *lanes):
        return [
            sentence
            for sentence in race_sentences(race(*lanes))
            if sentence.startswith("Not as often told: ")
        ]

    def test_nothing_is_said_where_it_came_as_told(self):
        assert (
            self.said(
                {"expect": "wins"},
                {"loss": 2.0, "found": HOT, "expect": "hot"},
                {"loss": 9.0, "found": COLD, "expect": "cold"},
                {"loss": 2.0, "expect": "ok"},
                nan_lane(expect="nan"),
                {"loss": 2.0},
            )
            == []
        )

    def test_a_winner_that_did_not_win(self):
        assert self.said({"loss": 4.0, "expect": "wins"}, {"loss": 1.0}) == [
            "Not as often told: A lane 0 (0.1) did not win; its loss is 4 times the winner's."
        ]
        assert self.said({"loss": 4.0, "expect": "wins"}, {"loss": -1.0}) == [
            "Not as often told: A lane 0 (0.1) did not win."
        ]

    def test_one_that_is_level_with_the_winner_is_no_surprise(self):
        assert self.said({"loss": 1.04, "expect": "wins"}, {"loss": 1.0}) == []

    @pytest.mark.parametrize(
        ("expect", "words"),
        [("hot", "too hot"), ("cold", "too cold"), ("diverged", "diverging"), ("nan", "NaN")],
    )
    def test_a_lane_that_was_right_after_all(self, expect, words):
        assert self.said({"loss": 1.0}, {"loss": 0.5, "expect": expect}) == [
            f"Not as often told: B lane 1 (0.1) was expected to be {words}; it was about right and"
            " came 1st of 2."
        ]

    @pytest.mark.parametrize(
        ("lane", "words"),
        [
            ({"found": HOT, "loss": 2.0}, "too hot and came 2nd"),
            ({"found": COLD, "loss": 2.0}, "too cold and came 2nd"),
            (nan_lane(), "NaN and came 2nd"),
            ({"alerts": [("diverged", 3)], "loss": 2.0}, "diverging and came 2nd"),
        ],
    )
    def test_a_lane_that_was_not_right(self, lane, words):
        assert self.said({"loss": 1.0}, {**lane, "expect": "ok"}) == [
            f"Not as often told: B lane 1 (0.1) was expected to be about right; it was {words}"
            " of 2."
        ]

    @pytest.mark.parametrize("expect", ["hot", "diverged", "nan"])
    @pytest.mark.parametrize("lane", [{"found": HOT}, nan_lane(), {"alerts": [("diverged", 3)]}])
    def test_too_high_is_too_high_whichever_way_it_shows(self, expect, lane):
        assert self.said({"loss": 0.5}, {**lane, "expect": expect}) == []

    @pytest.mark.parametrize("expect", ["wins", "hot", "ok", "cold", "diverged", "nan"])
    def test_a_lane_that_failed_or_was_too_short_surprises_nobody(self, expect):
        assert self.said({"loss": 0.5}, {"status": "error", "expect": expect}) == []
        if expect != "wins":
            assert self.said({"loss": 0.5}, {"found": BRIEF, "expect": expect}) == []

    def test_a_stalled_lane_is_compared_by_what_its_early_steps_said(self):
        stuck = changed(COLD, flat_since=3)
        assert self.said({"loss": 0.5}, {"found": stuck, "expect": "cold"}) == []
        assert self.said({"loss": 0.5}, {"found": stuck, "expect": "ok"}) != []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (22, "22nd"),
        (101, "101st"),
        (111, "111th"),
        (112, "112th"),
        (123, "123rd"),
    ],
)
def test_places_have_their_endings(place, words):
    assert ordinal(place) == words


def test_the_sentences_of_a_race_that_goes_on_can_be_asked_for_too():
    state = RaceState(make_race(2))
    assert (
        lane_sentence(state.lanes[0], state)
        == "A lane 0 (0.1): too few steps were measured for a verdict."
    )
    apply(state, started())
    apply(state, steps([2.0]))
    assert (
        lane_sentence(state.lanes[0], state)
        == "A lane 0 (0.1): too few steps were measured for a verdict; it is at 2.000."
    )
    assert (
        race_sentences(state)[0]
        == "A lane 0 (0.1) won: smoothed loss 2.000, the only lane with one to show."
    )


def test_a_lane_that_failed_names_the_one_that_clipping_saved():
    clipped = {"lr": 0.1, "recipe": Recipe(clip_grad_norm=1.0)}
    assert "the rate is far too high without clipping: B lane 1 (0.1) has it" in about(
        nan_lane(lr=0.1), clipped
    )
    assert "clipping" not in about(nan_lane(lr=0.1), clipped | {"lr": 0.01})
    assert "clipping" not in about(nan_lane(**clipped), {"lr": 0.1})


def test_a_winner_at_the_edge_whose_gain_is_half_is_not_told_its_own_rate():
    found = changed(OK, early_gain=0.55, gain=0.55)
    said = " ".join(race_sentences(race({"loss": 0.1, "lr": 0.03, "found": found}, {"lr": 0.01})))
    assert "Next: 0.03 is near the highest rate that helps (early step gain 0.55)" in said
