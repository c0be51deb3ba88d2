"""Checks what a task's loss() and metrics() return: the scalar to minimise, and numbers to
record."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from lrtui.core.errors import TaskError
from lrtui.core.protocol.column_names import is_reserved
from lrtui.core.scenario.spec import TaskRef
from lrtui.core.text import one_line

MOST = 64
"""Numbers beside the loss that a step may record."""


def scalar(given: Any, task: TaskRef) -> Tensor:
    """The scalar in loss()'s result, a tensor or a dict's "loss"; raises TaskError if it has
    none."""
    loss = given.get("loss", _MISSING) if isinstance(given, Mapping) else given
    if isinstance(loss, Tensor) and loss.numel() == 1 and loss.is_floating_point():
        return loss
    raise _refused(given, loss, task)


def of_step(given: Any, task: TaskRef) -> tuple[Tensor, dict[str, float | Tensor]]:
    """The scalar of a training step, which must have a gradient, and the numbers to record beside
    it."""
    loss = scalar(given, task)
    if not loss.requires_grad:
        raise TaskError(
            f"loss() of {task.short} gave a scalar without a gradient",
            "expected a tensor computed from the model's trainable weights, not detached nor made"
            " of a number",
        )
    return loss, _numbers(given, task) if isinstance(given, Mapping) else {}


def metrics(given: Any, task: TaskRef) -> dict[str, Any]:
    """The result of metrics(); raises TaskError unless it is a dict of numbers and scalar
    tensors."""
    if not isinstance(given, Mapping):
        raise TaskError(
            f"metrics() of {task.short} gave {described(given)}",
            "expected a dict of numbers and scalar tensors",
        )
    for key, value in given.items():
        if not _is_number(value):
            raise TaskError(
                f'metrics() of {task.short} gave {described(value)} as "{one_line(str(key))}"',
                "expected a number or a scalar tensor",
            )
    return {str(key): value for key, value in given.items()}


def described(value: Any) -> str:
    """A value in words, by type and shape: "a tuple (tensor [] float32, tensor [8, 1] float32)"."""
    match value:
        case None:
            return "None"
        case Tensor():
            return f"a {_inner(value)}"
        case tuple() | list():
            inner = ", ".join(_inner(part) for part in value[:4]) + (
                ", ..." if len(value) > 4 else ""
            )
            return f"a {type(value).__name__} ({inner})"
        case Mapping():
            return (
                f"a {type(value).__name__} with"
                f" {', '.join(one_line(repr(key))[:40] for key in list(value)[:6]) or 'no keys'}"
            )
        case bool() | int() | float():
            return f"the {type(value).__name__} {value:g}"
    return f"a {type(value).__name__}"


_MISSING = object()


def _refused(given: Any, loss: Any, task: TaskRef) -> TaskError:
    of = f"loss() of {task.short} gave {described(given)}"
    if loss is _MISSING:
        return TaskError(of, 'expected a scalar tensor to minimise under the key "loss"')
    if loss is not given:
        of = f'loss() of {task.short} gave {described(loss)} as "loss"'
    match loss:
        case Tensor() if loss.numel() != 1:
            hint = "expected a scalar: take its mean() or sum()"
        case Tensor() if loss.is_complex():
            hint = "expected a real scalar: take its abs() or .real"
        case Tensor():
            hint = "expected a scalar of a floating-point type, through which gradients flow"
        case Real():
            hint = "expected a scalar tensor, before .item() or float()"
        case None:
            hint = "expected a scalar tensor: does it return what it computes?"
        case tuple() | list() if len(loss) > 1 and all(_is_loss(part) for part in loss):
            hint = (
                "expected one scalar, such as their sum: a lane has one optimizer, and two in one"
                " loop (a GAN) do not fit a task"
            )
        case tuple() | list():
            hint = (
                'expected the scalar to minimise alone, or a dict {"loss": scalar, other numbers}'
            )
        case _ if isinstance(getattr(loss, "loss", None), Tensor):
            hint = "expected a scalar tensor: return its .loss"
        case _:
            hint = 'expected a scalar tensor to minimise, or a dict {"loss": scalar, other numbers}'
    return TaskError(of, hint)


def _numbers(given: Mapping[Any, Any], task: TaskRef) -> dict[str, float | Tensor]:
    """The numbers beside "loss", tensors detached on their device; other values are left out."""
    found: dict[str, float | Tensor] = {}
    for key, value in given.items():
        if key == "loss" or not _is_number(value):
            continue
        name = str(key)
        if is_reserved(name) or name != one_line(name):
            raise TaskError(
                f'loss() of {task.short} gave a number called "{one_line(name)}"',
                "expected another name, of one line: lrtui has a column of that name",
            )
        found[name] = value.detach() if isinstance(value, Tensor) else float(value)
    if len(found) > MOST:
        raise TaskError(
            f"loss() of {task.short} gave {len(found)} numbers beside the loss",
            f"expected at most {MOST}",
        )
    return found


def _is_loss(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1 and value.requires_grad


def _inner(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"tensor of shape {list(value.shape)}, {str(value.dtype).removeprefix('torch.')}"
    return type(value).__name__


def _is_number(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() == 1 and not value.is_complex() and value.layout == torch.strided
    return isinstance(value, Real)
