"""The lane that a script's process is: records its steps, executes commands between them."""

from __future__ import annotations

import math
import multiprocessing.util
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from lrtui.core.protocol.events import Ended
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.integrations.script import start
from lrtui.integrations.script.commands import Present
from lrtui.integrations.script.controls import Controls
from lrtui.integrations.script.loss_capture import Loss, capture
from lrtui.integrations.script.optimizer_hooks import (
    OptimizerHooks,
    gradient_norm,
    initial_rate,
    unwrapped,
)
from lrtui.integrations.script.ranks import Ranks, own_rank
from lrtui.integrations.script.record import LaneRecord
from lrtui.integrations.script.recording import Recording, Silence, recorder
from lrtui.integrations.script.roster import Roster
from lrtui.integrations.script.steps import NAN, Row
from lrtui.integrations.script.stopped import Stopped
from lrtui.training.non_finite import NORM_EVERY
from lrtui.training.step_recorder import SCHEDULED


class ScriptLane:
    """One lane in the process of its script. Nothing is written before the first step.

    The first optimizer that steps is the lane's: its steps are the lane's steps. Rates and losses
    of others are recorded beside it, until it steps no more.
    """

    def __init__(self, run: Path, race: Race, index: int, *, raises: bool = True) -> None:
        """`raises`: a stop raises Stopped in the script; else it only shows in `stopped`."""
        self.run, self.race, self.index, self.raises = run, race, index, raises
        self._limit = (race.steps or 0) if race.script and race.script.supervised else 0
        """Steps after which the script is to end; 0: none."""
        self.step = 0
        """Steps done."""
        self.own_rate = NAN
        """Of a loop without a torch optimizer, whatever the dial says."""
        self.base = 1.0
        """The lane's rate over the script's own."""
        self.given_loss: Loss | None = None
        """A loss that the script gave itself, which wins over those that were seen."""
        self.over = False
        """True once nothing more is recorded."""
        self.controls = Controls(index)
        self.record = LaneRecord(index, race.steps or 0, self._non_finite)
        self.roster = Roster()
        self.hooks = OptimizerHooks(self)
        self._open: Row | None = None
        """The newest step, whose next rate is not known yet."""
        self._rates: list[float] = []
        self._stepped = False
        """True if a hook was called since the last step of a GradScaler."""
        self._pid = os.getpid()
        self._mark = 0.0

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

    def forked(self) -> None:
        """Go on in this process, which was forked, if the other one has made no step."""
        if self.over or self.record.recording is not None:
            return
        self._pid = os.getpid()
        self.hooks.forked()
        capture.install(self)

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
        index, succeeds = self.roster.stepping(optimizer)
        if succeeds:
            self.record.note(f"step {self.step}: its optimizer is {type(optimizer).__name__} now")
        if not index or self.record.recording is not None:
            self.begin(optimizer)
        return self.factor if not self.over else 1.0

    def rates_known(self, optimizer: Optimizer) -> None:
        """Take in the rates of a step; those of the lane's optimizer are the next of the one
        before."""
        index = self.roster.index(optimizer)
        self.roster.rates(index, optimizer.param_groups, self._rates)
        if not index:
            self.close_row(self._rates)

    def after_step(self, optimizer: Optimizer) -> None:
        """End a step: take its loss, and look for a stop."""
        self._stepped = True
        if self.over:
            return
        index = self.roster.index(optimizer)  # another thread may be in a step of its own
        groups = optimizer.param_groups
        if SCHEDULED in groups[0]:
            self.roster.rates(index, groups, self._rates, done=True)
        loss = capture.take(optimizer)
        if index:
            self._add_other(index, loss)
            return
        norm = NAN
        if self.step % NORM_EVERY == 0 and not self.record.silent:
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
            self.record.note(f"recording ended by an error of lrtui's own: {text}")

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
        self.end(capture.take(optimizer), NAN, skipped=1.0)

    # a step, also of a script without a torch optimizer

    def begin(self, optimizer: Optimizer | None) -> None:
        """Begin a step of the lane: follow the plan, and wait while it says so."""
        recording = self.record.recording or self._start(optimizer)
        if recording is None:
            return
        if recording.superseded:
            raise RuntimeError("another process has this lane now")
        self.controls.follow(recording, self._present)
        if self.controls.holds():
            self.close_row(self.roster.next_rates(self.factor))
            self.record.flush()
            self._mark += self.controls.wait(recording, self._present)
        self._raise_if_stopped()

    def close_row(self, following: list[float]) -> None:
        """Complete the newest step with the rates that follow it."""
        if self._open is not None:
            self._open.next = list(following)
            row, self._open = self._open, None
            self.record.add(row)

    def end(self, loss: Loss | None, norm: Any = NAN, *, skipped: Any = 0.0) -> None:
        """End a step of the lane."""
        given, self.given_loss = self.given_loss, None
        loss = given if given is not None else loss
        if loss is None and self.step == 0:
            self.record.note(
                "no backward() was seen before the first step: give the loss with run.loss()"
            )
        now = time.perf_counter()
        self._open = Row(loss, list(self._rates), [], norm, now - self._mark, skipped)
        self._mark = now
        self.step += 1
        if isinstance(loss, float) and not math.isfinite(loss):
            self.record.hurry()
        if self._limit and self.step >= self._limit:
            self.controls.stop_now("the budget is used up")
        self._raise_if_stopped()

    def _add_other(self, number: int, loss: Loss | None) -> None:
        """Take in a step of another optimizer: it belongs to the lane's newest step."""
        if self._open is not None:
            self._open.applied = list(self._rates)
            if loss is not None:
                self._open.numbers[f"loss {number + 1}"] = loss

    def apply(self, rate: float) -> None:
        """Take in the rate of a step without a torch optimizer, begun before."""
        self._rates = [float(rate)]
        self.close_row(self._rates)

    def hold(self) -> None:
        """Execute commands between two steps, and wait while the lane is paused."""
        if self.record.recording is not None and not self.over:
            self.begin(None)

    def finish(self, end: Ended | None = None) -> None:
        """Write what is left, with the lane's end if this process is the one to tell it, and let go
        of the script."""
        if os.getpid() != self._pid or (self.over and self.record.recording is None):
            return
        self.let_go()
        if not self.over:
            self.close_row([])
            self.record.flush(last=True)
        if self.controls.ranks:
            self.controls.ranks.close()
        if end is not None and self.record.recording is None and not own_rank()[0]:
            self.record.recording = recorder(self.run, self.index)  # it ends without a step
        self.over = True
        self.record.close(end)

    def _start(self, optimizer: Optimizer | None) -> Recording | None:
        """Take the lane at the first step; None if another process has it."""
        rank, count = own_rank()
        recording = Silence() if rank else recorder(self.run, self.index)
        if recording is None:
            self.over = True
            self.let_go()
            return None
        if count > 1:
            self.controls.ranks = Ranks(rank, count)
        if multiprocessing.parent_process() is not None:
            multiprocessing.util.Finalize(None, self.finish, exitpriority=0)  # it skips atexit
        initial = self.own_rate if optimizer is None else initial_rate(optimizer)
        started = start.started(self.index, optimizer, initial)
        self.record.open(recording, started, self.roster.names)
        self.base, text = start.base(self.race.lanes[self.index].lr, initial, optimizer)
        if text:
            self.record.note(text)
        self._mark = time.perf_counter()
        return recording

    def _present(self) -> Present:
        first = self.roster.first
        rates = self.roster.next_rates(self.base)
        rate = rates[0] if rates else self.own_rate * self.base
        return Present(first, rate, self.base, self.step)

    def _non_finite(self, text: str) -> None:
        if self.race.on_nan == "stop":
            self.controls.want(stop=text)

    def _raise_if_stopped(self) -> None:
        if self.controls.plan.stop and self.raises:
            raise Stopped(f"{self.controls.plan.stop}, at step {self.step}")


def say(text: str) -> None:
    """Print a line of lrtui's own on the script's stderr."""
    print(f"lrtui: {text}", file=sys.stderr, flush=True)


def _plain(value: Any) -> Any:
    """A scalar tensor as a float, unless that would wait for an accelerator."""
    return value.item() if value.device.type == "cpu" else value
