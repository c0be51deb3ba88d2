"""The user's commands to lanes, through real key presses: what is sent, shown and refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from lrtui.client.commands import previous_factor
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.command_result import CommandResult, done, refused
from lrtui.core.protocol.commands import (
    Add,
    Fork,
    Pause,
    Rewind,
    ScaleRate,
    SetFactor,
    SetRate,
    Stop,
)
from lrtui.core.protocol.events import (
    LaneAdded,
    RateChanged,
    Rewound,
    Snapshotted,
    Started,
    StatusChanged,
)
from lrtui.core.scenario.spec import OptimizerSpec
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer
from lrtui.tui.screens.dialogs import ChoiceDialog, FormDialog
from lrtui.tui.screens.race import RaceScreen
from support.fake_run import (
    BEGAN,
    at,
    block,
    commands,
    make_race,
    make_run,
    say,
    without_supervisor,
)
from support.viewer import Viewer

QUARTER = 10**0.25


@pytest.fixture
def viewer(live: Path):
    """Before three lanes that live, everything drawn."""
    with Viewer(live.parent, live) as found:
        found.look()
        yield found


def answer(run: Path, result: CommandResult) -> None:
    """Says the same of every command that waits."""
    writer = Writer(run, "test")
    writer.acknowledge([(number, result) for number, _ in writer.pending(0)])
    writer.close()


def turned(lane: int, step: int, factor: float, rate: float = 0.05) -> RateChanged:
    return RateChanged(lane=lane, at=at(step), step=step, factor=factor, rate=rate)


def type_in(viewer: Viewer, name: str, text: str) -> None:
    """Replaces what a field of the form holds."""
    viewer.screen.query_one(f"#field-{name}").value = text
    viewer.settle()


class TestTheDial:
    @pytest.mark.parametrize(
        ("key", "by"),
        [
            ("plus", QUARTER),
            ("minus", 1 / QUARTER),
            ("greater_than_sign", 10.0),
            ("less_than_sign", 0.1),
        ],
    )
    def test_a_key_scales_the_rate_of_the_chosen_lane(self, viewer, live, key, by):
        viewer.press("2", key)
        (sent,) = commands(live)
        assert sent == ScaleRate(lane=1, by=pytest.approx(by))

    @pytest.mark.parametrize("sign", ["+", "-", ">", "<", "="])
    def test_the_signs_themselves_are_what_a_keyboard_sends(self, viewer, live, sign):
        viewer.press(sign)
        assert len(commands(live)) == 1 or isinstance(viewer.screen, FormDialog)

    def test_0_goes_back_to_the_schedule_and_chooses_no_lane(self, viewer, live):
        viewer.press("3", "0")
        assert commands(live) == [SetFactor(lane=2, factor=1.0)]
        assert viewer.screen.view.selected == 2

    def test_a_rate_can_be_typed_over_the_next_one(self, viewer, live):
        viewer.press("equals_sign")
        assert isinstance(viewer.screen, FormDialog)
        shown = viewer.screen.query_one("#field-rate").value
        assert float(shown) == pytest.approx(0.1 * 0.99**60, rel=1e-5)
        type_in(viewer, "rate", "3e-4")
        viewer.press("enter")
        assert isinstance(viewer.screen, RaceScreen)
        assert commands(live) == [SetRate(lane=0, rate=3e-4)]

    @pytest.mark.parametrize("text", ["", "fast", "0", "-1", "nan", "inf", "[b]"])
    def test_what_is_no_rate_is_refused_in_the_dialog_and_nothing_is_sent(self, viewer, live, text):
        viewer.press("equals_sign")
        type_in(viewer, "rate", text)
        viewer.press("enter")
        assert isinstance(viewer.screen, FormDialog)
        assert "expected a finite number above 0" in viewer.text or "is not a number" in viewer.text
        viewer.press("escape")
        assert commands(live) == []

    def test_undo_goes_back_turn_by_turn(self, viewer, live):
        say(live, turned(0, 60, 2.0), turned(0, 60, 4.0))
        viewer.look()
        viewer.press("u")
        assert commands(live) == [SetFactor(lane=0, factor=2.0)]
        say(live, turned(0, 61, 2.0))
        viewer.look()
        viewer.press("u")
        assert commands(live)[1:] == [SetFactor(lane=0, factor=1.0)]
        say(live, turned(0, 61, 1.0))
        viewer.look()
        viewer.press("u")
        assert viewer.toasts == ["the dial was not turned: there is nothing to undo"]

    def test_capital_u_undoes_for_all_lanes_that_were_turned(self, viewer, live):
        say(live, turned(0, 60, 2.0), turned(2, 60, 0.5))
        viewer.look()
        viewer.press("U")
        assert commands(live) == [SetFactor(lane=0, factor=1.0), SetFactor(lane=2, factor=1.0)]

    def test_capital_a_makes_the_keys_be_about_all_lanes_and_says_so(self, viewer, live):
        viewer.press("A")
        assert "ALL LANES" in viewer.lines[-1]
        viewer.press("plus", "space")
        assert [command.lane for command in commands(live)] == [0, 1, 2, 0, 1, 2]
        viewer.press("A")
        assert "ALL LANES" not in viewer.lines[-1]
        viewer.press("0")
        assert commands(live)[6:] == [SetFactor(lane=0, factor=1.0)]

    def test_an_empty_undo_of_a_lane_that_was_never_turned(self, follower):
        assert previous_factor(follower.state.lanes[0]) is None


class TestTheAnswer:
    def test_a_press_stands_there_at_once_and_then_what_became_of_it(self, viewer, live):
        viewer.press("plus")
        assert "A: rate ×1.78 …" in viewer.lines[-2]
        answer(live, done("rate 0.178 from step 61"))
        viewer.look()
        assert viewer.lines[-2].strip() == "A: rate 0.178 from step 61"
        assert viewer.toasts == []

    def test_equal_answers_of_several_lanes_are_one(self, viewer, live):
        viewer.press("P")
        assert "A B C: pause …" in viewer.lines[-2]
        answer(live, done("paused"))
        viewer.look()
        assert viewer.lines[-2].strip() == "A B C: paused"

    def test_of_several_turns_the_last_one_counts(self, viewer, live):
        viewer.press("plus", "plus")
        writer = Writer(live, "test")
        writer.acknowledge([(number, done(f"rate {number}")) for number, _ in writer.pending(0)])
        writer.close()
        viewer.look()
        assert viewer.lines[-2].strip() == "A: rate 2"

    def test_what_is_refused_again_does_not_fill_the_screen(self, viewer):
        viewer.press("u", "u", "u")
        assert len(viewer.toasts) == 1
        viewer.clock.now += 6
        viewer.press("u")
        assert len(viewer.toasts) == 2

    def test_it_makes_room_again(self, viewer, live):
        viewer.press("plus")
        answer(live, done("rate 0.178 from step 61"))
        viewer.look()
        viewer.clock.now += 7
        viewer.look(2)
        assert "cpu 12 % of 2" in viewer.lines[-2]

    def test_a_refusal_is_a_toast_of_one_plain_line(self, viewer, live):
        viewer.press("plus")
        answer(live, refused("Rprop: [b]the rate\n changes nothing\x1b[31m"))
        viewer.look()
        assert viewer.toasts == ["A: Rprop: [b]the rate changes nothing"]

    def test_an_answer_that_does_not_come_is_said_once(self, viewer):
        viewer.press("plus")
        viewer.clock.now += 11
        viewer.look(3)
        assert viewer.toasts == ["A: no answer yet; it is done when the lane gets to it"]

    def test_it_is_looked_for_without_waiting_for_the_next_tick(self, viewer, live, monkeypatch):
        viewer.clock.reply_s = 0.005
        viewer.press("plus")
        say(live, turned(0, 61, QUARTER))
        answer(live, done("rate 0.178 from step 61"))
        viewer.until(
            lambda: "A: rate 0.178 from step 61" in viewer.text, "the answer, though nobody ticks"
        )
        assert viewer.screen.state.lanes[0].factor == QUARTER


class TestForms:
    @pytest.mark.parametrize("keys", ["=3e-2\r", "=\r"])
    def test_keys_that_come_all_at_once_are_taken_in_their_order(self, viewer, live, keys):
        viewer.burst(keys)
        (sent,) = commands(live)
        assert sent == SetRate(lane=0, rate=0.03 if "3" in keys else 0.0547157)

    def test_what_is_typed_replaces_a_rate_and_changes_a_lane(self, viewer, live):
        viewer.press("equals_sign", "2", ".", "5", "enter", "e", "7")
        assert commands(live)[0] == SetRate(lane=0, rate=2.5)
        assert viewer.screen.query_one("#field-lane").value == "optimizer=Adam lr=0.17"

    def test_what_was_refused_is_not_said_of_what_is_typed_next(self, viewer):
        viewer.press("equals_sign", "x", "enter")
        assert "not a number" in str(viewer.screen.query_one("#refused").content)
        viewer.press("backspace")
        assert str(viewer.screen.query_one("#refused").content) == ""

    def test_f_forks_with_a_name_and_the_rate_unchanged(self, viewer, live):
        viewer.press("2", "f", "enter")
        (sent,) = commands(live)
        assert isinstance(sent, Fork)
        assert (sent.lane, sent.rate, sent.child.name, sent.child.letter) == (
            1,
            None,
            "diverges fork",
            "D",
        )
        assert sent.child.optimizer == viewer.screen.state.lanes[1].lane.optimizer

    def test_the_fork_is_chosen_when_it_joins_and_nobody_elses_is(self, viewer, live):
        viewer.press("2", "f", "enter")
        (sent,) = commands(live)
        say(live, LaneAdded(lane=3, at=at(60), child=sent.child, parent=1, step=60))
        viewer.look()
        assert viewer.screen.view.selected == 3
        viewer.press("1")
        other = msgspec.structs.replace(sent.child, letter="E", name="other")
        say(live, LaneAdded(lane=4, at=at(61), child=other, parent=1, step=60))
        viewer.look()
        assert viewer.screen.view.selected == 0

    def test_a_fork_that_was_refused_does_not_choose_the_next_one(self, viewer, live):
        viewer.press("2", "f", "enter")
        (sent,) = commands(live)
        answer(live, refused("no"))
        viewer.look()
        say(live, LaneAdded(lane=3, at=at(60), child=sent.child, parent=1, step=60))
        viewer.look()
        assert viewer.screen.view.selected == 1

    def test_f_forks_with_another_rate(self, viewer, live):
        viewer.press("f")
        type_in(viewer, "rate", "1e-3")
        type_in(viewer, "name", "calmer")
        viewer.press("enter")
        (sent,) = commands(live)
        assert isinstance(sent, Fork)
        assert (sent.rate, sent.child.name) == (1e-3, "calmer")

    def test_a_name_that_another_lane_has_is_refused(self, viewer, live):
        viewer.press("f")
        type_in(viewer, "name", "paints")
        viewer.press("enter")
        assert '"paints" is also the name of lane C' in viewer.text
        assert commands(live) == []

    @pytest.mark.parametrize(
        ("pressed", "to"), [([], None), (["down"], 50), (["down", "down"], 25), (["up"], 0)]
    )
    def test_r_rewinds_to_a_snapshot_of_the_list(self, viewer, live, pressed, to):
        say(
            live,
            Snapshotted(lane=0, at=at(60), step=50, tag="ring", size=10, kept=[25, 50], total=20),
        )
        viewer.look()
        viewer.press("r")
        assert "step 50, loss" in viewer.text
        viewer.press(*pressed, "enter")
        assert commands(live) == [Rewind(lane=0, to=to, by=1.0)]

    def test_a_lane_that_went_nan_is_offered_half_the_rate(self, tmp_path):
        run = make_run(tmp_path, ("explodes", "steady"), done=60, live=True)
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            viewer.press("r", "enter")
        assert commands(run) == [Rewind(lane=0, to=None, by=0.5)]

    @pytest.mark.parametrize(
        ("pressed", "expected"), [("y", [Rewind(lane=0, to=0)]), ("n", []), ("escape", [])]
    )
    def test_capital_r_asks_before_it_restarts(self, viewer, live, pressed, expected):
        viewer.press("R")
        assert isinstance(viewer.screen, ChoiceDialog)
        viewer.press(pressed)
        assert commands(live) == expected

    def test_capital_c_pauses_all_but_the_best(self, viewer, live):
        viewer.press("C")
        type_in(viewer, "keep", "1")
        viewer.press("enter")
        best = viewer.screen.state.lanes[2]  # paints is lowest
        assert {command.lane for command in commands(live)} == {0, 1}
        assert all(isinstance(command, Pause) for command in commands(live))
        assert best.lane.name == "paints"

    @pytest.mark.parametrize("text", ["0", "4", "two", "", "-1"])
    def test_a_number_of_lanes_that_cannot_be_is_refused(self, viewer, live, text):
        viewer.press("C")
        type_in(viewer, "keep", text)
        viewer.press("enter")
        assert "expected a whole number from 1 to 3" in viewer.text
        assert commands(live) == []

    def test_e_forks_into_what_the_words_say(self, viewer, live):
        viewer.press("e")
        assert viewer.screen.query_one("#field-lane").value == "optimizer=Adam lr=0.1"
        type_in(viewer, "lane", "optimizer=SGD lr=3e-4 momentum=0.8 schedule=cosine")
        viewer.press("enter")
        (sent,) = commands(live)
        assert isinstance(sent, Fork)
        assert sent.child.optimizer == OptimizerSpec("SGD", {"momentum": 0.8})
        assert (sent.child.lr, sent.rate) == (3e-4, None)
        assert sent.child.schedule is not None
        assert sent.child.schedule.name == "cosine"

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("optimizer=Adam lr=0.1", "nothing is changed"),
            ("momentum=0.9", "unknown option of Adam"),
            ("lr=0", "0.0 is not a valid learning rate"),
            ("cosine", '"cosine" is not a setting'),
            ("schedule=StepLR(", "a bracket is not closed"),
        ],
    )
    def test_words_that_will_not_do_are_refused_in_the_dialog(self, viewer, live, words, said):
        viewer.press("e")
        type_in(viewer, "lane", words)
        viewer.press("enter")
        assert said in viewer.text
        assert commands(live) == []

    def test_a_adds_a_lane_from_scratch(self, viewer, live):
        viewer.press("a")
        type_in(viewer, "lane", "lr=0.5")
        viewer.press("enter")
        (sent,) = commands(live)
        assert isinstance(sent, Add)
        assert (sent.lane, sent.child.lr, sent.child.name, sent.child.letter) == (
            -1,
            0.5,
            "Adam 0.5",
            "D",
        )

    @pytest.mark.parametrize("key", ["equals_sign", "f", "r", "C", "e", "a"])
    def test_escape_leaves_a_form_and_nothing_is_sent(self, viewer, live, key):
        viewer.press(key)
        assert isinstance(viewer.screen, FormDialog)
        viewer.press("escape")
        assert isinstance(viewer.screen, RaceScreen)
        assert commands(live) == []

    def test_x_with_all_lanes_stops_them_all(self, viewer, live):
        viewer.press("A", "x")
        assert "Stop all 3 lanes for good?" in viewer.text
        viewer.press("y")
        assert commands(live) == [Stop(lane=0), Stop(lane=1), Stop(lane=2)]

    @pytest.mark.parametrize("size", [(60, 16), (80, 24)])
    @pytest.mark.parametrize("key", ["f", "r", "e"])
    def test_forms_fit_a_small_screen(self, live, size, key):
        with Viewer(live.parent, live, size) as viewer:
            viewer.look()
            viewer.press(key)
            assert "Enter: do it" in viewer.text


class TestLanesThatHaveEnded:
    @pytest.fixture
    def ended(self, tmp_path: Path) -> Path:
        """A lane that went NaN beside one that lives."""
        return make_run(tmp_path, ("explodes", "steady"), done=60, live=True)

    @pytest.mark.parametrize("key", ["plus", "minus", "0", "u", "space", "equals_sign", "x"])
    def test_the_dial_has_nothing_to_turn(self, ended, key):
        with Viewer(ended.parent, ended) as viewer:
            viewer.look()
            viewer.press(key)
            assert viewer.toasts == ["A has ended: r rewinds, R restarts, f forks"]
        assert commands(ended) == []

    def test_all_lanes_are_all_that_live(self, ended):
        with Viewer(ended.parent, ended) as viewer:
            viewer.look()
            viewer.press("A", "plus")
        assert [command.lane for command in commands(ended)] == [1]

    def test_it_lives_again_when_it_is_rewound(self, ended):
        with Viewer(ended.parent, ended) as viewer:
            viewer.look()
            viewer.press("r", "enter")
            say(ended, Rewound(lane=0, at=at(61), step=20, why="rewound"), turned(0, 20, 0.5))
            answer(ended, done("back at step 20, rate 0.05"))
            viewer.look(6)
            assert "NaN at step" not in viewer.text.replace("nan: loss is NaN at step", "")
            assert "×0.5" in viewer.text
            assert viewer.screen.state.lanes[0].abandoned


class Revived:
    """Stands for the supervisor that a viewer would start."""

    started: ClassVar[list[Path]] = []
    fails = ""

    def resume(self, run: Path) -> None:
        self.started.append(run)
        if self.fails:
            raise LrtuiError(self.fails)
        writer = Writer(run, SUPERVISOR_ROLE)
        writer.beat()
        writer.close()

    def close(self) -> None:
        pass


class TestARaceWithoutItsSupervisor:
    @pytest.fixture(autouse=True)
    def launcher(self, monkeypatch: pytest.MonkeyPatch):
        Revived.started, Revived.fails = [], ""
        monkeypatch.setattr("lrtui.client.launcher.Launcher", Revived)

    @pytest.fixture
    def alone(self, tmp_path: Path) -> Path:
        """A finished race whose supervisor has gone."""
        return without_supervisor(make_run(tmp_path, ("steady", "explodes"), live=True))

    def test_a_rewind_is_filed_and_a_new_supervisor_started_for_it(self, alone):
        with Viewer(alone.parent, alone) as viewer:
            viewer.look()
            viewer.press("2", "r", "enter")
            viewer.until(
                lambda: Revived.started == [alone] and not viewer.screen.commands.restarting,
                "a new supervisor",
            )
            say(alone, Rewound(lane=1, at=at(300), step=20, why="rewound"))
            answer(alone, done("back at step 20, rate 0.005"))
            viewer.look()
            assert "B: back at step 20, rate 0.005" in viewer.text
            assert "1 of 2 lanes racing" in viewer.text

    def test_where_no_supervisor_can_be_started_nothing_stays_behind(self, alone):
        Revived.fails = "the supervisor did not start"
        with Viewer(alone.parent, alone) as viewer:
            viewer.look()
            viewer.press("f", "enter")
            viewer.until(lambda: viewer.toasts, "the reason")
            assert viewer.toasts == ["not resumed: the supervisor did not start"]
        assert commands(alone) == []

    def test_ctrl_r_takes_up_an_interrupted_race(self, tmp_path):
        run = without_supervisor(
            make_run(tmp_path, ("steady", "paints"), done=60, live=True, over=False)
        )
        with Viewer(tmp_path, run) as viewer:
            viewer.screen.follower._looked = -math.inf
            viewer.look(2)
            assert "Ctrl+R resumes" in viewer.lines[0]
            assert f"lrtui resume {run.name}" in viewer.text
            viewer.press("ctrl+r")
            viewer.until(
                lambda: Revived.started == [run] and not viewer.screen.commands.restarting,
                "a new supervisor",
            )
            say(
                run,
                Rewound(lane=0, at=at(300), step=50, why="resumed"),
                Started(
                    lane=0,
                    at=at(300),
                    device="cpu",
                    steps_per_epoch=20,
                    total_steps=200,
                    parameters=1,
                    init_checksum="d4bb1f00",
                    batch_checksum="57259b00",
                    intra_op_threads=1,
                    validated=True,
                    first=50,
                ),
            )
            viewer.look(6)
            assert "of 2 lanes racing" in viewer.lines[0]

    def test_the_dial_of_an_interrupted_race_names_the_way_on(self, tmp_path):
        run = without_supervisor(
            make_run(tmp_path, ("steady", "paints"), done=60, live=True, over=False)
        )
        with Viewer(tmp_path, run) as viewer:
            viewer.screen.follower._looked = -math.inf
            viewer.look(2)
            viewer.press("plus")
            assert viewer.toasts == ["the race was interrupted: Ctrl+R goes on with it"]

    def test_ctrl_r_says_where_there_is_nothing_to_resume(self, alone, live):
        with Viewer(alone.parent, alone) as viewer:
            viewer.look()
            viewer.press("ctrl+r")
            assert viewer.toasts == ["every lane has ended: r rewinds, R restarts, f forks"]
        with Viewer(live.parent, live) as viewer:
            viewer.press("ctrl+r")
            assert viewer.toasts == ["the race has its supervisor: there is nothing to resume"]
        assert Revived.started == []


class TestWhatIsDrawn:
    def test_turns_of_the_dial_are_marked_on_the_curve_of_the_rate(self, live):
        say(live, turned(0, 20, 2.0), turned(0, 40, 0.5))
        with Viewer(live.parent, live, (100, 40)) as viewer:
            viewer.look()
            viewer.press("enter")
            assert (viewer.text.count("▲"), viewer.text.count("▼")) == (1, 1)
            assert "×0.5" in viewer.lines[2]

    def test_a_fork_has_a_pane_of_its_own_and_a_sign_where_it_left(self, viewer, live):
        child = msgspec.structs.replace(make_race().lanes[0], letter="D", name="steady fork")
        say(
            live,
            LaneAdded(lane=3, at=at(60), child=child, parent=0, step=40),
            block(3, "steady", 40, 60),
        )
        viewer.look()
        assert "D steady fork" in viewer.text
        assert "from A@40" in viewer.text
        assert any("Y" in line for line in viewer.lines[4:20])
        viewer.press("4")
        assert viewer.screen.view.selected == 3

    def test_what_was_abandoned_stays_faint_behind_the_curve(self, viewer, live):
        viewer.press("2", "enter")
        before = dots(viewer.text)
        say(live, Rewound(lane=1, at=at(60), step=20, why="rewound"))
        viewer.look(6)
        assert dots(viewer.text) >= 0.7 * before
        lane = viewer.screen.state.lanes[1]
        assert lane.steps == 20

    def test_the_large_view_says_what_snapshots_take(self, live):
        say(
            live,
            Snapshotted(
                lane=0, at=at(60), step=60, tag="ring", size=1, kept=[20, 40, 60], total=2_100_000
            ),
        )
        with Viewer(live.parent, live, (120, 50)) as viewer:
            viewer.look()
            viewer.press("enter")
            assert "snapshots 3, last at step 60, 2.1 MB of 667 MB" in viewer.text

    def test_a_paused_race_sends_nothing_while_nobody_touches_it(self, viewer, live, monkeypatch):
        viewer.press("P")
        say(
            live,
            *(StatusChanged(lane=lane, at=BEGAN, step=60, status="paused") for lane in range(3)),
        )
        answer(live, done("paused"))
        viewer.look(6)
        viewer.clock.now += 10
        viewer.look(6)
        sent: list[object] = []
        monkeypatch.setattr(viewer.frame, "refresh", lambda *regions, **_: sent.extend(regions))
        viewer.look(25)
        assert sent == []


def dots(text: str) -> int:
    """How many braille cells there are."""
    return sum(0x2800 < ord(sign) < 0x2900 for sign in text)
