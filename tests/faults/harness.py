"""Races in real processes, to which things happen; whatever happens, nothing of them is left
running.

Chance decides the moments. LRTUI_FAULTS_SEED repeats a run: the seed is printed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from lrtui.client.follower import Follower
from lrtui.client.launcher import Launcher
from lrtui.core.protocol.command_result import CommandResult
from lrtui.core.protocol.commands import AnyCommand
from lrtui.core.protocol.events import AnyEvent
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.store import run_dir
from lrtui.store.reader import summary
from lrtui.store.run_dir import DATABASE
from support.waiting import PATIENCE_S, until

from .record import Record

CLONE_NEWNS = 0x20000
HERE = Path(__file__).parent
SEED = int(os.environ.get("LRTUI_FAULTS_SEED") or random.SystemRandom().randrange(2**32))

SCENARIO = """
title = "A race with mishaps"
task = "tasks.py:{task}"
epochs = {epochs}
batch_size = 8
seed = 5
device = "cpu"

[snapshots]
seconds = 0.7

[[lane]]
optimizer = "SGD"
lr = 0.05
momentum = 0.9
schedule = {{ name = "StepLR", step_size = 3, gamma = 0.7 }}

[[lane]]
optimizer = "Adam"
lr = 0.01
schedule = {{ name = "CosineAnnealingLR", T_max = 100, interval = "batch" }}

[[lane]]
optimizer = "AdamW"
lr = 0.003
schedule = {{ name = "ReduceLROnPlateau", patience = 1 }}

[[lane]]
optimizer = "RMSprop"
lr = 0.002
"""
LANES = 4


def chance(name: str) -> random.Random:
    """What decides in the test of that name."""
    print(f"LRTUI_FAULTS_SEED={SEED}")
    return random.Random(f"{SEED} {name}")


def write_scenario(folder: Path, *, task: str = "Slow", epochs: int = 60) -> Path:
    """The scenario, with its task beside it, in a folder where both may be changed. An epoch has 7
    steps of about 6 ms."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "tasks.py", folder)
    path = folder / "mishaps.toml"
    path.write_text(SCENARIO.format(task=task, epochs=epochs))
    return path


def make_race(folder: Path, **keys: Any) -> Race:
    """The race of that scenario."""
    return scenario_file.load(str(write_scenario(folder, **keys)))


