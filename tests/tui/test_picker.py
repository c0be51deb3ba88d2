"""The picker: what it lists, what typing and arrows do, and what Enter starts. The supervisor is a
pretended one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.widgets import Input

from lrtui.core.errors import LaunchError, LrtuiError, ScenarioError
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.terminal.settings import Settings
from lrtui.tui.key_table import PICKER
from lrtui.tui.keymap import Keymap, faults
from lrtui.tui.screens.dialogs import FormDialog
from lrtui.tui.screens.help import Help
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.race import RaceScreen
from support.fake_run import make_run, without_supervisor
from support.viewer import Viewer
from support.waiting import PATIENCE_S

NAMES = [path.stem for path in scenario_file.bundled()]
ITEMS = [*NAMES, "a script of your own ..."]


class FakeLauncher:
    """Says that it started what it was asked to start: a run that is there already."""

    made: list[FakeLauncher]
    run: Path
    troubles: list[LrtuiError]
    preview_trouble: LrtuiError | None
    patience: threading.Event

    def __init__(self) -> None:
        self.started: list[Race] = []
        self.closed = False
        FakeLauncher.made.append(self)

    def preview(self, race: Race) -> list[Preview]:
        if FakeLauncher.preview_trouble:
            raise FakeLauncher.preview_trouble
        return [Preview([0, 50], [lane.lr, lane.lr / 100], 100) for lane in race.lanes]

    def start(self, race: Race, runs: Path) -> Path:
        self.started.append(race)
        assert FakeLauncher.patience.wait(PATIENCE_S)
        if FakeLauncher.troubles:
            raise FakeLauncher.troubles.pop(0)
        return FakeLauncher.run

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[FakeLauncher]:
    """In the place of the real one; races "start" at once, in a working folder without
    scenarios."""
    FakeLauncher.made, FakeLauncher.troubles, FakeLauncher.preview_trouble = [], [], None
    FakeLauncher.run = make_run(tmp_path / "elsewhere", ("steady", "paints"), done=60)
    FakeLauncher.patience = threading.Event()
    FakeLauncher.patience.set()
    monkeypatch.setattr("lrtui.tui.screens.picker.Launcher", FakeLauncher)
    monkeypatch.chdir(tmp_path)
    return FakeLauncher


@pytest.fixture
def viewer(tmp_path: Path):
    with Viewer(tmp_path / "runs", size=(100, 40)) as found:
        yield found


def listed(viewer: Viewer) -> list[str]:
    """The items of the list without their headings."""
    left = [line[:34].strip() for line in viewer.lines[1:-1]]
    return [text for text in left if text and not text.startswith("──")]


def start(viewer: Viewer) -> None:
    viewer.press("enter")
    viewer.until(lambda: isinstance(viewer.screen, RaceScreen), "the race screen")


def write_scenario(text: str, name: str = "mine") -> None:
    Path("scenarios").mkdir(exist_ok=True)
    Path("scenarios", f"{name}.toml").write_text(text)


GOOD = 'title = "Mine [bold]own[/bold]"\ntask = "straight-line"\nsteps = 5\n[[lane]]\nlr = 0.1\n'


class TestTheList:
    def test_the_bundled_scenarios_stand_in_the_order_in_which_one_meets_them(self, viewer):
        assert listed(viewer) == ITEMS
        assert "lr-dial" in viewer.lines[2]

    def test_typing_filters_and_backspace_takes_it_back(self, viewer):
        viewer.press(*"optim")
        assert listed(viewer) == ["optimizers"]
        assert "Enter races it" in viewer.text
        viewer.press(*["backspace"] * 5)
        assert listed(viewer) == ITEMS

    def test_every_word_that_is_typed_must_match(self, viewer):
        viewer.press(*"lr", "space", *"dial")
        assert listed(viewer) == ["lr-dial"]

    def test_nothing_that_matches_is_said_and_enter_does_nothing(self, viewer, launcher):
        viewer.press(*"zzz", "enter", "down")
        assert listed(viewer) == []
        assert "nothing matches; Esc clears the filter" in viewer.text
        assert not any(one.started for one in launcher.made)

    def test_enter_is_about_what_was_typed_before_it_however_fast(self, viewer, launcher):
        viewer.burst("optim\r")
        viewer.until(lambda: isinstance(viewer.screen, RaceScreen), "the race screen")
        assert [race.title for one in launcher.made for race in one.started] == [
            scenario_file.load("optimizers").title
        ]

    def test_arrows_go_over_headings_and_show_what_they_come_to(self, viewer):
        for name in NAMES[1:4]:
            viewer.press("down")
            assert scenario_file.load(name).title in viewer.text
        viewer.press("up")
        assert scenario_file.load(NAMES[2]).title in viewer.text

    def test_page_down_goes_further(self, viewer):
        viewer.press("pagedown")
        assert scenario_file.load(NAMES[10]).title in viewer.text

    def test_runs_stand_below_the_scenarios_and_a_running_one_above(self, tmp_path):
        make_run(tmp_path / "runs", ("steady",), title="longover")
        make_run(tmp_path / "runs", ("steady",), title="still-going", done=60, live=True)
        with Viewer(tmp_path / "runs", size=(130, 40)) as viewer:
            items = listed(viewer)
            assert items[0].split() == ["still-going", "●", "running"]
            assert items[1:-1] == ITEMS
            assert items[-1].split()[0] == "longover"
            assert items[-1].endswith(" ago")
            assert items[0].index("●") == items[-1].index("0 s ago")

    def test_interrupted_last_run_is_first_and_selected(self, tmp_path):
        older = make_run(tmp_path / "runs", ("steady",), title="older", done=20, over=False)
        older.rename(older.with_name("older-20200101-000000-abcd"))
        make_run(tmp_path / "runs", ("steady",), title="newer", done=20, over=False)
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            assert listed(viewer)[0].startswith("newer")
            assert listed(viewer)[1] == NAMES[0]
            assert "Ctrl+R there resumes it" in viewer.text

    def test_own_scenarios_stand_before_the_bundled_ones(self, tmp_path):
        write_scenario(GOOD)
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            assert listed(viewer) == ["mine", *ITEMS]
            assert "Mine [bold]own[/bold]" in viewer.text

    def test_in_the_repository_the_bundled_ones_are_not_listed_twice(self, tmp_path, monkeypatch):
        monkeypatch.chdir(scenario_file.BUNDLED.parent)
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            assert listed(viewer) == ITEMS


class TestTheCard:
    def test_it_tells_the_story_the_lanes_the_task_the_budget_and_the_device(self, viewer):
        for words in (
            "The dial: one net, four learning rates",
            "sprite-generator",
            "15 epochs",
            "device auto",
            "Four copies of one net",
            "A standard",
            "Adam lr=0.001",
            "D bold",
            "Adam lr=0.01",
        ):
            assert words in viewer.text

    def test_the_rates_that_will_be_applied_are_drawn(self, viewer):
        viewer.until(lambda: "learning rate, as it will be applied" in viewer.text, "the preview")
        assert any(0x2800 < ord(sign) < 0x2900 for sign in viewer.text)
        assert "1e-4┤" in viewer.text or "1e-5┤" in viewer.text

    def test_what_torch_refuses_is_said_in_its_place(self, tmp_path, launcher):
        launcher.preview_trouble = LrtuiError("lane A (Adam): [bold]no", "expected yes")
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            viewer.until(lambda: "lane A (Adam): [bold]no" in viewer.text, "the refusal")
            assert "expected yes" in viewer.text

    def test_a_bad_scenario_shows_its_error_and_does_not_race(self, tmp_path, launcher):
        write_scenario(GOOD.replace("0.1", '"[bold]fast"'), "bad")
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            assert '"[bold]fast" is not a number' in viewer.text.replace("'", '"')
            assert "expected a number" in viewer.text
            viewer.press("enter")
            assert isinstance(viewer.screen, Picker)
            assert len(viewer.toasts) == 1
            assert not any(one.started for one in launcher.made)

    def test_a_scenario_that_is_not_utf8_is_shown_as_bad(self, tmp_path):
        Path("scenarios").mkdir()
        Path("scenarios", "latin.toml").write_bytes(b'title = "caf\xe9"')
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            assert "is not UTF-8" in viewer.text

    def test_a_run_is_described_with_its_lanes(self, tmp_path):
        run = make_run(tmp_path / "runs", ("steady", "paints"), title="longover")
        with Viewer(tmp_path / "runs", size=(130, 40)) as viewer:
            viewer.press(*"long")
            assert "longover" in viewer.lines[0]
            assert "B paints" in viewer.text
            assert run.name in viewer.text.replace("\n", "")
            assert "Enter watches it" in viewer.text


class TestEnter:
    def test_it_races_the_scenario(self, viewer, launcher):
        viewer.press("down")
        start(viewer)
        assert [race for one in launcher.made for race in one.started] == [
            scenario_file.load(NAMES[1])
        ]
        viewer.look()
        assert "A steady" in viewer.text

    def test_it_says_so_while_it_starts_and_a_second_one_changes_nothing(self, viewer, launcher):
        launcher.patience.clear()
        viewer.press("enter", "enter")
        assert "starting ..." in viewer.text
        launcher.patience.set()
        viewer.until(lambda: isinstance(viewer.screen, RaceScreen), "the race screen")
        assert sum(len(one.started) for one in launcher.made) == 1

    def test_it_watches_a_run(self, tmp_path, launcher):
        make_run(tmp_path / "runs", ("steady", "explodes"), title="longover")
        with Viewer(tmp_path / "runs", size=(130, 40)) as viewer:
            viewer.press(*"long")
            start(viewer)
            viewer.look()
            assert "NaN at step 37" in viewer.text
        assert not any(one.started for one in launcher.made)

    def test_what_is_refused_is_said_and_another_can_be_raced(self, viewer, launcher):
        launcher.troubles = [
            ScenarioError('no device "cuda:9" on this machine', "expected one of auto, cpu")
        ]
        viewer.press("enter")
        viewer.until(lambda: viewer.toasts, "a word about it")
        assert "cuda:9" in viewer.toasts[0]
        assert "starting ..." not in viewer.text
        viewer.press("down")
        start(viewer)
        assert len(launcher.made) == 1

    def test_a_supervisor_that_died_is_replaced(self, viewer, launcher):
        launcher.troubles = [LaunchError("the supervisor did not start", "it said nothing")]
        viewer.press("enter")
        viewer.until(lambda: viewer.toasts, "a word about it")
        start(viewer)
        assert len(launcher.made) == 2

    def test_from_the_race_one_can_pick_another(self, viewer):
        start(viewer)
        viewer.press("n")
        assert isinstance(viewer.screen, Picker)
        start(viewer)


class TestEditing:
    """Ctrl+E: a letter would go to the filter."""

    def test_the_lanes_are_edited_for_this_race_only(self, viewer, launcher):
        viewer.press(*"lr-dial", "ctrl+e")
        assert isinstance(viewer.screen, FormDialog)
        rates = ["0.001", "0.1", "1e-05", "0.01"]
        assert [field.value for field in viewer.screen.query(Input)] == [
            *(f"optimizer=Adam lr={rate}" for rate in rates),
            "",
        ]
        for name, text in {
            "lane1": "optimizer=SGD lr=0.5 momentum=0.9",
            "lane2": "",
            "new": "lr=0.2",
        }.items():
            viewer.screen.query_one(f"#field-{name}").value = text
        viewer.press("enter")
        assert "Enter races it as edited" in viewer.text
        assert "SGD(momentum=0.9) lr=0.5" in viewer.text
        start(viewer)
        (race,) = launcher.made[0].started
        assert [(lane.letter, lane.name, lane.lr) for lane in race.lanes] == [
            ("A", "standard", 0.001),
            ("B", "SGD 0.5", 0.5),
            ("C", "bold", 0.01),
            ("D", "Adam 0.2", 0.2),
        ]
        assert scenario_file.load("lr-dial").lanes[1].optimizer.name == "Adam"

    def test_words_that_will_not_do_are_refused_there(self, viewer):
        viewer.press(*"lr-dial", "ctrl+e")
        viewer.screen.query_one("#field-lane0").value = "lr=-1"
        viewer.press("enter")
        assert "lane A: lr: -1.0 is not a valid learning rate" in viewer.text
        for field in viewer.screen.query(Input):
            field.value = ""
        viewer.press("enter")
        assert "no lane is left" in viewer.text
        viewer.press("escape")
        assert isinstance(viewer.screen, Picker)
        assert "as edited" not in viewer.text

    def test_a_run_has_nothing_to_edit_here(self, tmp_path):
        make_run(tmp_path / "runs", ("steady",), live=True, over=False, done=20)
        with Viewer(tmp_path / "runs") as viewer:
            viewer.press("ctrl+e")
            assert isinstance(viewer.screen, Picker)


class TestLeaving:
    def test_escape_clears_the_filter_first_and_then_quits(self, viewer, launcher):
        viewer.press(*"optim", "escape")
        assert listed(viewer) == ITEMS
        assert not viewer.has_left
        viewer.press("escape")
        assert viewer.has_left
        assert viewer.app.return_value is None

    @pytest.mark.parametrize("pressed", ["ctrl+c", "ctrl+q"])
    def test_nothing_is_running_so_nothing_is_asked(self, viewer, pressed):
        viewer.press(pressed)
        assert viewer.has_left

    def test_a_supervisor_that_was_never_used_is_let_go(self, tmp_path, launcher):
        with Viewer(tmp_path / "runs") as viewer:
            viewer.until(lambda: launcher.made, "a supervisor that warms up")
            viewer.press("escape")
        assert [one.closed for one in launcher.made] == [True]


def test_the_help_lists_every_key_and_is_not_typed_into_the_filter(viewer):
    viewer.press("question_mark")
    assert isinstance(viewer.screen, Help)
    for shown, words in Keymap().help_lines(PICKER):
        assert shown in viewer.text
        assert words in viewer.text
    viewer.press("escape")
    assert isinstance(viewer.screen, Picker)
    assert listed(viewer) == ITEMS


@pytest.mark.usefixtures("_usual_look")
def test_sentences_name_a_persons_own_keys(tmp_path):
    own = {
        "list.go": ("ctrl+g",),
        "list.clear": ("f3",),
        "race.resume": ("f5",),
        "picker.help": ("f6",),
        "picker.edit": ("f7",),
    }
    assert faults(own) == {}
    without_supervisor(
        make_run(tmp_path / "runs", ("steady",), title="cut", done=20, live=True, over=False)
    )
    make_run(tmp_path / "runs", ("steady",), title="longover")
    with Viewer(tmp_path / "runs", size=(100, 40), wanted=Settings(keys=own)) as viewer:
        for typed, said in (
            ("longo", "Ctrl+G watches it"),
            ("cut", "Ctrl+G shows it, F5 there resumes it"),
            ("lr-di", "Ctrl+G races it"),
            ("zzz", "nothing matches; F3 clears the filter"),
        ):
            viewer.press(*typed.replace("-", " "))
            assert said in viewer.text
            viewer.press("f3")
        viewer.press("question_mark")
        assert viewer.screen.query_one(Input).value == "?", "it is no key for help any more"
        viewer.press("f3", "f7")
        assert isinstance(viewer.screen, FormDialog)
        viewer.screen.query(Input).first().value = "optimizer=Adam lr=0.5"
        viewer.press("enter")
        assert "Ctrl+G races it as edited" in viewer.text


@pytest.mark.parametrize(("width", "height"), [(60, 16), (80, 24), (132, 43), (200, 50), (300, 90)])
def test_every_size_shows_list_card_and_footer(tmp_path, width, height):
    with Viewer(tmp_path / "runs", size=(width, height)) as viewer:
        for _ in NAMES[1:]:
            viewer.press("down")
            assert all(len(line) == width for line in viewer.lines)
            assert "Enter races it" in viewer.text
            assert "help" in viewer.lines[-1]


@pytest.mark.parametrize(("width", "height"), [(30, 5), (12, 3)])
def test_a_tiny_terminal_is_survived(tmp_path, width, height):
    with Viewer(tmp_path / "runs", size=(width, height)) as viewer:
        viewer.press("down", "down")
        viewer.resize(80, 24)
        assert "Enter races it" in viewer.text
