"""The training loop: one generator of events for every lane. Knows no store, process or screen.

A lane equals this plain loop, bit for bit: `torch.manual_seed(seed)`; `model = task.model()` (not a
copy: hooks and closures do not survive one); lazy layers materialised by the first batch; optimizer
and scheduler built on it; `torch.manual_seed(seed)` again; then for each epoch the samples in the
order of `lrtui.batch_order(seed, epoch, n)`, cut into batches, each collated with
`default_collate`, and the five steps: zero_grad, forward, loss, backward, step. With the task's own
DataLoader, or a stream, each epoch is one pass instead: `for batch in loader`. What a recipe adds
to these steps stands in recipe.py.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lrtui.core.errors import TaskError
from lrtui.core.protocol.column_names import AVERAGED, CLIPPED, SKIPPED
from lrtui.core.protocol.events import Alerted, AnyEvent, Ended, Evaluated, LogMessage, Sampled
from lrtui.training import announcements, averaging, fetching, losses, param_groups, rng
from lrtui.training.batch import batch_length, one_sample, to_device
from lrtui.training.non_finite import NonFinite
from lrtui.training.session import Training
from lrtui.training.step_recorder import StepRecorder

Events = Iterator[AnyEvent | None]
"""None: a step, a batch of validation or an epoch is done, and the lane may be paused there."""
MAX_IMAGES = 16
MAX_SIDE = 64
"""Pixels of an image's longer side, at most."""


def train_lane(training: Training) -> Events:
    """Trains one lane to the end of its budget: yields events as they happen, and None after each
    step."""
    task, model, optimizer = training.race.task, training.model, training.optimizer
    recorder, accumulation = training.step_recorder, training.recipe.accumulation
    progress, recompute_loss = training.progress, partial(_loss, training)
    yield from _introduction(training)
    try:
        while not progress.over:
            if progress.validates_within:  # a snapshot from there
                yield from _evaluate_within(training)
            model.train()
            recorder.clock.start()
            for micro_batches in progress.steps():
                recorder.begin_step()
                if training.closure:
                    _closure_step(training, list(micro_batches))
                    stepped = True
                else:
                    if not accumulation.done:
                        optimizer.zero_grad()
                    for batch in micro_batches:
                        recorder.before_forward(batch, recompute_loss)
                        # in one expression: nothing else of the loss's graph is kept
                        accumulation.backward(*losses.of_step(training.loss(batch), task))
                        if not accumulation.complete and not recorder.measuring:
                            yield from _pause_within(recorder)
                    stepped = _update(training, recompute_loss)
                if stepped:
                    training.recipe.after_update()
                    training.schedule.after_batch()
                recorder.close_step(ends_epoch=progress.ends_epoch(recorder.step))
                progress.validates_within = progress.validation_due
                yield None  # a snapshot may be taken here, and wherever else None is yielded
                if recorder.due:
                    yield from recorder.flush()
                if recorder.non_finite:
                    raise recorder.non_finite
                if progress.validates_within:
                    yield from _evaluate_within(training)
                    model.train()
            yield from _end_epoch(training)
    except NonFinite as error:
        yield from _end_nan(training, error)
        return
    except ValueError as error:
        if reason := one_sample(error, progress.batch, training.race, own=training.data.own):
            raise reason from error
        raise
    yield from recorder.flush(last=True)
    yield Ended(lane=training.index, step=recorder.step, reason="finished")


def _introduction(training: Training) -> Events:
    """The events before the first step: Started, the forecast of rates, notes; at step 0 a sample,
    too."""
    yield announcements.started(training)
    yield from announcements.forecast(training)
    yield from announcements.take_notes(training)
    if not training.step_recorder.step:
        if text := param_groups.left_out(training.optimizer.param_groups, training.model):
            yield LogMessage(lane=training.index, text=text)
        yield from _sample(training, epoch=0)


def _pause_within(recorder: StepRecorder) -> Events:
    """Yields None between two micro-batches of a step."""
    recorder.clock.stop()
    yield None
    recorder.clock.start()


