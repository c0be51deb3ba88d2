"""Gives lazy layers their shapes before the optimizer is built."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from lrtui.training import rng
from lrtui.training.batch import to_device
from lrtui.training.batches import Batches
from lrtui.training.reachable import Reachable
from lrtui.training.task import Task


def materialise(
    task: Task,
    model: nn.Module,
    data: Batches,
    device: torch.device,
    generators: Sequence[rng.Generator],
) -> None:
    """Computes the loss of the first batch once, in eval mode, if the model has lazy layers; leaves
    no other trace."""
    if not any(map(nn.parameter.is_lazy, (*model.parameters(), *model.buffers()))):
        return
    before = rng.capture(device, generators)
    state = Reachable({"task": task}).save()
    batch = to_device(data.first(), device)
    # draws the weights as if right after model()
    rng.restore(before, device, generators)
    model.eval()
    with torch.no_grad():
        task.loss(model, batch)
    model.train()
    own = {id(record.thing) for record in Reachable({"model": model}).save().records}
    state.restore(keep=frozenset(own))
