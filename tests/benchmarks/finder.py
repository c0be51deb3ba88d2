"""What the finder's sweep costs beside the same number of steps of a bare loop. By hand: `python
tests/benchmarks/finder.py`.

`sweep / bare`: a sweep in this process, from building the task to its last event, against a bare
loop of as many steps that reads its loss at each (its building included as well). `sweep / by
hand`: against a bare loop whose rate is swept by a LambdaLR. All with one intra-op thread, in CPU
time; ratios within one round, the median of the rounds counts. `to a winner`: `lrtui find` on a
bundled scenario, from nothing to the rate that won the check, in seconds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "training"))

from bare import bare_loop  # noqa: E402

from lrtui.client.lr_finder import FinderPlan, LrFinder, plan, sweep_race  # noqa: E402
from lrtui.core.scenario import scenario_file  # noqa: E402
from lrtui.training import task as tasks  # noqa: E402
from lrtui.training.loop import train_lane  # noqa: E402
from lrtui.training.session import Training  # noqa: E402

ROUNDS = 5
SIZES = {"Small": (100, 10), "Middle": (32, 16), "Conv": (32, 16)}
"""Task: batch size and steps an epoch."""
POINTS = 160, 480
LOW, HIGH = 1e-7, 1e-2
"""Up to where no model breaks: all sweeps do all their steps."""


def make_plan(name: str, points: int) -> FinderPlan:
    """A sweep with Adam over one of the models."""
    raw = {"task": f"models.py:{name}", "batch_size": SIZES[name][0], "epochs": 1, "lane": [{}]}
    race = scenario_file.parse(raw, source="benchmark", folder=HERE, scenario="benchmark")
    return plan(race, low=LOW, high=HIGH, points=points)


def sweep_seconds(asked: FinderPlan) -> float:
    """The sweep, without a process of its own and without a record."""
    began = time.process_time()
    training = Training(sweep_race(asked), 0, torch.device("cpu"))
    events = [event for event in train_lane(training) if event is not None]
    took = time.process_time() - began
    assert training.step_recorder.step == asked.points, events[-1]
    return took


def bare_seconds(asked: FinderPlan, epochs: int, swept: bool) -> float:
    """As many steps of the bare loop, at one rate or swept."""
    ratio = asked.high / asked.low

    def schedule(optimizer):
        return torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: ratio ** (step / (asked.points - 1))
        )

    began = time.process_time()
    losses, _ = bare_loop(
        tasks.load(asked.race.task),
        lambda params: torch.optim.Adam(params, lr=asked.low),
        schedule if swept else None,
        seed=0,
        epochs=epochs,
        batch_size=asked.race.batch_size,
        per_batch=True,
    )
    took = time.process_time() - began
    assert len(losses) == asked.points
    return took


def find_seconds(name: str) -> float:
    """A whole finder, supervisors and all."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        finder = LrFinder(plan(scenario_file.load(name)), Path(folder))
        while not finder.over:
            if finder.due:
                finder.advance()
            finder.poll()
            time.sleep(0.02)
        return time.perf_counter() - began


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, Adam, 1 thread, median of {ROUNDS} rounds (range)")
    print(f"{'model':8} {'points':>6} {'us/step':>8} {'sweep / bare':>20} {'sweep / by hand':>20}")
    for name, (_, per_epoch) in SIZES.items():
        for points in POINTS:
            asked, epochs = make_plan(name, points), points // per_epoch
            bare_seconds(asked, epochs, True), sweep_seconds(asked)  # warm
            over_bare, over_hand, bares = [], [], []
            for _ in range(ROUNDS):
                bare, sweep, hand = (
                    bare_seconds(asked, epochs, False),
                    sweep_seconds(asked),
                    bare_seconds(asked, epochs, True),
                )
                bares.append(bare)
                over_bare.append(sweep / bare)
                over_hand.append(sweep / hand)
            step = statistics.median(bares) / points * 1e6
            print(
                f"{name:8} {points:6} {step:8.0f} {_words(over_bare):>20} {_words(over_hand):>20}",
                flush=True,
            )
    print(
        "to a winner:",
        ", ".join(f"{name} {find_seconds(name):.1f} s" for name in ("linear", "lr-dial")),
    )


def _words(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


if __name__ == "__main__":
    main()
