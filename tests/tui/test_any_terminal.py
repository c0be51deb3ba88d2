"""The screens on terminals that have less: without colours there is no colour, in ASCII nothing
else, and keys are one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.app import App

from lrtui.terminal import settings
from lrtui.terminal.palette import THEMES
from lrtui.terminal.settings import Settings
from lrtui.tui import view_state
from lrtui.tui.key_table import FINDER, PICKER, RACE, Key
from lrtui.tui.keymap import Keymap, faults
from lrtui.tui.render.glyphs import CONSOLE
from lrtui.tui.tiers import Look
from lrtui.tui.view import RaceView
from support.fake_run import commands, make_run
from support.viewer import Viewer

pytestmark = pytest.mark.usefixtures("_usual_look")

STAGES = ("panes", "enlarged", "overlay", "filmstrip", "differences", "log", "console")
NAMES = ("日本 steady", "Zürich", "🚀")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A live run with lanes that have names in other scripts, pictures, an alert."""
    lanes = [{"name": name, "lr": 0.1} for name in NAMES]
    return make_run(
        tmp_path,
        ("steady", "explodes", "paints"),
        done=60,
        live=True,
        title="Rennen für 日本",
        lane=lanes,
    )


def segments(viewer: Viewer) -> Iterator[Segment]:
    """All that is on the screen, dialogs and toasts included."""
    for strip in viewer.screen._compositor.render_strips(viewer.screen.size):
        yield from strip


def screens(viewer: Viewer) -> Iterator[str]:
    """Goes through all that there is to see of a race."""
    viewer.look(30)
    for panel in STAGES:
        viewer.screen.view.panel = panel  # type: ignore[attr-defined]
        viewer.screen.redraw()  # type: ignore[attr-defined]
        viewer.settle()
        yield panel
    for key in ("question_mark", "f", "x", "q", "i", "ctrl+p"):
        viewer.press(key)
        yield key
        viewer.press("escape")
    App.notify(viewer.app, "für 日本 …", title="alert ✗", severity="error", markup=False)
    viewer.settle()
    viewer.settle()
    yield "toast"


@pytest.mark.parametrize("colors", ["none", "16"])
def test_in_ascii_nothing_else_reaches_the_terminal(run: Path, colors: str) -> None:
    with Viewer(run.parent, run, look=Look(colors, glyphs="ascii")) as viewer:  # type: ignore[arg-type]
        seen = set()
        for place in screens(viewer):
            text = "".join(segment.text for segment in segments(viewer))
            assert text.isascii(), (place, {sign for sign in text if not sign.isascii()})
            seen |= set(text.split())
        assert {"????", "Zurich"} <= seen  # the toast and the names of lanes


def test_on_a_console_nothing_is_drawn_that_its_font_has_not(run: Path) -> None:
    with Viewer(run.parent, run, look=Look("16", glyphs="halves")) as viewer:
        for place in screens(viewer):
            text = "".join(segment.text for segment in segments(viewer))
            assert {sign for sign in text if not sign.isascii() and sign not in CONSOLE} == set(), (
                place
            )


def test_without_colours_there_is_no_colour_and_what_stands_out_still_does(run: Path) -> None:
    with Viewer(run.parent, run, look=Look("none")) as viewer:
        for place in screens(viewer):
            looks = [segment.style for segment in segments(viewer) if segment.style is not None]
            assert all(look.color is None and look.bgcolor is None for look in looks), place
            # the title, the chosen lane, a button, a cursor
            assert any(look.reverse for look in looks), place


