"""Sees the losses of a script: the scalars that it calls `backward()` on.

`torch.autograd.backward` is wrapped, which `Tensor.backward` calls as well. The scalars since the
last optimizer step are the micro-batches of the next one, so their sum is its loss; but for those
whose gradients `zero_grad` throws away, as of adversarial examples or of a batch that is skipped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrtui.integrations.script.wrapped import Wrapped
from lrtui.training.tensors import wide

Loss = float | Tensor
"""A scalar; a tensor as long as it is on an accelerator."""
UNSCALED = "_lrtui_unscaled"
"""Attribute of a loss that a GradScaler scaled: the loss before."""
MOST = 4096
"""Losses that are kept apart until a step; a loop that makes none adds them up."""


class CaptureListener(Protocol):
    """A lane that takes losses."""

    def failed(self, error: Exception) -> None:
        """Take in an error of lrtui's own."""

    def scaler_stepped(self, optimizer: Any) -> None:
        """Take in the end of a GradScaler's step of an optimizer, which it may have skipped."""


class _Pending:
    """The losses of one thread since the last step."""

    def __init__(self) -> None:
        self._losses: list[Loss] = []
        self._zeroed: dict[int, tuple[int, int]] = {}
        """The losses (from, to) whose gradients the last `zero_grad` threw away, by the first
        parameter that it cleared."""

    def add(self, loss: Loss) -> None:
        """Add a loss."""
        if len(self._losses) == MOST:
            self._losses = [_total(self._losses)]
            self._zeroed.clear()
        self._losses.append(loss)

    def zero(self, parameter: int) -> None:
        """Take in that gradients are thrown away, of `parameter` among others."""
        before = self._zeroed.get(parameter, (0, 0))[1]
        if before < len(self._losses):
            self._zeroed[parameter] = before, len(self._losses)

    def __len__(self) -> int:
        return len(self._losses)

    def cut(self, length: int) -> None:
        """Take back the losses after the first `length`."""
        del self._losses[length:]

    def take(self, parameter: int) -> Loss | None:
        """Remove the losses; return the sum of those that `parameter` has the gradients of, or had
        last."""
        losses, self._losses = self._losses, []
        if self._zeroed:
            start, end = self._zeroed.get(parameter, (0, 0))
            losses = losses[end:] or losses[start:end]
            self._zeroed.clear()
        return _total(losses) if losses else None


