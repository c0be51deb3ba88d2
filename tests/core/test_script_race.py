"""A race of scripts: what is not known is absent, in words and on axes; and tasks are as before."""

from __future__ import annotations

import math

import pytest

from lrtui.core.charts.autoscale import ends_well
from lrtui.core.charts.axes import kinds, whole
from lrtui.core.charts.metric_series import track
from lrtui.core.diagnostics.plateau import Plateau
from lrtui.core.diagnostics.verdicts import Verdict, verdict
from lrtui.core.protocol import event_text, thresholds
from lrtui.core.protocol.events import Alerted, Ended, RateChanged, StatusChanged
from lrtui.core.protocol.findings import Findings
from lrtui.core.protocol.thresholds import early_steps
from lrtui.core.results.batch_size import batch_words
from lrtui.core.results.differences import differences
from lrtui.core.results.fairness import fairness
from lrtui.core.results.lane_filter import matches, option_names, parse
from lrtui.core.results.lane_sentence import lane_sentence
from lrtui.core.results.next_rate import next_rate
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.race_words import (
    command_line,
    lane_rate,
    lane_settings,
    race_facts,
    step_words,
)
from lrtui.core.results.standings import standings
from lrtui.core.state.race_state import apply
from support.builders import fold, make_race, started, steps
from support.fake_script import (
    curve,
    folded,
    make_script_race,
    script_started,
    script_steps,
    without_seed,
)


def raced(rates=(1e-2, 1e-3, 1e-4), losses=None, **keys):
    """Lanes of these rates with a block of losses each."""
    race = make_script_race(rates, **keys)
    state = folded(race)
    for index, lr in enumerate(rates):
        own = losses[index] if losses else curve(index)
        for event in (script_started(index, lr or 3e-4), script_steps(own, index, lr or 3e-4)):
            apply(state, event)
    return state


def ended(state):
    for lane in state.lanes:
        apply(state, Ended(lane=lane.index, step=lane.steps, reason="finished", exit_code=0))
    return state


class TestWhatIsNotKnown:
    def test_budget_batch_and_seed_are_left_out(self):
        race = without_seed(make_script_race())
        assert race_facts((), race) == []
        assert race_facts((), make_script_race(steps=90)) == ["90 steps", "seed 0"]
        assert race_facts((), make_script_race(supervised=False))[0] == "watched script"
        assert batch_words(raced().lanes, race) == ""

    def test_a_task_has_all_of_them(self):
        assert race_facts((), make_race()) == ["100 steps", "batch 32", "seed 0"]

    def test_a_start_of_unknown_length_has_no_steps(self):
        assert event_text.describe(script_started()) == "started on cpu"
        assert event_text.describe(script_started(total_steps=9)) == "started on cpu, 9 steps"

    def test_the_rate_is_the_scripts_own_until_it_is_seen(self):
        lane = folded(make_script_race((0,))).lanes[0]
        assert math.isnan(lane.rate)
        assert lane_settings(lane) == "its own rate"
        lane = raced((0,)).lanes[0]
        assert (lane.rate, lane_rate(lane)) == (3e-4, "0.0003")
        assert lane_settings(lane) == "AdamW lr=0.0003"

    def test_the_dial_turns_a_rate_of_the_scripts_own(self):
        state = raced((0,))
        apply(state, RateChanged(lane=0, step=9, factor=10.0, rate=3e-3))
        assert state.lanes[0].rate == pytest.approx(3e-3)

    def test_settings_name_the_values_of_a_lane(self):
        race = make_script_race((1e-3,), ({"width": "64"},))
        lane = folded(race).lanes[0]
        assert lane_settings(lane) == "lr=0.001, width=64"
        assert command_line(race, race.lanes[0]) == "python train.py --width 64"


class TestAxes:
    def test_epochs_and_samples_fall_away(self):
        assert kinds(make_script_race()) == ("step", "wall", "time")
        assert len(kinds(make_race())) == 5

    @pytest.mark.parametrize(
        ("done", "stop"), [(1, 10), (9, 10), (10, 20), (99, 100), (100, 200), (5000, 10_000)]
    )
    def test_the_axis_of_an_unknown_length_grows_in_round_steps(self, done, stop):
        state = raced((1e-3,), [[1.0] * done])
        assert whole(state).stop == stop

    def test_the_axis_ends_with_the_race(self):
        assert whole(ended(raced((1e-3,), [[1.0] * 37]))).stop == 37

    def test_the_axis_of_a_known_length_does_not_move(self):
        state = folded(
            make_script_race((1e-3,), steps=500),
            script_started(0, total_steps=500),
            script_steps([1.0] * 10),
        )
        assert whole(state).stop == 500


