"""Watches a lane's optimizer steps: the rates really applied, losses, gradient norms, and whether
an update may happen.

It gathers steps into blocks. On the CPU every number is read at once, and an update with a
non-finite loss or gradient norm is refused before it happens. On an accelerator numbers stay on the
device until a block is sealed (one sync), so a bad update is found then, and the weights of the
block's beginning are put back.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrtui.core.diagnostics.loss_monitor import LossMonitor
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Column,
    FindingsUpdated,
    LogMessage,
    LossSpiked,
    Steps,
)
from lrtui.core.protocol.findings import Findings
from lrtui.training import tensors
from lrtui.training.dial import Dial
from lrtui.training.gauge import Gauge

BLOCK_S = 0.05
"""A block is sealed when this many seconds are over."""
NORM_EVERY = 10
"""On the CPU the gradient norm is recorded at every tenth step, and at each one whose gradients
look suspicious."""
SAFE = 1e15
"""A loss above this is one of those gradients: the squares of float32 numbers may overflow."""
JUDGED_S = 1.0
"""What the rules know is told when it changes in kind, and else this often."""


class NonFinite(Exception):
    """Loss or gradient norm of step `step` is not finite; the weights are those from before its
    update."""

    def __init__(self, step: int, loss: float, norm: float) -> None:
        super().__init__(
            f"loss {loss:g}"
            if not math.isfinite(loss)
            else f"gradient norm {norm:g} at loss {loss:.4g}"
        )
        self.step = step


class StepRecorder:
    """The measuring of one lane. `deferred`: numbers stay on the device; `closure`: the optimizer
    calls the loss itself."""

    def __init__(
        self,
        lane: int,
        model: nn.Module,
        optimizer: Optimizer,
        total: int,
        dial: Dial,
        gauge: Gauge | None,
        *,
        deferred: bool,
        closure: bool,
        sweeps: bool = False,
    ) -> None:
        """`sweeps`: the rate rises until the loss does, which is no news."""
        self.lane = lane
        self.dial = dial
        self.gauge = gauge
        self.step = 0
        """Steps done, the one that is being done not counted."""
        self.non_finite: NonFinite | None = None
        """Why the lane must end."""
        self._model = model
        self._parameters = list(model.parameters())
        """All of them: one that is frozen now may be trained later."""
        self._groups = optimizer.param_groups
        self._deferred, self._sweeps = deferred, sweeps
        self._exact: Literal["f4", "f8"] = "f4"
        self._judge = LossMonitor(total)
        self._told = Findings()
        self._told_at = 0.0
        self._alarm: tuple[int, str] | None = None
        """The step at which a rule said "diverged", and its words, while they are not told."""
        self._spikes: list[int] = []
        """Steps that stood out and are not told."""
        self._alerted = False
        self._keeps = deferred or closure
        self._copy: list[tuple[Tensor, Tensor | None]] = []
        """Weights and buffers, and what they were when they were last known to be sound."""
        self._first = 0
        self._settled = 0
        self._losses: list[Any] = []
        self._norms: list[Any] = []
        self._applied: list[list[float]] = [[] for _ in self._groups]
        self._next: list[list[float]] = [[] for _ in self._groups]
        self._seconds: list[float] = []
        self._beside: dict[str, list[Any]] = {}
        """Numbers that the task's loss gave beside the loss, by name; NaN at steps at which it did
        not."""
        self._followers: list[AnyEvent] = []
        self._epoch_losses = array("d")
        self._found, self._one = torch.zeros(1), torch.ones(1)
        self._due = 0.0  # the first step is told at once
        self.restart_clock()
        self._keep()
        optimizer.register_step_pre_hook(self._before_update)

    @property
    def flushed_steps(self) -> int:
        """Steps that have been told: one fewer than done, after a `flush` while an epoch's end is
        still to come."""
        return self._first

    @property
    def findings(self) -> Findings:
        """What the rules know now."""
        return self._judge.findings()

    @property
    def smooth(self) -> float:
        """The smoothed loss of the steps that have been told; NaN before the first."""
        return self._judge.smooth

    def restart_clock(self) -> None:
        """The clock starts anew: what was before is nobody's step (a pause, another lane's turn, a
        sample)."""
        self._mark = time.perf_counter()

    def before_forward(self, batch: Any, again: Callable[[], Tensor]) -> None:
        """A step on `batch` begins; `again` computes its loss once more, where the step is
        measured."""
        if self.gauge:
            self.gauge.before_forward(self.step, batch, again)

    def after_step(self, loss: Tensor, again: Callable[[], Tensor]) -> None:
        """The weights are updated; `again` computes the loss of the same batch once more."""
        sample = self.gauge.after_step(self.step, loss, again) if self.gauge else None
        if sample is not None:
            pair = sample.loss, sample.initial
            self._judge.measured(self.step, sample.gain, sample.change, sample.predicted, pair)
            self._judge.unmeasured = self.gauge.unmeasured if self.gauge else ""

    def check(self, loss: Tensor, beside: Mapping[str, float | Tensor]) -> None:
        """Takes loss and gradients of a step that is about to update the weights, and the numbers
        `beside` the loss; raises NonFinite if it must not."""
        if beside or self._beside:
            self._take_beside(beside)
        if loss.dtype == torch.float64:
            self._exact = "f8"
        if self._deferred:
            self._losses.append(loss.detach())
            self._norms.append(tensors.gradient_norm(self._parameters))
            return
        self._losses.append(loss.item())
        known = self.step % NORM_EVERY and abs(self._losses[-1]) < SAFE and self._gradients_finite()
        norm = None if known else tensors.gradient_norm(self._parameters)
        self._norms.append(None if norm is None else norm.item())
        self._judge_step(len(self._losses) - 1)
        if self.non_finite:
            raise self.non_finite

    def check_after(self, loss: Tensor, beside: Mapping[str, float | Tensor]) -> None:
        """The same for an optimizer that has updated already: a bad update is taken back."""
        self.check(loss, beside)
        self._keep()

    def close_step(self, *, ends_epoch: bool) -> None:
        """The step is over and its batch scheduler has run. If it ends an epoch, `schedule_known`
        is still to come."""
        now = time.perf_counter()
        self._seconds.append(now - self._mark)
        self._mark = now
        self.step += 1
        if not ends_epoch:
            self.schedule_known()

    def schedule_known(self) -> None:
        """Every scheduler has run: the rates are now those of the next step."""
        for rates, rate in zip(self._next, self.dial.rates(), strict=True):
            if len(rates) < len(self._seconds):
                rates.append(rate)
            elif rates:  # the step was not known to end an epoch
                rates[-1] = rate

    def dial_turned(self) -> None:
        """The rates of the next step are others than they were when the schedulers had run."""
        if self._next[0] and len(self._next[0]) == len(self._seconds):
            for rates, rate in zip(self._next, self.dial.rates(), strict=True):
                rates[-1] = rate

    def epoch_loss(self) -> float:
        """Mean loss over the batches since the last epoch was closed; NaN if there were none. Waits
        for the device."""
        self._settle()
        return (
            math.fsum(self._epoch_losses) / len(self._epoch_losses)
            if self._epoch_losses
            else math.nan
        )

    def close_epoch(self, event: AnyEvent) -> None:
        """The epoch's end is done with, its scheduler has run: `event` is to be told right after
        the block that is open now."""
        self.schedule_known()
        self._followers.append(event)
        del self._epoch_losses[:]

    @property
    def due(self) -> bool:
        """True when it is time to seal the block."""
        return self._mark >= self._due or self.alarmed

    @property
    def alarmed(self) -> bool:
        """True where an alert waits to be told: it is due at once, so that what follows from it
        does not depend on the clock."""
        return self._alarm is not None

    def flush(self, *, last: bool = False) -> list[AnyEvent]:
        """The gathered steps as an event, an alert where a rule says "diverged", and what is to
        follow them.

        Where a step was bad, `non_finite` is set afterwards and the weights are those from before
        its update. `last`: nothing comes after this; a step whose next rate is not known yet does
        not wait for it any longer. It is all one move, because a lane may be paused or stopped at
        whichever event it tells.
        """
        if last and len(self._next[0]) < len(self._seconds):
            self.schedule_known()
        self._settle()
        told: list[AnyEvent] = []
        if count := len(self._next[0]):
            told += [self._block(count), *self._verdicts(count, last)]
            self._first += count
            self._settled -= count
            for column in (
                self._losses,
                self._norms,
                self._seconds,
                *self._applied,
                *self._next,
                *self._beside.values(),
            ):
                del column[:count]
        told += self._followers
        self._followers.clear()
        self._due = time.perf_counter() + BLOCK_S
        if self._deferred and self.non_finite is None:
            self._keep()
        if self.gauge:
            told += [
                LogMessage(lane=self.lane, at=time.time(), text=text) for text in self.gauge.notes()
            ]
        return told

    def state_dict(self) -> dict[str, Any]:
        """What it knows, as plain values; right after `flush`, so that nothing of it is told
        twice."""
        assert not any([self._followers, *self._next]), "what is known has not been told"
        return {
            "step": self.step,
            "first": self._first,
            "exact": self._exact == "f8",
            "alerted": self._alerted,
            "losses": list(self._losses),
            "norms": list(self._norms),
            "seconds": list(self._seconds),
            "applied": [list(rates) for rates in self._applied],
            "beside": {name: list(values) for name, values in self._beside.items()},
            "epoch_losses": torch.from_numpy(np.array(self._epoch_losses)),
            "judge": self._judge.state_dict(),
            "told": msgspec.to_builtins(self._told),
            "alarm": list(self._alarm) if self._alarm else None,
            "spikes": list(self._spikes),
            "gauge": self.gauge.state_dict() if self.gauge else None,
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Takes what `state_dict` gave; the model's weights are those of that moment already."""
        self.step, self._first = kept["step"], kept["first"]
        self._exact, self._alerted = "f8" if kept["exact"] else "f4", kept["alerted"]
        self._losses, self._norms, self._seconds = (
            list(kept["losses"]),
            list(kept["norms"]),
            list(kept["seconds"]),
        )
        self._settled = len(self._losses)
        # older ones have none
        self._beside = {name: list(values) for name, values in kept.get("beside", {}).items()}
        for rates, before in zip(self._applied, kept["applied"], strict=False):
            rates[:] = before
        for rates in self._applied[len(kept["applied"]) :]:  # of param groups that the lane had not
            rates[:] = [math.nan] * len(self._losses)
        self._epoch_losses = array("d", kept["epoch_losses"].tolist())
        self._judge.load_state_dict(kept["judge"])
        self._alarm = tuple(kept["alarm"]) if kept.get("alarm") else None
        self._spikes = list(kept.get("spikes", ()))
        self._told = msgspec.convert(kept["told"], Findings)
        if self.gauge and kept["gauge"]:
            self.gauge.load_state_dict(kept["gauge"])
        self._keep()

    def _take_beside(self, beside: Mapping[str, float | Tensor]) -> None:
        """Notes the numbers of a step; called before its loss is noted."""
        for name in beside.keys() - self._beside.keys():
            self._beside[name] = [math.nan] * len(self._losses)
        for name, values in self._beside.items():
            value = beside.get(name, math.nan)
            values.append(
                value.item() if isinstance(value, Tensor) and not self._deferred else value
            )

    def _before_update(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        for applied, group in zip(self._applied, self._groups, strict=True):
            applied.append(float(group["lr"]))

    def _gradients_finite(self) -> bool:
        """Whether every element of the gradients is finite, in one pass, for a seventh of what
        their norm costs small models.

        It is the check of torch's GradScaler, with a scale of one. False where it cannot tell
        (sparse gradients, an unusual type): then the norm decides, at each step.
        """
        try:
            torch._amp_foreach_non_finite_check_and_unscale_(
                [p.grad for p in self._parameters if p.grad is not None], self._found, self._one
            )
        except (RuntimeError, AttributeError):
            return False
        return self._found.item() == 0.0

    def _settle(self) -> None:
        """Brings the numbers that are still tensors to the CPU; at the first bad one, cuts the
        block and sets `non_finite`."""
        fresh = slice(self._settled, None)
        if not self._deferred or self.non_finite or not self._losses[fresh]:
            return
        self._losses[fresh], self._norms[fresh] = (
            numbers(self._losses[fresh]),
            numbers(self._norms[fresh]),
        )
        for values in self._beside.values():
            waiting = [index for index, value in enumerate(values) if isinstance(value, Tensor)]
            for index, value in zip(
                waiting,
                numbers([values[index] for index in waiting]) if waiting else (),
                strict=True,
            ):
                values[index] = value
        for index in range(self._settled, len(self._losses)):
            self._judge_step(index)
            if self.non_finite:
                break

    def _judge_step(self, index: int) -> None:
        """Whether the numbers of the step at `index` of the block, which are known now, let the
        lane go on."""
        loss, norm = self._losses[index], self._norms[index]
        self._epoch_losses.append(loss)
        self._settled = index + 1
        said, spike = self._judge.update(loss, norm)
        if spike:
            self._spikes.append(self._first + index)
        if said and not self._alerted and not self._sweeps:
            self._alerted = True  # once a lane: it goes on, and the user has been told
            self._alarm = self._first + index, said
        if not (math.isfinite(loss) and (norm is None or math.isfinite(norm))):
            self._refuse(index)

    def _refuse(self, index: int) -> None:
        """The step at `index` of the block is the lane's last: what came after it is undone and
        forgotten."""
        norm = self._norms[index]
        self.non_finite = NonFinite(
            self._first + index, self._losses[index], math.nan if norm is None else norm
        )
        for column in (self._losses, self._norms, *self._beside.values()):
            del column[index + 1 :]
        for rates in (*self._applied, *self._next):
            # nothing was applied at this step, and nothing will be at the next
            rates[index:] = [math.nan]
        self._seconds[index:] = [time.perf_counter() - self._mark]
        self.step = self._first + index + 1
        with torch.no_grad():
            for weight, kept in self._copy:
                if kept is not None:
                    tensors.put(weight, kept)

    def _block(self, count: int) -> Steps:
        norms = [math.nan if norm is None else norm for norm in self._norms[:count]]
        columns = {
            "loss": Column.pack(self._losses[:count], self._exact),
            "grad_norm": Column.pack(norms, "f4"),
            "seconds": Column.pack(self._seconds[:count], "f4"),
        }
        for index, (applied, following) in enumerate(zip(self._applied, self._next, strict=True)):
            suffix = f"/{index}" if index else ""
            columns["applied_lr" + suffix] = Column.pack(applied[:count])
            columns["next_lr" + suffix] = Column.pack(following[:count])
        columns |= {name: Column.pack(values[:count]) for name, values in self._beside.items()}
        return Steps(
            lane=self.lane, at=time.time(), first=self._first, count=count, columns=columns
        )

    def _verdicts(self, count: int, last: bool) -> Iterator[AnyEvent]:
        """What the rules have to say about the first `count` steps of the block."""
        until = self._first + count
        if self._alarm and self._alarm[0] < until:
            step, text = self._alarm
            self._alarm = None
            yield Alerted(lane=self.lane, at=time.time(), step=step, kind="diverged", text=text)
        if spikes := [step for step in self._spikes if step < until]:
            del self._spikes[: len(spikes)]
            yield LossSpiked(lane=self.lane, at=time.time(), steps=spikes)
        if measured := self.gauge.take(before=self._first + count) if self.gauge else None:
            yield measured
        now, known = time.perf_counter(), self._judge.findings()
        if (
            last
            or self.non_finite
            or measured
            or known.early != self._told.early
            or known.flat_since != self._told.flat_since
            or (now - self._told_at > JUDGED_S)
        ):
            self._told, self._told_at = known, now
            yield FindingsUpdated(
                lane=self.lane, at=time.time(), step=self._first + count, findings=known
            )

    def _keep(self) -> None:
        """Copies weights and buffers as they are, where they may have to be put back; new ones may
        have come."""
        if not self._keeps:
            return
        now = [*self._parameters, *self._model.buffers()]
        copies = [
            kept
            for one, (known, kept) in zip(now, self._copy, strict=False)
            if one is known
            and kept is not None
            and kept.shape == one.shape
            and kept.layout == torch.strided
        ]
        if len(copies) == len(now) == len(self._copy):
            torch._foreach_copy_(copies, [one.detach() for one in now])
        else:
            self._copy = [(one, tensors.copied(one)) for one in now]


def numbers(values: Sequence[Tensor | None]) -> list[float | None]:
    """Scalars on a device as floats, with one wait for all of them; None stays."""
    there = [value for value in values if value is not None]
    found = iter(
        torch.stack([value.double().reshape(()) for value in there]).tolist() if there else ()
    )
    return [None if value is None else next(found) for value in values]
