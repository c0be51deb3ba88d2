"""Hands on a race, through a real pty: how long a turn of the dial, coming back and going on take.
By hand: `python tests/benchmarks/dial.py [keys attach resume]`.

keys: '+' or '-' until its acknowledgement stands on the screen, while four lanes train. attach:
`lrtui watch` of a race that is under way until all of its long history is drawn. resume: a race
whose supervisor was told to end, until a step is recorded again.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyte
from terminal import HEIGHT, LRTUI, WIDTH, Terminal

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.harness import Contest
from lrtui.client.launcher import Launcher
from lrtui.core.numbers import count
from lrtui.core.protocol.events import Column, Started, Steps
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row

HERE = Path(__file__).parent
ROUNDS, PRESSES = 5, 100
LANES, HISTORY, BLOCK = 8, 200_000, 100
"""Of the race that is attached to: lanes, steps of each, steps of a flush."""
FRESH = """
import sys, time
from pathlib import Path
from lrtui.client.follower import Follower
began = time.perf_counter()
follower = Follower(Path(sys.argv[1]))
while not follower.caught_up:
    follower.poll(0.06)
print(time.perf_counter() - began)
"""


class Watched(Terminal):
    """A program in a pty, and what stands on its screen."""

    def __init__(self, *args: str, runs: str) -> None:
        super().__init__(*args, runs=runs)
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.ByteStream(self._screen)
        self.first = 0.0
        """When the first byte came."""

    def sees(self, pattern: str, limit: float = 60.0) -> re.Match[str]:
        """Reads until the pattern stands on the screen; `at` is when the last piece for it came."""
        began = time.perf_counter()
        while not (found := re.search(pattern, "\n".join(self._screen.display), re.DOTALL)):
            got = self.read(0.5)
            self.at = time.perf_counter()
            self.first = self.first or (self.at if got else 0.0)
            self._stream.feed(got)
            if self.at - began > limit:
                raise TimeoutError(
                    f"never stood there: {pattern}\n" + "\n".join(self._screen.display)
                )
        return found

    def rest(self, seconds: float) -> None:
        """Reads what comes for a while."""
        self._stream.feed(self.collect(seconds))


def busy_race(task: str, lanes: int) -> Race:
    """Lanes that keep the machine busy for as long as it takes."""
    raw = {
        "task": f"models.py:{task}",
        "epochs": 100_000,
        "lane": [{"lr": 1e-4 * (index + 1)} for index in range(lanes)],
    }
    return scenario_file.parse(raw, source="benchmark", folder=HERE, scenario="benchmark")


def keys(folder: str) -> str:
    """From '+' to the acknowledgement of the lane's trainer on the screen."""
    took: list[float] = []
    with Contest(Launcher().start(busy_race("Middle", 4), Path(folder))) as contest:
        contest.goes_on(by=100)
        with contextlib.closing(Watched("watch", runs=folder)) as terminal:
            terminal.sees("4 of 4 lanes racing")
            terminal.rest(3.0)
            before = "none"
            for press in range(PRESSES):
                terminal.rest(0.2)
                began = time.perf_counter()
                terminal.key("+-"[press % 2])
                before = terminal.sees(rf"A: rate (?!{before} )(\S+ from step \d+) ", 10.0)[1]
                took.append(terminal.at - began)
    took.sort()
    p50, p95, worst = (took[int(len(took) * part) - 1] * 1e3 for part in (0.5, 0.95, 1.0))
    return (
        f"dial to acknowledgement, 4 busy lanes, {PRESSES} presses: median {p50:.0f} ms, p95"
        f" {p95:.0f} ms, max {worst:.0f} ms   (median <= 150 ms)"
    )


