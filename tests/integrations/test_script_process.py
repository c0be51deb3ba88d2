"""A script as a tree of processes, its environment, and the places where scripts run."""

import os
import signal
import sys

import msgspec
import psutil
import pytest

from lrtui.core.errors import ScenarioError
from lrtui.integrations.supervisor import environment as script_environment
from lrtui.integrations.supervisor.environment import INJECT, Places, lane_environment
from lrtui.integrations.supervisor.process import ScriptProcess
from support.script_races import make_script_race
from support.waiting import until

MARKS = {"LRTUI_RUN": "/nowhere/a-run", "LRTUI_LANE": "3"}
SLEEP = "import time; print('asleep', flush=True); time.sleep(600)"
FAMILY = f"""
import subprocess, sys
apart = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
bare = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], env={{}})
{SLEEP}
"""


@pytest.fixture
def start(tmp_path):
    """Start Python code as a script; nothing of it stays."""
    started = []

    def start(code, **variables):
        marks = {**MARKS, "LRTUI_RUN": str(tmp_path)}
        script = ScriptProcess(
            [sys.executable, "-c", code],
            {**os.environ, **marks, **variables},
            str(tmp_path),
            tmp_path / "log",
            marks,
        )
        started.append(script)
        return script

    yield start
    for script in started:
        script.kill()


def says(folder, words, count=1):
    log = folder / "log"
    until(lambda: log.exists() and log.read_text().count(words) == count, f"{words} in its log")


class TestProcess:
    def test_output_of_both_streams_and_of_an_earlier_script_is_kept(self, tmp_path, start):
        for word in ("one", "two"):
            code = f"import os, sys; print('{word}'); sys.stderr.write(os.getcwd())"
            script = start(code, PYTHONUNBUFFERED="1")
            until(lambda script=script: script.exitcode == 0, "its end")
        assert (tmp_path / "log").read_text() == f"one\n{tmp_path}two\n{tmp_path}"
        assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600

    def test_standard_input_is_empty(self, start):
        script = start("import sys; sys.exit(len(sys.stdin.read()) + 7)")
        until(lambda: script.exitcode == 7, "its end")

    def test_exit_code_of_a_signal_is_negative(self, start):
        script = start("import os; os.kill(os.getpid(), 6)")
        until(lambda: script.exitcode == -signal.SIGABRT, "its end")
        assert script.ended_for >= 0

    def test_command_that_cannot_be_started_raises(self, tmp_path):
        with pytest.raises(OSError, match="no-such"):
            ScriptProcess(["no-such-program"], {}, str(tmp_path), tmp_path / "log", MARKS)

    def test_tree_holds_other_sessions_and_other_environments(self, tmp_path, start):
        script = start(FAMILY)
        says(tmp_path, "asleep", 3)
        rest = script.rest()
        assert len(rest) == 2
        assert len({os.getsid(one.pid) for one in rest}) == 2
        assert all(one.ppid() == script.pid for one in rest)

    def test_kill_ends_the_whole_tree(self, tmp_path, start):
        script = start(FAMILY)
        says(tmp_path, "asleep", 3)
        script.kill()
        until(lambda: script.exitcode == -signal.SIGKILL, "its end")
        until(lambda: script.rest() == [], "the end of the others")

    def test_terminate_leaves_other_sessions_to_their_launcher(self, tmp_path, start):
        script = start(FAMILY)
        says(tmp_path, "asleep", 3)
        apart = [one for one in script.rest() if os.getsid(one.pid) != script.pid]
        script.terminate()
        until(lambda: script.exitcode == -signal.SIGTERM, "its end")
        until(lambda: script.rest() == apart, "the end of its group")
        script.terminate()  # what is left has no launcher any more
        until(lambda: script.rest() == [], "the end of the other session")

    def test_tree_holds_no_process_of_another_lane(self, tmp_path, start):
        script, other = start(FAMILY), start(FAMILY, LRTUI_LANE="4")
        says(tmp_path, "asleep", 6)
        ours = {one.pid for one in script.rest()}
        assert ours & {one.pid for one in psutil.Process(other.pid).children()} == set()


