"""A filter says what it means or says what was expected: words, conditions, and anything else that
can be typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import Alerted, Ended, LaneAdded, RateChanged
from lrtui.core.results.lane_filter import (
    EVERY,
    KEYS,
    MEASURES,
    matches,
    option_names,
    parse,
    visible,
)
from lrtui.core.scenario import scenario_file
from lrtui.core.state.race_state import RaceState, apply
from support.builders import started, steps

LANES = [
    {"name": "slow", "optimizer": "Adam", "lr": 1e-3},
    {"name": "fast", "optimizer": "AdamW", "lr": 0.1, "schedule": "cosine"},
    {
        "name": "two words",
        "optimizer": {"name": "SGD", "momentum": 0.9, "nesterov": True},
        "lr": 0.01,
    },
    {"name": "plain", "optimizer": "SGD", "lr": 0.01},
]
LOSSES = {0: 1.0, 1: 0.2, 2: 0.5}


def race() -> RaceState:
    """Lanes A to D: three that are ten steps far at these losses, of which B is NaN, and one that
    waits; E is a fork of C."""
    raw = {"title": "a race", "task": "sprite-generator", "steps": 100, "lane": LANES}
    state = RaceState(scenario_file.parse(raw, source="test", folder=Path(), scenario="test"))
    for lane, loss in LOSSES.items():
        apply(state, started(lane))
        apply(state, steps([loss] * 10, lane=lane))
    apply(state, Alerted(lane=1, step=10, kind="nan", text="loss is NaN"))
    apply(state, Ended(lane=1, step=10, reason="nan"))
    child = state.race.lanes[2]
    apply(
        state,
        LaneAdded(
            lane=4, parent=2, step=10, child=type(child)("E", "child", child.optimizer, child.lr)
        ),
    )
    return state


def shown(text: str) -> str:
    state = race()
    return "".join(
        state.lanes[index].lane.letter for index in visible(state, parse(text, option_names(state)))
    )


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("", "ABCDE"),
        ("   ", "ABCDE"),
        ("adam", "AB"),
        ("ADAMW", "B"),
        ("!adam", "CDE"),
        ("sgd", "CDE"),
        ("cosine", "B"),
        ("slow", "A"),
        ('"two words"', "C"),
        ("A", "A"),
        ("E", "E"),
        ("!E", "ABCD"),
        ("b", "B"),
        ("nan", "B"),
        ("!nan", "ACDE"),
        ("waiting", "DE"),
        ("adam !nan", "A"),
        ("lr>=1e-2", "BCDE"),
        ("lr<0.01", "A"),
        ("lr=0.01", "CDE"),
        ("lr!=0.01", "AB"),
        ("lr==1e-2", "CDE"),
        ("!lr>=1e-2", "A"),
        ("loss<0.7", "C"),
        ("loss<=1", "AC"),
        ("!loss<0.7", "ABDE"),
        ("best<0.3", "B"),
        ("step>=10", "ABCE"),
        ("gap>=2", "A"),
        ("momentum>0.5", "CE"),
        ("momentum=0.9", "CE"),
        ("momentum!=0.8", "CE"),
        ("nesterov=true", "CE"),
        ("Momentum<1", "CE"),
        ("status:w", "DE"),
        ("status:running", "AC"),
        ("status:nan", "B"),
        ("verdict:none", "ACDE"),
        ("optimizer:adam", "AB"),
        ("schedule:none", "ACDE"),
        ("schedule:cos", "B"),
        ("name:la", "D"),
        ('name:"two w"', "C"),
        ("letter:c", "C"),
        ("parent:C", "E"),
        ("!parent:c", "ABCD"),
        ("adam sgd", ""),
        ("LR>=0.01 !nan", "CDE"),
    ],
)
def test_what_matches(text: str, letters: str) -> None:
    assert shown(text) == letters


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!", "expected a word or a condition"),
        ("lr>=", "expected a finite number, such as lr>=1e-3"),
        ("lr>=1e", "1e"),
        ("lr>nan", "finite"),
        ("loss<inf", "finite"),
        ("lr>1_0", "number"),
        ("=3", "no lane has a setting"),
        ("momentun>0.5", 'did you mean "momentum"?'),
        ("beta>1", "one of best, gap, loss, lr, momentum"),
        ("momentum>x", "number"),
        ("momentum=", "a number, true, false or a word"),
        ("status:", "expected one of waiting, running"),
        ("status:off", "is not a status"),
        ("verdict:warm", "is not a verdict"),
        ("name:", "a word after it"),
        ("parent:", "parent:A"),
        ("statu:nan", 'did you mean "status"?'),
        ("colour:red", "one of name:"),
        ('name:"two', "a quote is not closed"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected(text: str, words: str) -> None:
    with pytest.raises(LrtuiError) as error:
        parse(text, option_names(race()))
    assert words in str(error.value)


PIECES = [
    *KEYS,
    *MEASURES,
    "momentum",
    *'!"<>=:',
    " ",
    "1e-3",
    "nan",
    "inf",
    "0.5",
    "A",
    "\x1b[31m",
    "é",
    "\u202e",
    "--",
    "१",
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
@example('"" !"" a:""')
@example("lr>" + "9" * 400)
def test_nothing_that_can_be_typed_does_more_than_refuse(text: str) -> None:
    state = race()
    try:
        wanted = parse(text, option_names(state))
    except LrtuiError as refused:
        said = str(refused)
    else:
        said = "".join(str(matches(wanted, lane, state)) for lane in state.lanes)
    assert not set(said) & {"\x1b", "\x07", "\u202e", "\u2066", "\x00"}


@given(
    st.sampled_from(
        [
            "adam lr>=1e-3 !nan",
            "status:paused parent:A",
            'name:"two words" loss<0.5',
            "momentum=0.9 gap<=1.5",
        ]
    )
)
def test_on_the_way_to_a_filter_every_beginning_is_read_or_refused(text: str) -> None:
    hints = []
    for stop in range(len(text) + 1):
        try:
            parse(text[:stop], option_names(race()))
        except LrtuiError as refused:
            hints.append(refused.hint)
    assert all(hint.startswith("expected") for hint in hints)
    assert len(hints) < len(text) / 2


def test_without_a_race_any_option_may_be_compared() -> None:
    assert parse("gamma>0.5 step_size=3").terms[0].key == "gamma"


def test_the_rate_is_what_the_dial_makes_of_it() -> None:
    state = race()
    apply(state, RateChanged(lane=0, step=10, rate=0.1, factor=100.0))
    assert matches(parse("lr=0.1"), state.lanes[0], state)


def test_pinned_lanes_come_first_and_stay_whatever_is_asked_for() -> None:
    state = race()
    assert visible(state, EVERY, {2, 3}) == [2, 3, 0, 1, 4]
    assert visible(state, parse("nan"), {2}) == [2, 1]
    assert visible(state, parse("nan"), {99}) == [1]


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("clip_grad_norm:1", "A"),
        ("clip_grad_norm=1", "A"),
        ("!clip_grad_norm:1", "BC"),
        ("precision:bf16", "B"),
        ("precision=fp32", "AC"),
        ("accumulate>1", "B"),
        ("momentum:0.9", "C"),
        ("name:lane", "ABC"),
    ],
)
def test_settings_of_recipes_are_compared_as_options_are(text: str, letters: str) -> None:
    lanes = [
        {"name": "lane 0", "lr": 0.1, "clip_grad_norm": 1.0},
        {"name": "lane 1", "lr": 0.1, "precision": "bf16", "accumulate": 2},
        {"name": "lane 2", "lr": 0.1, "optimizer": {"name": "SGD", "momentum": 0.9}},
    ]
    raw = {"title": "a race", "task": "sprite-generator", "steps": 100, "lane": lanes}
    state = RaceState(scenario_file.parse(raw, source="test", folder=Path(), scenario="test"))
    found = visible(state, parse(text, option_names(state)))
    assert "".join(state.lanes[index].lane.letter for index in found) == letters


def test_setting_that_no_lane_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(LrtuiError, match="no lane has a setting"):
        parse("ema=0.9", option_names(race()))
