"""Best first, NaN last, and every number fit for JSON."""

import json
import math

import pytest
from hypothesis import given, strategies as st

from lrtui.core.protocol.events import FindingsUpdated, LaneAdded
from lrtui.core.protocol.findings import Findings
from lrtui.core.results.lane_sentence import lane_sentence
from lrtui.core.results.race_result import result
from lrtui.core.results.ranking import common_step, ranking_of, smoothed_after
from lrtui.core.results.seed_groups import seed_groups
from lrtui.core.results.standings import (
    HYSTERESIS,
    ORDERS,
    change,
    ranked,
    standings,
    with_hysteresis,
)
from lrtui.core.series.ema import Ema
from lrtui.core.state.race_state import RaceState, apply
from support.builders import make_race, measured, race_of, steps


def order(*stories):
    return "".join(lane.lane.letter for lane in standings(race_of(*stories)))


def test_the_lowest_smoothed_loss_leads():
    assert order(([3.0], None), ([1.0], None), ([2.0], "finished")) == "BCA"


def test_one_lucky_step_does_not_lead():
    assert order(([1.0] * 50, None), ([2.0] * 49 + [0.5], None)) == "AB"


def test_nan_comes_last_whatever_it_had_reached():
    assert order(([0.1, 0.1, math.nan], "nan"), ([5.0], "finished"), ([9.0], None)) == "BCA"


def test_lanes_that_failed_come_after_those_without_a_loss_and_before_nan():
    assert (
        order(
            ([0.1, math.nan], "nan"), ([0.1], "error"), ([], None), ([0.1], "died"), ([7.0], None)
        )
        == "ECBDA"
    )


def test_of_the_failed_the_one_that_lasted_longest_comes_first():
    assert order(([1.0], "nan"), ([1.0, 1.0, 1.0], "nan"), ([1.0, 1.0], "nan")) == "BCA"


def test_equal_lanes_keep_their_order():
    assert order(([1.0], None), ([1.0], None), ([], None), ([], None)) == "ABCD"


def test_a_stopped_lane_is_ranked_by_what_it_reached():
    assert order(([2.0], "finished"), ([1.0], "stopped")) == "BA"


def test_the_result_is_in_standings_order_and_fit_for_json():
    state = race_of(([2.0, 1.0, 1.5], "finished"), ([0.5, math.inf], "nan"), ([], None))
    entries = result(state)
    assert [entry["letter"] for entry in entries] == ["A", "C", "B"]
    assert entries[0] == {
        "letter": "A",
        "name": "lane 0",
        "place": 1,
        "value": pytest.approx(1.4834, rel=1e-4),
        "seed": 0,
        "status": "finished",
        "verdict": "none",
        "reason": None,
        "steps": 3,
        "smooth_loss": pytest.approx(1.4834, rel=1e-4),
        "first_loss": 2.0,
        "last_loss": 1.5,
        "best_loss": 1.0,
        "best_step": 1,
        "steps_per_second": 2.0,
        "factor": 1.0,
        "parent": None,
        "first_step": 0,
        "step_gain": None,
        "measuring_s": 0.0,
        "sentence": lane_sentence(state.lanes[0], state),
    }
    assert entries[1]["best_step"] is None
    assert entries[1]["first_loss"] == "NaN"
    assert entries[2]["last_loss"] == "Infinity"
    assert entries[2]["verdict"] == "nan"
    assert json.loads(json.dumps(entries, allow_nan=False)) == entries


def test_the_result_has_what_was_measured_and_the_reason_of_a_stall():
    state = race_of(([1.0] * 5, "finished"), ([1.0] * 5, None))
    apply(
        state,
        FindingsUpdated(
            lane=1,
            step=5,
            findings=Findings(early=False, samples=18, early_gain=0.75, flat_since=2),
        ),
    )
    apply(state, measured([0], lane=1, spent=0.125, gain=[0.75]))
    entry = result(state)[1]
    assert (entry["verdict"], entry["reason"], entry["step_gain"], entry["measuring_s"]) == (
        "stalled",
        "floor",
        0.75,
        0.125,
    )
    assert entry["sentence"] == lane_sentence(state.lanes[1], state)


@pytest.mark.parametrize("lanes", [1, 5])
def test_a_race_that_has_not_begun_has_standings(lanes):
    assert len(standings(RaceState(make_race(lanes)))) == lanes


