"""Builds the optimizer of a lane on a model. Knows every class of torch.optim by name, none of them by heart."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from lrtui.core.spec import OptimizerSpec


class MuonWithAdamW(Optimizer):
    """Muon for the matrices, AdamW at the same rate for everything else, as one optimizer.

    `param_groups` are those of both, so that a scheduler moves both and the pre-hook sees both.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, **options: Any) -> None:
        given = list(params)
        matrices = [p for p in given if p.dim() == 2]
        others = [p for p in given if p.dim() != 2]
        self.parts: list[Optimizer] = []
        if matrices:
            self.parts.append(torch.optim.Muon(matrices, lr=lr, **options))
        if others:
            self.parts.append(torch.optim.AdamW(others, lr=lr))
        super().__init__(given, {"lr": lr})
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step of both."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The states of the parts, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave; the groups are made anew, so schedulers must be built after it."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def build(spec: OptimizerSpec, params: Iterable[nn.Parameter], lr: float) -> Optimizer:
    """The optimizer that `spec` names on the trainable ones among `params`; ValueError or TypeError as torch raises them."""
    trainable = [p for p in params if p.requires_grad]
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.options.items()}
    made = MuonWithAdamW if spec.name == "Muon" else getattr(torch.optim, spec.name)
    optimizer: Optimizer = made(trainable, lr=lr, **options)
    return optimizer


def wants_closure(optimizer: Optimizer) -> bool:
    """Whether `step` must be given a function that computes the loss again (LBFGS)."""
    parameter = inspect.signature(type(optimizer).step).parameters.get("closure")
    return parameter is not None and parameter.default is inspect.Parameter.empty