def _update(training: Training, recompute_loss: Callable[[Any], Tensor]) -> bool:
    """Clips the accumulated gradients and updates the weights; False if the GradScaler skipped the
    update. Raises NonFinite before an update that must not happen."""
    recorder, recipe = training.step_recorder, training.recipe
    clipping, scaler = recipe.clipping, recipe.scaler
    loss, numbers = recipe.accumulation.finish()
    scaler.unscale(training.optimizer)
    norm, clipped = clipping.measure()
    if clipped is not None:
        numbers[CLIPPED] = clipped
    if scaler.active:
        numbers[SKIPPED], scale = 0.0, scaler.scale
    recorder.check(loss, numbers, norm)
    if clipping.active:
        recorder.before_clipping()
        clipping.clip(norm)
    if not scaler.step(training.optimizer):
        recorder.skip(scale)
        return False
    recorder.after_step(loss, recompute_loss)  # measures sampled steps
    return True


def _closure_step(training: Training, batches: list[Any]) -> None:
    """One step of an optimizer that calls for the loss itself, several times (LBFGS); the first
    call's loss is recorded."""
    numbers: list[dict[str, Any]] = []
    accumulation, clipping = training.recipe.accumulation, training.recipe.clipping

    def closure() -> Tensor:
        training.optimizer.zero_grad()
        accumulation.begin(len(batches))
        for batch in batches:
            accumulation.backward(*losses.of_step(training.loss(batch), training.race.task))
        loss, beside = accumulation.finish()
        norm, clipped = clipping.measure()
        clipping.clip(norm)
        numbers.append(beside if clipped is None else {**beside, CLIPPED: clipped})
        return loss

    loss: Any = training.optimizer.step(closure)  # type: ignore[arg-type]  # torch hands it through
    training.step_recorder.check_after(loss, numbers[0])


def _loss(training: Training, batch: Any) -> Tensor:
    return losses.scalar(training.loss(batch), training.race.task)


def _end_epoch(training: Training) -> Events:
    """Ends an epoch: validation, the epoch's scheduler, the epoch's event, a sample."""
    recorder, progress = training.step_recorder, training.progress
    epoch = progress.epochs_ended + 1
    loss = recorder.epoch_loss()
    if recorder.non_finite:
        raise recorder.non_finite
    metrics = (yield from _validate(training)) if progress.validates_epoch else {}
    if progress.epoch_is_whole:
        training.schedule.after_epoch(metrics.get("val_loss", math.nan))
    recorder.close_epoch(
        Evaluated(
            lane=training.index,
            at=time.time(),  # the event is held back until the next rate is known
            # the pass over data of unknown length that a budget ends is no epoch
            epoch=epoch if progress.epoch_is_whole or training.data.length else epoch - 1,
            step=recorder.step,
            loss=loss,
            metrics=metrics,
        )
    )
    progress.end_epoch()
    progress.evaluated = metrics
    last = progress.over
    yield from announcements.take_notes(training)
    if recorder.due or last:
        yield from recorder.flush(last=last)
        if recorder.non_finite:
            raise recorder.non_finite
    if last or epoch % training.race.sample_every == 0:
        yield from _sample(training, epoch)
    yield None


def _evaluate_within(training: Training) -> Events:
    """Validates within an epoch, after `validate_every` steps."""
    recorder, progress = training.step_recorder, training.progress
    loss = recorder.epoch_loss()
    if recorder.non_finite:
        raise recorder.non_finite
    metrics = yield from _validate(training)
    progress.validated_at, progress.validates_within = recorder.step, False
    recorder.follow(
        Evaluated(
            lane=training.index,
            epoch=progress.epochs_ended,
            step=recorder.step,
            loss=loss,
            metrics=metrics,
        )
    )
    yield from recorder.flush()
    if recorder.non_finite:
        raise recorder.non_finite
    progress.evaluated = metrics
    yield None
    recorder.clock.start()


