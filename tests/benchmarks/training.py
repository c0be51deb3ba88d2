"""What racing costs beside training the same lanes one after another. By hand: `python
tests/benchmarks/training.py`.

`turns`: 8 lanes in one trainer (recorder and store included) against 8 bare loops, same intra-op
threads. `two bare processes`: half of the bare loops in each of two processes, the most that two
cores can give. `race`: 8 lanes as a person starts them (8 niced processes) against 8 bare loops
with torch's default threads, start-up left out: from the first lane's Started to the last one's
Ended. Each ratio is from one run; the median of the rounds counts, machines are noisy.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "training"))

from bare import bare_loop  # noqa: E402

from lrtui.client.follower import Follower  # noqa: E402
from lrtui.client.launcher import Launcher  # noqa: E402
from lrtui.core.scenario import scenario_file  # noqa: E402
from lrtui.store.recorder import Recorder  # noqa: E402
from lrtui.store.writer import create_run  # noqa: E402
from lrtui.training import task as tasks  # noqa: E402
from lrtui.training.lane_assignment import LaneAssignment  # noqa: E402
from lrtui.training.lane_runner import LaneRunner  # noqa: E402
from lrtui.training.snapshot_writer import SnapshotWriter  # noqa: E402
from lrtui.training.trainer import run_round_robin  # noqa: E402

LANES, ROUNDS = 8, 3
SIZES = {"Small": (100, 30), "Middle": (32, 20), "Conv": (32, 8)}
"""Task: batch size and epochs."""


class Staying:
    """Nobody wants the trainer to leave."""

    reason = ""


def make_race(name: str, epochs: int):
    """Eight lanes, Adam at eight rates."""
    lanes = [{"lr": 1e-4 * (index + 1)} for index in range(LANES)]
    raw = {
        "task": f"models.py:{name}",
        "batch_size": SIZES[name][0],
        "epochs": epochs,
        "lane": lanes,
    }
    return scenario_file.parse(raw, source="benchmark", folder=HERE, scenario="benchmark")


def bare_seconds(race) -> float:
    """All lanes of a race as bare loops, one after another."""
    began = time.perf_counter()
    for lane in race.lanes:
        bare_loop(
            tasks.load(race.task),
            lambda params, lr=lane.lr: torch.optim.Adam(params, lr=lr),
            seed=0,
            epochs=race.epochs,
            batch_size=race.batch_size,
        )
    return time.perf_counter() - began


def turns_seconds(race, folder: Path) -> float:
    """All lanes in turns in this process, recorded in a run store."""
    run = create_run(folder, race)
    recorder = Recorder(run, "trainer 0", set(range(LANES)))
    snapshot_writer = SnapshotWriter(run, recorder, race.snapshots, LANES)
    began = time.perf_counter()
    runners = {
        index: LaneRunner(race, LaneAssignment(index, "cpu"), run, recorder, snapshot_writer)
        for index in range(LANES)
    }
    run_round_robin(runners, recorder, Staying())
    took = time.perf_counter() - began
    recorder.close()
    return took


def race_seconds(race, folder: Path) -> float:
    """The race through a supervisor, from the first Started to the last Ended."""
    follower = Follower(Launcher().start(race, folder))
    first, last = [], []
    while not follower.state.over:
        for event in follower.poll():
            {"Started": first, "Ended": last}.get(type(event).__name__, []).append(event.at)
        time.sleep(0.05)
    return max(last) - min(first)


def bound_seconds(name: str, epochs: int) -> float:
    """Half of the lanes in each of two processes with bare loops and nothing else: what two cores
    can give."""
    halves = [
        subprocess.Popen(
            [sys.executable, __file__, name, str(epochs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for half in halves:
        half.stdout.readline()  # torch is loaded
    for half in halves:
        half.stdin.write("go\n")
        half.stdin.flush()
    return max(float(half.communicate()[0]) for half in halves)


def half(name: str, epochs: int) -> None:
    """One of the two processes."""
    torch.set_num_threads(1)
    race = make_race(name, epochs)
    bare_seconds(msgspec.structs.replace(race, lanes=race.lanes[:1], epochs=1))
    print("ready", flush=True)
    sys.stdin.readline()
    print(bare_seconds(msgspec.structs.replace(race, lanes=race.lanes[: LANES // 2])))


def main() -> None:
    if sys.argv[1:]:
        half(sys.argv[1], int(sys.argv[2]))
        return
    print(
        f"{os.cpu_count()} cores, torch {torch.__version__}, {LANES} lanes, Adam, median of"
        f" {ROUNDS} rounds (range)"
    )
    print(f"{'model':8} {'us/step':>8} {'turns / bare, 1 thread':>24}", end=" ")
    print(f"{'race / bare, default threads':>30} {'two bare processes':>22}")
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, epochs) in SIZES.items():
            turns, races, bounds = [], [], []
            for _ in range(ROUNDS):
                torch.set_num_threads(1)
                race = make_race(name, epochs)
                bare = bare_seconds(race)
                turns.append(turns_seconds(race, Path(folder)) / bare)
                torch.set_num_threads(threads)
                longer = make_race(name, epochs * 2)
                alone = bare_seconds(longer)
                races.append(race_seconds(longer, Path(folder)) / alone)
                bounds.append(bound_seconds(name, epochs * 2) / alone)
            steps = LANES * epochs * len(tasks.load(race.task).dataset()) / race.batch_size
            print(
                f"{name:8} {bare / steps * 1e6:8.0f} {_words(turns):>24} {_words(races):>30}"
                f" {_words(bounds):>22}"
            )


def _words(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


if __name__ == "__main__":
    main()
