"""What stands around backward() and step(): mixed precision, accumulation, clipping.

The order is torch's own: scaled backward of each micro-batch, unscale, gradient norm, clip, step.
With the default recipe every call is the plain one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrtui.core.errors import ScenarioError, TaskError
from lrtui.core.scenario.spec import Precision, Recipe
from lrtui.training import param_groups, tensors
from lrtui.training.averaging import WeightAverage

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
LEAST_SCALE = 1.0
"""A step that overflows at this scale of the loss or below ends the lane: the gradients of the loss
itself do not fit in float16."""


def check_device(precision: Precision, device: torch.device) -> None:
    """Raise ScenarioError if `device` cannot train with `precision`."""
    if precision == "tf32":
        if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0):
            return
        raise ScenarioError(
            f'precision = "tf32": {device} has no TensorFloat-32',
            'expected a CUDA GPU of compute capability 8.0 or more, or precision = "fp32"',
        )
    if precision == "fp32":
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # autocast switches itself off with a warning
            with torch.autocast(device.type, _TYPES[precision]):
                one = torch.ones(2, 2, device=device)
                works = (one @ one).dtype == _TYPES[precision]
    except (RuntimeError, ValueError, UserWarning):
        works = False
    if not works:
        raise ScenarioError(
            f'precision = "{precision}": {device} cannot compute in it',
            'expected precision = "fp32", or another device',
        )


class LossScaler:
    """`torch.amp.GradScaler` for fp16; for every other precision calls are handed on."""

    def __init__(self, precision: Precision, device: torch.device) -> None:
        self.active = precision == "fp16"
        self._scaler = torch.amp.GradScaler(device.type, enabled=self.active)

    @property
    def scale(self) -> float:
        """Factor of the loss; waits for the device."""
        return float(self._scaler.get_scale())

    def backward(self, loss: Tensor) -> None:
        """Adds the gradients of the scaled loss."""
        if self.active:
            loss = self._scaler.scale(loss)
        loss.backward()

    def unscale(self, optimizer: Optimizer) -> None:
        """Divides the gradients by the scale, once a step."""
        if self.active:
            self._scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> bool:
        """Calls `optimizer.step()` unless gradients overflowed; False if they did."""
        if not self.active:
            optimizer.step()
            return True
        before = self.scale
        self._scaler.step(optimizer)
        self._scaler.update()
        return self.scale >= before

    def state_dict(self) -> dict[str, Any]:
        """The scale and its growth; empty unless active."""
        return dict(self._scaler.state_dict())

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Restores what `state_dict` returned; nothing if one of the two was not active."""
        if kept and self.active:
            self._scaler.load_state_dict(kept)


class Clipping:
    """Clips gradients by their norm or by value, with torch's own functions."""

    def __init__(self, recipe: Recipe, model: nn.Module, optimizer: Optimizer) -> None:
        self._parameters = param_groups.trained(model, optimizer.param_groups)
        self._norm, self._value = recipe.clip_grad_norm, recipe.clip_grad_value

    @property
    def active(self) -> bool:
        """True if anything is clipped."""
        return bool(self._norm or self._value)

    def measure(self) -> tuple[Tensor | None, Tensor | None]:
        """The 2-norm of the gradients before clipping (None: not needed here), and whether clipping
        will change them (None: there is none), scalars on their device."""
        if not self.active:
            return None, None
        grads = [p.grad for p in self._parameters if p.grad is not None]
        if any(grad.layout != torch.strided or grad.is_complex() for grad in grads):
            self._refuse(grads)
        if self._norm:
            norm = torch.nn.utils.get_total_norm(grads)
            return norm, norm > self._norm
        if not grads:
            return None, torch.zeros((), dtype=torch.bool)
        highest = torch.stack(
            [grad.abs().max().to(grads[0].device) for grad in grads if grad.numel()]
        )
        return None, highest.max() > self._value

    def _refuse(self, grads: Sequence[Tensor]) -> None:
        """Raises TaskError if torch's function takes no gradients of these kinds."""
        key = "clip_grad_norm" if self._norm else "clip_grad_value"
        kind = "sparse" if any(grad.layout != torch.strided for grad in grads) else "complex"
        if kind == "sparse" or self._value:
            raise TaskError(
                f"{key}: torch does not clip {kind} gradients, and the model has some",
                "expected no clipping" + (", or clip_grad_norm" if kind == "complex" else ""),
            )

    def clip(self, norm: Tensor | None) -> None:
        """Clips the gradients; `norm`: as measured."""
        if self._norm and norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, self._norm, norm)
        elif self._value:
            torch.nn.utils.clip_grad_value_(self._parameters, self._value)


