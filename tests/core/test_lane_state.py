"""Lanes that do not simply run from first step to last: forked, dialled, rewound, interrupted, with
gaps in the record."""

import math

import msgspec
import numpy as np
import pytest

from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.protocol.events import (
    Alerted,
    Column,
    Ended,
    Evaluated,
    FindingsUpdated,
    LogMessage,
    LossSpiked,
    Sampled,
    Snapshotted,
    StatusChanged,
    Steps,
)
from lrtui.core.protocol.findings import Findings
from lrtui.core.results.lane_sentence import lane_sentence
from lrtui.core.results.race_result import result
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.standings import standings
from lrtui.core.state.race_state import RaceState, apply, presume_ended
from support.builders import HOT, fold, forked, make_race, measured, rewound, started, steps, turned


def values(lane, name="loss"):
    return lane.columns[name].values.tolist()


def begins(first, lane=0, total=100):
    return msgspec.structs.replace(started(lane, total), first=first)


def texts(state):
    return [text for _, _, text in state.log]


class TestAGapInTheRecord:
    def test_steps_that_are_missing_are_nan_in_every_column(self):
        lane = fold([started(), steps([3.0, 2.0]), steps([1.0], 5)]).lanes[0]
        assert np.array_equal(
            lane.columns["loss"].values, [3, 2, math.nan, math.nan, math.nan, 1], equal_nan=True
        )
        assert {len(series) for series in lane.columns.values()} == {6}
        assert (lane.steps, lane.losses.best_step, lane.losses.first) == (6, 5, 3.0)
        assert lane.columns["loss"].finite_range()[:2] == (1.0, 3.0)

    def test_a_column_that_comes_later_begins_with_nan(self):
        late = Steps(
            lane=0,
            at=20.0,
            first=2,
            count=1,
            columns={**steps([1.0], 2).columns, "applied_lr/1": Column.pack([0.5])},
        )
        lane = fold([steps([3.0, 2.0]), late]).lanes[0]
        assert np.array_equal(
            lane.columns["applied_lr/1"].values, [math.nan, math.nan, 0.5], equal_nan=True
        )

    def test_steps_that_are_told_again_replace_those_that_were_known(self):
        lane = fold([steps([3.0, 2.0, 9.0, 9.0]), steps([1.0], 2)]).lanes[0]
        assert values(lane) == [3.0, 2.0, 1.0]


class TestAFork:
    def test_it_is_a_lane_of_the_race_from_then_on(self):
        state = fold([started(), steps([4.0] * 3), forked(3)])
        lane = state.lanes[2]
        assert [lane.lane.name for lane in state.lanes] == [lane.name for lane in state.race.lanes]
        assert (lane.index, lane.parent, lane.forked_at, lane.steps, lane.status) == (
            2,
            0,
            3,
            3,
            "waiting",
        )
        assert (lane.losses.last_text, lane.columns) == ("–", {})
        assert texts(state)[-1] == "forked from A at step 3"
        assert len(make_race().lanes) == 2

    def test_its_curve_begins_where_it_was_born(self):
        state = fold(
            [started(), steps([4.0] * 3), forked(3), begins(3, 2), steps([2.0, 1.0], 3, 2)]
        )
        lane = state.lanes[2]
        assert np.array_equal(
            lane.columns["loss"].values, [math.nan] * 3 + [2.0, 1.0], equal_nan=True
        )
        assert (lane.losses.first, lane.losses.best, lane.losses.best_step, lane.steps) == (
            2.0,
            1.0,
            4,
            5,
        )
        # its own two steps of half a second each
        assert lane.steps_per_second == pytest.approx(2.0)
        assert lane.losses.smooth.value == pytest.approx((0.9 * 2 + 1) / 1.9)
        assert texts(state)[-1] == "goes on at step 3 on cpu"
        assert standings(state)[0] is lane
        entry = result(state)[0]
        assert (entry["parent"], entry["first_step"], entry["steps"]) == ("A", 3, 5)

    def test_a_lane_from_scratch_has_no_parent(self):
        state = fold([forked(0, parent=-1)])
        assert (state.lanes[2].parent, state.lanes[2].forked_at) == (None, 0)
        assert texts(state) == ["joins the race"]

    def test_it_inherits_the_dial_as_it_was_where_it_forked(self):
        state = fold([steps([1.0] * 9), turned(2, 0.5), turned(7, 4.0), forked(5)])
        assert (state.lanes[0].factor, state.lanes[2].factor, state.lanes[2].rates.changes) == (
            4.0,
            0.5,
            [],
        )

    def test_the_same_lane_does_not_join_twice(self):
        state = fold([forked(0), forked(0)])
        assert len(state.lanes) == len(state.race.lanes) == 3

    def test_a_fork_that_is_forked_keeps_the_tree(self):
        state = fold(
            [steps([1.0] * 4), forked(2), steps([1.0] * 4, 2, 2), forked(5, lane=3, parent=2)]
        )
        assert [lane.parent for lane in state.lanes] == [None, None, 0, 2]

    def test_the_word_on_its_parents_rate_is_none_on_its_own(self):
        told = FindingsUpdated(lane=2, step=90, findings=HOT)
        same = fold([started(), steps([1.0] * 90), forked(90, name="lane 0"), begins(90, 2), told])
        assert verdict(same.lanes[2], same).word == "hot"
        other = fold([started(), steps([1.0] * 90), forked(90, lr=0.05), begins(90, 2), told])
        assert verdict(other.lanes[2], other).word == "none"
        assert "which it has had only since step 90" in lane_sentence(other.lanes[2], other)

    def test_restarted_from_the_initial_weights_it_begins_by_itself(self):
        state = fold(
            [
                turned(0, 0.5),
                steps([4.0] * 3),
                forked(3),
                begins(3, 2),
                steps([2.0], 3, 2),
                rewound(0, "restarted", 2),
                begins(0, 2),
                steps([5.0], 0, 2),
            ]
        )
        lane = state.lanes[2]
        assert (values(lane), lane.forked_at, lane.factor, lane.losses.first) == (
            [5.0],
            0,
            1.0,
            5.0,
        )
        assert [(one.first, one.losses.values.tolist()) for one in lane.abandoned] == [(3, [2.0])]


