"""A race of scripts on the screen: what is known of it, what its scripts print, and what can be said
to them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import msgspec
import pytest

from lrtui.core.protocol.command_result import done
from lrtui.core.protocol.commands import Add, ScaleRate, SetRate, Stop
from lrtui.core.protocol.events import Ended
from lrtui.core.state.race_state import RaceState
from lrtui.store.writer import Writer
from lrtui.tui.console import Console, last_lines
from lrtui.tui.key_table import RACE, SCRIPT_OFF
from lrtui.tui.keymap import Keymap
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.screens.dialogs import ChoiceDialog, FormDialog
from lrtui.tui.screens.help import Help
from lrtui.tui.screens.race import RaceScreen
from lrtui.tui.view import PanelName
from support.fake_run import commands, make_run, say
from support.fake_script import (
    folded,
    logged,
    make_script_race,
    make_script_run,
    say_printed,
    script_started,
    script_steps,
)
from support.viewer import Viewer

INVENTED = ("0 steps", "/?", "ETA", "batch 32", " ep ", "SGD", "(0)")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A run of three scripts: one that has made steps, one that waits, one without a step."""
    return make_script_run(tmp_path, steps=(120, -1, 0))


@pytest.fixture
def viewer(script: Path):
    with Viewer(script.parent, script) as found:
        found.look()
        yield found


def answer_all(run: Path, text: str = "stopping after this step") -> None:
    writer = Writer(run, "test")
    writer.acknowledge([(number, done(text)) for number, _ in writer.pending(0)])
    writer.close()


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (200, 50)])
@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_nothing_is_shown_that_is_not_known(tmp_path, size, lanes):
    rates = (0.0, 1e-2, 1e-3, 1e-4, 3e-3, 3e-4, 1e-5, 1e-1)[:lanes]
    run = make_script_run(tmp_path, make_script_race(rates, seeded=False), steps=(120,) * lanes)
    with Viewer(tmp_path, run, size) as viewer:
        viewer.look()
        shown = viewer.text
        viewer.press("enter")
        shown += viewer.text
    for word in (*INVENTED, "seed", "cold", "hot"):
        assert word not in shown, word
    assert "AdamW lr=0.0003" in shown


def test_a_task_is_shown_as_before(live):
    with Viewer(live.parent, live, (120, 30)) as viewer:
        viewer.look()
        assert "seed 7" in viewer.lines[0]
        assert "batch 16" in viewer.lines[0]
        assert "step 60/200 ep 3/10" in viewer.text
        assert "ETA" in viewer.text


def test_a_known_budget_is_shown(tmp_path):
    race = make_script_race((1e-3,), steps=500)
    run = make_script_run(tmp_path, race, steps=(-1,))

    say(run, script_started(0, total_steps=500), script_steps([1.0] * 120))
    with Viewer(tmp_path, run) as viewer:
        viewer.look()
        assert "500 steps" in viewer.lines[0]
        assert "step 120/500" in viewer.text


def test_the_header_says_that_a_script_was_started_by_its_user(tmp_path):
    race = make_script_race((0.0,), supervised=False, seeded=False)
    run = make_script_run(tmp_path, race, live=False)
    with Viewer(tmp_path, run) as viewer:
        viewer.look()
        assert "watched script" in viewer.lines[0]
        viewer.press("R")
        assert isinstance(viewer.screen, RaceScreen)
        assert "lrtui did not start this script" in viewer.toasts[-1]


class TestWithoutAStep:
    def test_the_state_and_the_last_lines_stand_in_place_of_curves(self, viewer, script):
        say_printed(script, "C", "loading\n\x1b[31m[bold]10 %\r[bold]99 %\x1b[0m\n")
        viewer.look(6)
        assert "waiting (1st in the queue)" in viewer.text
        assert "running, no step yet" in viewer.text
        assert "[bold]99 %" in viewer.text
        assert "10 %" not in viewer.text

    def test_the_first_step_gives_way_to_the_curve(self, viewer, script):

        say(script, script_started(2, 1e-4), script_steps([2.0] * 50, 2, 1e-4))
        viewer.look(6)
        assert "no step yet" not in viewer.text

    def test_an_end_without_a_step_is_explained(self, tmp_path):
        run = make_script_run(tmp_path, make_script_race((1e-3,)), steps=(0,))
        say(run, Ended(lane=0, step=0, reason="finished", exit_code=0))
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            assert "no optimizer step was seen" in viewer.text


