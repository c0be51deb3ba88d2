"""The report on a race of scripts: tables, page and files, with what its scripts logged."""

from __future__ import annotations

import csv
import json

import pytest
from rich.console import Console

from lrtui.client.follower import Follower
from lrtui.report.export import export
from lrtui.report.page import page
from lrtui.report.page_data import page_data
from lrtui.report.text import print_report
from support.fake_run import make_run, say
from support.fake_script import logged, make_script_race, make_script_run, script_started


@pytest.fixture
def run(tmp_path):
    """Three scripts that are over."""
    return make_script_run(tmp_path / "runs", over="finished", live=False)


def read(run):
    follower = Follower(run)
    follower.finish()
    return follower


def printed(run, width=160):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    follower = read(run)
    print_report(console, follower.state, run)
    return console.export_text()


def test_the_printed_report_names_optimizers_and_rates_that_were_seen(tmp_path):
    race = make_script_race((0.0, 1e-3))
    text = printed(make_script_run(tmp_path, race, over="finished", live=False))
    assert "AdamW" in text
    assert "0.0003" in text
    assert "Fair: A, B began with the same weights" in text
    assert "nothing in its losses speaks against its rate" in text


def test_lanes_that_never_began_have_no_invented_numbers(tmp_path):
    race = make_script_race((0.0,))
    text = printed(make_script_run(tmp_path, race, steps=(0,), live=False))
    assert "its own rate" in text
    assert "lr 0 " not in text


class TestThePage:
    def test_it_shows_commands_and_no_unknown_facts(self, run):
        text = page(read(run))
        assert "lrtui race race.toml" in text
        assert "[script]" in text
        for word in ("batch 32", "torch and as many threads"):
            assert word not in text
        assert "seed 0" in text
        assert "AdamW" in text

    def test_of_a_watched_script_it_shows_how_it_was_started(self, tmp_path):
        race = make_script_race((0.0,), supervised=False, seeded=False)
        text = page(read(make_script_run(tmp_path, race, over="finished", live=False)))
        assert "The script was started as" in text
        assert "python train.py" in text
        assert "race.toml" not in text

    def test_its_axes_are_those_of_a_script(self, run):
        assert page_data(read(run).state)["axes"] == ("step", "wall", "time")

    def test_it_draws_what_was_logged(self, run):
        data = page_data(read(run).state)
        names = [one["name"] for one in data["quantities"]]
        assert {"val_loss", "acc"} <= set(names)
        assert data["lanes"][0]["curves"]["val_loss"]["columns"] == 6

    def test_a_task_has_all_axes_and_its_scenario(self, tmp_path):
        follower = read(make_run(tmp_path))
        assert len(page_data(follower.state)["axes"]) == 5
        assert "race.toml" in page(follower)


class TestTheExport:
    def test_logged_numbers_have_a_table_of_their_own(self, run, tmp_path):
        say(run, script_started(0), logged([7], step=[5.0], val_loss=[2.0]))
        export(run, tmp_path / "csv", "csv")
        with (tmp_path / "csv" / "B-logged.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["step"] for row in rows] == ["20", "40", "60", "80", "100", "120"]
        assert float(rows[0]["val_loss"]) == pytest.approx(1.5 / 21)
        assert rows[0]["acc"] == "0.5"

    def test_json_lines_hold_the_same(self, run, tmp_path):
        export(run, tmp_path / "out", "jsonl")
        lines = (tmp_path / "out" / "A-logged.jsonl").read_text().splitlines()
        assert json.loads(lines[0]) == {"step": 20, "val_loss": 1.5 / 21, "acc": 0.5}

    def test_a_name_that_is_taken_is_kept_apart(self, tmp_path):
        run = make_script_run(tmp_path / "runs", make_script_race((1e-3,)), live=False)
        say(run, logged([130], step=[5.0]))
        export(run, tmp_path / "out", "csv")
        with (tmp_path / "out" / "A-logged.csv").open() as file:
            last = list(csv.DictReader(file))[-1]
        assert (last["step"], last["logged.step"], last["acc"]) == ("130", "5.0", "")
