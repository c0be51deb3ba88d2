"""`lrtui compare`: printed, as JSON, and on a screen that only shows."""

from __future__ import annotations

import pytest

from lrtui.store import run_dir
from support.fake_run import make_run
from support.terminal import Terminal


@pytest.fixture
def runs(here):
    one = make_run(here / "runs", ("steady", "explodes"))
    other = make_run(here / "runs", ("steady", "diverges"), seed=9, batch_size=32)
    run_dir.relabel(one, name="one")
    run_dir.relabel(other, name="other", note="larger batches")
    return one, other


def test_runs_are_printed_with_differences_and_equal_lanes(lrtui, runs):
    said = lrtui("compare", "one", "other")
    assert said.code == 0
    for words in (
        "they differ in seed: 7, 9",
        "other  larger batches",
        "the same lanes by val_loss",
        "1A steady, one",
        "2A steady, other",
        "loss by step",
    ):
        assert words in said.out
    (same,) = (line for line in said.out.splitlines() if line.startswith("steady"))
    assert same.split()[1:] == ["0.07961", "0.07961", "+0.0%"]


def test_runs_as_json_have_their_lanes_in_one_ranking(lrtui, runs):
    (found,) = lrtui("compare", "one", "other", "--json").lines
    assert [(run["number"], run["name"], run["state"]) for run in found["runs"]] == [
        (1, "one", "ended"),
        (2, "other", "ended"),
    ]
    assert {"what": "seed", "values": ["7", "9"]} in found["differences"]
    assert found["same_lanes"][0] | {"values": None} == {
        "name": "steady",
        "letters": ["1A", "2A"],
        "values": None,
    }
    assert {(lane["letter"], lane["run"], lane["own_letter"]) for lane in found["lanes"]} == {
        ("1A", 1, "A"),
        ("1B", 1, "B"),
        ("2A", 2, "A"),
        ("2B", 2, "B"),
    }
    assert found["ranking"]["metric"] == "val_loss"


def test_other_tasks_are_compared_with_a_warning(lrtui, runs, here):
    make_run(here / "runs", ("steady",), task="straight-line", title="elsewhere")
    said = lrtui("compare", "one", "elsewhere")
    assert said.code == 0
    assert "straight-line (other tasks: their losses may not be comparable)" in said.out


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "0 runs to compare"),
        (["one"], "1 run to compare"),
        (["one", "one"], "named twice"),
        (["one", "nobody"], 'no run "nobody"'),
        (["one", "other"] * 4, "8 runs to compare"),
    ],
)
def test_what_cannot_be_compared_is_one_message(lrtui, runs, names, words):
    said = lrtui("compare", *names)
    assert said.code == 2
    assert said.out == ""
    assert words in said.err


@pytest.mark.xdist_group("terminal")
def test_a_screen_of_several_runs_shows_and_steers_nothing(runs, here):
    with Terminal("compare", "one", "other", runs=here / "runs") as screen:
        screen.sees("compared: 1: one; 2: other")
        screen.sees("2B diverges, other")
        screen.press("+")
        screen.sees("several runs are compared here")
        screen.press("N", "f", "x")
        screen.press("q")  # in a form it would be typed, and nothing would leave
        assert screen.leaves() == 0
