"""The name and the note of a run: kept beside the record, found by, and never trusted."""

import os

import pytest

from lrtui.core.errors import RunError
from lrtui.core.state.label import LONGEST_NAME, LONGEST_NOTE, Label, name_of, note_of
from lrtui.store import run_dir
from lrtui.store.label import FILE, read_label
from lrtui.store.writer import create_run
from support.builders import make_race


@pytest.fixture
def runs(tmp_path):
    return tmp_path


def make(runs, name):
    run = create_run(runs, make_race())
    return run.rename(run.with_name(name))


def test_a_label_is_read_as_it_was_written_and_changes_in_part(runs):
    run = make(runs, "a-20260101-120000-aaaa")
    assert read_label(run) == Label()
    run_dir.relabel(run, name="base", note="a note")
    assert read_label(run) == Label("base", "a note")
    run_dir.relabel(run, note="")
    assert read_label(run) == Label("base")


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"name": 3}', b"\xff\xfe", b"x" * 300_000])
def test_a_damaged_label_counts_as_none_and_can_be_replaced(runs, body):
    run = make(runs, "a-20260101-120000-aaaa")
    (run / FILE).write_bytes(body)
    assert read_label(run) == Label()
    assert run_dir.relabel(run, name="base") == read_label(run) == Label("base")


def test_a_label_of_a_later_version_keeps_its_known_fields(runs):
    run = make(runs, "a-20260101-120000-aaaa")
    (run / FILE).write_text('{"name": "base\\u001b[31m\\nx", "tags": [1], "note": "n"}')
    assert read_label(run) == Label("base x", "n")


@pytest.mark.parametrize("name", ["a/b", "-x", "~x", ".x", "x" * (LONGEST_NAME + 1), "\x1b[31m"])
def test_a_name_that_no_command_finds_is_refused(name):
    with pytest.raises(RunError, match="name"):
        name_of(name)


def test_names_and_notes_are_one_line_of_visible_text():
    assert name_of(" base\tline ") == "base line"
    assert name_of(" ") == ""
    assert note_of("one\ntwo\x1b[0m") == "one two"
    with pytest.raises(RunError, match="500"):
        note_of("x" * (LONGEST_NOTE + 1))


def test_a_run_is_found_by_its_name_before_the_beginning_of_another(runs):
    older, newer = make(runs, "base-20250101-120000-aaaa"), make(runs, "x-20260101-120000-bbbb")
    run_dir.relabel(newer, name="base")
    assert run_dir.find("base", runs) == newer
    assert run_dir.find("base-", runs) == older
    with pytest.raises(RunError, match='did you mean "base"'):
        run_dir.find("bse", runs)


def test_a_name_of_two_runs_is_refused_with_both(runs):
    one, other = make(runs, "a-20250101-120000-aaaa"), make(runs, "b-20260101-120000-bbbb")
    run_dir.relabel(one, name="base")
    with pytest.raises(RunError, match="a-20250101-120000-aaaa has it"):
        run_dir.relabel(other, name="base")
    assert read_label(other) == Label()
    (other / FILE).write_bytes((one / FILE).read_bytes())
    with pytest.raises(RunError, match="2 runs have the name") as refused:
        run_dir.find("base", runs)
    assert one.name in refused.value.hint
    assert other.name in refused.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_may_not_be_written_is_told(runs):
    run = make(runs, "a-20260101-120000-aaaa")
    run.chmod(0o500)
    with pytest.raises(RunError) as refused:
        run_dir.relabel(run, name="base")
    run.chmod(0o700)
    assert "may you write" in refused.value.hint
