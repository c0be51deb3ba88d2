"""Races of scripts in real processes: their queue, their ends and what comes in between."""

import os
import signal
import sys

import msgspec
import psutil
import pytest

from lrtui.client.follower import Follower
from lrtui.client.launcher import Launcher, restart_supervisor, resumable
from lrtui.core.errors import RunError, ScenarioError
from lrtui.core.protocol.command_result import LANE_ENDED
from lrtui.core.protocol.commands import Add, Fork, Pause, Rewind, Stop, TakeSnapshot
from lrtui.core.protocol.events import Alerted, LaneAdded, StatusChanged
from lrtui.core.protocol.launch_protocol import HookCommands
from lrtui.core.scenario.spec import OptimizerSpec
from lrtui.store.reader import Reader, summary
from support.script_races import ScriptRace, make_script_race, recording, set_patience
from support.training import make_race
from support.waiting import deleted, until

pytestmark = pytest.mark.xdist_group("processes")


def gone(process):
    return process is None or not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


class TestEnds:
    def test_scripts_end_as_their_exit_codes_say(self, tmp_path):
        race = recording("steps=3", "exit={x}", values=["0", "3"])
        with ScriptRace(race, tmp_path) as contest:
            assert contest.see_end() == ["finished", "error"]
            good, bad = contest.lanes
            assert (good.ended.exit_code, good.ended.error, good.steps) == (0, "", 3)
            assert (bad.ended.exit_code, bad.steps) == (3, 3)
            assert bad.ended.error.splitlines() == [
                "begins steps=3 exit=3",
                "records",
                "ended with exit code 3: it printed last: records",
            ]
            until(lambda: contest.supervisor() is None, "its supervisor's end")

    def test_exception_of_a_script_is_its_error(self, tmp_path):
        with ScriptRace(recording("steps=1", "raise"), tmp_path) as contest:
            assert contest.see_end() == ["error"]
            (alert,) = (one for one in contest.told if isinstance(one, Alerted))
            assert alert.text == (
                "ended with exit code 1: ValueError: [bold]the script broke[/bold]"
            )
            assert 'raise ValueError("[bold]the script broke' in contest.lanes[0].ended.error

    def test_killed_script_is_told_by_its_signal(self, tmp_path):
        with ScriptRace(recording(), tmp_path) as contest:
            contest.see_steps()
            contest.script(0).kill()
            assert contest.see_end() == ["error"]
            end = contest.lanes[0].ended
            assert end.exit_code == -signal.SIGKILL
            assert end.error.endswith(
                "killed by SIGKILL: by another process, or by the system because memory ran out"
            )
            assert end.step == contest.lanes[0].steps

    def test_budget_that_was_made_is_a_finish_whatever_the_exit_code(self, tmp_path):
        with ScriptRace(recording("steps=4", "exit=1", steps=4), tmp_path) as contest:
            assert contest.see_end() == ["finished"]
            assert contest.lanes[0].ended.exit_code == 0  # its stop is no fault of the script

    @pytest.mark.parametrize(("policy", "status"), [("stop", "nan"), ("warn", "finished")])
    def test_nan_ends_a_lane_as_nan_only_if_the_race_says_so(self, tmp_path, policy, status):
        with ScriptRace(recording("steps=4", "nan", on_nan=policy), tmp_path) as contest:
            assert contest.see_end() == [status]

    def test_script_without_a_step_says_what_to_use_instead(self, tmp_path):
        with ScriptRace(make_script_race("sh", "-c", "echo hello"), tmp_path) as contest:
            assert contest.see_end() == ["finished"]
            end = contest.lanes[0].ended
            assert end.error in contest.notes(0)
            assert end.error.startswith("no optimizer step was seen")
            assert "--vary" in end.error
            assert "lrtui.watch" in end.error
            assert contest.output() == "hello\n"


