"""Eight lanes are told apart by people of any colour vision, on any usual background; letters say
which is which all the same."""

import itertools

import pytest
from rich.color import Color

from lrtui.terminal.palette import COLORS, LANES, THEMES, lane_color, lane_colors
from support.seeing import VISIONS, contrast, difference, lab, seen

APART = 10.0
"""CIEDE2000 between any two lanes, in any vision. Differences of 1 are just seen side by side, 2 to
3 at a glance; for categories of thin marks 8 and more is asked (the terminal-tensorboard palette
keeps neighbours 8 apart); all pairs are neighbours here."""
LEGIBLE = 3.0
"""WCAG 2.1, 1.4.11: graphical objects."""
GROUNDS = {"dark": [(0, 0, 0), (30, 30, 30)], "light": [(255, 255, 255), (253, 246, 227)]}


def rgb(name):
    return tuple(Color.parse(name).get_truecolor())


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("colors", ["truecolor", "256"])
def test_any_two_lanes_are_told_apart(colors, theme, vision):
    looks = {name: lab(seen(rgb(name), vision)) for name in lane_colors(colors, theme)}
    near = {
        pair: round(difference(looks[pair[0]], looks[pair[1]]), 1)
        for pair in itertools.combinations(looks, 2)
    }
    assert {pair: apart for pair, apart in near.items() if apart < APART} == {}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("colors", ["truecolor", "256"])
def test_each_lane_stands_out_from_the_background(colors, theme):
    for name, ground in itertools.product(lane_colors(colors, theme), GROUNDS[theme]):
        assert contrast(rgb(name), ground) >= LEGIBLE, name


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colors", COLORS)
def test_lane_colours_are_distinct_and_absent_without_colour(colors, theme):
    found = lane_colors(colors, theme)
    assert len(set(found)) == (0 if colors == "none" else 8)
    numbers = [Color.parse(name).number for name in found]
    if colors == "256":
        # how the first 16 look is the terminal's affair
        assert all(number >= 16 for number in numbers)
    if colors == "16":
        assert all(number < 16 for number in numbers)


def test_print_has_the_screens_colours():
    assert tuple(lane_color(index) for index in range(8)) == lane_colors("256", "dark")
    assert lane_color(len(LANES)) == lane_color(0)


def test_the_difference_is_the_published_one():
    """Pairs 1, 9 and 17 of Sharma, Wu and Dalal's test data."""
    assert difference((50, 2.6772, -79.7751), (50, 0, -82.7485)) == pytest.approx(2.0425, abs=1e-4)
    assert difference((50, 2.49, -0.001), (50, -2.49, 0.0009)) == pytest.approx(7.1792, abs=1e-4)
    assert difference((50, 2.5, 0), (73, 25, -18)) == pytest.approx(27.1492, abs=1e-4)
