"""How often the sentence about seeds is right: fields of short lanes with many seeds each, trained
by the real loop.

By hand: `python tests/benchmarks/seeds.py` (about half an hour on two cores; `--save FILE` keeps
what was measured, `--load FILE` prints the tables of it again).

Every lane of a field is trained with SEEDS seeds. A race is drawn from that: some of its lanes, and
2, 3 or 5 seeds of each. The truth about them is their mean over the seeds that were not drawn. In a
race of equal lanes each has seeds of its own, so that whatever is called ahead is not.

The rule was chosen on the bundled tasks (tuned), and is confirmed on nets of other kinds (held).
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from lrtui.core.protocol.events import Evaluated, Steps
from lrtui.core.results.seed_comparison import is_ahead
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
RACES = 1000
"""Races drawn from each field, each metric and each number of seeds."""
FIELDS = (2, 3, 5)
"""Lanes of a race."""
COUNTS = (2, 3, 5)
"""Seeds of a lane."""


class DrawnRace(NamedTuple):
    """A race drawn from a field, its lanes best first."""

    values: np.ndarray
    """Of each lane with each of its seeds."""
    truth: np.ndarray
    """The mean of each lane over the other seeds; equal for equal lanes."""

    @property
    def ahead(self) -> bool:
        """True if the sentence calls the first lane ahead of the second."""
        return is_ahead(tuple((self.values[1] - self.values[0]).tolist()))

    @property
    def better(self) -> bool:
        """True if the first lane really is better than the second."""
        return bool(self.truth[0] < self.truth[1])


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


def fields(lanes: list[dict], which: str) -> list[np.ndarray]:
    """The values of each field of a set by each metric, as (lane, seed)."""
    found: dict[tuple[str, str], np.ndarray] = {}
    for one in lanes:
        for metric in ("loss", "val_loss"):
            if one["set"] == which:
                values = found.setdefault(
                    (one["task"], metric), np.full((len(LANES), SEEDS), math.nan)
                )
                values[one["lane"], one["seed"]] = one[metric]
    return [values for values in found.values() if np.isfinite(values).any()]


def drawn(values: np.ndarray, count: int, *, equal: bool) -> Iterator[DrawnRace]:
    """Races of `count` seeds from a field, of its lanes or of one lane again and again."""
    made = np.random.default_rng(count)
    for _ in range(RACES):
        size = int(made.choice(FIELDS))
        seeds = made.permutation(SEEDS)
        if equal:
            own = seeds[: size * count].reshape(size, count)
            there = values[int(made.integers(len(values)))][own]
            truth = np.zeros(size)
        else:
            lanes = values[made.permutation(len(values))[:size]]
            there, truth = lanes[:, seeds[:count]], np.nanmean(lanes[:, seeds[count:]], axis=1)
        if np.isfinite(there).all():  # of others the sentence says so
            order = there.mean(axis=1).argsort(kind="stable")
            yield DrawnRace(there[order], truth[order])


def share(part: int, whole: int) -> str:
    """A part in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else "none"


def table(lanes: list[dict], which: str) -> list[str]:
    """A line for each number of seeds."""
    lines = []
    for count in COUNTS:
        every = fields(lanes, which)
        null = [race for values in every for race in drawn(values, count, equal=True)]
        real = [race for values in every for race in drawn(values, count, equal=False)]
        said, better = [race for race in real if race.ahead], [race for race in real if race.better]
        wrong = sum(not race.better for race in said)
        equal = ", ".join(
            f"{size} lanes {share(sum(race.ahead for race in of_size), len(of_size))}"
            for size in FIELDS
            if (of_size := [race for race in null if len(race.values) == size])
        )
        lines.append(
            f"{count} seeds: of {len(null)} races of equal lanes one is called ahead: {equal}; of"
            f" {len(real)} races it is called ahead wrongly: {share(wrong, len(real))}"
            f" ({share(wrong, len(said))} of those called ahead); of {len(better)} true leads told:"
            f" {share(len(said) - wrong, len(better))}"
        )
    return lines


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
    for which in SETS:
        print(f"\n{which}: lanes of {STEPS} steps, torch {torch.__version__}")
        print("\n".join(table(lanes, which)))


if __name__ == "__main__":
    main()
