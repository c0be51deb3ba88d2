"""Builds a lane's optimizer: a class of torch.optim by name, or any class with its interface."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lrtui.core.errors import TaskError
from lrtui.core.scenario.spec import OptimizerSpec
from lrtui.training import task as tasks

Group = dict[str, Any]
OWN_RATE = "own_lr"
"""Key of a param group that has its own rate instead of the lane's."""


class MuonWithAdamW(Optimizer):
    """Muon for the matrices, AdamW for everything else, as one optimizer.

    `param_groups` are those of both, so that a scheduler moves both and the pre-hook sees both. A
    group of parameters is split in two, each with a name; options go to the part that knows them.
    `adamw_lr`: AdamW's rate, by default the same; the rates of groups keep their ratio to it.
    """

    def __init__(
        self, params: Iterable[Any], lr: float, adamw_lr: float | None = None, **options: Any
    ) -> None:
        groups = _groups(params)
        self.parts: list[Optimizer] = []
        other = 1.0 if adamw_lr is None else adamw_lr / lr
        for kind, fits, given, ratio in (
            (torch.optim.Muon, _is_matrix, options, 1.0),
            (torch.optim.AdamW, lambda p: not _is_matrix(p), {}, other),
        ):
            known = {"name", "lr", OWN_RATE} | inspect.signature(kind).parameters.keys()
            split = [
                {key: value for key, value in group.items() if key in known}
                | {
                    "params": list(filter(fits, group["params"])),
                    "name": f"{group['name']} ({name})" if "name" in group else name,
                    "lr": group.get("lr", lr) * (1.0 if has_own_rate(group) else ratio),
                }
                for name, group in ((kind.__name__, group) for group in groups)
            ]
            if some := [group for group in split if group["params"]]:
                self.parts.append(kind(some, lr=lr, **given))
        super().__init__([p for group in groups for p in group["params"]], {"lr": lr})
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step of both."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The states of the parts, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores what `state_dict` returned; makes new groups, so build schedulers after it."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def build(spec: OptimizerSpec, params: Iterable[Any], lr: float) -> Optimizer:
    """Builds the optimizer that `spec` names on `params`, parameters or param groups; raises
    torch's ValueError or TypeError.

    Frozen parameters are included, as in torch, so that they train once unfrozen.
    """
    options = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in spec.options.items()
    }
    optimizer: Optimizer = _class(spec)(params, lr=lr, **options)
    if spec.code and not isinstance(optimizer, Optimizer):
        raise TaskError(
            f"{spec.name} made a {type(optimizer).__name__}, which is not a torch.optim.Optimizer",
            "expected a class with torch's interface: param_groups, state_dict(), step()",
        )
    if spec.name == "SparseAdam":
        optimizer.register_step_pre_hook(_refuse_dense)
    return optimizer


def check_options(spec: OptimizerSpec) -> None:
    """Raise TypeError, in Python's words, unless the class of a lane's own optimizer takes its
    options; imports its code."""
    if spec.code:
        inspect.signature(_class(spec)).bind((), lr=1.0, **spec.options)


def known_options(spec: OptimizerSpec) -> set[str] | None:
    """The options that a param group of this optimizer may have, without the rate; None if any."""
    if spec.code and any(
        parameter.kind is parameter.VAR_KEYWORD
        for parameter in inspect.signature(_class(spec)).parameters.values()
    ):
        return None
    kinds = (torch.optim.Muon, torch.optim.AdamW) if spec.name == "Muon" else (_class(spec),)
    named = {name for kind in kinds for name in inspect.signature(kind).parameters}
    return named - {"self", "params", "lr", "differentiable"}


def has_own_rate(group: Mapping[str, Any]) -> bool:
    """True if a param group has its own rate, independent of the lane's."""
    return bool(group.get(OWN_RATE, False))


def adapts(group: Mapping[str, Any]) -> bool:
    """True if the optimizer multiplies `lr` by an estimate `d` of its own, as Prodigy and
    D-Adaptation do."""
    return "d" in group and ("d0" in group or "k" in group)


def applied_rate(group: Mapping[str, Any], lr: Any = None) -> float:
    """The rate that a step of this param group applies: `lr`, by default the group's, times the
    estimate of an optimizer that adapts."""
    rate = float(group["lr"] if lr is None else lr)
    return rate * float(group["d"]) if adapts(group) else rate


def wants_closure(optimizer: Optimizer) -> bool:
    """True if `step` needs a closure that computes the loss (LBFGS)."""
    parameter = inspect.signature(type(optimizer).step).parameters.get("closure")
    return parameter is not None and parameter.default is inspect.Parameter.empty


def _class(spec: OptimizerSpec) -> Any:
    if spec.code:
        return tasks.load_user_object(spec.code)
    return MuonWithAdamW if spec.name == "Muon" else getattr(torch.optim, spec.name)


def _groups(params: Iterable[Any]) -> list[Group]:
    """Parameters, or param groups, as param groups."""
    given = list(params)
    return given if given and isinstance(given[0], dict) else [{"params": given}]


def _is_matrix(parameter: Tensor) -> bool:
    return parameter.dim() == 2


def _refuse_dense(optimizer: Optimizer, args: object, kwargs: object) -> None:
    """Raises TaskError before a step of SparseAdam on dense gradients: torch's error does not name
    them."""
    grads = [
        p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
    ]
    dense = [grad for grad in grads if not grad.is_sparse]
    if dense:
        shapes = ", ".join(
            dict.fromkeys(" x ".join(map(str, grad.shape)) or "scalar" for grad in dense[:4])
        )
        raise TaskError(
            f"SparseAdam takes sparse gradients only, and {len(dense)} of {len(grads)} parameters"
            f" have dense ones ({shapes})",
            (
                "expected SGD or Adagrad, which take both kinds"
                if len(dense) < len(grads)
                else (
                    "expected Adam; SparseAdam is made for layers such as nn.Embedding(...,"
                    " sparse=True)"
                )
            ),
        )
