"""Schedules that are functions of the step: those of transformers with its names and arithmetic,
and two of lrtui.

Each formula takes the budget, the length of the warmup and the options, and makes a function from
the batch step to the factor on the initial rate. Operations keep the order of transformers'
`optimization.py`, so that rates agree to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Factor = Callable[[int], float]
"""From the batch step to the factor on the initial rate."""
LR_END = 1e-7
"""Final rate of a polynomial decay by default."""


def factor(name: str, length: int, lr: float, options: dict[str, Any]) -> Factor:
    """The factor of the schedule `name` for a lane with the rate `lr` and a budget of `length` of
    the schedule's steps."""
    total = options.get("num_training_steps", length)
    return FORMULAS[name](total, warmup_steps(options, total), {**options, "lr": lr})


def warmup_steps(options: dict[str, Any], total: int) -> int:
    """Warmup steps as Hugging Face counts them: `warmup_steps`, else the ratio of the budget,
    rounded up."""
    steps = options.get("warmup_steps")
    return int(steps) if steps is not None else math.ceil(total * options.get("warmup_ratio", 0.0))


def _rise(step: int, warmup: int) -> float | None:
    """The factor during a linear warmup from 0, None after it."""
    return step / max(1, warmup) if step < warmup else None


def _progress(step: int, warmup: int, total: int) -> float:
    return (step - warmup) / max(1, total - warmup)


def _wave(progress: float, cycles: float) -> float:
    """A cosine wave between 1 and 0: half of one takes `cycles` = 0.5."""
    return 0.5 * (1.0 + math.cos(math.pi * float(cycles) * 2.0 * progress))


def _inverse_time(total: int, warmup: int, o: dict[str, Any]) -> Factor:
    return lambda t: 1.0 / (1.0 + o["decay"] * t)


def _range_test(total: int, warmup: int, o: dict[str, Any]) -> Factor:
    """From 1 to `to` / lr at the last step, by equal factors."""
    ratio = float(o["to"] / o["lr"])
    return lambda t: float(ratio ** (min(t, total - 1) / max(1, total - 1)))


def _linear(total: int, w: int, o: dict[str, Any]) -> Factor:
    return lambda t: (
        r if (r := _rise(t, w)) is not None else max(0.0, (total - t) / max(1, total - w))
    )


def _cosine(total: int, w: int, o: dict[str, Any]) -> Factor:
    cycles = o.get("num_cycles", 0.5)
    return lambda t: (
        r if (r := _rise(t, w)) is not None else max(0.0, _wave(_progress(t, w, total), cycles))
    )


def _cosine_with_restarts(total: int, w: int, o: dict[str, Any]) -> Factor:
    cycles = float(o.get("num_cycles", 1))

    def factor(t: int) -> float:
        if (rise := _rise(t, w)) is not None:
            return rise
        progress = _progress(t, w, total)
        return (
            0.0
            if progress >= 1.0
            else max(0.0, 0.5 * (1.0 + math.cos(math.pi * ((cycles * progress) % 1.0))))
        )

    return factor


def _polynomial(total: int, w: int, o: dict[str, Any]) -> Factor:
    """From 1 to lr_end / lr; `lr` among the options is the lane's rate."""
    first, end, power = o["lr"], o.get("lr_end", LR_END), o.get("power", 1.0)

    def factor(t: int) -> float:
        if (rise := _rise(t, w)) is not None:
            return rise
        if t > total:
            return float(end / first)
        left = 1 - (t - w) / max(1, total - w)
        return float(((first - end) * left**power + end) / first)

    return factor


def _constant(total: int, w: int, o: dict[str, Any]) -> Factor:
    return lambda t: r if (r := _rise(t, w)) is not None else 1.0


def _inverse_sqrt(total: int, w: int, o: dict[str, Any]) -> Factor:
    scale = o.get("timescale") or w or 10_000
    return lambda t: (
        r if (r := _rise(t, w)) is not None else 1.0 / math.sqrt((t + (scale - w)) / scale)
    )


def _least(o: dict[str, Any]) -> float:
    """The lowest factor of the schedules with a lowest rate."""
    return float(o["min_lr"] / o["lr"] if "min_lr" in o else o["min_lr_rate"])


def _cosine_with_min_lr(total: int, w: int, o: dict[str, Any]) -> Factor:
    least, cycles = _least(o), o.get("num_cycles", 0.5)

    def factor(t: int) -> float:
        if (rise := _rise(t, w)) is not None:
            return rise
        return max(0.0, _wave(_progress(t, w, total), cycles) * (1 - least) + least)

    return factor


def _cosine_warmup_with_min_lr(total: int, w: int, o: dict[str, Any]) -> Factor:
    """Counts steps from 1: the warmup begins above 0, or at `warmup_lr_rate`, and the wave is one
    step ahead."""
    least, cycles, begin = _least(o), o.get("num_cycles", 0.5), o.get("warmup_lr_rate")

    def factor(t: int) -> float:
        if t < w:
            return (
                (t + 1.0) / max(1.0, w)
                if begin is None
                else begin + (1.0 - begin) * t / max(1, w - 1)
            )
        progress = (t - w + 1.0) / max(1.0, total - w)
        wave = 0.5 * (1.0 + math.cos(math.pi * cycles * 2.0 * progress))
        return max(0.0, wave * (1 - least) + least)

    return factor


_WARMUPS: dict[str, Callable[[float], float]] = {
    "linear": lambda done: done,
    "cosine": lambda done: 0.5 * (1.0 - math.cos(math.pi * done)),
    "1-sqrt": lambda done: 1.0 - math.sqrt(1.0 - done),
}


def _warmup_stable_decay(total: int, w: int, o: dict[str, Any]) -> Factor:
    decay = o.get("num_decay_steps", max(1, total // 10))
    stable = o.get("num_stable_steps", total - w - decay)
    least, cycles = float(o.get("min_lr_ratio", 0.0)), o.get("num_cycles", 0.5)
    warm = _WARMUPS[o.get("warmup_type", "linear")]
    decays: dict[str, Callable[[float], float]] = {
        "linear": lambda done: 1.0 - done,
        "cosine": lambda done: _wave(done, cycles),
        "1-sqrt": lambda done: 1.0 - math.sqrt(done),
    }
    fall = decays[o.get("decay_type", "cosine")]

    def factor(t: int) -> float:
        if t < w:
            return max(0.0, warm(t / max(1, w)) * (1.0 - least) + least)
        if t < w + stable:
            return 1.0
        if t < w + stable + decay:
            return max(0.0, fall((t - w - stable) / max(1, decay)) * (1.0 - least) + least)
        return least

    return factor


FORMULAS: dict[str, Callable[[int, int, dict[str, Any]], Factor]] = {
    "inverse-time": _inverse_time,
    "range-test": _range_test,
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _cosine_with_restarts,
    "polynomial": _polynomial,
    "constant": _constant,
    "constant_with_warmup": _constant,
    "inverse_sqrt": _inverse_sqrt,
    "cosine_with_min_lr": _cosine_with_min_lr,
    "cosine_warmup_with_min_lr": _cosine_warmup_with_min_lr,
    "warmup_stable_decay": _warmup_stable_decay,
}
