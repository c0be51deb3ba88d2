"""Scripts in the picker: those of scenarios and headers, a form for one's own, and a question before
any is run. The supervisor is a pretended one."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from textual.widgets import Input, Static

from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.tui.keymap import Keymap
from lrtui.tui.render import card
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.screens.dialogs import ChoiceDialog, FormDialog
from lrtui.tui.screens.forms import FieldError
from lrtui.tui.screens.picker import Picker
from lrtui.tui.screens.picker_items import RaceCache, ScenarioItem, find_items
from lrtui.tui.screens.picker_scripts import confirm, edit_script, own_script
from lrtui.tui.screens.race import RaceScreen
from support.fake_sweep import FakeLauncher
from support.viewer import Viewer

HEADER = """# /// script
# dependencies = ["torch"]
# [tool.lrtui]
# title = "Mine [bold]own[/bold]"
# lr = [1e-2, 1e-3]
# args = ["--epochs", "3"]
# ///
print("never run here")
"""
SCENARIO = """
title = "Tuning"
[script]
file = "../train.py"
args = ["--bs", "{bs}"]
env = { WORKERS = "2" }
vary = { bs = [16, 32] }
[sweep]
lr = [1e-3, 1e-4]
"""
GIVEN = {"script": "train.py", "rates": "1e-2, 1e-3", "values": "", "args": "--epochs 3"}


@pytest.fixture(autouse=True)
def launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[FakeLauncher]:
    """In the place of the real one, in a working folder with a script."""
    made = FakeLauncher.fresh()
    monkeypatch.setattr("lrtui.tui.screens.picker.Launcher", made)
    monkeypatch.setattr("lrtui.tui.screens.picker.Picker._preview", lambda self, path, race: None)
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("print('hello')\n")
    return made


@pytest.fixture
def viewer(tmp_path: Path):
    with Viewer(tmp_path / "runs", size=(100, 40)) as found:
        yield found


def started(launcher: type[FakeLauncher]) -> list[Race]:
    return [race for one in launcher.made for race in one.started]


def ask(viewer: Viewer) -> None:
    """Open the form for a script of one's own."""
    viewer.press(*"yours", "enter")
    assert isinstance(viewer.screen, FormDialog)


def type_in(viewer: Viewer, **texts: str) -> None:
    for name, text in texts.items():
        viewer.screen.query_one(f"#field-{name}", Input).value = text


def begin(viewer: Viewer) -> None:
    """Confirm the question that is asked."""
    assert isinstance(viewer.screen, ChoiceDialog)
    viewer.press("y")
    viewer.until(lambda: isinstance(viewer.screen, RaceScreen), "the race screen")


def write_scenario() -> Path:
    Path("scenarios").mkdir()
    path = Path("scenarios", "tuning.toml")
    path.write_text(SCENARIO)
    return path.absolute()


