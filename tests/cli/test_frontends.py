"""What becomes of a race that is told in lines when its front is interrupted, at whichever moment,
or cannot write them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import shlex
import signal
import subprocess
import sys
import time

import psutil
import pytest

from lrtui.cli import plain_frontend
from lrtui.cli.plain_frontend import PlainFrontend
from lrtui.cli.signals import ENOUGH, Signals
from lrtui.client.follower import Follower
from lrtui.core.protocol.command_result import done
from lrtui.core.protocol.commands import Stop
from lrtui.core.protocol.events import Ended, Rewound
from lrtui.store import run_dir
from lrtui.store.reader import summary
from lrtui.store.writer import Writer
from support.fake_run import BEGAN, commands, make_run, say
from support.waiting import deleted, until

LRTUI = [sys.executable, "-m", "lrtui"]
RACE = ("linear", "--set", "pace=20")
FIND = ("linear", "--points", "1000", "--set", "pace=20")


@pytest.fixture
def half_taken_up(tmp_path):
    """An interrupted race of three lanes, of which a new supervisor (this process) has taken up the
    first so far."""
    run = make_run(tmp_path, ("steady", "steady", "paints"), done=60, live=True)
    say(run, *[Ended(lane=lane, at=BEGAN + 9, step=60, reason="interrupted") for lane in range(3)])
    say(run, Rewound(lane=0, at=BEGAN + 10, step=60, why="resumed"))
    return run


def answered(run):
    """Has each command that waits answered, as a supervisor would."""
    writer = Writer(run, "test")
    writer.acknowledge([(number, done("stopped")) for number, _ in writer.pending(0)])
    writer.close()


def test_lanes_whose_new_beginning_is_not_on_record_yet_are_stopped_too(half_taken_up, monkeypatch):
    follower = Follower(half_taken_up)
    follower.catch_up()
    monkeypatch.setattr(time, "sleep", lambda _: answered(half_taken_up))
    frontend = PlainFrontend(follower, Signals(), resumed=True)
    frontend.stop()
    frontend._wait_for_stops()
    assert commands(half_taken_up) == []  # all are answered
    assert len(follower.results([1, 2, 3])) == 3
    follower.close()


def test_lanes_that_have_ended_are_let_be_where_nothing_is_taken_up(half_taken_up):
    follower = Follower(half_taken_up)
    follower.catch_up()
    PlainFrontend(follower, Signals(), resumed=False).stop(for_good=True)
    assert commands(half_taken_up) == [Stop(lane=0, for_good=True)]
    follower.close()


def test_an_interrupt_while_it_is_taken_up_is_not_waited_out(half_taken_up):
    looks = iter([False, True])
    say(half_taken_up, Ended(lane=0, at=BEGAN + 11, step=60, reason="interrupted"))
    plain_frontend._wait_until_resumed(half_taken_up, lambda: next(looks))
    assert next(looks, None) is None


class TestSignals:
    def test_only_where_somebody_is_impatient_does_the_third_one_raise(self):
        with Signals() as signals:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGINT):
                signal.raise_signal(number)
            assert signals.count == ENOUGH + 1
            with pytest.raises(KeyboardInterrupt), signals.impatient():
                signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # what is said last is not cut off

    def test_what_is_waited_for_is_ended_by_one_that_came_before_too(self):
        class Work:
            ended = 0

            def interrupt(self):
                self.ended += 1

        work = Work()
        with Signals() as signals:
            with signals.waiting_for(work):
                signal.raise_signal(signal.SIGTERM)
            with signals.waiting_for(work):
                assert work.ended == 2


class Front:
    """`lrtui` with its output in files, or wherever `out` and `err` lead; no race of it is left
    running."""

    def __init__(self, folder, *args, out=None, err=None):
        self.runs = folder / "runs"
        self._out, self._err = folder / "out", folder / "err"
        with contextlib.ExitStack() as stack:
            streams = [
                stack.enter_context(open(given or own, "w"))
                for given, own in ((out, self._out), (err, self._err))
            ]
            self.process = subprocess.Popen(
                [*LRTUI, *args],
                stdin=subprocess.DEVNULL,
                stdout=streams[0],
                stderr=streams[1],
                env={**os.environ, "LRTUI_RUNS": str(self.runs)},
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        for supervisor in self._supervisors():
            with contextlib.suppress(psutil.Error):
                os.killpg(supervisor.pid, signal.SIGKILL)

    def _supervisors(self):
        """The supervisors of the runs that are going on."""
        found = []
        for run in run_dir.listing(self.runs):
            follower = Follower(run)
            row = follower.reader.supervisor()
            follower.close()
            if row is not None and row.alive():
                found.append(psutil.Process(row.pid))
        return found

    @property
    def said(self):
        return self._err.read_text() if self._err.exists() else ""

    def trains(self):
        """Waits until steps have been told."""
        until(
            lambda: (
                '"steps"' in self._out.read_text()
                or " loss " in self._out.read_text()
                or '"point"' in self._out.read_text()
                or self.process.poll() is not None
            ),
            "the first steps",
        )
        assert self.process.poll() is None, self.said

    def signalled(self, *numbers):
        for number in numbers:
            self.process.send_signal(number)

    def leaves(self):
        until(lambda: self.process.poll() is not None, "the end of lrtui")
        assert "Traceback" not in self.said
        return self.process.returncode

    def ends(self, *states):
        """Waits until each of its runs is in one of `states`, and nobody works on them."""
        until(
            lambda: (
                {summary(run).state for run in run_dir.listing(self.runs)} <= set(states)
                and not self._supervisors()
            ),
            states,
        )

    @property
    def run(self):
        return run_dir.listing(self.runs)[0]


BURSTS = {
    "int int": (signal.SIGINT, signal.SIGINT),
    "term int": (signal.SIGTERM, signal.SIGINT),
    "a hail": (signal.SIGINT, signal.SIGTERM) * 20,
}


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("how", ["--json", "--plain"])
def test_however_often_it_is_interrupted_the_race_ends_and_is_recorded_so(tmp_path, burst, how):
    with Front(tmp_path, "race", *RACE, how) as front:
        front.trains()
        front.signalled(*BURSTS[burst])
        assert front.leaves() == 130
        assert front.run.name in front.said
        assert "lrtui: interrupted; " in front.said
        front.ends("interrupted")


@pytest.mark.xdist_group("processes")
def test_interrupt_during_shutdown_keeps_exit_code_and_resume_command(tmp_path):
    with Front(tmp_path, "race", *RACE, "--json") as front:
        front.trains()
        front.signalled(signal.SIGINT)
        psutil.Process(front.process.pid).suspend()  # so that the next one cannot come too late
        front.signalled(signal.SIGINT)
        psutil.Process(front.process.pid).resume()
        assert front.leaves() == 130
        assert front.said.endswith(f"lrtui: interrupted; to go on: lrtui resume {front.run.name}\n")
        front.ends("interrupted")
    with Front(tmp_path, "resume", front.run.name, "--plain") as again:
        again.trains()
        again.signalled(*BURSTS["int int"])
        assert again.leaves() == 130
        assert again.run.name in again.said
        again.ends("interrupted")


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("burst", BURSTS)
@pytest.mark.parametrize("args", [("race", *RACE), ("find", *FIND)], ids=["race", "find"])
def test_while_torch_is_loaded_nothing_begins(tmp_path, burst, args):
    with Front(tmp_path, *args) as front:
        supervisor = until(psutil.Process(front.process.pid).children, "the supervisor's process")[
            0
        ]
        front.signalled(*BURSTS[burst])
        assert front.leaves() == 130
        until(
            lambda: (
                not psutil.pid_exists(supervisor.pid) or supervisor.status() == psutil.STATUS_ZOMBIE
            ),
            "its end",
        )
        front.ends("interrupted", "ended")


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("burst", ["int int", "a hail"])
def test_a_search_that_is_interrupted_is_stopped(tmp_path, burst):
    with Front(tmp_path, "find", *FIND, "--json") as front:
        front.trains()
        front.signalled(*BURSTS[burst])
        assert front.leaves() == 130
        assert front.said == "lrtui: interrupted; the search has been stopped\n"
        front.ends("interrupted", "ended")


@pytest.mark.xdist_group("processes")
@pytest.mark.skipif(
    not hasattr(fcntl, "F_SETPIPE_SZ"), reason="a pipe can only be made small on Linux"
)
def test_repeated_interrupts_end_frontend_with_full_output_pipe(tmp_path):
    here, there = os.pipe()
    fcntl.fcntl(there, fcntl.F_SETPIPE_SZ, 4096)
    with Front(tmp_path, "race", *RACE, "--json", out=f"/proc/self/fd/{there}") as front:
        os.close(there)
        follower = Follower(until(lambda: run_dir.listing(front.runs), "the run")[0])
        until(
            lambda: follower.poll() and follower.state.lanes[0].steps > 100,
            "more steps than the pipe has room for",
        )
        follower.close()
        until(
            lambda: front.signalled(signal.SIGINT) or front.process.poll() is not None,
            "the end of lrtui",
        )
        assert front.leaves() == 130
        assert front.said.startswith("lrtui: interrupted; ")
        assert front.run.name in front.said
        front.ends("interrupted")
    os.close(here)


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("how", ["--json", "--plain"])
def test_a_race_whose_folder_is_deleted_is_ended_by_an_interrupt_too(tmp_path, how):
    with Front(tmp_path, "race", *RACE, how) as front:
        front.trains()
        (supervisor,) = front._supervisors()
        deleted(front.run)
        until(
            lambda: (
                "the run's folder is gone: unless it is back within 60 s, the race ends"
                in front.said
            ),
            "a word about it",
        )
        front.signalled(*BURSTS["int int"])
        assert front.leaves() == 130
        assert front.said.endswith(
            "lrtui: interrupted; the run's folder is gone: the race has ended\n"
        )
        until(
            lambda: not supervisor.is_running() or supervisor.status() == psutil.STATUS_ZOMBIE,
            "the end of the supervisor",
        )


@pytest.mark.xdist_group("processes")
class TestOutputThatFails:
    def test_a_full_disk_leaves_the_race_running_and_says_so(self, tmp_path):
        with Front(tmp_path, "race", *RACE, "--plain", out="/dev/full") as front:
            assert front.leaves() == 74
            assert (
                "No space left on device; the race goes on; back to it with: lrtui watch "
                + front.run.name
                in front.said
            )
            assert f"lrtui send --all {front.run.name} stop" in front.said
            assert summary(front.run).state == "running"
            with Front(tmp_path, "watch", "--json", out="/dev/full") as watching:
                assert watching.leaves() == 74
                assert (
                    "the race goes on; back to it with: lrtui watch " + front.run.name
                    in watching.said
                )
                assert summary(front.run).state == "running"

    @pytest.mark.parametrize("how", ["--json", "--plain"])
    def test_where_nothing_can_be_said_at_all_the_race_is_interrupted(self, tmp_path, how):
        with Front(tmp_path, "race", *RACE, how, out="/dev/full", err="/dev/full") as front:
            assert front.leaves() == 74
            front.ends("interrupted")

    def test_a_log_that_fills_up_midway(self, tmp_path):
        with Front(tmp_path, "race", *RACE, "--json") as front:
            front.trains()
            room = (tmp_path / "out").stat().st_size + 3000
            psutil.Process(front.process.pid).rlimit(resource.RLIMIT_FSIZE, (room, room))
            assert front.leaves() == 74
            assert "the race goes on; back to it with: lrtui watch " + front.run.name in front.said

    def test_a_reader_that_has_gone_does_not_take_the_race_with_it_unsaid(self, tmp_path):
        text = f"{' '.join(LRTUI)} race {' '.join(RACE)} --json | head -n 1"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", text],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LRTUI_RUNS": str(tmp_path / "runs")},
        )
        (run,) = run_dir.listing(tmp_path / "runs")
        with Front(tmp_path, "send", "--all", run.name, "stop") as front:
            assert done.returncode == 74
            assert "the race goes on; back to it with: lrtui watch " + run.name in done.stderr
            assert front.leaves() == 0

    def test_a_search_is_stopped(self, tmp_path):
        with Front(tmp_path, "find", *FIND, "--json", out="/dev/full") as front:
            assert front.leaves() == 74
            assert (
                front.said
                == "lrtui: standard output: No space left on device; the search has been stopped\n"
            )
            front.ends("interrupted", "ended")

    @pytest.mark.parametrize(
        "args",
        [
            "scenarios",
            "scenarios linear",
            "runs",
            "settings",
            "report",
            "watch --plain",
            "--help",
            "schedule StepLR(step_size=3)",
            "--version",
        ],
    )
    @pytest.mark.parametrize("err", [None, "/dev/full"])
    def test_whatever_is_printed_is_not_lost_without_a_word(self, tmp_path, args, err):
        make_run(tmp_path / "runs", ("steady",))
        with Front(tmp_path, *args.split(), out="/dev/full", err=err) as front:
            assert front.leaves() == 74
            assert front.said.startswith(
                "" if err else "lrtui: standard output: No space left on device"
            )

    @pytest.mark.parametrize(
        "args",
        [
            "runs",
            "scenarios linear",
            "watch --plain",
            "--help",
            "schedule StepLR(step_size=3)",
            "--version",
            "race --json --steps 3 lr-dial",
        ],
    )
    def test_a_closed_output_is_one_that_cannot_be_written(self, tmp_path, args):
        runs = tmp_path / "runs"
        make_run(runs, ("steady",))
        text = f"{' '.join(LRTUI)} {' '.join(map(shlex.quote, args.split()))} >&-"
        done = subprocess.run(
            ["bash", "-c", text],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "LRTUI_RUNS": str(runs)},
        )
        assert done.returncode == 74
        assert done.stderr.startswith("lrtui: ")
        assert "standard output: Bad file descriptor" in done.stderr
        for run in run_dir.listing(runs):
            if run.name in done.stderr:  # it goes on
                with Front(tmp_path, "send", "--all", run.name, "stop") as front:
                    front.leaves()

    def test_streams_that_are_closed_are_not_taken_by_the_next_file(self, tmp_path):
        run = make_run(tmp_path / "runs", ("steady",))
        text = f"{' '.join(LRTUI)} watch {run} --plain 0<&- >&- 2>&-"
        assert subprocess.run(["bash", "-c", text], check=False).returncode == 74
        follower = Follower(run)
        follower.catch_up()
        assert follower.state.over
        follower.close()
