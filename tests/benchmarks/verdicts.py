"""How often the verdicts are right: some hundreds of short lanes, trained by the real loop with the
real gauge.

By hand: `python tests/benchmarks/verdicts.py` (about half an hour on two cores; `--save FILE` keeps
what was measured, `--load FILE` prints the tables of it again, `--set tuned` or `--set held` does
one half).

The tuned set are the bundled tasks, on which the thresholds were chosen; the held-out set are nets
of other kinds (verdict_tasks.py), which no threshold was chosen on. The noisy set are 300 lanes of
batches of 1 to 8 samples whose labels carry noise; it showed which rules noise misleads. The truth
about a lane is its loss over all training samples, before and after; the best rate of a task and an
optimizer is the one whose mean over the seeds ends lowest.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import multiprocessing
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import torch

from lrtui.core.protocol.events import Alerted, FindingsUpdated, Steps
from lrtui.core.protocol.findings import Findings
from lrtui.core.protocol.thresholds import SMOOTHING, TIMES_BEST
from lrtui.core.scenario import scenario_file
from lrtui.core.series.ema import Ema
from lrtui.training import rng
from lrtui.training.batch import batch_length
from lrtui.training.datasets import datasets
from lrtui.training.loop import train_lane
from lrtui.training.session import Training

HERE = Path(__file__).parent
OPTIMIZERS = {
    "SGD": {"optimizer": "SGD"},
    "momentum": {"optimizer": "SGD", "momentum": 0.9},
    "Adam": {"optimizer": "Adam"},
    "AdamW": {"optimizer": "AdamW"},
    "RMSprop": {"optimizer": "RMSprop"},
    "Adagrad": {"optimizer": "Adagrad"},
}
RATES = [10 ** (half / 2) for half in range(-12, 3)]
"""Seven decades, from 1e-6 to 10, two rates in each."""
SEEDS = (1, 2)
BUNDLED = [
    "sprite-generator",
    "straight-line",
    "circles-squares",
    "sprite-categories",
    "sprite-denoiser",
    "diabetes",
]
OTHERS = [f"verdict_tasks.py:{name}" for name in ("CNN", "Dropped", "Transformer", "Recurrent")]
NOISY_START = {"NoisyLine": 1, "NoisyClasses": 2, "NoisyNet": 4, "NoisyTails": 4, "Unscaled": 8}
"""Tasks whose labels carry noise, and how many samples a batch has."""
SETS = {
    "tuned": (BUNDLED, 16, 400),
    "held": (OTHERS, 32, 250),
    "noisy": ([f"verdict_tasks.py:{name}" for name in NOISY_START], 0, 250),
}
"""Tasks, batch size (of the noisy ones each has its own) and steps."""
FEW = ("SGD", "Adam")
"""The optimizers of the noisy lanes."""
WORSE = 1.01
"""Worse than it began: by more than 1 %; less is within the rounding and the noise of a lane that
hardly moves."""


def full_loss(training: Training) -> float:
    """Mean loss over all training samples in train mode, which is what a lane minimises; the same
    dropout masks each time."""
    data = datasets(training.task).training
    model = copy.deepcopy(training.model).train()
    total = 0.0
    with torch.no_grad(), rng.preserved(torch.device("cpu")):
        torch.manual_seed(0)
        for batch in torch.utils.data.DataLoader(data, batch_size=256, generator=torch.Generator()):
            total += training.task.loss(model, batch).item() * batch_length(batch)
    return total / len(data)


def train(job: tuple[str, str, str, float, int]) -> dict:
    """One lane: what the rules said, and what was true."""
    torch.set_num_threads(1)
    which, task, name, lr, seed = job
    _, batch_size, steps = SETS[which]
    batch_size = batch_size or NOISY_START[task.rpartition(":")[2]]
    raw = {
        "task": task,
        "seed": seed,
        "steps": steps,
        "batch_size": batch_size,
        "sample_every": 10**6,
        "lane": [{"lr": lr, **OPTIMIZERS[name]}],
    }
    training = Training(
        scenario_file.parse(raw, source="verdicts", folder=HERE), 0, torch.device("cpu")
    )
    start = full_loss(training)
    events = [event for event in train_lane(training) if event is not None]
    alerts = [event.kind for event in events if isinstance(event, Alerted)]
    found = [event.findings for event in events if isinstance(event, FindingsUpdated)][-1:] or [
        Findings()
    ]
    blocks = [event for event in events if isinstance(event, Steps)]
    return {
        "set": which,
        "task": task.rpartition(":")[2],
        "optimizer": name,
        "lr": lr,
        "seed": seed,
        "start": start,
        "end": math.nan if "nan" in alerts else full_loss(training),
        "alerts": alerts,
        "word": found[0].word,
        "gain": found[0].early_gain,
        "samples": found[0].samples,
        "stalled": found[0].flat_since is not None,
        "losses": [loss for event in blocks for loss in event.values("loss").tolist()],
        "seconds": sum(float(event.values("seconds").sum(dtype=float)) for event in blocks),
        "spent": training.step_recorder.gauge.spent,
    }


def spike_detection(losses: list[float]) -> bool:
    """Lightning's SpikeDetection with its defaults: a loss above the last one and two times the
    mean of ten away from it."""
    window: list[float] = []
    for loss in losses:
        if not math.isfinite(loss):
            return True
        if len(window) == 10:
            mean = statistics.fmean(window)
            if loss > window[-1] and abs(loss - mean) >= 2.0 * abs(mean):
                return True
            window.pop(0)
        window.append(loss)
    return False


def four_times_best(losses: list[float]) -> bool:
    """The stop rule of the finders: the debiased average is four times its best (a NaN is above
    nothing)."""
    smooth, best = Ema(SMOOTHING), math.inf
    for loss in losses:
        value = smooth.update(loss)
        best = min(best, value)
        if value > TIMES_BEST * best:
            return True
    return False


def best_rates(lanes: list[dict]) -> dict[tuple[str, str], float]:
    """The rate that ends lowest for each task and optimizer, among those with which every seed
    stayed finite."""
    ends = defaultdict(list)
    for lane in lanes:
        ends[lane["task"], lane["optimizer"], lane["lr"]].append(lane["end"])
    means: dict[tuple[str, str], dict[float, float]] = defaultdict(dict)
    for (task, name, lr), values in ends.items():
        if all(map(math.isfinite, values)):
            means[task, name][lr] = statistics.fmean(values)
    return {key: min(found, key=found.get) for key, found in means.items()}


def share(lanes: list[dict], is_so) -> str:
    """How many, of how many, in per cent."""
    count = sum(map(is_so, lanes))
    return f"{count}/{len(lanes)}" + (f" = {100 * count / len(lanes):.1f} %" if lanes else "")


def spread(shares: list[float]) -> str:
    """Median and 95th percentile of sorted shares."""
    return (
        f"{statistics.median(shares):.3f}; {shares[int(0.95 * len(shares))]:.3f}"
        if shares
        else "none"
    )


def table(lanes: list[dict]) -> list[tuple[str, str]]:
    """The rows of one set."""
    best = best_rates(lanes)
    place = {
        id(lane): math.log10(lane["lr"] / best[lane["task"], lane["optimizer"]]) for lane in lanes
    }
    bad = [lane for lane in lanes if not lane["end"] <= WORSE * lane["start"]]
    calm = [lane for lane in lanes if place[id(lane)] < 0.1]
    above = [lane for lane in lanes if place[id(lane)] > 0.9]
    below = [lane for lane in lanes if place[id(lane)] < -0.9]
    top = [lane for lane in lanes if abs(place[id(lane)]) < 0.1]

    def alarmed(lane):
        return any(kind in ("nan", "diverged") for kind in lane["alerts"])

    def hot(lane):
        return alarmed(lane) or lane["word"] == "hot"

    costs = sorted(lane["spent"] / lane["seconds"] for lane in lanes if lane["seconds"])
    long = sorted(
        lane["spent"] / lane["seconds"]
        for lane in lanes
        if lane["seconds"] - lane["spent"] >= 1e-3 * len(lane["losses"]) > 0
    )
    return [
        (
            "caught, of the lanes that ended non-finite or worse than they began",
            share(bad, alarmed),
        ),
        ("- Lightning's SpikeDetection", share(bad, lambda lane: spike_detection(lane["losses"]))),
        ("- four times the best", share(bad, lambda lane: four_times_best(lane["losses"]))),
        ("false alarms, of the lanes at the best rate and below", share(calm, alarmed)),
        ("- Lightning's SpikeDetection", share(calm, lambda lane: spike_detection(lane["losses"]))),
        ("- four times the best", share(calm, lambda lane: four_times_best(lane["losses"]))),
        ("HOT (or an alarm), of the lanes 10 times above the best and more", share(above, hot)),
        (
            "COLD, of the lanes 10 times below the best and less",
            share(below, lambda lane: lane["word"] == "cold"),
        ),
        (
            "OK, of the lanes at the best rate",
            share(top, lambda lane: lane["word"] == "ok" and not alarmed(lane)),
        ),
        (
            "wrong way round: COLD far above, or HOT far below",
            share(
                above + below,
                lambda lane: (
                    lane["word"] == ("cold" if place[id(lane)] > 0 else "hot") and not alarmed(lane)
                ),
            ),
        ),
        ("HOT or an alarm, of the lanes at a tenth of the best rate and below", share(below, hot)),
        (
            "no verdict (too few measured steps)",
            share(lanes, lambda lane: lane["word"] == "none" and not alarmed(lane)),
        ),
        ("measuring, share of a lane's time: median; 95 %", spread(costs)),
        ("- lanes with steps of 1 ms and more", spread(long)),
    ]


def main() -> None:
    flags = argparse.ArgumentParser()
    flags.add_argument("--save", type=Path)
    flags.add_argument("--load", type=Path)
    flags.add_argument("--set", choices=SETS)
    asked = flags.parse_args()
    if asked.load:
        lanes = [json.loads(line) for line in asked.load.open()]
    else:
        jobs = [
            (which, task, name, lr, seed)
            for which in ([asked.set] if asked.set else SETS)
            for task in SETS[which][0]
            for name in (FEW if which == "noisy" else OPTIMIZERS)
            for lr in RATES
            for seed in SEEDS
        ]
        began = time.monotonic()
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            lanes = []
            for lane in pool.imap_unordered(train, jobs, chunksize=5):
                lanes.append(lane)
                if len(lanes) % 100 == 0:
                    print(
                        f"{len(lanes)} of {len(jobs)} lanes, {time.monotonic() - began:.0f} s",
                        file=sys.stderr,
                        flush=True,
                    )
        if asked.save:
            with asked.save.open("w") as file:
                file.writelines(json.dumps(lane) + "\n" for lane in lanes)
    for which in SETS:
        if chosen := [lane for lane in lanes if lane["set"] == which]:
            print(
                f"\n{which}: {len(chosen)} lanes of {SETS[which][2]} steps, torch"
                f" {torch.__version__}"
            )
            for words, value in table(chosen):
                print(f"  {words:72} {value}")


if __name__ == "__main__":
    main()
