"""Alerts on the curves that share one chart: a sign for each, at its place, whatever the lane's
letter."""

from __future__ import annotations

from lrtui.core.protocol.events import LossSpiked
from lrtui.core.state.race_state import RaceState, apply
from lrtui.tui.render.canvas import Canvas
from support.drawing import drawn
from support.fake_run import STEPS, make_race, make_run, story
from support.viewer import Viewer


def signs(tmp_path, *kinds: str) -> str:
    """The overlay's chart without its legend, which has letters of its own."""
    run = make_run(tmp_path / "-".join(kinds), kinds)
    with Viewer(run.parent, run, (100, 40)) as viewer:
        viewer.look(3)
        viewer.press("o")
        return "\n".join(viewer.lines[2 : viewer.screen.painter.layout.panel.bottom])


def test_a_lane_that_diverged_has_its_mark_in_the_overlay(tmp_path):
    assert "!" in signs(tmp_path, "steady", "diverges")
    assert "!" not in signs(tmp_path, "steady")


def test_lanes_that_ended_nan_or_in_an_error_have_a_cross(tmp_path):
    assert signs(tmp_path, "steady", "explodes", "breaks").count("✗") == 2
    assert "✗" not in signs(tmp_path, "steady")


def test_a_spike_has_its_mark_in_the_lanes_own_pane():
    state = RaceState(make_race(("steady",)))
    for event in story(0, "steady", STEPS, over=False):
        apply(state, event)
    before = "\n".join(drawn(state, 0, Canvas(72, 22)))
    apply(state, LossSpiked(lane=0, steps=[STEPS // 2]))
    after = "\n".join(drawn(state, 0, Canvas(72, 22)))
    assert ("^" in before, after.count("^")) == (False, 1)