class TestQueue:
    def test_lanes_run_one_after_another_in_their_order(self, tmp_path):
        race = recording("steps={x}", values=["5", "2", "3"], script={"at_once": 1})
        with ScriptRace(race, tmp_path) as contest:
            assert contest.see_end() == ["finished"] * 3
            story = [
                (one.lane, type(one).__name__)
                for one in contest.told
                if type(one).__name__ in ("StatusChanged", "Started", "Ended")
            ]
            assert story == [
                (lane, what) for lane in range(3) for what in ("StatusChanged", "Started", "Ended")
            ]

    def test_lane_that_waits_is_stopped_before_it_is_started(self, tmp_path):
        race = recording("exit={x}", lanes=3, script={"at_once": 1})
        with ScriptRace(race, tmp_path) as contest:
            contest.see_steps(0)
            assert contest.lanes[1].status == "waiting"
            (result,) = contest.send(Stop(lane=1))
            assert result.text == "stopped before it was started"
            assert contest.see_end(1) == ["stopped"]
            assert contest.lanes[1].ended.exit_code is None
            assert contest.send(Stop(lane=0))[0].ok
            contest.see_steps(2)
            assert contest.output("B") == ""

    def test_at_once_limits_the_lanes_that_run(self, tmp_path):
        race = recording(lanes=3, script={"at_once": 2})
        with ScriptRace(race, tmp_path) as contest:
            contest.see_steps(0, 1)
            assert [lane.status for lane in contest.lanes] == ["running", "running", "waiting"]
            assert len(contest.family()) == 2


class TestStop:
    def test_script_that_takes_the_stop_ends_as_stopped(self, tmp_path):
        with ScriptRace(recording(lanes=2, script={"at_once": 2}), tmp_path) as contest:
            contest.see_steps()
            first, second = contest.send(Stop(lane=0), Stop(lane=1, for_good=False))
            assert first.text.startswith("Stop at step")
            assert second.ok
            assert contest.see_end() == ["stopped", "interrupted"]
            assert contest.lanes[0].ended.exit_code == 1

    def test_script_before_its_first_step_is_ended_by_sigterm(self, tmp_path):
        with ScriptRace(recording("silent"), tmp_path) as contest:
            until(lambda: "begins" in contest.output(), "its beginning")
            (result,) = contest.send(Stop(lane=0))
            assert result.text == "sent SIGTERM: it had made no step yet"
            assert contest.see_end() == ["stopped"]
            assert contest.lanes[0].ended.exit_code == -signal.SIGTERM

    def test_deaf_script_gets_sigterm_and_then_a_kill_on_request(self, tmp_path, monkeypatch):
        set_patience(monkeypatch, stop_s=0.3)
        with ScriptRace(recording("deaf", "stubborn"), tmp_path) as contest:
            contest.see_steps()
            (first,) = contest.send(Stop(lane=0))
            words = "still running 0.3 s after the stop: sent SIGTERM; another stop kills it"
            assert first.text == words
            contest.see(lambda: words in contest.notes(0), "a line of the log")
            contest.see_steps()  # it ignores that, too
            assert contest.send(Stop(lane=0))[0].text == "killed"
            assert contest.see_end() == ["stopped"]
            assert contest.lanes[0].ended.exit_code == -signal.SIGKILL

    def test_second_stop_brings_sigterm_at_once(self, tmp_path):
        with ScriptRace(recording("deaf"), tmp_path) as contest:
            contest.see_steps()
            (number,) = contest.follower.send([Stop(lane=0)])
            (second,) = contest.send(Stop(lane=0))
            assert second.text.startswith("sent SIGTERM")
            assert contest.see_end() == ["stopped"]
            assert contest.lanes[0].ended.exit_code == -signal.SIGTERM
            assert contest.follower.results([number])[number] == second

    def test_script_that_ends_before_it_sees_the_stop_is_finished(self, tmp_path):
        with ScriptRace(recording("deaf", "steps=60"), tmp_path) as contest:
            contest.see_steps()
            assert contest.send(Stop(lane=0)) == [LANE_ENDED]
            assert contest.see_end() == ["finished"]