class LossCapture:
    """Gathers losses until they are taken. One in a process, for all of its lanes: a loss is that
    of whoever steps next in its thread."""

    def __init__(self) -> None:
        self._listeners: list[CaptureListener] = []
        self._pending: dict[int, _Pending] = {}
        """By thread."""
        self._ignoring = self._scales = False
        """True within repeated closures; once a GradScaler has scaled a loss."""
        self._installed: list[Wrapped] = []

    def install(self, listener: CaptureListener) -> None:
        """Wrap the functions of torch that losses pass, for the first listener."""
        self._listeners.append(listener)
        if not self._installed:
            self._installed += [
                Wrapped(torch.autograd, "backward", self._backward),
                Wrapped(torch.amp.GradScaler, "scale", self._scale),
                Wrapped(torch.amp.GradScaler, "step", self._scaler_step),
                Wrapped(Optimizer, "zero_grad", self._zero_grad),
                Wrapped(nn.Module, "zero_grad", self._zero_grad),
            ]

    def uninstall(self, listener: CaptureListener) -> None:
        """Put the functions back when the last listener goes; a function that someone else has
        wrapped since stays, and does nothing more."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if self._listeners:
            return
        for wrapped in reversed(self._installed):
            wrapped.remove()
        self._installed.clear()
        self._pending.clear()

    def forget(self) -> None:
        """Drop the lanes and their losses, in a process that was forked."""
        self._listeners.clear()
        self._pending.clear()

    def take(self, optimizer: Optimizer | None = None) -> Loss | None:
        """The sum of the losses since the last call, or None; they are removed. `optimizer`: the
        one that stepped."""
        pending = self._pending.get(threading.get_ident())
        if not pending:
            # an optimizer that steps within the backward pass, in a thread of autograd's
            pending = next(filter(None, self._pending.values()), None)
        return pending.take(_first_parameter(optimizer)) if pending else None

    def add(self, loss: Any) -> None:
        """Add the loss of a micro-batch: a number, or a tensor with one element."""
        if not isinstance(loss, Tensor):
            loss = float(loss)
        elif loss.is_meta or loss.is_complex():
            return
        elif loss.is_cpu:
            loss = loss.item()
        else:
            loss = wide(loss.detach()).reshape(())
        self._own().add(loss)

    def _own(self) -> _Pending:
        thread = threading.get_ident()
        if thread not in self._pending:
            self._pending[thread] = _Pending()
        return self._pending[thread]

    def _of_this_thread(self) -> _Pending:
        thread = threading.get_ident()
        if (pending := self._pending.get(thread)) is None:
            pending = self._pending[thread] = _Pending()
        return pending

    def ignore(self, ignoring: bool) -> None:
        """Begin or end a stretch whose losses do not count, as of repeated closures."""
        self._ignoring = ignoring

    def _backward(self, original: Any) -> Any:
        def backward(tensors: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> Any:
            # checkpointing calls it within another backward, which then has a task
            outermost = (
                self._listeners and not self._ignoring and torch._C._current_graph_task_id() == -1
            )
            if not outermost:
                return original(tensors, grad_tensors, *args, **kwargs)
            pending = self._own()
            before = len(pending)
            try:  # first, for an optimizer may step within the backward pass
                if self._scales or grad_tensors is not None or type(tensors) is not Tensor:
                    self._see(tensors, grad_tensors)
                elif tensors.numel() == 1:
                    self.add(tensors)
            except Exception as error:
                self._fail(error)
            try:
                return original(tensors, grad_tensors, *args, **kwargs)
            except BaseException:
                pending.cut(before)
                raise

        return backward

    def _see(self, tensors: Any, weights: Any) -> None:
        """Add each scalar, times the number that its gradient begins with; also a vector of losses
        that a vector of such numbers makes one."""
        given = [tensors] if isinstance(tensors, Tensor) else tensors
        if not isinstance(given, Sequence):
            return
        factors = [weights] * len(given) if not isinstance(weights, Sequence) else weights
        for tensor, factor in zip(given, factors, strict=False):
            if isinstance(tensor, Tensor) and _is_vector(tensor, factor):
                loss = getattr(tensor, UNSCALED, tensor).detach()
                self.add(loss if factor is None else (loss * factor.detach()).sum())

    def _scale(self, original: Any) -> Any:
        def scale(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            if isinstance(outputs, Tensor) and result is not outputs:
                self._scales = True
                setattr(result, UNSCALED, outputs.detach())
            return result

        return scale

    def _zero_grad(self, original: Any) -> Any:
        def zero_grad(owner: Any, *args: Any, **kwargs: Any) -> Any:
            pending = self._pending.get(threading.get_ident())
            if pending and not self._ignoring:
                pending.zero(_first_parameter(owner))
            return original(owner, *args, **kwargs)

        return zero_grad

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


def _total(losses: Sequence[Loss]) -> Loss:
    return losses[0] if len(losses) == 1 else sum(losses[1:], losses[0])


def _is_vector(tensor: Tensor, weights: Any) -> bool:
    """True for a tensor with one element, or with weighted ones along one dimension."""
    most = 1 if weights is None else max(tensor.shape, default=1)
    return tensor.numel() == most


def _first_parameter(owner: Optimizer | nn.Module | None) -> int:
    """Identity of the first parameter of an optimizer or of a module; 0 if it has none."""
    if isinstance(owner, nn.Module):
        return id(next(owner.parameters(), None))
    groups = getattr(owner, "param_groups", None)
    return id(groups[0]["params"][0]) if groups and groups[0]["params"] else 0


capture = LossCapture()
"""That of this process."""
os.register_at_fork(after_in_child=capture.forget)
