"""`lrtui runs` and `lrtui note`: lists, names, and deletions that are asked for twice."""

from __future__ import annotations

import json
import re
import sys

import pexpect
import pytest

from lrtui.store import run_dir
from support.fake_run import make_run
from support.waiting import PATIENCE_S


@pytest.fixture
def runs(here):
    for name in ("a-20260101-120000-aaaa", "b-20260102-120000-bbbb", "c-20260103-120000-cccc"):
        run = make_run(here / "runs", ("steady",))
        run.rename(run.with_name(name))
    return here / "runs"


def names(runs):
    return [run.name[0] for run in run_dir.listing(runs)]


def test_a_note_and_a_name_are_given_listed_and_taken_away(lrtui, runs):
    said = lrtui("note", "a-", "with warm-up", "--name", "base")
    assert said.out.splitlines() == ["a-20260101-120000-aaaa", "name: base", "note: with warm-up"]
    assert "base  with warm-up" in lrtui("runs").out
    assert "base: A fake race" in lrtui("report", "base").out
    assert "note: with warm-up" in lrtui("report", "base").out
    assert lrtui("note", "base", "--name", "").out.splitlines()[1] == "name: none"
    assert lrtui("note", "base").code == 2


@pytest.mark.parametrize("args", [["a-", "--name", "x/y"], ["a-", "x" * 501], ["nobody", "x"]])
def test_a_note_that_cannot_be_kept_is_refused(lrtui, runs, args):
    said = lrtui("note", *args)
    assert said.code == 2
    assert said.err.startswith("lrtui: ")
    assert not list(runs.glob("*/label.json"))


def test_runs_as_json_have_their_sizes_and_states(lrtui, runs):
    lrtui("note", "c-", "--name", "base")
    first, *_ = lines = lrtui("runs", "--json").lines
    assert len(lines) == 3
    assert first.pop("bytes") > 1000
    assert first.pop("created") > 1e9
    assert first == {
        "run": str(runs / "c-20260103-120000-cccc"),
        "name": "base",
        "note": "",
        "title": "A fake race",
        "lanes": 1,
        "state": "ended",
        "resumable": False,
        "script": False,
    }


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--delete"], "no run named"),
        (["--prune"], "--older AGE, --keep N"),
        (["--prune", "--older", "3"], "30d"),
        (["--prune", "--keep", "1", "a-"], "--delete for these"),
        (["--delete", "--prune", "a-"], "exclude each other"),
        (["--older", "3d"], "rules of --prune"),
        (["--yes"], "nothing is asked"),
        (["--json", "--delete", "a-"], "lists runs"),
        (["--delete", "a-"], "no terminal to ask at"),
        (["--prune", "--keep", "0"], "no terminal to ask at"),
        (["--delete", "a-", "nobody", "--yes"], "no run"),
        (["--delete", "a-", "", "--yes"], "without a name"),
    ],
)
def test_a_deletion_that_is_not_clear_deletes_nothing(lrtui, runs, args, words):
    said = lrtui("runs", *args)
    assert said.code == 2
    assert words in said.err
    assert names(runs) == ["c", "b", "a"]


def test_the_beginning_of_several_names_deletes_none_of_them(lrtui, runs):
    (runs / "b-20260102-120000-bbbb").rename(runs / "a-20260102-120000-bbbb")
    said = lrtui("runs", "--delete", "a-", "--yes")
    assert (said.code, said.out) == (2, "")
    assert '2 runs have names that begin with "a-"' in said.err
    assert names(runs) == ["c", "a", "a"]


def test_one_run_that_may_not_go_keeps_all_of_them(lrtui, runs):
    make_run(runs, ("steady",), done=60, over=False, live=True)
    alive = run_dir.find("fake", runs)
    said = lrtui("runs", "--delete", "--yes", "a-", alive.name)
    assert said.code == 2
    assert "still running; nothing was deleted" in said.err
    assert len(names(runs)) == 4


def test_named_runs_and_old_runs_go_with_yes(lrtui, runs):
    assert re.search(r"^a-.* kB\ndeleted: 1 of 1", lrtui("runs", "--delete", "a-", "--yes").out)
    assert names(runs) == ["c", "b"]
    lrtui("note", "b-", "keep me")
    said = lrtui("runs", "--prune", "--keep", "0", "--yes")
    assert "spared: b-20260102-120000-bbbb, has a name or a note" in said.out
    assert names(runs) == ["b"]
    assert "nothing to delete" in lrtui("runs", "--prune", "--older", "1w", "--yes").out


@pytest.mark.parametrize(("answer", "left"), [("n", "cba"), ("y", "cb")])
def test_a_person_is_asked_with_names_and_sizes(runs, answer, left):
    asked = pexpect.spawn(
        sys.executable,
        ["-m", "lrtui", "runs", "--runs", str(runs), "--delete", "a-"],
        timeout=PATIENCE_S,
        encoding="utf-8",
        dimensions=(24, 300),
    )
    asked.expect(r"a-20260101-120000-aaaa  [\d.]+ kB.*delete 1 run, [\d.]+ kB, from \S+\? \[y/N\]")
    asked.sendline(answer)
    asked.expect(pexpect.EOF)
    asked.close()
    assert asked.exitstatus == 0
    assert "".join(names(runs)) == left


def test_a_race_begins_with_its_name_and_note(lrtui, runs):
    said = lrtui("race", "lr-dial", "--name", "x/y", "--plain")
    assert said.code == 2
    lrtui("note", "a-", "--name", "base")
    said = lrtui("race", "lr-dial", "--name", "base", "--plain")
    assert said.code == 2
    assert "a-20260101-120000-aaaa has it" in said.err
    said = lrtui(
        *("race", "lr-dial", "--steps", "2", "--name", "short", "--note", "two steps", "--plain")
    )
    assert said.code == 0
    (found,) = (json.loads(line) for line in lrtui("runs", "short", "--json").out.splitlines())
    assert (found["name"], found["note"], found["state"]) == ("short", "two steps", "ended")