class TestSupervisorEnds:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_interrupt_ends_all_scripts_and_those_that_wait(self, tmp_path, monkeypatch, number):
        set_patience(monkeypatch, stop_s=5.0)
        race = recording("{x}", values=["", "stubborn", ""], script={"at_once": 2})
        with ScriptRace(race, tmp_path) as contest:
            contest.see_steps(0, 1)
            contest.supervisor().send_signal(number)
            assert contest.see_end() == ["interrupted"] * 3
            codes = [lane.ended.exit_code for lane in contest.lanes]
            assert codes == [-signal.SIGTERM, -signal.SIGKILL, None]
            assert contest.family() == []
            until(lambda: contest.supervisor() is None, "the supervisor's end")
            assert summary(contest.run).state == "interrupted"

    def test_script_that_has_finished_stays_finished_in_an_interrupt(self, tmp_path, monkeypatch):
        set_patience(monkeypatch, stop_s=1.0, linger_s=600.0)
        with ScriptRace(recording("steps=3", "child"), tmp_path) as contest:
            until(lambda: contest.script(0), "its first step")
            until(lambda: gone(contest.script(0)), "its end")
            contest.supervisor().terminate()
            assert contest.see_end() == ["finished"]
            assert contest.lanes[0].ended.exit_code == 0

    def test_scripts_train_on_when_their_supervisor_is_killed(self, tmp_path):
        race = recording("steps={x}", values=["100", "1000000", "1"], script={"at_once": 2})
        with ScriptRace(race, tmp_path) as contest:
            contest.see_steps(0, 1)
            contest.supervisor().kill()
            contest.see(lambda: "supervisor died" in contest.follower.trouble, "the trouble")
            assert summary(contest.run).state == "running"
            assert not contest.follower.supervisor_gone
            contest.see_steps(1)
            with pytest.raises(RunError, match="is still running"):
                resumable(contest.run)
            # nobody records the ends of the one that is done and of the one that waited
            assert contest.see_end(0, 2) == ["interrupted"] * 2
            assert contest.lanes[0].steps == 100
            contest.see_steps(1)
            contest.script(1).kill()
            assert contest.see_end(1) == ["interrupted"]
            assert contest.follower.supervisor_gone
            assert contest.follower.resumable() == []
            assert summary(contest.run).state == "cut off"
            with pytest.raises(RunError, match="cannot go on where it was cut off") as refused:
                resumable(contest.run)
            for steps in (100, 1000000, 1):
                assert f"lrtui run {race.task.target} steps={steps}" in refused.value.hint

    def test_supervisor_whose_folder_is_deleted_ends_with_its_scripts(self, tmp_path):
        with ScriptRace(recording(lanes=2, script={"at_once": 2}), tmp_path) as contest:
            contest.see_steps()
            supervisor, scripts = contest.supervisor(), contest.family()
            deleted(contest.run)
            for script in scripts:
                script.kill()
            until(lambda: gone(supervisor), "the supervisor's end")

    def test_presumed_end_is_undone_by_a_later_event(self, tmp_path):
        """A script that has made no step when its supervisor is killed looks gone at first."""
        with ScriptRace(recording("steps=5"), tmp_path) as contest:
            contest.supervisor().kill()
            contest.see(lambda: contest.lanes[0].steps == 5, "its steps all the same")
            assert contest.see_end() == ["interrupted"]