class Accumulation:
    """The micro-batches of the present step: number, loss and numbers beside it so far.

    Each loss is divided by the number of micro-batches that the step is expected to have. If the
    data ends sooner, gradients and loss are rescaled to the number that came.
    """

    def __init__(self, model: nn.Module, scaler: LossScaler) -> None:
        self.done = 0
        """Micro-batches whose gradients are added."""
        self.size = 1
        """Micro-batches that the step is expected to have."""
        self._parameters = list(model.parameters())
        self._scaler = scaler
        self._loss: Tensor | None = None
        self._numbers: dict[str, Any] = {}

    @property
    def complete(self) -> bool:
        """True if all expected micro-batches came."""
        return self.done >= self.size

    def begin(self, size: int) -> None:
        """Begins a step of `size` micro-batches."""
        self.done, self.size, self._loss, self._numbers = 0, size, None, {}

    def backward(self, loss: Tensor, numbers: Mapping[str, float | Tensor]) -> None:
        """Adds the gradients of a micro-batch's loss, and its numbers."""
        if self.size > 1:
            loss = loss / self.size
            numbers = {name: value / self.size for name, value in numbers.items()}
        self._scaler.backward(loss)
        self.done += 1
        if self._loss is None:
            # copies: compiled code with CUDA graphs writes over its results, a model its buffers
            self._loss = loss.detach().clone()
            self._numbers = {
                name: value.clone() if isinstance(value, Tensor) else value
                for name, value in numbers.items()
            }
            return
        self._loss = self._loss + loss.detach()
        for name, value in numbers.items():
            self._numbers[name] = self._numbers.get(name, 0.0) + value

    def finish(self) -> tuple[Tensor, dict[str, Any]]:
        """The mean loss of the step's micro-batches and the means of their numbers."""
        assert self._loss is not None, "a step without a batch"
        loss, numbers, short = self._loss, self._numbers, self.size / self.done
        if not self.complete:
            for parameter in self._parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(short)
            loss = loss * short
            numbers = {name: value * short for name, value in numbers.items()}
        self.begin(1)
        return loss, numbers

    def state_dict(self) -> dict[str, Any] | None:
        """The open step with its gradients, as plain values and tensors; None between two
        steps."""
        if not self.done:
            return None
        return {
            "done": self.done,
            "size": self.size,
            "loss": self._loss,
            "numbers": dict(self._numbers),
            "gradients": [p.grad for p in self._parameters],
        }

    def load_state_dict(self, kept: dict[str, Any] | None, rescale: float = 1.0) -> None:
        """Restores what `state_dict` returned; the model is on its device already. `rescale`: the
        scale of the loss now, relative to the one that the gradients were added with."""
        if kept is None:
            return
        if rescale != 1.0 and any(g is not None and not _finite(g) for g in kept["gradients"]):
            return  # the scale that the scaler would halve is gone, and so is the open step
        self.done, self.size = kept["done"], kept["size"]
        device = self._parameters[0].device
        self._loss, self._numbers = kept["loss"].to(device, copy=True), dict(kept["numbers"])
        for parameter, gradient in zip(self._parameters, kept["gradients"], strict=True):
            parameter.grad = None if gradient is None else gradient.to(parameter.device, copy=True)
            if parameter.grad is not None and rescale != 1.0:
                parameter.grad.mul_(rescale)


def _finite(gradient: Tensor) -> bool:
    return all(bool(torch.isfinite(part).all()) for part in tensors.pieces(gradient))


def set_matmul_precision(precision: Precision) -> None:
    """Sets the precision of matrix products of the process for a lane with tf32; the user's code
    may set it for the others."""
    if precision == "tf32":
        torch.set_float32_matmul_precision("high")


class StepRecipe:
    """The parts of a lane's recipe."""

    def __init__(
        self,
        spec: Recipe,
        model: nn.Module,
        optimizer: Optimizer,
        device: torch.device,
        *,
        closure: bool,
    ) -> None:
        """`closure`: the optimizer computes the loss itself."""
        if closure and spec.precision == "fp16":
            raise ScenarioError(
                'precision = "fp16": the optimizer computes the loss itself, which torch\'s'
                " GradScaler cannot scale",
                'expected precision = "bf16" or "fp32", or another optimizer',
            )
        self.spec = spec
        self.scaler = LossScaler(spec.precision, device)
        self.clipping = Clipping(spec, model, optimizer)
        self.accumulation = Accumulation(model, self.scaler)
        self.average = WeightAverage(model, spec.ema) if spec.ema else None
        self._device_type = device.type

    def autocast(self) -> AbstractContextManager[Any]:
        """The context of a forward pass and its loss."""
        if self.spec.precision not in _TYPES:
            return nullcontext()
        return torch.autocast(self._device_type, _TYPES[self.spec.precision])

    def after_update(self) -> None:
        """Takes the weights after an update into their average."""
        if self.average:
            self.average.update()

    def state_dict(self) -> dict[str, Any]:
        """The open step, the scale of the loss and the averaged weights, as plain values."""
        return {
            "accumulation": self.accumulation.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Restores what `state_dict` returned, into a model that has its weights already.

        Snapshots of earlier versions hold none of it. A fork that begins to average starts from its
        weights; one with another precision goes on with the open step at its own scale.
        """
        scaler = kept.get("scaler", {})
        self.scaler.load_state_dict(scaler)
        rescale = self.scaler.scale / scaler.get("scale", 1.0)
        self.accumulation.load_state_dict(kept.get("accumulation"), rescale)
        if self.average:
            self.average.load_state_dict(kept.get("average"))
