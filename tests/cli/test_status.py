"""One look at a run: `lrtui status`, `lrtui watch --once` and `lrtui report --json`."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from lrtui.manual import page
from lrtui.store import run_dir
from support.fake_run import make_run, without_supervisor


@pytest.fixture
def run(here: Path) -> Path:
    return make_run(here / "runs", ("explodes", "steady", "breaks"))


def test_a_state_has_a_row_for_each_lane_in_its_order(lrtui, run):
    said = lrtui("status")
    about, heads, *rows = said.out.splitlines()
    assert said.code == 0
    assert about.startswith(f"{run.name} · A fake race · ended · 10 epochs")
    assert heads.split() == ["lane", "status", "step", "rate", "↓val_loss", "verdict", "ETA"]
    assert [row.split()[:5] for row in rows] == [
        ["1", "B", "steady", "finished", "200/200"],
        ["2", "C", "breaks", "error", "10/200"],
        ["3", "A", "explodes", "nan", "38/200"],
    ]


def test_a_state_as_json_is_one_object_of_the_fields_of_the_manual(lrtui, run):
    run_dir.relabel(run, "base", "a note")
    (state,) = lrtui("status", "base", "--json").lines
    documented = re.findall(r"^\| ([\w.\[\]]+)", page("agents").text, re.MULTILINE)
    nested = {f"lanes[].{key}" for lane in state["lanes"] for key in lane}
    nested |= {f"ranking.{key}" for key in state["ranking"]}
    nested |= {f"ranking.standings[].{key}" for key in state["ranking"]["standings"][0]}
    assert set(documented) - {"field"} == set(state) | nested
    assert (state["run"], state["name"], state["note"]) == (str(run), "base", "a note")
    assert (state["state"], state["over"], state["leader"]) == ("ended", True, "B")
    assert (state["ranking"]["metric"], state["ranking"]["best"]) == ("val_loss", "min")
    first, second, third = state["lanes"]
    assert (first["place"], first["letter"], first["steps"], first["total_steps"]) == (
        *(1, "B", 200),
        200,
    )
    assert first["value"] == first["metrics"]["val_loss"]
    assert second["error"] == "ValueError: [bold]no[/bold] red end"
    assert third["value"] == "NaN"
    assert state["sentences"][0].startswith("B steady")


def test_a_live_race_has_its_time_left_and_no_sentences(lrtui, here):
    make_run(here / "runs", ("steady", "rests"), done=100, over=False, live=True)
    (state,) = lrtui("watch", "--once", "--json").lines
    assert (state["state"], state["over"], state["sentences"]) == ("running", False, [])
    running, paused = sorted(state["lanes"], key=lambda lane: lane["letter"])
    # 100 steps left at 20 a second
    assert math.isclose(running["eta_s"], 5.0, rel_tol=0.1)
    assert paused["eta_s"] is None
    assert state["eta_s"] == running["eta_s"]
    assert "running" in lrtui("status").out
    assert lrtui("watch", "--once", "--plain").out == lrtui("status").out


def test_a_cut_off_run_says_how_it_goes_on(lrtui, here):
    run = without_supervisor(make_run(here / "runs", ("steady",), done=60, over=False, live=True))
    (state,) = lrtui("status", "--json").lines
    assert (state["state"], state["resumable"]) == ("cut off", True)
    assert state["lanes"][0]["status"] == "interrupted"
    assert f"lrtui resume {run.name} goes on" in state["trouble"]
    assert state["trouble"] in lrtui("status").out


def test_a_frame_in_a_pipe_is_a_screen_of_80_by_24(lrtui, run):
    said = lrtui("watch", "--once")
    lines = said.out.splitlines()
    assert len(lines) == 24
    assert max(map(len, lines)) <= 80
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said.out)
    assert lines[0].startswith(" A fake race · over")
    assert any(line.startswith("  # lane") for line in lines)


def test_a_report_as_json_is_the_last_line_of_the_race_as_json(lrtui, run, here):
    (report,) = lrtui("report", "--json").lines
    assert report == lrtui("watch", "--json").lines[-1]
    said = lrtui("report", "--json", "--html", "page.html")
    assert said.lines == [report]
    assert (here / "page.html").exists()


@pytest.mark.parametrize("args", [["status", "nobody"], ["watch", "--once", "nobody"]])
def test_a_run_that_is_not_there_is_one_message(lrtui, run, args):
    said = lrtui(*args)
    assert said.code == 2
    assert said.out == ""
    assert said.err.count("\n") == 2
