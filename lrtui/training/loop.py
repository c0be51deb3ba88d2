"""The training loop: one generator of events, for every lane there is. Knows no store, no process and no screen.

What a lane is equal to, bit for bit: `torch.manual_seed(seed)`; `model = task.model()` (no copy: hooks and closures do not
survive one); lazy layers materialised by the first batch; optimizer and scheduler built on it; `torch.manual_seed(seed)` again;
then for each epoch the samples in the order of `lrtui.batch_order(seed, epoch, n)`, cut into batches, each collated with
`default_collate`, and the five steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrtui.core.errors import ScenarioError, TaskError
from lrtui.core.events import Alerted, AnyEvent, Ended, Evaluated, Noted, Planned, Sampled, Started
from lrtui.core.sampling import Sampling
from lrtui.core.schedulecheck import SWEEPS
from lrtui.core.spec import Race
from lrtui.training import losses, optimizers, param_groups, rng, snapshot as snapshots, task as tasks
from lrtui.training.batches import Batches, loader
from lrtui.training.dial import Dial
from lrtui.training.gauge import Gauge
from lrtui.training.order import weights_checksum
from lrtui.training.preview import preview, thinned
from lrtui.training.probe import NonFinite, Probe
from lrtui.training.reachable import Reachable
from lrtui.training.recompute import Recompute
from lrtui.training.schedules import Horizon, Schedule

Events = Iterator[AnyEvent | None]
"""None stands for a step (or a batch of validation) that was done: whoever drives may take a break there."""
MAX_IMAGES = 16
MAX_SIDE = 64
PLAN_S = 0.1
"""Looking ahead in a schedule takes no longer: the lane waits for it."""


class Training:
    """One lane's model, data, optimizer and schedule, built as the module's first lines say.

    With a `snapshot`, as `snapshot.capture` made it of this lane or of one of the same race, it goes on from there; SnapshotUnfit
    where the task is no longer the one that it was made of.
    """

    def __init__(self, race: Race, index: int, device: torch.device, *, deferred: bool | None = None,
                 snapshot: dict[str, Any] | None = None) -> None:
        lane = race.lanes[index]
        self.race, self.index, self.device = race, index, device
        rng.seed_all(race.seed)  # a task's file may draw when it is imported
        self.task = tasks.load(race.task)
        rng.seed_all(race.seed)
        training_data, validation_data = tasks.datasets(self.task)
        unseen = validation_data is None or not race.validate
        self.validation = None if unseen else loader(validation_data, batch_size=race.batch_size)
        rng.seed_all(race.seed)
        self.model = tasks.new_model(self.task).to(device)
        self.held = Reachable({"task": self.task, "data": training_data, "validation data": validation_data,
                               "model": self.model}).generators()
        """Generators of the task's own."""
        self.data = Batches(training_data, race.seed, race.batch_size, device, self.held)
        self._materialise()
        self.init_checksum = weights_checksum(self.model)
        groups = param_groups.of_task(self.task, self.model, lane.optimizer, lane.lr)
        self.optimizer = optimizers.build(lane.optimizer, groups, lane.lr)
        self.left_out = param_groups.left_out(self.optimizer.param_groups, self.model)
        """A sentence about parameters that no param group holds; '' where all are trained."""
        self.unscheduled = [{key: value for key, value in group.items() if key != "params"}
                            for group in self.optimizer.param_groups]
        """The settings of the param groups before a schedule changes them."""
        self.closure = optimizers.wants_closure(self.optimizer)
        self.steps_per_epoch = len(self.data)
        self.horizon = horizon(race, self.steps_per_epoch)
        self.schedule = Schedule(lane.schedule, self.optimizer, lane.lr, self.horizon)
        if self.schedule.wants_metric and self.validation is None:
            raise ScenarioError(f"{lane.schedule} looks at the validation loss, and {race.task} has no validation data",
                                "expected a task whose dataset() gives a pair (training, validation)")
        self.batch_checksum = self.data.checksum
        self.dial = Dial(self.optimizer)  # before whatever looks at the rates that are really applied
        self.recompute = Recompute(self.task, self.model, device, self.held, self.validation)
        gauge = None if self.closure or not race.gauge else Gauge(
            index, self.model, self.optimizer, Sampling(self.horizon.steps), self.recompute)
        self.probe = Probe(index, self.model, self.optimizer, self.horizon.steps, self.dial, gauge, closure=self.closure,
                           deferred=device.type != "cpu" and not self.closure if deferred is None else deferred,
                           sweeps=lane.schedule is not None and lane.schedule.name in SWEEPS)
        self.epochs_ended = 0
        self.before_validation: rng.RandomState | None = None
        """The random state at the beginning of the validation that is under way."""
        rng.seed_all(race.seed)
        if snapshot is not None:
            snapshots.restore(self, snapshot)

    def _materialise(self) -> None:
        """Gives lazy layers their shapes: puts the first batch through the loss once, in eval mode, without another trace."""
        if not any(map(torch.nn.parameter.is_lazy, (*self.model.parameters(), *self.model.buffers()))):
            return
        before = rng.capture(self.device, self.held)
        state = Reachable({"task": self.task}).save()
        batch = tasks.to_device(next(iter(self.data.epoch(0, 0))), self.device)
        rng.restore(before, self.device, self.held)  # the weights are drawn as they would be right after model()
        self.model.eval()
        with torch.no_grad():
            self.task.loss(self.model, batch)
        self.model.train()
        own = {id(record.thing) for record in Reachable({"model": self.model}).save().records}
        state.put_back(keep=frozenset(own))

    @property
    def next_rate(self) -> float:
        """What the first param group will be given at the next step."""
        return self.dial.rates()[0]

    def set_factor(self, factor: float) -> None:
        """Puts the dial at `factor` (finite, above 0) from the next step on; to be called between two steps."""
        self.dial.factor = factor
        self.probe.dial_turned()

    def started(self) -> Started:
        """The event that says how this lane begins."""
        return Started(
            lane=self.index, at=time.time(), device=str(self.device), steps_per_epoch=self.steps_per_epoch,
            total_steps=self.horizon.steps, parameters=sum(p.numel() for p in self.model.parameters() if p.requires_grad),
            init_checksum=self.init_checksum, batch_checksum=self.batch_checksum,
            intra_op_threads=torch.get_num_threads(), validated=self.validation is not None, first=self.probe.sealed)

    def planned(self) -> list[Planned]:
        """The event that tells the rates to come, where there is anything to tell. A person's own code is not run for it."""
        lane = self.race.lanes[self.index]
        if lane.schedule is None or lane.schedule.runs_code or self.schedule.wants_metric:
            return []
        plan = thinned(preview(lane, self.horizon, self.steps_per_epoch, PLAN_S, self.unscheduled))
        if len(plan.rates) < 2:
            return []
        return [Planned(lane=self.index, at=time.time(), steps=plan.steps, rates=plan.rates, total=plan.known)]

    def ends_epoch(self, step: int) -> bool:
        """Whether `step` (counted from 0) is the last one of its epoch, or of the budget."""
        return (step + 1) % self.steps_per_epoch == 0 or step + 1 == self.horizon.steps

    def batches(self, epoch: int) -> Iterator[Any]:
        """The batches of `epoch` (counted from 0) that are still to come, on the device, no more than the budget allows."""
        if self.before_validation is not None:  # a snapshot from within the epoch's end: its batches are all done
            return
        done = self.probe.step - epoch * self.steps_per_epoch
        stop = min(self.horizon.steps - epoch * self.steps_per_epoch, self.steps_per_epoch)
        for batch, _ in zip(self.data.epoch(epoch, done), range(done, stop), strict=False):
            yield tasks.to_device(batch, self.device)


