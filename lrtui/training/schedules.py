"""Builds the learning-rate schedule of a lane. Knows torch's schedulers by name."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from torch.optim import Optimizer, lr_scheduler

from lrtui.core import expression
from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.spec import Interval, ScheduleSpec
from lrtui.training import task as tasks


class Horizon(NamedTuple):
    """How long a lane trains: optimizer steps and (begun) epochs."""

    steps: int
    epochs: int

    def length(self, interval: Interval) -> int:
        """The budget counted in batches or in epochs."""
        return self.steps if interval == "batch" else self.epochs


class Schedule:
    """A scheduler with its interval. Without one, nothing happens."""

    def __init__(self, spec: ScheduleSpec | None, optimizer: Optimizer, lr: float, horizon: Horizon) -> None:
        self._spec = spec
        self._interval = spec.interval if spec else None
        self.by_epoch = self._interval == "epoch"
        """Whether it changes the rate at an epoch's end."""
        self._scheduler: Any = _build(spec, optimizer, lr, horizon.length(spec.interval)) if spec else None
        self.wants_metric = isinstance(self._scheduler, lr_scheduler.ReduceLROnPlateau)
        if self.wants_metric and self._interval == "batch":
            raise ScenarioError(f"{spec} looks at an epoch's loss", 'expected interval = "epoch"')
        self.can_jump = spec is not None and not spec.runs_code and type(self._scheduler) in _JUMPERS
        """Whether the rate depends on the number of steps alone: `jump` then works."""

    def jump(self, step: int) -> None:
        """Goes straight to the scheduler's own step `step`; equal to going there one by one but for rounding."""
        self._scheduler.step(step)

    def catch_up(self, steps: int, epochs: int) -> None:
        """Goes to where it would be after so many steps and ended epochs. One that looks at a metric stays at its beginning."""
        if self._scheduler is None or self.wants_metric:
            return
        for _ in range(steps if self._interval == "batch" else epochs):
            self._scheduler.step()

    def state_dict(self) -> dict[str, Any] | None:
        """The scheduler's state; None without one. LrtuiError where a person's own scheduler does not tell it."""
        if self._scheduler is None:
            return None
        if not all(callable(getattr(self._scheduler, name, None)) for name in ("state_dict", "load_state_dict")):
            raise LrtuiError(f"{self._spec} does not tell its state: its lane has no snapshots",
                             "expected a scheduler with state_dict() and load_state_dict(), as torch's are")
        state: dict[str, Any] = self._scheduler.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Takes what `state_dict` gave. The rates in the optimizer's groups are not its affair."""
        if self._scheduler is not None:
            self._scheduler.load_state_dict(copy.deepcopy(state))

    def after_batch(self) -> None:
        """To be called after each optimizer step."""
        if self._interval == "batch":
            self._scheduler.step()

    def after_epoch(self, metric: float) -> None:
        """To be called at an epoch's end; a metric that is not finite is kept from schedulers that want one."""
        if self._interval != "epoch" or self._scheduler is None:
            return
        if not self.wants_metric:
            self._scheduler.step()
        elif math.isfinite(metric):
            self._scheduler.step(metric)


_JUMPERS = {getattr(lr_scheduler, name) for name in (
    "LambdaLR", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR")}
"""Whose `step(number)` gives the rate at that step. The others go on from the rate before."""


def _build(spec: ScheduleSpec, optimizer: Optimizer, lr: float, length: int) -> Any:
    """The scheduler itself; `length` is the budget in its own interval."""
    if spec.own:
        return _own(spec, optimizer)
    options = {key: length if value == "auto" else value for key, value in spec.options.items()}
    if spec.name in _LAMBDAS:
        return lr_scheduler.LambdaLR(optimizer, _LAMBDAS[spec.name](length, _warmup(options, length), {**options, "lr": lr}))
    if spec.code:
        options["lr_lambda"] = tasks.own_code(spec.code)
    elif "lr_lambda" in options:
        options["lr_lambda"] = _function(str(options["lr_lambda"]), length)
    if spec.children:
        options["schedulers"] = [_build(child, optimizer, lr, length) for child in spec.children]
    if spec.name == "CosineAnnealingLR":
        options.setdefault("T_max", length)
    if spec.name == "OneCycleLR" and "epochs" not in options:
        options.setdefault("total_steps", length)
    if spec.name in ("OneCycleLR", "CyclicLR"):
        options.setdefault("max_lr", lr)
        if not {"momentum", "betas"} & optimizer.defaults.keys():
            options.setdefault("cycle_momentum", False)  # torch refuses to cycle what is not there
    return getattr(lr_scheduler, spec.name)(optimizer=optimizer, **options)


def _own(spec: ScheduleSpec, optimizer: Optimizer) -> Any:
    """A person's own scheduler: whatever it says of itself, only its step() is called."""
    assert spec.code
    scheduler = tasks.own_code(spec.code)(optimizer, **spec.options)
    if not callable(getattr(scheduler, "step", None)):
        raise ScenarioError(f"{spec.name} made a {type(scheduler).__name__} that has no step()",
                            "expected a scheduler with a method step()")
    return scheduler


def _function(text: str, total: int) -> Callable[[int], float]:
    compute = expression.parse(text)
    return lambda step: compute({"step": float(step), "epoch": float(step), "total": float(total)})


def _warmup(options: dict[str, Any], length: int) -> int:
    """Warmup steps as Hugging Face counts them: `warmup_steps`, else the ratio of the budget, rounded up."""
    steps = options.pop("warmup_steps", None)
    ratio = options.pop("warmup_ratio", 0.0)
    return int(steps) if steps is not None else math.ceil(length * ratio)


def _rise(step: int, warmup: int) -> float | None:
    """The factor during a linear warmup from 0, None after it."""
    return step / max(1, warmup) if step < warmup else None


def _progress(step: int, warmup: int, total: int) -> float:
    return (step - warmup) / max(1, total - warmup)


Factor = Callable[[int], float]
"""From the batch step to the factor on the initial rate."""


def _inverse_time(total: int, warmup: int, o: dict[str, Any]) -> Factor:
    return lambda t: 1.0 / (1.0 + o["decay"] * t)


def _range_test(total: int, warmup: int, o: dict[str, Any]) -> Factor:
    """From 1 to `to` / lr at the last step, by equal factors."""
    if not o["to"] > 0:
        raise ValueError(f"range-test ends at a rate above 0, not at {o['to']:g}")
    ratio = float(o["to"] / o["lr"])
    return lambda t: float(ratio ** (min(t, total - 1) / max(1, total - 1)))


def _linear(total: int, w: int, o: dict[str, Any]) -> Factor:
    return lambda t: r if (r := _rise(t, w)) is not None else max(0.0, (total - t) / max(1, total - w))


def _cosine(total: int, w: int, o: dict[str, Any]) -> Factor:
    cycles = o.get("num_cycles", 0.5)
    return lambda t: r if (r := _rise(t, w)) is not None else _wave(_progress(t, w, total), cycles)


def _wave(progress: float, cycles: float) -> float:
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * cycles * 2.0 * progress)))


