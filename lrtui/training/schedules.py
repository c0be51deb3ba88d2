"""Builds and steps a lane's learning-rate schedule. Knows torch's schedulers by name."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer, lr_scheduler, swa_utils

from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.scenario import expression
from lrtui.core.scenario.spec import ScheduleSpec
from lrtui.training import formulas, task as tasks
from lrtui.training.greedy import GreedyLR
from lrtui.training.optimizers import has_own_rate
from lrtui.training.training_length import TrainingLength


class Schedule:
    """A scheduler with its interval; without one every call does nothing."""

    def __init__(
        self,
        spec: ScheduleSpec | None,
        optimizer: Optimizer,
        lr: float,
        length: TrainingLength,
        *,
        outlived: bool = False,
    ) -> None:
        """`outlived`: the lane is longer than `length`, for which the schedule is made: one that
        cannot be stepped beyond its end (OneCycleLR) holds its last rate there."""
        self._spec, self._length, self._outlived = spec, length, outlived
        self._interval = spec.interval if spec else None
        self.by_epoch = self._interval == "epoch"
        """True if the scheduler steps at an epoch's end."""
        rates = [group["lr"] for group in optimizer.param_groups]
        self._scheduler: Any = (
            _build(spec, optimizer, lr, rates, length.count(spec.interval)) if spec else None
        )
        self.wants_metric = isinstance(self._scheduler, (lr_scheduler.ReduceLROnPlateau, GreedyLR))
        if self.wants_metric and self._interval == "batch":
            raise ScenarioError(f"{spec} looks at an epoch's loss", 'expected interval = "epoch"')
        self.can_jump = (
            spec is not None and not spec.runs_code and type(self._scheduler) in _JUMPERS
        )
        """True if the rate depends on the number of steps alone, so that `jump` works."""

    def jump(self, step: int) -> None:
        """Moves the scheduler to its step `step`; equal to single steps except for rounding."""
        if self._outlived and isinstance(self._scheduler, lr_scheduler.OneCycleLR):
            step = min(step, self._scheduler.total_steps)
        self._scheduler.step(step)

    @property
    def has_ended(self) -> bool:
        """True if the scheduler cannot be stepped any more, and the lane goes on."""
        return self._outlived and _used_up(self._scheduler)

    def made_alike(self, length: list[int] | None, *, anew: bool) -> bool:
        """True if the schedule of a snapshot was made for the length of this one, or follows a
        metric instead. `length`: that of the snapshot's, None in those of earlier versions; `anew`:
        this one is made for a length that the lane did not begin with."""
        if self._scheduler is None or self.wants_metric:
            return True
        return not anew if length is None else length == list(self._length)

    def catch_up(self, steps: int, epochs: int) -> None:
        """Moves the scheduler to its state after `steps` and `epochs`; one that needs a metric
        stays at its beginning."""
        if self._scheduler is None or self.wants_metric:
            return
        for _ in range(steps if self._interval == "batch" else epochs):
            if not self.has_ended:
                self._scheduler.step()

    def state_dict(self) -> dict[str, Any] | None:
        """The scheduler's state; None without one. Raises LrtuiError if the user's scheduler has no
        state_dict()."""
        if self._scheduler is None:
            return None
        if not all(
            callable(getattr(self._scheduler, name, None))
            for name in ("state_dict", "load_state_dict")
        ):
            raise LrtuiError(
                f"{self._spec} has no state_dict(): its lane has no snapshots",
                "expected a scheduler with state_dict() and load_state_dict(), as torch's are",
            )
        state: dict[str, Any] = self._scheduler.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Restores what `state_dict` returned, without the rates in the optimizer's groups."""
        if self._scheduler is not None:
            self._scheduler.load_state_dict(copy.deepcopy(state))

    def after_batch(self) -> None:
        """Call after each optimizer step."""
        if self._interval == "batch" and not self.has_ended:
            self._scheduler.step()

    def after_epoch(self, metric: float) -> None:
        """Call at an epoch's end; a scheduler that needs a metric skips one that is not finite."""
        if self._interval != "epoch" or self._scheduler is None:
            return
        if not self.wants_metric:
            if not self.has_ended:
                self._scheduler.step()
        elif math.isfinite(metric):
            self._scheduler.step(metric)


def _used_up(scheduler: Any) -> bool:
    """True if a scheduler, or one that it is made of, raises at its next step."""
    if isinstance(scheduler, lr_scheduler.OneCycleLR):
        return bool(scheduler.last_epoch >= scheduler.total_steps)
    return any(map(_used_up, getattr(scheduler, "_schedulers", ())))


