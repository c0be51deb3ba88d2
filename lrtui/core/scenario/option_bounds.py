"""Bounds on the options of schedules: a number outside them raises in torch, or gives meaningless
rates."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Bounds(NamedTuple):
    """An interval of numbers; both ends belong to it unless they are open."""

    lowest: float = -math.inf
    highest: float = math.inf
    above: bool = False
    """The lowest number itself is excluded."""
    below: bool = False
    """The highest number itself is excluded."""

    def holds(self, value: Any) -> bool:
        """Test that `value`, or every number of a list, lies inside; anything that is not a number
        passes."""
        if isinstance(value, list):
            return all(map(self.holds, value))
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return True
        low = value > self.lowest if self.above else value >= self.lowest
        return low and (value < self.highest if self.below else value <= self.highest)

    def __str__(self) -> str:
        low = f"above {self.lowest:g}" if self.above else f"{self.lowest:g} or more"
        if math.isinf(self.highest):
            return low
        if not self.above and not self.below:
            return f"{self.lowest:g} to {self.highest:g}"
        return f"{low}, {'below' if self.below else 'at most'} {self.highest:g}"


_COUNT, _LENGTH, _POSITIVE, _NOT_NEGATIVE = Bounds(0), Bounds(1), Bounds(0, above=True), Bounds(0)
_SHARE, _FACTOR, _PART = Bounds(0, 1), Bounds(0, 1, below=True), Bounds(0, 1, above=True)

_OF_OPTIONS: dict[str, Bounds] = {
    "step_size": _LENGTH,
    "T_max": _LENGTH,
    "T_0": _LENGTH,
    "T_mult": _LENGTH,
    "total_steps": _LENGTH,
    "epochs": _LENGTH,
    "steps_per_epoch": _LENGTH,
    "total_iters": _LENGTH,
    "step_size_up": _LENGTH,
    "step_size_down": _COUNT,
    "milestones": _COUNT,
    "anneal_epochs": _COUNT,
    "patience": _COUNT,
    "cooldown": _COUNT,
    "warmup": _COUNT,
    "warmup_steps": _COUNT,
    "num_decay_steps": _COUNT,
    "num_stable_steps": _COUNT,
    "num_training_steps": _LENGTH,
    "timescale": _LENGTH,
    "window_size": _LENGTH,
    "reset_start": _COUNT,
    "power": _NOT_NEGATIVE,
    "num_cycles": _NOT_NEGATIVE,
    "decay": _NOT_NEGATIVE,
    "threshold": _NOT_NEGATIVE,
    "eps": _NOT_NEGATIVE,
    "min_lr": _NOT_NEGATIVE,
    "min_lr_rate": _NOT_NEGATIVE,
    "min_lr_ratio": _NOT_NEGATIVE,
    "warmup_lr_rate": _NOT_NEGATIVE,
    "lr_end": _NOT_NEGATIVE,
    "swa_lr": _NOT_NEGATIVE,
    "base_lr": _NOT_NEGATIVE,
    "max_lr": _POSITIVE,
    "div_factor": _POSITIVE,
    "final_div_factor": _POSITIVE,
    "to": _POSITIVE,
    "warmup_ratio": _SHARE,
    "pct_start": _SHARE,
    "end_factor": _SHARE,
    "start_factor": _PART,
    "base_momentum": _FACTOR,
    "max_momentum": _FACTOR,
}
_OF_ONE: dict[tuple[str, str], Bounds] = {
    ("ConstantLR", "factor"): _PART,
    ("ReduceLROnPlateau", "factor"): _FACTOR,
    ("greedy", "factor"): Bounds(0, 1, above=True, below=True),
}
_UNBOUNDED = Bounds()


def bounds(schedule: str, option: str) -> Bounds:
    """Return the bounds of an option of a schedule, infinite ones where none are known."""
    return _OF_ONE.get((schedule, option), _OF_OPTIONS.get(option, _UNBOUNDED))
