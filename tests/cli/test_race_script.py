"""`lrtui race` of scripts: which words and flags make which lanes, and races to their ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lrtui.cli import race as race_command, race_flags
from lrtui.cli.race_flags import ScriptFlags
from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.scenario.spec import Race
from support.command import curves, race
from support.pages import files
from support.script_races import RECORDING

TUNING = """
title = "Tuning"
steps = 9
seed = 4
[script]
file = "../train.py"
args = ["--bs", "{bs}"]
vary = { bs = [16, 32] }
[sweep]
lr = [1e-3]
"""
FRONT = {
    *("trainers", "on_event", "on_alert", "called", "note", "runs", "plain", "as_json"),
    *("theme", "colors", "glyphs", "fps"),
}


def asked(*args: str) -> Race:
    """The race that `lrtui race ARGS` asks for."""
    context = race_command.race.make_context("race", list(args))
    flags = {key: value for key, value in context.params.items() if key not in FRONT}
    script = ScriptFlags(**{key: flags.pop(key) for key in ScriptFlags._fields})
    with context:
        return race_flags.read_race(flags.pop("name"), flags, script)


def names(race: Race) -> list[str]:
    return [lane.called for lane in race.lanes]


@pytest.fixture
def script(here: Path) -> Path:
    """A script in the working folder, and a scenario of it."""
    (here / "train.py").write_text("print('hello')\n")
    (here / "scenarios").mkdir()
    (here / "scenarios" / "tuning.toml").write_text(TUNING)
    return here / "train.py"


class TestWords:
    def test_each_rate_is_a_lane_and_words_behind_dashes_are_arguments(self, script):
        race = asked("train.py", "--lr", "1e-2", "--steps", "5", "--lr", "1e-3", "--", "--lr", "--")
        assert names(race) == ["A lr=0.01", "B lr=0.001"]
        assert race.script.command == (sys.executable, str(script), "--lr", "--")
        assert (race.steps, race.seed, race.script.seeded) == (5, 0, True)

    def test_without_a_script_the_words_are_a_program(self, script):
        race = asked("--lr", "0.1", "--", "torchrun", "--nproc-per-node", "2", "train.py")
        assert race.script.command == ("torchrun", "--nproc-per-node", "2", "train.py")
        assert (race.title, race.scenario) == ("torchrun train.py", "train")

    def test_module(self, here):
        race = asked("-m", "package.train", "--lr", "0.1", "--", "-v")
        assert race.script.command == (sys.executable, "-m", "package.train", "-v")

    def test_varied_values_fill_their_names(self, script):
        race = asked(
            "train.py",
            *("--vary", "lr=1e-3,1e-4", "--vary", "bs=16", "--vary", "bs=32"),
            *("--", "--lr={lr}", "--bs", "{bs}", "{{bs}}"),
        )
        assert names(race) == [
            "A lr=1e-3 bs=16",
            "B lr=1e-3 bs=32",
            "C lr=1e-4 bs=16",
            "D lr=1e-4 bs=32",
        ]
        assert race.script.command_of(race.lanes[3])[2:] == ["--lr=1e-4", "--bs", "32", "{bs}"]
        assert {lane.lr for lane in race.lanes} == {0.0}

    def test_settings(self, script):
        race = asked("train.py", "--lr", "1", "--at-once", "2", "--no-seed", "--on-nan", "stop")
        assert (race.script.at_once, race.script.seeded, race.on_nan) == (2, False, "stop")
        assert asked("train.py", "--lr", "1", "--seed", "3").seed == 3
        assert asked("train.py", "--lr", "1", "--set", "script.at_once=1").script.at_once == 1

    def test_flags_change_the_scenario_of_a_script(self, script):
        race = asked("tuning", "--lr", "0.5", "--lr", "1", "--steps", "3", "--", "-x")
        assert names(race) == ["A lr=0.5 bs=16", "B lr=0.5 bs=32", "C lr=1 bs=16", "D lr=1 bs=32"]
        assert race.script.command == (sys.executable, str(script), "--bs", "{bs}", "-x")
        assert (race.title, race.steps, race.seed, race.scenario) == ("Tuning", 3, 4, "tuning")
        assert names(asked("tuning", "--vary", "bs=1")) == ["A lr=0.001 bs=1"]
        assert not asked("tuning", "--no-seed").script.seeded

    def test_header_of_a_script_is_a_race_that_flags_change(self, script):
        script.write_text(
            '# /// script\n# [tool.lrtui]\n# lr = [1, 2]\n# args = ["-a"]\n# seed = 5\n# ///\n'
        )
        race = asked("train.py")
        assert (names(race), race.seed) == (["A lr=1", "B lr=2"], 5)
        race = asked("train.py", "--lr", "3", "--", "-b")
        assert (names(race), race.script.command[2:]) == (["A lr=3"], ("-a", "-b"))


REFUSALS = [
    (["train.py"], "train.py: no rates given", "lrtui race train.py --lr 1e-2 --lr 1e-3 -- ARGS"),
    (["--", "torchrun"], "torchrun: no rates given", "`lrtui run` watches one lane"),
    (["--"], "nothing to run", "lrtui race train.py"),
    (["-m", "--lr", "1"], "-m: no module", "lrtui race"),
    (["nothing.py", "--lr", "1"], "script.file: no file ", "the path of a Python script"),
    (
        ["train.py", "--lr", "1", "--epochs", "3"],
        "--epochs: a script has its own epochs",
        "--steps",
    ),
    (["train.py", "--lr", "1", "--optimizer", "SGD"], "--optimizer: a script makes", "after --"),
    (["train.py", "--lr", "1", "--schedule", "cosine"], "--schedule: a script", "after --"),
    (["train.py", "--lr", "1", "--batch-size", "3"], "--batch-size: a script", "after --"),
    (["train.py", "--lr", "1", "--device", "cpu"], "--device: a script chooses", "after --"),
    (["train.py", "--lr", "1", "--ema", "0.9"], "--ema: a script makes its steps", "after --"),
    (["train.py", "--lr", "1", "--no-compile"], "--compile: a script makes", "after --"),
    (["train.py", "--lr", "1", "--task", "x:Y"], "--task: a script is raced without", "not both"),
    (["train.py", "--lr", "1", "--on-divergence", "stop"], "--on-divergence: ", "--on-nan stop"),
    (["train.py", "--lr", "1", "--trainers", "2"], "--trainers: a script has", "--at-once N"),
    (["tuning", "--epochs", "3"], "--epochs: a script has its own epochs", "--steps"),
    (["train.py", "--lr", "0"], "--lr: 0 is not a valid learning rate", "above 0"),
    (["train.py", "--lr", "1", "--on-nan", "rewind"], 'on_nan: "rewind" is an', '"warn" or "stop"'),
    (["train.py", "--vary", "x"], '"x" names no values', "NAME=V1,V2"),
    (["train.py", "--vary", "x=1"], "{x} stands in no argument", "{x} in the script's arguments"),
    (["train.py", "--lr", "1", "--", "{x}"], "no value for {x}", "--vary x=..."),
    (["train.py", "--lr", "1", "--seed", "1", "--no-seed"], "exclude each other", "one of the two"),
    (
        ["train.py", "--lr", "1", "--set", "pace=3"],
        "pace: not possible for a script",
        "no such key",
    ),
    (["lr-dial", "--vary", "x=1"], "--vary: not for the scenario lr-dial", "lrtui race train.py"),
    (["lr-dial", "--at-once", "1"], "--at-once: not for the scenario", "lrtui race train.py"),
    (["lr-dial", "--no-seed"], "--no-seed: not for the scenario", "lrtui race train.py"),
    (["lr-dial", "--", "x"], "the words after --: not for the scenario", "lrtui race train.py"),
]


@pytest.mark.parametrize(("args", "said", "way_on"), REFUSALS, ids=lambda given: str(given)[:50])
def test_what_cannot_be_raced_is_refused_with_a_way_on(script, args, said, way_on):
    with pytest.raises(LrtuiError) as refused:
        asked(*args)
    assert said in refused.value.message
    assert way_on in refused.value.hint


def test_argument_before_the_dashes_is_refused(lrtui, script):
    said = lrtui("race", "train.py", "more", "--lr", "1")
    assert said.code == 2
    assert 'unexpected argument "more": those of a script go after --' in said.err


@pytest.mark.parametrize("command", ["find", "schedule"])
def test_finder_and_schedules_are_not_for_scripts(lrtui, script, command):
    said = lrtui(command, "tuning")
    assert said.code == 2
    assert said.err.startswith("lrtui: ")
    assert "script" in said.err
    assert "Traceback" not in said.err


def test_finder_of_a_python_file_says_what_to_do_instead(lrtui, script):
    said = lrtui("find", "train.py")
    assert said.code == 2
    assert "lrtui race train.py --lr 1e-2 --lr 1e-3" in said.err


def test_lanes_wait_for_their_turn_and_end_with_their_own_codes(tmp_path):
    said = race(
        *("--json", "--at-once", "1", "--vary", "code=0,3"),
        *("--", sys.executable, RECORDING, "steps=3", "exit={code}"),
        runs=tmp_path,
    )
    assert said.code == 0
    ends = [line for line in said.lines if line["event"] == "end"]
    assert [(end["lane"], end["reason"], end["exit_code"]) for end in ends] == [
        ("A", "finished", 0),
        ("B", "error", 3),
    ]
    (first,) = (line for line in said.lines if line["event"] == "race")
    assert [lane["values"] for lane in first["lanes"]] == [{"code": "0"}, {"code": "3"}]
    order = [
        (line["event"], line["lane"]) for line in said.lines if line["event"] in ("start", "end")
    ]
    assert order == [("start", "A"), ("end", "A"), ("start", "B"), ("end", "B")]


def test_script_of_the_manual_races_unchanged_at_three_rates(tmp_path):
    """With torch: the rate that is asked for is applied, from equal weights."""
    (tmp_path / "train.py").write_text(files()["train.py"])
    rates = [1e-1, 1e-2, 1e-3]
    said = race(
        *("train.py", *(word for rate in rates for word in ("--lr", str(rate)))),
        *("--json", "--steps", "20", "--", "--epochs", "3", "--learning-rate", "0.5"),
        runs=tmp_path / "runs",
        cwd=tmp_path,
    )
    assert said.code == 0, said.err
    found = curves(said.lines)
    for letter, rate in zip("ABC", rates, strict=True):
        assert found[letter, "applied_lr"] == pytest.approx([rate] * 20)
        assert len(found[letter, "loss"]) == 20
    assert len({found[letter, "loss"][0] for letter in "ABC"}) == 1
    starts = [line for line in said.lines if line["event"] == "start"]
    assert {start["optimizer"] for start in starts} == {"Adam"}
    assert {start["lr"] for start in starts} == {0.5}
    assert len({start["init_checksum"] for start in starts}) == 1
    assert [line["status"] for line in said.lines[-1]["lanes"]] == ["finished"] * 3
    printed = [line["text"] for line in said.lines if line["event"] == "output"]
    assert any(text.startswith("epoch 0: ") for text in printed)
    assert json.dumps(said.lines)


def test_scenario_with_a_script_that_is_gone_is_refused(script):
    script.unlink()
    with pytest.raises(ScenarioError, match="no file "):
        asked("tuning")