def attach(folder: str) -> str:
    """`lrtui watch` until every lane's last step stands on the screen; and reading the same alone,
    in a fresh interpreter."""
    run = long_run(Path(folder))
    whole, drawn, read = [], [], []
    last = re.escape(f"step {count(HISTORY)}") + "|" + f"step {HISTORY}"
    for _ in range(ROUNDS):
        with contextlib.closing(Watched("watch", run.name, runs=folder)) as terminal:
            terminal.sees(".*".join([f"(?:{last})"] * LANES))
            whole.append(terminal.at - terminal.began)
            drawn.append(terminal.at - terminal.first)
        done = subprocess.run(
            [sys.executable, "-c", FRESH, str(run)], capture_output=True, text=True, check=True
        )
        read.append(float(done.stdout))
    return (
        f"lrtui watch of {LANES} lanes x {HISTORY:,} steps, live: all of it drawn {seconds(whole)}"
        f" after Enter, {seconds(drawn)} after its first byte; reading it: {seconds(read)}   (<="
        " 0.5 s without the interpreter's start)"
    )


def long_run(folder: Path) -> Path:
    """A race with a long history that is under way: we are its supervisor."""
    raw = {
        "task": "linear-toy",
        "steps": 10 * HISTORY,
        "lane": [{"lr": 10.0**-index} for index in range(LANES)],
    }
    run = create_run(folder, scenario_file.parse(raw, source="benchmark", folder=folder))
    writer = Writer(run, SUPERVISOR_ROLE)
    writer.append(
        [
            row(
                Started(
                    lane=lane,
                    at=1.0,
                    device="cpu",
                    steps_per_epoch=100,
                    total_steps=10 * HISTORY,
                    parameters=11,
                    init_checksum="a",
                    batch_checksum="b",
                    intra_op_threads=1,
                    validated=False,
                )
            )
            for lane in range(LANES)
        ]
    )
    for first in range(0, HISTORY, BLOCK):
        losses = [1 / (1 + step) for step in range(first, first + BLOCK)]
        columns = {
            "loss": Column.pack(losses, "f4"),
            "grad_norm": Column.pack(losses, "f4"),
            "seconds": Column.pack([1e-3] * BLOCK, "f4"),
            "applied_lr": Column.pack([0.1] * BLOCK),
            "next_lr": Column.pack([0.1] * BLOCK),
        }
        writer.append(
            [
                row(
                    Steps(
                        lane=lane, at=1.0 + first / 2000, first=first, count=BLOCK, columns=columns
                    )
                )
                for lane in range(LANES)
            ]
        )
    writer.beat()
    writer.close()
    return run


def resume(folder: str) -> str:
    """`lrtui resume` as typed, and a supervisor that has torch loaded already, each until a step is
    recorded again."""
    cold, warm = [], []
    with Contest(Launcher().start(busy_race("Middle", 4), Path(folder))) as contest:
        for number in range(2 * 3):
            contest.goes_on(by=200)
            contest.supervisor().send_signal(signal.SIGTERM)
            contest.sees_nobody()
            launcher = Launcher()
            if number % 2:
                launcher.preview(contest.follower.state.race)  # it has torch now
            began = time.time()
            if number % 2:
                launcher.resume(contest.run)
                warm.append(first_step(contest, began))
            else:
                launcher.close()
                began = time.time()
                front = subprocess.Popen(
                    [*LRTUI, "resume", contest.run.name, "--json"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "LRTUI_RUNS": folder},
                )
                cold.append(first_step(contest, began))
                front.kill()
                front.wait()
    return (
        f"resume of 4 lanes to the first new step: lrtui resume {seconds(cold)}, with torch loaded"
        f" {seconds(warm)}"
    )


def first_step(contest: Contest, began: float) -> float:
    """Seconds until a step is recorded that was made after `began`."""
    blocks = contest.sees(
        lambda: [
            event.at for event in contest.told if isinstance(event, Steps) and event.at > began
        ],
        "a step",
    )
    return float(min(blocks) - began)


def seconds(took: list[float]) -> str:
    """Median and range."""
    return f"{statistics.median(took):.2f} s ({min(took):.2f}-{max(took):.2f})"


BENCHMARKS = {"keys": keys, "attach": attach, "resume": resume}


def main() -> None:
    for name in sys.argv[1:] or BENCHMARKS:
        with tempfile.TemporaryDirectory() as runs:
            print(BENCHMARKS[name](runs), flush=True)


if __name__ == "__main__":
    main()
