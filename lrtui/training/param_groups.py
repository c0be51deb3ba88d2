"""Checks the param groups that a task returns: rates and options of single layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from lrtui.core.errors import TaskError
from lrtui.core.scenario.spec import OptimizerSpec
from lrtui.core.text import closest, one_line
from lrtui.training.optimizers import OWN_RATE, Group, known_options

_EXPECTED = (
    'expected a list of dicts as torch.optim takes them, such as [{"params":'
    ' model.head.parameters(), "lr_scale": 10}]'
)


def of_task(
    task: Any, model: nn.Module, spec: OptimizerSpec, lr: float
) -> list[Group] | list[nn.Parameter]:
    """The groups of the task's `param_groups(model)`, else all parameters of the model: the
    optimizer's first argument.

    In a group `lr` is its own rate, `lr_scale` a factor on the lane's rate. Raises TaskError for
    groups that torch would refuse or misread.
    """
    if not callable(getattr(task, "param_groups", None)):
        return list(model.parameters())
    given = task.param_groups(model)
    if isinstance(given, (Mapping, str, Tensor)) or not isinstance(given, Iterable):
        raise TaskError(f"param_groups() gave a {type(given).__name__}", _EXPECTED)
    listed = list(given)
    if not listed:
        raise TaskError("param_groups() gave no group", _EXPECTED)
    if spec.name == "LBFGS":
        raise TaskError(
            "LBFGS takes no param groups, and the task has param_groups()",
            "expected another optimizer",
        )
    groups = [_group(number, group, spec, lr) for number, group in enumerate(listed, 1)]
    _refuse_strangers(groups, model)
    return groups


def names(groups: Sequence[Group]) -> list[str]:
    """A name for each param group: its own, or a number from 1 on; "all" for a single one."""
    if len(groups) == 1:
        return [one_line(str(groups[0].get("name", "all")))]
    return [
        one_line(str(group.get("name", f"group {number}")))
        for number, group in enumerate(groups, 1)
    ]


def trained(model: nn.Module, groups: Iterable[Group]) -> list[nn.Parameter]:
    """The parameters that are in one of the groups, in the model's order. Gradients of the others
    pile up: nothing clears them."""
    held = {id(p) for group in groups for p in group["params"]}
    return [p for p in model.parameters() if id(p) in held]


def left_out(groups: Iterable[Group], model: nn.Module) -> str:
    """A sentence about the trainable parameters that are in none of the groups; '' if there are
    none."""
    held = {id(p) for group in groups for p in group["params"]}
    names = [name for name, p in model.named_parameters() if p.requires_grad and id(p) not in held]
    if not names:
        return ""
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return one_line(
        f"param_groups() leaves out {shown}: {len(names)} of the model's parameters will not be"
        " trained"
    )


def _group(number: int, given: Any, spec: OptimizerSpec, lr: float) -> Group:
    """One group as torch takes it, with its rate."""
    if not isinstance(given, dict):
        raise TaskError(
            f"param_groups() gave a {type(given).__name__} as group {number}", _EXPECTED
        )
    called = f"param_groups(): group {number}" + (
        f' "{one_line(str(given["name"]))[:40]}"' if "name" in given else ""
    )
    if "params" not in given:
        raise TaskError(f'{called} has no "params"', _EXPECTED)
    known = known_options(spec)
    for key in given:
        if known is not None and key not in known | {"params", "name", "lr", "lr_scale"}:
            near = closest(str(key), [*known, "lr_scale"])
            raise TaskError(
                f'{called}: {spec.name} has no option "{one_line(str(key))}"{near}',
                "expected params, name, lr or lr_scale, and options of the optimizer: "
                + ", ".join(sorted(known)),
            )
    if "lr" in given and "lr_scale" in given:
        raise TaskError(
            f"{called} has both lr and lr_scale",
            "expected lr, a rate of its own, or lr_scale, a factor on the lane's rate",
        )
    key = "lr" if "lr" in given else "lr_scale"
    value = _number(given.get(key, 1.0), called, key)
    rate = {"lr": value, OWN_RATE: True} if key == "lr" else {"lr": lr * value}
    options = {
        name: option for name, option in given.items() if name not in ("params", "lr", "lr_scale")
    }
    return {"params": _parameters(given["params"], called), **options, **rate}


def _number(value: Any, called: str, key: str) -> float:
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    ):
        return float(value)
    raise TaskError(
        f"{called}: {key} = {one_line(repr(value))[:40]}", "expected a finite number, 0 or more"
    )


def _parameters(given: Any, called: str) -> list[Tensor]:
    """The parameters of a group: one, or any iterable of them, also with their names."""
    if isinstance(given, Tensor):
        given = [given]
    if not isinstance(given, Iterable):
        raise TaskError(
            f"{called}: params is a {type(given).__name__}",
            "expected a parameter, or an iterable of them",
        )
    found = [item[1] if isinstance(item, tuple) and len(item) == 2 else item for item in given]
    strange = next((item for item in found if not isinstance(item, Tensor)), None)
    if strange is not None:
        raise TaskError(
            f"{called}: a {type(strange).__name__} among params", "expected parameters of the model"
        )
    if not found:
        raise TaskError(
            f"{called} has no parameters",
            "expected at least one: the iterator is used up, or a filter too narrow",
        )
    return found


def _refuse_strangers(groups: list[Group], model: nn.Module) -> None:
    """Raises TaskError for a parameter that is in the groups twice, or not in the model."""
    names = {id(p): name for name, p in model.named_parameters()}
    seen: dict[int, int] = {}
    for number, group in enumerate(groups, 1):
        for parameter in group["params"]:
            name = names.get(id(parameter))
            if name is None:
                raise TaskError(
                    f"param_groups(): group {number} has a tensor of shape {tuple(parameter.shape)}"
                    " that is not a parameter of the model",
                    "expected parameters of the model that param_groups() was given",
                )
            if id(parameter) in seen:
                raise TaskError(
                    f"param_groups(): {one_line(name)} is in group {seen[id(parameter)]} and in"
                    f" group {number}",
                    "expected each parameter once",
                )
            seen[id(parameter)] = number
