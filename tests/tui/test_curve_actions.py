"""Every key for curves, and the mouse, through real presses: what is drawn, on which axes, which
part, and at which value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textual.events import MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp

from lrtui.core.charts.axes import KINDS
from lrtui.core.numbers import loss
from lrtui.core.protocol.events import Evaluated, LossSpiked, RateChanged, Snapshotted
from lrtui.tui.render import raster
from lrtui.tui.screens.curve_actions import WEIGHTS
from support.fake_run import DIVERGED_AT, NAN_AT, PER_EPOCH, at, block, losses, make_run, say
from support.viewer import Viewer

SPIKE, TURN, KEPT = 45, 30, 50


@pytest.fixture
def viewer(live: Path):
    """Before the live run, with marks on lane A, at 100 x 30, everything drawn."""
    say(
        live,
        LossSpiked(lane=0, steps=[SPIKE]),
        RateChanged(lane=0, at=at(TURN), step=TURN, factor=2.0, rate=0.2),
        Snapshotted(lane=0, at=at(KEPT), step=KEPT, tag="ring", size=1000, kept=[KEPT], total=1000),
    )
    with Viewer(live.parent, live) as found:
        found.look()
        yield found


def shown(viewer: Viewer) -> str:
    """What is said of the curves, under panes or over all curves."""
    return viewer.lines[1] if viewer.screen.view.panel == "overlay" else viewer.lines[-2]


def curves(viewer: Viewer) -> str:
    """Where there are dots."""
    return "\n".join(
        "".join(sign if 0x2800 <= ord(sign) < 0x2900 else " " for sign in line)
        for line in viewer.lines
    )


def step(viewer: Viewer) -> int:
    """Where the crosshair stands, as a step of the chosen lane."""
    screen = viewer.screen
    return screen.view.x.step(screen.selected, screen.state.race, screen.view.cursor)


class TestWhatIsDrawn:
    def test_capital_d_shows_the_curves_as_they_are_at_first(self, viewer):
        before, order = viewer.text, viewer.screen.view.order
        viewer.press("m", "s", "t", "X", "g", "y", "z", "c")
        assert not viewer.screen.view.usual
        viewer.press("D")
        assert viewer.screen.view.usual
        assert viewer.screen.view.order == order
        assert viewer.text == before

    @pytest.mark.parametrize("panel", [(), ("enter",), ("o",)])
    def test_s_smooths_more_and_capital_s_less_and_it_is_said(self, viewer, panel):
        viewer.press(*panel)
        before = viewer.text
        for weight in (*WEIGHTS[1:], 0.0):
            viewer.press("s")
            assert viewer.screen.view.smoothing == weight
            assert (f"EMA {weight:g}" in shown(viewer)) == (weight > 0)
        assert viewer.text == before
        viewer.press("S")
        assert "EMA 0.99" in shown(viewer)

    def test_the_smoothed_curve_is_bold_over_the_raw_one(self, viewer):
        raw = viewer.frame.canvas.styles.copy()
        viewer.press("s")
        new = set(np.unique(viewer.frame.canvas.styles)) - set(np.unique(raw))
        assert new  # the faint one
        assert "EMA 0.6" in shown(viewer)

    def test_m_shows_the_next_quantity_and_capital_m_the_one_before(self, viewer):
        before = viewer.text
        viewer.press("m")
        assert viewer.screen.view.quantity == "val_loss"
        assert "val loss · log · steps" in shown(viewer)
        assert any(line.split()[:1] == ["val"] for line in viewer.lines)
        viewer.press("m")
        assert viewer.screen.view.quantity == "applied_lr"
        viewer.press("M", "M")
        assert viewer.text == before

    def test_a_lane_without_the_quantity_says_so(self, tmp_path):
        run = make_run(tmp_path, ("steady", "rests"), done=15, live=True)
        say(
            run, Evaluated(lane=0, at=at(15), epoch=1, step=15, loss=1.0, metrics={"val_loss": 0.7})
        )
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            viewer.press("m")
            assert viewer.text.count("no val loss") == 1
            viewer.press("o")
            assert "no val loss" not in viewer.text

    def test_y_and_capital_x_change_the_scales(self, viewer):
        before = viewer.text
        viewer.press("y")
        assert any("lin" in line.split() for line in viewer.lines)
        viewer.press("y", "X")
        assert "log steps" in shown(viewer)
        assert curves(viewer) != ""
        viewer.press("X")
        assert viewer.text == before

    def test_t_goes_through_the_kinds_of_x(self, viewer):
        seen, labels = [], viewer.screen.painter.layout.parts.x_labels
        for kind in (*KINDS[1:], KINDS[0]):
            viewer.press("t")
            assert viewer.screen.view.x.kind == kind
            seen.append(
                viewer.lines[viewer.screen.painter.layout.panes[0].y + labels.y][:6].split()[0]
            )
        assert seen == ["epoch", "sampl", "wall", "time", "step"]

    def test_g_shows_the_full_range(self, tmp_path):
        run = make_run(tmp_path, ("steady", "explodes"))
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            assert "↑" in viewer.text
            viewer.press("g")
            assert "full range" in shown(viewer)
            assert "↑" not in "".join(viewer.lines[1 : viewer.screen.painter.layout.panel.bottom])


class TestWhichPart:
    def test_z_zooms_about_the_newest_step_and_backspace_goes_back(self, viewer):
        before, view = viewer.text, viewer.screen.view
        ranges = []
        for _ in range(3):
            ranges.append(view.x[2:])
            viewer.press("z")
            assert view.x.start <= 59 < view.x.stop
            assert view.x.stop - view.x.start == pytest.approx((ranges[-1][1] - ranges[-1][0]) / 2)
            assert "zoomed" in shown(viewer)
        for expected in reversed(ranges):
            viewer.press("backspace")
            assert view.x[2:] == pytest.approx(expected)
        assert viewer.text == before

    def test_capital_z_zooms_out_to_all_of_it_and_no_further(self, viewer):
        before = viewer.text
        viewer.press("z", "z", "Z", "Z", "Z")
        assert viewer.text == before

    def test_there_is_an_end_to_zooming(self, viewer):
        viewer.press(*["z"] * 20)
        assert 4 <= viewer.screen.view.x.stop - viewer.screen.view.x.start < 20

    def test_brackets_pan_within_what_there_is(self, viewer):
        viewer.press("z", "z", *["left_square_bracket"] * 12)
        assert viewer.screen.view.x.start == 0
        assert viewer.screen.view.x.stop == pytest.approx(50)
        viewer.press("right_square_bracket")
        assert viewer.screen.view.x.start == pytest.approx(12.5)
        viewer.press(*["right_square_bracket"] * 20)
        assert viewer.screen.view.x.stop == pytest.approx(200)

    def test_what_is_in_sight_entirely_cannot_be_moved_and_says_so(self, viewer):
        viewer.press("right_square_bracket", "F")
        assert len(viewer.toasts) == 2
        assert all("z zooms in" in text for text in viewer.toasts)

    def test_a_zoomed_part_with_the_newest_step_follows_it(self, viewer, live):
        viewer.press("z", "z", "z", "z")
        before = viewer.screen.view.x
        assert viewer.screen.view.follow
        say(live, *(block(0, "steady", first, first + 20) for first in range(60, 120, 20)))
        viewer.look()
        after = viewer.screen.view.x
        assert after.start <= 119 < after.stop
        assert after.stop - after.start == pytest.approx(before.stop - before.start)

    def test_another_part_stays_until_capital_f_is_pressed(self, viewer, live):
        viewer.press("z", "z", "z", *["left_square_bracket"] * 9)
        stayed = viewer.screen.view.x
        assert not viewer.screen.view.follow
        say(live, block(0, "steady", 60, 80))
        viewer.look()
        assert viewer.screen.view.x == stayed
        viewer.press("F")
        assert viewer.screen.view.x.start <= 79 < viewer.screen.view.x.stop
        viewer.press("F")
        assert not viewer.screen.view.follow

    def test_a_zoomed_part_keeps_its_steps_on_another_axis(self, viewer):
        viewer.press("z", "z")
        steps = viewer.screen.view.x
        viewer.press("t")
        epochs = viewer.screen.view.x
        assert epochs.start * PER_EPOCH == pytest.approx(steps.start, abs=1)
        assert epochs.stop * PER_EPOCH == pytest.approx(steps.stop, abs=1)


class TestCrosshair:
    def test_c_shows_all_values_of_a_step_and_escape_hides_them(self, viewer):
        before = viewer.text
        viewer.press("c")
        assert step(viewer) == 59
        for kind in ("steady", "diverges", "paints"):
            assert f"step 59: {loss(losses(kind)[59])}" in viewer.text
        viewer.press("escape")
        assert viewer.text == before
        viewer.press("c", "c")
        assert viewer.text == before

    def test_the_overlay_lists_the_values_best_first(self, viewer):
        viewer.press("c", "o")
        for entry in ("1 C paints", "2 A steady", "3 B diverges"):
            assert any(entry in line for line in viewer.lines[2:15])
        assert "step 59, lowest first" in viewer.text
        viewer.press("s")
        assert "~" in viewer.text

    @pytest.mark.parametrize(("pressed", "sign"), [("left", -1), ("h", -1), ("right", 1), ("l", 1)])
    def test_arrows_move_it_by_a_dot_column_or_a_step(self, viewer, pressed, sign):
        viewer.press("c", *["left"] * 5)
        before = step(viewer)
        viewer.press(pressed)
        assert sign * (step(viewer) - before) > 0
        assert abs(step(viewer) - before) <= 200 // (viewer.screen.controllers.crosshair.dots()) + 1
        assert viewer.screen.view.selected == 0

    def test_it_can_go_through_all_steps_and_not_beyond(self, viewer):
        viewer.press("c", *["left"] * 100)
        assert step(viewer) == 0
        viewer.press(*["shift+right"] * 12)
        assert viewer.screen.view.cursor < viewer.screen.view.x.stop

    def test_shift_and_an_arrow_take_it_a_tenth_further(self, viewer):
        viewer.press("c", "shift+left")
        assert step(viewer) == pytest.approx(59 - 20, abs=4)

    def test_up_and_down_choose_another_lane_all_the_same(self, viewer):
        viewer.press("c", "tab", "down")
        assert viewer.screen.view.cursor is not None
        assert viewer.screen.view.selected != 0

    @pytest.mark.parametrize(
        ("pressed", "where", "what"),
        [
            ("b", int(losses("steady")[:60].argmin()), "lowest loss"),
            ("circumflex_accent", SPIKE, "spike"),
            ("tilde", TURN, "rate ×2"),
            ("full_stop", TURN, "rate ×2"),
            ("comma", KEPT, "snapshot"),
        ],
    )
    def test_jumps_land_on_the_very_step_and_say_what_it_is(self, viewer, pressed, where, what):
        viewer.press(pressed)
        assert step(viewer) == where
        assert f"A: {what} at step {where}" in viewer.lines[-2]

    def test_marks_follow_each_other_around_the_end(self, viewer):
        found = []
        for _ in range(4):
            viewer.press("full_stop")
            found.append(step(viewer))
        assert found == [TURN, SPIKE, KEPT, TURN]
        viewer.press("comma")
        assert step(viewer) == KEPT

    @pytest.mark.parametrize(
        ("lane", "where", "what"), [("2", NAN_AT, "NaN"), ("3", DIVERGED_AT, "diverged")]
    )
    def test_alerts_and_nans_are_found(self, over, lane, where, what):
        with Viewer(over.parent, over) as viewer:
            viewer.look()
            viewer.press(lane, "exclamation_mark")
            assert step(viewer) == where
            assert f"{what} at step {where}" in viewer.lines[-2]

    def test_what_a_lane_has_not_is_said(self, viewer):
        viewer.press("2", "circumflex_accent", "tilde", "exclamation_mark")
        assert viewer.toasts == [
            "B has no spike",
            "B has no change of its rate",
            "B has no alert and no NaN",
        ]

    def test_a_jump_brings_its_step_into_sight(self, viewer):
        viewer.press("z", "z", "z", "z", "tilde")
        assert viewer.screen.view.x.start <= TURN < viewer.screen.view.x.stop

    @pytest.mark.parametrize("panel", [(), ("enter",), ("o",)])
    def test_moving_it_sends_only_the_cells_that_change(self, viewer, panel):
        viewer.press(*panel, "c", *["left"] * 8)
        before = viewer.frame.canvas.copy()
        viewer.press("left", "left")
        changed = sum(stop - start for _, start, stop in viewer.frame.canvas.changed(before))
        assert 0 < changed < 100 * 30 // 4

    def test_the_line_goes_through_all_charts_at_the_same_step(self, viewer):
        viewer.press("c", *["shift+left"] * 2)
        where = step(viewer)
        columns = []
        for line in viewer.lines[1 : viewer.screen.painter.layout.panel.bottom]:
            columns += [x for x, sign in enumerate(line) if sign in "⡇⢸"]
        for rect in viewer.screen.painter.charts():
            expected = rect.x + viewer.screen.view.x.place(where, 2 * rect.width) // 2
            assert columns.count(expected) >= rect.height // 2


class TestMouse:
    @pytest.fixture
    def chart(self, viewer):
        """The chart of lane A."""
        return viewer.screen.painter.charts()[0]

    def mouse(
        self, viewer: Viewer, kind: type, x: int, y: int, dx: int = 0, button: int = 0
    ) -> None:
        async def happen() -> None:
            viewer.app.post_message(kind(None, x, y, dx, 0, button, False, False, False, x, y))

        viewer._runner.run(happen())
        viewer.settle()

    def test_the_wheel_zooms_about_the_pointer(self, viewer, chart):
        x = chart.x + chart.width // 4
        under = viewer.screen.view.x.value_at(chart.width // 4, chart.width)
        self.mouse(viewer, MouseScrollUp, x, chart.y + 1)
        axis = viewer.screen.view.x
        assert axis.stop - axis.start == pytest.approx(100)
        assert axis.place(under, chart.width) == pytest.approx(chart.width // 4, abs=1)
        self.mouse(viewer, MouseScrollDown, x, chart.y + 1)
        assert viewer.screen.view.zooms == []

    def test_dragging_moves_a_zoomed_part(self, viewer, chart):
        viewer.press("z", "z")
        before = viewer.screen.view.x
        y, middle = chart.y + 1, chart.x + chart.width // 2
        self.mouse(viewer, MouseDown, middle, y, button=1)
        self.mouse(viewer, MouseMove, middle + 5, y, dx=5, button=1)
        self.mouse(viewer, MouseUp, middle + 5, y, button=1)
        after = viewer.screen.view.x
        assert before.start - after.start == pytest.approx(
            5 / chart.width * (before.stop - before.start)
        )
        self.mouse(viewer, MouseMove, middle, y, dx=-5)
        assert viewer.screen.view.x == after


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 50), (300, 90)])
def test_nothing_overlaps_at_any_size(over, size):
    with Viewer(over.parent, over, size) as viewer:
        viewer.look()
        for pressed in ("s", "t", "c", "o", "b", "m", "z", "enter"):
            viewer.press(pressed)
            assert all(len(line) == size[0] for line in viewer.lines)
            assert viewer.lines[0].startswith(" A fake race")
            assert "quit" in viewer.lines[-1]
            if viewer.screen.view.panel == "overlay":
                panel = viewer.screen.painter.layout.panel
                labels = viewer.lines[panel.bottom - 1][: panel.width]
                assert not any(raster.BLANK < ord(sign) < raster.BLANK + 256 for sign in labels)


def test_sixty_four_lanes_have_their_letters(tmp_path):
    run = make_run(tmp_path, ("steady", "diverges", "paints", "rests") * 16, done=100, live=True)
    with Viewer(tmp_path, run, (120, 40)) as viewer:
        viewer.look()
        viewer.press("o")
        legend = " ".join(viewer.lines[1:6]).split()
        letters = [lane.lane.letter for lane in viewer.screen.state.lanes]
        assert [one for one in letters if one not in legend] == []
        viewer.press("c")
        assert "lowest first" in viewer.text


def test_enlarged_lane_has_its_own_axis_limits_and_no_empty_chart(tmp_path):
    run = make_run(tmp_path, ("steady", "explodes"))
    with Viewer(tmp_path, run, (60, 16)) as viewer:
        viewer.look(10)
        shared = viewer.screen.view.limits
        viewer.press("tab", "enter")
        assert viewer.screen.selected.status == "nan"
        assert curves(viewer).strip()
        assert not any("↑" in line for line in viewer.lines[:-1])
        viewer.press("enter")
        assert viewer.screen.view.limits == shared
