"""What measuring costs a lane: the same lane with its gauge and without. By hand: `python
tests/benchmarks/measuring.py`.

Ratios are of whole lanes trained in this process with one thread, in turns, median of the rounds;
"said" is the share that the lane itself records as spent on measuring. "judge" is the share of a
step that the streaming rules take, gauge or not.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import msgspec
import torch

from lrtui.core.diagnostics.loss_monitor import LossMonitor
from lrtui.core.protocol.events import Measured, Steps
from lrtui.core.scenario import scenario_file
from lrtui.training.loop import train_lane
from lrtui.training.session import Training

HERE = Path(__file__).parent
ROUNDS = 7
SIZES = {"Small": (100, 2000), "Middle": (32, 1000), "Conv": (32, 400)}
"""Task of models.py: batch size and steps."""


def seconds(race) -> tuple[float, float, int]:
    """Seconds of all steps of the race's only lane, the share of them that it says went into
    measuring, and samples."""
    events = [
        event for event in train_lane(Training(race, 0, torch.device("cpu"))) if event is not None
    ]
    took = sum(
        float(event.values("seconds").sum(dtype=float))
        for event in events
        if isinstance(event, Steps)
    )
    measured = [event for event in events if isinstance(event, Measured)]
    return (
        took,
        measured[-1].spent / took if measured else 0.0,
        sum(len(event.steps) for event in measured),
    )


def judge_seconds(steps: int = 20_000) -> float:
    """Seconds that the rules take for one step."""
    judge, began = LossMonitor(steps), time.perf_counter()
    for step in range(steps):
        judge.update(1.0 + 0.01 * (step % 7), 1.0 if step % 10 == 0 else None)
    return (time.perf_counter() - began) / steps


def main() -> None:
    torch.set_num_threads(1)
    rules = judge_seconds()
    print(
        f"torch {torch.__version__}, Adam, one thread, median of {ROUNDS} rounds (range); rules"
        f" {rules * 1e6:.1f} us a step"
    )
    print(
        f"{'model':8} {'us/step':>8} {'with / without gauge':>26} {'said':>7} {'samples':>8}"
        f" {'judge':>7}"
    )
    for name in sys.argv[1:] or SIZES:
        batch, steps = SIZES[name]
        raw = {
            "task": f"models.py:{name}",
            "batch_size": batch,
            "steps": steps,
            "sample_every": 10**6,
            "lane": [{"lr": 1e-3}],
        }
        race = scenario_file.parse(raw, source="benchmark", folder=HERE)
        without = msgspec.structs.replace(race, gauge=False)
        seconds(without)
        ratios, shares, bare = [], [], []
        for _ in range(ROUNDS):
            alone, _, _ = seconds(without)
            took, said, samples = seconds(race)
            ratios.append(took / alone)
            shares.append(said)
            bare.append(alone / steps)
        words = f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
        step = statistics.median(bare)
        print(
            f"{name:8} {step * 1e6:8.0f} {words:>26} {statistics.median(shares):7.1%} {samples:8}"
            f" {rules / step:7.1%}"
        )


if __name__ == "__main__":
    main()
