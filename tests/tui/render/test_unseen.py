"""A chart in which next to nothing of a curve is to be seen says in words where it is, and never
says so beside a curve."""

from __future__ import annotations

import numpy as np
import pytest

from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.protocol.events import Alerted, Column, Ended, Steps
from lrtui.core.state.race_state import RaceState, apply
from lrtui.tui import axis_fit
from lrtui.tui.keymap import Keymap
from lrtui.tui.render import chart, unseen
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView
from support.fake_run import make_race, started

LONG = AxisLimits(1.0, 1000.0, log=True)


def shown(losses, limits=LONG, size=(24, 4), *, over="nan", **choices) -> list[str]:
    """The rows of a chart of one lane whose y axis is the one that it shares with others."""
    state = RaceState(make_race(("lane",)))
    apply(state, started(0))
    losses = np.array(losses, float)
    rates = np.full(len(losses), 0.1)
    apply(
        state,
        Steps(
            lane=0,
            at=1.0,
            first=0,
            count=len(losses),
            columns={
                "loss": Column.pack(losses, "f4"),
                "applied_lr": Column.pack(rates),
                "next_lr": Column.pack(rates),
                "seconds": Column.pack(rates),
            },
        ),
    )
    if over == "nan":
        apply(state, Alerted(lane=0, at=1.0, step=len(losses) - 1, kind="nan", text="loss is NaN"))
    if over:
        apply(state, Ended(lane=0, at=1.0, step=len(losses) - 1, reason=over))
    view = RaceView(**choices)
    axis_fit.fit(view, state)
    view.limits = limits
    canvas = Canvas(*size)
    lane = state.lanes[0]
    assert chart.curve(canvas, lane, state.race, view) is not None
    unseen.words(canvas, view.groups[0], state.race, view)
    return [canvas.strip(y).text for y in range(canvas.height)]


def words(rows: list[str]) -> list[str]:
    return [row.strip(" ↑↓✗") for row in rows if row.strip(" ↑↓✗")]


def test_a_curve_above_the_shared_axis_is_told_of_with_its_range():
    assert words(shown([5e3, 3e6, 4.2e16, np.nan])) == ["above: 5000 to 4.2e16", "g shows it"]
    assert words(shown([5e3, np.nan])) == ["above: 5000", "g shows it"]


def test_one_that_leaves_it_within_its_first_column_too():
    assert words(shown([367.0, 3e6, 3.5e15, np.nan])) == ["up to 3.5e15", "g shows it"]


def test_below_it():
    assert words(shown([0.5, 0.02, 0.3, np.nan])) == ["below: 0.02 to 0.5", "g shows it"]


def test_living_lane_outside_the_axis_has_its_range_below_the_arrows():
    rows = shown(np.linspace(2e3, 9e3, 200), over="")
    assert rows[0] == "↑" * 24
    assert words(rows) == ["above: 2000 to 9000", "g shows it"]


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (22, "above: 5000 to 4.2e16"),
        (21, "↑ 5000 to 4.2e16"),
        (19, "↑ 5000 to 4.2e16"),
        (12, "↑ 4.2e16"),
    ],
)
def test_the_words_fit_a_small_pane_and_are_not_cut(width, said):
    rows = shown([5e3, 4.2e16, np.nan], size=(width, 4))
    assert rows[1].strip() == said
    assert rows[0][0] == "✗"


def test_three_rows_have_room_for_one_line_between_the_cross_and_the_marks():
    rows = shown([5e3, 4.2e16, np.nan], size=(24, 3))
    assert [bool(row.strip()) for row in rows] == [True, True, False]
    assert "above" in rows[1]


def test_a_part_without_any_of_it_says_that():
    assert words(shown([3.0, 4.0, np.nan], zooms=[(50.0, 90.0)])) == ["nothing in this part"]


def test_a_curve_that_is_there_is_left_alone():
    for losses in ([3.0, 30.0, np.nan], [3.0], np.geomspace(5, 1e6, 60), np.geomspace(900, 3, 200)):
        for over in ("nan", "finished", ""):
            assert not any(
                word in "".join(shown(losses, over=over))
                for word in ("above", "below", "to", "part")
            )


def test_the_full_range_has_nothing_above_it():
    rows = shown([5e3, 4.2e16, np.nan], AxisLimits(1e3, 1e17, log=True), full_range=True)
    assert all(sign in "✗" or ord(sign) > 0x2800 for row in rows for sign in row.strip())


def test_the_key_is_the_one_that_a_person_has_chosen():
    keymap = Keymap({"view.full_range": ("f6",)})
    assert "F6 shows it" in "".join(shown([5e3, 4.2e16, np.nan], keymap=keymap))