class TestTheForm:
    def test_path_rates_and_arguments_race_the_script(self, viewer, launcher, tmp_path):
        ask(viewer)
        viewer.press(*"train.py", "tab", *"1e-2", "space", *"1e-3", "tab", "tab", *"--epochs=3")
        viewer.press("enter")
        words = f"{sys.executable} {tmp_path}/train.py --epochs=3"
        assert words.replace(" ", "") in shown(viewer)
        assert started(launcher) == []
        begin(viewer)
        (race,) = started(launcher)
        assert race.script.command == (sys.executable, str(tmp_path / "train.py"), "--epochs=3")
        assert [lane.lr for lane in race.lanes] == [1e-2, 1e-3]

    def test_nothing_is_run_without_a_yes_and_what_was_typed_is_kept(self, viewer, launcher):
        ask(viewer)
        type_in(viewer, **GIVEN)
        viewer.press("enter", "n")
        assert isinstance(viewer.screen, Picker)
        viewer.press("enter")
        assert [field.value for field in viewer.screen.query(Input)] == [*GIVEN.values()]
        viewer.press("escape")
        assert isinstance(viewer.screen, Picker)
        assert started(launcher) == []

    @pytest.mark.parametrize(
        ("field", "text", "said"),
        [
            ("script", "", "no script"),
            ("script", "nothing.py", "script.file: no file "),
            ("script", "'train.py", "No closing quotation"),
            ("rates", "1e-2 fast", '"fast" is not a learning rate'),
            ("rates", "-1", '"-1" is not a learning rate'),
            ("values", "bs", '"bs" names no values'),
            ("args", "'x", "No closing quotation"),
            ("args", "--bs {bs}", "no value for {bs}"),
        ],
    )
    def test_error_stands_under_its_field_which_has_the_cursor(self, viewer, field, text, said):
        ask(viewer)
        type_in(viewer, **{**GIVEN, field: text})
        viewer.press("enter")
        assert isinstance(viewer.screen, FormDialog)
        widgets = list(viewer.screen.query_one("#form").children)
        refused = viewer.screen.query_one("#refused", Static)
        assert said in str(refused.render())
        assert widgets[widgets.index(refused) - 1].id == f"field-{field}"
        assert viewer.screen.focused is widgets[widgets.index(refused) - 1]

    def test_modules_and_programs_are_scripts_too(self, tmp_path):
        form = own_script({})
        module = form.read({**GIVEN, "script": "-m package.train -v", "rates": ""})
        assert module.script.command[1:] == ("-m", "package.train", "-v", "--epochs", "3")
        assert [lane.called for lane in module.lanes] == ["A train"]
        program = form.read({**GIVEN, "script": "torchrun --nproc-per-node 2 train.py"})
        assert program.script.command[:4] == ("torchrun", "--nproc-per-node", "2", "train.py")

    def test_braces_are_filled_with_the_values(self):
        race = own_script({}).read({**GIVEN, "values": "bs=16,32", "args": "--bs {bs}"})
        assert [lane.values for lane in race.lanes] == [{"bs": "16"}, {"bs": "32"}] * 2

    def test_error_names_the_field_and_no_file(self):
        with pytest.raises(FieldError) as refused:
            own_script({}).read({**GIVEN, "values": "bs=1"})
        assert refused.value.field == "args"
        assert str(refused.value).startswith("script.vary.bs: {bs} stands in no argument")


class TestScenarios:
    def test_card_shows_command_rates_and_values(self, tmp_path):
        write_scenario()
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            for words in (
                "Tuning",
                "script train · seed 0",
                "A lr=0.001 bs=16",
                "python",
                "--bs '{bs}'",
                "with WORKERS=2",
                "Enter races it",
            ):
                assert words in viewer.text
            assert "batch" not in viewer.text
            assert sys.executable not in viewer.text

    def test_it_is_run_once_its_command_line_is_confirmed(self, tmp_path, launcher):
        path = write_scenario()
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            viewer.press("enter")
            assert "--bs '{bs}'" in viewer.text
            assert "with WORKERS=2" in viewer.text
            assert "4 lanes: lr=0.001 bs=16" in viewer.text
            assert started(launcher) == []
            begin(viewer)
        assert started(launcher) == [scenario_file.load(str(path))]

    def test_a_finder_of_it_is_refused_in_words(self, tmp_path, launcher):
        write_scenario()
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            viewer.press("ctrl+f")
            assert isinstance(viewer.screen, Picker)
            assert "the finder cannot set a script's rate" in viewer.toasts[0]

    def test_it_is_edited_as_a_form_and_keeps_the_rest(self, tmp_path, launcher):
        write_scenario()
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            viewer.press("ctrl+e")
            assert [field.value for field in viewer.screen.query(Input)] == [
                "train.py",
                "0.001 0.0001",
                "bs=16,32",
                "--bs '{bs}'",
            ]
            type_in(viewer, rates="0.5", values="bs=7")
            viewer.press("enter")
            assert "Enter races it as edited" in viewer.text
            viewer.press("enter")
            begin(viewer)
        (race,) = started(launcher)
        assert [(lane.lr, lane.values) for lane in race.lanes] == [(0.5, {"bs": "7"})]
        assert (race.title, race.script.env) == ("Tuning", {"WORKERS": "2"})

    def test_lanes_that_are_no_product_are_edited_in_their_file(self):
        lanes = [{"lr": 0.1, "values": {"a": "1"}}, {"lr": 0.2, "values": {"a": "2"}}]
        race = scenario_file.parse(
            {"script": {"file": "train.py", "args": ["{a}"]}, "lane": lanes},
            source="test",
            folder=Path.cwd(),
        )
        with pytest.raises(ScenarioError, match="not rates times values"):
            edit_script(race)


