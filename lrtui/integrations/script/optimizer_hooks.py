"""Sees each step of torch's optimizers, and scales its rates.

The factor stands around the step alone: a scheduler, or a script that assigns `param_group["lr"]`,
reads and writes the rates as without it.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from lrtui.integrations.script.wrapped import Wrapped, spare_from_compilation
from lrtui.training.tensors import wide

Group = dict[str, Any]
_AROUND_STEP = "torch.optim.optimizer"
"""Module of the function that torch puts around each step."""


class StepListener(Protocol):
    """The lane that is told of steps. Any exception but `passes` ends the hooks."""

    @property
    def passes(self) -> tuple[type[BaseException], ...]:
        """Exceptions meant for the script."""

    def before_step(self, optimizer: Optimizer) -> float:
        """Take in a step that begins; return the factor of its rates."""

    def rates_known(self, optimizer: Optimizer) -> None:
        """Take in the rates of the step, which stand in the groups now."""

    def after_step(self, optimizer: Optimizer) -> None:
        """Take in a step that is done; its rates are as before."""

    def closure_called(self, calls: int) -> None:
        """Take in that a closure of the step begins for the `calls`-th time; 0: its last call has
        ended."""

    def failed(self, error: Exception) -> None:
        """Take in an error of lrtui's own; the hooks are gone."""


class _Step:
    """The step that runs in a thread."""

    def __init__(self) -> None:
        self.running: list[Optimizer] = []
        """Its optimizer, and those that this one calls as a wrapper."""
        self.scheduled: list[tuple[Group, Any]] = []
        """Groups whose rates are scaled now, with the rates of the script."""

    def scale(self, optimizer: Optimizer, factor: float) -> None:
        """Scale the rates of an optimizer."""
        for group in optimizer.param_groups:
            rate = group.get("lr")
            if rate is not None:
                self.scheduled.append((group, rate))
                group["lr"] = rate * factor

    def end(self) -> None:
        """End the step: the rates are those of the script."""
        for group, rate in self.scheduled:
            group["lr"] = rate
        self.scheduled.clear()
        self.running.clear()


