"""The training loop: one generator of events, for every lane there is. Knows no store, no process and no screen.

What a lane is equal to, bit for bit: `torch.manual_seed(seed)`; `model = task.model()` (no copy: hooks and closures do not
survive one); lazy layers materialised by the first batch; optimizer and scheduler built on it; `torch.manual_seed(seed)` again;
then for each epoch the samples in the order of `lrtui.batch_order(seed, epoch, n)`, cut into batches, each collated with
`default_collate`, and the five steps. Of a DataLoader of the task's own, or of a stream, each epoch is one pass instead, as
`for batch in loader` makes it.
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

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.diagnostics.schedule_check import SWEEPS
from lrtui.core.errors import ScenarioError, TaskError
from lrtui.core.protocol.events import Alerted, AnyEvent, Ended, Evaluated, Noted, Planned, Sampled, Started
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.training import fetching, losses, optimizers, param_groups, rng, snapshot as snapshots, task as tasks
from lrtui.training.batch import batch_length, one_sample, to_device
from lrtui.training.batches import Batches, loader
from lrtui.training.datasets import datasets
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
        training_data, validation_data, notes = datasets(self.task)
        unseen = validation_data is None or not race.validate
        self.validation = None if unseen else loader(validation_data, batch_size=race.batch_size)
        rng.seed_all(race.seed)
        self.model = tasks.new_model(self.task).to(device)
        self.held = Reachable({"task": self.task, "data": training_data, "validation data": validation_data,
                               "model": self.model}).generators()
        """Generators of the task's own."""
        self.data = Batches(training_data, race, device, self.held)
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
        self.horizon = horizon(race, self.data.length)
        self.steps_per_epoch = self.data.length or self.horizon.steps
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
        self.epoch_began = 0
        """The step with which the present epoch began."""
        self.notes = [*notes, *self._unused_keys()] if index == 0 and snapshot is None else []
        """What is still to be said of the race's data, once for all lanes."""
        self.batch: Any = None
        """What the step that is under way trains on."""
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
        batch = to_device(next(self.data.epoch(0, 0)), self.device)
        self.data.close()
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
            intra_op_threads=torch.get_num_threads(), validated=self.validation is not None, first=self.probe.sealed,
            batch_size=self.data.batch_size or 0, length_known=self.data.length is not None)

    def noted(self) -> list[Noted]:
        """What is to be said of the data, as events; once."""
        told = [Noted(lane=-1, at=time.time(), text=one_line(note)) for note in self.notes]
        self.notes.clear()
        return told

    def planned(self) -> list[Planned | Noted]:
        """The event that tells the rates to come, where there is anything to tell, or that nobody knows when they change. A
        person's own code is not run for it."""
        lane = self.race.lanes[self.index]
        if self.data.length is None and self.schedule.by_epoch:
            text = (f"{lane.schedule} steps at the end of each pass over the training data, whose length is not known: "
                    'interval = "batch" counts steps')
            return [] if self.probe.step else [Noted(lane=self.index, at=time.time(), text=one_line(text))]
        if lane.schedule is None or lane.schedule.runs_code or self.schedule.wants_metric:
            return []
        plan = thinned(preview(lane, self.horizon, self.steps_per_epoch, PLAN_S, self.unscheduled))
        if len(plan.rates) < 2:
            return []
        return [Planned(lane=self.index, at=time.time(), steps=plan.steps, rates=plan.rates, total=plan.known)]

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch or the budget ends with `step` (counted from 0), or an epoch may: then the next rate is not known."""
        if not self.data.exact and self.schedule.by_epoch:
            return True
        return step + 1 - self.epoch_began == self.data.length or step + 1 == self.horizon.steps

    @property
    def epoch_is_whole(self) -> bool:
        """At an epoch's end: whether the data ended it, not a budget in steps."""
        step, budget = self.probe.step, self.race.steps
        return budget is None or step < budget or step - self.epoch_began == self.data.length

    @property
    def over(self) -> bool:
        """Whether the budget is used up and its last epoch is ended."""
        if self.race.steps is not None:
            return self.epoch_began >= self.race.steps
        return self.epochs_ended == self.race.epochs

    def batches(self) -> Iterator[Any]:
        """The batches of the present epoch that are still to come, on the device, no more than the budget allows."""
        if self.before_validation is not None:  # a snapshot from within the epoch's end: its batches are all done
            return
        done, budget = self.probe.step - self.epoch_began, self.race.steps
        if self.probe.step == budget:
            return
        for batch in self.data.epoch(self.epochs_ended, done):
            if not self.data.exact:
                self.probe.schedule_known()  # the step before this one has not ended the epoch
            done += 1
            self.batch = to_device(batch, self.device)
            yield self.batch
            self.batch = None
            if self.probe.step == budget:
                return
        if not done:
            raise TaskError(f"dataset() gave no batch in epoch {self.epochs_ended + 1}",
                            "expected samples, and an __iter__ that begins anew in each epoch")
        if self.data.length not in (None, done) and self.index == 0 and not self.epochs_ended:
            self.notes.append(f"the training data said that an epoch has {self.data.length} batches, and gave {done}: "
                              f"the steps of the budget are counted by what it said")

    def close(self) -> None:
        """End the worker processes of the data."""
        self.data.close()
        if self.validation is not None:
            fetching.end_workers(self.validation)

    def _unused_keys(self) -> list[str]:
        """A note on what the race says of batches, where the task makes them itself."""
        given = {"batch_size": self.race.batch_size_given, "drop_last": self.race.drop_last}
        asked = [name for name, said in given.items() if said]
        size = self.data.batch_size
        if not self.data.own or not asked or (asked == ["batch_size"] and size == self.race.batch_size):
            return []
        own = "of a size of their own" if size is None else f"of {size}"
        return [f"{' and '.join(asked)} not used: dataset() gives a DataLoader, whose batches are {own}"]