class TestTree:
    def test_child_that_outlives_its_script_is_told_and_left_alone(self, tmp_path, monkeypatch):
        set_patience(monkeypatch)
        with ScriptRace(recording("steps=3", "child", "apart"), tmp_path) as contest:
            assert contest.see_end() == ["finished"]
            (left,) = contest.family()
            assert f"outlive it, and are left alone: {left.pid}" in " ".join(contest.notes(0))

    @pytest.mark.parametrize("where", ["", "apart"])
    def test_stop_leaves_no_child_behind(self, tmp_path, monkeypatch, where):
        set_patience(monkeypatch)
        with ScriptRace(recording("stubborn-child", where), tmp_path) as contest:
            contest.see_steps()
            assert len(contest.family()) == 2
            contest.send(Stop(lane=0))
            assert contest.see_end() == ["stopped"]
            until(lambda: contest.family() == [], "the end of the child")

    def test_lane_lives_while_a_child_records_it(self, tmp_path, monkeypatch):
        set_patience(monkeypatch, linger_s=0.0)
        with ScriptRace(recording("tail", "steps=100"), tmp_path) as contest:
            assert contest.see_end() == ["finished"]
            assert contest.lanes[0].steps == 100
            words = "its first process has ended; another one of it goes on training"
            assert contest.notes(0).count(words) == 1


