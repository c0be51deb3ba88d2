"""torch.compile of a lane's model, before its first step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch._dynamo.utils
from torch import Tensor, nn

from lrtui.core.scenario.spec import CompileMode
from lrtui.core.text import one_line
from lrtui.training import rng
from lrtui.training.reachable import Reachable


def compile_model(
    model: nn.Module,
    mode: CompileMode,
    first_loss: Callable[[], Tensor],
    task: Any,
    device: torch.device,
    generators: Sequence[rng.Generator],
) -> str:
    """Compile `model` in place by one forward and backward pass of `first_loss`, which leave no
    other trace; return a line for the log.

    The model stays as it is, and the line says why, if compiling fails. Compiled code is kept for
    the shapes and modes of that pass; others are compiled when they come.
    """
    before, state = (
        rng.capture(device, generators),
        Reachable({"task": task, "model": model}).save(),
    )
    began = time.perf_counter()
    compiled: Callable[..., Any] | None = torch.compile(
        _call(model), mode=None if mode == "default" else mode
    )
    model._compiled_call_impl = compiled
    frames = torch._dynamo.utils.counters["frames"]
    known = frames["ok"]
    try:
        model.train()
        first_loss().backward()
        if frames["ok"] == known:
            compiled = None
            return (
                "torch.compile compiled nothing, the model runs as it is: loss() does not call the"
                " model as a whole, or torch leaves it out"
            )
    except Exception as error:  # of the compiler, or of the task: the first step shows which
        compiled = None
        reason = one_line(str(error))[:200] or type(error).__name__
        return f"torch.compile failed, the model runs as it is: {reason}"
    finally:
        for parameter in model.parameters():
            parameter.grad = None
        state.restore()
        model._compiled_call_impl = compiled  # removed with every other trace
        rng.restore(before, device, generators)
    seconds = time.perf_counter() - began
    return f"torch.compile took {seconds:.1f} s ({mode}), before the first step"


def _call(model: nn.Module) -> Callable[..., Any]:
    """The call of `model` to compile, as `torch.compile(model)` does.

    It is wrapped, because a topmost forward of torch's own, as of nn.Sequential, is not compiled;
    and the wrapper has code of its own, because torch keeps what it compiled by code: lanes of one
    process must share neither the versions for each other's shapes nor the limit on their number.
    """
    call: Callable[..., Any] = model._call_impl

    def inner(*args: Any, **options: Any) -> Any:
        return call(*args, **options)

    inner.__code__ = inner.__code__.replace()
    return inner