class Contest:
    """A run and the processes that work on it. `with Contest.start(...) as contest:` leaves none of
    them behind."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.follower = Follower(run)
        self.told: list[AnyEvent] = []
        self._sessions: set[int] = set()
        self.sees(lambda: self._sessions, "the supervisor")

    @classmethod
    def start(
        cls, folder: Path, trainers: int = LANES, runs: Path | None = None, **keys: Any
    ) -> Contest:
        """Starts a race as a viewer would; its lanes are on their way."""
        return cls(Launcher().start(make_race(folder, **keys), runs or folder / "runs", trainers))

    @classmethod
    def of(cls, runs: Path) -> Contest:
        """The only run in a folder, which somebody else has started or is starting."""
        until(
            lambda: run_dir.listing(runs) and summary(run_dir.listing(runs)[0]).state == "running",
            "a run",
        )
        return cls(run_dir.listing(runs)[0])

    def __enter__(self) -> Contest:
        return self

    def __exit__(self, *_: object) -> None:
        self.follower.close()
        for process in self.at_work():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def resume(self, **keys: Any) -> None:
        """Takes the race up again, as a viewer would."""
        Launcher().resume(self.run, **keys)

    def look(self) -> Contest:
        """What has been recorded by now, and by whose supervisor."""
        if supervisor := self.follower.reader.supervisor():
            self._sessions.add(supervisor.pid)
        self.told += self.follower.poll()
        return self

    def sees(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
        """Looks until something holds."""
        return until(lambda: self.look() and condition(), what, seconds)

    def goes_on(self, *lanes: int, by: int = 1) -> None:
        """Sees that these lanes (all without any) record `by` more steps, or come to their end."""
        states = (
            [self.follower.state.lanes[index] for index in lanes]
            if lanes
            else self.follower.state.lanes
        )
        goals = [(state, self.look() and state.steps + by) for state in states]
        self.sees(
            lambda: all(state.steps >= goal or state.over for state, goal in goals),
            f"{by} more steps",
        )

    def sees_the_end(self) -> Record:
        """Sees the race end, and all its processes with it; its record, which is sound."""
        self.sees(lambda: self.follower.state.over, "the end of the race", 240.0)
        self.sees_nobody()
        return Record(self.run)

    def ends_it(self, number: int = signal.SIGTERM) -> Record:
        """Tells the supervisor to end, and sees that it does; what is recorded so far is as if
        nothing had happened."""
        kill(self.supervisor(), number)
        record = self.sees_the_end()
        record.assert_undisturbed()
        return record

    def sees_nobody(self, seconds: float = PATIENCE_S) -> None:
        """Sees the last process of the run end."""
        self.sees(lambda: not self.at_work(), "the end of all processes", seconds)

    @property
    def ends(self) -> list[str]:
        """What has become of each lane so far."""
        return [lane.status for lane in self.look().follower.state.lanes]

    def supervisor(self) -> psutil.Process:
        """The process of its newest supervisor."""
        row = self.look().follower.reader.supervisor()
        assert row
        return psutil.Process(row.pid)

    def trainers(self) -> dict[int, psutil.Process]:
        """The trainers that are alive, by number."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.run / DATABASE}?mode=ro", uri=True)
        ) as db:
            rows = db.execute(
                "SELECT role, pid, started FROM processes WHERE role LIKE 'trainer %'"
            ).fetchall()
        found = {}
        for role, pid, _ in rows:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if alive(process) and os.getsid(pid) in self._sessions:
                    found[int(role.split()[1])] = process
        return found

    def silence(self, pid: int) -> float:
        """Seconds since a process of the run last said that it lives."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.run / DATABASE}?mode=ro", uri=True)
        ) as db:
            (beat,) = db.execute("SELECT max(beat) FROM processes WHERE pid = ?", (pid,)).fetchone()
        return time.time() - beat

    def at_work(self) -> list[psutil.Process]:
        """Every process that a supervisor of this run has started, itself included: they share its
        session."""
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                process = psutil.Process(pid)
                if os.getsid(pid) in self._sessions and alive(process):
                    found.append(process)
        return found

    def send(self, *commands: AnyCommand) -> list[CommandResult]:
        """Says something to the lanes; what became of it."""
        numbers = self.follower.send(commands)
        self.sees(
            lambda: len(self.follower.results(numbers)) == len(numbers), f"answers to {commands}"
        )
        return [self.follower.results(numbers)[number] for number in numbers]

    def freeze(self) -> None:
        """Stops every process of the run, as when a laptop is closed."""
        for process in self.at_work():
            process.suspend()

    def thaw(self) -> None:
        """And lets it go on."""
        for process in self.at_work():
            process.resume()


class Front:
    """`lrtui` without a terminal, in a process of its own; its output goes to files, so that it
    never waits for us."""

    def __init__(self, *args: str, runs: Path, within: Path) -> None:
        within.mkdir(parents=True, exist_ok=True)
        self._out, self._err = within / f"{time.time_ns()}.out", within / f"{time.time_ns()}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lrtui", *args],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, "LRTUI_RUNS": str(runs)},
                start_new_session=True,
            )

    def __enter__(self) -> Front:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self._out.read_text()

    @property
    def complaints(self) -> str:
        """And on stderr."""
        return self._err.read_text()

    def says(self, *words: str) -> None:
        """Waits until it has said all of them, on stdout or stderr."""

        def said() -> bool:
            return all(word in self.text + self.complaints for word in words)

        until(lambda: said() or self.process.poll() is not None, f"{words}")
        assert said(), f"not said: {words}\n{self.text}{self.complaints}"

    def leaves(self) -> int:
        """Waits for its end; its exit code."""
        until(lambda: self.process.poll() is not None, "the end of lrtui")
        return int(self.process.returncode)


def alive(process: psutil.Process) -> bool:
    """Whether a process is neither gone nor a zombie."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def crash(folder: Path, how: str) -> None:
    """The next step ends its process. Whole at once: a trainer that read an empty file would take
    it away and go on."""
    (folder / "crash.part").write_text(how)
    (folder / "crash.part").replace(folder / "crash")


def kill(process: psutil.Process, number: int = signal.SIGKILL) -> float:
    """Sends a signal; when that was."""
    process.send_signal(number)
    return time.time()


def ended(process: psutil.Process) -> None:
    """Sees one process end."""
    until(lambda: not alive(process), f"the end of process {process.pid}")


def on_a_small_disk(folder: Path, kilobytes: int, act: Callable[[Path | None], None]) -> None:
    """Does something where `folder` is a file system of its own that holds so much; `act` gets None
    where we may mount none.

    A thread of its own sees that file system, and the processes that it starts; it is gone with the
    last of them.
    """
    folder.mkdir()

    def within() -> None:
        try:
            alone = (
                sys.platform == "linux"
                and ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0
                and not any(
                    subprocess.call(["mount", *how], stderr=subprocess.DEVNULL)
                    for how in (
                        ["--make-rprivate", "/"],
                        ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)],
                    )
                )
            )
        except OSError:
            alone = False
        act(folder if alone else None)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(within).result()
