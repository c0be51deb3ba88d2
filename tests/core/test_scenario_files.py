"""Files of scenarios: where they are found, their encoding, and text made safe for a terminal."""

import shutil
import subprocess
import sys

import msgspec
import pytest

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.scenario_file import BUNDLED
from support.scenarios import LANE, assert_readable, assert_refused, load_scenario, write_scenario

INVALID = {
    # problem: text of the file, and parts of the message
    "a key with an escape sequence": ('"\\u001b[31mred" = 1\n' + LANE, ["red: unknown key"]),
    "a value with an escape sequence": (
        'device = "\\u001b]0;title\\u0007gpu"\n' + LANE,
        ['unknown device "gpu"'],
    ),
    "a key of several lines": ('"a\\nb\\nc\\nd" = 1\n' + LANE, ["a b c d: unknown key"]),
    "not TOML": ("this is no TOML\n", ["race.toml: "]),
    "a key twice": ("seed = 1\nseed = 2\n" + LANE, ["race.toml: "]),
    "not UTF-8": (b'title = "\xff"\n', ["race.toml: byte 9 is not UTF-8"]),
    "UTF-16": (LANE.encode("utf-16"), ["race.toml: byte 0 is not UTF-8"]),
    "empty": ("", ["epochs: a race has a budget"]),
    "nested too deep": ("x = " + "[" * 5000 + "]" * 5000, ["race.toml: "]),
    "a number too long to read": ("seed = " + "9" * 5000, ["race.toml: "]),
    "larger than a scenario can be": ("# " + "x" * 1_000_000, ["race.toml: larger than"]),
}


@pytest.mark.parametrize(("text", "words"), INVALID.values(), ids=INVALID)
def test_invalid_file_is_refused_with_file_key_and_expectation(text, words, folder):
    assert_refused(folder, text, words)


@pytest.mark.parametrize(
    "name",
    [
        "lr-dail",
        "nowhere/race.toml",
        "nowhere.toml",
        "",
        "\x1b[31m",
        "a\nb\nc\nd",
        "~nobody-at-all/x.toml",
        "x" * 5000,
        "x" * 5000 + ".toml",
        "\0",
        "\0.toml",
    ],
)
def test_missing_scenario_is_refused(name):
    with pytest.raises(LrtuiError) as refused:
        scenario_file.load(name)
    assert_readable(refused.value)


def test_missing_scenario_names_the_nearest_bundled_one():
    with pytest.raises(LrtuiError, match='did you mean "lr-dial"'):
        scenario_file.load("lr-dail")


def test_file_name_is_shown_without_escape_sequences(folder):
    path = write_scenario(folder, "seeed = 1\n", "\x1b[31mred\nline\x07.toml")
    with pytest.raises(LrtuiError) as refused:
        scenario_file.load(str(path))
    assert_readable(refused.value)
    write_scenario(folder, b"\xff", path.name)
    with pytest.raises(LrtuiError) as refused:
        scenario_file.load(str(path))
    assert_readable(refused.value)


def test_text_of_a_file_is_stored_without_control_characters(folder):
    made = load_scenario(
        folder,
        'title = "a\\u001b[31m [bold]title[/bold]\\u0007\\nin two lines"\nstory ='
        ' "one\\u001b]8;;http://x\\u001b\\\\\\ntwo\\u202e"\n'
        + LANE
        + 'name = "tab\\there \\u009b1mnow"\n',
    )
    assert made.title == "a [bold]title[/bold] in two lines"
    assert made.story == "one\ntwo"
    assert made.lanes[0].name == "tab here now"


@pytest.mark.parametrize("path", scenario_file.bundled(), ids=lambda path: path.stem)
def test_bundled_scenario_loads_in_place_and_copied(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = scenario_file.load(path.stem)
    copied = scenario_file.load(str(shutil.copy(path, tmp_path / path.name)))
    assert msgspec.structs.replace(copied, scenario=here.scenario) == here
    assert here.task.kind == "bundled"
    names = {lane.name for lane in here.lanes}
    assert len(names) * here.seeds == len(here.lanes)


def test_scenario_in_the_working_folder_precedes_a_bundled_one(tmp_path, monkeypatch):
    (tmp_path / "scenarios").mkdir()
    write_scenario(tmp_path / "scenarios", 'title = "mine"\n' + LANE, "lr-dial.toml")
    assert scenario_file.load("lr-dial").title != "mine"
    monkeypatch.chdir(tmp_path)
    assert scenario_file.load("lr-dial").title == "mine"


def test_loading_and_refusing_a_scenario_imports_no_torch():
    code = """
import sys
from lrtui.core.scenario import scenario_file
from lrtui.core.errors import LrtuiError
for path in scenario_file.bundled():
    scenario_file.load(path.stem)
try:
    scenario_file.load("lr-dial", {"lanes.optimizer": ["Adm"]})
except LrtuiError as refused:
    print(refused.message)
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("torch", "textual", "rich", "plotext")))
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert 'did you mean "Adam"' in out[0]
    assert out[1] == "[]"
    assert BUNDLED.is_dir()