@pytest.mark.parametrize("look", [Look("none", glyphs="ascii"), Look("16", "light", "halves")])
def test_the_picker_too(tmp_path: Path, look: Look) -> None:
    with Viewer(tmp_path, look=look) as viewer:
        viewer.until(lambda: "lr-dial" in viewer.text, "the list")
        selected = next(one for one in segments(viewer) if "lr-dial" in one.text)
        assert selected.style is not None
        assert selected.style.reverse or (
            selected.style.bgcolor is not None and not selected.style.bgcolor.is_default
        )
        for key in ("down", "question_mark", "escape"):
            viewer.press(key)
            found = list(segments(viewer))
            if look.glyphs == "ascii":
                assert "".join(one.text for one in found).isascii()
            if look.colors == "none":
                assert all(
                    one.style is None or (one.style.color is None and one.style.bgcolor is None)
                    for one in found
                )


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colors", ["truecolor", "256", "16"])
def test_the_background_stays_the_terminals_own(run: Path, colors: str, theme: str) -> None:
    with Viewer(run.parent, run, look=Look(colors, theme)) as viewer:  # type: ignore[arg-type]
        viewer.look(10)
        plain = [
            one.style
            for one in segments(viewer)
            if one.text.isspace() and one.style is not None and not one.style.reverse
        ]
        assert any(look.bgcolor is None or look.bgcolor.is_default for look in plain)
        viewer.press("question_mark")
        corner = next(iter(viewer.screen._compositor.render_strips(viewer.screen.size)[4]))
        assert (
            corner.style is None or corner.style.bgcolor is None or corner.style.bgcolor.is_default
        )


def test_the_next_theme_is_drawn_at_once_and_kept(run: Path) -> None:
    with Viewer(run.parent, run) as viewer:
        viewer.look(10)
        before = {
            one.style.color.name
            for one in segments(viewer)
            if one.style is not None and one.style.color is not None
        }
        command = next(
            one
            for one in viewer.app.get_system_commands(viewer.screen)
            if one.title == "Theme: next"
        )
        command.callback()
        viewer.settle()
        after = {
            one.style.color.name
            for one in segments(viewer)
            if one.style is not None and one.style.color is not None
        }
        assert viewer.app.look.theme == "light"
        assert before != after
        assert "color(94)" in after
        assert viewer.app.theme == "textual-light"
    assert settings.load()[0].theme == "light"


def test_what_is_wrong_with_the_settings_is_said_on_the_screen(run: Path) -> None:
    with Viewer(run.parent, run, faults=["settings.toml:1: fps: expected [bold]"]) as viewer:
        assert viewer.toasts == ["settings.toml:1: fps: expected [bold]"]


