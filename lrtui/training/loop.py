"""The training loop: one generator of events, for every lane there is. Knows no store, no process
and no screen.

What a lane is equal to, bit for bit: `torch.manual_seed(seed)`; `model = task.model()` (no copy:
hooks and closures do not survive one); lazy layers materialised by the first batch; optimizer and
scheduler built on it; `torch.manual_seed(seed)` again; then for each epoch the samples in the order
of `lrtui.batch_order(seed, epoch, n)`, cut into batches, each collated with `default_collate`, and
the five steps. Of a DataLoader of the task's own, or of a stream, each epoch is one pass instead,
as `for batch in loader` makes it.
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

from lrtui.core.errors import TaskError
from lrtui.core.protocol.events import Alerted, AnyEvent, Ended, Evaluated, LogMessage, Sampled
from lrtui.training import fetching, losses, rng
from lrtui.training.batch import batch_length, one_sample, to_device
from lrtui.training.non_finite import NonFinite
from lrtui.training.session import Training

Events = Iterator[AnyEvent | None]
"""None stands for a step (or a batch of validation) that was done: whoever drives may take a break
there."""
MAX_IMAGES = 16
MAX_SIDE = 64


def train_lane(training: Training) -> Events:
    """Trains one lane to the end of its budget: yields events as they happen, and None after each
    step."""
    task, model, optimizer, step_recorder = (
        training.task,
        training.model,
        training.optimizer,
        training.step_recorder,
    )
    yield training.started()
    yield from training.planned()
    yield from training.noted()
    if not step_recorder.step:
        if training.left_out:
            yield LogMessage(lane=training.index, at=time.time(), text=training.left_out)
        yield from _sample(training, epoch=0)
    try:
        while not training.over:
            model.train()
            step_recorder.restart_clock()
            for batch in training.batches():
                if training.closure:
                    beside: list[dict[str, float | Tensor]] = []
                    # LBFGS returns the first one's loss
                    loss = optimizer.step(_closure(training, batch, beside))
                    step_recorder.check_after(loss, beside[0])
                else:
                    again = partial(_loss, training, batch)
                    step_recorder.before_forward(batch, again)
                    optimizer.zero_grad()
                    # forward, loss
                    loss, numbers = losses.of_step(task.loss(model, batch), training.race.task)
                    loss.backward()
                    step_recorder.check(loss, numbers)  # raises NonFinite: then there is no update
                    optimizer.step()
                    step_recorder.after_step(loss, again)  # measures a few of the steps
                training.schedule.after_batch()
                step_recorder.close_step(ends_epoch=training.ends_epoch(step_recorder.step))
                yield None  # here, and where a validation says None, a snapshot may be taken
                if step_recorder.due:
                    yield from step_recorder.flush()
                if step_recorder.non_finite:
                    raise step_recorder.non_finite
            yield from _end_epoch(training)
    except NonFinite as bad:
        yield from _end_nan(training, bad)
        return
    except ValueError as error:
        if why := one_sample(error, training.batch, training.race, own=training.data.own):
            raise why from error
        raise
    yield from step_recorder.flush(last=True)
    yield Ended(lane=training.index, at=time.time(), step=step_recorder.step, reason="finished")


def _closure(training: Training, batch: Any, beside: list[dict[str, float | Tensor]]) -> Any:
    """What LBFGS calls, several times a step; the numbers beside each loss are added to
    `beside`."""

    def closure() -> Tensor:
        training.optimizer.zero_grad()
        loss, numbers = losses.of_step(
            training.task.loss(training.model, batch), training.race.task
        )
        loss.backward()
        beside.append(numbers)
        return loss

    return closure


def _loss(training: Training, batch: Any) -> Tensor:
    return losses.scalar(training.task.loss(training.model, batch), training.race.task)


def _end_epoch(training: Training) -> Events:
    """Validation, the epoch's scheduler, the record of the epoch, a sample."""
    step_recorder, epoch = training.step_recorder, training.epochs_ended + 1
    loss = step_recorder.epoch_loss()
    if step_recorder.non_finite:
        raise step_recorder.non_finite
    metrics = yield from _validate(training)
    if training.epoch_is_whole:
        training.schedule.after_epoch(metrics.get("val_loss", math.nan))
    step_recorder.close_epoch(
        Evaluated(
            lane=training.index,
            at=time.time(),
            epoch=epoch,
            step=step_recorder.step,
            loss=loss,
            metrics=metrics,
        )
    )
    training.epochs_ended, training.epoch_began = epoch, step_recorder.step
    last = training.over
    yield from training.noted()
    if step_recorder.due or last:
        yield from step_recorder.flush(last=last)
        if step_recorder.non_finite:
            raise step_recorder.non_finite
    if last or epoch % training.race.sample_every == 0:
        yield from _sample(training, epoch)