class TestOrders:
    def test_by_the_best_loss_one_lucky_step_leads(self):
        state = race_of(([1.0] * 50, None), ([2.0] * 49 + [0.5], None))
        assert [row.first.lane.letter for row in rank(state, "best").rows] == ["B", "A"]

    def test_equal_budget_order_compares_losses_at_the_common_step(self):
        fast, slow = [5.0 - 0.04 * step for step in range(100)], [3.0] * 20
        state = race_of((fast, None), (slow, None))
        assert [row.first.lane.letter for row in rank(state).rows] == ["A", "B"]
        table = rank(state, "budget")
        assert [row.first.lane.letter for row in table.rows] == ["B", "A"]
        assert table.step == 20
        assert table.rows[0].value == pytest.approx(3.0)
        assert table.rows[1].value == pytest.approx(smoothed(fast[:20]))

    def test_common_step_ignores_failed_nan_and_waiting_lanes(self):
        state = race_of(
            ([1.0] * 30, None),
            ([1.0] * 20, "stopped"),
            ([1.0] * 3, "nan"),
            ([1.0] * 2, "error"),
            ([], None),
        )
        by_loss = ranking_of(state.race, state.lanes)
        assert common_step(state.lanes, state.lanes, by_loss) == 20
        assert common_step(state.lanes[2:], state.lanes, by_loss) is None

    def test_a_fork_is_what_its_parent_was_before_it(self):
        state = race_of(([4.0] * 10 + [1.0] * 10, None))
        apply(state, LaneAdded(lane=1, parent=0, step=10, child=state.race.lanes[0]))
        apply(state, steps([2.0] * 5, first=10, lane=1))
        assert smoothed_after(state.lanes[1], state.lanes, 10) == pytest.approx(4.0)
        assert smoothed_after(state.lanes[1], state.lanes, 15) == pytest.approx(2.0)
        assert math.isnan(smoothed_after(state.lanes[1], state.lanes, 16))

    @pytest.mark.parametrize("order", ORDERS)
    def test_nan_and_failed_come_last_in_every_order(self, order):
        state = race_of(
            ([0.1, 0.1, math.nan], "nan"),
            ([0.1], "error"),
            ([5.0], "finished"),
            ([9.0], None),
            ([], None),
        )
        assert "".join(row.first.lane.letter for row in rank(state, order).rows) == "CDEBA"

    def test_smoothed_loss_after_all_steps_equals_the_ranking_value(self):
        losses = [math.sin(step) + 2 for step in range(700)]
        losses[5] = losses[690] = math.nan
        lane = race_of((losses, None)).lanes[0]
        assert (
            smoothed_after(lane, [lane], 700)
            == lane.losses.smooth.value
            == pytest.approx(smoothed(losses))
        )


class TestGaps:
    def test_a_gap_is_a_ratio_where_all_losses_are_above_zero(self):
        state = race_of(([2.0], None), ([3.0], None), ([1.0, math.nan], "nan"))
        table = rank(state)
        assert table.ratio
        assert [row.gap for row in table.rows[:2]] == [1.0, 1.5]
        assert math.isnan(table.rows[2].gap)

    def test_and_a_difference_where_one_is_not(self):
        state = race_of(([-2.0], None), ([3.0], None))
        table = rank(state)
        assert not table.ratio
        assert [row.gap for row in table.rows] == [0.0, 5.0]

    def test_the_change_is_that_of_the_last_tenth(self):
        state = race_of(
            ([4.0] * 900 + [2.0] * 100, None), ([1.0] * 9, None), ([1.0] * 50 + [math.nan], "nan")
        )
        assert change(state.lanes[0], state.lanes) == pytest.approx(-0.5, rel=1e-3)
        assert math.isnan(change(state.lanes[1], state.lanes))
        assert math.isnan(change(state.lanes[2], state.lanes))


class TestNoFlicker:
    def test_neighbours_change_places_only_when_one_is_clearly_better(self):
        lanes, previous = race_of(([1.0], None), ([1.0], None)).lanes, [0, 1]
        assert order_of(lanes, {0: 1.0, 1: 0.999}, previous) == [0, 1]
        assert order_of(lanes, {0: 1.0, 1: 0.99}, previous) == [1, 0]

    def test_lanes_that_stand_still_are_in_their_exact_order(self):
        lanes = race_of(([1.0], "finished"), ([1.0], "stopped")).lanes
        assert order_of(lanes, {0: 1.0, 1: 0.9999}, [0, 1]) == [1, 0]

    def test_many_small_differences_do_not_add_up_to_a_wrong_order(self):
        lanes = race_of(*[([1.0], None)] * 6).lanes
        values = {lane: 1.0 - 0.004 * lane for lane in range(6)}
        found = order_of(lanes, values, [0, 1, 2, 3, 4, 5])
        assert found != [0, 1, 2, 3, 4, 5]
        assert_nobody_is_behind_one_that_it_clearly_beats(found, values)

    def test_a_lane_that_joins_or_leaves_leaves_the_others_where_they_are(self):
        lanes = race_of(*[([1.0], None)] * 3).lanes
        values = {0: 1.0, 1: 0.999, 2: 0.5}
        assert order_of(lanes, values, [0, 1]) == [2, 0, 1]
        assert order_of(lanes[:2], values, [2, 0, 1]) == [0, 1]

    @given(st.data())
    def test_order_is_stable_and_never_clearly_wrong(self, data):
        count = data.draw(st.integers(1, 8))
        lanes = race_of(*[([1.0], None)] * count).lanes
        close = st.floats(0.98, 1.02) | st.floats(0, 10)
        values = dict(enumerate(data.draw(st.lists(close, min_size=count, max_size=count))))
        previous = data.draw(st.permutations(range(count)))
        found = order_of(lanes, values, previous)
        assert sorted(found) == list(range(count))
        assert_nobody_is_behind_one_that_it_clearly_beats(found, values)
        assert order_of(lanes, values, found) == found


def rank(state, at=None):
    return ranked(seed_groups(state.lanes), state.race, state.lanes, at)


def order_of(lanes, values, previous):
    groups = {group.first.index: group for group in seed_groups(lanes)}
    return [group.first.index for group in with_hysteresis(groups, values, previous)]


def assert_nobody_is_behind_one_that_it_clearly_beats(found, values):
    for at, before in enumerate(found):
        for behind in found[at + 1 :]:
            assert values[behind] >= values[before] - 1.0001 * HYSTERESIS * max(
                values[behind], values[before]
            )


def smoothed(losses):
    average = Ema(0.9)
    for loss in losses:
        average.update(loss)
    return average.value
