"""Filmstrip, log, console and the machine's rows, by keys: what stands there, how it scrolls, that
it moves only when it must."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.actions import parse
from textual.events import MouseScrollDown, MouseScrollUp

from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Ended,
    Evaluated,
    LogMessage,
    Rewound,
    Started,
    StatusChanged,
)
from lrtui.core.state.race_state import LOG_LINES
from lrtui.tui import view_state
from lrtui.tui.key_table import RACE, Key
from lrtui.tui.machine import Gpu
from lrtui.tui.screens.crosshair_actions import CrosshairActions
from lrtui.tui.screens.curve_actions import CurveActions
from lrtui.tui.screens.toaster import WARNING_S
from lrtui.tui.view import CURVES
from support.fake_run import at, make_run, sample, say, started
from support.viewer import StillMachine, Viewer


@pytest.fixture
def painters(tmp_path: Path) -> Path:
    """A run of four lanes that draw, after 0, 20, 40 and 60 steps."""
    return make_run(tmp_path, ("paints",) * 4, done=60, live=True)


@pytest.fixture
def viewer(live: Path):
    """Before the live run, at 80 x 24, everything drawn."""
    with Viewer(live.parent, live, (80, 24)) as found:
        found.look()
        yield found


@pytest.fixture
def refreshes(viewer, monkeypatch):
    """What is sent from now on."""
    found: list = []
    monkeypatch.setattr(viewer.frame, "refresh", lambda *regions, **_: found.extend(regions))
    return found


def panel(viewer: Viewer) -> list[str]:
    """The rows of the stage."""
    rect = viewer.screen.painter.layout.panel
    return [line[rect.x : rect.right].rstrip() for line in viewer.lines[rect.y : rect.bottom]]


def paint(run: Path, epoch: int) -> None:
    """All four lanes draw once more."""
    say(run, *[sample(lane, epoch, 20 * epoch) for lane in range(4)])


def notes(count: int) -> list[LogMessage]:
    """As many lines about the whole run."""
    return [LogMessage(lane=-1, at=at(number), text=f"note {number}") for number in range(count)]


def shared(trainers: int) -> list[Started]:
    """All three lanes have started, one after another in each of so many trainers."""
    return [
        msgspec.structs.replace(started(lane), role=f"trainer {lane % trainers}")
        for lane in range(3)
    ]


def read_log(viewer: Viewer, run: Path, *events: AnyEvent) -> None:
    """Opens the log after some events."""
    say(run, *events)
    viewer.look()
    viewer.press("L")


class TestFilmstrip:
    @pytest.fixture
    def film(self, painters):
        """Before the filmstrip of four lanes that draw, at 80 x 24."""
        with Viewer(painters.parent, painters, (80, 24)) as found:
            found.look()
            found.press("I")
            yield found

    def test_all_lanes_stand_side_by_side_at_the_same_step(self, film):
        assert panel(film)[0].startswith(" samples after 60 steps, 3 of 3 · the newest")
        assert [panel(film)[1][x : x + 9].strip(" ▶") for x in (0, 20, 40, 60)] == [
            "A paints",
            "B paints",
            "C paints",
            "D paints",
        ]
        assert panel(film)[2].count("ep 3 step 60") == 4
        assert sum(line.count("▀▀") for line in panel(film)) >= 4 * 4

    def test_arrows_go_from_sample_to_sample_and_it_follows_the_newest_again(self, film, painters):
        for pressed, words in (
            ("left", "after 40 steps, 2 of 3"),
            ("h", "after 20 steps, 1 of 3"),
            ("left", "1 of 3"),
            ("end", "3 of 3 · the newest"),
            ("home", "1 of 3"),
            ("l", "2 of 3"),
            ("pageup", "1 of 3"),
            ("pagedown", "3 of 3 · the newest"),
        ):
            film.press(pressed)
            assert words in panel(film)[0], pressed
        paint(painters, 4)
        film.look(20)
        assert "after 80 steps, 4 of 4 · the newest" in panel(film)[0]

    def test_scrubbed_back_it_stays_while_more_is_drawn(self, film, painters):
        film.press("left")
        paint(painters, 4)
        film.look(20)
        assert "after 40 steps, 2 of 4" in panel(film)[0]

    def test_a_rewind_forgets_what_came_after_it(self, film, painters):
        say(painters, *[Rewound(lane=lane, at=at(60), step=40, why="rewound") for lane in range(4)])
        film.look(20)
        assert "after 40 steps, 2 of 2 · the newest" in panel(film)[0]

    def test_where_there_is_room_the_best_stands_beside(self, painters):
        with Viewer(painters.parent, painters, (200, 50)) as viewer:
            viewer.look()
            viewer.press("I")
            assert "ep 3 step 60" in viewer.text
            assert viewer.text.count("its best 0.") == 4
            say(
                painters,
                Evaluated(lane=1, at=at(80), epoch=4, step=80, loss=9.0, metrics={"val_loss": 9.0}),
            )
            paint(painters, 4)
            viewer.look(20)
            assert "ep 4 step 80" in viewer.text
            assert viewer.text.count("best: ep 3") == 4

    def test_a_task_without_samples_is_told_how_to_have_some(self, tmp_path):
        run = make_run(tmp_path, ("steady", "diverges"), done=60, live=True)
        with Viewer(tmp_path, run, (80, 24)) as viewer:
            viewer.look()
            viewer.press("I")
            assert "This task draws no samples." in viewer.text
            assert "sample(model)" in viewer.text
            viewer.press("left", "home", "pageup")
            assert "This task draws no samples." in viewer.text

    def test_the_chosen_lane_is_in_sight_where_not_all_are(self, tmp_path):
        run = make_run(tmp_path, ("paints",) * 40, done=40, live=True)
        with Viewer(tmp_path, run, (60, 16)) as viewer:
            viewer.look()
            viewer.press("I", "shift+tab")
            assert "▶AN paints 40" in viewer.text
            assert "37 more: Tab" in panel(viewer)[0]

    def test_up_and_down_go_through_the_pictures_of_a_sample(self, film):
        film.press("down", "j", "down")
        assert "from picture 4 of 8 on" in panel(film)[0]
        film.press("up", "k", "up", "up")
        assert "from picture" not in panel(film)[0]
        film.press(*["down"] * 9)
        assert "from picture 8 of 8 on" in panel(film)[0]

    @pytest.mark.parametrize("back", ["I", "escape"])
    def test_the_same_key_and_escape_lead_back(self, viewer, back):
        before = viewer.text
        viewer.press("I")
        assert viewer.text != before
        viewer.press(back)
        assert viewer.text == before

    def test_it_is_drawn_again_only_when_something_else_is_to_be_seen(
        self, viewer, live, refreshes
    ):
        viewer.press("I")
        viewer.look(5)
        refreshes.clear()
        viewer.look(25)
        assert refreshes == []

    def test_new_pictures_are_shown_every_other_second_and_keys_at_once(
        self, film, painters, monkeypatch
    ):
        sent: list = []
        monkeypatch.setattr(film.frame, "refresh", lambda *regions, **_: sent.extend(regions))
        for epoch in range(4, 8):
            paint(painters, epoch)
            film.look()
        assert sent == []
        film.press("left")
        assert sent

    def test_where_no_lane_is_shown_it_says_so(self, viewer):
        viewer.press("I", "/", *"zzz", "enter")
        assert "No lane is shown." in viewer.text or "no lane matches" in viewer.text.lower()

    def test_panes_show_what_had_been_drawn_at_the_crosshair(self, painters):
        with Viewer(painters.parent, painters, (200, 50)) as viewer:
            viewer.look()
            shown = viewer.screen.view
            assert shown.pictures == {}
            shown.cursor = shown.x.value(viewer.screen.state.lanes[0], viewer.screen.state.race, 45)
            viewer.screen.redraw()
            assert {lane: found.step for lane, found in shown.pictures.items()} == dict.fromkeys(
                range(4), 40
            )
            shown.cursor = 3.0
            viewer.screen.redraw()
            assert set(shown.pictures.values()) == {None}
            shown.cursor = None
            viewer.screen.redraw()
            assert shown.pictures == {}


class TestLog:
    def test_every_line_stands_there_loud_ones_in_colour(self, viewer, live):
        read_log(viewer, live, Alerted(lane=1, at=at(50), step=50, kind="nan", text="loss is NaN"))
        assert panel(viewer)[0].startswith(" log ───")
        assert any(line.endswith("B nan: loss is NaN") for line in panel(viewer))
        assert any("A started on cpu, 200 steps" in line for line in panel(viewer))

    def test_it_scrolls_by_pages_and_lines_and_stays_where_it_was(self, viewer, live):
        read_log(viewer, live, *notes(100))
        rows = len(panel(viewer)) - 1
        assert panel(viewer)[-1].endswith("note 99")
        viewer.press("pageup")
        assert panel(viewer)[-1].endswith(f"note {99 - rows}")
        assert f"{rows} newer below: End" in panel(viewer)[0]
        say(live, LogMessage(lane=-1, at=at(101), text="a new one"))
        viewer.look()
        assert panel(viewer)[-1].endswith(f"note {99 - rows}")
        assert f"{rows + 1} newer below: End" in panel(viewer)[0]
        viewer.press("down")
        assert panel(viewer)[-1].endswith(f"note {100 - rows}")
        viewer.press("k", "k")
        assert panel(viewer)[-1].endswith(f"note {98 - rows}")
        viewer.press("end")
        assert panel(viewer)[-1].endswith("a new one")
        viewer.press("home")
        assert "started on cpu" in panel(viewer)[1]
        viewer.press("pagedown", "pageup")
        assert "started on cpu" in panel(viewer)[1]

    def test_the_oldest_lines_come_from_the_record(self, viewer, live):
        read_log(viewer, live, *notes(LOG_LINES + 200))
        viewer.press("home")
        assert "started on cpu" in panel(viewer)[1]
        assert any(line.endswith("note 1") for line in panel(viewer))
        assert len(viewer.screen.state.log) == LOG_LINES

    def test_only_lanes_that_are_shown_and_the_run_are_in_it(self, viewer, live):
        say(
            live,
            *[
                LogMessage(lane=lane, at=at(1), text=text)
                for lane, text in ((-1, "of the run"), (0, "of A"), (2, "of C"))
            ],
        )
        viewer.look()
        viewer.press("O", "L")
        assert "log of A and the run (2 lanes hidden)" in panel(viewer)[0]
        assert any(line.endswith("of the run") for line in panel(viewer))
        assert any(line.endswith("of A") for line in panel(viewer))
        assert not any(line.endswith("of C") for line in panel(viewer))

    def test_text_of_an_event_is_no_markup_and_no_order(self, viewer, live):
        read_log(
            viewer,
            live,
            LogMessage(lane=0, at=at(1), text="[bold]x[/bold] \x1b[31mred\x1b]0;owned\x07"),
        )
        assert any(line.endswith("[bold]x[/bold] red") for line in panel(viewer))

    def test_the_wheel_scrolls_the_lines_under_it(self, viewer, live):
        read_log(viewer, live, *notes(100))
        for turned, y, last in (
            (MouseScrollUp, 5, 96),
            (MouseScrollUp, 22, 96),
            (MouseScrollDown, 5, 99),
        ):
            event = turned(None, 10, y, 0, 0, 0, False, False, False, 10, y)
            viewer.do(lambda event=event: viewer.app.post_message(event))
            viewer.settle()
            assert panel(viewer)[-1].endswith(f"note {last}")


class TestConsole:
    def test_it_shows_what_the_chosen_lanes_task_printed(self, viewer, live):
        (live / "trainer-0.log").write_text("epoch 1\n 10%\r 90%\r100%\nwarning: odd\n")
        (live / "trainer-1.log").write_text("another one\n")
        say(live, *shared(2))
        viewer.look()
        viewer.press("w")
        assert panel(viewer)[0].startswith(
            " console of A steady ─ trainer-0.log, shared with C: they take turns"
        )
        assert panel(viewer)[1:4] == [" epoch 1", " 100%", " warning: odd"]
        viewer.press("tab")
        assert panel(viewer)[1:3] == [" another one", ""]

    def test_it_goes_along_with_what_is_printed_once_a_second(self, viewer, live, refreshes):
        say(live, *shared(1))
        viewer.press("w")
        viewer.look(11)
        refreshes.clear()
        (live / "trainer-0.log").write_text("".join(f"line {number}\n" for number in range(50)))
        viewer.look(10)
        assert len({region.y for region in refreshes}) == len(panel(viewer)) - 1
        refreshes.clear()
        viewer.look(30)
        assert refreshes == []

    def test_it_scrolls_and_stays_while_more_is_printed(self, viewer, live):
        log = live / "trainer-0.log"
        log.write_text("".join(f"line {number}\n" for number in range(100)))
        say(live, msgspec.structs.replace(started(0), role="trainer 0"))
        viewer.look()
        viewer.press("w", "pageup")
        last = panel(viewer)[-1]
        assert last == f" line {99 - (len(panel(viewer)) - 1)}"
        log.write_text("".join(f"line {number}\n" for number in range(150)))
        viewer.look(11)
        assert panel(viewer)[-1] == last
        viewer.press("home")
        assert panel(viewer)[1] == " line 0"
        viewer.press("end")
        assert panel(viewer)[-1] == " line 149"


class TestMachine:
    class WithGpus(StillMachine):
        gpus = (0, 1)

        def readings(self) -> tuple[Gpu, ...]:
            return Gpu(0, 93.0, 10.2e9, 80e9, 285.0, 61.0), Gpu(1, 40.0, 5e9, 80e9, 120.0, 48.0)

    def test_b_goes_through_the_time_bases(self, live):
        with Viewer(live.parent, live, (120, 30)) as viewer:
            viewer.look()
            for base in ("1 min", "5 min", "30 min", "1 min"):
                assert f"bars: {base}" in viewer.lines[-2]
                viewer.press("B")

    def test_on_a_large_screen_each_gpu_has_a_row_until_the_race_is_over(self, live):
        with Viewer(live.parent, live, (200, 50), machine=self.WithGpus) as viewer:
            viewer.look(2)
            assert viewer.screen.painter.layout.machine.height == 3
            assert viewer.lines[-3].strip().startswith("gpu 0 93 % ")
            assert viewer.lines[-2].strip().endswith("5.0/80 GB 120 W 48C")
            viewer.press("1", "=", "escape")
            say(
                live, *[Ended(lane=lane, at=at(60), step=60, reason="stopped") for lane in range(3)]
            )
            viewer.look(2)
            assert viewer.screen.painter.layout.machine.height == 1
            assert "gpu 0" not in viewer.text
        with Viewer(live.parent, live, (80, 24)) as viewer:
            assert viewer.screen.painter.layout.machine.height == 1

    def test_a_paused_race_shows_no_figures_of_the_machine(self, viewer, live):
        assert "cpu 12 % of 2" in viewer.text
        say(
            live, *(StatusChanged(lane=lane, at=1.0, step=60, status="paused") for lane in range(3))
        )
        viewer.look(6)
        assert "cpu 12 % of 2" not in viewer.text
        assert "cpu · 1 thread a lane" in viewer.lines[-2]

    def test_the_large_view_says_what_a_lane_costs(self, live):
        say(live, *shared(2))
        with Viewer(live.parent, live, (120, 40)) as viewer:
            viewer.look(3)
            viewer.press("enter")
            assert "memory 312 MB ÷ 2 lanes, 25% of the training time" in viewer.text
            viewer.press("tab")
            assert "memory 298 MB, 50% of the training time" in viewer.text


@pytest.mark.parametrize(
    ("width", "height"), [(60, 16), (80, 24), (119, 40), (200, 50), (300, 90), (60, 90), (300, 16)]
)
@pytest.mark.parametrize("key", ["I", "L", "w"])
def test_every_size_is_filled_to_its_edges(over, width, height, key):
    with Viewer(over.parent, over, (width, height)) as viewer:
        viewer.look()
        viewer.press(key)
        for pressed in ("pageup", "tab", "end"):
            viewer.press(pressed)
            assert all(len(line) == width for line in viewer.lines)
            assert viewer.lines[0].startswith(" A fake race")
            assert "quit" in viewer.lines[-1]
            assert panel(viewer)[0].strip()


class TestWhereItLeadsBackTo:
    @pytest.mark.parametrize("charts", [(), ("enter",), ("o",)])
    @pytest.mark.parametrize("looked_at", ["I", "L", "w", "d"])
    def test_what_was_there_before_by_the_same_key_or_escape(self, viewer, charts, looked_at):
        viewer.press(*charts)
        before = panel(viewer)
        for back in (looked_at, "escape"):
            viewer.press(looked_at)
            assert panel(viewer) != before
            viewer.press(
                "L" if looked_at != "L" else "d",
                back if back == "escape" else "escape",
                looked_at,
                back,
            )
            assert panel(viewer) == before
        viewer.press("escape")
        assert viewer.screen.view.panel == "panes"

    def test_from_one_chart_to_the_panes_by_its_own_key(self, viewer):
        for key in ("o", "enter"):
            viewer.press(key, key)
            assert viewer.screen.view.panel == "panes"

    def test_who_leaves_in_the_log_finds_the_chart_again(self, viewer):
        viewer.press("o", "L")
        assert view_state.stored(viewer.screen.view)["stage"] == "overlay"


def is_about_curves(viewer: Viewer, key: Key) -> bool:
    """True if a key belongs to a controller of the curves."""
    _, (name, *_) = parse(key.action)[1:]
    return isinstance(
        getattr(viewer.screen._actions[name], "__self__", None), CurveActions | CrosshairActions
    )


class TestKeysAboutCurves:
    @pytest.mark.parametrize(("looked_at", "every"), [("L", 1), *((other, 9) for other in "Iwd")])
    def test_they_change_nothing_that_cannot_be_seen_and_say_so(self, viewer, looked_at, every):
        viewer.press(looked_at)
        before = {name: getattr(viewer.screen.view, name) for name in CURVES}
        pressed = [key for key in RACE if is_about_curves(viewer, key)][::every]
        for key in pressed:
            viewer.clock.now += WARNING_S
            viewer.toasts.clear()
            viewer.press(key.keys[0])
            assert viewer.toasts == ["this acts on the curves: Esc shows them"], key.id
        assert {name: getattr(viewer.screen.view, name) for name in CURVES} == before
        assert len(pressed) >= 3

    def test_where_curves_are_shown_they_do_what_they_do(self, viewer):
        viewer.press("L", "escape", "s")
        assert viewer.screen.view.smoothing == 0.6
        assert viewer.toasts == []
