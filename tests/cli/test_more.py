"""`lrtui more`: which lanes it lengthens, what it sends, what it refuses."""

from __future__ import annotations

import pytest

from lrtui.core.protocol.command_result import done
from lrtui.core.protocol.commands import Lengthen
from support.fake_run import commands, make_run, trainer
from support.fake_script import make_script_run

KINDS = ("steady", "diverges", "paints", "explodes")
"""The third leads; the fourth goes NaN."""


@pytest.fixture
def live(here):
    return make_run(here / "runs", KINDS, done=60, live=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--steps", "100"], [Lengthen(2, steps=100)]),
        (["A", "--epochs", "3"], [Lengthen(0, epochs=3)]),
        (["diverges", "--steps", "1", "--reschedule"], [Lengthen(1, 1, reschedule=True)]),
        (["a", "--steps", "5", "--pause"], [Lengthen(0, 5, pause=True)]),
        (["--all", "--steps", "5"], [Lengthen(index, 5) for index in range(3)]),
    ],
)
def test_words_become_commands_to_the_lanes_that_are_meant(live, lrtui, words, expected):
    with trainer(live, done("trains on from step 60 to step 300")) as taken:
        said = lrtui("more", live.name, *words)
    assert said.code == 0
    assert taken == expected
    first = ["C paints: it leads"] if len(words) == 2 else []
    if "--all" in words:
        first = ["left out: D went NaN at step 37: it cannot train on"]
    replies = [f"{'ABC'[one.lane]}: trains on from step 60 to step 300" for one in expected]
    assert said.out.splitlines() == [*first, *replies, f"watch it with: lrtui watch {live.name}"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no length given"),
        (["--steps", "3", "--epochs", "3"], "--steps and --epochs exclude each other"),
        (["--steps", "0"], "Invalid value for '--steps'"),
        (["--steps", "some"], "Invalid value for '--steps'"),
        (["A", "--all", "--steps", "3"], "a LANE and --all exclude each other"),
        (["Z", "--steps", "3"], 'no lane "Z"'),
        (["steddy", "--steps", "3"], 'did you mean "steady"?'),
        (["D", "--steps", "3"], "D went NaN at step 37: it cannot train on"),
    ],
)
def test_bad_words_send_nothing(live, lrtui, words, said):
    found = lrtui("more", live.name, *words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert commands(live) == []


def test_script_cannot_be_lengthened(here, lrtui):
    script = make_script_run(here / "runs")
    said = lrtui("more", script.name, "--steps", "3")
    assert said.code == 2
    assert "a script cannot be lengthened" in said.err
