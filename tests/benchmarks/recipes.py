"""A lane with each recipe beside its bare loop with the same recipe: CPU time a step.

By hand: python tests/benchmarks/recipes.py [NAME ...]. Lane and loop take turns of CHUNK steps in
one process, so that both see the same machine; the ratio of each pair of turns, the median of all
and their quartiles. The lane is `train_lane` without a trainer, measuring switched on as by
default.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "training"))
sys.path.insert(0, str(HERE))

import models  # noqa: E402
from bare import bare_steps  # noqa: E402

from lrtui.core.scenario import scenario_file  # noqa: E402
from lrtui.training.loop import train_lane  # noqa: E402
from lrtui.training.session import Training  # noqa: E402

CHUNK, PAIRS = 20, 30
RECIPES: dict[str, dict[str, object]] = {
    "plain": {},
    "clip": {"clip_grad_norm": 1.0},
    "clip by value": {"clip_grad_value": 0.01},
    "accumulate 4": {"accumulate": 4},
    "bf16": {"precision": "bf16"},
    "fp16": {"precision": "fp16"},
    "ema": {"ema": 0.999},
    "all": {"clip_grad_norm": 1.0, "accumulate": 4, "precision": "bf16", "ema": 0.999},
}
TASK, BATCH = "Middle", 32


def lane_steps(recipe: dict[str, object]):
    """Yields after each optimizer step of a lane."""
    raw = {
        "task": f"models.py:{TASK}",
        "batch_size": BATCH,
        "epochs": 1000,
        "lane": [{"optimizer": "AdamW", "lr": 1e-3, **recipe}],
    }
    race = scenario_file.parse(raw, source="benchmark", folder=HERE, scenario="benchmark")
    training = Training(race, 0, torch.device("cpu"))
    training.validation = None  # the bare loop has none
    done = 0
    for event in train_lane(training):
        if event is None and training.step_recorder.step > done:
            done = training.step_recorder.step
            yield


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    for name in names or RECIPES:
        recipe = RECIPES[name]
        lane = lane_steps(recipe)
        bare = bare_steps(
            getattr(models, TASK)(),
            lambda params: torch.optim.AdamW(params, lr=1e-3),
            seed=0,
            epochs=1000,
            batch_size=BATCH,
            **recipe,
        )
        for _ in range(60):  # the early steps, each of which is measured, and warm caches
            next(lane)
            next(bare)
        ratios, steps = [], []
        for _ in range(PAIRS):
            took = [_timed(each) for each in (bare, lane)]
            ratios.append(took[1] / took[0])
            steps.append(took[0] / CHUNK * 1e3)
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"{name:14} {middle:.3f} ({low:.3f} to {high:.3f}), "
            f"bare step {statistics.median(steps):.2f} ms"
        )


def _timed(steps) -> float:
    """CPU seconds of CHUNK steps."""
    began = time.process_time()
    for _ in range(CHUNK):
        next(steps)
    return time.process_time() - began


if __name__ == "__main__":
    main(sys.argv[1:])
