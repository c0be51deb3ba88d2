"""`lrtui report` and `lrtui export` as commands: what they print, what they write, what they
refuse."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from lrtui.cli import main
from lrtui.core.scenario.scenario_file import load
from lrtui.store.run_dir import SUPERVISOR_ROLE
from support.fake_run import KINDS, gone, make_run


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run, the only one there is, in an otherwise empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRTUI_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "100")
    return make_run(
        tmp_path / "runs",
        tuple(kind for kind in KINDS if kind != "rests"),
        title="[bold]A race[/bold]",
    )


@pytest.fixture
def lrtui(run: Path, capfd: pytest.CaptureFixture[str]):
    """Runs a command in this process."""

    def command(*args: str) -> Said:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(args))
        return Said(int(left.value.code or 0), *capfd.readouterr())

    return command


class TestRates:
    def test_chart_and_scenario_that_widens_it_are_written(self, lrtui, tmp_path):
        said = lrtui("report", "--rates-svg", "rates.svg", "--widen", "wide.toml")
        assert (said.code, said.err) == (0, "")
        assert "widen to" in said.out
        ElementTree.parse(tmp_path / "rates.svg")
        assert load(str(tmp_path / "wide.toml")).title.startswith("Widened to ")

    @pytest.mark.parametrize(
        ("kinds", "flag", "why"),
        [
            (("steady",), "--rates-svg", "One learning rate was raced, 0.1"),
            (("steady",), "--widen", "there is nothing to widen: one learning rate was raced"),
            (
                ("rests", "steady", "rests"),
                "--widen",
                "there is nothing to widen: worse rates than the best, 0.01",
            ),
        ],
    )
    def test_without_a_chart_or_an_edge_nothing_is_written(self, lrtui, tmp_path, kinds, flag, why):
        run = make_run(tmp_path / "runs", kinds, title="[bold]A race[/bold]")
        said = lrtui("report", run.name, flag, "file", "--html", "page.html")
        assert said.code == 2
        assert said.err.startswith(f"lrtui: {flag}: {why}")
        assert "\nexpected a run " in said.err
        assert os.listdir(tmp_path) == ["runs"]

    def test_one_file_for_two_outputs_is_refused(self, lrtui):
        said = lrtui("report", "--rates-svg", "x", "--widen", "./x")
        assert said.code == 2
        assert "expected a file for each: --rates-svg FILE --widen ANOTHER" in said.err


class TestReport:
    def test_it_prints_the_end_of_the_newest_race_and_nothing_else(self, lrtui, run, tmp_path):
        said = lrtui("report")
        assert (said.code, said.err) == (0, "")
        assert said.out.lstrip().startswith("[bold]A race[/bold]")
        for words in ("won: val_loss", "loss by step", f"run: {run}"):
            assert words in said.out
        assert os.listdir(tmp_path) == ["runs"]

    @pytest.mark.parametrize(
        ("live", "way"),
        [(True, "to watch it: lrtui watch"), (False, "to go on with it: lrtui resume")],
    )
    def test_it_says_the_way_back_to_a_race_that_is_not_over(self, lrtui, tmp_path, live, way):
        run = make_run(tmp_path / "runs", ("steady",), done=40, over=False, live=live)
        said = lrtui("report", run.name)
        assert said.code == 0
        assert said.out.endswith(f"the race is not over; {way} {run.name}\n")

    def test_page_and_chart_are_written_whole_and_can_be_read_by_others(self, lrtui, tmp_path):
        (tmp_path / "chart.svg").write_text("what was there before")
        said = lrtui("report", "--html", "page.html", "--svg", "chart.svg")
        assert said.code == 0
        assert re.search(rf"^page: {tmp_path}/page\.html \([\d.]+ kB\)$", said.out, re.MULTILINE)
        assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
        ElementTree.parse(tmp_path / "chart.svg")
        assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o644
        assert sorted(os.listdir(tmp_path)) == ["chart.svg", "page.html", "runs"]

    @pytest.mark.parametrize("name", ["nowhere/page.html", "runs"])
    def test_a_place_where_nothing_can_be_written_is_named(self, lrtui, tmp_path, name):
        said = lrtui("report", "--html", name)
        assert said.code == 2
        assert said.err.startswith(f"lrtui: {tmp_path / name}: ")
        assert os.listdir(tmp_path) == ["runs"]


class TestExport:
    @pytest.mark.parametrize("form", ["csv", "jsonl"])
    def test_it_says_what_it_has_written(self, lrtui, tmp_path, form):
        said = lrtui("export", f"--{form}", "out")
        assert (said.code, said.err) == (0, "")
        files = list((tmp_path / "out").iterdir())
        assert re.fullmatch(rf"{tmp_path}/out: {len(files)} files, [\d.]+ kB\n", said.out)
        assert {"race.json", f"A-steps.{form}"} <= {path.name for path in files}

    def test_a_folder_that_holds_something_needs_force(self, lrtui, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "notes").write_text("mine")
        said = lrtui("export", "--csv", "out")
        assert (said.code, said.out) == (2, "")
        assert "the folder is not empty" in said.err
        assert "--force" in said.err
        assert lrtui("export", "--csv", "out", "--force").code == 0
        assert (tmp_path / "out" / "notes").read_text() == "mine"

    def test_without_a_folder_it_asks_for_one(self, lrtui):
        said = lrtui("export")
        assert said.code == 2
        assert "--csv DIR or --jsonl DIR" in said.err


@pytest.mark.parametrize("command", [["report", "nothing"], ["export", "nothing", "--csv", "out"]])
def test_a_run_that_is_not_there_is_no_race(lrtui, command):
    said = lrtui(*command)
    assert said.code == 2
    assert 'no run "nothing"' in said.err


def test_the_lanes_of_a_supervisor_that_died_count_as_interrupted_at_once(lrtui, tmp_path):
    run = make_run(tmp_path / "runs", ("steady", "diverges"), done=60, over=False)
    gone(run, SUPERVISOR_ROLE)
    said = lrtui("report", run.name, "--html", "page.html")
    assert said.out.count("interrupted") >= 3
    assert f"the race is not over; to go on with it: lrtui resume {run.name}" in said.out
    assert "The race was interrupted, and can be resumed." in said.out
    assert "The race was interrupted, and can be resumed." in (tmp_path / "page.html").read_text(
        encoding="utf-8"
    )


def test_a_file_without_a_name_is_not_taken_for_none(lrtui, tmp_path):
    assert lrtui("report", "--html", "").err.startswith(f"lrtui: {tmp_path}: not a file")
    assert lrtui("export", "--csv", "", "--jsonl", "out").code == 2
    assert os.listdir(tmp_path) == ["runs"]


def test_page_and_chart_need_a_file_each(lrtui, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "other").symlink_to("there/x")
    before = sorted(os.listdir(tmp_path))
    for one, other in (
        ("x", "./x"),
        ("x", str(tmp_path / "x")),
        ("there/x", "link/x"),
        ("there/x", "other"),
    ):
        said = lrtui("report", "--html", one, "--svg", other)
        assert (said.code, said.out) == (2, "")
        assert "one file for both" in said.err
        assert "--html FILE --svg ANOTHER" in said.err
    assert sorted(os.listdir(tmp_path)) == before
    assert os.listdir(tmp_path / "there") == []
    assert lrtui("report", "--html", "x.html", "--svg", "x.svg").code == 0


def test_both_forms_need_a_folder_each(lrtui, tmp_path):
    said = lrtui("export", "--csv", "out", "--jsonl", "./out", "--force")
    assert said.code == 2
    assert "one folder for both" in said.err
    assert os.listdir(tmp_path) == ["runs"]


def test_a_link_stays_one_and_any_name_will_do(lrtui, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "page.html").write_text("before")
    (tmp_path / "page.html").symlink_to(tmp_path / "there" / "page.html")
    (tmp_path / "out").symlink_to(tmp_path / "there" / "csv")
    long = "x" * 250
    assert lrtui("report", "--html", "page.html", "--svg", "~nobody-is-called-so").code == 0
    assert lrtui("export", "--csv", "out", "--jsonl", long).code == 0
    assert (tmp_path / "page.html").is_symlink()
    assert (
        (tmp_path / "there" / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    )
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "there" / "csv" / "race.json").is_file()
    assert (tmp_path / long / "race.json").is_file()
    assert (tmp_path / "~nobody-is-called-so").is_file()
