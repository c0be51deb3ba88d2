"""A checksum of the parameters that an optimizer trains, quick enough for the largest of models."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer

from lrtui.training.tensors import pieces, raw


def param_checksum(optimizer: Optimizer) -> tuple[int, str]:
    """(number of elements, checksum) of all parameters, as 16 hex digits: equal for equal values in
    equal order.

    Sums of their words, as integers: on an accelerator one wait and eight bytes a tensor instead of
    a copy of the weights.
    """
    count, sums = 0, []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            count += parameter.numel()
            local = getattr(parameter, "to_local", None)  # a part of it, of a sharded one
            for part in pieces((local() if local else parameter).detach()):
                sums.append(_sum(part))
    checksum = 0
    for value in torch.stack([s.cpu() for s in sums]).tolist() if sums else ():
        checksum = (checksum * 1_000_003 + value) % (1 << 64)
    return count, f"{checksum:016x}"


def _sum(tensor: Tensor) -> Tensor:
    """The sum of the words of a dense tensor, and of every second one of them twice: an int64
    scalar on its device."""
    data = raw(tensor)
    words = data.view(torch.int32) if data.numel() % 4 == 0 else data
    return words.sum(dtype=torch.int64) + words[::2].sum(dtype=torch.int64)
