"""Where runs lie and how a person names one."""

import os

import pytest

from lrtui.core.errors import RunError
from lrtui.store import run_dir
from lrtui.store.writer import create_run
from support.builders import make_race


def make(runs, name):
    run = create_run(runs, make_race())
    return run.rename(run.with_name(name))


def test_runs_folder_is_the_argument_then_environment_then_platform(tmp_path, monkeypatch):
    monkeypatch.setenv("LRTUI_RUNS", str(tmp_path / "variable"))
    assert run_dir.runs_folder(str(tmp_path / "given")) == tmp_path / "given"
    assert run_dir.runs_folder() == tmp_path / "variable"
    monkeypatch.setenv("LRTUI_RUNS", "")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert run_dir.runs_folder().name == "runs"
    monkeypatch.chdir(tmp_path)
    assert run_dir.runs_folder("near") == tmp_path / "near"


def test_a_runs_name_says_its_scenario_and_its_time(tmp_path):
    name = run_dir.create(tmp_path, "lr-dial").name
    assert run_dir.re.fullmatch(r"lr-dial-\d{8}-\d{6}-[0-9a-f]{4}", name)


@pytest.mark.parametrize(
    ("scenario", "beginning"),
    [
        ("../../etc/passwd", "etc-passwd-"),
        ("a b\x1b[31mc", "a-b-31mc-"),
        ("", "race-"),
        ("..", "race-"),
        ("x" * 300, "x" * 40 + "-"),
        ("größe", "gr-e-"),
    ],
)
def test_a_strange_scenario_name_makes_a_harmless_folder(scenario, beginning, tmp_path):
    run = run_dir.create(tmp_path, scenario)
    assert run.parent == tmp_path
    assert run.name.startswith(beginning)


def test_two_runs_of_the_same_second_are_two(tmp_path):
    assert len({run_dir.create(tmp_path, "same") for _ in range(20)}) == 20


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="--runs"):
        run_dir.create(tmp_path / "file" / "runs", "x")


def test_runs_are_listed_newest_first_and_other_folders_are_not(tmp_path):
    names = ["b-20260101-120000-aaaa", "a-20260102-120000-bbbb", "c-20251231-235959-cccc"]
    made = {name: make(tmp_path, name) for name in names}
    (tmp_path / "z-20270101-000000-dddd").mkdir()
    make(tmp_path, ".deleted-z-20270101-000000-dddd")  # its deletion was cut off
    (tmp_path / "notes.txt").write_text("no run")
    assert run_dir.listing(tmp_path) == [made[name] for name in (names[1], names[0], names[2])]


def test_a_renamed_run_goes_by_its_age(tmp_path):
    stamped, renamed = make(tmp_path, "a-20260102-120000-bbbb"), make(tmp_path, "my best run")
    os.utime(renamed, (0, 0))
    assert run_dir.listing(tmp_path) == [stamped, renamed]
    os.utime(renamed, (4e9, 4e9))
    assert run_dir.listing(tmp_path) == [renamed, stamped]


def test_a_folder_that_is_not_there_has_no_runs(tmp_path):
    assert run_dir.listing(tmp_path / "nowhere") == []


def test_run_is_found_by_path_name_prefix_or_as_the_newest(tmp_path, monkeypatch):
    old, new = (
        make(tmp_path, "decades-20260101-120000-aaaa"),
        make(tmp_path, "decades-20260102-120000-bbbb"),
    )
    other = make(tmp_path, "linear-20250101-000000-cccc")
    assert run_dir.find(None, tmp_path) == new
    assert run_dir.find("decades", tmp_path) == new
    assert run_dir.find("decades-20260101", tmp_path) == old
    assert run_dir.find(other.name, tmp_path) == other
    assert run_dir.find(str(other), tmp_path / "elsewhere") == other
    monkeypatch.chdir(tmp_path)
    assert run_dir.find(other.name, tmp_path / "elsewhere") == other
    with pytest.raises(RunError, match='2 runs have names that begin with "decades"'):
        run_dir.find("decades", tmp_path, newest=False)
    assert run_dir.find("decades-20260101", tmp_path, newest=False) == old
    with pytest.raises(RunError, match="without a name"):
        run_dir.find("", tmp_path)


def test_a_run_that_is_not_there_is_told_with_the_nearest(tmp_path):
    make(tmp_path, "linear-20250101-000000-cccc")
    with pytest.raises(RunError, match='did you mean "linear-20250101-000000-cccc"') as refused:
        run_dir.find("liner-20250101-000000-cccc\x1b[31m", tmp_path)
    assert "\x1b" not in str(refused.value)
    with pytest.raises(RunError, match="no runs in"):
        run_dir.find(None, tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["x" * 300, "~nobody-is-called-so/run"])
def test_a_name_that_no_file_can_have_is_no_run(name, tmp_path):
    with pytest.raises(RunError, match="no run"):
        run_dir.find(name, tmp_path)


def test_a_folder_that_may_not_be_looked_into_hides_no_run(tmp_path, monkeypatch):
    run, other = (
        make(tmp_path, "mine-20260101-000000-aaaa"),
        make(tmp_path, "yours-20260101-000000-bbbb"),
    )
    look = os.stat

    def refused(path, **keys):
        if str(path).startswith(str(other)):
            raise PermissionError
        return look(path, **keys)

    monkeypatch.setattr(os, "stat", refused)
    assert run_dir.listing(tmp_path) == [run]