class TestVerdicts:
    def test_the_early_window_of_an_unknown_length_is_the_longest(self):
        assert early_steps(0) == thresholds.EARLY_STEPS

    def test_a_plateau_of_unknown_length_lasts_a_tenth_of_what_is_done(self):
        rule = Plateau(0)
        for step in range(3000):
            rule.update(1.0 if step < 2000 else 0.5)
        assert rule.since == 2001
        for _ in range(250):
            rule.update(0.25)
        assert rule.since is None

    @pytest.mark.parametrize("total", [100, 1000, 5000])
    def test_a_plateau_of_known_length_is_as_before(self, total):
        rule, patience = Plateau(total), max(thresholds.FLAT_STEPS, thresholds.FLAT_PART * total)
        for step in range(1, total + 1):
            rule.update(1.0)
            assert (rule.since is not None) == (
                step - 1 >= patience and step > early_steps(total)
            ), step

    def test_a_sound_script_has_no_word_on_its_rate(self):
        state = raced()
        assert {verdict(lane, state).word for lane in state.lanes} == {"none"}

    def test_a_stalled_script_is_not_called_hot_or_cold(self):
        state = raced()
        for lane in state.lanes:
            lane.findings = Findings(early=False, flat_since=3)
        assert {verdict(lane, state) for lane in state.lanes} <= {
            Verdict("stalled", "floor"),
            Verdict("stalled"),
        }

    def test_a_lane_that_goes_on_with_nan_comes_last(self):
        state = raced(losses=[[0.1, 0.1, math.nan], [2.0] * 3, [1.0] * 3])
        apply(state, Alerted(lane=0, step=2, kind="nan", text="loss is NaN"))
        assert [lane.lane.letter for lane in standings(state)] == ["C", "B", "A"]
        assert "not finite at step 2" in lane_sentence(state.lanes[0], state)
        assert "it is at" not in lane_sentence(state.lanes[0], state)
        assert [ends_well(lane, state) for lane in state.lanes] == [False, True, True]
        assert ended(state).over
        assert race_sentences(state)[0].startswith("C lr 0.0001 won")


class TestFairness:
    def of(self, *starts, race=None, losses=(2.3, 2.3, 2.3)):
        state = folded(race or make_script_race())
        for index, changes in enumerate(starts):
            apply(state, script_started(index, **changes))
            apply(state, script_steps([losses[index]], index))
        return fairness(state)

    def test_equal_weights_and_first_losses_are_fair(self):
        found = self.of({}, {}, {})
        assert found.words == "fair"
        assert "d4bb1f00" in found.sentence
        assert "2.300" in found.sentence

    def test_before_the_first_step_nothing_is_said(self):
        assert fairness(folded(make_script_race())).words == "starting"
        state = folded(make_script_race(), script_started(0))
        assert fairness(state).words == "starting"

    def test_one_lane_alone_is_not_called_fair(self):
        assert self.of({}, race=make_script_race((1e-3,))).words == ""
        assert self.of({}).words == "1 lane has begun"
        assert self.of({}, {}).words == "fair so far: A, B"

    def test_other_weights_of_an_unseeded_script_say_how_to_seed(self):
        found = self.of({}, {"init_checksum": "57259b00"}, race=without_seed(make_script_race()))
        assert found.words == "NOT FAIR: weights differ"
        assert "A d4bb1f; B 57259b" in found.sentence
        assert "--no-seed" in found.sentence

    def test_another_first_loss_is_told(self):
        found = self.of({}, {}, {}, losses=(2.3, 2.3, 2.4))
        assert found.words == "NOT FAIR: first loss differs"
        assert "A, B 2.300, C 2.400" in found.sentence

    def test_what_is_not_seen_is_not_called_equal(self):
        assert self.of({}, {}, {}, losses=(math.nan,) * 3).words == "same weights"
        unseen = {"init_checksum": ""}
        assert self.of(unseen, unseen, unseen).words == "same first loss"

    def test_models_of_other_sizes_are_not_called_unfair(self):
        race = make_script_race((1e-3, 1e-3), ({"width": "8"}, {"width": "16"}))
        found = self.of({}, {"parameters": 9, "init_checksum": "x"}, race=race, losses=(2.3, 2.4))
        assert found.words == "different models"
        assert "A 1234 parameters; B 9 parameters" in found.sentence

    def test_varied_values_may_be_why_weights_differ(self):
        race = make_script_race((1e-3, 1e-3), ({"seed": "1"}, {"seed": "2"}))
        assert self.of({}, {"init_checksum": "x"}, race=race).words == "weights differ"


