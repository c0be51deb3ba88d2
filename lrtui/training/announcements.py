"""The events that introduce a lane before its first step: its size, its rates to come, its data."""

from __future__ import annotations

import torch

from lrtui.core.protocol.events import LogMessage, ScheduleForecast, Started
from lrtui.core.text import one_line
from lrtui.training import param_groups
from lrtui.training.optimizers import adapts
from lrtui.training.preview import preview, thinned
from lrtui.training.session import Training

FORECAST_S = 0.1
"""Seconds that a look ahead in the schedule may take: the lane waits for it."""


def started(training: Training) -> Started:
    """The event that says how a lane begins."""
    return Started(
        lane=training.index,
        device=str(training.device),
        steps_per_epoch=training.steps_per_epoch,
        total_steps=training.length.steps,
        parameters=sum(p.numel() for p in training.model.parameters() if p.requires_grad),
        init_checksum=training.init_checksum,
        batch_checksum=training.batch_checksum,
        intra_op_threads=torch.get_num_threads(),
        validated=training.validation is not None,
        first=training.step_recorder.flushed_steps,
        batch_size=training.data.batch_size or 0,
        length_known=training.data.length is not None,
        groups=param_groups.names(training.optimizer.param_groups),
    )


def forecast(training: Training) -> list[ScheduleForecast | LogMessage]:
    """The rates to come if they are known and change, without running the user's code; a log line
    if the schedule waits for ends of epochs of unknown length."""
    lane = training.race.lanes[training.index]
    if training.data.length is None and training.schedule.by_epoch:
        if training.step_recorder.step:
            return []
        text = (
            f"{lane.schedule} steps at the end of each pass over the training data, whose length is"
            ' not known: interval = "batch" counts steps'
        )
        return [LogMessage(lane=training.index, text=one_line(text))]
    if lane.schedule is None or lane.schedule.runs_code or training.schedule.wants_metric:
        return []
    if adapts(training.optimizer.param_groups[0]):
        return []  # the rate depends on the losses
    groups = training.unscheduled
    plan = thinned(preview(lane, training.length, training.steps_per_epoch, FORECAST_S, groups))
    if len(plan.rates) < 2:
        return []
    return [
        ScheduleForecast(lane=training.index, steps=plan.steps, rates=plan.rates, total=plan.known)
    ]


def take_notes(training: Training) -> list[LogMessage]:
    """Removes the notes about the race's data and about the lane, and returns them as events."""
    events = [
        LogMessage(lane=lane, text=one_line(note))
        for lane, notes in ((-1, training.notes), (training.index, training.own_notes))
        for note in notes
    ]
    training.notes.clear()
    training.own_notes.clear()
    return events