class TestCommands:
    def test_what_no_script_can_do_is_refused_in_words(self, tmp_path):
        with ScriptRace(recording(), tmp_path) as contest:
            contest.see_steps()
            lane = contest.lanes[0].lane
            other = msgspec.structs.replace(lane, optimizer=OptimizerSpec("Adam"), lr=0.1)
            results = contest.send(
                Fork(lane=0, child=lane),
                Rewind(lane=0),
                TakeSnapshot(lane=0),
                Add(lane=-1, child=other),
            )
            assert [one.code for one in results] == ["refused"] * 4
            assert [one.text.partition(":")[0] for one in results] == [
                "a script cannot be forked",
                "a script cannot be rewound",
                "a script has no snapshots",
                "a script cannot be added with other settings",
            ]
            assert len(contest.lanes) == 1

    def test_lane_as_it_is_joins_and_runs_from_the_start(self, tmp_path):
        race = recording("{x}", values=["", "steps=3"], script={"at_once": 2})
        with ScriptRace(race, tmp_path) as contest:
            contest.see_end(1)
            again = msgspec.structs.replace(contest.lanes[1].lane, name="again")
            (result,) = contest.send(Add(lane=-1, child=again))
            assert result.ok
            contest.see(lambda: len(contest.lanes) == 3, "the new lane")
            assert contest.see_end(2) == ["finished"]
            assert (contest.lanes[2].lane.letter, contest.lanes[2].steps) == ("C", 3)
            assert contest.output("C") == contest.output("B")
            assert [one.child.name for one in contest.told if isinstance(one, LaneAdded)] == [
                "again"
            ]

    def test_script_joins_a_race_whose_supervisor_has_left(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_HOME", "/the/first/shell")
        with ScriptRace(recording("steps=3", "HF_HOME"), tmp_path) as contest:
            contest.see_end()
            until(lambda: contest.supervisor() is None, "the supervisor's end")
            monkeypatch.setenv("HF_HOME", "/another/shell")
            (number,) = contest.follower.send([Add(lane=-1, child=contest.lanes[0].lane)])
            restart_supervisor(contest.run)
            contest.see(lambda: len(contest.lanes) == 2, "the new lane")
            assert contest.see_end() == ["finished", "finished"]
            assert contest.lanes[1].steps == 3
            assert contest.follower.results([number])[number].ok
            assert "HF_HOME=/the/first/shell" in contest.output("B")
            assert contest.output("B") == contest.output("A")

    def test_command_to_a_lane_that_waits_is_for_its_script(self, tmp_path):
        race = recording("{x}", values=["steps=100", ""], script={"at_once": 1})
        with ScriptRace(race, tmp_path) as contest:
            contest.see_steps(0)
            (number,) = contest.follower.send([Pause(lane=1)])
            contest.see_steps(1)
            contest.see(lambda: contest.follower.results([number]), "the reply")
            assert contest.follower.results([number])[number].text.startswith("Pause at step")

    def test_alert_command_is_run(self, tmp_path):
        race = recording("steps=4", "nan")
        command = HookCommands(on_alert=f"cat >> {tmp_path / 'alerts'}")
        with ScriptRace(race, tmp_path / "runs", hooks=command) as contest:
            contest.see_end()
            until(lambda: (tmp_path / "alerts").exists(), "the command of the alert")
            until(lambda: '"kind": "nan"' in (tmp_path / "alerts").read_text(), "the alert")


class TestStart:
    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (["no-such-program", "x"], "no-such-program: not found on PATH"),
            (["./no-such-program"], "./no-such-program: no such file"),
            (["plain.txt/../plain.txt"], "plain.txt/../plain.txt: no such file"),
            (["./plain.txt"], "./plain.txt: not executable"),
            ([sys.executable, "train.py", "--lr", "1"], "train.py: no such file"),
            ([sys.executable, "-m", "nobody.train"], "nobody.train: no such module"),
            (["python3", "-c", "print('{x}')"], ""),
            ([sys.executable, "-m", "module.train"], ""),
        ],
    )
    def test_bad_command_is_refused_before_anything_is_written(self, tmp_path, command, words):
        (tmp_path / "plain.txt").write_text("no program")
        (tmp_path / "module").mkdir()
        (tmp_path / "module" / "train.py").write_text("print('trained')")
        race = make_script_race(*command, folder=str(tmp_path))
        if not words:
            with ScriptRace(race, tmp_path / "runs") as contest:
                assert contest.see_end() == ["finished"]
            return
        launcher = Launcher(race)
        with pytest.raises(ScenarioError) as refused:
            launcher.start(race, tmp_path / "runs")
        launcher.close()
        assert refused.value.message == words
        assert refused.value.hint.startswith("expected")
        assert not (tmp_path / "runs").exists()

    def test_supervisor_warmed_up_for_tasks_is_not_used_for_a_script(self, tmp_path):
        launcher = Launcher()
        warm = psutil.Process(launcher._process.pid)
        run = launcher.start(recording("steps=1"), tmp_path)
        until(lambda: gone(warm), "the end of the warm supervisor")
        follower = Follower(run)
        until(lambda: follower.poll() is not None and follower.state.over, "the end")
        assert follower.state.lanes[0].status == "finished"
        follower.close()

    def test_launcher_of_scripts_starts_a_race_of_a_task(self, tmp_path):
        launcher = Launcher(recording("steps=1"))
        run = launcher.start(make_race([{"optimizer": "SGD", "lr": 0.01}], epochs=1), tmp_path)
        follower = Follower(run)
        until(lambda: follower.poll() is not None and follower.state.over, "the end")
        assert follower.state.lanes[0].status == "finished"
        follower.close()

    def test_program_that_is_lost_before_its_turn_is_the_error_of_its_lane(self, tmp_path):
        program = tmp_path / "program"
        program.write_text("#!/bin/sh\necho begun\nwhile [ ! -e lost ]; do sleep 0.05; done\n")
        program.chmod(0o755)
        race = make_script_race(str(program), lanes=2, script={"at_once": 1}, folder=str(tmp_path))
        with ScriptRace(race, tmp_path / "runs") as contest:
            until(lambda: "begun" in contest.output(), "its beginning")
            program.rename(tmp_path / "lost")
            assert contest.see_end() == ["finished", "error"]
            assert "could not be started" in contest.lanes[1].ended.error

    def test_start_is_recorded_with_the_command_line(self, tmp_path):
        race = make_script_race("sh", "-c", "echo '{x} [bold]'", values=["a b"])
        with ScriptRace(race, tmp_path) as contest:
            contest.see_end()
            (status,) = (one for one in contest.told if isinstance(one, StatusChanged))
            assert (status.status, status.step) == ("running", 0)
            assert contest.notes(0)[0] == "runs sh -c 'echo '\"'\"'a b [bold]'\"'\"''"
            assert contest.output() == "a b [bold]\n"
            reader = Reader(contest.run)
            assert reader.race.folder == os.getcwd()
            reader.close()
