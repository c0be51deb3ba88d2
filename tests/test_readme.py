"""The README: its two commands, its example, the topics that it names, its length."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from lrtui import manual
from support.pages import README, files

INSTALL = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/lrtui"
TEST = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest"
TEXT = README.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [INSTALL, TEST])
def test_the_two_commands_stand_there_word_for_word(command):
    assert command in TEXT.splitlines()


def test_a_model_of_ones_own_takes_fifteen_lines_and_they_run(tmp_path):
    code = files()["mymodel.py"]
    assert code in TEXT
    assert (
        len([line for line in code.splitlines() if line.strip() and not line.startswith("#")]) <= 15
    )
    (name,) = re.findall(r"^class (\w+)", code, re.MULTILINE)
    (tmp_path / "mymodel.py").write_text(code)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lrtui",
            "race",
            "--task",
            f"mymodel.py:{name}",
            "--lr",
            "0.1",
            "--lr",
            "0.01",
            "--steps",
            "5",
            "--json",
            "--runs",
            "runs",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert [(lane["status"], lane["steps"]) for lane in result["lanes"]] == [("finished", 5)] * 2


def test_it_names_every_topic_of_the_manual_and_no_other():
    assert re.findall(
        r"\[([\w-]+)\]\(lrtui/manual/\1\.md\)", TEXT.partition("\n## Manual\n")[2]
    ) == list(manual.TOPICS)


def test_it_can_be_read_in_a_minute_or_two():
    assert len(TEXT.splitlines()) <= 150
    assert len(TEXT.split()) <= 1300