class TestHeaders:
    def test_scripts_with_a_table_in_their_header_are_listed(self, tmp_path, launcher):
        Path("tagged.py").write_text(HEADER)
        Path("other.py").write_text(HEADER.replace("tool.lrtui", "tool.other"))
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            assert "scripts here" in viewer.lines[1]
            assert viewer.lines[2].startswith("tagged.py")
            assert "other.py" not in viewer.text
            assert "Mine [bold]own[/bold]" in viewer.text
            viewer.press("enter")
            begin(viewer)
        (race,) = started(launcher)
        assert [lane.lr for lane in race.lanes] == [1e-2, 1e-3]
        assert race.script.command[1:] == (str(tmp_path / "tagged.py"), "--epochs", "3")

    @pytest.mark.parametrize(
        ("broken", "said"),
        [
            ("# lr = 3", "broken.py: tool.lrtui.lr: 3 is not a list"),
            ("# lr = [", "broken.py: "),
            ("# optimizer = 'SGD'", "tool.lrtui.optimizer: unknown key"),
            ("# file = 'x.py'", "tool.lrtui.file: unknown key"),
        ],
    )
    def test_broken_header_is_an_item_with_its_error(self, tmp_path, launcher, broken, said):
        Path("broken.py").write_text(f"# /// script\n# [tool.lrtui]\n{broken}\n# ///\n")
        with Viewer(tmp_path / "runs", size=(100, 40)) as viewer:
            assert viewer.lines[2].startswith("broken.py")
            assert said in viewer.text
            viewer.press("enter")
            assert isinstance(viewer.screen, Picker)
            assert len(viewer.toasts) == 1
        assert started(launcher) == []

    def test_only_the_beginning_of_each_file_of_the_folder_is_read(self, tmp_path):
        Path("late.py").write_text("\n" * 70_000 + HEADER)
        Path("inner").mkdir()
        Path("inner", "tagged.py").write_text(HEADER)
        Path("folder.py").mkdir()
        Path("binary.py").write_bytes(b"\xff\x00" * 100)
        kinds = {item.kind for item in find_items(tmp_path / "runs")}
        assert "script" not in kinds

    def test_header_that_has_changed_since_is_told(self, tmp_path):
        Path("tagged.py").write_text("print()\n")
        found = ScenarioItem(tmp_path / "tagged.py", "script").race(RaceCache())
        assert isinstance(found, LrtuiError)
        assert "no [tool.lrtui] in its header" in str(found)


class TestTheQuestion:
    def test_it_shows_everything_that_will_be_run_as_plain_text(self, tmp_path):
        race = own_script({}).read({**GIVEN, "args": "'[bold]\x1b[31mred' 'two words'"})
        question = confirm(race).question
        assert f"Run this in {tmp_path}?" in question
        assert shlex.join(["[bold]red", "two words"]) in question
        assert "\x1b" not in question
        assert "2 lanes: lr=0.01, lr=0.001" in question

    def test_many_lanes_are_counted(self):
        race = own_script({}).read({**GIVEN, "rates": " ".join(["0.1"] * 9)})
        assert "9 lanes: " in confirm(race).question
        assert " and 3 more" in confirm(race).question


@pytest.mark.parametrize(("width", "height"), [(46, 16), (20, 5), (12, 3), (150, 50)])
def test_card_of_any_size_keeps_its_last_row(width, height):
    race = own_script({}).read({**GIVEN, "args": "word " * 100})
    canvas = Canvas(width, height)
    card.race(canvas, race, None, "", Keymap())
    assert "Enter races" in canvas.strip(height - 1).text
    card.own_script(canvas := Canvas(width, height), "", Keymap())
    assert "Enter asks" in canvas.strip(height - 1).text


def shown(viewer: Viewer) -> str:
    """The text of a dialog without white space and borders: long words are broken anywhere."""
    lines = [line.partition("│")[2].rpartition("│")[0] for line in viewer.lines]
    return "".join("".join(lines).split())