class TestTheDial:
    def test_its_turns_are_kept_with_their_steps(self):
        state = fold([started(), turned(3, 0.5), turned(5, 2.0)])
        lane = state.lanes[0]
        assert (
            lane.factor,
            lane.rates.factor_at(4),
            lane.rates.factor_at(2),
            lane.rate,
            lane.rates.next,
        ) == (2.0, 0.5, 1.0, 0.2, 0.2)
        assert texts(state)[1:] == [
            "rate 0.05 from step 3 on, 0.5 times the schedule's",
            "rate 0.2 from step 5 on, 2 times the schedule's",
        ]
        apply(state, turned(6, 1.0))
        assert texts(state)[-1] == "rate 0.1 from step 6 on, the schedule's own"

    def test_a_turn_that_a_new_process_carries_out_again_is_one_turn(self):
        state = fold([turned(3, 0.5), rewound(3, "recovered"), turned(3, 0.5)])
        assert [(change.step, change.factor) for change in state.lanes[0].rates.changes] == [
            (3, 0.5)
        ]

    def test_an_early_word_counts_no_longer_when_the_rate_is_another_one(self):
        state = fold([started(), steps([1.0] * 90), FindingsUpdated(lane=0, step=90, findings=HOT)])
        assert verdict(state.lanes[0], state).word == "hot"
        apply(state, turned(90, 0.1))
        assert verdict(state.lanes[0], state).word == "none"
        assert state.lanes[0].rates.since == 90

    def test_at_the_end_the_rate_that_it_came_to_is_the_one_to_race(self):
        state = fold(
            [
                started(0),
                steps([1.0] * 90),
                turned(90, 0.5),
                steps([0.1], 90),
                Ended(lane=0, step=91, reason="finished"),
                steps([3.0], lane=1),
                Ended(lane=1, step=1, reason="stopped"),
            ]
        )
        assert race_sentences(state)[0].startswith("A lane 0 (dialled to 0.05) won")
        assert (
            race_sentences(state)[-1]
            == "Next: race 0.05 from the start; the winner came to it only at step 90."
        )


