"""The command line: exit codes, one short message for what a person can mend, and what stands on
stdout."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pexpect
import psutil
import pytest

from lrtui.cli import main
from lrtui.core.protocol.events import Alerted, Ended
from lrtui.core.scenario import scenario_file
from lrtui.store.reader import summary
from lrtui.store.writer import Writer, create_run, row
from support.fake_run import block, make_race, make_run, say, started
from support.waiting import PATIENCE_S, until

LRTUI = [sys.executable, "-m", "lrtui"]
EVENTS = {
    "race": {
        "run",
        "title",
        "task",
        "seed",
        "device",
        "epochs",
        "steps",
        "batch_size",
        "intra_op_threads",
        "lanes",
    },
    "steps": {"lane", "first", "loss", "applied_lr", "next_lr"},
    "measured": {
        "lane",
        "steps",
        "gain",
        "step_size",
        "rate_p10",
        "rate_p50",
        "rate_p90",
        "realised",
        "update_ratio",
    },
    "epoch": {"lane", "epoch", "step", "loss", "metrics"},
    "alert": {"lane", "step", "kind", "text"},
    "start": {"lane", "step", "device", "steps", "init_checksum", "batch_checksum"},
    "joined": {"lane", "name", "optimizer", "lr", "schedule", "parent", "step"},
    "rate": {"lane", "step", "factor", "lr"},
    "snapshot": {"lane", "step", "tag", "bytes"},
    "rewound": {"lane", "step", "why"},
    "end": {"lane", "step", "reason"},
    "status": {"lane", "step", "status"},
    "note": {"lane", "text"},
    "result": {"lanes", "sentences", "run"},
}
IN_LANE = {"letter", "name", "optimizer", "lr", "schedule", "init_checksum", "batch_checksum"}
IN_RESULT = {
    "letter",
    "name",
    "status",
    "verdict",
    "reason",
    "steps",
    "smooth_loss",
    "first_loss",
    "last_loss",
    "best_loss",
    "best_step",
    "steps_per_second",
    "factor",
    "parent",
    "first_step",
    "step_gain",
    "measuring_s",
    "sentence",
}


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """JSON Lines; anything else on stdout fails."""
        return [json.loads(line, parse_constant=pytest.fail) for line in self.out.splitlines()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and a runs folder that is not there yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRTUI_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture
def lrtui(here: Path, capfd: pytest.CaptureFixture[str]):
    """Runs a command in this process (whose trainers, if any, are others)."""

    def run(*args: str) -> Said:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(args))
        out, err = capfd.readouterr()
        return Said(int(left.value.code or 0), out, err)

    return run


def race(*args: str, runs: Path, **keys: Any) -> Said:
    """Runs `lrtui race` as another process."""
    done = subprocess.run(
        [*LRTUI, "race", *args, "--runs", str(runs)],
        capture_output=True,
        text=True,
        check=False,
        **keys,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def curves(lines: list[dict[str, Any]]) -> dict[tuple[str, str], list[Any]]:
    """Each lane's columns, whole: how they are cut into blocks says nothing."""
    found: dict[tuple[str, str], list[Any]] = {}
    for line in lines:
        if line["event"] == "steps":
            for name in ("loss", "applied_lr", "next_lr"):
                column = found.setdefault((line["lane"], name), [])
                assert line["first"] == len(column)
                column.extend(line[name])
    return found


