"""`lrtui race`: races to their ends, interrupted, resumed, hung up on."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import psutil
import pytest

from lrtui.core.scenario import scenario_file
from lrtui.store.reader import summary
from support.command import LRTUI, Said, curves, race, run_lrtui
from support.waiting import PATIENCE_S, until


@pytest.mark.parametrize("name", [path.stem for path in scenario_file.bundled()])
def test_every_bundled_scenario_races(tmp_path, name):
    said = race(name, "--steps", "3", "--set", "pace=0", "--json", runs=tmp_path)
    assert said.code == 0
    assert said.err == ""
    lanes = said.lines[-1]["lanes"]
    asked = scenario_file.load(name)
    assert len(lanes) == len(asked.lanes)
    assert {lane["status"] for lane in lanes} <= {"finished", "nan"}
    assert all(lane["steps"] == 3 for lane in lanes if lane["status"] == "finished")
    assert len({lane["init_checksum"] for lane in said.lines[0]["lanes"]}) == asked.seeds


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
        again = Said(*run_lrtui(["watch", "--runs", str(tmp_path), "--plain"]))
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
        watched = Said(*run_lrtui(["watch", "--plain", "--runs", str(tmp_path)]))
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
        said = Said(*run_lrtui(["resume", "--json", "--runs", str(tmp_path)]))
        assert said.code == 0
        assert {(lane["status"], lane["steps"]) for lane in said.lines[-1]["lanes"]} == {
            ("finished", 150)
        }
        assert {line["why"] for line in said.lines if line["event"] == "rewound"} == {"resumed"}
        again = Said(*run_lrtui(["resume", "--json", "--runs", str(tmp_path)]))
        assert again.code == 2
        assert "nothing to resume" in again.err

    def test_race_survives_hangup_and_accepts_commands_from_other_terminals(self, tmp_path):
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
        turned = Said(*run_lrtui(["send", str(run), "A", "rate", "3e-4"]))
        assert (turned.code, turned.err) == (0, "")
        assert re.fullmatch(r"A: rate 0.0003 from step \d+\n", turned.out)
        stopped = Said(*run_lrtui(["send", str(run), "stop", "--all"]))
        assert (stopped.code, len(stopped.out.splitlines())) == (0, 4)
        until(lambda: summary(run).state == "ended", "the end of the race")

    def test_headless_race_ends_when_only_pruned_lanes_are_left(self, tmp_path):
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