class TestAWayBack:
    STORY = (
        started(),
        steps([5.0, 4.0, 3.0]),
        Evaluated(lane=0, epoch=1, step=3, loss=4.0),
        steps([2.0, 9.0, 9.0], 3),
        Evaluated(lane=0, epoch=2, step=6, loss=7.0),
        measured([0, 2, 4], gain=[0.9, 0.8, -1.0]),
        LossSpiked(lane=0, steps=[1, 4]),
        turned(3, 2.0),
        turned(5, 4.0),
        Sampled(lane=0, epoch=2, step=6, shape=(1, 1, 1, 3), pixels=b"abc"),
        Alerted(lane=0, step=1, kind="diverged", text=""),
        Alerted(lane=0, step=4, kind="nan", text=""),
        Ended(lane=0, step=6, reason="nan"),
    )

    def test_what_came_after_the_snapshot_is_forgotten(self):
        lane = fold([*self.STORY, rewound(4)]).lanes[0]
        assert (values(lane), lane.steps, lane.status, lane.over) == (
            [5.0, 4.0, 3.0, 2.0],
            4,
            "running",
            False,
        )
        assert list(lane.evaluations) == [1]
        assert (
            list(lane.measured.steps),
            list(lane.measured.columns["gain"]),
            lane.losses.spikes,
        ) == ([0, 2], [0.9, 0.8], [1])
        assert [alert.step for alert in lane.alerts] == [1]
        assert [change.step for change in lane.rates.changes] == [3]
        assert (lane.losses.first, lane.losses.last, lane.losses.best, lane.losses.best_step) == (
            5.0,
            2.0,
            2.0,
            3,
        )
        assert (lane.clock.own_seconds, lane.sample) == (2.0, None)
        assert lane.losses.smooth.value == pytest.approx(
            fold([steps([5.0, 4.0, 3.0, 2.0])]).lanes[0].losses.smooth.value
        )

    def test_it_goes_on_from_there_as_if_nothing_had_been(self):
        again = [steps([1.5, 1.0], 4), Evaluated(lane=0, epoch=2, step=6, loss=1.2)]
        lane = fold([*self.STORY, rewound(4), *again]).lanes[0]
        assert values(lane) == [5.0, 4.0, 3.0, 2.0, 1.5, 1.0]
        assert (list(lane.evaluations), lane.evaluations.losses.tolist()) == ([1, 2], [4.0, 1.2])
        assert (lane.losses.best_step, lane.steps) == (5, 6)

    @pytest.mark.parametrize(
        ("why", "kept"), [("rewound", 1), ("restarted", 1), ("recovered", 0), ("resumed", 0)]
    )
    def test_abandoned_curve_is_kept_after_a_rewind_but_not_a_recovery(self, why, kept):
        lane = fold([*self.STORY, rewound(4, why)]).lanes[0]
        assert [(one.first, one.losses.values.tolist()) for one in lane.abandoned] == [
            (4, [9.0, 9.0])
        ] * kept

    def test_the_last_three_are_kept(self):
        events = [event for number in range(5) for event in (steps([float(number)], 0), rewound(0))]
        assert [one.losses.values.tolist() for one in fold(events).lanes[0].abandoned] == [
            [2.0],
            [3.0],
            [4.0],
        ]

    def test_evaluation_repeated_after_a_rewind_counts_once(self):
        epoch = Evaluated(lane=0, epoch=1, step=3, loss=4.0)
        lane = fold([*self.STORY, rewound(3), epoch]).lanes[0]
        assert list(lane.evaluations) == [1]

    def test_from_the_beginning_everything_is_fresh(self):
        state = fold(
            [
                *self.STORY[:-1],
                FindingsUpdated(lane=0, step=6, findings=HOT),
                rewound(0, "restarted"),
            ]
        )
        lane = state.lanes[0]
        assert (lane.columns, lane.alerts, lane.findings, lane.steps, lane.losses.last_text) == (
            {},
            [],
            Findings(),
            0,
            "–",
        )
        assert math.isnan(lane.losses.smooth.value)
        assert math.isnan(lane.losses.first)
        assert verdict(lane, state).word == "none"

    def test_a_plateau_that_was_found_later_is_no_longer_one(self):
        flat = Findings(early=False, samples=20, early_gain=0.5, flat_since=60)
        lane = fold(
            [
                started(),
                steps([1.0] * 90),
                FindingsUpdated(lane=0, step=90, findings=flat),
                rewound(55),
            ]
        ).lanes[0]
        assert lane.findings == msgspec.structs.replace(flat, flat_since=None)

    @pytest.mark.parametrize(
        ("why", "words"),
        [
            ("rewound", "rewound to step 4"),
            ("restarted", "restarted from step 4"),
            ("recovered", "its process was lost: back at step 4"),
            ("resumed", "resumed at step 4"),
        ],
    )
    def test_the_log_says_why_and_keeps_what_was_said(self, why, words):
        state = fold([*self.STORY, rewound(4, why)])
        assert texts(state)[-1] == words
        assert sum(text.startswith(("nan:", "diverged:")) for text in texts(state)) == 2

    def test_speed_begins_anew(self):
        lane = fold(
            [started(), steps([1.0] * 50, 0, at=49.0), rewound(10), steps([1.0] * 10, 10, at=51.0)]
        ).lanes[0]
        assert lane.throughput.speed == pytest.approx(10.0)


