"""How often the sentence about seeds is right: fields of short lanes with many seeds each, trained
by the real loop.

By hand: `python tests/benchmarks/seeds.py` (about half an hour on two cores; `--save FILE` keeps
what was measured, `--load FILE` prints the tables of it again).

Every lane of a field is trained with SEEDS seeds. A race is drawn from that: some lanes, and 2, 3
or 5 seeds of each; the truth about its lanes is their mean over the seeds that were not drawn. In
a race of equal lanes, each has seeds of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import time
from pathlib import Path

import torch

from lrtui.core.protocol.events import Evaluated, Steps
from lrtui.core.scenario import scenario_file
from lrtui.core.series.ema import Ema
from lrtui.core.state.losses import RANKING_FACTOR
from lrtui.training.loop import train_lane
from lrtui.training.session import Training

HERE = Path(__file__).parent
SEEDS = 48
STEPS = 150
LANES = [{"optimizer": "Adam", "lr": lr} for lr in (1e-3, 2e-3, 4e-3, 8e-3, 16e-3)] + [
    {"optimizer": "SGD", "momentum": 0.9, "lr": lr} for lr in (0.02, 0.05, 0.125)
]
SETS = {
    "tuned": ["diabetes", "circles-squares", "straight-line", "sprite-generator"],
    "held": [f"seed_tasks.py:{name}" for name in ("CNN", "Dropped", "Transformer", "Recurrent")],
}


def train(job: tuple[str, str, int, int]) -> dict:
    """One lane: its smoothed training loss, and its last validation loss."""
    torch.set_num_threads(1)
    which, task, lane, seed = job
    raw = {
        "task": task,
        "seed": seed,
        "steps": STEPS,
        "sample_every": 10**6,
        "gauge": False,
        "lane": [LANES[lane]],
    }
    training = Training(
        scenario_file.parse(raw, source="seeds", folder=HERE), 0, torch.device("cpu")
    )
    average, held = Ema(RANKING_FACTOR), math.nan
    for event in train_lane(training):
        if isinstance(event, Steps):
            average.extend(event.values("loss"))
        elif isinstance(event, Evaluated):
            held = event.metrics.get("val_loss", held)
    return {
        "set": which,
        "task": task.rpartition(":")[2],
        "lane": lane,
        "seed": seed,
        "loss": average.value,
        "val_loss": held,
    }


def measured() -> list[dict]:
    """Every lane of every field, trained."""
    jobs = [
        (which, task, lane, seed)
        for which, tasks in SETS.items()
        for seed in range(SEEDS)
        for task in tasks
        for lane in range(len(LANES))
    ]
    began, lanes = time.monotonic(), []
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for lane in pool.imap_unordered(train, jobs, chunksize=8):
            lanes.append(lane)
            if len(lanes) % 100 == 0:
                spent = time.monotonic() - began
                print(f"{len(lanes)} of {len(jobs)} lanes, {spent:.0f} s", file=sys.stderr)
    return lanes


def main() -> None:
    flags = argparse.ArgumentParser()
    flags.add_argument("--save", type=Path)
    flags.add_argument("--load", type=Path)
    asked = flags.parse_args()
    if asked.load:
        lanes = [json.loads(line) for line in asked.load.open()]
    else:
        lanes = measured()
        if asked.save:
            asked.save.write_text("".join(json.dumps(lane) + "\n" for lane in lanes))


if __name__ == "__main__":
    main()
