"""The lines of a script's output: each told once, whole, and safe to show."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from lrtui.client import script_output
from lrtui.client.script_output import ScriptOutput
from lrtui.core.text import overwritten


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "script-A.log"


def write(log: Path, text: str | bytes) -> None:
    with log.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)


def test_line_is_told_once_it_has_ended(log):
    output = ScriptOutput(log)
    assert list(output.poll()) == []
    write(log, "one\ntw")
    assert list(output.poll()) == ["one"]
    assert list(output.poll()) == []
    write(log, "o\n\nthree")
    assert list(output.poll()) == ["two", ""]
    assert list(output.rest()) == ["three"]
    assert list(output.rest()) == []


def test_progress_bar_is_its_last_state_and_takes_no_room(log):
    output = ScriptOutput(log)
    for step in range(1000):
        write(log, f"\r{step}% " + "x" * 100)
        assert list(output.poll()) == []
        assert len(output._part) < 300
    write(log, "\r\x1b[Kdone\n")
    assert list(output.poll()) == ["done"]


def test_character_cut_in_two_is_read_whole_and_bad_bytes_are_marked(log):
    output = ScriptOutput(log)
    whole = "ä€".encode()
    write(log, whole[:1])
    assert list(output.poll()) == []
    write(log, whole[1:] + b"\xff\n")
    assert list(output.poll()) == ["ä€\ufffd"]


def test_endless_line_is_told_in_pieces(log, monkeypatch):
    monkeypatch.setattr(script_output, "CHUNK", 100)
    monkeypatch.setattr(script_output, "LONGEST", 50)
    write(log, "x" * 250)
    output = ScriptOutput(log)
    assert [len(line) for line in output.rest()] == [100, 100, 50]


def test_race_without_a_folder_has_no_lines():
    output = ScriptOutput(None)
    assert list(output.poll()) == list(output.rest()) == []


TEXT = st.text(st.sampled_from("ab\r\n\x1b[K é\x07"), max_size=60)


@given(st.lists(TEXT, max_size=6))
def test_any_output_is_told_as_a_terminal_would_show_it(tmp_path_factory, pieces):
    log = tmp_path_factory.mktemp("output") / "log"
    output, told = ScriptOutput(log), []
    for piece in pieces:
        write(log, piece)
        told += output.poll()
    told += output.rest()
    expected = [overwritten(line) for line in "".join(pieces).split("\n")]
    assert [line.rstrip() for line in told] == [
        line.rstrip()
        for line in (expected if "".join(pieces).rpartition("\n")[2] else expected[:-1])
    ]
