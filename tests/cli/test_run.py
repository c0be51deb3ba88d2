"""`lrtui run`: how its words are read, what a script leaves behind, how it is interrupted. Its
scripts record themselves, without torch."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.cli import run as run_command
from lrtui.cli.exit_codes import race_exit_code
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import Ended
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store.reader import Reader
from support.command import LRTUI, Said
from support.script_races import RECORDING, recording
from support.terminal import Terminal
from support.waiting import PATIENCE_S, until


def run(*args: str, runs: Path, **keys: object) -> Said:
    """Run `lrtui run` as another process."""
    done = subprocess.run(
        [*LRTUI, "run", "--runs", str(runs), *args],
        capture_output=True,
        text=True,
        check=False,
        **keys,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def asked(*args: str) -> Race:
    """The race that `lrtui run ARGS` asks for."""
    context = run_command.run.make_context("run", list(args))
    others = {
        *("on_event", "on_alert", "runs", "plain", "as_json", "detach", "show"),
        *("theme", "colors", "glyphs", "fps"),
    }
    flags = {key: value for key, value in context.params.items() if key not in others}
    return run_command.read_run(**flags)


@pytest.fixture
def script(here: Path) -> Path:
    (here / "train.py").write_text("print('hello')\n")
    return here / "train.py"


class TestWords:
    def test_everything_behind_the_script_is_its_own(self, script):
        race = asked("--lr", "0.1", "train.py", "--lr", "3", "--", "-x")
        assert race.script.command == (sys.executable, str(script), "--lr", "3", "--", "-x")
        assert [lane.lr for lane in race.lanes] == [0.1]

    def test_module_follows_its_flag(self, here):
        race = asked("-m", "package.train", "-m", "--epochs", "3")
        assert race.script.command[1:] == ("-m", "package.train", "-m", "--epochs", "3")
        assert race.scenario == "train"

    def test_words_behind_dashes_are_a_program_as_written(self, script):
        assert asked("--", "./train.py", "x").script.command == ("./train.py", "x")
        assert asked("--steps", "3", "--", "--odd").script.command == ("--odd",)
        assert asked("--", "sh", "--").script.command == ("sh", "--")

    @pytest.mark.parametrize("word", ["{lr}", "{{lr}}", '{"a": 1}', "${x}", "{{{y}}}"])
    def test_braces_reach_the_script_as_they_are(self, script, word):
        race = asked("train.py", word)
        assert race.script.command_of(race.lanes[0])[2:] == [word]

    def test_settings_of_the_run(self, script):
        race = asked(
            "--steps", "9", "--seed", "3", "--on-nan", "stop", "--name", "mine", "train.py"
        )
        assert (race.steps, race.seed, race.on_nan) == (9, 3, "stop")
        assert (race.scenario, race.lanes[0].name, race.title) == ("mine", "mine", "train.py")
        assert not asked("--no-seed", "train.py").script.seeded

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            ([], "nothing to run"),
            (["-m"], "-m: no module"),
            (["nothing.py"], "nothing.py: no such file"),
            (["torchrun", "train.py"], "torchrun: no such file"),
            ([sys.executable], "not a Python script"),
            (["--lr", "0", "train.py"], "--lr: 0 is not a valid learning rate"),
            (["--seed", "1", "--no-seed", "train.py"], "--seed and --no-seed exclude each other"),
            (["--on-nan", "rewind", "train.py"], 'on_nan: "rewind" is an invalid value'),
            (["--name", "\x1b[1m", "train.py"], "--name: empty"),
            (["train.py", "a\0b"], "cannot be given to a program"),
        ],
    )
    def test_what_cannot_be_run_is_refused_with_a_way_on(self, script, args, said):
        with pytest.raises(LrtuiError) as refused:
            asked(*args)
        assert said in str(refused.value)
        assert refused.value.hint.startswith("expected ")

    def test_program_that_is_not_there_is_refused_before_a_run_is_made(self, lrtui, here):
        said = lrtui("run", "--", "no-such-program")
        assert said.code == 2
        assert "no-such-program: not found on PATH" in said.err
        assert list((here / "runs").glob("*")) == []


class TestShow:
    def test_command_folder_and_variables_are_shown_and_nothing_is_started(self, lrtui, script):
        said = lrtui("run", "--show", "--seed", "7", "train.py", "two words")
        command, folder, *rest = said.out.splitlines()
        assert command == f"{sys.executable} {script} 'two words'"
        assert folder == f"in {script.parent}"
        variables = dict(line.split("=", 1) for line in rest)
        assert variables["LRTUI_LANE"] == "0"
        assert variables["LRTUI_SEED"] == variables["PYTHONHASHSEED"] == "7"
        assert variables["PYTHONPATH"].partition(os.pathsep)[0].endswith("integrations/inject")
        assert not (script.parent / "runs").exists()

    def test_shown_variables_are_those_that_the_script_gets(self, here):
        (here / "tell.py").write_text(
            "import json, os; print(json.dumps(dict(os.environ)), flush=True)"
        )
        environment = {**os.environ, "PYTHONPATH": str(here), "PYTHONUNBUFFERED": ""}
        shown = run("--show", "tell.py", runs=here / "runs", env=environment)
        variables = dict(line.split("=", 1) for line in shown.out.splitlines()[2:])
        told = run("--json", "tell.py", runs=here / "runs", env=environment)
        (text,) = (line["text"] for line in told.lines if line["event"] == "output")
        got = json.loads(text)
        assert variables["PYTHONPATH"].endswith(f"{os.pathsep}{here}")
        folder = variables.pop("LRTUI_RUN")
        assert Path(got["LRTUI_RUN"]).parent == Path(folder).parent
        assert {name: got[name] for name in variables} == variables


class TestTheEnd:
    @pytest.mark.parametrize(("words", "code"), [("exit=0", 0), ("exit=3", 3)])
    def test_exit_code_is_the_scripts_own(self, tmp_path, words, code):
        said = run("--plain", RECORDING, "steps=3", words, runs=tmp_path)
        assert said.code == code
        assert said.err == ""

    def test_signal_is_128_and_its_number(self, tmp_path):
        said = run("--plain", "--", "sh", "-c", "kill -KILL $$", runs=tmp_path)
        assert said.code == 128 + signal.SIGKILL

    @pytest.mark.parametrize(
        ("reason", "code", "left"),
        [
            ("finished", 0, 0),
            ("finished", 1, 0),  # lrtui ended it at its last step
            ("stopped", 1, 130),
            ("interrupted", -15, 130),
            ("nan", 0, 1),
            ("nan", 3, 3),
            ("error", 3, 3),
            ("error", -9, 137),
            ("died", None, 1),
        ],
    )
    def test_code_follows_from_the_lanes_end(self, reason, code, left):
        state = RaceState(recording())
        apply(state, Ended(lane=0, step=0, reason=reason, exit_code=code))
        assert race_exit_code(state) == left

    def test_several_lanes_are_a_race_like_any_other(self):
        state = RaceState(recording(lanes=2))
        for lane, reason in enumerate(("error", "finished")):
            apply(state, Ended(lane=lane, step=0, reason=reason, exit_code=3))
        assert race_exit_code(state) == 0


class TestLines:
    def test_output_steps_and_end_are_told_without_invented_numbers(self, tmp_path):
        said = run("--plain", "--name", "mine", RECORDING, "steps=3", runs=tmp_path)
        assert "A mine: starts on cpu: 1 thread(s)\n" in said.out
        assert "A| begins steps=3\n" in said.out
        assert "A mine: finished after 3 steps, exit code 0, last loss 0.3333\n" in said.out
        assert not re.search(r"0 steps|seed|epoch|batch|weights", said.out)

    def test_output_is_plain_text_and_a_progress_bar_one_line(self, tmp_path):
        (tmp_path / "bar.py").write_text(
            "import sys\n"
            "for step in range(100):\n"
            "    sys.stdout.write(f'\\r{step + 1}% done')\n"
            "    sys.stdout.flush()\n"
            "print()\n"
            "print('\\x1b[31m[bold]red\\x1b]0;owned\\x07')\n"
            "sys.stdout.write('no end')\n"
        )
        said = run("--plain", str(tmp_path / "bar.py"), runs=tmp_path / "runs")
        assert [line for line in said.out.splitlines() if line.startswith("A| ")] == [
            "A| 100% done",
            "A| [bold]red",
            "A| no end",
        ]
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said.out)

    def test_script_without_a_step_is_said_to_have_made_none(self, tmp_path):
        said = run("--plain", "--", "sh", "-c", "echo out; exit 4", runs=tmp_path)
        assert said.code == 4
        assert "error after 0 steps, exit code 4: no optimizer step was seen" in said.out
        assert said.out.count("A| out\n") == 1

    def test_json_leaves_out_what_is_not_known(self, tmp_path):
        said = run("--json", "--no-seed", RECORDING, "steps=3", "exit=2", runs=tmp_path)
        first, *others = said.lines
        assert first.keys() == {"event", "run", "title", "task", "seeds", "lanes"}
        (lane,) = first["lanes"]
        assert lane.keys() == {"letter", "name", "command"}
        assert lane["command"] == [sys.executable, RECORDING, "steps=3", "exit=2"]
        (start,) = (line for line in others if line["event"] == "start")
        assert start == {"event": "start", "lane": "A", "step": 0, "device": "cpu"}
        (end,) = (line for line in others if line["event"] == "end")
        assert end["exit_code"] == said.code == 2
        assert {"event": "output", "lane": "A", "text": "begins steps=3 exit=2"} in others

    def test_watching_it_again_tells_the_same_output(self, tmp_path):
        told = run("--json", RECORDING, "steps=3", runs=tmp_path)
        again = subprocess.run(
            [*LRTUI, "watch", "--json", "--runs", str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
        )
        lines = Said(0, again.stdout, again.stderr).lines
        output = [line for line in told.lines if line["event"] == "output"]
        assert [line for line in lines if line["event"] == "output"] == output


def begun(runs: Path, *args: str) -> subprocess.Popen[str]:
    """`lrtui run` of a script that has made steps."""
    process = subprocess.Popen(
        [*LRTUI, "run", "--runs", str(runs), "--plain", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        if "step " in line and "loss" in line:
            break
    return process


class TestTheScreen:
    def test_exit_code_is_handed_on_from_the_screen(self, tmp_path):
        """In a terminal of its own."""
        words = ("run", RECORDING, "steps=3", "exit=3")
        with Terminal(*words, runs=tmp_path, size=(80, 24)) as terminal:
            terminal.sees("A recording_script", "error")
            terminal.press("q")
            assert terminal.leaves() == 3


class TestLeaving:
    def test_an_interrupt_stops_the_script_in_good_order(self, tmp_path):
        process = begun(tmp_path, RECORDING)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130
        assert "interrupted after" in out
        assert err == f"lrtui: interrupted; to run it again: lrtui run {RECORDING}\n"

    def test_a_script_that_hears_nothing_is_killed_by_a_second_one(self, tmp_path):
        process = begun(tmp_path, RECORDING, "deaf", "stubborn")
        assert process.stdout
        process.send_signal(signal.SIGINT)
        for line in process.stdout:
            if "sent SIGTERM; another stop kills it" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130
        assert "exit code -9" in out
        assert "its lanes are ending; interrupt again to leave at once" in err

    def test_detached_it_goes_on_and_can_be_watched(self, lrtui, here):
        said = lrtui("run", "--detach", "--name", "mine", RECORDING, "steps=5", "exit=3")
        (run,) = (here / "runs").iterdir()
        assert said.code == 0
        assert said.out == f"{run.name} runs; watch it with: lrtui watch {run.name}\n"
        until(lambda: Reader(run).outcome()[0], "the end of the script")
        watched = lrtui("watch", "mine", "--plain")
        assert watched.code == 3
        assert "A| begins steps=5 exit=3" in watched.out

    def test_resume_names_the_command_that_runs_it_again(self, lrtui, here):
        assert lrtui("run", "--plain", "--lr", "0.5", RECORDING, "steps=2").code == 0
        (run,) = (here / "runs").iterdir()
        until(lambda: not Reader(run).alive(), "the end of its supervisor")
        said = lrtui("resume", run.name)
        assert said.code == 2
        assert f"lrtui run --lr 0.5 {RECORDING} steps=2" in said.err