def train_lane(training: Training) -> Events:
    """Trains one lane to the end of its budget: yields events as they happen, and None after each step."""
    task, model, optimizer, probe = training.task, training.model, training.optimizer, training.probe
    yield training.started()
    yield from training.planned()
    if not probe.step:
        if training.left_out:
            yield Noted(lane=training.index, at=time.time(), text=training.left_out)
        yield from _sample(training, epoch=0)
    try:
        for epoch in range(training.epochs_ended, training.horizon.epochs):
            model.train()
            probe.resume()
            for batch in training.batches(epoch):
                if training.closure:
                    beside: list[dict[str, float | Tensor]] = []
                    loss = optimizer.step(_closure(training, batch, beside))  # LBFGS returns the first one's loss
                    probe.check_after(loss, beside[0])
                else:
                    probe.before_forward()
                    optimizer.zero_grad()
                    loss, numbers = losses.of_step(task.loss(model, batch), training.race.task)  # forward, loss
                    loss.backward()
                    probe.check(loss, numbers)  # raises NonFinite: then there is no update
                    optimizer.step()
                    probe.after_update(loss, partial(_loss, training, batch))  # measures a few of the steps
                training.schedule.after_batch()
                probe.close_step(ends_epoch=training.ends_epoch(probe.step))
                yield None  # here, and where a validation says None, a snapshot may be taken
                if probe.due:
                    yield from probe.seal()
                if probe.bad:
                    raise probe.bad
            yield from _end_epoch(training, epoch + 1)
    except NonFinite as bad:
        yield from _end_nan(training, bad)
        return
    yield from probe.seal(last=True)
    yield Ended(lane=training.index, at=time.time(), step=probe.step, reason="finished")


