"""The shell command that starts a script again: `lrtui run` reads it back as the same script."""

import shlex
import sys

import msgspec
import pytest

from lrtui.cli import run as run_command
from lrtui.client.script_again import again
from lrtui.core.protocol.events import Ended
from lrtui.core.scenario.spec import Lane, OptimizerSpec, Race, Script, TaskRef, letter
from lrtui.store.writer import create_run
from support.fake_run import say

OUTSIDE = {
    *("on_event", "on_alert", "runs", "plain", "as_json", "detach", "show"),
    *("theme", "colors", "glyphs", "fps"),
}


def make_race(command, target, rates=(0.0,), script=None, **keys):
    """A race that runs a command at each rate."""
    lanes = tuple(
        Lane(letter(index), f"lane {index}", OptimizerSpec(""), rate, values={"x": str(index)})
        for index, rate in enumerate(rates)
    )
    return Race(
        "again",
        TaskRef("script", target, "again"),
        lanes,
        script=Script(tuple(command), **(script or {})),
        **{"on_nan": "warn", **keys},
    )


def read_back(words):
    """The race that `lrtui run` makes of a command line."""
    assert words[:2] == ["lrtui", "run"]
    params = run_command.run.make_context("run", words[2:]).params
    return run_command.read_run(**{name: params[name] for name in params if name not in OUTSIDE})


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my train.py"
    path.write_text("")
    return str(path)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"rates": (1 / 3,)},
        {"seed": 7, "steps": 100, "on_nan": "stop"},
        {"script": {"seeded": False}},
    ],
)
@pytest.mark.parametrize("kind", ["file", "module", "program"])
def test_command_is_read_back_as_the_same_script(tmp_path, script, kind, keys):
    command, target = {
        "file": ([sys.executable, script, "--x", "{x}", "a b"], script),
        "module": ([sys.executable, "-m", "pkg.train", "--lr", "1"], "pkg.train"),
        "program": (["torchrun", "--nproc", "2", script, "$HOME"], "torchrun"),
    }[kind]
    race = make_race(command, target, **keys)
    found = read_back(shlex.split(again(create_run(tmp_path / "runs", race), race)))
    assert found.script.command_of(found.lanes[0]) == race.script.command_of(race.lanes[0])
    for name in ("seed", "steps", "on_nan"):
        assert getattr(found, name) == getattr(race, name), name
    assert found.lanes[0].lr == race.lanes[0].lr
    assert found.script.seeded == race.script.seeded


def test_variables_of_the_script_stand_before_it(tmp_path, script):
    env = {"DATA": "/a b", "LEVEL": "{x}"}
    race = make_race([sys.executable, script], script, script={"env": env})
    words = shlex.split(again(create_run(tmp_path / "runs", race), race))
    assert words == ["env", "DATA=/a b", "LEVEL=0", "lrtui", "run", script]


def test_lanes_that_did_not_end_by_themselves_are_named(tmp_path, script):
    race = make_race([sys.executable, script, "{x}"], script, rates=(0.1, 0.2, 0.3))
    race = msgspec.structs.replace(race, folder=str(tmp_path.parent))
    run = create_run(tmp_path / "runs", race)
    say(run, Ended(lane=1, step=5, reason="finished"), Ended(lane=2, step=5, reason="interrupted"))
    parts = [shlex.split(part) for part in again(run, race).split("; ")]
    assert parts == [
        ["cd", str(tmp_path.parent)],
        ["lrtui", "run", "--lr", "0.1", script, "0"],
        ["lrtui", "run", "--lr", "0.3", script, "2"],
    ]


def test_script_that_was_started_by_its_user_is_started_as_it_was(tmp_path, script):
    race = make_race([sys.executable, script], script, script={"supervised": False})
    assert again(create_run(tmp_path / "runs", race), race) == shlex.join([sys.executable, script])