class TestAnEnd:
    def test_an_interrupted_lane_is_over_and_can_be_taken_up(self):
        state = fold(
            [
                started(),
                steps([2.0, 1.0]),
                Ended(lane=0, step=2, reason="interrupted"),
                steps([9.0], 2),
            ]
        )
        assert (state.lanes[0].status, state.lanes[0].over, state.lanes[0].steps) == (
            "interrupted",
            True,
            2,
        )
        for event in (rewound(1, "resumed"), begins(1), steps([1.5], 1)):
            apply(state, event)
        assert (state.lanes[0].status, values(state.lanes[0])) == ("running", [2.0, 1.5])

    def test_what_an_ended_lane_keeps_on_disk_is_still_heard(self):
        state = fold(
            [
                Ended(lane=0, step=2, reason="stopped"),
                LogMessage(lane=0, text="a word"),
                Snapshotted(
                    lane=0, step=2, tag="stop", size=2_500_000, kept=[1, 2], total=5_000_000
                ),
            ]
        )
        assert state.lanes[0].snapshots.kept == [1, 2]
        assert texts(state)[1:] == ["a word", "snapshot (stop) at step 2, 2.5 MB"]

    @pytest.mark.parametrize("tag", ["ring", "best", "good"])
    def test_snapshots_that_come_all_the_time_have_no_line(self, tag):
        state = fold([Snapshotted(lane=0, step=2, tag=tag, size=1, kept=[2], total=1)])
        assert (state.log_count, state.lanes[0].snapshots.step) == (0, 2)

    def test_an_end_that_was_only_presumed_is_undone_by_what_the_record_says(self):
        state = fold([started(), steps([2.0])])
        presume_ended(
            state, Ended(lane=0, step=1, reason="interrupted", error="the supervisor died")
        )
        assert (state.lanes[0].over, state.lanes[0].lifecycle.end_presumed) == (True, True)
        apply(state, LogMessage(lane=0, text="the supervisor looks for it"))
        assert state.lanes[0].over
        apply(state, steps([1.0], 1))
        assert (state.lanes[0].over, state.lanes[0].status, values(state.lanes[0])) == (
            False,
            "running",
            [2.0, 1.0],
        )
        apply(state, Ended(lane=0, step=2, reason="finished"))
        presume_ended(state, Ended(lane=0, step=1, reason="interrupted"))
        assert (state.lanes[0].status, state.lanes[0].lifecycle.end_presumed) == ("finished", False)

    def test_a_recorded_end_replaces_a_presumed_one(self):
        state = fold([started(), steps([2.0])])
        presume_ended(
            state, Ended(lane=0, step=1, reason="interrupted", error="the supervisor died")
        )
        apply(state, Ended(lane=0, step=1, reason="interrupted"))
        assert (state.lanes[0].ended.error, state.lanes[0].lifecycle.end_presumed) == ("", False)

    def test_nobody_has_won_a_race_that_was_interrupted(self):
        state = fold(
            [
                started(0),
                steps([2.0]),
                Ended(lane=0, step=1, reason="interrupted"),
                started(1),
                steps([3.0], lane=1),
                Ended(lane=1, step=1, reason="stopped"),
            ]
        )
        first, *_, last = race_sentences(state)
        assert (
            first
            == "A lane 0 (0.1) is ahead: smoothed loss 2.000; B lane 1 (0.1) is next with 1.5 times"
            " as much."
        )
        assert last == "The race was interrupted, and can be resumed."
        assert lane_sentence(state.lanes[0], state).endswith("; it was interrupted at 2.000.")

    def test_a_paused_lane_that_is_rewound_runs_until_it_says_otherwise(self):
        state = fold(
            [started(), steps([2.0]), StatusChanged(lane=0, step=1, status="paused"), rewound(0)]
        )
        assert state.lanes[0].status == "running"
        assert isinstance(state, RaceState)
