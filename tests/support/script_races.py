"""Races of scripts in real processes, of which nothing is left running."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil

from lrtui.client.follower import Follower
from lrtui.client.launcher import Launcher
from lrtui.core.protocol.events import LogMessage
from lrtui.core.scenario.spec import Lane, OptimizerSpec, Race, Script, TaskRef, letter
from lrtui.store.run_dir import DATABASE, SUPERVISOR_ROLE
from support.waiting import until

RECORDING = str(Path(__file__).with_name("recording_script.py"))


def make_script_race(*command, lanes=1, values=None, script=None, **keys):
    """A race of `lanes` lanes that run one command; `values` are those of `{x}` in it."""
    values = values or [str(index) for index in range(lanes)]
    made = tuple(
        Lane(letter(index), f"x {value}", OptimizerSpec(""), 0.0, values={"x": value})
        for index, value in enumerate(values)
    )
    keys = {"on_nan": "warn", **keys}
    return Race(
        title="Scripts",
        task=TaskRef(
            "script", next((one for one in command if one.endswith(".py")), command[0]), "train"
        ),
        lanes=made,
        script=Script(command=tuple(command), **(script or {})),
        **keys,
    )


def recording(*words, **keys):
    """A race of tests/support/recording_script.py."""
    return make_script_race(sys.executable, RECORDING, *words, **keys)


IMPATIENT = """
import sys
from lrtui.integrations.supervisor import script as supervised_script
supervised_script.STOP_S, supervised_script.LINGER_S = {stop_s}, {linger_s}
from lrtui.integrations.supervisor.supervisor import main
main()
"""
"""A supervisor whose patience with a script is given."""


def set_patience(monkeypatch, stop_s=10.0, linger_s=0.3):
    """Have launchers start supervisors that wait `stop_s` seconds for a script's end after a stop,
    and `linger_s` for what it leaves behind."""
    popen, code = subprocess.Popen, IMPATIENT.format(stop_s=stop_s, linger_s=linger_s)

    def start(args, **how):
        if "lrtui.integrations" in args:
            args = [sys.executable, "-P", "-c", code]
        return popen(args, **how)

    monkeypatch.setattr(subprocess, "Popen", start)


class ScriptRace:
    """A run of scripts, as a viewer sees it. `with ScriptRace(race, runs) as contest:` leaves none
    of its processes behind."""

    def __init__(self, race, runs, **how):
        launcher = Launcher(race)
        self.run = launcher.start(race, runs, **how)
        self._launched = psutil.Process(launcher._process.pid)
        self.follower = Follower(self.run)
        self.told = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.follower.close()
        for process in filter(None, [*self.family(), self._launched, self.supervisor()]):
            with contextlib.suppress(psutil.Error):
                process.kill()

    @property
    def lanes(self):
        return self.follower.state.lanes

    def see(self, condition, what):
        """Look until something holds."""

        def look():
            self.told += self.follower.poll()
            return condition()

        return until(look, what)

    def see_steps(self, *indices, by=3):
        """See lanes record steps."""
        lanes = [self.lanes[index] for index in indices] if indices else self.lanes
        goals = [(lane, lane.steps + by) for lane in lanes]
        self.see(lambda: all(lane.steps >= goal for lane, goal in goals), f"{by} steps")

    def see_end(self, *indices):
        """See lanes end, all by default; their statuses."""
        lanes = [self.lanes[index] for index in indices] if indices else self.lanes
        self.see(lambda: all(lane.over for lane in lanes), "the end of lanes")
        return [lane.status for lane in lanes]

    def send(self, *commands):
        """Send commands, and see their results."""
        numbers = self.follower.send(commands)
        self.see(
            lambda: len(self.follower.results(numbers)) == len(numbers), f"replies: {commands}"
        )
        return [self.follower.results(numbers)[number] for number in numbers]

    def notes(self, lane):
        """Lines of the log about a lane."""
        return [one.text for one in self.told if isinstance(one, LogMessage) and one.lane == lane]

    def output(self, sign="A"):
        """The output of a lane's script so far."""
        path = self.run / f"script-{sign}.log"
        return path.read_text() if path.exists() else ""

    def supervisor(self):
        """The process of the supervisor; None once it is gone."""
        return self._process(SUPERVISOR_ROLE)

    def script(self, lane):
        """The process that records a lane."""
        return self._process(f"trainer {lane}")

    def _process(self, role):
        if not (self.run / DATABASE).exists():
            return None
        with contextlib.closing(sqlite3.connect(self.run / DATABASE)) as db:
            row = db.execute("SELECT pid FROM processes WHERE role = ?", (role,)).fetchone()
        try:
            return psutil.Process(row[0]) if row else None
        except psutil.NoSuchProcess:
            return None

    def family(self):
        """All living processes of the run's scripts."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.environ().get("LRTUI_RUN") == str(self.run):
                    found.append(process)
        return [process for process in found if process.pid != os.getpid()]