def _closure(training: Training, batch: Any, beside: list[dict[str, float | Tensor]]) -> Any:
    """What LBFGS calls, several times a step; the numbers beside each loss are added to `beside`."""
    def closure() -> Tensor:
        training.optimizer.zero_grad()
        loss, numbers = losses.of_step(training.task.loss(training.model, batch), training.race.task)
        loss.backward()
        beside.append(numbers)
        return loss
    return closure


def _loss(training: Training, batch: Any) -> Tensor:
    return losses.scalar(training.task.loss(training.model, batch), training.race.task)


def _end_epoch(training: Training, epoch: int) -> Events:
    """Validation, the epoch's scheduler, the record of the epoch, a sample."""
    probe = training.probe
    loss = probe.epoch_loss()
    if probe.bad:
        raise probe.bad
    metrics = yield from _validate(training)
    if probe.step % training.steps_per_epoch == 0:  # a budget in steps may end within an epoch
        training.schedule.after_epoch(metrics.get("val_loss", math.nan))
    probe.close_epoch(
        Evaluated(lane=training.index, at=time.time(), epoch=epoch, step=probe.step, loss=loss, metrics=metrics))
    training.epochs_ended = epoch
    last = epoch == training.horizon.epochs
    if probe.due or last:
        yield from probe.seal(last=last)
        if probe.bad:
            raise probe.bad
    if last or epoch % training.race.sample_every == 0:
        yield from _sample(training, epoch)


def _validate(training: Training) -> Generator[None, None, dict[str, float]]:
    """Mean loss and metrics over the validation samples, in eval mode; the random state stays as it was."""
    if training.validation is None:
        return {}
    training.before_validation = rng.capture(training.device, training.held)
    training.model.eval()
    sums: dict[str, Any] = {}
    samples = 0
    with training.recompute.without_trace("validation"):
        for fetched in training.validation:
            batch = tasks.to_device(fetched, training.device)
            with torch.no_grad():
                measured: dict[str, Any] = {"val_loss": _loss(training, batch)}
                if hasattr(training.task, "metrics"):
                    measured |= losses.metrics(training.task.metrics(training.model, batch), training.race.task)
            count = tasks.batch_length(batch)
            samples += count
            for name, value in measured.items():
                sums[name] = sums.get(name, 0.0) + value * count
            yield None
    rng.restore(training.before_validation, training.device)
    training.before_validation = None
    return {str(name): float(value) / samples for name, value in sums.items()}


def _sample(training: Training, epoch: int) -> Events:
    """What the task draws with the model as it is, if it draws; the random state stays as it was."""
    if not hasattr(training.task, "sample"):
        return
    training.model.eval()
    with torch.no_grad(), rng.preserved(training.device), training.recompute.without_trace("a sample"):
        pixels = as_pixels(training.task.sample(training.model))
    training.probe.resume()
    yield Sampled(lane=training.index, at=time.time(), epoch=epoch, step=training.probe.step,
                  shape=pixels.shape, pixels=pixels.tobytes())


def _end_nan(training: Training, bad: NonFinite) -> Events:
    """The end of a lane whose update was refused; its sample shows the weights from before it."""
    yield from training.probe.seal(last=True)
    yield Alerted(lane=training.index, at=time.time(), step=bad.step, kind="nan", text=f"{bad} at step {bad.step}")
    yield from _sample(training, epoch=bad.step // training.steps_per_epoch)
    yield Ended(lane=training.index, at=time.time(), step=bad.step, reason="nan")


def as_pixels(images: Tensor) -> np.ndarray:
    """Images N x C x H x W in 0..1 as uint8, shape (N, H, W, 3): at most MAX_IMAGES, no side above MAX_SIDE."""
    if not isinstance(images, Tensor) or images.dim() != 4 or images.shape[1] not in (1, 3):
        shape = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise TaskError(f"sample() gave {shape}", "expected a tensor N x C x H x W with C = 1 or 3")
    stride = max(1, math.ceil(max(images.shape[2:]) / MAX_SIDE))
    small = images[:MAX_IMAGES, :, ::stride, ::stride].detach().float().cpu()
    bytes_ = (torch.nan_to_num(small).clamp(0, 1) * 255).round().to(torch.uint8)
    return bytes_.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()


def horizon(race: Race, steps_per_epoch: int) -> Horizon:
    """The race's budget in steps and in begun epochs."""
    if race.steps is not None:
        return Horizon(race.steps, math.ceil(race.steps / steps_per_epoch))
    assert race.epochs is not None
    return Horizon(race.epochs * steps_per_epoch, race.epochs)
