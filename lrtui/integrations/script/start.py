"""The start of a script's lane, as its first step shows it."""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from lrtui.core.protocol.events import Started
from lrtui.core.scenario.spec import number
from lrtui.integrations.script.param_checksum import param_checksum


def started(lane: int, optimizer: Optimizer | None, initial: float) -> Started:
    """The event that says how a lane begins; what is not known of a script is absent. `initial`:
    the script's own rate, NaN if it has none."""
    parameters, checksum = param_checksum(optimizer) if optimizer is not None else (0, "")
    return Started(
        lane=lane,
        device=_device(optimizer) if optimizer is not None else "cpu",
        steps_per_epoch=1,
        total_steps=0,
        parameters=parameters,
        init_checksum=checksum,
        batch_checksum="",
        intra_op_threads=torch.get_num_threads(),
        validated=False,
        batch_size=0,
        length_known=False,
        optimizer=type(optimizer).__name__ if optimizer is not None else "",
        initial_lr=initial,
    )


def base(lr: float, initial: float, optimizer: Optimizer | None) -> tuple[float, str]:
    """The factor that makes `lr` (0: none is asked for) of the script's own rate, and a line for
    the log about it; "" where there is nothing to say."""
    if not lr:
        return 1.0, ""
    if not initial > 0:
        kind = type(optimizer).__name__ if optimizer is not None else "the script"
        return 1.0, f"{kind} has no rate to turn: it trains at its own"
    if lr == initial:
        return 1.0, ""
    return lr / initial, (
        f"the script's own rate is {number(initial)}: all of its rates are multiplied by"
        f" {number(lr / initial)}"
    )


def _device(optimizer: Optimizer) -> str:
    return next((str(p.device) for group in optimizer.param_groups for p in group["params"]), "cpu")
