"""Previews the learning rates of a lane without its model: runs the real scheduler on an optimizer
with nothing to train.

Draws no random numbers and leaves the lane's own optimizer and scheduler alone.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario.catalogue import PER_GROUP
from lrtui.core.scenario.spec import Lane, OptimizerSpec, ScheduleSpec
from lrtui.core.text import one_line
from lrtui.training import optimizers
from lrtui.training.optimizers import Group
from lrtui.training.schedules import Schedule
from lrtui.training.training_length import TrainingLength, schedule_length

PREVIEW_S = 0.3
"""Seconds after which a preview is cut."""
EXACT = 5000
"""Steps that are previewed one by one; a longer schedule that can jump is sampled this many times,
evenly."""
MOST = 2000
"""Changes of the rate in an answer or a record, at most: a terminal has fewer columns."""


class _NoRate(ValueError):
    """The schedule gave a rate that is not finite."""


class _Trace:
    """The rates of an optimizer's first param group, step by step; stores only changes."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.steps: list[int] = []
        self.rates: list[float] = []
        self._group = optimizer.param_groups[0]
        self._asked = self._momentum()
        self._lowest, self._highest = math.inf, -math.inf

    @property
    def momentum(self) -> tuple[float, float, float] | None:
        return None if math.isnan(self._asked) else (self._asked, self._lowest, self._highest)

    def look(self, step: int, budget: int) -> None:
        """Records the rate that applies from `step` on; raises _NoRate if it is not finite."""
        rate = float(self._group["lr"])
        if step < budget and not math.isfinite(rate):
            raise _NoRate(
                "it gives a rate that is not a number"
                if math.isnan(rate)
                else f"it gives a rate of {rate:g}"
            )
        if step < budget and (not self.rates or rate != self.rates[-1]):
            self.steps.append(step)
            self.rates.append(rate)
        momentum = self._momentum()
        self._lowest, self._highest = min(self._lowest, momentum), max(self._highest, momentum)

    def _momentum(self) -> float:
        group = self._group
        return float(group["betas"][0] if "betas" in group else group.get("momentum", math.nan))


def preview(
    lane: Lane,
    length: TrainingLength,
    steps_per_epoch: int,
    seconds: float = PREVIEW_S,
    groups: Sequence[Group] = (),
) -> Preview:
    """The rates that the lane will apply over its budget, or the part previewed in `seconds`; runs
    the user's scheduler.

    They are those of the first param group; `groups` are the settings of all groups, if known. A
    metric scheduler is shown as if its metric always improved. Raises torch's error for options
    that it refuses at once or at the scheduler's first step; a later failure cuts the preview.
    """
    optimizer = dummy(lane, groups)
    trace = _Trace(optimizer)
    cut, failure = None, ""
    with warnings.catch_warnings():
        # torch warns "scheduler stepped before the optimizer", which never steps here
        warnings.simplefilter("ignore")
        made_for = schedule_length(lane, length)
        schedule = Schedule(
            lane.schedule, optimizer, lane.lr, made_for, outlived=made_for.steps < length.steps
        )
        trace.look(0, length.steps)
        each = steps_per_epoch if lane.schedule and lane.schedule.interval == "epoch" else 1
        if lane.schedule:
            cut, failure = _follow(_Steps(lane, schedule), trace, length.steps, each, seconds)
    return Preview(
        trace.steps, trace.rates, length.steps, cut, failure, trace.momentum, steps_per_epoch
    )


def thinned(found: Preview) -> Preview:
    """The preview with at most MOST changes, including the highest and lowest of every stretch."""
    if len(found.steps) <= MOST:
        return found
    rates = np.array(found.rates)
    edges = np.linspace(0, len(rates), MOST // 4 + 1).astype(int).tolist()
    kept = sorted(
        {
            index
            for first, stop in pairwise(edges)
            for index in (
                first,
                first + int(rates[first:stop].argmin()),
                first + int(rates[first:stop].argmax()),
                stop - 1,
            )
        }
    )
    return msgspec.structs.replace(
        found, steps=[found.steps[i] for i in kept], rates=[found.rates[i] for i in kept]
    )


def dummy(lane: Lane, groups: Sequence[Group] = ()) -> Optimizer:
    """The lane's optimizer with one dummy parameter for each of `groups`, param groups without
    their parameters.

    Without `groups` their number follows from the lists in the schedule's options.
    """
    if not groups:
        lists = [
            value
            for spec in _specs(lane.schedule)
            for key, value in spec.options.items()
            if key in PER_GROUP and isinstance(value, list)
        ]
        groups = [{}] * max([1, *map(len, lists)])
    made = [{**group, "params": [nn.Parameter(torch.zeros(1, 1))]} for group in groups]
    # rates do not depend on the class, and another's code is not run for a preview
    spec = OptimizerSpec("Adam") if lane.optimizer.code else lane.optimizer
    return optimizers.build(spec, made, lane.lr)


def _specs(spec: ScheduleSpec | None) -> Iterator[ScheduleSpec]:
    if spec is not None:
        yield spec
        for child in spec.children:
            yield from _specs(child)


class _Steps:
    """Moves a scheduler from one of its steps to a later one."""

    def __init__(self, lane: Lane, schedule: Schedule) -> None:
        assert lane.schedule
        self.can_jump = schedule.can_jump
        self._schedule = schedule
        self._by_batch = lane.schedule.interval == "batch"
        self._better = 1.0 if lane.schedule.options.get("mode") == "max" else -1.0

    def go(self, number: int, stride: int) -> None:
        if stride > 1:
            self._schedule.jump(number)
        elif self._by_batch:
            self._schedule.after_batch()
        else:
            self._schedule.after_epoch(self._better * number)


def _follow(
    schedule: _Steps, trace: _Trace, budget: int, each: int, seconds: float
) -> tuple[int | None, str]:
    """Records every step of the scheduler, each `each` steps of the lane; returns the step at which
    it ended early (None: it did not) and the failure."""
    count = budget // each  # as often as training calls it, the last time after the last step
    stride = max(1, math.ceil(count / EXACT)) if schedule.can_jump else 1
    numbers = (
        range(1, count + 1)
        if stride == 1
        else sorted({*range(stride, count, stride), (budget - 1) // each, count})
    )
    until = time.perf_counter() + seconds
    done = 0
    for number in numbers:
        try:
            schedule.go(number, stride)
            trace.look(number * each, budget)
        except Exception as error:  # of an expression, or of the user's code
            if number == 1:
                raise
            first = _first_failure(schedule, done, number) if stride > 1 else number
            return first * each, one_line(str(error)) or type(error).__name__
        done = number
        if time.perf_counter() > until and (done + 1) * each < budget:
            return (done + 1) * each, ""
    return None, ""


def _first_failure(schedule: _Steps, good: int, bad: int) -> int:
    """The first of the steps after `good` that fails, `bad` at the latest."""
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            schedule.go(middle, 2)
            good = middle
        except Exception:
            bad = middle
    return bad