def train_lane(training: Training) -> Events:
    """Trains one lane to the end of its budget: yields events as they happen, and None after each step."""
    task, model, optimizer, probe = training.task, training.model, training.optimizer, training.probe
    yield training.started()
    yield from training.planned()
    yield from training.noted()
    if not probe.step:
        if training.left_out:
            yield Noted(lane=training.index, at=time.time(), text=training.left_out)
        yield from _sample(training, epoch=0)
    try:
        while not training.over:
            model.train()
            probe.resume()
            for batch in training.batches():
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
            yield from _end_epoch(training)
    except NonFinite as bad:
        yield from _end_nan(training, bad)
        return
    except ValueError as error:
        if why := one_sample(error, training.batch, training.race, own=training.data.own):
            raise why from error
        raise
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


def _end_epoch(training: Training) -> Events:
    """Validation, the epoch's scheduler, the record of the epoch, a sample."""
    probe, epoch = training.probe, training.epochs_ended + 1
    loss = probe.epoch_loss()
    if probe.bad:
        raise probe.bad
    metrics = yield from _validate(training)
    if training.epoch_is_whole:
        training.schedule.after_epoch(metrics.get("val_loss", math.nan))
    probe.close_epoch(
        Evaluated(lane=training.index, at=time.time(), epoch=epoch, step=probe.step, loss=loss, metrics=metrics))
    training.epochs_ended, training.epoch_began = epoch, probe.step
    last = training.over
    yield from training.noted()
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
        for fetched in fetching.one_pass(training.validation):
            batch = to_device(fetched, training.device)
            with torch.no_grad():
                measured: dict[str, Any] = {"val_loss": _loss(training, batch)}
                if hasattr(training.task, "metrics"):
                    measured |= losses.metrics(training.task.metrics(training.model, batch), training.race.task)
            count = batch_length(batch)
            samples += count
            for name, value in measured.items():
                sums[name] = sums.get(name, 0.0) + value * count
            yield None
    rng.restore(training.before_validation, training.device, training.held)
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
    yield from _sample(training, epoch=training.epochs_ended)
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


def horizon(race: Race, steps_per_epoch: int | None) -> Horizon:
    """The race's budget in steps and in begun epochs; one epoch where nobody knows how long one is."""
    if race.steps is not None:
        return Horizon(race.steps, math.ceil(race.steps / (steps_per_epoch or race.steps)))
    assert race.epochs is not None
    if steps_per_epoch is None:
        raise TaskError("the training data has no length: a budget in epochs does not say how many steps to make",
                        "expected a budget in steps, as in steps = 1000 or --steps 1000, or a dataset with __len__")
    return Horizon(race.epochs * steps_per_epoch, race.epochs)