class TestAfterTheRace:
    def test_the_rate_to_try_lies_beside_the_better_neighbour(self):
        state = raced(losses=[[0.5] * 30, [0.1] * 30, [2.0] * 30])
        assert next_rate(state.lanes[1], state).startswith("Next: try 0.003; of the rates")

    def test_above_a_winner_below_a_rate_that_was_too_high_there_is_room(self):
        state = raced(losses=[[0.5] * 30 + [math.nan], [0.1] * 31, [2.0] * 31])
        apply(state, Alerted(lane=0, step=30, kind="nan", text="loss is NaN"))
        told = next_rate(state.lanes[1], state)
        assert told == "Next: try 0.003; 0.01 was too high, and 0.0001 slower."

    def test_a_winner_at_the_edge_leads_beyond_it(self):
        state = raced(losses=[[0.1] * 30, [0.5] * 30, [2.0] * 30])
        assert next_rate(state.lanes[0], state).startswith("Next: try 0.03;")

    def test_no_rate_is_advised_where_none_is_known_or_only_one(self):
        for state in (folded(make_script_race((0,))), raced((0,))):
            assert next_rate(state.lanes[0], state) == ""

    def test_own_rates_are_never_zero_in_advice(self):
        state = ended(raced((0, 0), losses=[[math.nan] * 5] * 2))
        for lane in state.lanes:
            lane.lifecycle.status = "nan"
        assert not any("0;" in sentence.split("try ")[-1][:2] for sentence in race_sentences(state))
        assert "3e-5" in " ".join(race_sentences(state))

    def test_sentences_speak_of_a_script(self):
        state = ended(raced())
        told = race_sentences(state)
        assert told[0].startswith("A lr 0.01 won: ")
        assert "nothing in its losses" in lane_sentence(state.lanes[0], state)

    def test_a_script_alone_has_not_won(self):
        state = ended(raced((1e-3,)))
        assert race_sentences(state) == [
            "A lr 0.001 finished after 120 steps; its smoothed loss was 0.06087."
        ]

    def test_a_script_that_failed_says_nothing_about_its_rate(self):
        state = raced((1e-3,))
        apply(state, Ended(lane=0, step=120, reason="error", error="boom", exit_code=1))
        assert "ended in an error after 120 steps" in race_sentences(state)[0]
        assert "says nothing about its rate" in lane_sentence(state.lanes[0], state)

    def test_a_turned_dial_is_no_reason_against_a_verdict(self):
        state = raced((1e-3,))
        apply(state, RateChanged(lane=0, step=110, factor=10.0, rate=1e-2))
        assert "nothing in its losses" in lane_sentence(state.lanes[0], state)

    def test_an_interrupted_script_cannot_be_resumed(self):
        state = raced()
        for lane in state.lanes:
            apply(state, Ended(lane=lane.index, step=lane.steps, reason="interrupted"))
        assert not any("resumed" in sentence for sentence in race_sentences(state))

    def test_the_exit_code_stands_in_the_log(self):
        state = raced((1e-3,))
        apply(state, Ended(lane=0, step=120, reason="error", exit_code=-9))
        assert state.log[-1][2].endswith(", killed by signal 9")


class TestLossesThatAreNotSeen:
    def test_they_leave_no_gap_and_no_nan(self):
        state = raced((1e-3,), [[2.0, math.nan, 1.0, math.nan]])
        lane = state.lanes[0]
        found = track(lane, "loss")
        assert found.steps.tolist() == [0, 2]
        assert (lane.last_loss, lane.losses.best_text) == ("–", "1.000")
        assert [one.lane.letter for one in standings(state)] == ["A"]

    def test_after_an_alert_nan_is_what_it_says(self):
        state = raced((1e-3,), [[2.0, math.nan]])
        apply(state, Alerted(lane=0, step=1, kind="nan", text="loss is NaN"))
        assert state.lanes[0].last_loss == "NaN"
        assert track(state.lanes[0], "loss").steps is None

    def test_a_script_that_hides_all_of_them_says_how_to_give_them(self):
        state = raced((1e-3,), [[math.nan] * 3])
        assert "run.loss()" in lane_sentence(state.lanes[0], state)
        assert track(state.lanes[0], "loss") is None

    def test_a_task_has_nan_where_it_says_so(self):
        state = fold([started(0), steps([2.0, math.nan])])
        assert state.lanes[0].last_loss == "NaN"
        assert track(state.lanes[0], "loss").steps is None


class TestSettings:
    def test_scripts_differ_in_rates_and_values(self):
        race = make_script_race((1e-2, 1e-3), ({"width": "8"}, {"width": "16"}))
        found = differences(folded(race).lanes, race)
        assert found.settings == ("lr", "width")
        assert found.cells == (("0.01", "0.001"), ("8", "16"))
        assert found.common == "seed 0"

    def test_the_filter_knows_values_and_the_optimizer_that_was_seen(self):
        race = make_script_race((1e-2, 1e-3), ({"width": "8"}, {"width": "16"}))
        state = folded(race, script_started(0), script_steps([1.0]))
        wanted = parse("width>=10", option_names(state))
        assert [matches(wanted, lane, state) for lane in state.lanes] == [False, True]
        assert [matches(parse("adamw"), lane, state) for lane in state.lanes] == [True, False]


def test_a_lane_without_a_step_says_why():
    state = folded(make_script_race(), StatusChanged(lane=0, step=0, status="running"))
    assert step_words(state.lanes[0], state) == "running, no step yet"
    assert step_words(state.lanes[2], state) == "waiting (2nd in the queue)"
    apply(state, Ended(lane=0, step=0, reason="finished", exit_code=0))
    assert step_words(state.lanes[0], state) == "finished: no optimizer step was seen"
