"""The dial: multiplies the scheduled rates by a factor that the user may change at any time,
unknown to the scheduler."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim import Optimizer

from lrtui.core.protocol.commands import ScaleRate, SetFactor, SetRate
from lrtui.training.optimizers import applied_rate


class Dial:
    """Multiplies the rates of `optimizer` during its step.

    Before the step every param group is given its rate times `factor`; after it, the same objects
    as before. A factor of 1 changes nothing. Register hooks that record the applied rate after the
    dial.
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0) -> None:
        self.factor = factor
        """Finite and above 0; may be changed at any time between two steps."""
        self._optimizer = optimizer
        self._scheduled: list[Any] = []
        """The groups' scheduled rates during a step; else empty, and if the factor is 1."""
        optimizer.register_step_pre_hook(self._apply)
        optimizer.register_step_post_hook(self._restore)

    def rates(self) -> list[float]:
        """The rate that a step would apply now, for each param group."""
        groups = self._optimizer.param_groups
        scheduled = self._scheduled or [group["lr"] for group in groups]
        return [
            applied_rate(group, self._times(rate))
            for group, rate in zip(groups, scheduled, strict=True)
        ]

    def factor_for(self, command: SetRate | ScaleRate | SetFactor) -> float:
        """The factor that a command asks for; raises ValueError, with the reason, if it is not
        finite or has no effect."""
        scheduled = self.rates()[0] / self.factor
        if isinstance(command, SetRate) and scheduled <= 0:
            raise ValueError(
                f"the schedule is at {scheduled:g} now, which no factor makes {command.rate:g}"
            )
        factor = new_factor(command, self.factor, scheduled)
        if vain := no_effect(self._optimizer, self.factor, factor):
            raise ValueError(vain)
        return factor

    def _times(self, rate: Any) -> Any:
        return rate if self.factor == 1.0 else rate * self.factor

    def _apply(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        if self.factor == 1.0:
            return
        self._scheduled = [group["lr"] for group in optimizer.param_groups]
        for group, rate in zip(optimizer.param_groups, self._scheduled, strict=True):
            group["lr"] = self._times(rate)

    def _restore(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        for group, rate in zip(optimizer.param_groups, self._scheduled, strict=False):
            group["lr"] = rate
        self._scheduled = []


def new_factor(command: SetRate | ScaleRate | SetFactor, factor: float, scheduled: float) -> float:
    """The factor that a command asks for, from the present one and the rate at factor 1, which is
    above 0 for a SetRate; ValueError, with the reason, if it is not finite and above 0."""
    match command:
        case SetRate(rate=rate):
            factor = rate / scheduled
        case ScaleRate(by=by):
            factor *= by
        case SetFactor():
            factor = command.factor
    if not (math.isfinite(factor * max(scheduled, 1.0)) and factor > 0):
        raise ValueError(f"the rate would be {factor * scheduled:g}")
    return factor


def no_effect(optimizer: Optimizer, before: float, after: float) -> str:
    """The reason why the next step at factor `after` would be that at `before`; "" if it would
    not."""
    if isinstance(optimizer, torch.optim.Rprop) and optimizer.state:
        return "Rprop sizes its own steps: the rate only sets the first one"
    if isinstance(optimizer, torch.optim.Adafactor):
        cap = 1 / math.sqrt(
            1 + max((int(state["step"]) for state in optimizer.state.values()), default=0)
        )
        if all(
            float(group["lr"]) * min(before, after) >= cap and not group["weight_decay"]
            for group in optimizer.param_groups
        ):
            return (
                f"Adafactor takes no rate above 1 / sqrt(t), {cap:.2g} now: the old one and the"
                " new one are both above it"
            )
    return ""
