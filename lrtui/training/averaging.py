"""Weights to evaluate a model with that are not the ones it trains with: a moving average, or those
of an optimizer with an evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, swa_utils


@contextmanager
def _put_back(model: nn.Module) -> Iterator[list[Tensor]]:
    """Gives the model's parameters, detached, to be changed; puts their values back bit for
    bit."""
    parameters = [p.detach() for p in model.parameters()]
    own = [p.clone() for p in parameters]
    try:
        yield parameters
    finally:
        with torch.no_grad():
            torch._foreach_copy_(parameters, own)


@contextmanager
def replaced(model: nn.Module, weights: Sequence[Tensor] | None) -> Iterator[None]:
    """Gives the model's parameters other values, and its own back bit for bit; None: does
    nothing."""
    if weights is None:
        yield
        return
    with _put_back(model) as parameters:
        with torch.no_grad():
            torch._foreach_copy_(parameters, list(weights))
        yield


def evaluation_weights(model: nn.Module, optimizer: Optimizer) -> list[Tensor] | None:
    """The weights that the optimizer's `eval()` gives the model (schedule-free optimizers); None if
    it has no such mode. The training weights are put back bit for bit."""
    if not has_modes(optimizer):
        return None
    with _put_back(model) as parameters:
        optimizer.eval()  # type: ignore[attr-defined]  # as just seen
        found = [p.clone() for p in parameters]
        optimizer.train()  # type: ignore[attr-defined]
    return found


def has_modes(optimizer: Optimizer) -> bool:
    """True if the optimizer must be told to train and to evaluate, as schedule-free ones must."""
    return all(callable(getattr(optimizer, name, None)) for name in ("train", "eval"))


class WeightAverage:
    """An exponential moving average of a model's parameters: that of `swa_utils.AveragedModel` with
    `get_ema_multi_avg_fn(decay)`, without a copy of the module. Buffers are the model's own."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._parameters = list(model.parameters())
        self.weights = [p.detach().clone() for p in self._parameters]
        """One tensor for each parameter."""
        self._fractional = [
            index for index, weight in enumerate(self.weights) if _has_average(weight)
        ]
        """Indices of the weights that are averaged; the others are whole numbers."""
        self._average = swa_utils.get_ema_multi_avg_fn(decay)
        self._count = 0

    def update(self) -> None:
        """Takes the weights after a step; the first ones, and whole numbers, as they are."""
        now: list[Any] = [p.detach() for p in self._parameters]
        moving = self._fractional if self._count else []
        if moving:
            self._average(
                [self.weights[index] for index in moving],
                [now[index] for index in moving],
                self._count,
            )
        if copied := set(range(len(now))) - set(moving):
            with torch.no_grad():
                for index in copied:
                    self.weights[index].copy_(now[index])
        self._count += 1

    def state_dict(self) -> dict[str, Any]:
        """The average, as tensors, and the number of updates."""
        return {"weights": list(self.weights), "count": self._count}

    def load_state_dict(self, kept: dict[str, Any] | None) -> None:
        """Restores what `state_dict` returned; None: takes the model's present weights."""
        if kept is None:
            kept = {"weights": [p.detach() for p in self._parameters], "count": 0}
        with torch.no_grad():
            for weight, value in zip(self.weights, kept["weights"], strict=True):
                weight.copy_(value)
        self._count = kept["count"]


def _has_average(weight: Tensor) -> bool:
    return weight.is_floating_point() or weight.is_complex()