class OptimizerHooks:
    """Hooks on one optimizer, or on every optimizer of the process."""

    def __init__(self, listener: StepListener) -> None:
        self._listener = listener
        self._pid = os.getpid()
        self._handles: list[Any] = []
        self._steps: dict[int, _Step] = {}
        """By thread."""
        self._turn = threading.RLock()
        """The listener is told of one step at a time."""

    def install(self, optimizer: Optimizer | None = None) -> None:
        """Register the hooks, on every optimizer if none is given."""
        self._handles.append(Wrapped(Optimizer, "state_dict", self._unscaled))
        if optimizer is None:
            self._handles += [
                Wrapped(Optimizer, "add_param_group", _note_created_rate),
                register_optimizer_step_pre_hook(self._before),
                register_optimizer_step_post_hook(self._after),
            ]
        else:
            spare_from_compilation()
            self._handles += [
                optimizer.register_step_pre_hook(self._before),
                optimizer.register_step_post_hook(self._after),
            ]

    def uninstall(self) -> None:
        """Remove the hooks; the rates are those of the script."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        for step in self._steps.values():
            step.end()

    def forked(self) -> None:
        """Go on in this process, which was forked, in place of the other one."""
        self._pid, self._turn = os.getpid(), threading.RLock()
        self._steps.clear()

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        if os.getpid() != self._pid:
            return None
        thread = threading.get_ident()
        step = self._steps.get(thread) or self._steps.setdefault(thread, _Step())
        try:
            if step.running and not _runs(step.running[-1]):
                step.end()  # it raised (out of memory), and had no end
            step.running.append(optimizer)
            if len(step.running) > 1:
                return None
            with self._turn:
                factor = self._listener.before_step(optimizer)
                if factor != 1.0:
                    step.scale(optimizer, factor)
                self._listener.rates_known(optimizer)
            return self._with_closure(args, kwargs)
        except self._listener.passes:
            step.end()
            raise
        except Exception as error:
            self._give_up(error)
            return None

    def _after(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        step = self._steps.get(threading.get_ident())
        if os.getpid() != self._pid or step is None or not step.running:
            return
        step.running.pop()
        if step.running:
            return
        step.end()
        try:
            with self._turn:
                self._listener.after_step(optimizer)
        except self._listener.passes:
            raise
        except Exception as error:
            self._give_up(error)

    def _unscaled(self, original: Any) -> Any:
        """A `state_dict` with the rates of the script: a signal handler may save a checkpoint in
        the middle of a step, and a step that was interrupted has no end."""

        def state_dict(optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
            state = original(optimizer, *args, **kwargs)
            for group, rate in [one for step in self._steps.values() for one in step.scheduled]:
                for own, saved in zip(optimizer.param_groups, state["param_groups"], strict=False):
                    if own is group:
                        saved["lr"] = rate
            return state

        return state_dict

    def _with_closure(self, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        """The arguments with a closure that tells of its calls; None without one."""
        if callable(kwargs.get("closure")):
            return args, {**kwargs, "closure": self._told(kwargs["closure"])}
        if len(args) > 1 and callable(args[1]):
            return (args[0], self._told(args[1]), *args[2:]), kwargs
        return None

    def _told(self, closure: Callable[..., Any]) -> Callable[..., Any]:
        calls = 0

        def told(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            self._listener.closure_called(calls)
            try:
                return closure(*args, **kwargs)
            finally:
                self._listener.closure_called(0)

        return told

    def _give_up(self, error: Exception) -> None:
        self.uninstall()
        self._listener.failed(error)


def _runs(optimizer: Optimizer) -> bool:
    """True if the step that begins is called by a step of `optimizer`."""
    frame: FrameType | None = sys._getframe(1)
    stepping = []
    while frame is not None:
        if frame.f_code.co_name == "wrapper" and frame.f_globals["__name__"] == _AROUND_STEP:
            stepping.append(frame.f_locals.get("self"))
        frame = frame.f_back
    return any(one is optimizer for one in stepping[1:])  # the first is the one that begins


CREATED = "_lrtui_created_rate"
"""Attribute of an optimizer: the rate that its first param group was created with."""


def _note_created_rate(original: Any) -> Any:
    """An `add_param_group` that notes on each optimizer the rate of its first param group, before
    a script that schedules by hand assigns another one."""

    def add_param_group(optimizer: Optimizer, param_group: Group) -> None:
        original(optimizer, param_group)
        spare_from_compilation()
        if len(optimizer.param_groups) == 1:
            setattr(optimizer, CREATED, optimizer.param_groups[0].get("lr"))

    return add_param_group


def unwrapped(optimizer: Any) -> Optimizer | None:
    """The torch optimizer in wrappers that have it as `.optimizer`, some of which are optimizers
    themselves without its hooks (accelerate's); None if there is none."""
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    return optimizer if isinstance(optimizer, Optimizer) else None


def initial_rate(optimizer: Optimizer) -> float:
    """The rate that the script gave the first param group: the highest of a one-cycle schedule, the
    initial one of another scheduler, else the one it was created with; NaN if it has none."""
    group = optimizer.param_groups[0]
    created = getattr(optimizer, CREATED, None)
    usual = optimizer.defaults.get("lr") if created is None else created
    for rate in (group.get("max_lr"), group.get("initial_lr"), usual, group.get("lr")):
        if rate is not None and float(rate) > 0:
            return float(rate)
    return math.nan


def gradient_norm(optimizer: Optimizer) -> Any:
    """The 2-norm of the gradients of an optimizer as a float64 scalar on their device; None where a
    rank has a part of them only, and where they are not dense."""
    grads = [
        p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None
    ]
    whole = all(
        type(grad) is torch.Tensor and grad.layout == torch.strided and not grad.is_meta
        for grad in grads
    ) and not any(getattr(p, "_is_flat_param", False) for p in optimizer.param_groups[0]["params"])
    if not grads or not whole or len({grad.device for grad in grads}) > 1:
        return None
    with torch.no_grad():
        norm = torch.linalg.vector_norm(wide(torch.stack(torch._foreach_norm(grads))))
    scale = getattr(optimizer, "grad_scale", None)
    return norm if scale is None else norm / scale
