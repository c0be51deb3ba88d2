"""Outcomes against rates: lines, the best, what is near it, what was lost, and how the edge is
widened."""

from __future__ import annotations

import math
import tomllib

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.errors import ScenarioError
from lrtui.core.protocol.events import Alerted, RateChanged
from lrtui.core.results.next_rate import advice
from lrtui.core.results.race_sentences import race_sentences
from lrtui.core.results.rate_chart import rate_chart
from lrtui.core.results.rate_sentences import rate_sentences, refusal
from lrtui.core.results.widen import widened, widening, widenings
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.scenario_text import scenario_text
from lrtui.core.scenario.spec import ScheduleSpec
from lrtui.core.state.race_state import apply
from support.builders import COLD, HOT, OK, changed, steps
from support.rate_races import UNMEASURED, race, script_race


def line_of(state):
    (line,) = rate_chart(state).lines
    return line


def test_lanes_that_differ_in_their_rate_alone_make_a_line():
    cosine = ScheduleSpec("CosineAnnealingLR", "batch", {"T_max": 9})
    state = race(
        (0.1, 1.0), (0.01, 2.0), (0.1, 3.0, {"optimizer": "Adam"}), (0.1, 0.5, {"schedule": cosine})
    )
    chart = rate_chart(state)
    assert [line.name for line in chart.lines] == [
        "SGD, no schedule",
        "Adam, no schedule",
        "SGD, CosineAnnealingLR(T_max=9)",
    ]
    assert [point.rate for point in chart.lines[0].points] == [0.01, 0.1]
    line, point = chart.best
    assert (line.name, point.letter) == ("SGD, CosineAnnealingLR(T_max=9)", "D")


@pytest.mark.parametrize(
    ("lanes", "best", "near", "edge"),
    [
        ([(0.1, 2.0), (0.01, 1.0), (0.001, 3.0)], 0.01, (0.01, 0.01), ""),
        ([(0.1, 1.0), (0.01, 2.0)], 0.1, (0.1, 0.1), "highest"),
        ([(0.1, 1.04), (0.01, 1.0)], 0.01, (0.01, 0.1), "lowest"),
        ([(1.0, math.nan), (0.1, 1.0), (0.01, 2.0)], 0.1, (0.1, 0.1), ""),
        ([(1.0, "diverged"), (0.1, 1.0), (0.01, 2.0)], 0.1, (0.1, 0.1), ""),
        ([(1.0, None), (0.1, 1.0), (0.01, 2.0)], 0.1, (0.1, 0.1), ""),
        ([(0.1, -1.0), (0.01, -0.96), (0.001, -0.9)], 0.1, (0.01, 0.1), "highest"),
    ],
)
def test_best_rate_its_range_and_the_edge(lanes, best, near, edge):
    line = line_of(race(*lanes))
    assert (line.best.rate, line.near, line.edge) == (best, near, edge)


def test_range_ends_at_a_lost_rate():
    line = line_of(race((0.1, 1.0), (0.03, math.nan), (0.01, 1.01), (0.003, 1.5)))
    assert line.near == (0.1, 0.1)


def test_best_is_the_highest_value_of_an_accuracy():
    accuracies = zip((0.1, 0.01, 0.001), (0.70, 0.90, 0.86), strict=True)
    lanes = [(rate, 1.0, {"metrics": {"accuracy": value}}) for rate, value in accuracies]
    line = line_of(race(*lanes, rank_by="accuracy"))
    assert (line.best.rate, line.near) == (0.01, (0.001, 0.01))


def test_seeds_are_one_point_with_mean_and_range_and_lost_if_one_is():
    state = race((0.1, 1.0), (0.01, 2.0), seeds=2, over=False)
    apply(state, Alerted(lane=0, step=9, kind="nan", text=""))
    high, low = reversed(line_of(state).points)
    assert (high.lost, low.lost, low.letter, low.value) == (1, 0, "B", 2.0)
    assert math.isnan(high.value)
    assert "0.1 went NaN or diverged (0.1 with 1 of 2 lanes)" in words(state)


def test_lane_that_came_to_its_rate_late_is_kept_aside():
    state = race((0.1, 1.0), (0.01, 2.0), over=False)
    apply(state, steps([1.0] * 80, first=10))
    apply(state, RateChanged(lane=0, step=80, factor=10.0, rate=1.0))
    line = line_of(state)
    assert [lane.index for lane in line.aside] == [0]
    assert [point.rate for point in line.points] == [0.01]
    assert "not compared, since they came to their rate late: A" in words(
        race((0.1, 1.0), (0.01, 2.0)), line
    )


def test_script_that_is_told_its_rate_by_an_argument_has_one_line():
    state = script_race({"lr": ("0.1", "0.01"), "width": ("8", "8")})
    line = line_of(state)
    assert [point.rate for point in line.points] == [0.01, 0.1]
    race = widened(state, widenings(rate_chart(state), state))
    assert [lane.values["lr"] for lane in race.lanes][-1] == "10"
    assert {lane.values["width"] for lane in race.lanes} == {"8"}
    assert {lane.lr for lane in race.lanes} == {0.0}


def test_script_that_waits_has_the_rate_of_its_argument():
    state = script_race({"lr": ("0.1", "0.01", "1")}, begun=2)
    assert [point.rate for point in line_of(state).points] == [0.01, 0.1, 1.0]
    assert line_of(state).edge == ""  # the highest is still to come
    assert widenings(rate_chart(state), state) == []


def test_script_that_lrtui_did_not_start_is_not_widened():
    state = script_race({"lr": ("0.1", "0.01")}, supervised=False)
    with pytest.raises(ScenarioError, match="did not start this script"):
        widened(state, widenings(rate_chart(state), state))