def test_no_bell_for_who_wants_none(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[object] = []
    monkeypatch.setattr(App, "bell", lambda app: rung.append(app))
    for bell in (True, False):
        with Viewer(run.parent, run, wanted=Settings(bell=bell)) as viewer:
            type(viewer.app).bell(viewer.app)
    assert len(rung) == 1


class TestOwnKeys:
    OWN = {"lane.pause": ("f5", "ctrl+y"), "app.help": ("f6",), "lane.fork": ("question_mark",)}  # noqa: RUF012

    def test_they_work_and_the_old_ones_do_not(self, live: Path) -> None:
        assert faults(self.OWN) == {}
        with Viewer(live.parent, live, wanted=Settings(keys=self.OWN)) as viewer:
            viewer.press("space")
            assert commands(live) == []
            viewer.press("f5")
            assert [type(command).__name__ for command in commands(live)] == ["Pause"]
            viewer.press("question_mark")
            assert type(viewer.screen).__name__ == "FormDialog"
            viewer.press("escape", "f6")
            assert type(viewer.screen).__name__ == "Help"

    def test_help_footer_and_palette_show_them(self, live: Path) -> None:
        with Viewer(live.parent, live, (160, 40), wanted=Settings(keys=self.OWN)) as viewer:
            assert "F5 pause" in viewer.lines[-1]
            assert "Space" not in viewer.lines[-1]
            said = {
                command.title: command.help
                for command in viewer.app.get_system_commands(viewer.screen)
            }
            assert said["Pause or resume the chosen lane"] == "key F5 Ctrl+Y"
            viewer.press("f6")
            assert "F5 Ctrl+Y" in viewer.text

    def test_a_line_of_the_help_that_stands_for_several_names_all_their_keys(self) -> None:
        own = Keymap({"lane.down": ("f7",)}).help_lines(RACE)
        assert ("← h F7 ↑ k → l", "Choose the lane beside, below, above") in own
        assert ("←↓↑→ hjkl", "Choose the lane beside, below, above") in Keymap().help_lines(RACE)

    def test_keys_may_be_exchanged(self) -> None:
        assert faults({"lane.stop": ("r",), "lane.rewind": ("x",)}) == {}
        assert list(faults({"lane.stop": ("f5",), "lane.rewind": ("f5",)})) == ["lane.rewind"]

    @pytest.mark.parametrize("table", [RACE, PICKER, FINDER])
    def test_every_id_can_have_another_key(self, table: tuple[Key, ...]) -> None:
        for key in table:
            assert faults({key.id: ("f12",)}) == {}

    @pytest.mark.parametrize("table", [RACE, PICKER, FINDER])
    def test_no_two_ids_of_a_screen_have_the_same_key(self, table: tuple[Key, ...]) -> None:
        every = [name for key in table for name in key.keys]
        assert len(every) == len(set(every))


class TestTheView:
    def test_it_is_as_it_was_left_when_a_race_of_that_scenario_is_shown_again(
        self, live: Path
    ) -> None:
        with Viewer(live.parent, live) as viewer:
            viewer.press("o", "y")
            viewer.press("q", "l")
        with Viewer(live.parent, live) as viewer:
            assert viewer.screen.view.panel == "overlay"  # type: ignore[attr-defined]
            assert not viewer.screen.view.y_log  # type: ignore[attr-defined]
            assert viewer.toasts == []

    def test_a_quantity_that_this_race_has_not_breaks_nothing(self, live: Path) -> None:
        view = RaceView()
        view.quantity, view.x_kind = "accuracy", "wall"
        view_state.keep(view, "fake")
        with Viewer(live.parent, live) as viewer:
            viewer.look(10)
            for panel in STAGES:
                viewer.screen.view.panel = panel  # type: ignore[attr-defined]
                viewer.do(viewer.screen.redraw)  # type: ignore[attr-defined]
            viewer.press("escape", "m")
            assert viewer.screen.view.quantity != "accuracy"  # type: ignore[attr-defined]

    def test_a_broken_file_is_said_once(self, live: Path) -> None:
        view_state.path().parent.mkdir(parents=True)
        view_state.path().write_text("{")
        with Viewer(live.parent, live) as viewer:
            assert len(viewer.toasts) == 1
            assert "axes and layout begin as usual" in viewer.toasts[0]


def test_frames_come_as_often_as_is_wanted(run: Path) -> None:
    for fps in (1, 30):
        with Viewer(run.parent, run, look=Look(fps=fps)) as viewer:
            screen = viewer.screen
            policy = screen.policy  # type: ignore[attr-defined]
            assert policy.slowdown == 10 / fps
            figures = [
                poll for poll in range(1, 61) if setattr(policy, "polls", poll) or policy.every(5)
            ]
            assert len(figures) == (60 if fps == 1 else 4)


def test_whoever_wants_few_looks_has_them_though_nothing_moves(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fps, expected in ((2, 12), (10, 6), (30, 6)):
        with Viewer(run.parent, run, look=Look(fps=fps)) as viewer:
            viewer.look()
            screen, looks = viewer.screen, list[int]()
            monkeypatch.setattr(screen, "tick", lambda looks=looks: looks.append(1))
            screen.policy.parts(news=False, moved=False, behind=False, resting=False)  # type: ignore[attr-defined]
            for _ in range(12):
                screen.beat()  # type: ignore[attr-defined]
            assert len(looks) == expected


def test_overlay_without_colours_has_line_styles_shown_in_the_legend(run: Path) -> None:
    with Viewer(run.parent, run, (100, 30), look=Look("none")) as viewer:
        viewer.look(10)
        viewer.press("o")
        legend = next(line for line in viewer.lines if "C 🚀" in line)
        pieces = [
            "".join(sign for sign in part if 0x2800 <= ord(sign) < 0x2900)
            for part in re.split(r" [ABC] ", legend)[:3]
        ]
        assert all(pieces)
        assert len(set(pieces)) == 3
    with Viewer(run.parent, run, (100, 30), look=Look("256")) as viewer:
        viewer.look(10)
        viewer.press("o")
        legend = next(line for line in viewer.lines if "C 🚀" in line)
        assert not any(0x2800 <= ord(sign) < 0x2900 for sign in legend)
