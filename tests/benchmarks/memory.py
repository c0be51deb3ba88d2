"""What a step takes up in a viewer: 8 columns of a million steps, folded as they come; and beside
it what windows of it cost.

Run by hand: python tests/benchmarks/memory.py [STEPS]. Bytes held are counted with their room to
grow, at the worst moment of the last tenth; resident memory is that of the process. Times are of
the thread's CPU, a window of 200 columns after 20 new steps, the best of several.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from lrtui.core.charts.axes import KINDS, whole
from lrtui.core.charts.metric_series import smoothed, track
from lrtui.core.protocol.events import Column, Started, Steps
from lrtui.core.scenario.spec import Lane, OptimizerSpec, Race, TaskRef
from lrtui.core.state.memory_budget import all_series
from lrtui.core.state.race_state import RaceState, apply

COLUMNS = (
    "loss",
    "applied_lr",
    "next_lr",
    "grad_norm",
    "seconds",
    "applied_lr/1",
    "next_lr/1",
    "applied_lr/2",
)
BLOCK, WIDTH = 1000, 200
LIMITS = None, 10_000_000, 2_000_000


class Run:
    """One lane that trains at a thousand steps a second."""

    def __init__(self, steps: int, memory: int | None) -> None:
        lane = Lane("A", "adam", OptimizerSpec("Adam"), 0.001)
        race = Race("a race", TaskRef("bundled", "sprite-generator", ""), (lane,), steps=2 * steps)
        self.state = RaceState(race, memory) if memory else RaceState(race, 1 << 60)
        self.random, self.total = np.random.default_rng(0), 2 * steps
        apply(
            self.state,
            Started(
                lane=0,
                at=1e9,
                device="cpu",
                steps_per_epoch=100,
                total_steps=self.total,
                parameters=1,
                init_checksum="",
                batch_checksum="",
                intra_op_threads=1,
                validated=False,
            ),
        )

    def train(self, count: int = BLOCK) -> None:
        first = self.state.lanes[0].steps
        values = {name: Column.pack(self.random.normal(size=count) + 5) for name in COLUMNS}
        values["seconds"] = Column.pack(
            np.full(count, 1e-3) + self.random.normal(size=count) * 1e-5
        )
        apply(
            self.state,
            Steps(
                lane=0, at=1e9 + (first + count) * 1.1e-3, first=first, count=count, columns=values
            ),
        )

    @property
    def held(self) -> int:
        lane = self.state.lanes[0]
        return lane.clock.nbytes + sum(series.nbytes for series in all_series(lane))


def memory(steps: int, limit: int | None) -> tuple[Run, float, float]:
    """A run of so many steps, the most bytes a step that it held in its last tenth, and the
    resident bytes a step it added."""
    before, run, most = psutil.Process().memory_info().rss, Run(steps, limit), 0.0
    for first in range(0, steps, BLOCK):
        run.train()
        if first > 0.9 * steps:
            most = max(most, run.held / (first + BLOCK))
    return run, most, (psutil.Process().memory_info().rss - before) / steps


def windows(run: Run) -> dict[str, float]:
    """CPU milliseconds of a window by kind of axis and of curve."""
    found = {}
    lane, race = run.state.lanes[0], run.state.race
    for kind in KINDS:
        for log in (False, True):
            x = whole(run.state, kind, log)
            loss = lambda x=x: track(lane, "loss").window(lane, race, x, WIDTH)  # noqa: E731
            found[f"{kind}{', log' if log else ''}"] = _best(loss, run)
    x = whole(run.state)
    found["step, smoothed"] = _best(
        lambda: smoothed(lane, "loss", 0.9).window(lane, race, x, WIDTH), run
    )
    return found


def _best(work: Callable[[], object], run: Run, rounds: int = 15) -> float:
    times = []
    work()
    for _ in range(rounds):
        run.train(20)
        start = time.thread_time()
        work()
        times.append((time.thread_time() - start) * 1000)
    return min(times)


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    console = Console()
    table = Table(title=f"{len(COLUMNS)} columns of {steps:,} steps: bytes a step")
    for heading in ("limit", "held, at most", "resident", "single values left"):
        table.add_column(heading, justify="right")
    runs = []
    memory(100_000, None)  # what numpy needs for itself
    for limit in LIMITS:
        run, most, resident = memory(steps, limit)
        left = steps - run.state.lanes[0].columns["loss"].forgotten
        table.add_row(
            f"{limit / 1e6:.0f} MB" if limit else "none",
            f"{most:.1f}",
            f"{resident:.1f}",
            f"{left:,}",
        )
        runs.append(run)
    console.print(table)
    times = Table(title=f"a window of {WIDTH} columns after 20 new steps: CPU ms")
    for heading in (
        "axis",
        *(f"{limit / 1e6:.0f} MB" if limit else "no limit" for limit in LIMITS),
    ):
        times.add_column(heading, justify="left" if heading == "axis" else "right")
    for name, *row in zip(windows(runs[0]), *(windows(run).values() for run in runs), strict=True):
        times.add_row(name, *(f"{value:.3f}" for value in row))
    console.print(times)


if __name__ == "__main__":
    main()
