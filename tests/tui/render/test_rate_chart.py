"""The rate chart on the screen: where lanes, crosses and the best stand, at any size and tier."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.results.rate_chart import rate_chart
from lrtui.core.results.rate_sentences import rate_sentences
from lrtui.tui.render import glyphs, styles
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.render.rate_chart import draw
from support.rate_races import race

HINT = "Enter races 0.3"


def drawn(state, width=60, height=16, hint=""):
    canvas = Canvas(width, height)
    chart = rate_chart(state)
    draw(canvas, chart, rate_sentences(chart, state), hint, 0)
    return [canvas.strip(y).text for y in range(height)]


def column(rows, sign):
    """(row, column) of the only place of a sign in the chart."""
    ((y, x),) = [(y, row.index(sign)) for y, row in enumerate(rows) if sign in row]
    return y, x


def test_lanes_stand_at_their_rates_and_outcomes():
    rows = drawn(race((0.001, 3.0), (0.01, 1.0), (0.1, 2.0)))[1:]
    rows = rows[: next(y for y, row in enumerate(rows) if "▲" in row) + 1]
    places = {sign: column(rows, sign) for sign in "ABC"}
    assert places["A"][1] < places["B"][1] < places["C"][1]
    assert places["A"][0] < places["C"][0] < places["B"][0]  # a low loss is below
    assert column(rows, "▲")[1] == places["B"][1]


def test_lost_rates_stand_as_crosses_above_all():
    rows = drawn(race((0.01, 1.0), (0.1, 2.0), (1.0, math.nan), (10.0, "diverged")))
    assert [row.count("✗") for row in rows[:3]] == [0, 2, 0]
    assert "✗C" in rows[1]
    assert rows[1].startswith("   lost")


def test_rates_near_the_best_are_underlined():
    rows = drawn(race((0.001, 3.0), (0.01, 1.0), (0.1, 1.02), (1.0, 2.0)))
    (line,) = [row for row in rows if "━" in row]
    assert line.strip().startswith("▲━")
    assert drawn(race((0.001, 3.0), (0.01, 1.0), (0.1, 2.0)))[1].count("━") == 0


def test_lines_differ_in_style_and_names_without_colour():
    state = race(
        (0.1, 1.0),
        (0.01, 2.0),
        (0.1, 3.0, {"optimizer": "Adam"}),
        (0.01, 4.0, {"optimizer": "Adam"}),
    )
    rows = drawn(state)
    assert "SGD: B A" in rows[0]
    assert "Adam: D C" in rows[1]
    assert rows[0].split("SGD")[0] != rows[1].split("Adam")[0]


def test_hint_comes_first_of_the_words():
    rows = drawn(race((0.1, 1.0), (0.01, 2.0)), height=12, hint=HINT)
    at = next(y for y, row in enumerate(rows) if HINT in row)
    assert "The best rate is 0.1 (A)" in rows[at + 1]


def test_one_rate_is_said_in_words():
    rows = drawn(race((0.1, 1.0), (0.1, 2.0)))
    assert rows[0].strip() == "One learning rate was raced, 0.1: a chart of outcomes"


@pytest.mark.parametrize("tier", ["blocks", "halves", "ascii"])
def test_chart_is_drawn_in_what_the_terminal_has(tier):
    glyphs.choose(tier)
    try:
        text = "".join(drawn(race((0.01, 1.0), (0.1, 2.0), (1.0, math.nan))))
    finally:
        glyphs.choose("braille")
    assert "?" not in text
    if tier == "ascii":
        assert text.isascii()
        assert "xC" in text


RATES = st.one_of(st.sampled_from([1e-300, 1e-12, 1e-3, 0.1, 1e12]), st.floats(1e-9, 1e9))
OUTCOMES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=False, width=32), st.just("diverged"), st.none()
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(RATES, OUTCOMES), min_size=1, max_size=12),
    st.integers(1, 90),
    st.integers(1, 20),
)
def test_any_outcomes_are_drawn_at_any_size(lanes, width, height):
    drawn(race(*lanes, over=False), width, height, HINT)


def test_lanes_beyond_the_alphabet_are_drawn():
    state = race(*((10.0 ** (-6 + index / 25), 1.0 + index) for index in range(256)))
    styles.choose("256", "dark")
    assert len(drawn(state, 80, 24)) == 24
