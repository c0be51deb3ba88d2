"""Exit codes, one short message for an error of the user, and what stands on stdout and stderr."""

from __future__ import annotations

import re
import sqlite3
import tomllib
from pathlib import Path

import pytest

from lrtui.core.scenario import scenario_file
from support.command import Said
from support.fake_run import make_run

BAD_FILES = {
    "latin.toml": b'title = "caf\xe9"',
    "notes.toml": b"this is no TOML",
    "empty.toml": b"",
    "type.toml": 'lr = "fast"',
    "key.toml": "lr = 0.1\nspeed = 3",
    "top.toml": b'task = "straight-line"\nsteps = 3\nspeed = 3\n[[lane]]\nlr = 0.1',
    "optimizer.toml": 'optimizer = "Adamm"',
    "length.toml": 'schedule = "CosineAnnealingLR(T_max=0)"',
    "schedule.toml": 'schedule = { name = "StepLRR", step_size = 2 }',
    "option.toml": 'optimizer = "SGD"\nmomentumm = 0.9',
    "negative.toml": "lr = -0.1",
    "nan.toml": "lr = nan",
    "infinite.toml": "lr = inf",
    "twins.toml": 'name = "a"\n[[lane]]\nname = "a"',
    "nolanes.toml": b'task = "straight-line"\nsteps = 3',
    "notask.toml": b"steps = 3\n[[lane]]\nlr = 0.1",
    "lost.toml": b'task = "lost.py:Task"\nsteps = 3\n[[lane]]\nlr = 0.1',
    "nobudget.toml": b'task = "straight-line"\n[[lane]]\nlr = 0.1',
    "zero.toml": b'task = "straight-line"\nepochs = 0\n[[lane]]\nlr = 0.1',
    "both.toml": b'task = "straight-line"\nepochs = 1\nsteps = 1\n[[lane]]\nlr = 0.1',
    "escape.toml": '"\\u001b[31mred" = 1',
    "deep.toml": b"a = " + b"[" * 5000,
}
"""A str is one lane of an otherwise good scenario."""
BAD_ARGS = [
    ["race"],
    ["race", "nosuch"],
    ["race", "lost.toml"],
    ["race", "./"],
    ["race", "../scenarios"],
    ["race", ""],
    ["race", "explode", "--lr", "0"],
    ["race", "explode", "--lr", "abc"],
    ["race", "explode", "--lr", "-1"],
    ["race", "explode", "--lr", "nan"],
    ["race", "explode", "--lr", "inf"],
    ["race", "explode", "--optimizer", "Nope"],
    ["race", "explode", "--schedule", "Nope"],
    ["race", "explode", "--schedule", "StepLR("],
    ["race", "explode", "--epochs", "0"],
    ["race", "explode", "--steps", "0"],
    ["race", "explode", "--steps", "1.5"],
    ["race", "explode", "--epochs", "1", "--steps", "1"],
    ["race", "explode", "--batch-size", "0"],
    ["race", "explode", "--seed", "-1"],
    ["race", "explode", "--device", "tpu"],
    ["race", "explode", "--set", "nonsense"],
    ["race", "explode", "--set", "=1"],
    ["race", "explode", "--set", "lane.lr=1"],
    ["race", "explode", "--set", "x.y.z=1"],
    ["race", "explode", "--set", "pace=-1"],
    ["race", "explode", "--set", "title=3"],
    ["race", "explode", "--on-divergence", "pause", "--plain"],
    ["race", "explode", "--on-nan", "pause"],
    ["race", "explode", "--trainers", "0"],
    ["race", "explode", "--task", "nope"],
    ["race", "explode", "--task", "nope.py:Nope"],
    ["race", "explode", "--task", "json:Nope"],
    ["race", "--task", "nope"],
    ["race", "explode", "--frobnicate"],
    ["race", "explode", "--set", "\x1b[31mred"],
    ["race", "explode", "\x1b]0;owned\x07"],
    ["frobnicate"],
    ["--frobnicate"],
    ["watch"],
    ["watch", "nosuch"],
    ["watch", "/"],
    ["scenarios", "nosuch"],
    ["scenarios", "./nosuch.toml"],
    [],
]


