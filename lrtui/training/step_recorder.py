"""Records a lane's optimizer steps in blocks: rates really applied, losses, gradient norms, and
whether an update may happen.

On the CPU every number is read at once, and an update with a non-finite loss or gradient norm is
refused before it happens. On an accelerator numbers stay on the device until a block is flushed
(one sync), so a bad update is found then, and the weights of the block's beginning are restored.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrtui.core.protocol.events import AnyEvent, LogMessage
from lrtui.core.protocol.findings import Findings
from lrtui.training.dial import Dial
from lrtui.training.gauge import Gauge
from lrtui.training.loss_reporter import LossReporter
from lrtui.training.non_finite import NonFinite, NonFiniteGuard
from lrtui.training.optimizers import applied_rate
from lrtui.training.recipe import LEAST_SCALE
from lrtui.training.step_buffer import StepBuffer
from lrtui.training.step_clock import StepClock

SCHEDULED = "scheduled_lr"
"""Key of a param group under which an optimizer leaves the rate that its step applied."""
BLOCK_S = 0.05
"""Seconds from one flush to the next."""


class StepRecorder:
    """Records one lane's steps. The training loop calls, in this order: `before_forward`, `check`
    (`check_after` with a closure), `after_step`, `close_step`, and `close_epoch`.

    `deferred`: numbers stay on the device until a flush. `closure`: the optimizer computes the loss
    itself, so its update is checked afterwards. `scaled`: a GradScaler skips steps whose gradients
    overflow, which end no lane. `sweeps`: see LossReporter.
    """

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
        scaled: bool = False,
        sweeps: bool = False,
    ) -> None:
        self.gauge = gauge
        self.step = 0
        """Steps done, not counting the present one."""
        self.non_finite: NonFinite | None = None
        """The reason to end the lane; None while it may train on."""
        self._lane, self._dial, self._deferred, self._scaled = lane, dial, deferred, scaled
        self._groups = optimizer.param_groups
        self._buffer = StepBuffer(len(self._groups))
        self._guard = NonFiniteGuard(model, optimizer, rolls_back=deferred or closure)
        self._reporter = LossReporter(lane, total, sweeps=sweeps)
        self._followers: list[AnyEvent] = []
        """Events that come right after the block that is open now."""
        self._epoch_losses = array("d")
        self._due = 0.0  # the first step is flushed at once
        self.clock = StepClock()
        optimizer.register_step_pre_hook(self._before_update)
        if any(SCHEDULED in group for group in self._groups):
            optimizer.register_step_post_hook(self._after_update)

    @property
    def flushed_steps(self) -> int:
        """Steps flushed: one fewer than done after a `flush` at an epoch's end, before its
        `close_epoch`."""
        return self._buffer.first

    @property
    def findings(self) -> Findings:
        """The findings of the streaming rules up to the last checked step."""
        return self._reporter.findings

    @property
    def smooth(self) -> float:
        """The smoothed loss of the checked steps; NaN before the first."""
        return self._reporter.smooth

    @property
    def alarmed(self) -> bool:
        """True while an alert waits for a flush."""
        return self._reporter.alarmed

    @property
    def due(self) -> bool:
        """True if the block should be flushed now."""
        return self.clock.mark >= self._due or self.alarmed

    @property
    def measuring(self) -> bool:
        """True within a step that the gauge samples: the lane's state is not whole."""
        return self.gauge is not None and self.gauge.measuring

    def begin_step(self) -> None:
        """Begins a step."""
        if self.gauge:
            self.gauge.begin_step(self.step)

    def before_forward(self, batch: Any, recompute_loss: Callable[[Any], Tensor]) -> None:
        """Begins a micro-batch of the step; `recompute_loss` computes its loss once more if the
        step is measured."""
        if self.gauge:
            self.gauge.before_forward(batch, recompute_loss)

    def check(
        self, loss: Tensor, numbers: Mapping[str, float | Tensor], norm: Tensor | None = None
    ) -> None:
        """Takes loss and gradients before the update, and the `numbers` beside the loss; raises
        NonFinite if the update must not happen. `norm`: the gradients', if it is known."""
        read = not self._deferred
        self._buffer.add_extra(numbers, read=read)
        value = self._buffer.add_loss(loss, read=read)
        if self._deferred:
            self._buffer.norms.append(self._guard.gradient_norm() if norm is None else norm)
            return
        self._buffer.norms.append(
            self._guard.sampled_norm(self.step, value) if norm is None else norm.item()
        )
        self._check_step(len(self._buffer.losses) - 1)
        if self.non_finite:
            raise self.non_finite

    def check_after(self, loss: Tensor, numbers: Mapping[str, float | Tensor]) -> None:
        """`check` for an optimizer that has updated already: a bad update is rolled back."""
        self.check(loss, numbers)
        self._guard.keep()

    def before_clipping(self) -> None:
        """Takes the gradients before they are clipped, if the step is measured."""
        if self.gauge:
            self.gauge.before_clipping()

    def skip(self, scale: float) -> None:
        """Takes that the GradScaler skipped the update at `scale` of the loss: no rate was applied,
        and the gradient norm is unknown. Raises NonFinite if the scale cannot get smaller."""
        self._buffer.skip()
        if scale <= LEAST_SCALE:
            self._refuse(len(self._buffer.losses) - 1)
        if self.non_finite:
            raise self.non_finite

    def after_step(self, loss: Tensor, recompute_loss: Callable[[Any], Tensor]) -> None:
        """Measures the step after its update, if it is sampled."""
        if self.gauge and (sample := self.gauge.after_step(self.step, loss, recompute_loss)):
            self._reporter.measured(self.step, sample, self.gauge.unmeasured)

    def close_step(self, *, ends_epoch: bool) -> None:
        """Ends a step whose batch scheduler has run. If it ends an epoch, `close_epoch` follows
        with the next rate."""
        self._buffer.add_seconds(self.clock.lap())
        self.step += 1
        if not ends_epoch:
            self.schedule_known()

    def schedule_known(self) -> None:
        """Takes the rates of the next step: every scheduler has run."""
        self._buffer.set_next(self._dial.rates())

    def dial_turned(self) -> None:
        """Replaces the next rates after the dial moved, if the schedulers have run already."""
        if self._buffer.complete:
            self.schedule_known()

    def epoch_loss(self) -> float:
        """Mean loss over the batches since `close_epoch`; NaN if there were none. Waits for the
        device."""
        self._check_deferred()
        losses = self._epoch_losses
        return math.fsum(losses) / len(losses) if losses else math.nan

    def follow(self, event: AnyEvent) -> None:
        """Takes an event that follows the block that is open now; flush it between two steps."""
        self._followers.append(event)

    def close_epoch(self, event: AnyEvent) -> None:
        """Ends an epoch whose scheduler has run: `event` follows the block that is open now."""
        self.schedule_known()
        self.follow(event)
        del self._epoch_losses[:]

    def flush(self, *, last: bool = False) -> list[AnyEvent]:
        """The gathered steps as one event, then alerts, findings and the events that follow them.

        If a step was bad, `non_finite` is set afterwards and the weights are those from before its
        update. `last`: nothing follows, so a step does not wait for its next rate. One list rather
        than a generator, because a lane may be paused or stopped at any event that it yields.
        """
        if last and not self._buffer.complete:
            self.schedule_known()
        self._check_deferred()
        events: list[AnyEvent] = []
        if block := self._buffer.take(self._lane):
            until = self._buffer.first
            measured = self.gauge.take(before=until) if self.gauge else None
            force = last or self.non_finite is not None
            events += [block, *self._reporter.events(until, measured, force=force)]
        events += self._followers
        self._followers.clear()
        self._due = time.perf_counter() + BLOCK_S
        if self._deferred and self.non_finite is None:
            self._guard.keep()
        if self.gauge:
            events += [LogMessage(lane=self._lane, text=text) for text in self.gauge.notes()]
        return events

    def state_dict(self) -> dict[str, Any]:
        """The state right after `flush`, as plain values."""
        assert not self._followers, "an epoch's events are not flushed"
        return {
            "step": self.step,
            **self._buffer.state_dict(),
            **self._reporter.state_dict(),
            "epoch_losses": torch.from_numpy(np.array(self._epoch_losses)),
            "gauge": self.gauge.state_dict() if self.gauge else None,
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Restores what `state_dict` returned; the model has the weights of that moment already."""
        self.step = kept["step"]
        self._buffer.load_state_dict(kept)
        self._reporter.load_state_dict(kept)
        self._epoch_losses = array("d", kept["epoch_losses"].tolist())
        if self.gauge and kept["gauge"]:
            self.gauge.load_state_dict(kept["gauge"])
        self._guard.keep()

    def _before_update(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        self._buffer.add_applied(map(applied_rate, self._groups))

    def _after_update(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        """A schedule-free optimizer warms up within its step, and leaves the rate in its groups."""
        self._buffer.replace_applied(float(group[SCHEDULED]) for group in self._groups)

    def _check_deferred(self) -> None:
        """Reads the numbers that are still on a device and checks them, up to the first bad one."""
        buffer = self._buffer
        if not self._deferred or self.non_finite or buffer.checked == len(buffer.losses):
            return
        buffer.read()
        for index in range(buffer.checked, len(buffer.losses)):
            self._check_step(index)
            if self.non_finite:
                break

    def _check_step(self, index: int) -> None:
        """Checks the numbers of the step at `index` of the block, which are on the CPU now."""
        buffer = self._buffer
        loss, norm = buffer.losses[index], buffer.norms[index]
        if self._scaled and norm is not None and not math.isfinite(norm):
            norm = buffer.norms[index] = None  # the scaler skips this step
        self._epoch_losses.append(loss)
        buffer.checked = index + 1
        self._reporter.update(buffer.first + index, loss, norm)
        if not (math.isfinite(loss) and (norm is None or math.isfinite(norm))):
            self._refuse(index)

    def _refuse(self, index: int) -> None:
        """Makes the step at `index` of the block the lane's last: rolls back its update and drops
        the steps after it."""
        buffer = self._buffer
        step, norm = buffer.first + index, buffer.norms[index]
        self.non_finite = NonFinite(step, buffer.losses[index], math.nan if norm is None else norm)
        buffer.cut_after(index, self.clock.elapsed())
        self.step = step + 1
        self._guard.roll_back()
