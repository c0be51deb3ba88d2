"""More lanes in one chart than there are colours: what is drawn of them, how they are named, where
their letters stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lrtui.core.state.race_state import RaceState
from lrtui.tui.render import names, overlay, overlay_curves, raster, styles
from lrtui.tui.render.canvas import Canvas
from support.fake_run import make_race, make_run
from support.viewer import Viewer


@pytest.fixture
def crowd(tmp_path: Path):
    """Before twelve lanes that tremble, at 80 x 24, all in one chart."""
    lanes = [
        {"name": f"Adam {lr}", "lr": lr}
        for lr in np.geomspace(0.0001, 0.2048, 12).round(4).tolist()
    ]
    run = make_run(tmp_path, ("steady",) * 12, done=160, live=True, lane=lanes)
    with Viewer(tmp_path, run, (80, 24)) as found:
        found.look()
        found.press("o")
        yield found


def test_says_which_key_smooths_it(crowd):
    assert crowd.lines[1].rstrip() == " loss · log · steps · s smooths"


def test_smoothed_overlay_has_raw_curves_of_selected_and_pinned_lanes(crowd):
    crowd.press("s", "s")
    assert crowd.lines[1].rstrip() == " loss · EMA 0.9 · log · steps · raw: A only"
    view = crowd.screen.view
    canvas = Canvas(60, 12)
    groups = [view.groups[index] for index in view.shown]
    overlay_curves.draw(canvas, groups, crowd.screen.state.race, view)
    faint = [index for index in range(8) if (canvas.styles == styles.lane_faint(index)).any()]
    assert set(faint) <= {0}
    crowd.press("p", "tab", "tab")
    assert crowd.lines[1].rstrip().endswith("raw: A, C only")
    assert overlay_curves.behind(groups, view) == {0, 2}
    assert overlay_curves.behind(groups[:8], view) == set(range(8))


def test_names_without_what_all_have_in_common_rather_than_cut(crowd):
    legend = " ".join(crowd.lines[2:4])
    assert "…" not in legend
    assert [
        f"{lane.lane.letter} {lane.lane.lr} " in legend + " " for lane in crowd.screen.state.lanes
    ] == [True] * 12
    assert "Adam" not in legend
    crowd.resize(200, 50)
    assert "Adam 0.0001" in " ".join(crowd.lines[2:4])


@pytest.mark.parametrize(
    ("called", "shared"),
    [
        (["Adam 0.1", "Adam 0.01"], 1),
        (["Adam 0.1", "SGD 0.1"], 0),
        (["Adam", "Adam 0.1"], 0),
        (["a b c", "a b d", "a b e f"], 2),
        (["one"], 0),
        (["a b"], 1),
    ],
)
def test_the_first_words_that_names_share(called, shared):
    state = RaceState(
        make_race(("steady",) * len(called), lane=[{"name": name, "lr": 0.1} for name in called])
    )
    assert names.shared(state.lanes) == shared


def test_letter_is_placed_near_its_curve_end_among_other_curves():
    canvas = Canvas(40, 12)
    canvas.codes[2:, :] = raster.BLANK + 255
    assert overlay._free(canvas, 20, 8, 1, set()) == (20, 8)
    assert overlay._free(canvas, 20, 8, 1, {(20, 8)}) == (21, 8)
    assert overlay._free(canvas, 20, 2, 1, set()) == (20, 1)
    assert overlay._free(canvas, 40, 8, 1, set()) is None