class TestTheConsole:
    def test_w_shows_what_the_chosen_script_printed_and_follows_it(self, viewer, script):
        say_printed(script, "A", "".join(f"line {number}\n" for number in range(100)))
        viewer.press("w")
        assert "console of A lr 0.01 ─ python train.py" in viewer.text
        assert "line 99" in viewer.text
        say_printed(script, "A", "[bold]more\x1b]0;owned\x07\n")
        viewer.look(30)
        assert "[bold]more" in viewer.text

    def test_a_watched_script_prints_where_it_was_started(self, tmp_path):
        state = folded(make_script_race((0.0,), supervised=False))
        found = Console(tmp_path).printed(state, state.lanes[0])
        assert "is where it was started" in found.note

    def test_a_record_cannot_name_another_file(self, tmp_path):
        run = tmp_path / "run"
        run.mkdir()
        (tmp_path / "secret.log").write_text("secret")
        race = make_script_race((1e-3,))
        lane = msgspec.structs.replace(race.lanes[0], letter="../x/../../secret")
        state = RaceState(msgspec.structs.replace(race, lanes=(lane,)))
        assert Console(run).printed(state, state.lanes[0]).lines == []
        assert last_lines(run, state.lanes[0]) == []


class TestLoggedNumbers:
    def test_m_goes_through_them_and_the_pane_names_the_last_values(self, viewer):
        seen = set()
        for _ in range(8):
            viewer.press("m")
            seen.add(viewer.screen.view.quantity)
        assert {"loss", "val_loss", "acc", "grad_norm", "applied_lr"} <= seen

    def test_the_crosshair_reads_them(self, viewer, script):
        view = viewer.screen.view
        while view.quantity != "acc":
            viewer.press("m")
        viewer.press("c")
        assert "0.5000" in viewer.text

    def test_an_epoch_stands_beside_the_steps_and_validation_comes_first(self, viewer, script):
        say(script, logged([120], acc=[0.25], epoch=[3.0], val_loss=[0.5]))
        viewer.look(6)
        viewer.press("enter")
        assert "step 120 ep 3" in viewer.text
        assert "val_loss 0.5000" in viewer.text
        assert "epoch 3.000" not in viewer.text

    def test_i_lists_the_newest(self, viewer, script):
        say(script, logged([120], words=[17.0]))
        viewer.look()
        viewer.press("i")
        assert "words" in viewer.text
        assert "17.00" in viewer.text


class TestRefusals:
    @pytest.mark.parametrize(
        ("key", "words"),
        [
            ("f", "a script cannot be forked"),
            ("r", "a script cannot be rewound"),
            ("e", "a script cannot be forked"),
            ("a", "cannot be added with other settings"),
            ("ctrl+r", "cannot go on where it was cut off"),
            ("ctrl+f", "the finder trains a task"),
        ],
    )
    def test_what_a_script_cannot_do_is_refused_in_words(self, viewer, script, key, words):
        viewer.press(key)
        assert isinstance(viewer.screen, RaceScreen)
        assert words in viewer.toasts[-1]
        assert commands(script) == []

    def test_the_footer_leaves_such_keys_out(self, viewer):
        viewer.resize(250, 60)
        assert "fork" not in viewer.lines[-1]
        assert "rewind" not in viewer.lines[-1]
        assert "stop" in viewer.lines[-1]

    def test_the_help_has_them_in_brackets(self, viewer):
        viewer.resize(120, 60)
        viewer.press("question_mark")
        assert "(Fork the lane: a copy goes on beside it (asks name, rate))" in viewer.text
        assert "Stop the chosen lane for good (asks)" in viewer.text

    def test_the_help_of_a_task_has_no_grey_key(self, script, tmp_path):

        assert Help(RACE, {}, "screen", Keymap())._off == set()
        grey = Help(RACE, {}, "screen", Keymap(), SCRIPT_OFF)._off
        assert grey == {"f", "r", "e", "E", "a", "T", "Ctrl+F", "Ctrl+R"}


class TestRunAgain:
    def test_it_shows_the_command_line_and_asks(self, viewer, script):
        viewer.press("R")
        assert isinstance(viewer.screen, ChoiceDialog)
        assert "python train.py" in viewer.text
        assert "/home/me" in viewer.text
        viewer.press("n")
        assert commands(script) == []

    def test_yes_adds_the_same_lane_under_another_name(self, viewer, script):
        viewer.press("R", "y")
        (sent,) = commands(script)
        race = make_script_race()
        assert sent == Add(
            lane=-1, child=msgspec.structs.replace(race.lanes[0], letter="D", name="lr 0.01 2")
        )

    def test_a_command_line_that_cannot_be_shown_is_not_run(self, tmp_path):
        race = make_script_race((1e-3,), ({"width": "9" * 700},))
        run = make_script_run(tmp_path, race)
        with Viewer(tmp_path, run, (60, 16)) as viewer:
            viewer.look()
            viewer.press("R")
            assert "too long to be shown" in viewer.toasts[-1]

    def test_the_longest_one_leaves_room_for_the_answers(self, tmp_path):
        race = make_script_race((1e-3,), ({"width": "9" * 560},))
        run = make_script_run(tmp_path, race)
        with Viewer(tmp_path, run, (80, 24)) as viewer:
            viewer.look()
            viewer.press("R")
            assert "run it" in viewer.text
            assert "let it be" in viewer.text

    def test_a_task_is_restarted_as_before(self, tmp_path):
        run = make_run(tmp_path, ("steady",), done=60, live=True)
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            viewer.press("R")
            assert "from its initial weights" in viewer.text


