"""By what lanes are ranked, and that no order of arrival changes the outcome."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.protocol.events import Column, Ended, Evaluated, Logged
from lrtui.core.results.race_result import ranking_line, result
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.ranking import (
    best_evaluation,
    evaluations,
    highest_is_best,
    metric_names,
    outcome,
    ranking_of,
)
from lrtui.core.results.seed_groups import seed_groups
from lrtui.core.results.standings import race_standings, ranked, standings
from lrtui.core.scenario.spec import with_seeds
from lrtui.core.state.race_state import RaceState, apply
from support.builders import forked, make_race, rewound, started, steps


def evaluated(step, lane=0, **metrics):
    return Evaluated(lane=lane, epoch=step, step=step, loss=1.0, metrics=metrics)


def logged(step, lane=0, **numbers):
    columns = {name: Column.pack([value]) for name, value in numbers.items()}
    return Logged(lane=lane, steps=[step], columns=columns)


def raced(*events, lanes=2, **keys):
    state = RaceState(make_race(lanes, **keys))
    for event in events:
        assert apply(state, event)
    return state


def order(state):
    return "".join(lane.lane.letter for lane in standings(state))


TRAINED = (steps([1.0] * 20), steps([2.0] * 20, lane=1))


class TestTheMetric:
    @pytest.mark.parametrize(
        ("name", "highest"),
        [
            *((name, True) for name in ("accuracy", "val_accuracy", "eval/f1", "top5", "Acc@1")),
            *((name, True) for name in ("mAP", "AP50", "rougeL", "val.r2", "F1Score", "val_AUROC")),
            *((name, False) for name in ("val_loss", "val_f1_loss", "error", "top5_error")),
            *((name, False) for name in ("perplexity", "wer", "score_loss", "maple", "neg_f1")),
            ("neg_mean_squared_error", True),
            ("neg_log_likelihood", False),
        ],
    )
    def test_the_best_value_is_what_the_name_says(self, name, highest):
        assert highest_is_best(make_race(), name) == highest

    def test_the_scenario_has_the_last_word_about_its_own_metric(self):
        race = make_race(rank_by="accuracy", best="min")
        assert not highest_is_best(race, "accuracy")
        assert highest_is_best(race, "f1")

    @pytest.mark.parametrize("name", ["val_loss", "eval_loss", "valid_loss", "val/loss"])
    def test_a_validation_loss_is_the_default_whoever_recorded_it(self, name):
        for event in (evaluated(10, lane=1, **{name: 0.1}), logged(10, lane=1, **{name: 0.1})):
            state = raced(*TRAINED, event)
            assert ranking_of(state.race, state.lanes).metric == name
            assert order(state) == "BA"

    def test_the_training_loss_stands_in_and_the_sentence_says_so(self):
        events = (*TRAINED, evaluated(10, accuracy=0.5, val_loss=1.0))
        ends = [Ended(lane=lane, step=20, reason="finished") for lane in (0, 1)]
        state = raced(*events, *ends, rank_by="acuracy")
        assert order(state) == "AB"
        assert (
            'No lane has the metric "acuracy"; did you mean "accuracy"? There are loss, accuracy,'
            " val_loss. The training loss stands in for it."
        ) in race_sentences(state)
        assert ranking_line(state)["missing"] == "acuracy"
        assert metric_names(state.lanes) == ["loss", "accuracy", "val_loss"]

    def test_a_logged_number_is_found_by_the_name_that_is_shown(self):
        state = raced(*TRAINED, logged(10, lane=1, lr=0.1), rank_by="logged.lr")
        assert order(state) == "BA"

    def test_a_number_of_each_step_is_averaged(self):
        event = steps([1.0] * 20)
        columns = {**event.columns, "accuracy": Column.pack([0.5] * 19 + [0.9])}
        event = msgspec.structs.replace(event, columns=columns)
        state = raced(event, TRAINED[1], rank_by="accuracy")
        assert 0.5 < outcome_of(state) < 0.6
        state = raced(event, TRAINED[1], rank_by="accuracy", rank_at="best")
        assert outcome_of(state) == pytest.approx(0.9)
        state = raced(event, TRAINED[1], rank_by="accuracy", rank_at="budget")
        assert outcome_of(state, 10) == pytest.approx(0.5)


def outcome_of(state, step=None, lane=0):
    return outcome(state.lanes[lane], state.lanes, ranking_of(state.race, state.lanes), step)


class TestTheValue:
    CURVE = (evaluated(5, val_loss=0.9), evaluated(10, val_loss=0.3), evaluated(20, val_loss=0.6))

    @pytest.mark.parametrize(("at", "value"), [("last", 0.6), ("best", 0.3), ("budget", 0.9)])
    def test_it_is_the_newest_the_best_or_that_at_equal_budget(self, at, value):
        other = evaluated(7, lane=1, val_loss=0.1)
        state = raced(*TRAINED, *self.CURVE, other, rank_at=at)
        table = race_standings(state)
        assert table.step == (7 if at == "budget" else None)
        assert {row.first.index: row.value for row in table.rows} == {0: value, 1: 0.1}

    def test_an_evaluation_that_is_nan_is_no_value(self):
        late = evaluated(20, val_loss=math.nan)
        state = raced(*TRAINED, *self.CURVE[:2], late, evaluated(20, lane=1, val_loss=5.0))
        assert order(state) == "BA"
        assert best_evaluation(state.lanes[0], state.lanes, race_standings(state).ranking) == (
            10,
            0.3,
        )

    def test_a_fork_has_what_its_parent_had_before_it(self):
        state = raced(*TRAINED, *self.CURVE, forked(12, lane=2), steps([1.0] * 3, 12, lane=2))
        fork = state.lanes[2]
        assert outcome_of(state, lane=2) == 0.3
        assert evaluations(fork, state.lanes, "val_loss")[0].tolist() == [5, 10]
        apply(state, evaluated(15, lane=2, val_loss=0.2))
        assert outcome_of(state, lane=2) == 0.2
        apply(state, rewound(14, lane=2))
        assert outcome_of(state, lane=2) == 0.3

    def test_a_fork_has_nothing_of_what_its_parent_did_anew(self):
        state = raced(*TRAINED, *self.CURVE, forked(12, lane=2), steps([1.0] * 3, 12, lane=2))
        apply(state, rewound(7))
        apply(state, steps([1.0] * 9, 7))
        apply(state, evaluated(10, val_loss=0.1))
        assert evaluations(state.lanes[0], state.lanes, "val_loss")[1].tolist() == [0.9, 0.1]
        assert evaluations(state.lanes[2], state.lanes, "val_loss")[1].tolist() == [0.9]
        apply(state, rewound(2, why="recovered"))  # the same steps come again
        apply(state, evaluated(5, val_loss=0.9))
        assert evaluations(state.lanes[2], state.lanes, "val_loss")[1].tolist() == [0.9]

    def test_negative_and_highest_values_are_ordered_by_their_sign(self):
        events = [evaluated(20, lane=lane, reward=value) for lane, value in enumerate((-3.0, -1.0))]
        state = raced(*TRAINED, *events, rank_by="reward")
        assert order(state) == "BA"
        assert order(raced(*TRAINED, *events, rank_by="reward", best="min")) == "AB"
        assert [row.gap for row in race_standings(state).rows] == [0.0, -2.0]


class TestOverFitting:
    def state(self, **keys):
        falls = [2.0 - 0.05 * step for step in range(40)]
        curves = {0: [0.9, 0.5, 0.7, 0.8], 1: [0.9, 0.8, 0.7, 0.6]}
        events = [steps(falls), steps([2.0 - 0.02 * step for step in range(40)], lane=1)]
        for lane, curve in curves.items():
            events += [
                evaluated(10 * at, lane=lane, val_loss=value) for at, value in enumerate(curve, 1)
            ]
            events.append(Ended(lane=lane, step=40, reason="finished"))
        return raced(*events, **keys)

    def test_a_lane_that_leads_in_training_alone_is_named_as_such(self):
        said = " ".join(race_sentences(self.state()))
        assert said.startswith("B lane 1 (0.1) won: val_loss 0.6000; A lane 0 (0.1) is next with")
        assert "A lane 0 (0.1) leads in training loss only (0.4" in said
        assert (
            "over-fits: val_loss was lowest after 20 steps (0.5000) and has risen to 0.8000" in said
        )

    def test_ranked_by_the_training_loss_the_validation_is_told_beside_it(self):
        said = " ".join(race_sentences(self.state(rank_by="loss")))
        assert said.startswith("A lane 0 (0.1) won: smoothed loss")
        assert "On the validation samples B lane 1 (0.1) is better: 0.6000 beside" in said

    def test_ranked_by_the_best_evaluation_it_wins(self):
        said = race_sentences(self.state(rank_at="best"))
        assert said[0].startswith("A lane 0 (0.1) won: best val_loss 0.5000")


@st.composite
def stories(draw):
    """The events of some lanes, each in its order."""
    value = st.floats(0.1, 4.0) | st.sampled_from([1.0, 2.0, math.nan])
    lanes = []
    for lane in range(draw(st.integers(2, 4))):
        losses = draw(st.lists(value, min_size=4, max_size=4))
        held = draw(st.lists(value, max_size=2))
        events = [steps(losses[:2], 0, lane, at=12.0)]
        events += [evaluated(2, lane, val_loss=one, accuracy=1 - one) for one in held[:1]]
        events += [steps(losses[2:], 2, lane, at=14.0)]
        events += [evaluated(4, lane, val_loss=one, accuracy=1 - one) for one in held[1:]]
        reason = draw(st.sampled_from(["finished", "stopped", "nan", "error"]))
        lanes.append([started(lane), *events, Ended(lane=lane, step=4, reason=reason)])
    return lanes


@settings(max_examples=60, deadline=None)
@given(stories(), st.data())
def test_every_order_of_arrival_gives_the_same_ranking(lanes, data):
    metric = data.draw(st.sampled_from(["", "loss", "accuracy"]))
    at = data.draw(st.sampled_from(["last", "best", "budget"]))
    seeds = 2 if len(lanes) == 4 and data.draw(st.booleans()) else 1
    asked = make_race(len(lanes) // seeds, rank_by=metric, rank_at=at, seeds=seeds)
    race = msgspec.structs.replace(asked, lanes=with_seeds(asked.lanes, seeds))
    turns = [lane for lane, events in enumerate(lanes) for _ in events]
    mixed = data.draw(st.permutations(turns))
    one, other = RaceState(race), RaceState(race)
    for events in lanes:
        for event in events:
            apply(one, event)
    queues, shown = [iter(events) for events in lanes], []
    for lane in mixed:
        for event in _cut(next(queues[lane]), data):
            apply(other, event)
        table = ranked(seed_groups(other.lanes), race, other.lanes, previous=shown)
        shown = [row.first.index for row in table.rows]
    assert shown == [row.first.index for row in race_standings(one).rows]
    assert repr(_outcome(one)) == repr(_outcome(other))


def _cut(event, data):
    """A block of steps as it is, or as two blocks."""
    if not hasattr(event, "columns") or data.draw(st.booleans()):
        return [event]
    columns = {name: event.values(name) for name in event.columns}
    return [
        msgspec.structs.replace(
            event,
            first=event.first + at,
            count=1,
            columns={
                name: Column.pack(np.array(one[at : at + 1])) for name, one in columns.items()
            },
        )
        for at in range(event.count)
    ]


def _outcome(state):
    lanes = result(state)
    for lane in lanes:
        del lane["steps_per_second"]
    return order(state), race_sentences(state), ranking_line(state), lanes
