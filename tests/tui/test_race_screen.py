"""The race screen over runs that nobody trained: what stands there, what each key does, and that
nothing moves in vain."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from textual.actions import parse

from lrtui.core.protocol.commands import Pause, Resume, Stop
from lrtui.core.protocol.events import Alerted, Ended, Evaluated, FindingsUpdated, StatusChanged
from lrtui.core.protocol.findings import Findings
from lrtui.tui.key_legend import LEGEND
from lrtui.tui.key_table import HEADINGS, RACE
from lrtui.tui.keymap import Keymap
from lrtui.tui.layout import arrange
from lrtui.tui.screens.dialogs import ChoiceDialog
from lrtui.tui.screens.help import Help
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen
from support.fake_run import KINDS, block, commands, make_run, sample, say
from support.viewer import Viewer


@pytest.fixture
def viewer(live: Path):
    """Before the live run, at 100 x 30, everything drawn."""
    with Viewer(live.parent, live) as found:
        found.look()
        yield found


def row_with(viewer: Viewer, text: str) -> str:
    """The lowest row that has a text in it."""
    return next(line for line in reversed(viewer.lines) if text in line)


def selected(viewer: Viewer) -> str:
    """The letter of the lane that is marked in the table, which must be the one that is marked
    among the panes."""
    signs = [line.partition("▶")[2].split() for line in viewer.lines if "▶" in line]
    letters = {words[1] if words[0].isdigit() else words[0][0] for words in signs}
    assert len(letters) == 1
    return letters.pop()


class TestWhatStandsThere:
    def test_each_lane_has_its_name_its_state_and_the_rate_that_was_applied(self, over):
        with Viewer(over.parent, over, (100, 40)) as viewer:
            viewer.look()
            for letter, name in zip("ABCDEF", KINDS, strict=True):
                assert f"{letter} {name}" in viewer.text
            # 0.1 * 0.99 ** 199, not the rate of the next step nor the initial one
            assert "lr 0.0135 " in viewer.text
            for words in (
                "finished",
                "NaN at step 37",
                "DIVERGED",
                "ERROR",
                "paused",
                "loss 0.05307",
                "Adam lr=0.1",
            ):
                assert words in viewer.text

    def test_the_standings_are_best_first_with_nan_at_the_end(self, over):
        with Viewer(over.parent, over) as viewer:
            viewer.look()
            places = [line[2:16].split() for line in viewer.lines if line[:4].strip("▶ ").isdigit()]
            assert [place[2] for place in places] == [
                "paints",
                "steady",
                "rests",
                "diverges",
                "breaks",
                "explodes",
            ]
            assert "NaN" in row_with(viewer, "6 B explodes")

    def test_the_text_of_an_error_is_shown_as_it_is(self, over):
        with Viewer(over.parent, over, (200, 50)) as viewer:
            viewer.look()
            assert 'raise ValueError("[bold]no[/bold]")' in viewer.text
            assert "ValueError: [bold]no[/bold] red" in viewer.text
            assert "\x1b" not in viewer.text
            assert "owned" not in viewer.text
            assert "lr   1┤" not in "".join(
                line[72:144] for line in viewer.lines if "Traceback" in line
            )

    def test_a_nan_lane_is_marked_where_its_curve_ends(self, over):
        with Viewer(over.parent, over, (200, 50)) as viewer:
            viewer.look()
            assert viewer.text.count("✗") == 1
            assert "↑✗" in viewer.text  # beyond the top, as an explosion goes

    def test_the_header_says_what_the_race_is_and_that_it_is_fair(self, over):
        with Viewer(over.parent, over) as viewer:
            viewer.look()
            words = (
                "A fake race · paused · 10 epochs · batch 16 · seed 7 fair: weights d4bb1f batches"
                " 57259b"
            )
            assert " ".join(viewer.lines[0].split()) == words

    def test_a_long_title_leaves_the_state_of_the_race_its_room(self, tmp_path):
        run = make_run(
            tmp_path,
            ("steady",),
            title="A race with a title that is longer than a screen of 80 columns has room for",
        )
        with Viewer(tmp_path, run, (80, 24)) as viewer:
            viewer.look()
            assert viewer.lines[0].startswith(" A race with a title that")
            assert "… · over " in viewer.lines[0]

    def test_the_log_says_when_things_happened(self, over):
        with Viewer(over.parent, over, (200, 50)) as viewer:
            viewer.look()
            assert "15:06:43 E paused at step 60" in viewer.text
            viewer.press("L")
            assert "15:06:41 B nan: loss is NaN at step 37" in viewer.text

    def test_sprites_are_drawn_as_half_blocks(self, over):
        with Viewer(over.parent, over, (200, 50)) as viewer:
            viewer.look()
            # the diagonals of two pictures of 16 rows
            assert sum(line.count("▀▀") for line in viewer.lines) == 16

    def test_the_devices_and_the_load_stand_under_the_log(self, viewer):
        assert viewer.lines[-2].split("▂")[0].strip() == "cpu · 1 thread a lane · cpu 12 % of 2"

    def test_before_the_first_event_the_lanes_wait(self, tmp_path):
        run = make_run(tmp_path, ("steady", "rests"), done=0, over=False)
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            assert "A steady" in viewer.text
            assert "running" in viewer.text


class TestKeys:
    """Every binding does what the help says."""

    @pytest.mark.parametrize(
        ("pressed", "letter"),
        [
            (["right"], "B"),
            (["l"], "B"),
            (["right", "left"], "A"),
            (["l", "h"], "A"),
            (["down"], "C"),
            (["j"], "C"),
            (["down", "up"], "A"),
            (["j", "k"], "A"),
            (["left"], "C"),
            (["tab"], "B"),
            (["tab"] * 3, "A"),
            (["shift+tab"], "C"),
            (["2"], "B"),
            (["3"], "C"),
            (["9"], "A"),
        ],
    )
    def test_a_lane_is_chosen(self, viewer, pressed, letter):
        viewer.press(*pressed)
        assert selected(viewer) == letter

    def test_arrows_go_where_they_point_in_a_grid(self, over):
        with Viewer(over.parent, over) as viewer:  # A B C over D E F
            for pressed, letter in (
                ("down", "D"),
                ("right", "E"),
                ("up", "B"),
                ("left", "A"),
                ("up", "F"),
                ("down", "A"),
            ):
                viewer.press(pressed)
                assert selected(viewer) == letter

    def test_a_click_chooses_the_pane_under_it(self, over):
        with Viewer(over.parent, over) as viewer:
            viewer.click(50, 15)
            assert selected(viewer) == "E"

    @pytest.mark.parametrize("back", ["enter", "escape"])
    def test_enter_enlarges_the_chosen_lane_and_back(self, viewer, back):
        before = viewer.text
        viewer.press("tab", "enter")
        assert viewer.lines[1].startswith("▶B diverges")
        assert viewer.lines[1].rstrip().endswith(" running")
        assert len(viewer.lines[1].rstrip()) > 90
        assert not any("A steady" in line for line in viewer.lines[:15])
        viewer.press(back, "1")
        assert viewer.text == before

    @pytest.mark.parametrize("back", ["o", "escape"])
    def test_o_lays_all_curves_over_each_other_and_back(self, viewer, back):
        before = viewer.text
        viewer.press("o")
        assert "A steady  B diverges  C paints" in viewer.lines[1]
        chart = viewer.lines[2 : viewer.screen.painter.layout.panel.bottom - 1]
        assert {sign for line in chart for sign in line if sign in "ABC"} == set("ABC")
        viewer.press(back)
        assert viewer.text == before

    def test_y_makes_the_loss_axis_linear_and_logarithmic_again(self, viewer):
        before = viewer.text
        viewer.press("y")
        assert "0.0┤" in viewer.text or " 0┤" in viewer.text
        viewer.press("y")
        assert viewer.text == before

    def test_space_pauses_the_chosen_lane_and_resumes_a_paused_one(self, viewer, live):
        viewer.press("2", "space")
        assert commands(live) == [Pause(lane=1)]
        say(live, StatusChanged(lane=1, at=1.0, step=60, status="paused"))
        viewer.look()
        assert "paused" in row_with(viewer, "B diverges")
        viewer.press("space")
        assert commands(live) == [Pause(lane=1), Resume(lane=1)]

    def test_capital_p_pauses_all_lanes_and_resumes_them_when_all_are_paused(self, viewer, live):
        viewer.press("P")
        assert commands(live) == [Pause(lane=0), Pause(lane=1), Pause(lane=2)]
        say(
            live, *(StatusChanged(lane=lane, at=1.0, step=60, status="paused") for lane in range(3))
        )
        viewer.look()
        assert " · paused · " in viewer.lines[0]
        viewer.press("P")
        assert commands(live)[3:] == [Resume(lane=0), Resume(lane=1), Resume(lane=2)]

    @pytest.mark.parametrize(
        ("answer", "expected"), [("y", [Stop(lane=2)]), ("n", []), ("escape", [])]
    )
    def test_x_asks_before_it_stops_a_lane(self, viewer, live, answer, expected):
        viewer.press("3", "x")
        assert isinstance(viewer.screen, ChoiceDialog)
        assert "Stop lane C paints for good?" in viewer.text
        assert commands(live) == []
        viewer.press(answer)
        assert isinstance(viewer.screen, RaceScreen)
        assert commands(live) == expected

    @pytest.mark.parametrize("pressed", ["x", "space"])
    def test_a_lane_that_has_ended_cannot_be_stopped_or_paused(self, over, pressed):
        with Viewer(over.parent, over) as viewer:
            viewer.look()
            viewer.press(pressed)
            assert viewer.toasts == ["A has ended: r rewinds, R restarts, f forks"]
            assert isinstance(viewer.screen, RaceScreen)
        assert commands(over) == []

    def test_n_leaves_the_race_alone_and_opens_the_picker(self, viewer, live, monkeypatch):
        monkeypatch.setattr("lrtui.tui.screens.picker.Picker._warm_up", lambda self: None)
        monkeypatch.setattr(
            "lrtui.tui.screens.picker.Picker._preview", lambda self, path, race: None
        )
        viewer.press("n")
        assert isinstance(viewer.screen, Picker)
        assert "● running" in viewer.text
        assert commands(live) == []

    def test_the_help_lists_every_key_and_any_key_closes_it(self, live):
        with Viewer(live.parent, live, (120, 180)) as viewer:
            viewer.press("question_mark")
            assert isinstance(viewer.screen, Help)
            assert all(heading in viewer.text for heading in HEADINGS.values())
            for shown, words in Keymap().help_lines(RACE):
                assert shown in viewer.text
                assert words in viewer.text
            viewer.press("z")
            assert isinstance(viewer.screen, RaceScreen)

    def test_the_help_can_be_read_to_its_end_on_a_small_screen(self, live):
        with Viewer(live.parent, live, (60, 16)) as viewer:
            viewer.press("question_mark", "end")
            *_, last = LEGEND.values()
            viewer.until(lambda: last.split()[-1] in viewer.text, "the last line of the help")

    def test_the_palette_opens_and_knows_the_keys_by_name(self, viewer):
        viewer.press("ctrl+p")
        viewer.press(*"one chart")
        viewer.until(
            lambda: "Overlay: all curves in one chart" in viewer.text, "the command in the palette"
        )
        viewer.press("enter")
        viewer.until(
            lambda: isinstance(viewer.screen, RaceScreen) and viewer.screen.view.panel == "overlay",
            "the overlay",
        )

    def test_every_binding_of_the_table_has_an_action_on_the_screen(self, viewer):
        for key in RACE:
            _, method, (name, *arguments) = parse(key.action)
            assert method == "run"
            action = inspect.signature(viewer.screen._actions[name])
            assert action.bind(*(arguments[0] if arguments else ())), key.id


class TestLeaving:
    @pytest.mark.parametrize("pressed", ["q", "ctrl+c", "ctrl+q"])
    def test_quitting_a_live_race_asks(self, viewer, pressed):
        viewer.press(pressed)
        assert isinstance(viewer.screen, ChoiceDialog)
        assert "leave it running" in viewer.text
        assert not viewer.has_left

    @pytest.mark.parametrize("pressed", ["b", "escape"])
    def test_one_can_think_better_of_it(self, viewer, live, pressed):
        viewer.press("q", pressed)
        assert isinstance(viewer.screen, RaceScreen)
        assert not viewer.has_left
        assert commands(live) == []

    def test_the_race_can_be_left_running(self, viewer, live):
        viewer.press("q", "l")
        assert viewer.has_left
        assert viewer.app.return_value is viewer.app._watched
        assert commands(live) == []

    def test_the_race_can_be_stopped_and_its_end_is_waited_for(self, viewer, live, monkeypatch):
        viewer.clock.poll_s = 0.01
        viewer.press("q", "s")
        assert commands(live) == [Stop(lane=0), Stop(lane=1), Stop(lane=2)]
        assert not viewer.has_left
        say(live, *(Ended(lane=lane, at=1.0, step=60, reason="stopped") for lane in range(3)))
        viewer.look()
        viewer.until(lambda: viewer.has_left, "the end of the program")
        assert viewer.app.return_value.state.over

    def test_trainers_that_do_not_answer_are_not_waited_for_for_ever(self, viewer, monkeypatch):
        viewer.clock.poll_s = 0.01
        viewer.press("q", "s")
        assert not viewer.has_left
        viewer.clock.now += 6
        viewer.until(lambda: viewer.has_left, "the end of the program")

    @pytest.mark.parametrize("pressed", ["q", "ctrl+c", "ctrl+q"])
    def test_a_race_that_is_over_is_left_at_once(self, tmp_path, pressed):
        run = make_run(tmp_path, ("steady", "explodes"))
        with Viewer(tmp_path, run) as viewer:
            viewer.look()
            viewer.press(pressed)
            assert viewer.has_left


class TestAlarms:
    def test_alerts_from_before_the_viewer_came_are_silent(self, over):
        with Viewer(over.parent, over) as viewer:
            viewer.look(3)
            assert viewer.bells == 0
            assert viewer.toasts == []

    def test_new_alerts_ring_once_and_toast_once_a_lane(self, viewer, live):
        say(
            live,
            Alerted(lane=0, at=viewer.clock.now + 1, step=61, kind="diverged", text="high"),
            Alerted(lane=0, at=viewer.clock.now + 2, step=65, kind="nan", text="loss is NaN"),
            Alerted(lane=2, at=viewer.clock.now + 2, step=62, kind="error", text="[bold]no"),
        )
        viewer.look(3)
        assert viewer.bells == 1
        assert viewer.toasts == ["A steady: nan at step 65", "C paints: error at step 62"]
        assert "[bold]no" in viewer.text


class TestNothingMovesInVain:
    @pytest.fixture
    def refreshes(self, viewer, monkeypatch):
        """Every span that the frame asks the terminal to show, from here on."""
        found: list = []
        viewer.look(5)
        monkeypatch.setattr(viewer.frame, "refresh", lambda *regions, **_: found.extend(regions))
        return found

    def test_a_race_that_says_nothing_is_not_drawn_again(self, viewer, refreshes):
        viewer.look(25)
        assert refreshes == []

    def test_a_paused_race_is_not_drawn_again(self, viewer, live, refreshes):
        say(
            live, *(StatusChanged(lane=lane, at=1.0, step=60, status="paused") for lane in range(3))
        )
        viewer.look(6)
        assert refreshes
        refreshes.clear()
        viewer.look(25)
        assert refreshes == []

    def test_new_steps_redraw_only_the_lane_that_made_them(self, viewer, live, refreshes):
        # within the limits of the axes, which all panes share
        say(live, block(1, "diverges", 60, 80))
        viewer.look()
        pane = viewer.screen.painter.layout.panes[1]
        assert refreshes
        assert all(
            pane.contains(span.x, span.y) and pane.contains(span.right - 1, span.y)
            for span in refreshes
        )

    def test_a_step_that_moves_no_curve_by_a_dot_waits_for_the_next_figures(
        self, viewer, live, refreshes
    ):
        ends = viewer.screen.painter.curve_ends()
        say(live, block(1, "diverges", 60, 61))
        viewer.look()
        assert viewer.screen.painter.curve_ends() == ends, (
            "a step of this race is less than a dot of its pane"
        )
        assert refreshes == []
        viewer.look(4)
        assert refreshes

    def test_what_is_measured_beside_the_steps_waits_as_well(self, viewer, live, refreshes):
        say(
            live,
            FindingsUpdated(lane=1, at=1.0, step=60, findings=Findings(peak=2.0)),
            Evaluated(lane=1, at=1.0, epoch=3, step=60, loss=1.0, metrics={"val_loss": 123.0}),
        )
        viewer.look()
        assert refreshes == []
        viewer.look(4)
        assert refreshes

    def test_while_curves_hardly_grow_it_looks_half_as_often(self, viewer, live, monkeypatch):
        looks: list[int] = []
        tick = viewer.screen.tick
        monkeypatch.setattr(viewer.screen, "tick", lambda: (looks.append(1), tick()))
        for _ in range(10):
            viewer.do(viewer.screen.beat)
        assert len(looks) == 5
        looks.clear()
        for step in range(60, 160, 10):
            say(live, block(1, "diverges", step, step + 10))
            viewer.do(viewer.screen.beat)
        assert len(looks) >= 9

    def test_an_alert_is_seen_at_once(self, viewer, live, refreshes):
        say(live, Alerted(lane=1, at=1.0, step=60, kind="diverged", text="far above its start"))
        viewer.look()
        assert refreshes

    def test_the_first_picture_of_a_lane_gets_room_at_once(self, viewer, live):
        viewer.resize(200, 50)
        rows = viewer.text.count("▀▀")
        say(live, block(0, "steady", 60, 80), sample(0, 4, 80))
        viewer.look()
        assert viewer.text.count("▀▀") > rows


@pytest.fixture(scope="module")
def crowds(tmp_path_factory):
    """A finished run of so many lanes, made once each."""
    made: dict[int, Path] = {}

    def crowd(lanes: int) -> Path:
        if lanes not in made:
            kinds = tuple(KINDS[index % len(KINDS)] for index in range(lanes))
            made[lanes] = make_run(tmp_path_factory.mktemp(f"crowd{lanes}"), kinds)
        return made[lanes]

    return crowd


@pytest.mark.parametrize(
    ("width", "height", "lanes"),
    [
        (60, 16, 1),
        (60, 16, 64),
        (61, 17, 3),
        (80, 24, 4),
        (80, 24, 9),
        (100, 30, 16),
        (119, 40, 2),
        (120, 36, 5),
        (132, 43, 64),
        (200, 50, 8),
        (60, 90, 12),
        (300, 16, 10),
        (300, 90, 1),
        (300, 90, 64),
    ],
)
def test_every_size_shows_header_footer_and_all_panes(crowds, width, height, lanes):
    run = crowds(lanes)
    with Viewer(run.parent, run, (width, height)) as viewer:
        viewer.look()
        for pressed in ([], ["shift+tab"], ["enter"], ["enter", "o"]):
            viewer.press(*pressed)
            assert all(len(line) == width for line in viewer.lines)
            assert viewer.lines[0].startswith(" A fake race")
            assert "help" in viewer.lines[-1]
            assert "quit" in viewer.lines[-1]
            view = viewer.screen.view
            if view.panel in ("panes", "enlarged"):
                panes = arrange(
                    width,
                    height,
                    range(lanes),
                    view.selected if view.panel == "enlarged" else None,
                    view.selected,
                ).panes
                for index, pane in panes.items():
                    lane = viewer.screen.state.lanes[index].lane
                    assert viewer.lines[pane.y][pane.x + 1 :].startswith(
                        f"{lane.letter} {lane.name}"[: pane.width - 20]
                    )


@pytest.mark.parametrize(("width", "height"), [(59, 40), (120, 15), (20, 5)])
def test_below_the_least_size_one_line_asks_for_more_room(live, width, height):
    with Viewer(live.parent, live, (width, height)) as viewer:
        viewer.look()
        assert (
            viewer.lines[0].strip()
            == f"lrtui needs 60x16; this is {width}x{height}"[:width].strip()
        )
        assert "".join(viewer.lines[1:]).strip() == ""


def test_a_terminal_that_grows_and_shrinks_is_filled_each_time(viewer):
    for width, height in ((60, 16), (40, 10), (200, 50), (80, 24)):
        viewer.resize(width, height)
        assert len(viewer.lines) == height
        assert ("A steady" in viewer.text) == (width >= 60)


def test_a_run_that_cannot_be_opened_is_said_and_not_shown(tmp_path):
    (tmp_path / "run.db").write_bytes(
        b"this is no database at all, but long enough to look like one " * 20
    )
    with Viewer(tmp_path, tmp_path) as viewer:
        assert len(viewer.toasts) == 1
        assert "run.db" in viewer.toasts[0]
