"""Runs that are deleted: only ended ones of the folder itself, as a whole, and never what a link
leads to."""

import os
import shutil

import pytest

from lrtui.core.errors import RunError
from lrtui.store import removal, run_dir
from lrtui.store.reader import summary
from support.fake_run import make_run, without_supervisor


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def made(runs, name, **keys):
    run = make_run(runs, ("steady",), **keys)
    return run.rename(run.with_name(name))


def test_a_run_goes_and_what_its_links_lead_to_stays(runs, tmp_path):
    run, kept = made(runs, "a-20260101-120000-aaaa"), tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("precious")
    (run / "link").symlink_to(kept)
    (run / "file").symlink_to(kept / "file")
    assert removal.disk_size(run) < 200_000
    removal.delete(run, runs)
    assert list(runs.iterdir()) == []
    assert (kept / "file").read_text() == "precious"


def test_what_may_not_be_deleted_is_refused_with_the_reason(runs, tmp_path):
    ended = made(runs, "a-20260101-120000-aaaa")
    alive = made(runs, "b-20260101-120000-bbbb", done=60, over=False, live=True)
    broken = made(runs, "c-20260101-120000-cccc")
    (broken / "run.db").write_bytes(b"not a database" * 100)
    link = runs / "d-20260101-120000-dddd"
    link.symlink_to(made(tmp_path / "elsewhere", "e-20260101-120000-eeee"))
    assert removal.refusal(ended, runs) == ""
    assert removal.refusal(alive, runs) == "still running"
    assert "cannot be read" in removal.refusal(broken, runs)
    assert "link" in removal.refusal(link, runs)
    assert "not in" in removal.refusal(link.resolve(), runs)
    for run in (alive, broken, link):
        with pytest.raises(RunError, match="not deleted"):
            removal.delete(run, runs)
    assert len(run_dir.listing(runs)) == 4
    assert summary(alive).state == "running"


def test_a_deletion_that_fails_midway_tells_where_the_rest_lies(runs, monkeypatch):
    run = made(runs, "a-20260101-120000-aaaa")

    def fails(path):
        os.unlink(path / "run.db")
        raise PermissionError(13, "Permission denied", str(path / "snapshots"))

    monkeypatch.setattr(shutil, "rmtree", fails)
    with pytest.raises(RunError, match="in part") as refused:
        removal.delete(run, runs)
    assert str(runs / ".deleted-a-20260101-120000-aaaa") in refused.value.hint
    assert run_dir.listing(runs) == []


def test_rules_delete_old_ended_runs_and_spare_the_others(runs):
    names = [f"{letter}-2026010{day}-120000-aaaa" for day, letter in enumerate("abcdef", 1)]
    kinds = ({}, {}, {"done": 60, "over": False}, {"done": 60, "over": False, "live": True}, {}, {})
    made_runs = [made(runs, name, **keys) for name, keys in zip(names, kinds, strict=True)]
    without_supervisor(made_runs[2])
    run_dir.relabel(made_runs[1], note="the good one")
    for run in made_runs[:5]:
        os.utime(run / "run.db", (0, 0))
    known = [summary(run) for run in run_dir.listing(runs)]
    found = removal.prune(known, 86400.0, None)
    assert [run.path for run in found.runs] == [made_runs[4], made_runs[0]]
    assert [(run.path, why) for run, why in found.spared] == [
        (made_runs[3], "running"),
        (made_runs[2], "can be resumed"),
        (made_runs[1], "has a name or a note"),
    ]
    assert [run.path for run in removal.prune(known, None, 2).runs] == [made_runs[0]]
    assert [run.path for run in removal.prune(known, 86400.0, 0).runs] == [
        made_runs[4],
        made_runs[0],
    ]
