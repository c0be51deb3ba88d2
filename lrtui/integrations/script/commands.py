"""Commands to a script's lane, as changes of its plan."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec
from torch.optim import Optimizer

from lrtui.core.numbers import rate as rate_text
from lrtui.core.protocol.command_result import CommandResult, done, refused
from lrtui.core.protocol.commands import (
    AnyCommand,
    Pause,
    Resume,
    ScaleRate,
    SetFactor,
    SetRate,
    Stop,
    unfit,
)
from lrtui.integrations.script.plan import Plan
from lrtui.training.dial import new_factor, no_effect
from lrtui.training.optimizers import adapts

NO_STATE = "lrtui sees a script's steps and does not hold its state: R runs it again from the start"


class Present(NamedTuple):
    """The lane as a command meets it, between two steps."""

    optimizer: Optimizer | None
    rate: float
    """Of the next step at factor 1; NaN if there is none to turn."""
    base: float
    """The lane's rate over the script's own."""
    step: int
    """Number of the next step."""


def execute(command: AnyCommand, plan: Plan, present: Present) -> tuple[Plan, CommandResult]:
    """The plan that a command makes of `plan`, and its result."""
    if reason := unfit(command):
        return plan, refused(reason)
    match command:
        case Pause():
            return _changed(plan, paused=True), done("already paused" if plan.paused else "paused")
        case Resume():
            return _changed(plan, paused=False), done("running" if plan.paused else "not paused")
        case Stop():
            return _changed(plan, stop="stopped by command"), done("stopping after this step")
        case SetRate() | ScaleRate() | SetFactor():
            return _turned(command, plan, present)
    return plan, refused(NO_STATE)


def _changed(plan: Plan, **changes: Any) -> Plan:
    return msgspec.structs.replace(plan, **changes)


def _turned(
    command: SetRate | ScaleRate | SetFactor, plan: Plan, present: Present
) -> tuple[Plan, CommandResult]:
    optimizer, rate, base, step = present
    if math.isnan(rate):
        return plan, refused(f"{_name(optimizer)} has no rate to turn")
    if isinstance(command, SetRate) and rate <= 0:
        return plan, refused(f"the script's rate is {rate:g} now, which no factor changes")
    try:
        factor = new_factor(command, plan.factor, rate)
    except ValueError as error:
        return plan, refused(str(error))
    if optimizer is not None and (vain := no_effect(optimizer, plan.factor * base, factor * base)):
        return plan, refused(vain)
    partly = (
        f" ({_name(optimizer)} multiplies it by an estimate of its own, which reacts)"
        if optimizer is not None and adapts(optimizer.param_groups[0])
        else ""
    )
    text = f"rate {rate_text(rate * factor)} from step {step}{partly}"
    return _changed(plan, factor=factor), done(text)


def _name(optimizer: Optimizer | None) -> str:
    return type(optimizer).__name__ if optimizer is not None else "the script"
