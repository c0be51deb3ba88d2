"""Best first, NaN last, and every number fit for JSON."""

import json
import math

import pytest

from lrtui.core.detectors import Findings
from lrtui.core.events import Alerted, Ended, Judged
from lrtui.core.result import result
from lrtui.core.sentences import lane_sentence
from lrtui.core.standings import standings
from lrtui.core.state import RaceState, apply

from .test_state import make_race, measured, started, steps


def race_of(*stories):
    """A state with a lane for each story: its losses, and how it ended (None: it goes on)."""
    state = RaceState(make_race(len(stories)))
    for lane, (losses, reason) in enumerate(stories):
        if losses:
            apply(state, started(lane))
            apply(state, steps(losses, lane=lane))
        if reason == "nan":
            apply(state, Alerted(lane=lane, step=len(losses), kind="nan", text=""))
        if reason:
            apply(state, Ended(lane=lane, step=len(losses), reason=reason))
    return state


def order(*stories):
    return "".join(lane.lane.letter for lane in standings(race_of(*stories)))


def test_the_lowest_smoothed_loss_leads():
    assert order(([3.0], None), ([1.0], None), ([2.0], "finished")) == "BCA"


def test_one_lucky_step_does_not_lead():
    assert order(([1.0] * 50, None), ([2.0] * 49 + [0.5], None)) == "AB"


def test_nan_comes_last_whatever_it_had_reached():
    assert order(([0.1, 0.1, math.nan], "nan"), ([5.0], "finished"), ([9.0], None)) == "BCA"


def test_lanes_that_failed_come_after_those_without_a_loss_and_before_nan():
    assert order(([0.1, math.nan], "nan"), ([0.1], "error"), ([], None), ([0.1], "died"), ([7.0], None)) == "ECBDA"


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
    apply(state, Judged(lane=1, step=5, findings=Findings(early=False, samples=18, early_gain=0.75, flat_since=2)))
    apply(state, measured([0], lane=1, spent=0.125, gain=[0.75]))
    entry = result(state)[1]
    assert (entry["verdict"], entry["reason"], entry["step_gain"], entry["measuring_s"]) == ("stalled", "floor", 0.75, 0.125)
    assert entry["sentence"] == lane_sentence(state.lanes[1], state)


@pytest.mark.parametrize("lanes", [1, 5])
def test_a_race_that_has_not_begun_has_standings(lanes):
    assert len(standings(RaceState(make_race(lanes)))) == lanes