def _validate(training: Training) -> Generator[None, None, dict[str, float]]:
    """Mean loss and metrics over the validation samples, in eval mode; restores the random
    state."""
    if training.validation is None:
        return {}
    progress, average = training.progress, training.recipe.average
    progress.before_validation = rng.capture(training.device, training.generators)
    weights = averaging.evaluation_weights(training.model, training.optimizer)
    training.model.eval()
    sums: dict[str, Any] = {}
    samples = 0
    with training.recompute.without_trace("validation"):
        for fetched in fetching.one_pass(training.validation):
            batch = to_device(fetched, training.device)
            # the weights are the training's own again wherever None is yielded
            with averaging.replaced(training.model, weights):
                measured = _measured(training, batch)
            if average:
                with (
                    averaging.replaced(training.model, average.weights),
                    rng.preserved(training.device, training.generators),
                ):
                    found = _measured(training, batch)
                measured |= {AVERAGED + name: value for name, value in found.items()}
            count = batch_length(batch)
            samples += count
            for name, value in measured.items():
                sums[name] = sums.get(name, 0.0) + value * count
            yield None
    rng.restore(progress.before_validation, training.device, training.generators)
    progress.before_validation = None
    return {str(name): float(value) / samples for name, value in sums.items()}


def _measured(training: Training, batch: Any) -> dict[str, Any]:
    """Validation loss and metrics of a batch, without gradients unless the loss needs some (a
    gradient penalty)."""
    try:
        with torch.set_grad_enabled(training.validates_with_gradients):
            measured: dict[str, Any] = {"val_loss": _loss(training, batch).detach()}
            if hasattr(training.task, "metrics"):
                with training.recipe.autocast():
                    found = training.task.metrics(training.model, batch)
                measured |= losses.metrics(found, training.race.task)
            return measured
    except RuntimeError as error:
        if training.validates_with_gradients or "grad" not in str(error):
            raise
    training.validates_with_gradients = True
    return _measured(training, batch)


def _sample(training: Training, epoch: int) -> Events:
    """The task's sample of the present model, if it has one; restores the random state."""
    if not hasattr(training.task, "sample"):
        return
    weights = averaging.evaluation_weights(training.model, training.optimizer)
    training.model.eval()
    with (
        torch.no_grad(),
        rng.preserved(training.device),
        training.recompute.without_trace("a sample"),
        averaging.replaced(training.model, weights),
        training.recipe.autocast(),
    ):
        pixels = as_pixels(training.task.sample(training.model))
    training.step_recorder.clock.start()
    yield Sampled(
        lane=training.index,
        epoch=epoch,
        step=training.step_recorder.step,
        shape=pixels.shape,
        pixels=pixels.tobytes(),
    )


def _end_nan(training: Training, error: NonFinite) -> Events:
    """Ends a lane whose update was refused; its sample shows the weights from before the update."""
    yield from training.step_recorder.flush(last=True)
    yield Alerted(
        lane=training.index, step=error.step, kind="nan", text=f"{error} at step {error.step}"
    )
    yield from _sample(training, epoch=training.progress.epochs_ended)
    yield Ended(lane=training.index, step=error.step, reason="nan")


def as_pixels(images: Tensor) -> np.ndarray:
    """Images N x C x H x W in 0..1 as uint8 of shape (N, H, W, 3): at most MAX_IMAGES, sides at
    most MAX_SIDE."""
    if not isinstance(images, Tensor) or images.dim() != 4 or images.shape[1] not in (1, 3):
        shape = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise TaskError(f"sample() gave {shape}", "expected a tensor N x C x H x W with C = 1 or 3")
    stride = max(1, math.ceil(max(images.shape[2:]) / MAX_SIDE))
    small = images[:MAX_IMAGES, :, ::stride, ::stride].detach().float().cpu()
    bytes_ = (torch.nan_to_num(small).clamp(0, 1) * 255).round().to(torch.uint8)
    return bytes_.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()
