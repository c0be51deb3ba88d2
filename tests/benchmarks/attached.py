"""What a viewer takes from the training: `python tests/benchmarks/attached.py [ROUNDS]`.

Eight lanes train on all cores, without a screen. In turns of four seconds a viewer in a pty
(200x50, everything it sends is read) watches them, or waits stopped (SIGSTOP): steps a second with
it by those without, the mean of the rounds and its standard error; and, which is steadier, how much
of one core the viewer takes.
"""

from __future__ import annotations

import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
from terminal import Terminal

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.harness import Contest
from lrtui.client.launcher import Launcher
from lrtui.core.scenario import scenario_file

HERE = Path(__file__).parent
LANES, ROUNDS, SECONDS, SETTLE_S = 8, 24, 4.0, 0.5


def steps(contest: Contest) -> int:
    """Done by all lanes, as far as they are recorded."""
    contest.look().follower.catch_up()
    contest.told.clear()
    return sum(lane.steps for lane in contest.follower.state.lanes)


def speed(contest: Contest, terminal: Terminal) -> float:
    """Steps a second of all lanes together."""
    terminal.collect(SETTLE_S)
    began, first = time.perf_counter(), steps(contest)
    terminal.collect(SECONDS)
    return (steps(contest) - first) / (time.perf_counter() - began)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    raw = {
        "task": "models.py:Middle",
        "epochs": 10_000_000,
        "batch_size": 32,
        "sample_every": 1000,
        "lane": [{"lr": 1e-4 * (index + 1)} for index in range(LANES)],
    }
    race = scenario_file.parse(raw, source="benchmark", folder=HERE, scenario="attached")
    with (
        tempfile.TemporaryDirectory() as runs,
        Contest(Launcher().start(race, Path(runs))) as contest,
    ):
        contest.goes_on(by=10)
        terminal, ratios, shares = Terminal("watch", runs=runs), [], []
        viewer = psutil.Process(terminal.process.pid)
        terminal.collect(5.0)
        for _ in range(rounds):
            spent, began = sum(viewer.cpu_times()[:2]), time.perf_counter()
            watched = speed(contest, terminal)
            shares.append((sum(viewer.cpu_times()[:2]) - spent) / (time.perf_counter() - began))
            terminal.process.send_signal(signal.SIGSTOP)
            alone = speed(contest, terminal)
            terminal.process.send_signal(signal.SIGCONT)
            ratios.append(watched / alone)
        terminal.close()
    error = statistics.stdev(ratios) / rounds**0.5
    print(
        f"steps a second with a viewer / without, {LANES} lanes:"
        f" {statistics.geometric_mean(ratios):.3f} +- {error:.3f} ({rounds} rounds of {SECONDS:.0f}"
        f" s each)   (>= 0.97)\nof one core the viewer takes {statistics.median(shares):.1%}"
        f" ({min(shares):.1%}-{max(shares):.1%}), of {psutil.cpu_count()} that train"
    )


if __name__ == "__main__":
    main()
