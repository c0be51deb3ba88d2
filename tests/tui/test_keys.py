"""Every key does what its line in the help says: real presses, the help, the palette, one table
behind all of them."""

from __future__ import annotations

import inspect
import re

import pytest

from lrtui.tui.key_table import FINDER, HEADINGS, PICKER, RACE
from lrtui.tui.keymap import Keymap
from lrtui.tui.screens.finder import FinderScreen
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen
from support.fake_run import make_run
from support.viewer import Viewer

CALL = re.compile(r"(\w+)(?:\((.*)\))?$")
SCREENS = {RaceScreen: RACE, Picker: PICKER, FinderScreen: FINDER}
ALL = [(screen, key) for screen, table in SCREENS.items() for key in table]


class Done:
    """Something that need not be awaited, and can be."""

    def __await__(self):
        return True
        yield


@pytest.fixture
def viewer(tmp_path):
    run = make_run(tmp_path, ("steady", "paints", "explodes"), live=True, over=False)
    with Viewer(tmp_path, run, (100, 30)) as viewer:
        viewer.look()
        yield viewer


@pytest.fixture
def heard(viewer, monkeypatch):
    """The actions that keys ask for, in the place of their being done."""
    asked: list[str] = []

    def run_action(action, default_namespace=None, namespaces=None) -> Done:
        asked.append(action)
        return Done()

    monkeypatch.setattr(viewer.app, "run_action", run_action)
    return asked


@pytest.mark.parametrize(("screen", "key"), ALL, ids=[key.id for _, key in ALL])
def test_each_line_of_the_tables_names_something_that_its_screen_can_do(screen, key):
    name, given = CALL.match(key.action).groups()
    action = getattr(screen, f"action_{name}")
    assert inspect.signature(action).bind(None, *(eval(f"({given},)") if given else ()))
    assert key.name, "without a name it has none in the palette"


def test_each_key_of_the_race_reaches_what_the_table_says(viewer, heard):
    for key in RACE:
        for name in key.keys:
            viewer.press(name)
            assert heard == [key.action], name
            heard.clear()


def test_no_key_is_one_that_terminals_or_tmux_eat():
    taken = {name for table in SCREENS.values() for key in table for name in key.keys}
    assert not taken & {"f11", "ctrl+s", "ctrl+q", "ctrl+b", "ctrl+a", "ctrl+z", "ctrl+backslash"}


@pytest.mark.parametrize("table", SCREENS.values(), ids=["race", "picker", "finder"])
def test_no_key_has_two_meanings_and_no_name_is_given_twice(table):
    pressed = [name for key in table for name in key.keys]
    assert len(pressed) == len(set(pressed))
    assert len({key.name for key in table}) == len(table)
    assert len({key.id for key in table}) == len(table)


def test_the_palette_has_everything_that_keys_do(viewer, heard):
    commands = list(viewer.app.get_system_commands(viewer.screen))
    assert {key.name for key in RACE} <= {command.title for command in commands}
    by_name = {command.title: command for command in commands}
    for key in RACE:
        viewer.do(by_name[key.name].callback)
    assert heard == [key.action for key in RACE]


def test_the_help_has_every_line_under_a_heading(viewer):
    sections = Keymap().sections(RACE)
    assert [heading for heading, _ in sections] == list(HEADINGS.values())
    lines = [line for _, found in sections for line in found]
    assert lines == Keymap().help_lines(RACE)
    assert all(
        any(name in line for line in lines for name in (key.shown,)) for key in RACE if key.shown
    )


def test_footer_of_a_finished_race_omits_keys_for_live_lanes():
    there, over = (dict(Keymap().footer_words(RACE, over=over)) for over in (False, True))
    assert {word: key for key, word in there.items() if key not in over} == {
        "rate": "+",
        "pause": "Space",
        "stop": "x",
    }


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("overlay", "view.overlay"),
        ("samples", "view.filmstrip"),
        ("filmstrip", "view.filmstrip"),
        ("log:", "view.events"),
        ("console", "view.console"),
        ("filter:", "view.filter"),
        ("solo", "lane.solo"),
        ("differences", "view.differences"),
        ("crosshair:", "view.crosshair"),
        ("report", "race.write"),
        ("standings", "view.order"),
        ("default", "view.usual"),
    ],
)
def test_the_palette_knows_things_by_the_words_of_the_readme(word, wanted):
    assert wanted in [key.id for key in RACE if word in key.name.lower()]