class TestTheRate:
    def test_the_dial_and_a_typed_rate_are_sent(self, viewer, script):
        viewer.press("greater_than_sign", "equals_sign")
        assert isinstance(viewer.screen, FormDialog)
        assert viewer.screen.query_one("#field-rate").value == "0.01"
        viewer.press("enter")
        assert commands(script) == [ScaleRate(lane=0, by=10.0), SetRate(lane=0, rate=0.01)]

    def test_an_unknown_rate_is_not_offered(self, tmp_path):
        run = make_script_run(tmp_path, make_script_race((0.0,)), steps=(0,))
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            viewer.press("equals_sign")
            assert viewer.screen.query_one("#field-rate").value == ""


class TestStop:
    def test_a_second_stop_says_that_the_first_is_under_way(self, viewer, script):
        viewer.press("x")
        assert "Stop lane A lr 0.01 for good?" in viewer.text
        viewer.press("y")
        answer_all(script)
        viewer.look()
        viewer.press("x")
        assert "told to stop, still ending" in viewer.text
        assert "send SIGTERM" in viewer.text
        viewer.press("y")
        assert commands(script) == [Stop(lane=0)]

    def test_after_the_signal_another_stop_kills(self, viewer, script):
        viewer.press("x", "y")
        viewer.clock.now += 11
        viewer.press("x")
        assert "kill it (SIGKILL)" in viewer.text
        assert "SIGKILL" in viewer.text

    def test_a_lane_without_a_step_is_signalled_at_once(self, viewer, script):
        viewer.press("3", "x", "y")
        answer_all(script, "sent SIGTERM: it had made no step yet")
        viewer.look()
        viewer.press("x")
        assert "kill it (SIGKILL)" in viewer.text

    def test_stopping_all_leaves_out_those_that_were_told(self, viewer, script):
        viewer.press("x", "y", "A", "x")
        assert "Stop all 2 lanes for good?" in viewer.text
        viewer.press("y")
        assert commands(script) == [Stop(lane=0), Stop(lane=1), Stop(lane=2)]

    def test_a_script_that_lrtui_did_not_start_is_signalled_nothing(self, tmp_path):
        run = make_script_run(tmp_path, make_script_race((0.0,), supervised=False))
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            viewer.press("x", "y", "x")
            assert "signals nothing that it did not start" in viewer.toasts[-1]
            assert commands(run) == [Stop(lane=0)]

    def test_a_stop_of_a_task_asks_the_same_twice(self, live):
        with Viewer(live.parent, live) as viewer:
            viewer.look()
            viewer.press("x", "y", "x")
            assert "for good?" in viewer.text


def test_an_axis_that_another_race_left_falls_back_to_steps(viewer):
    viewer.screen.view.x_kind = "epoch"
    viewer.press("o")
    assert viewer.screen.view.x_kind == "step"
    kinds = []
    for _ in range(3):
        viewer.press("t")
        kinds.append(viewer.screen.view.x_kind)
    assert kinds == ["wall", "time", "step"]


def test_the_header_counts_scripts_that_wait(viewer):
    assert "2 of 3 lanes racing, 1 waiting" in viewer.lines[0]


def test_the_filmstrip_says_how_a_script_draws(viewer):
    viewer.press("I")
    assert "run.image(name, tensor)" in viewer.text


@pytest.mark.parametrize("panel", get_args(PanelName))
def test_every_panel_draws_at_every_size(tmp_path, panel):
    race = make_script_race((0.0, 1e-2, 1e-3, 1e-4, 1e-5))
    run = make_script_run(tmp_path, race, steps=(120, -1, 0, 1, 37))
    say_printed(run, "C", "x" * 500 + "\n\u4e2d\u6587\n")
    with Viewer(tmp_path, run) as viewer:
        viewer.look()
        screen = viewer.screen
        for width in (60, 79, 100, 133, 200):
            for height in (16, 24, 37, 60):
                for selected in range(5):
                    screen.view.panel, screen.view.selected = panel, selected
                    screen._frame = SimpleNamespace(
                        size=(width, height), canvas=Canvas(width, height), commit=lambda: None
                    )
                    viewer.do(screen.redraw)
                    assert (screen._frame.canvas.codes[0] != ord(" ")).any()