def _validate(training: Training) -> Generator[None, None, dict[str, float]]:
    """Mean loss and metrics over the validation samples, in eval mode; the random state stays as it
    was."""
    if training.validation is None:
        return {}
    training.before_validation = rng.capture(training.device, training.generators)
    training.model.eval()
    sums: dict[str, Any] = {}
    samples = 0
    with training.recompute.without_trace("validation"):
        for fetched in fetching.one_pass(training.validation):
            batch = to_device(fetched, training.device)
            measured = _measured(training, batch)
            count = batch_length(batch)
            samples += count
            for name, value in measured.items():
                sums[name] = sums.get(name, 0.0) + value * count
            yield None
    rng.restore(training.before_validation, training.device, training.generators)
    training.before_validation = None
    return {str(name): float(value) / samples for name, value in sums.items()}


def _measured(training: Training, batch: Any) -> dict[str, Any]:
    """Validation loss and metrics of a batch, without gradients unless the loss itself asks for
    some (a gradient penalty)."""
    try:
        with torch.set_grad_enabled(training.validates_with_gradients):
            measured: dict[str, Any] = {"val_loss": _loss(training, batch).detach()}
            if hasattr(training.task, "metrics"):
                measured |= losses.metrics(
                    training.task.metrics(training.model, batch), training.race.task
                )
            return measured
    except RuntimeError as error:
        if training.validates_with_gradients or "grad" not in str(error):
            raise
    training.validates_with_gradients = True
    return _measured(training, batch)


def _sample(training: Training, epoch: int) -> Events:
    """What the task draws with the model as it is, if it draws; the random state stays as it
    was."""
    if not hasattr(training.task, "sample"):
        return
    training.model.eval()
    with (
        torch.no_grad(),
        rng.preserved(training.device),
        training.recompute.without_trace("a sample"),
    ):
        pixels = as_pixels(training.task.sample(training.model))
    training.step_recorder.restart_clock()
    yield Sampled(
        lane=training.index,
        at=time.time(),
        epoch=epoch,
        step=training.step_recorder.step,
        shape=pixels.shape,
        pixels=pixels.tobytes(),
    )


def _end_nan(training: Training, bad: NonFinite) -> Events:
    """The end of a lane whose update was refused; its sample shows the weights from before it."""
    yield from training.step_recorder.flush(last=True)
    yield Alerted(
        lane=training.index,
        at=time.time(),
        step=bad.step,
        kind="nan",
        text=f"{bad} at step {bad.step}",
    )
    yield from _sample(training, epoch=training.epochs_ended)
    yield Ended(lane=training.index, at=time.time(), step=bad.step, reason="nan")


def as_pixels(images: Tensor) -> np.ndarray:
    """Images N x C x H x W in 0..1 as uint8, shape (N, H, W, 3): at most MAX_IMAGES, no side above
    MAX_SIDE."""
    if not isinstance(images, Tensor) or images.dim() != 4 or images.shape[1] not in (1, 3):
        shape = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise TaskError(f"sample() gave {shape}", "expected a tensor N x C x H x W with C = 1 or 3")
    stride = max(1, math.ceil(max(images.shape[2:]) / MAX_SIDE))
    small = images[:MAX_IMAGES, :, ::stride, ::stride].detach().float().cpu()
    bytes_ = (torch.nan_to_num(small).clamp(0, 1) * 255).round().to(torch.uint8)
    return bytes_.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()
