"""Opening a finished run of 8 lanes, 10 million steps in all. By hand: `python
tests/benchmarks/open_run.py`.

The record is written as a trainer would have: blocks of 100 steps (2,000 steps a second, 20 flushes
a second). A fresh process then does what the screen does, without a terminal: poll under its
budget, fit the axes, draw all panes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lrtui.core.protocol.events import Column, Ended, Started, Steps
from lrtui.core.scenario import scenario_file
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row

LANES, STEPS, BLOCK = 8, 1_250_000, 100

VIEWER = """
import resource, sys, time
from pathlib import Path
began = time.perf_counter()
from lrtui.client.follower import Follower
from lrtui.tui import axis_fit
from lrtui.tui.layout import arrange
from lrtui.tui.render import pane
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView
follower, view, first = Follower(Path(sys.argv[1])), RaceView(), None
canvas, layout = Canvas(200, 50), arrange(200, 50, range(8))
while not follower.state.over:
    follower.poll(0.06)
    axis_fit.fit(view, follower.state)
    for index, rect in layout.panes.items():
        pane.draw(canvas.view(rect), view.groups[index], follower.state, view, layout.parts, selected=False, figures=True)
    if first is None and all(lane.steps for lane in follower.state.lanes):
        first = time.perf_counter() - began
print(f"{first:.2f} {time.perf_counter() - began:.2f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")
"""


def make_run(folder: Path) -> Path:
    """The finished run."""
    raw = {
        "task": "linear-toy",
        "steps": STEPS,
        "lane": [{"lr": 10.0**-index} for index in range(LANES)],
    }
    run = create_run(folder, scenario_file.parse(raw, source="benchmark", folder=folder))
    writer, random = Writer(run, SUPERVISOR_ROLE), np.random.default_rng(0)
    for lane in range(LANES):
        writer.append(
            [
                row(
                    Started(
                        lane=lane,
                        at=1.0,
                        device="cpu",
                        steps_per_epoch=100,
                        total_steps=STEPS,
                        parameters=11,
                        init_checksum="a",
                        batch_checksum="b",
                        intra_op_threads=1,
                        validated=False,
                    )
                )
            ]
        )
    for first in range(0, STEPS, BLOCK):
        rows = []
        for lane in range(LANES):
            loss = np.exp(-first / STEPS) + 0.1 * random.random(BLOCK)
            norms = np.where(np.arange(BLOCK) % 10, np.nan, loss)
            columns = {
                "loss": Column.pack(loss, "f4"),
                "grad_norm": Column.pack(norms, "f4"),
                "seconds": Column.pack(loss / 2000, "f4"),
                "applied_lr": Column.pack(np.full(BLOCK, 0.1)),
                "next_lr": Column.pack(np.full(BLOCK, 0.1)),
            }
            rows.append(
                row(
                    Steps(
                        lane=lane, at=1.0 + first / 2000, first=first, count=BLOCK, columns=columns
                    )
                )
            )
        writer.append(rows)
    for lane in range(LANES):
        writer.append([row(Ended(lane=lane, at=600.0, step=STEPS, reason="finished"))])
    writer.close()
    return run


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = make_run(Path(folder))
        size = sum(file.stat().st_size for file in run.iterdir()) / 1e6
        print(
            f"made {LANES} x {STEPS:,} steps, {size:.0f} MB, in {time.perf_counter() - began:.0f} s"
        )
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-c", VIEWER, str(run)], capture_output=True, text=True, check=True
            )
            first, whole, memory = done.stdout.split()
            print(
                f"first curves {first} s, whole run {whole} s, {memory} MB   (<= 0.5 s, -, <="
                " 400 MB)"
            )


if __name__ == "__main__":
    main()