class TestEnvironment:
    @pytest.fixture
    def made(self, tmp_path):
        def made(inherited, *, places=None, place=0, lanes=2, script=None, **keys):
            race = make_script_race("sh", lanes=lanes, script=script, **keys)
            places = places or Places(0, [], 8)
            return lane_environment(tmp_path, race, 1 % lanes, places, place, inherited)

        return made

    def test_lane_and_run_are_told_by_variables(self, tmp_path, made):
        found = made({"HOME": "/home/me", "LRTUI_LANE": "7"}, seed=5)
        assert found["HOME"] == "/home/me"
        assert found["LRTUI_RUN"] == str(tmp_path)
        assert found["LRTUI_LANE"] == "1"
        assert found["LRTUI_SEED"] == found["PYTHONHASHSEED"] == "5"
        assert found["PYTHONUNBUFFERED"] == "1"
        assert found["OMP_NUM_THREADS"] == "4"
        assert found["PYTHONPATH"] == INJECT
        assert os.path.isfile(os.path.join(INJECT, "sitecustomize.py"))
        assert "CUDA_VISIBLE_DEVICES" not in found

    def test_variables_that_are_set_are_kept(self, made):
        usual = {"PYTHONUNBUFFERED": "0", "PYTHONHASHSEED": "random", "OMP_NUM_THREADS": "3"}
        found = made({**usual, "PYTHONPATH": "src:lib"})
        assert {name: found[name] for name in usual} == usual
        assert found["PYTHONPATH"] == f"{INJECT}:src:lib"

    def test_variables_of_the_script_win(self, made):
        own = {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "9", "NEW": "1"}
        found = made({"OMP_NUM_THREADS": "3"}, script={"env": own})
        assert {name: found[name] for name in own} == own

    def test_unseeded_script_has_no_seed_not_even_an_outer_one(self, made):
        found = made({"LRTUI_SEED": "3"}, script={"seeded": False})
        assert "LRTUI_SEED" not in found
        assert "PYTHONHASHSEED" not in found

    def test_large_seed_fits_the_hash_seed(self, made):
        assert made({}, seed=2**40 + 7)["PYTHONHASHSEED"] == "7"

    def test_lane_that_runs_alone_is_not_limited(self, made):
        found = made({}, lanes=1, places=Places(0, ["0", "1"], 8))
        assert "OMP_NUM_THREADS" not in found
        assert "CUDA_VISIBLE_DEVICES" not in found

    def test_gpus_are_dealt_over_what_the_shell_says(self, made):
        found = made({"CUDA_VISIBLE_DEVICES": "2,5"}, places=Places(0, ["2", "5"], 8), place=1)
        assert found["CUDA_VISIBLE_DEVICES"] == "5"


class TestPlaces:
    @pytest.mark.parametrize(
        ("at_once", "gpus", "limit"), [(0, "", 6), (3, "", 3), (0, "01", 2), (4, "01", 4)]
    )
    def test_limit_is_what_was_asked_for_or_what_there_is(self, at_once, gpus, limit):
        assert Places(at_once, list(gpus), 6).limit == limit

    @pytest.mark.parametrize(
        ("at_once", "gpus", "lanes", "dealt"),
        [
            (0, "012", 2, ["0", "1"]),  # one each, though one is left over
            (0, "01", 5, ["0", "1"]),
            (2, "0123", 5, ["02", "13"]),  # shared out where a number was asked for
            (3, "01", 3, ["0", "1", "0"]),
            (8, "0123", 2, ["02", "13"]),
        ],
    )
    def test_gpus_are_shared_out(self, at_once, gpus, lanes, dealt):
        places = Places(at_once, list(gpus), 6)
        found = [places.gpus(place, lanes) for place in range(len(dealt))]
        assert found == [list(one) for one in dealt]

    @pytest.mark.parametrize(
        ("value", "gpus"),
        [
            (None, ["0", "1", "2"]),
            ("1,GPU-ab", ["1", "GPU-ab"]),
            ("", []),
            ("-1", []),
            ("2,-1,0", ["2"]),
        ],
    )
    def test_visible_gpus_are_those_of_the_shell(self, monkeypatch, value, gpus):
        monkeypatch.setattr(script_environment, "_gpus", lambda: 3)
        given = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
        assert script_environment.visible_gpus(given) == gpus


def test_race_is_checked_with_the_values_of_each_lane(tmp_path):
    (tmp_path / "0.py").write_text("")
    race = make_script_race(sys.executable, "{x}.py", folder=str(tmp_path))
    script_environment.check(race)
    lane = msgspec.structs.replace(race.lanes[0], letter="B", values={"x": "1"})
    race = msgspec.structs.replace(race, lanes=(*race.lanes, lane))
    with pytest.raises(ScenarioError, match=r"1\.py: no such file"):
        script_environment.check(race)
