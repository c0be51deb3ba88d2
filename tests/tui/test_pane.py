"""One lane's pane at any size: nothing in it is cut to another number, nothing of an older drawing
stays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.numbers import loss
from lrtui.core.state.race_state import RaceState, apply
from lrtui.tui.render import chart
from lrtui.tui.render.canvas import Canvas
from support.drawing import drawn
from support.fake_run import STEPS, make_race, sample, started, story


@pytest.mark.parametrize("index", range(6))
def test_a_loss_is_never_cut_in_the_middle(follower, index):
    lane = follower.state.lanes[index]
    for width, height in itertools.product(range(26, 80, 3), (6, 8, 9, 12, 14, 20)):
        figures = drawn(follower.state, index, Canvas(width, height))[2:6]
        assert any(f"loss {loss(lane.losses.last)}" in row for row in figures)
        assert all(f"best {loss(lane.losses.best)}" in row for row in figures if "best" in row)


@pytest.mark.parametrize(("width", "height"), [(34, 9), (38, 16), (72, 22), (140, 40)])
def test_what_was_there_before_the_first_sprite_is_gone(width, height):
    state = RaceState(make_race(("paints",)))
    canvas = Canvas(width, height)
    for event in story(0, "steady", STEPS, over=False):
        apply(state, event)
        drawn(state, 0, canvas)
    apply(state, sample(0, 1, STEPS))
    assert drawn(state, 0, canvas) == drawn(state, 0, Canvas(width, height))


def test_what_was_there_before_an_error_is_gone():
    state = RaceState(make_race(("breaks",)))
    canvas = Canvas(72, 20)
    for event in story(0, "breaks"):
        apply(state, event)
        drawn(state, 0, canvas)
    assert drawn(state, 0, canvas) == drawn(state, 0, Canvas(72, 20))
    assert "ValueError: [bold]no[/bold] red end" in "".join(drawn(state, 0, canvas))


def test_a_lane_that_waits_has_a_pane_too():
    state = RaceState(make_race(("steady",)))
    assert "waiting" in drawn(state, 0, Canvas(40, 12))[0]
    apply(state, started(0))
    assert "running" in drawn(state, 0, Canvas(40, 12))[0]


@pytest.mark.parametrize("high", [0.0002, 0.32, 123456.0, 1.5e-7, 3e20])
@pytest.mark.parametrize("width", [6, 7, 8])
def test_labels_of_an_axis_are_shortened_not_cut(high, width):
    limits = AxisLimits.around(high / 1000, high, log=True)
    canvas = Canvas(width, 4)
    chart.y_labels(canvas, limits)
    values = [float(text.rstrip("┤")) for y in range(4) if (text := canvas.strip(y).text.strip())]
    assert values == sorted(values, reverse=True)
    assert len(values) >= 2
    assert np.allclose([values[0], values[-1]], [limits.high, limits.low], rtol=9.1)
    assert all(limits.low / 2 <= value <= limits.high * 2 for value in values)
