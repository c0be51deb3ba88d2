"""The rates behind a lane are a line, those before it dots; nothing is drawn of what is not
known."""

from __future__ import annotations

import numpy as np
import pytest

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.protocol.events import Column, Ended, ScheduleForecast, Steps
from lrtui.core.state.race_state import RaceState, apply
from lrtui.tui import axis_fit
from lrtui.tui.render import chart, raster, styles
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView
from support.fake_run import STEPS, at, make_race, started

HALF = STEPS // 2
LIMITS = AxisLimits.around(0.001, 0.1, log=True)
WIDTH, HEIGHT = 50, 4


def rates(step: int) -> float:
    return 0.1 if step < 60 else 0.01 if step < 150 else 0.001


def lane_with(*, done: int, known: int = STEPS, planned: bool = True) -> RaceState:
    """A race of one lane, `done` steps far, whose plan is known for so many steps."""
    state = RaceState(make_race(("steady",)))
    apply(state, started(0))
    if planned:
        apply(
            state,
            ScheduleForecast(lane=0, steps=[0, 60, 150], rates=[0.1, 0.01, 0.001], total=known),
        )
    if done:
        columns = {"loss": Column.pack([1.0] * done), "seconds": Column.pack([0.1] * done)}
        for name, first in (("applied_lr", 0), ("next_lr", 1)):
            columns[name] = Column.pack([rates(step) for step in range(first, first + done)])
        apply(state, Steps(lane=0, at=at(done), first=0, count=done, columns=columns))
    return state


def drawn(state: RaceState) -> np.ndarray:
    """Whether there are dots in the left and in the right dot column of each cell: shape (2,
    WIDTH)."""
    canvas, view = Canvas(WIDTH, HEIGHT), RaceView()
    axis_fit.fit(view, state)
    chart.rates(canvas, state.lanes[0], state.race, view)
    chart.ahead(canvas, state.lanes[0], state.race, view)
    bits = np.where(canvas.codes >= raster.BLANK, canvas.codes - raster.BLANK, 0).astype(np.uint8)
    return np.array([(bits & chart.LEFT_DOTS).any(axis=0), (bits & ~chart.LEFT_DOTS).any(axis=0)])


def test_the_past_is_solid_and_the_future_dotted():
    left, right = drawn(lane_with(done=HALF))
    assert left.all()
    now = WIDTH * HALF // STEPS
    assert right[: now - 1].all()
    assert not right[now + 1 :].any()


def test_the_dots_are_where_the_rates_will_be():
    canvas, state, view = Canvas(WIDTH, HEIGHT), lane_with(done=0), RaceView()
    axis_fit.fit(view, state)
    view.rate_limits = LIMITS
    chart.ahead(canvas, state.lanes[0], state.race, view)
    for step in (10, 100, 180):
        row = (
            raster.dot_row(rates(step), HEIGHT * raster.DOTS_Y, LIMITS.low, LIMITS.high, True)
            // raster.DOTS_Y
        )
        column = canvas.codes[:, step * WIDTH // STEPS]
        assert np.flatnonzero(column != ord(" ")).tolist() == [row]
    assert set(np.unique(canvas.styles)) <= {styles.TEXT, styles.DIM}


def test_the_whole_plan_is_dotted_before_the_first_step():
    left, right = drawn(lane_with(done=0))
    assert left.all()
    assert not right.any()


def test_nothing_is_drawn_beyond_what_is_known():
    left, right = drawn(lane_with(done=HALF, known=150))
    assert left[: WIDTH * 150 // STEPS - 1].all()
    assert not left[WIDTH * 150 // STEPS + 1 :].any()
    assert not right[WIDTH * 150 // STEPS :].any()


@pytest.mark.parametrize("reason", ["finished", "stopped", "nan", "error"])
def test_a_lane_that_is_over_has_no_future(reason):
    state = lane_with(done=HALF)
    apply(state, Ended(lane=0, at=at(HALF), step=HALF, reason=reason))
    assert not drawn(state)[:, WIDTH // 2 + 1 :].any()


def test_a_lane_without_a_plan_has_none_either():
    assert not drawn(lane_with(done=HALF, planned=False))[:, WIDTH // 2 + 1 :].any()


def test_a_plan_that_is_used_up_adds_nothing():
    state = lane_with(done=STEPS)
    canvas, view = Canvas(WIDTH, HEIGHT), RaceView()
    axis_fit.fit(view, state)
    chart.ahead(canvas, state.lanes[0], state.race, view)
    assert (canvas.codes == ord(" ")).all()


def test_the_axis_has_room_for_the_plan_from_the_beginning():
    view, limits = RaceView(), []
    for done in (1, HALF, STEPS):
        state = lane_with(done=done)
        axis_fit.fit(view, state)
        limits.append(view.rate_limits)
    assert len(set(limits)) == 1
    assert limits[0].low <= 0.001
    axis_fit.fit(view, lane_with(done=1))
    assert view.x.stop == STEPS


def test_a_plan_to_zero_keeps_the_decades_above_it():
    state = RaceState(make_race(("steady",)))
    apply(state, started(0))
    apply(state, ScheduleForecast(lane=0, steps=[0, 50, 100], rates=[0.1, 0.001, 0.0], total=STEPS))
    view = RaceView()
    axis_fit.fit(view, state)
    assert view.rate_limits.log
    assert view.rate_limits.low == pytest.approx(0.001)