def _cosine_with_restarts(total: int, w: int, o: dict[str, Any]) -> Factor:
    def factor(t: int) -> float:
        if (rise := _rise(t, w)) is not None:
            return rise
        progress = _progress(t, w, total)
        return 0.0 if progress >= 1.0 else max(0.0, 0.5 * (1.0 + math.cos(math.pi * ((o.get("num_cycles", 1) * progress) % 1.0))))
    return factor


def _polynomial(total: int, w: int, o: dict[str, Any]) -> Factor:
    """From 1 to lr_end / lr; `lr` among the options is the lane's rate."""
    def factor(t: int) -> float:
        if (rise := _rise(t, w)) is not None:
            return rise
        end = float(o.get("lr_end", 1e-7) / o["lr"])
        return end if t > total else (1.0 - end) * float((1.0 - _progress(t, w, total)) ** o.get("power", 1.0)) + end
    return factor


def _constant(total: int, w: int, o: dict[str, Any]) -> Factor:
    return lambda t: r if (r := _rise(t, w)) is not None else 1.0


def _inverse_sqrt(total: int, w: int, o: dict[str, Any]) -> Factor:
    scale = o.get("timescale") or w or 10_000
    return lambda t: r if (r := _rise(t, w)) is not None else 1.0 / math.sqrt((t + scale - w) / scale)


def _cosine_with_min_lr(total: int, w: int, o: dict[str, Any]) -> Factor:
    def factor(t: int) -> float:
        if (rise := _rise(t, w)) is not None:
            return rise
        least = float(o["min_lr"] / o["lr"] if "min_lr" in o else o.get("min_lr_rate", 0.0))
        wave = 0.5 * (1.0 + math.cos(math.pi * o.get("num_cycles", 0.5) * 2.0 * _progress(t, w, total)))
        return max(0.0, wave * (1.0 - least) + least)
    return factor


def _warmup_stable_decay(total: int, w: int, o: dict[str, Any]) -> Factor:
    decay = o.get("num_decay_steps", max(1, total // 10))
    stable = o.get("num_stable_steps", max(0, total - w - decay))

    def factor(t: int) -> float:
        least = float(o.get("min_lr_ratio", 0.0))
        if (rise := _rise(t, w)) is not None:
            return rise * (1.0 - least) + least
        if t < w + stable:
            return 1.0
        if t < w + stable + decay:
            progress = (t - w - stable) / max(1, decay)
            return max(0.0, 0.5 * (1.0 + math.cos(math.pi * o.get("num_cycles", 0.5) * 2.0 * progress))) * (1.0 - least) + least
        return least
    return factor


_LAMBDAS: dict[str, Callable[[int, int, dict[str, Any]], Factor]] = {
    "inverse-time": _inverse_time, "range-test": _range_test, "linear": _linear, "cosine": _cosine,
    "cosine_with_restarts": _cosine_with_restarts, "polynomial": _polynomial, "constant": _constant,
    "constant_with_warmup": _constant, "inverse_sqrt": _inverse_sqrt,
    "cosine_with_min_lr": _cosine_with_min_lr, "warmup_stable_decay": _warmup_stable_decay,
}