_JUMPERS = {
    getattr(lr_scheduler, name)
    for name in (
        "LambdaLR",
        "StepLR",
        "MultiStepLR",
        "ConstantLR",
        "LinearLR",
        "ExponentialLR",
        "PolynomialLR",
        "CosineAnnealingLR",
        "CosineAnnealingWarmRestarts",
        "CyclicLR",
        "OneCycleLR",
    )
}
"""Schedulers whose `step(number)` gives the rate at that step; the others continue from the rate
before."""


def _build(
    spec: ScheduleSpec, optimizer: Optimizer, lr: float, rates: list[float], length: int
) -> Any:
    """Builds the scheduler; `rates`: of the groups without it, `length`: the budget in its
    interval."""
    if spec.own:
        return _own(spec, optimizer)
    options = {key: length if value == "auto" else value for key, value in spec.options.items()}
    if spec.name in formulas.FORMULAS:
        return lr_scheduler.LambdaLR(optimizer, _factors(spec.name, optimizer, lr, options, length))
    if spec.name == "greedy":
        settings: dict[str, Any] = {**options}
        settings.pop("verbose", None)  # prints; here the screen shows the rates
        return GreedyLR(optimizer, **settings)
    if spec.code:
        options["lr_lambda"] = tasks.load_user_object(spec.code)
    elif "lr_lambda" in options:
        options["lr_lambda"] = _function(str(options["lr_lambda"]), length)
    if spec.children:
        options["schedulers"] = [
            _build(child, optimizer, lr, rates, length) for child in spec.children
        ]
    if spec.name == "CosineAnnealingLR":
        options.setdefault("T_max", length)
    if spec.name == "OneCycleLR" and "epochs" not in options:
        options.setdefault("total_steps", length)
    if spec.name in ("OneCycleLR", "CyclicLR"):
        _complete_cycle(spec.name, options, optimizer, rates)
    return getattr(swa_utils if spec.name == "SWALR" else lr_scheduler, spec.name)(
        optimizer=optimizer, **options
    )


def _factors(
    name: str, optimizer: Optimizer, lr: float, options: dict[str, Any], length: int
) -> list[formulas.Factor]:
    """The factor on the initial rate of each param group: the same for all, except that a range
    test leaves groups with their own rate unchanged."""
    if name == "polynomial" and options.get("lr_end", formulas.LR_END) >= lr:
        raise ScenarioError(
            f"polynomial: lr_end = {options.get('lr_end', formulas.LR_END):g} is not below lr ="
            f" {lr:g}",
            "expected lr_end below the lane's rate",
        )
    factor = formulas.factor(name, length, lr, options)
    stays = [name == "range-test" and has_own_rate(group) for group in optimizer.param_groups]
    return [(lambda step: 1.0) if own else factor for own in stays]


def _complete_cycle(
    name: str, options: dict[str, Any], optimizer: Optimizer, rates: list[float]
) -> None:
    """Fills in options that OneCycleLR and CyclicLR need, and refuses the one rise for which torch
    divides by zero."""
    options.setdefault("max_lr", rates)
    if not {"momentum", "betas"} & optimizer.defaults.keys():
        options.setdefault("cycle_momentum", False)  # torch refuses one that is absent
    if name == "OneCycleLR":
        # torch refuses an int
        options["pct_start"] = share = float(options.get("pct_start", 0.3))
        steps = options.get("total_steps") or options["epochs"] * options["steps_per_epoch"]
        if share * steps == 1:
            raise ScenarioError(
                f"OneCycleLR would rise for no step: pct_start = {share:g} of {steps} steps is one"
                " step, and torch counts one fewer and divides by it",
                "expected another pct_start or another budget",
            )


def _own(spec: ScheduleSpec, optimizer: Optimizer) -> Any:
    """Builds the user's scheduler, of which only step() is called."""
    assert spec.code
    scheduler = tasks.load_user_object(spec.code)(optimizer, **spec.options)
    if not callable(getattr(scheduler, "step", None)):
        raise ScenarioError(
            f"{spec.name} made a {type(scheduler).__name__} that has no step()",
            "expected a scheduler with a method step()",
        )
    return scheduler


def _function(text: str, total: int) -> Callable[[int], float]:
    compute = expression.parse(text)
    return lambda step: compute({"step": float(step), "epoch": float(step), "total": float(total)})
