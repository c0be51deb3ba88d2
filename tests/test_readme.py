"""The README tells the truth: its tables are those of the program, its example runs, its commands are the real ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.core.scenario import scenario_file
from lrtui.tui import keys

README = Path(__file__).parents[1] / "README.md"
INSTALL = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/lrtui"
TEST = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest"


def section(title: str) -> str:
    """What stands under a heading, up to the next one of its level."""
    text = README.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        pytest.fail(f'README.md has no heading "## {title}"')
    return found[1]


def table(text: str) -> list[list[str]]:
    """The rows of the first Markdown table, without its heading and the marks of code."""
    rows = [line.strip() for line in text.splitlines() if line.lstrip().startswith("|")]
    return [[cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def as_markdown(rows: list[tuple[str, str]]) -> str:
    """What should stand there, to be copied."""
    return "\n".join(f"| `{key}` | {words} |" for key, words in rows)


def test_the_keys_are_those_of_the_program():
    expected = keys.help_lines(keys.RACE)
    assert [tuple(row) for row in table(section("Keys"))] == expected, as_markdown(expected)


def test_the_scenarios_are_those_that_come_with_it():
    assert [row[0] for row in table(section("Scenarios"))] == [path.stem for path in scenario_file.bundled()]


@pytest.mark.parametrize("command", [INSTALL, TEST])
def test_the_two_commands_stand_there_word_for_word(command):
    assert command in README.read_text(encoding="utf-8").splitlines()


def test_a_model_of_ones_own_takes_fifteen_lines_and_they_run(tmp_path):
    found = re.search(r"```python\n(.*?)```", section("Your own model"), re.DOTALL)
    assert found
    code = found[1]
    assert len([line for line in code.splitlines() if line.strip() and not line.startswith("#")]) <= 15
    (name,) = re.findall(r"^class (\w+)", code, re.MULTILINE)
    (tmp_path / "mymodel.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "lrtui", "race", "--task", f"mymodel.py:{name}", "--lr", "0.1", "--lr", "0.01", "--steps", "5",
         "--json", "--runs", "runs"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert [(lane["status"], lane["steps"]) for lane in result["lanes"]] == [("finished", 5)] * 2


def test_what_it_points_at_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / target).exists(), target
