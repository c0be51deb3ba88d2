"""What watching costs a script: chunks of one training loop in one process, by turns with and
without the hooks. By hand: `python tests/benchmarks/scripts.py [small middle groups]`.

small: steps of about 0.4 ms. middle: of about 1 ms and more. groups: eight param groups and a
schedule. Figures: microseconds a step and the ratio, in CPU time of the training thread, and in
that of the whole process, where the thread that writes the record counts as well.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from lrtui.integrations.script.lane import ScriptLane
from lrtui.store.writer import create_run
from support.scripts import script_race

CHUNK, CHUNKS = 200, 40
CASES = {"small": (16, 32, 1), "middle": (128, 256, 1), "groups": (128, 256, 8)}
"""Batch, width, param groups."""


class Loop:
    """A script's loop: Adam, a schedule, and a loss that is read at each step."""

    def __init__(self, batch: int, width: int, groups: int) -> None:
        torch.manual_seed(0)
        layers = [nn.Linear(width, width) for _ in range(3)]
        self.model = nn.Sequential(*(part for each in layers for part in (each, nn.Tanh())))
        parameters = list(self.model.parameters())
        split = [{"params": parameters[index::groups]} for index in range(groups)]
        self.optimizer = torch.optim.Adam([part for part in split if part["params"]], lr=1e-3)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 100_000)
        self.x = torch.randn(batch, width)

    def run(self, steps: int) -> tuple[float, float]:
        """(CPU seconds of this thread, of the process) of so many steps."""
        thread, process = time.thread_time(), time.process_time()
        for _ in range(steps):
            self.optimizer.zero_grad()
            loss = (self.model(self.x) - self.x).square().mean()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            loss.item()
        return time.thread_time() - thread, time.process_time() - process


def measure(name: str) -> None:
    """Print what the hooks add to a step of one case."""
    loop = Loop(*CASES[name])
    with tempfile.TemporaryDirectory() as folder:
        race = script_race("train.py")
        lane = ScriptLane(create_run(Path(folder), race), race, 0)
        loop.run(CHUNK)
        bare, watched = [], []
        for _ in range(CHUNKS):
            bare.append(loop.run(CHUNK))
            lane.install()
            watched.append(loop.run(CHUNK))
            lane.let_go()
        lane.finish()
    for kind, what in enumerate(("training thread", "process")):
        without, with_ = (
            [times[kind] / CHUNK * 1e6 for times in chunks] for chunks in (bare, watched)
        )
        ratio = statistics.median(b / a for a, b in zip(without, with_, strict=True))
        # others on the machine only ever add to a chunk
        base, quiet = min(without), min(with_)
        print(
            f"{name:8} {what:16} quietest chunks {base:6.0f} us a step, +{quiet - base:5.1f} us, ratio"
            f" {quiet / base:.3f}; middle of all pairs {ratio:.3f}"
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for case in sys.argv[1:] or CASES:
        measure(case)