def rest(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything but the steps."""
    return [line for line in lines if line["event"] != "steps"]


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


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A race that was really run, one lane of it to NaN: what it printed, and its runs folder."""
    runs = tmp_path_factory.mktemp("recorded")
    return race("explode", "--steps", "30", "--set", "pace=0", "--json", runs=runs), runs


@pytest.mark.xdist_group("recorded")
class TestJson:
    def test_it_exits_with_0_though_lanes_went_nan_and_says_nothing_on_stderr(self, recorded):
        said, _ = recorded
        assert said.code == 0
        assert said.err == ""

    def test_the_race_comes_first_and_the_result_last(self, recorded):
        names = [line["event"] for line in recorded[0].lines]
        assert names[0] == "race"
        assert names[-1] == "result"
        assert names.count("race") == names.count("result") == 1

    def test_every_line_has_the_keys_that_its_event_promises(self, recorded):
        for line in recorded[0].lines:
            assert EVENTS[line["event"]] <= line.keys()
        assert {line["event"] for line in recorded[0].lines} >= {
            "race",
            "steps",
            "epoch",
            "alert",
            "end",
            "result",
        }

    def test_all_lanes_began_alike(self, recorded):
        lanes = recorded[0].lines[0]["lanes"]
        assert [lane["letter"] for lane in lanes] == ["A", "B", "C", "D"]
        assert [lane["lr"] for lane in lanes] == [0.1, 0.03, 0.003, 1e-5]
        for lane in lanes:
            assert lane.keys() >= IN_LANE
            assert lane["init_checksum"] == lanes[0]["init_checksum"]
            assert lane["batch_checksum"] == lanes[0]["batch_checksum"]
        assert lanes[0]["init_checksum"]

    def test_steps_have_columns_of_one_length_without_holes(self, recorded):
        found = curves(recorded[0].lines)
        assert {lane for lane, _ in found} == set("ABCD")
        assert (
            len(found["D", "loss"])
            == len(found["D", "applied_lr"])
            == len(found["D", "next_lr"])
            == 30
        )
        assert found["D", "applied_lr"] == [1e-5] * 30

    def test_what_was_measured_stands_by_step_and_null_where_it_was_not(self, recorded):
        measured = [line for line in recorded[0].lines if line["event"] == "measured"]
        assert {line["lane"] for line in measured} == set("ABCD")
        for line in measured:
            columns = EVENTS["measured"] - {"lane", "steps"}
            assert all(len(line[name]) == len(line["steps"]) for name in columns)
            assert all(
                isinstance(value, float) or value in (None, "-Infinity")
                for name in columns
                for value in line[name]
            )
            assert line["steps"] == sorted(line["steps"])
        first = next(line for line in measured if line["lane"] == "D")
        assert first["steps"][0] == 0
        assert first["gain"][0] == pytest.approx(1.0, abs=0.01)
        assert first["step_size"][0] == pytest.approx(1e-5)  # plain SGD
        assert first["realised"][0] == pytest.approx(1e-5, rel=0.01)

    def test_the_result_has_a_sentence_for_each_lane_and_some_for_the_race(self, recorded):
        result = recorded[0].lines[-1]
        assert [lane["sentence"][0] for lane in result["lanes"]] == [
            lane["letter"] for lane in result["lanes"]
        ]
        assert "not finite at step" in result["lanes"][-1]["sentence"]
        assert any(" won: " in sentence for sentence in result["sentences"])
        assert all(lane["measuring_s"] > 0 for lane in result["lanes"])

    def test_numbers_that_are_not_finite_are_strings(self, recorded):
        found = curves(recorded[0].lines)["A", "loss"]
        assert found[-1] in ("NaN", "Infinity")
        assert all(isinstance(value, float) for value in found[:-1])

    def test_the_nan_lane_says_where(self, recorded):
        last = len(curves(recorded[0].lines)["A", "loss"]) - 1
        assert [
            (line["step"], line["kind"])
            for line in recorded[0].lines
            if line["event"] == "alert" and line["lane"] == "A" and line["kind"] == "nan"
        ] == [(last, "nan")]
        assert [
            line["reason"]
            for line in recorded[0].lines
            if line["event"] == "end" and line["lane"] == "A"
        ] == ["nan"]

    def test_the_result_stands_in_the_order_of_the_standings(self, recorded):
        lanes = recorded[0].lines[-1]["lanes"]
        assert all(lane.keys() == IN_RESULT for lane in lanes)
        assert [lane["letter"] for lane in lanes] == ["C", "D", "B", "A"]
        assert [lane["status"] for lane in lanes] == ["finished", "finished", "nan", "nan"]
        assert [lane["verdict"] for lane in lanes[2:]] == ["nan", "nan"]

    def test_watching_it_again_says_the_same(self, recorded, lrtui):
        said, runs = recorded
        again = lrtui("watch", "--runs", str(runs), "--json")
        assert again.code == 0
        assert again.err == ""
        assert curves(again.lines) == curves(said.lines)
        assert [line for line in rest(again.lines) if line["event"] in ("race", "result")] == [
            said.lines[0],
            said.lines[-1],
        ]
        for letter in "ABCD":
            assert [line for line in rest(again.lines) if line.get("lane") == letter] == [
                line for line in rest(said.lines) if line.get("lane") == letter
            ]

    def test_watching_it_as_text_ends_with_standings_chart_and_place(self, recorded, lrtui):
        _, runs = recorded
        said = lrtui("watch", "--runs", str(runs), "--plain")
        assert said.code == 0
        table = said.out[said.out.index("Explode: plain SGD") :].splitlines()
        assert [line.split()[1] for line in table[2:6]] == ["C", "D", "B", "A"]
        assert "loss by step (log)" in said.out
        assert any(0x2800 < ord(sign) < 0x2900 for sign in said.out)
        assert said.out.rstrip().splitlines()[-1].startswith(f"run: {runs}")

    def test_the_chart_keeps_within_the_terminal(self, recorded, lrtui, monkeypatch):
        for columns in (60, 80, 200):
            monkeypatch.setenv("COLUMNS", str(columns))
            said = lrtui("watch", "--runs", str(recorded[1]), "--plain")
            drawn = [line.rstrip() for line in said.out.splitlines() if "│" in line or "┤" in line]
            assert drawn
            assert all(len(line) <= columns for line in drawn)


@pytest.mark.parametrize("name", [path.stem for path in scenario_file.bundled()])
def test_every_bundled_scenario_races(tmp_path, name):
    said = race(name, "--steps", "3", "--set", "pace=0", "--json", runs=tmp_path)
    assert said.code == 0
    assert said.err == ""
    lanes = said.lines[-1]["lanes"]
    assert len(lanes) == len(scenario_file.load(name).lanes)
    assert {lane["status"] for lane in lanes} <= {"finished", "nan"}
    assert all(lane["steps"] == 3 for lane in lanes if lane["status"] == "finished")
    assert len({lane["init_checksum"] for lane in said.lines[0]["lanes"]}) == 1


BROKEN = """
import torch
class Broken:
    def model(self): return torch.nn.Linear(1, 1)
    def dataset(self): return torch.utils.data.TensorDataset(torch.ones(8, 1))
    def loss(self, model, batch): raise ValueError("[bold]no \\x1b[31mred\\x1b[0m \\x1b]0;owned\\x07")
"""


class TestRaces:
    def test_every_lane_failed_is_exit_code_1_with_the_traceback_told(self, tmp_path):
        (tmp_path / "broken.py").write_text(BROKEN)
        task = f"{tmp_path}/broken.py:Broken"
        said = race(
            "--task", task, "--lr", "0.1", "--lr", "0.2", "--steps", "3", "--json", runs=tmp_path
        )
        assert said.code == 1
        assert [line["reason"] for line in said.lines if line["event"] == "end"] == [
            "error",
            "error",
        ]
        assert all("[bold]no red" in line["error"] for line in said.lines if line["event"] == "end")
        assert [line["kind"] for line in said.lines if line["event"] == "alert"] == [
            "error",
            "error",
        ]
        assert "\x1b" not in said.out
        again = Said(*_run(["watch", "--runs", str(tmp_path), "--plain"]))
        assert again.code == 1
        assert 'raise ValueError("[bold]no' in again.out
        assert not re.search(r"[\x1b\x07]", again.out)

    def test_names_and_titles_never_carry_escape_sequences_to_stdout(self, tmp_path):
        (tmp_path / "evil.toml").write_text(
            'title = "\\u001b]0;owned\\u0007\\u001b[31mred title"\nstory = "\\u001b[2J"\ntask ='
            ' "straight-line"\nsteps = 3\n[[lane]]\nname ='
            ' "\\u001b[31m[bold]A\\u009b0m"\n[[lane]]\nname = "\\u202eB"\n'
        )
        raced = race(f"{tmp_path}/evil.toml", "--json", runs=tmp_path)
        watched = Said(*_run(["watch", "--plain", "--runs", str(tmp_path)]))
        for said in (raced, watched):
            assert said.code == 0
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said.out + said.err)
            assert "[bold]A" in said.out
            assert "red title" in said.out
            assert "owned" not in said.out

    def test_plain_text_is_what_a_pipe_gets(self, tmp_path):
        said = race("linear", "--steps", "5", "--set", "pace=0", runs=tmp_path)
        assert said.code == 0
        assert said.err == ""
        assert "A Adam 0.01: starts on cpu: 5 steps, weights " in said.out
        assert "finished after 5 steps" in said.out
        assert "loss by step" in said.out

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupt_stops_the_race_and_tells_its_end(self, tmp_path, number):
        runs, errors = tmp_path / "runs", tmp_path / "errors"
        with errors.open("w") as file:
            process = subprocess.Popen(
                [*LRTUI, "race", "linear", "--json", "--runs", str(runs), "--set", "pace=50"],
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        assert process.stdout
        told, moving = [], set()
        for text in process.stdout:
            told.append(text)
            line = json.loads(text)
            if line["event"] == "steps" and line["lane"] not in moving:
                moving.add(line["lane"])
                if len(moving) == 4:
                    process.send_signal(number)
        said = Said(process.wait(PATIENCE_S), "".join(told), errors.read_text())
        assert said.code == 130
        (run,) = runs.iterdir()
        assert said.err == f"lrtui: interrupted; to go on: lrtui resume {run.name}\n"
        lanes = said.lines[-1]["lanes"]
        assert {lane["status"] for lane in lanes} == {"interrupted"}
        found = curves(said.lines)
        assert all(lane["steps"] == len(found[lane["letter"], "loss"]) > 0 for lane in lanes)

    def test_what_was_interrupted_is_resumed_to_its_end(self, tmp_path):
        process = subprocess.Popen(
            [
                *LRTUI,
                "race",
                "linear",
                "--json",
                "--runs",
                str(tmp_path),
                "--steps",
                "150",
                "--set",
                "pace=50",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout
        moving = (
            line
            for line in map(json.loads, process.stdout)
            if line["event"] == "steps" and line["first"] > 20
        )
        next(moving)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        said = Said(*_run(["resume", "--json", "--runs", str(tmp_path)]))
        assert said.code == 0
        assert {(lane["status"], lane["steps"]) for lane in said.lines[-1]["lanes"]} == {
            ("finished", 150)
        }
        assert {line["why"] for line in said.lines if line["event"] == "rewound"} == {"resumed"}
        again = Said(*_run(["resume", "--json", "--runs", str(tmp_path)]))
        assert again.code == 2
        assert "nothing to resume" in again.err

    def test_a_hang_up_leaves_the_race_running_and_any_terminal_can_speak_to_it(self, tmp_path):
        process = subprocess.Popen(
            [*LRTUI, "race", "linear", "--plain", "--runs", str(tmp_path), "--set", "pace=20"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        next(line for line in process.stdout if "step" in line and "loss" in line)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=PATIENCE_S)
        (run,) = tmp_path.iterdir()
        assert summary(run).state == "running"
        turned = Said(*_run(["send", str(run), "A", "rate", "3e-4"]))
        assert (turned.code, turned.err) == (0, "")
        assert re.fullmatch(r"A: rate 0.0003 from step \d+\n", turned.out)
        stopped = Said(*_run(["send", str(run), "stop", "--all"]))
        assert (stopped.code, len(stopped.out.splitlines())) == (0, 4)
        until(lambda: summary(run).state == "ended", "the end of the race")

    def test_pruned_lanes_wait_and_a_race_without_a_screen_ends_when_nobody_else_is_left(
        self, tmp_path
    ):
        rules = ("pace=150", "pruning.rungs=[0.2]", "pruning.keep=0.5")
        flags = [flag for rule in rules for flag in ("--set", rule)]
        said = race("linear", "--json", "--steps", "200", *flags, runs=tmp_path)
        assert said.code == 0
        assert (
            sorted(lane["status"] for lane in said.lines[-1]["lanes"])
            == ["finished"] * 2 + ["stopped"] * 2
        )
        paused = {
            line["lane"]
            for line in said.lines
            if line["event"] == "status" and line["status"] == "paused"
        }
        losses = curves(said.lines)
        at_the_rung = {
            lane["letter"]: losses[lane["letter"], "loss"][39] for lane in said.lines[-1]["lanes"]
        }
        assert len(paused) == 2
        assert max(at_the_rung, key=at_the_rung.get) in paused

    def test_an_interrupt_before_the_race_began_leaves_nothing_running(self, tmp_path):
        process = subprocess.Popen(
            [*LRTUI, "race", "linear", "--runs", str(tmp_path)], stdout=subprocess.DEVNULL
        )
        viewer = psutil.Process(process.pid)
        (supervisor,) = until(viewer.children, "the supervisor's process")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        until(
            lambda: not supervisor.is_running() or supervisor.status() == psutil.STATUS_ZOMBIE,
            "the end of the supervisor",
        )
        assert all(summary(run).state == "ended" for run in tmp_path.iterdir())

    def test_a_reader_that_has_seen_enough_is_no_error(self, recorded_fake):
        text = f"{sys.executable} -m lrtui watch {recorded_fake} --json | head -n 1"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", text], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        assert done.stderr == ""
        assert json.loads(done.stdout)["event"] == "race"


@pytest.fixture
def recorded_fake(tmp_path):
    return make_run(tmp_path, ("steady", "explodes") * 8)


def _run(args: list[str]) -> tuple[int, str, str]:
    done = subprocess.run([*LRTUI, *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class TestARecordByOthers:
    """A run.db may come from anywhere: what it holds is shown as text, never obeyed."""

    EVIL = "\x1b]0;owned\x07\x1b[31m[bold]red\u202e"

    @pytest.fixture
    def run(self, here):
        race = make_race(("steady",))
        lane = msgspec.structs.replace(race.lanes[0], name=self.EVIL)
        run = create_run(
            here / "runs", msgspec.structs.replace(race, title=self.EVIL, lanes=(lane,))
        )
        writer = Writer(run, "crew")
        writer.append(
            [
                row(event)
                for event in (
                    started(0),
                    block(0, "steady", 0, 20),
                    Alerted(lane=0, at=1.0, step=3, kind="error", text=self.EVIL),
                    Ended(lane=0, at=2.0, step=20, reason="error", error=f"line\n{self.EVIL}"),
                )
            ]
        )
        writer.close()
        return run

    @pytest.mark.parametrize("args", [["watch", "--plain"], ["watch", "--json"], ["runs"]])
    def test_it_is_told_without_escape_sequences(self, lrtui, run, args):
        said = lrtui(*args)
        assert "[bold]red" in said.out
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said.out)


class TestPlainLines:
    def test_each_lane_that_moved_has_a_line_a_second(self, here, capsys, monkeypatch):
        run = make_run(here / "runs", ("steady", "steady", "rests"), done=60, over=False)
        clock = FakeSleep(run)
        monkeypatch.setattr("lrtui.plain.time", clock)
        with pytest.raises(SystemExit) as left:
            main(["watch", "--plain"])
        assert left.value.code == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if ": step " in line]
        # which then says nothing, as it makes no step
        assert lines.pop(2).startswith("C rests: step 60/200")
        assert [line[0] for line in lines] == ["A", "B"] * (len(lines) // 2)
        assert clock.now // 1.0 - 1 <= len(lines) // 2 <= clock.now // 1.0 + 1
        assert re.fullmatch(
            r"A steady: step \d+/200  epoch \d+  loss [\d.]+  best [\d.]+  lr [\d.e-]+  \d+"
            r" steps/s",
            lines[0],
        )

    def test_alerts_pauses_and_ends_have_lines_of_their_own(self, lrtui, here):
        make_run(here / "runs", ("steady", "explodes", "diverges", "breaks"))
        said = lrtui("watch", "--plain")
        for words in (
            "B explodes: ! nan: loss is NaN at step 37",
            "B explodes: nan after 38 steps, last loss NaN",
            "C diverges: ! diverged: smoothed loss",
            "D breaks: ! error: ValueError: [bold]no[/bold]",
            '        raise ValueError("[bold]no[/bold]")',
            "A steady: finished after 200 steps, last loss 0.05307",
        ):
            assert words in said.out.splitlines() or any(
                line.startswith(words) for line in said.out.splitlines()
            )

    def test_a_run_whose_supervisor_was_lost_comes_to_an_end(self, lrtui, here):
        run = make_run(here / "runs", ("steady",), done=60, live=True)
        with sqlite3.connect(run / "run.db") as db:
            # that process is long gone, its number another's
            db.execute("UPDATE processes SET started = 1.0")
        db.close()
        said = lrtui("watch", "--json")
        assert said.code == 1
        assert said.lines[-1]["lanes"][0]["status"] == "interrupted"
        end = next(line for line in said.lines if line["event"] == "end")
        assert end["error"].startswith("the supervisor died")
        assert end["error"].endswith(f"lrtui resume {run.name}")


class FakeSleep:
    """A clock that only sleeping moves on; meanwhile two lanes make ten steps, and after 14 naps
    all is over."""

    def __init__(self, run: Path) -> None:
        self.now = 0.0
        self._run = run
        self._done = 60

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 3 * seconds
        if self._done < 200:
            say(self._run, *(block(lane, "steady", self._done, self._done + 10) for lane in (0, 1)))
            self._done += 10
        else:
            say(
                self._run,
                *(
                    Ended(lane=lane, at=1.0, step=self._done, reason="finished")
                    for lane in range(3)
                ),
            )


class TestTerminals:
    """What a pseudo-terminal gets where no screen can be drawn."""

    def spawn(self, *args: str, runs: Path, **env: str) -> str:
        terminal = pexpect.spawn(
            sys.executable,
            ["-m", "lrtui", *args],
            encoding="utf-8",
            timeout=PATIENCE_S,
            dimensions=(24, 80),
            env={**os.environ, "LRTUI_RUNS": str(runs), "COLUMNS": "80", **env},
        )
        out = terminal.read()
        terminal.close()
        return out

    @pytest.mark.parametrize("term", ["dumb", ""])
    def test_a_dumb_terminal_gets_plain_lines_and_is_told_so_once(self, tmp_path, term):
        make_run(tmp_path, ("steady", "explodes"))
        out = self.spawn("watch", runs=tmp_path, TERM=term)
        assert out.count("lrtui: TERM is dumb: plain lines") == 1
        assert "A steady" in out
        assert "\x1b" not in out

    def test_the_picker_cannot_be_drawn_there_and_says_what_to_do(self, tmp_path):
        out = self.spawn(runs=tmp_path, TERM="dumb")
        assert "no terminal to pick a scenario in" in out
        assert "lrtui race lr-dial" in out