class TestBadInput:
    """Two lines on stderr, exit code 2, and nothing written."""

    def check(self, said: Said, here: Path) -> None:
        assert said.code == 2
        assert said.out == ""
        assert 1 <= len(said.err.splitlines()) <= 3
        assert said.err.startswith("lrtui: ")
        assert "Traceback" not in said.err
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said.err)
        assert not (here / "runs").exists()

    @pytest.mark.parametrize("name", BAD_FILES)
    def test_a_bad_file_is_refused_by_name(self, lrtui, here, name):
        content = BAD_FILES[name]
        good = 'task = "straight-line"\nsteps = 3\n[[lane]]\n'
        (here / name).write_bytes(
            content if isinstance(content, bytes) else (good + content).encode()
        )
        said = lrtui("race", name, "--plain")
        self.check(said, here)
        assert name in said.err

    @pytest.mark.parametrize(
        "args", BAD_ARGS, ids=lambda args: " ".join(args).replace("\x1b", "ESC")
    )
    def test_bad_words_are_refused(self, lrtui, here, args):
        self.check(lrtui(*args), here)

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (["race", "lr-dail"], 'did you mean "lr-dial"'),
            (["race", "explode", "--optimizer", "adamm"], 'did you mean "Adam"'),
            (["race", "explode", "--lr", "abc"], "'abc' is not a valid float"),
            (["race", "explode", "--epochs", "1", "--steps", "1"], "exclude each other"),
            (["race", "explode", "--device", "tpu"], '"auto", "cpu"'),
            (["race", "explode", "--set", "nonsense"], "KEY=VALUE"),
            ([], "lrtui race lr-dial"),
        ],
    )
    def test_the_message_says_what_would_do(self, lrtui, args, words):
        assert words in lrtui(*args).err

    def test_a_device_that_is_not_there_is_refused_with_those_that_are(self, lrtui, here):
        said = lrtui("race", "explode", "--device", "cuda:99")
        self.check(said, here)
        assert 'no device "cuda:99"' in said.err
        assert "cpu" in said.err

    def test_a_metric_schedule_is_refused_for_a_task_without_validation(self, lrtui, here):
        said = lrtui("race", "linear", "--schedule", "ReduceLROnPlateau")
        self.check(said, here)
        assert "--schedule: lane A: ReduceLROnPlateau looks at the validation loss" in said.err

    def test_options_that_only_torch_can_judge_are_refused_too(self, lrtui, here):
        said = lrtui("race", "explode", "--set", "defaults.momentum=-1.0")
        self.check(said, here)
        assert "momentum" in said.err

    def test_a_runs_folder_that_cannot_be_one_is_refused(self, lrtui, here):
        (here / "file").write_text("")
        said = lrtui("race", "explode", "--runs", str(here / "file"))
        self.check(said, here)
        assert "--runs" in said.err

    def test_a_run_by_a_newer_version_is_refused(self, lrtui, here, tmp_path):
        run = make_run(tmp_path / "elsewhere", ("steady",))
        with sqlite3.connect(run / "run.db") as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        said = lrtui("watch", str(run), "--json")
        self.check(said, here)
        assert "newer lrtui" in said.err


class TestScenarios:
    def test_they_are_listed_with_titles_lanes_and_budgets(self, lrtui):
        said = lrtui("scenarios")
        assert said.code == 0
        assert [line.split()[0] for line in said.out.splitlines()[1:]] == [
            path.stem for path in scenario_file.bundled()
        ]
        assert "The dial: one net, four learning rates" in said.out
        assert "100 epochs" in said.out

    @pytest.mark.parametrize("name", [path.stem for path in scenario_file.bundled()])
    def test_one_is_printed_ready_to_copy(self, lrtui, here, name):
        said = lrtui("scenarios", name)
        assert said.code == 0
        assert tomllib.loads(said.out)["title"]
        (here / f"{name}.toml").write_text(said.out)
        assert scenario_file.load(f"./{name}.toml").lanes == scenario_file.load(name).lanes

    def test_own_ones_go_before_the_bundled_ones(self, lrtui, here):
        (here / "scenarios").mkdir()
        (here / "scenarios" / "lr-dial.toml").write_text("# mine\n")
        assert lrtui("scenarios", "lr-dial").out == "# mine\n"

    def test_escape_sequences_in_a_file_do_not_reach_the_terminal(self, lrtui, here):
        (here / "evil.toml").write_text("# \x1b]0;owned\x07 \x1b[31mred\n")
        assert lrtui("scenarios", "./evil.toml").out == "#  red\n"


class TestRuns:
    def test_none_are_told_with_the_folder_that_was_looked_in(self, lrtui, here):
        said = lrtui("runs")
        assert said.code == 0
        assert said.out.replace("\n", "") == f"no runs in {here / 'runs'}"

    @pytest.mark.parametrize("columns", ["60", "80", "200"])
    def test_names_are_printed_whole_at_any_width_to_be_copied(
        self, lrtui, here, monkeypatch, columns
    ):
        monkeypatch.setenv("COLUMNS", columns)
        ended = make_run(
            here / "runs", ("steady",), title="A title that is as long as titles can get [bold]"
        )
        going = make_run(here / "runs", ("steady",), done=60, live=True)
        cut = make_run(here / "runs", ("steady",), done=60)
        said = lrtui("runs")
        state = {
            line.split()[0]: line.rstrip().split("  ")[-1] for line in said.out.splitlines()[1:]
        }
        assert state == {ended.name: "ended", going.name: "running", cut.name: "cut off"}

    def test_a_broken_one_does_not_hide_the_others(self, lrtui, here):
        run = make_run(here / "runs", ("steady",))
        (here / "runs" / "broken").mkdir()
        (here / "runs" / "broken" / "run.db").write_text("no database")
        said = lrtui("runs")
        assert said.code == 0
        assert run.name in said.out
        assert "unreadable" in said.out

    def test_the_beginning_of_a_name_will_do(self, lrtui, here):
        run = make_run(here / "runs", ("steady",))
        assert lrtui("watch", "fake", "--json").lines[-1]["run"] == str(run)


class TestVersionAndHelp:
    def test_the_version_is_told(self, lrtui):
        assert lrtui("--version").out.startswith("lrtui, version ")

    @pytest.mark.parametrize(
        "args",
        [
            ["--help"],
            ["-h"],
            ["race", "-h"],
            ["watch", "-h"],
            ["runs", "-h"],
            ["scenarios", "-h"],
            ["schedule", "-h"],
        ],
    )
    def test_there_is_help_for_every_command(self, lrtui, args):
        said = lrtui(*args)
        assert said.code == 0
        assert said.out.startswith("Usage: ")


def test_an_unknown_option_is_named_with_its_command(lrtui):
    said = lrtui("race", "--rn", "3", "lr-dial")
    assert (said.code, said.err.splitlines()) == (
        2,
        ['lrtui: unknown option "--rn": did you mean "--runs"?', "see `lrtui race --help`"],
    )
