"""Sentences name the keys that a person has: real screens with other keys, and no key by its usual
name in the sources."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.content import Content

from lrtui.core.protocol.events import Rewound
from lrtui.terminal.settings import Settings
from lrtui.tui import key_names
from lrtui.tui.key_legend import LEGEND
from lrtui.tui.key_table import FINDER, PICKER, RACE
from lrtui.tui.keymap import Keymap, faults
from support.fake_run import at, make_run, say, without_supervisor
from support.viewer import Viewer

pytestmark = pytest.mark.usefixtures("_usual_look")
OWN = {
    "lane.left": ("ctrl+left",),
    "lane.right": ("ctrl+right",),
    "lane.up": ("K",),
    "lane.down": ("J", "down"),
    "lane.next": ("f2",),
    "lane.previous": ("f3",),
    "race.all": ("f4",),
    "race.resume": ("f5",),
    "lane.schedule": ("ctrl+z",),
    "lane.pause": ("f10",),
    "lane.stop": ("[",),
    "lane.explain": ("f9",),
    "lane.fork": ("Y",),
    "lane.rewind": ("H",),
    "lane.restart": ("]",),
    "view.back": ("Q",),
    "view.filter": ("\\",),
    "view.order": ("f11",),
    "view.page_up": ("f6",),
    "view.page_down": ("f7",),
    "view.newest": ("f8",),
    "view.zoom_in": ("x",),
    "view.pan_left": ("{",),
    "view.pan_right": ("}",),
    "view.follow": ("f",),
    "view.crosshair": ("ctrl+k",),
    "cursor.left": ("alt+left",),
    "cursor.right": ("alt+right",),
}


def viewer_of(run: Path, size: tuple[int, int] = (100, 30)) -> Viewer:
    return Viewer(run.parent, run, size, wanted=Settings(keys=OWN))


@pytest.fixture
def viewer(live: Path) -> Iterator[Viewer]:
    """Before three lanes that live, with other keys."""
    with viewer_of(live) as found:
        found.look()
        yield found


def test_nothing_is_wrong_with_these_keys():
    assert faults(OWN) == {}


class TestSentences:
    def test_where_the_filter_hides_every_lane(self, viewer):
        viewer.press("backslash", *"zzz", "enter")
        assert "\\ changes the filter, Q shows all lanes again" in viewer.text
        assert "no lane matches; Q shows all" in viewer.text
        viewer.press("f10")
        assert viewer.toasts == ["no lane is shown: Q shows all"]
        viewer.press("Q")
        assert "No lane matches" not in viewer.text

    def test_where_a_key_needs_another_one_first(self, viewer):
        viewer.press("alt+left", "left_curly_bracket", "f")
        assert viewer.toasts == [
            "there is no crosshair: Ctrl+K shows it",
            "everything is in sight: x zooms in, then { and } move",
            "everything is in sight: x zooms in, then f follows the newest step",
        ]

    def test_in_forms(self, viewer):
        viewer.press("equals_sign")
        assert "in proportion; Ctrl+Z goes back to it." in viewer.text
        viewer.press("escape", "C")
        assert "F10 resumes a lane." in viewer.text
        viewer.press("escape", "e", "enter")
        assert "Y forks the lane as it is" in viewer.text

    def test_in_help_and_footer(self, viewer):
        viewer.press("f4")
        assert "F4 ALL LANES" in viewer.lines[-1]
        lines = [words for _, words in Keymap(OWN).help_lines(RACE)]
        assert {
            "Dial, F10 and [ for all living lanes, or for one again",
            "Choose the next lane; F3 the one before",
            "What all lanes drew at the same step; Ctrl+←→ go through time",
            "Values of all lanes at one step; Ctrl+←→ move it, Alt+←→ a tenth",
        } <= set(lines)
        viewer.resize(200, 150)
        viewer.press("question_mark")
        assert "Dial, F10 and [ for all living lanes" in viewer.text
        assert "(F11: its best one" in viewer.text
        assert "{lane" not in viewer.text
        assert "{view" not in viewer.text

    def test_in_the_stages(self, tmp_path):
        run = make_run(tmp_path, ("paints",) * 40, done=40, live=True)
        say(
            run,
            *[
                Rewound(lane=0, at=at(40 + number), step=20, why=f"line {number}")
                for number in range(40)
            ],
        )
        with viewer_of(run, (100, 18)) as viewer:
            viewer.look()
            viewer.press("I")
            assert "more: F2  Ctrl+←→ scrub  K J other pictures" in viewer.text
            viewer.press("L", "f6", "f6")
            assert "newer below: F8" in viewer.text
            viewer.press("d")
            assert "more below · F6 F7 scroll" in viewer.text

    def test_of_a_lane_that_has_ended(self, tmp_path):
        run = make_run(tmp_path, ("explodes", "steady"), done=60, live=True)
        with viewer_of(run) as viewer:
            viewer.look()
            viewer.press("plus")
            assert viewer.toasts == ["A has ended: H rewinds, ] restarts, Y forks"]

    def test_of_a_race_that_was_interrupted(self, tmp_path):
        run = without_supervisor(
            make_run(tmp_path, ("steady", "paints"), done=60, live=True, over=False)
        )
        with viewer_of(run) as viewer:
            viewer.screen.follower._looked = -math.inf
            viewer.look(2)
            assert "F5 resumes" in viewer.lines[0]
            viewer.press("plus")
            assert viewer.toasts == ["the race was interrupted: F5 goes on with it"]

    def test_where_what_is_said_of_a_race_is_cut(self, tmp_path):
        with viewer_of(
            make_run(tmp_path, ("steady", "explodes", "diverges", "paints")), (60, 20)
        ) as viewer:
            viewer.look()
            assert "F9: all of it" in viewer.text


class TestReading:
    @pytest.mark.parametrize(
        ("names", "shown"),
        [
            (("view.back",), "Esc"),
            (("race.resume",), "Ctrl+R"),
            (("lane.left", "lane.right"), "←→"),
            (("view.filter",), "/"),
            (("cursor.left", "cursor.right"), "Shift+←→"),
            (("view.page_up", "view.page_down"), "PgUp PgDn"),
            (("lane.pause", "lane.stop"), "Space x"),
            (("lane.left", "cursor.right"), "← Shift+→"),
        ],
    )
    def test_the_first_key_of_each_id_arrows_in_one(self, names, shown):
        assert Keymap().read(*names) == shown

    def test_a_persons_own_first_key(self):
        assert Keymap({"view.back": ("f7", "escape")}).read("view.back") == "F7"

    def test_an_id_that_there_is_not(self):
        with pytest.raises(KeyError):
            Keymap().read("view.nothing")

    def test_the_name_of_a_key_in_the_palette_names_no_other(self):
        assert [key.id for key in KEYS if "{" in key.name] == []

    def test_the_palette_takes_no_key_for_markup(self, viewer):
        viewer.app.keys = Keymap({"view.pan_left": ("[", "m", "]")})
        helps = {
            command.title: command.help for command in viewer.app.get_system_commands(viewer.screen)
        }
        assert Content.from_markup(helps["Move the zoomed part to the left"]).plain == "key [ m ]"


SOURCES = sorted(Path(key_names.__file__).parent.rglob("*.py"))
KEYS = [key for table in (RACE, PICKER, FINDER) for key in table]
_USUAL = sorted({key_names.read(name) for key in KEYS for name in key.keys})
_WORDS = "|".join(
    re.escape(shown) for shown in reversed(_USUAL) if len(shown) > 1 and shown[-1] not in "←→↑↓"
)
_SIGNS = re.escape(
    "".join(shown for shown in _USUAL if len(shown) == 1 and (shown.isalpha() or shown in "0/[]"))
)
_BEGINS = r"(?:^ *|[;:,.] *|\b(?:then|and) )"
NAMED = re.compile(
    rf"\b(?:{_WORDS})(?!\w)|[←→↑↓]:? [a-z]|{_BEGINS}(?![aA])[{_SIGNS}]:?"
    rf" (?!axis)[a-z]|\([{_SIGNS}]\)"
)
"""A key by its usual name in a sentence: "Esc shows all", "←→ scrub"; one sign only where it begins
what it does ("; r rewinds"), for else it is a sign, a lane, an axis or an article."""
FIXED = {
    "…   Enter keeps it, Esc clears it",
    "Tab: next line   ",
    "↑↓: choose   ",
    "Enter: do it   ……Esc: back",
    "Esc shows all",
    "↑↓ PgUp PgDn scroll, any other key closes",
    "↑↓ PgUp PgDn, Tab manual, any other key closes",
    "n N next, previous   Esc ends the search",
    "Tab next page   ↑↓ PgUp PgDn   / search   Esc back",
}
"""What dialogs say of keys that nobody can change."""


def sentences(source: Path) -> Iterator[str]:
    """The texts of a file, docstrings left out; what is put into them is "…"."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            left_out |= {id(part) for part in node.values}
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "…" for part in node.values
            )
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in left_out
        ):
            yield node.value


def test_no_sentence_names_a_key_by_its_usual_name():
    tables = [text for key in KEYS for text in (key.help, key.footer, key.palette)] + list(
        LEGEND.values()
    )
    found = [
        (source.name, text)
        for source in SOURCES
        if source.name not in ("key_table.py", "key_legend.py", "key_names.py", "keymap.py")
        for text in sentences(source)
        if NAMED.search(text) and text not in FIXED and " " in text.strip()
    ]
    assert found + [("key_table.py", text) for text in tables if NAMED.search(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "no lane matches; Esc shows all",
        "/ changes the filter",
        "… · Ctrl+R resumes",
        "←→ scrub",
        "  i: all of it",
        "f forks the lane",
        "… has ended: r rewinds, R restarts",
        "in proportion; 0 goes back to it.",
        "zooms in, then [ and ] move",
        "go by (v): the best",
        " … newer below: End ",
        "… more: Tab",
        "Best first: …. Space resumes a lane.",
    ],
)
def test_it_would_be_found(text):
    assert NAMED.search(text)


def test_every_id_that_a_sentence_names_is_in_the_tables():
    named = [
        part.value
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in ("read", "pressed")
        for part in node.args
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    assert len(named) > 30
    assert set(named) <= {key.id for key in KEYS}
