"""Sees the losses of a script: the scalars that it calls `backward()` on.

`torch.autograd.backward` is wrapped, which `Tensor.backward` calls as well. The scalars since the
last optimizer step are the micro-batches of the next one, so their sum is its loss.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from lrtui.training.tensors import wide

Loss = float | Tensor
"""A scalar; a tensor as long as it is on an accelerator."""
UNSCALED = "_lrtui_unscaled"
"""Attribute of a loss that a GradScaler scaled: the loss before."""


class CaptureListener(Protocol):
    """A lane that takes losses."""

    def failed(self, error: Exception) -> None:
        """Take in an error of lrtui's own."""

    def scaler_stepped(self, optimizer: Any) -> None:
        """Take in the end of a GradScaler's step of an optimizer, which it may have skipped."""


class LossCapture:
    """Gathers losses until they are taken. One in a process, for all of its lanes: a loss is that
    of whoever steps next."""

    def __init__(self) -> None:
        self._listeners: list[CaptureListener] = []
        self._losses: list[Loss] = []
        self._ignoring = self._scales = False
        """True within repeated closures; once a GradScaler has scaled a loss."""
        self._installed: list[tuple[Any, str, Any, Any]] = []
        """(owner, name, the original, the wrapper)."""

    def install(self, listener: CaptureListener) -> None:
        """Wrap the functions of torch that losses pass, for the first listener."""
        self._listeners.append(listener)
        if not self._installed:
            self._wrap(torch.autograd, "backward", self._backward)
            self._wrap(torch.amp.GradScaler, "scale", self._scale)
            self._wrap(torch.amp.GradScaler, "step", self._scaler_step)

    def uninstall(self, listener: CaptureListener) -> None:
        """Put the functions back when the last listener goes; a function that someone else has
        wrapped since stays, and does nothing more."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if self._listeners:
            return
        for owner, name, original, wrapper in reversed(self._installed):
            if getattr(owner, name) is wrapper:
                setattr(owner, name, original)
        self._installed.clear()
        self._losses.clear()

    def take(self) -> Loss | None:
        """The sum of the losses since the last call, or None; they are removed."""
        losses = self._losses
        if not losses:
            return None
        self._losses = []
        return losses[0] if len(losses) == 1 else sum(losses[1:], losses[0])

    def add(self, loss: Any) -> None:
        """Add the loss of a micro-batch: a number, or a tensor with one element."""
        if not isinstance(loss, Tensor):
            loss = float(loss)
        elif loss.is_cpu:
            loss = loss.item()
        elif loss.is_meta:
            return
        else:
            loss = wide(loss.detach()).reshape(())
        self._losses.append(loss)

    def ignore(self, ignoring: bool) -> None:
        """Begin or end a stretch whose losses do not count, as of repeated closures."""
        self._ignoring = ignoring

    def _wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        wrapper = functools.wraps(original)(make(original))
        setattr(owner, name, wrapper)
        self._installed.append((owner, name, original, wrapper))

    def _backward(self, original: Any) -> Any:
        def backward(tensors: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> Any:
            # checkpointing calls it within another backward, which then has a task
            outermost = (
                self._listeners and not self._ignoring and torch._C._current_graph_task_id() == -1
            )
            result = original(tensors, grad_tensors, *args, **kwargs)
            if outermost:
                try:
                    if self._scales or grad_tensors is not None or type(tensors) is not Tensor:
                        self._see(tensors, grad_tensors)
                    elif tensors.numel() == 1:
                        self.add(tensors)
                except Exception as error:
                    self._fail(error)
            return result

        return backward

    def _see(self, tensors: Any, weights: Any) -> None:
        """Add each scalar, times the number that its gradient begins with."""
        given = [tensors] if isinstance(tensors, Tensor) else tensors
        if not isinstance(given, Sequence):
            return
        factors = [weights] * len(given) if not isinstance(weights, Sequence) else weights
        for tensor, factor in zip(given, factors, strict=False):
            if isinstance(tensor, Tensor) and tensor.numel() == 1:
                loss = getattr(tensor, UNSCALED, tensor).detach()
                self.add(loss if factor is None else loss * factor.detach())

    def _scale(self, original: Any) -> Any:
        def scale(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            if isinstance(outputs, Tensor) and result is not outputs:
                self._scales = True
                setattr(result, UNSCALED, outputs.detach())
            return result

        return scale

    def _scaler_step(self, original: Any) -> Any:
        def step(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(scaler, optimizer, *args, **kwargs)
            if scaler.is_enabled():
                try:
                    for listener in self._listeners:
                        listener.scaler_stepped(optimizer)
                except Exception as error:
                    self._fail(error)
            return result

        return step

    def _fail(self, error: Exception) -> None:
        for listener in list(self._listeners):
            listener.failed(error)


capture = LossCapture()
"""That of this process."""
