"""Lanes that differ in their seed alone on the screen: one row and one pane each, opened and folded,
commanded together, by real presses."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from lrtui.core.protocol.commands import Add, Fork, Pause, Rewind, ScaleRate, SetRate, Stop
from lrtui.core.protocol.events import Evaluated, RateChanged
from lrtui.core.series.series import Series
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from lrtui.tui.render import raster, styles
from lrtui.tui.screens.dialogs import ChoiceDialog, FormDialog
from lrtui.tui.tiers import Look
from support.drawing import drawn
from support.fake_run import at, block, commands, make_race, say, story
from support.viewer import Viewer

KINDS = ("steady", "paints", "steady", "steady", "explodes", "paints")
"""Of the lanes A1, A2, A3, B1, B2, B3: the second seed of B goes NaN."""


def make_seeds(
    runs: Path, kinds: tuple[str, ...] = KINDS, seeds: int = 3, *, done: int = 60, **keys: object
) -> Path:
    """A run of `seeds` lanes of each setting, each of a kind of `fake_run`, that race."""
    lanes = [{"name": name, "lr": 0.1} for name in ("first", "second", "third")]
    count = len(kinds) // seeds
    race = make_race(("steady",) * count, lane=lanes[:count], seeds=seeds, **keys)
    run = create_run(runs, race)
    writer = Writer(run, SUPERVISOR_ROLE)
    for index, kind in enumerate(kinds):
        told = story(index // seeds, kind, done, over=True)
        writer.append([row(msgspec.structs.replace(event, lane=index)) for event in told])
    writer.beat()
    writer.close()
    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_seeds(tmp_path)


@pytest.fixture
def viewer(run: Path):
    """Before two lanes of three seeds each, 60 steps far."""
    with Viewer(run.parent, run, (120, 36)) as found:
        found.look()
        yield found


def shown(viewer: Viewer) -> str:
    """The letters of the panes, in their order."""
    view = viewer.screen.view
    return " ".join(view.groups[index].letter for index in viewer.screen.painter.layout.panes)


def row_of(viewer: Viewer, name: str) -> str:
    """The row of the standings with this name."""
    x, y, width, height = viewer.screen.painter.layout.standings
    rows = [line[x : x + width] for line in viewer.lines[y + 1 : y + height]]
    return next(line for line in rows if f" {name} " in line)


def pane_of(viewer: Viewer, index: int) -> list[str]:
    x, y, width, height = viewer.screen.painter.layout.panes[index]
    return [line[x : x + width] for line in viewer.lines[y : y + height]]


class TestAFoldedGroup:
    def test_group_is_one_pane_and_one_row_with_mean_and_spread(self, viewer):
        assert shown(viewer) == "A B"
        assert "A first · 3 seeds" in pane_of(viewer, 0)[0]
        values = [lane.metrics["val_loss"] for lane in viewer.screen.state.lanes[:3]]
        row = row_of(viewer, "A first")
        assert f"{np.mean(values):.4f}" in row
        assert f"±{np.std(values, ddof=1):.4f}" in row
        assert "leads" in row

    def test_row_with_a_nan_seed_is_last_and_says_so(self, viewer):
        assert "1 NaN of 3" in row_of(viewer, "B second")
        assert row_of(viewer, "B second").split()[0] == "2"
        assert "loss is NaN at step 37" in pane_of(viewer, 3)[1]
        assert "B2" in pane_of(viewer, 3)[1]

    def test_all_seeds_have_one_colour_and_the_groups_differ(self, viewer):
        assert viewer.screen.view.hues == (0, 0, 0, 1, 1, 1)

    @pytest.mark.parametrize("key", ["o", "d", "L", "i", "c", "I", "w", "s", "m", "t"])
    @pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 50)])
    def test_every_panel_draws_it(self, viewer, key, size):
        viewer.resize(*size)
        viewer.press(key, *("tab", "escape") * (key == "i"), "tab", "p", "O", "O")
        viewer.look()
        assert viewer.screen.view.groups[viewer.screen.view.selected].letter in "AB"

    def test_crosshair_reads_mean_and_range(self, viewer):
        viewer.press("o", "c")
        found = [lane.columns["loss"].at(59) for lane in viewer.screen.state.lanes[:3]]
        line = next(line for line in viewer.lines if " A first " in line and "…" in line)
        assert f"{min(found):.4f}…{max(found):.4f}" in line
        assert f"{np.mean(found):.4f} " in line

    def test_b_leads_to_the_best_value_of_any_seed(self, viewer):
        viewer.press("b")
        assert viewer.screen.view.cursor_label.startswith("A2: lowest loss at step")

    def test_the_card_has_the_value_of_each_seed(self, viewer):
        viewer.press("i")
        words = " ".join(viewer.text.split())
        assert "A first, 3 seeds: val loss" in words
        for letter, seed, lane in zip(
            ("A1", "A2", "A3"), (7, 8, 9), viewer.app.screen_stack[1].state.lanes[:3], strict=True
        ):
            assert f"{letter} {seed} {lane.metrics['val_loss']:.4f}" in words

    def test_filter_takes_single_seeds_out(self, viewer):
        viewer.press("slash", *"!nan", "enter")
        assert [lane.lane.letter for lane in viewer.screen.view.groups[3].lanes] == ["B1", "B3"]
        assert "B second · 2 seeds" in pane_of(viewer, 3)[0]

    def test_pin_and_solo_take_the_whole_group(self, viewer):
        viewer.press("tab", "p")
        assert viewer.screen.view.pinned == {3, 4, 5}
        assert shown(viewer) == "B A"
        viewer.press("O")
        assert shown(viewer) == "B"
        assert "3 of 6 shown: only B" in viewer.lines[0]

    def test_shade_is_faint_and_the_mean_is_not(self, viewer):
        x, y, width, height = viewer.screen.painter.layout.panes[0]
        cells = viewer.frame.canvas.view((x, y, width, height))
        drawn_cells = cells.codes > raster.BLANK
        faint = drawn_cells & (cells.styles == styles.lane_faint(0))
        assert faint.any()
        assert (drawn_cells & (cells.styles == styles.lane(0))).any()
        assert {int(code) - raster.BLANK & ~raster.SHADE for code in cells.codes[faint]} == {0}


class TestOpening:
    def test_enter_opens_the_seeds_and_escape_folds_them(self, viewer):
        viewer.press("tab", "enter")
        assert shown(viewer) == "B1 B2 B3"
        assert "seeds of B (Esc folds)" in viewer.lines[0]
        assert len(set(viewer.screen.view.hues[3:])) == 3
        viewer.press("tab")
        assert viewer.screen.selected.lane.letter == "B2"
        viewer.press("enter")
        assert viewer.screen.view.panel == "enlarged"
        viewer.press("escape", "escape")
        assert shown(viewer) == "A B"
        assert viewer.screen.selected.lane.letter == "B1"

    def test_enter_in_the_overlay_opens_there(self, viewer):
        viewer.press("o", "enter")
        assert viewer.screen.view.panel == "overlay"
        assert "A1 first" in viewer.text

    def test_a_single_lane_is_enlarged_as_before(self, tmp_path):
        run = make_seeds(tmp_path, ("steady", "paints"), 1)
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            viewer.press("enter")
            assert viewer.screen.view.panel == "enlarged"
            assert viewer.screen.view.opened is None

    def test_enlarged_pane_of_a_group_lists_its_seeds(self, viewer):
        viewer.screen.view.panel = "enlarged"
        viewer.press("D")
        assert "smoothed loss of each seed; Enter opens them" in viewer.text

    def test_forks_of_its_seeds_are_among_the_opened(self, viewer, run):
        from lrtui.core.protocol.events import LaneAdded

        parent = viewer.screen.state.lanes[1]
        child = msgspec.structs.replace(parent.lane, letter="C", name="first fork")
        say(run, LaneAdded(lane=6, at=at(60), child=child, parent=1, step=60, rate=None))
        viewer.look()
        assert shown(viewer) == "A B C"
        viewer.press("enter")
        assert shown(viewer) == "A1 A2 A3 C"


class TestCommands:
    def test_dial_of_a_folded_group_turns_that_of_each_living_seed(self, viewer, run):
        viewer.press("plus", "tab", "plus")
        sent = commands(run)
        assert [command.lane for command in sent] == [0, 1, 2, 3, 5]
        assert all(isinstance(command, ScaleRate) for command in sent)
        assert "A1 A2 A3" in viewer.text

    def test_dial_of_an_opened_seed_turns_its_alone(self, viewer, run):
        viewer.press("enter", "tab", "plus")
        assert [command.lane for command in commands(run)] == [1]

    def test_seeds_with_other_factors_are_told_apart(self, viewer, run):
        say(run, RateChanged(lane=1, at=at(60), step=60, factor=2.0, rate=0.2))
        viewer.look()
        assert "A2 ×2" in pane_of(viewer, 0)[1]

    def test_question_and_form_name_the_seeds(self, viewer, run):
        viewer.press("x")
        assert "Stop the 3 seeds of A first for good?" in viewer.text
        viewer.press("y")
        viewer.press("equals_sign")
        assert isinstance(viewer.screen, FormDialog)
        assert "A first, 3 seeds: the learning rate" in viewer.text
        viewer.screen.query_one("#field-rate").value = "0.01"
        viewer.settle()
        viewer.press("enter")
        assert [type(command) for command in commands(run)] == [Stop] * 3 + [SetRate] * 3

    def test_fork_of_a_folded_group_is_one_of_each_seed(self, viewer, run):
        viewer.press("f", "enter")
        sent = commands(run)
        assert all(isinstance(command, Fork) for command in sent)
        assert [(one.lane, one.child.letter, one.child.seed) for one in sent] == [
            (0, "C1", 0),
            (1, "C2", 1),
            (2, "C3", 2),
        ]
        assert {one.child.name for one in sent} == {"first fork"}

    def test_lane_is_added_with_the_seeds_of_the_chosen_one(self, viewer, run):
        viewer.press("a", "enter")
        sent = commands(run)
        assert all(isinstance(command, Add) for command in sent)
        assert [one.child.seed for one in sent] == [0, 1, 2]

    def test_restart_and_rewind_take_all_seeds(self, viewer, run):
        viewer.press("tab", "R", "y", "r", "enter")
        sent = commands(run)
        assert all(isinstance(command, Rewind) for command in sent)
        assert [(one.lane, one.to) for one in sent] == [
            *((lane, 0) for lane in (3, 4, 5)),
            *((lane, None) for lane in (3, 4, 5)),
        ]

    def test_cull_counts_groups(self, viewer, run):
        viewer.press("C")
        assert "Best first: A B." in viewer.text
        viewer.press("enter")
        assert [(type(one), one.lane) for one in commands(run)] == [(Pause, 3), (Pause, 5)]


class TestQuestions:
    def test_another_key_is_told_which_ones_answer(self, viewer, run):
        viewer.press("x", "z")
        assert isinstance(viewer.screen, ChoiceDialog)
        assert "z is no answer: expected y, n, Esc" in viewer.text
        viewer.press("n")
        assert not commands(run)


class TestRanking:
    def test_metric_to_be_maximised_has_its_arrow_and_differences_as_gaps(self, tmp_path):
        run = make_seeds(tmp_path, ("steady", "paints"), 1, rank_by="accuracy")
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            assert " no accuracy " in viewer.text
            for lane, value in ((0, 0.9), (1, 0.85)):
                say(run, evaluated(lane, 61, accuracy=value))
            viewer.look(5)
            assert "↑accuracy" in viewer.text
            assert "no accuracy" not in viewer.text
            assert "leads" in row_of(viewer, "A first")
            assert "-0.0500" in row_of(viewer, "B second")

    def test_lane_whose_validation_rises_is_said_to_overfit(self, tmp_path):
        run = make_seeds(tmp_path, ("steady", "steady"), 1)
        with Viewer(tmp_path, run, (120, 36)) as viewer:
            viewer.look()
            say(run, block(0, "steady", 60, 100))
            for number in range(4):
                say(run, evaluated(0, 90 + number, val_loss=5.0))
            viewer.look(5)
            assert "overfits since step 60" in pane_of(viewer, 0)[1]
            assert "overfits" in row_of(viewer, "A first")
            viewer.press("i")
            assert "over-fits" in " ".join(viewer.text.split())

    def test_leader_in_training_alone_is_named(self, tmp_path):
        run = make_seeds(tmp_path, ("paints", "steady"), 1)
        with Viewer(tmp_path, run, (120, 36)) as viewer:
            viewer.look()
            for lane, value in ((0, 0.9), (1, 0.4)):
                say(run, evaluated(lane, 61, val_loss=value))
            viewer.look(5)
            assert "leads in training alone" in pane_of(viewer, 0)[1]
            assert "leads" in row_of(viewer, "B second")

    def test_v_goes_back_to_what_the_race_says(self, viewer):
        viewer.press("v")
        assert viewer.screen.view.order == "best"
        viewer.press("v", "v")
        assert viewer.screen.view.order is None


def evaluated(lane: int, step: int, **metrics: float) -> Evaluated:
    return Evaluated(lane=lane, at=at(step), epoch=step, step=step, loss=0.1, metrics=metrics)


class TestTheBand:
    def test_band_holds_every_seed_and_its_mean(self):
        rng = np.random.default_rng(3)
        curves = [np.exp(rng.normal(size=300)) for _ in range(4)]
        windows = [window(values, 300, 40) for values in curves]
        line, shade = raster.band(windows, 12, 0.05, 20.0, log=True)
        for one in windows:
            bits = raster.draw(one, 12, 0.05, 20.0, log=True).bits
            # the lines between two columns may leave the shade by half of the way to the next
            outside = (bits & raster.SHADE & ~shade) > 0
            assert outside.sum() <= 0.1 * (bits > 0).sum()
        mean = np.mean([(one.lo + one.hi) / 2 for one in windows], axis=0)
        for column in range(0, 40, 2):
            row = raster.dot_row(float(mean[column]), 48, 0.05, 20.0, log=True)
            bit = raster.SIDES[0][row % 4]
            assert line.bits[row // 4, column // 2] & bit

    def test_sparse_seeds_are_joined_and_one_that_ends_leaves_the_band(self):
        long, short = window([4.0, 4.0, 4.0], 3, 60), window([1.0, 1.0], 3, 60)
        line, shade = raster.band([long, short], 10, 0.5, 8.0, log=False)
        filled = (shade > 0).sum(axis=0)
        assert (filled[1:10] > 2).all()
        assert (filled[12:20] <= 1).all()
        assert (line.bits[:, :20] > 0).any(axis=0).all()

    def test_running_extremes_are_those_of_the_window(self):
        rng, series, edges = np.random.default_rng(5), Series(), np.arange(0, 1001, 10)
        for size in (1, 7, 30, 200, 3, 500):
            series.extend(rng.normal(size=size))
            found = series.extremes_at(edges)
            full = series.window_at(np.minimum(edges, len(series)))
            assert np.array_equal(found[0], full.lo, equal_nan=True)
            assert np.array_equal(found[1], full.hi, equal_nan=True)
        series.extend([np.nan])
        assert series.extremes_at(edges) is None

    @pytest.mark.usefixtures("_usual_look")
    @pytest.mark.parametrize("glyphs", ["braille", "blocks", "halves", "ascii"])
    def test_shade_and_line_can_be_told_apart_in_every_tier(self, viewer, glyphs):
        from lrtui.tui.render.canvas import Canvas

        Look("none" if glyphs == "ascii" else "16", "dark", glyphs).use()
        view = viewer.screen.view
        view.quantity = "val_loss"
        rows = drawn(viewer.screen.state, 0, Canvas(60, 20), view)
        shade = {"braille": "⢕", "blocks": "░", "halves": "░", "ascii": "::"}[glyphs]
        assert sum(shade in line for line in rows) > 3


def window(values, stop: int, width: int):
    series = Series()
    series.extend(values)
    return series.window(0, stop, width)
