"""The lane that a script's process is: records its steps, executes commands between them."""

from __future__ import annotations

import math
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from lrtui.core.protocol.events import Alerted, Ended, LogMessage, Started
from lrtui.core.scenario.spec import Race, number
from lrtui.core.text import one_line
from lrtui.integrations.controls import Controls
from lrtui.integrations.loss_capture import Loss, capture
from lrtui.integrations.optimizer_hooks import (
    OptimizerHooks,
    gradient_norm,
    initial_rate,
    unwrapped,
)
from lrtui.integrations.param_checksum import param_checksum
from lrtui.integrations.ranks import Ranks, own_rank
from lrtui.integrations.recording import Recording, Silence, recorder
from lrtui.integrations.roster import Roster
from lrtui.integrations.script_commands import Present
from lrtui.integrations.script_log import ScriptLog
from lrtui.integrations.script_steps import NAN, Row, ScriptSteps
from lrtui.integrations.stopped import Stopped
from lrtui.training.loss_reporter import LossReporter
from lrtui.training.non_finite import NORM_EVERY, NonFinite

PAUSED_S = 0.2
"""Seconds between two looks during a pause."""
BLOCK_S, DEVICE_BLOCK_S = 0.1, 0.25
"""Seconds from one flush to the next; on an accelerator, which has to be waited for."""


