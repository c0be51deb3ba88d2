"""Eight lanes for as long as is asked, and what memory they take: `python tests/benchmarks/soak.py
--minutes 30`.

Sampled: the trainers, the supervisor with its forkserver, and a viewer in a pty whose output is
read. Memory is PSS, the share of a process in what several hold together (RSS where the kernel does
not tell it). Slopes are those of a straight line through the samples after the first third. What
the history explains is what the history in this program's own copy of the state grew.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from terminal import Terminal

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.harness import Contest
from lrtui.client.launcher import Launcher
from lrtui.core.scenario import scenario_file
from lrtui.core.state.memory_budget import all_series

HERE = Path(__file__).parent
LANES, SAMPLES = 8, 60
WARM = 1 / 3
MEGABYTE = 1e6


def memory(process: psutil.Process) -> float:
    """Bytes."""
    try:
        return float(process.memory_full_info().pss)
    except (AttributeError, psutil.AccessDenied):
        return float(process.memory_info().rss)


def history(contest: Contest) -> int:
    """Bytes of all columns of all lanes, of their times, epochs and measured steps."""
    lanes = contest.look().follower.state.lanes
    measured = (
        column.itemsize * len(column)
        for lane in lanes
        for column in (lane.measured.steps, *lane.measured.columns.values())
    )
    return sum(measured) + sum(
        lane.clock.nbytes
        + lane.evaluations.nbytes
        + sum(series.nbytes for series in all_series(lane))
        for lane in lanes
    )


def sample(contest: Contest, viewer: psutil.Process) -> dict[str, float]:
    """Bytes by who holds them."""
    trainers = {process.pid for process in contest.trainers().values()}
    others = [process for process in contest.at_work() if process.pid not in trainers]
    with contextlib.suppress(psutil.NoSuchProcess):
        return {
            "trainers": sum(map(memory, contest.trainers().values())),
            "supervisor": sum(map(memory, others)),
            "viewer": memory(viewer),
            "history": float(history(contest)),
            "steps": float(sum(lane.steps for lane in contest.follower.state.lanes)),
            "disk": float(
                sum(file.stat().st_size for file in contest.run.rglob("*") if file.is_file())
            ),
        }
    return {}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--task", default="Small", help="of models.py")
    parser.add_argument(
        "--pace", type=int, default=0, help="steps a second and lane; 0: as fast as it goes"
    )
    asked = parser.parse_args()
    raw = {
        "task": f"models.py:{asked.task}",
        "epochs": 10_000_000,
        "pace": asked.pace,
        "sample_every": 1000,
        "lane": [{"lr": 1e-4 * (index + 1)} for index in range(LANES)],
    }
    race = scenario_file.parse(raw, source="benchmark", folder=HERE, scenario="soak")
    with (
        tempfile.TemporaryDirectory() as runs,
        Contest(Launcher().start(race, Path(runs))) as contest,
    ):
        contest.goes_on(by=10)
        terminal = Terminal("watch", runs=runs)
        viewer, began, rows = psutil.Process(terminal.process.pid), time.monotonic(), []
        while (passed := time.monotonic() - began) < asked.minutes * 60:
            terminal.collect(asked.minutes * 60 / SAMPLES)
            contest.told.clear()
            if row := sample(contest, viewer):
                rows.append({"seconds": passed, **row})
        terminal.close()
        tell(rows, asked.minutes)


def tell(rows: list[dict[str, float]], minutes: float) -> None:
    """First, last and slope of each."""
    warm = rows[int(len(rows) * WARM) :]
    seconds = np.array([row["seconds"] for row in warm])
    done = warm[-1]["steps"] - warm[0]["steps"]
    print(
        f"{LANES} lanes, {minutes:g} minutes, {len(rows)} samples, {os.cpu_count()} cores; "
        f"{rows[-1]['steps'] / 1e6:.2f} million steps in all, {done / 1e6:.2f} since it was warm"
    )
    print(
        f"{'':10} {'MB at first':>12} {'warm':>8} {'at last':>8} {'kB/min':>9} {'bytes/step':>11}"
    )
    slopes = {}
    for name in ("trainers", "supervisor", "viewer", "history", "disk"):
        values = np.array([row[name] for row in warm])
        slopes[name] = float(np.polyfit(seconds, values, 1)[0]) * 60
        each = slopes[name] * (seconds[-1] - seconds[0]) / 60 / done
        print(
            f"{name:10} {rows[0][name] / MEGABYTE:12.1f} {values[0] / MEGABYTE:8.1f}"
            f" {values[-1] / MEGABYTE:8.1f} {slopes[name] / 1e3:9.1f} {each:11.1f}"
        )
    print(
        "viewer, without what the history explains:"
        f" {(slopes['viewer'] - slopes['history']) / 1e3:.1f} kB/min; a trainer:"
        f" {slopes['trainers'] / LANES / 1e3:.1f} kB/min   (flat)"
    )


if __name__ == "__main__":
    main()
