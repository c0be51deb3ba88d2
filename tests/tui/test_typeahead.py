"""Keys that come in one piece: each reaches the screen that is in front when those before it have
been handled."""

from __future__ import annotations

import pytest

from lrtui.core.protocol.commands import Pause, SetRate, Stop
from lrtui.tui.screens.dialogs import ChoiceDialog, FilterBar, FormDialog
from lrtui.tui.screens.explain import Explain
from lrtui.tui.screens.finder import FinderScreen
from lrtui.tui.screens.help import Help
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen
from support.fake_run import commands, make_run
from support.fake_sweep import FakeLauncher
from support.viewer import Viewer


@pytest.fixture
def live(tmp_path):
    return make_run(tmp_path, ("steady", "explodes", "steady"), done=30, live=True)


@pytest.fixture
def viewer(tmp_path, live):
    with Viewer(tmp_path, live, (100, 30)) as viewer:
        viewer.look()
        yield viewer


@pytest.mark.parametrize(
    ("keys", "front"),
    [
        ("?x", RaceScreen),
        ("?xq", ChoiceDialog),
        ("??", RaceScreen),
        ("???", Help),
        ("ii?", Help),
        ("i?", RaceScreen),
        ("i?i", Explain),
        ("qb?", Help),
        ("qq", ChoiceDialog),
        ("=3\x1b?", Help),
        ("/a\r?", Help),
        ("/a\x1bq", ChoiceDialog),
        ("=\x1b/", FilterBar),
        ("?x=", FormDialog),
        ("f\x1bi", Explain),
        ("?x?x?x?x?x?x?", Help),
        ("xn?", Help),
        ("n", Picker),
        ("n?", Help),
        ("n?x", Picker),
    ],
)
def test_the_screen_in_front_is_the_one_that_the_keys_lead_to(viewer, keys, front):
    viewer.burst(keys)
    assert type(viewer.screen) is front
    assert not viewer.has_left


@pytest.mark.parametrize("keys", ["?xql", "qbql", "i\x1bql", "=\x1bql", "/steady\rql"])
def test_a_dialog_that_closes_takes_no_key_with_it(viewer, keys):
    viewer.burst(keys)
    assert viewer.has_left


def test_help_and_leaving_a_finished_race_in_one_piece(tmp_path):
    run = make_run(tmp_path, ("steady",))
    with Viewer(tmp_path, run, (100, 30)) as viewer:
        viewer.look()
        viewer.burst("?xq")
        assert viewer.has_left


def test_commands_are_given_in_the_order_in_which_they_were_typed(viewer, live):
    viewer.burst("=0.25\r2 xy1=3e-2\r?q ")
    assert commands(live) == [
        SetRate(lane=0, rate=0.25),
        Pause(lane=1),
        Stop(lane=1),
        SetRate(lane=0, rate=0.03),
        Pause(lane=0),
    ]


def test_what_is_pasted_many_keys_long_is_typed_whole(viewer):
    words = "explodes lr>=1e-9 " * 20
    viewer.burst("/" + words)
    assert viewer.screen.query_one("Input").value == words


def test_from_one_race_over_the_picker_to_another(tmp_path, live, monkeypatch):
    monkeypatch.setattr("lrtui.tui.screens.picker.Launcher", FakeLauncher.fresh())
    make_run(tmp_path, ("paints",), title="Another one").rename(
        tmp_path / "another-20250615-120000-abcd"
    )
    with Viewer(tmp_path, live, (100, 30)) as viewer:
        viewer.look()
        viewer.burst("nanother\r?xi")
        assert type(viewer.screen) is Explain
        races = [
            screen.state.race
            for screen in viewer.app.screen_stack
            if isinstance(screen, RaceScreen)
        ]
        assert [race.title for race in races] == ["Another one"]


def test_the_finder_over_a_race_and_back(tmp_path, live, monkeypatch):
    monkeypatch.setattr("lrtui.client.lr_finder.Launcher", FakeLauncher.fresh())
    with Viewer(tmp_path, live, (100, 30)) as viewer:
        viewer.look()
        viewer.keys("ctrl+f", "?", "x", "?")
        assert [type(screen) for screen in viewer.app.screen_stack[-2:]] == [FinderScreen, Help]
        viewer.keys("x", "escape", "?", "x", "q")
        assert type(viewer.screen) is ChoiceDialog