def words(state, line=None):
    chart = rate_chart(state)
    if line:
        chart = chart._replace(lines=(line,))
        chart = chart._replace(lines=(*chart.lines, *rate_chart(state).lines))
    return " ".join(rate_sentences(chart, state))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            race((0.1, 1.0), (0.01, 2.0)),
            (
                "The best rate is 0.1 (A), smoothed loss 1.000; no other rate raced is within 5% of"
                " it. The best is at the edge, it is the highest rate raced: widen to 0.3, 1 and"
                " 10."
            ),
        ),
        (
            race((0.1, 2.0), (0.01, 1.0), (0.001, 3.0)),
            (
                "The best rate is 0.01 (B), smoothed loss 1.000; no other rate raced is within 5%"
                " of it."
            ),
        ),
        (
            race((0.1, 1.0, {"found": HOT}), (0.01, 2.0)),
            (
                "The best rate is 0.1 (A), smoothed loss 1.000; no other rate raced is within 5% of"
                " it. It is the highest rate raced, but try 0.03; its early step gain was"
                " 0.10: it was too hot, and 0.01 was worse."
            ),
        ),
        (
            race((0.1, 1.0)),
            ("One learning rate was raced, 0.1: a chart of outcomes against rates needs two."),
        ),
        (
            race((0.1, math.nan), (0.01, math.nan)),
            (
                "All went NaN or diverged: 0.01 and 0.1. Lower rates are still to be raced: widen"
                " to 1e-5, 0.0001 and 0.001."
            ),
        ),
        (race((0.1, None), (0.01, None), over=False), "No outcome yet."),
    ],
)
def test_sentences_say_what_the_chart_shows(state, expected):
    assert words(state) == expected


def test_refusal_names_why_there_is_nothing_to_widen():
    bracketed = race((0.1, 2.0), (0.01, 1.0), (0.001, 3.0))
    assert refusal(rate_chart(bracketed), bracketed) == (
        "there is nothing to widen: worse rates than the best, 0.01, lie on both sides of it"
    )
    alone = race((0.1, 1.0))
    assert "one learning rate was raced" in refusal(rate_chart(alone), alone)


def test_widened_race_reads_back_and_brackets_the_old_edge():
    state = race((0.1, 1.0), (0.01, 2.0), (0.03, 1.5), seeds=2, rank_by="loss", seed=7)
    task = msgspec.structs.replace(
        state.race.task, kind="bundled", target="sprite-generator", name="sprite-generator"
    )
    state.race = msgspec.structs.replace(state.race, task=task, scenario="digits")
    found = widened(state, widenings(rate_chart(state), state))
    assert found.title == "Widened to 3 · a race"
    assert [(lane.letter, lane.lr, lane.seed) for lane in found.lanes][:4] == [
        ("A1", 0.03, 0),
        ("A2", 0.03, 1),
        ("B1", 0.1, 0),
        ("B2", 0.1, 1),
    ]
    assert sorted({lane.lr for lane in found.lanes}) == [0.03, 0.1, 0.3, 1.0, 3.0]
    assert (found.seed, found.seeds, found.rank_by, found.steps) == (7, 2, "loss", 100)
    again = scenario_file.parse(tomllib.loads(scenario_text(found)), source="x", folder=None)
    assert [lane.settings for lane in again.lanes] == [lane.settings for lane in found.lanes]


rates = st.lists(
    st.sampled_from([10.0**power for power in range(-6, 7)]), min_size=1, max_size=6, unique=True
)
outcomes = st.one_of(st.floats(-100, 100), st.just(math.nan), st.just("diverged"), st.none())
findings = st.sampled_from(
    [OK, HOT, COLD, UNMEASURED, changed(OK, moved=False), changed(OK, early_gain=0.3)]
)


@settings(max_examples=150, deadline=None)
@given(st.data(), rates)
def test_widening_never_contradicts_the_rate_to_try_next(data, given_rates):
    state = race(
        *((rate, data.draw(outcomes), {"found": data.draw(findings)}) for rate in given_rates),
        over=data.draw(st.booleans()),
    )
    chart = rate_chart(state)
    said = rate_sentences(chart, state)
    for line in chart.lines:
        found = widening(line, state)
        if line.best is None:
            continue
        wanted = advice(line.best.lanes[0], state).rate
        known = [point.rate for point in line.points]
        outside = wanted < min(known) or wanted > max(known)
        assert (found is not None) == (outside and sum(p.known for p in line.points) > 1)
        if found:
            assert wanted in found.rates
            assert all(rate < min(known) or rate > max(known) for rate in found.rates)
            assert any("widen to" in one for one in said)
            race_sentences(state)


@pytest.mark.parametrize(
    ("errors", "tried", "words"),
    [
        ((0.3, 0.2, 0.1), 3e-4, "at the lowest rate raced"),
        ((0.1, 0.2, 0.3), 0.3, "at the highest rate raced"),
        ((0.3, 0.1, 0.2), 3e-3, "the lower one, 0.001, came nearer"),
    ],
)
def test_validation_decides_where_to_look_whatever_the_gauge_says(errors, tried, words):
    rates = zip((0.1, 0.01, 0.001), errors, strict=True)
    lanes = [(rate, 1.0, {"metrics": {"val_loss": error}, "found": COLD}) for rate, error in rates]
    state = race(*lanes)
    line, best = rate_chart(state).best
    found = advice(best.lanes[0], state)
    assert found.rate == pytest.approx(tried)
    assert words in found.words
    assert bool(widening(line, state)) == (best.rate != 0.01)