class ScriptLane:
    """One lane in the process of its script. Nothing is written before the first step.

    The first optimizer that steps is the lane's: its steps are the lane's steps. Rates and losses
    of others are recorded beside it.
    """

    def __init__(self, run: Path, race: Race, index: int, *, raises: bool = True) -> None:
        """`raises`: a stop raises Stopped in the script; else it only shows in `stopped`."""
        self.run, self.race, self.index, self.raises = run, race, index, raises
        self.total = race.steps or 0
        """Steps that the script will make, as far as is known; 0: unknown."""
        self._limit = self.total if race.script and race.script.supervised else 0
        self.steps = ScriptSteps()
        self.step = 0
        """Steps done."""
        self.controls = Controls(index)
        self.base = 1.0
        """The lane's rate over the script's own."""
        self.recording: Recording | None = None
        """None before the first step."""
        self.roster = Roster()
        self.hooks = OptimizerHooks(self)
        self.given_loss: Loss | None = None
        """A loss that the script gave itself, which wins over those that were seen."""
        self.log = ScriptLog()
        self._reporter = LossReporter(index, self.total, sweeps=False)
        self._open: Row | None = None
        """The newest step, whose next rate is not known yet."""
        self._rates: list[float] = []
        self._index = 0
        """Number of the optimizer whose step runs."""
        self.over = False
        """True once nothing more is recorded."""
        self._announced = self._alerted = self._stepped = False
        self._notes: list[str] = []
        self._pid = os.getpid()
        self._parameters, self._checksum, self._device = 0, "", "cpu"
        self._initial = NAN
        self.own_rate = NAN
        """Of a loop without a torch optimizer, whatever the dial says."""
        self._mark = self._due = 0.0

    def install(self, optimizer: Optimizer | None = None) -> None:
        """Begin to see the script's steps and losses; those of every optimizer if none is given."""
        if optimizer is not None:
            self.roster.lead(optimizer)
        self.hooks.install(optimizer)
        capture.install(self)

    def let_go(self) -> None:
        """Leave the script as it would be without lrtui."""
        self.hooks.uninstall()
        capture.uninstall(self)

    @property
    def stopped(self) -> bool:
        """True once the lane is asked to end."""
        return bool(self.controls.plan.stop)

    @property
    def rate(self) -> float:
        """The rate of the first param group in the newest step; NaN before the first."""
        return self._rates[0] if self._rates else NAN

    @property
    def factor(self) -> float:
        """The applied rates over the script's own."""
        return self.base * self.controls.plan.factor

    # the listener of OptimizerHooks

    @property
    def passes(self) -> tuple[type[BaseException], ...]:
        """Exceptions meant for the script."""
        return (Stopped,)

    def before_step(self, optimizer: Optimizer) -> float:
        """Begin a step; return the factor of its rates."""
        if self.over:
            return 1.0
        index = self.roster.index(optimizer)
        if index and self.roster.first is None:
            index = 0
            self.roster.replace_first(optimizer)
        self._index = index
        if not index:
            self.begin(optimizer)
        return self.factor if not self.over else 1.0

    def rates_known(self, optimizer: Optimizer) -> None:
        """Take in the rates of a step; those of the lane's optimizer are the next of the one
        before."""
        self.roster.rates(self._index, optimizer.param_groups, self._rates)
        if not self._index:
            self.close_row(self._rates)

    def after_step(self, optimizer: Optimizer) -> None:
        """End a step: take its loss, and look for a stop."""
        self._stepped = True
        if self.over:
            return
        self.roster.rates(self._index, optimizer.param_groups, self._rates, done=True)
        loss = capture.take()
        if self._index:
            self._add_other(self._index, loss)
            return
        norm = NAN
        if self.step % NORM_EVERY == 0 and not isinstance(self.recording, Silence):
            measured = gradient_norm(optimizer)
            norm = NAN if measured is None else _plain(measured)
        found_inf = getattr(optimizer, "found_inf", None)  # a fused optimizer skips by itself
        self.end(loss, norm, skipped=0.0 if found_inf is None else _plain(found_inf.detach()))

    def closure_called(self, calls: int) -> None:
        """Count the losses of a closure's first call only, as LBFGS calls it several times."""
        capture.ignore(calls > 1)

    def failed(self, error: Exception) -> None:
        """Let go of the script after an error of lrtui's own, and say so once."""
        if self.over:
            return
        self.over = True
        self.let_go()
        text = one_line(f"{type(error).__name__}: {error}")
        say(
            f"an error of its own ({text}): from step {self.step} on nothing is recorded or steered"
        )
        with suppress(Exception):
            self.note(f"recording ended by an error of lrtui's own: {text}")

    def scaler_stepped(self, optimizer: Any) -> None:
        """Record a step that the GradScaler skipped: no hook was called."""
        stepped, self._stepped = self._stepped, False
        optimizer = unwrapped(optimizer)
        own = optimizer is not None and self.roster.first in (None, optimizer)
        if stepped or self.over or not own:
            return
        self.begin(optimizer)
        self._rates = [NAN] * len(self._rates)
        self.close_row(self.roster.next_rates(self.factor))
        self.end(capture.take(), NAN, skipped=1.0)

    # a step, also of a script without a torch optimizer

    def begin(self, optimizer: Optimizer | None) -> None:
        """Begin a step of the lane: follow the plan, and wait while it says so."""
        recording = self.recording or self._start(optimizer)
        if recording is None:
            return
        if recording.superseded:
            raise RuntimeError("another process has this lane now")
        self.controls.follow(recording, self.step, self._present)
        if self.controls.holds():
            began = time.perf_counter()
            self.close_row(self.roster.next_rates(self.factor))
            self.flush()
            while self.controls.holds():
                recording.wait(PAUSED_S)
                self.controls.follow(recording, self.step, self._present)
            self._mark += time.perf_counter() - began
        self._raise_if_stopped()

    def close_row(self, following: list[float]) -> None:
        """Complete the newest step with the rates that follow it."""
        if self._open is not None:
            self._open.next = list(following)
            self.steps.rows.append(self._open)
            self._open = None
            if time.perf_counter() >= self._due:
                self.flush()

    def end(self, loss: Loss | None, norm: Any = NAN, *, skipped: Any = 0.0) -> None:
        """End a step of the lane."""
        given, self.given_loss = self.given_loss, None
        loss = given if given is not None else loss
        if loss is None and self.step == 0:
            self.note("no backward() was seen before the first step: give the loss with run.loss()")
        now = time.perf_counter()
        self._open = Row(loss, list(self._rates), [], norm, now - self._mark, skipped)
        self._mark = now
        self.step += 1
        if isinstance(loss, float) and not math.isfinite(loss):
            self._due = 0.0  # told at once
        if self._limit and self.step >= self._limit:
            self.controls.stop_now(f"made its {self._limit} steps")
        self._raise_if_stopped()

    def _add_other(self, number: int, loss: Loss | None) -> None:
        """Take in a step of another optimizer: it belongs to the lane's newest step."""
        if self._open is not None:
            self._open.applied = list(self._rates)
            if loss is not None:
                self._open.numbers[f"loss {number + 1}"] = loss

    def flush(self, *, last: bool = False) -> None:
        """Hand the complete steps to the recording, with what the rules find in them."""
        if self.recording is None or isinstance(self.recording, Silence):
            self.steps.rows.clear()
            return
        if not self._announced:
            self._announce()
        first = self.steps.first
        if taken := self.steps.take(self.index):
            block, losses, norms = taken
            self.recording.put(block)
            for at, (loss, norm) in enumerate(zip(losses, norms, strict=True)):
                self._check(first + at, loss, norm)
        for event in self._reporter.events(self.steps.first, None, force=last):
            self.recording.put(event)
        if logged := self.log.take(self.index):
            self.recording.put(logged)
        while self.log.refused:
            self.note(f"not logged: {self.log.refused.pop(0)}")
        period = BLOCK_S if self._device == "cpu" else DEVICE_BLOCK_S
        self._due = time.perf_counter() + period

    def record(self, loss: Loss | None, rate: float) -> None:
        """Take in a step without a torch optimizer, begun before."""
        self._rates = [float(rate)]
        self.close_row(self._rates)
        self.end(loss)

    def hold(self) -> None:
        """Execute commands between two steps, and wait while the lane is paused."""
        if self.recording is not None and not self.over:
            self.begin(None)

    def set_total(self, steps: int) -> None:
        """Set the number of steps that the script will make."""
        if steps != self.total:
            self.total, self._announced = steps, False

    def log_numbers(self, numbers: dict[str, Any]) -> None:
        """Take in numbers that the script logs after the present step."""
        self.log.add(self.step, numbers)
        if self.recording is not None and time.perf_counter() >= self._due:
            self.flush()

    def note(self, text: str) -> None:
        """Write a line in the lane's log; before the first step it waits for it."""
        if self.recording:
            self.recording.put(LogMessage(lane=self.index, text=one_line(text)))
        else:
            self._notes.append(text)

    def finish(self, end: Ended | None = None) -> None:
        """Write what is left, with the lane's end if this process is the one to tell it, and let go
        of the script."""
        if os.getpid() != self._pid or (self.over and self.recording is None):
            return
        self.let_go()
        if not self.over:
            self.close_row([])
            self.flush(last=True)
        if self.controls.ranks:
            self.controls.ranks.close()
        self.over = True
        if self.recording:
            if end is not None:
                self.recording.put(end)
            self.recording.close()

    def _start(self, optimizer: Optimizer | None) -> Recording | None:
        """Take the lane at the first step; None if another process has it."""
        rank, count = own_rank()
        self.recording = Silence() if rank else recorder(self.run, self.index)
        if self.recording is None:
            self.over = True
            self.let_go()
            return None
        if count > 1:
            self.controls.ranks = Ranks(rank, count)
        while self._notes:
            self.note(self._notes.pop(0))
        self._mark = time.perf_counter()
        lr = self.race.lanes[self.index].lr
        self._initial = self.own_rate
        if optimizer is not None:
            self._parameters, self._checksum = param_checksum(optimizer)
            self._device = _device(optimizer)
            self._initial = initial_rate(optimizer)
        if lr and self._initial > 0:
            self.base = lr / self._initial
            if self.base != 1.0:
                self.note(
                    f"the script's own rate is {number(self._initial)}: all of its rates are"
                    f" multiplied by {number(self.base)}"
                )
        if lr and not self._initial > 0:
            kind = type(optimizer).__name__ if optimizer is not None else "the script"
            self.note(f"{kind} has no rate to turn: it trains at its own")
        return self.recording

    def _present(self) -> Present:
        first = self.roster.first
        rates = self.roster.next_rates(self.base)
        rate = rates[0] if rates else self.own_rate * self.base
        return Present(first, rate, self.base, self.step)

    def _announce(self) -> None:
        """Record the lane's start, once it is known which optimizers step."""
        self._announced = True
        assert self.recording is not None
        first = self.roster.first
        event = Started(
            lane=self.index,
            at=time.time(),
            device=self._device,
            steps_per_epoch=1,
            total_steps=self.total,
            parameters=self._parameters,
            init_checksum=self._checksum,
            batch_checksum="",
            intra_op_threads=torch.get_num_threads(),
            validated=False,
            batch_size=0,
            length_known=False,
            groups=self.roster.names() or ["all"],
            optimizer=type(first).__name__ if first is not None else "",
            initial_lr=self._initial,
        )
        self.recording.put(event)

    def _check(self, step: int, loss: float | None, norm: float) -> None:
        """Take a step's numbers to the rules; the first that is not finite is an alert. A loss that
        nobody saw (None) is none."""
        assert self.recording is not None
        if loss is None:
            return
        if math.isfinite(loss):
            self._reporter.update(step, loss, None if math.isnan(norm) else norm)
        if self._alerted or (math.isfinite(loss) and not math.isinf(norm)):
            return
        self._alerted = True
        text = f"{NonFinite(step, loss, norm)} at step {step}"
        self.recording.put(Alerted(lane=self.index, step=step, kind="nan", text=text))
        if self.race.on_nan == "stop":
            self.controls.want(stop=text)

    def _raise_if_stopped(self) -> None:
        if self.controls.plan.stop and self.raises:
            raise Stopped(f"{self.controls.plan.stop}, {self.step} steps done")


def say(text: str) -> None:
    """Print a line of lrtui's own on the script's stderr."""
    print(f"lrtui: {text}", file=sys.stderr, flush=True)


def _plain(value: Any) -> Any:
    """A scalar tensor as a float, unless that would wait for an accelerator."""
    return value.item() if value.device.type == "cpu" else value


def _device(optimizer: Optimizer) -> str:
    return next((str(p.device) for group in optimizer.param_groups for p in group["params"]), "cpu")
