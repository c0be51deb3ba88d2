"""Lengthens a lane: how long it is then, and which length its schedule is made for. Says so in
words."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from lrtui.core.errors import LrtuiError
from lrtui.core.numbers import rate as rate_text
from lrtui.core.protocol.commands import Lengthen
from lrtui.core.scenario.spec import Lane, Length, Race
from lrtui.training.optimizers import adapts
from lrtui.training.preview import preview
from lrtui.training.session import Training
from lrtui.training.training_length import schedule_length, training_length

FORECAST_S = 0.1
"""Seconds that a look at the rates to come may take."""
FLAT = 1e-6
"""Rates that differ by less than this part are called equal."""


class Extension(NamedTuple):
    """A command to lengthen a lane, and the state of the lane that it meets."""

    command: Lengthen
    ended: bool
    """True if the lane has ended: what is added counts from its last state, not from its budget."""

    def lengthened(
        self, index: int, state: dict[str, Any], race: Race, steps_per_epoch: int | None
    ) -> Lane:
        """The settings of lane `index` after the command. `race`: with the budget of the lane,
        `state`: its `Training.state_dict`. Raises LrtuiError for epochs of unknown length."""
        command, lane = self.command, race.lanes[index]
        before = training_length(race, steps_per_epoch)
        made_for = schedule_length(lane, before)
        if command.epochs and steps_per_epoch is None:
            raise LrtuiError(
                "the training data has no length, so that epochs have no number of steps",
                "expected a number of steps",
            )
        whole = not (state.get("position") or state["validating"])
        by_epochs = race.epochs is not None and command.epochs > 0 and (whole or not self.ended)
        each = steps_per_epoch or before.steps
        if by_epochs:
            epochs = (state["epochs_ended"] if self.ended else before.epochs) + command.epochs
            steps = epochs * each
        else:
            first = state["step"] if self.ended else before.steps
            steps = first + command.steps + command.epochs * each
            epochs = math.ceil(steps / (steps_per_epoch or steps))
        length = Length(steps, epochs, by_epochs=by_epochs, pauses=command.pause)
        kept = Length(made_for.steps, made_for.epochs)
        return msgspec.structs.replace(
            lane,
            length=length,
            schedule_length=Length(steps, epochs) if command.reschedule else kept,
        )


def words(training: Training) -> str:
    """What became of a lane that was lengthened, in a sentence."""
    end = ", where it pauses" if training.progress.pauses else ""
    here = f"trains on from step {training.step_recorder.step} to step {training.length.steps}{end}"
    return "; ".join(filter(None, (here, _of_schedule(training))))


def _of_schedule(training: Training) -> str:
    lane, length = training.lane, training.length
    if lane.schedule is None:
        return ""
    name, step, made_for = lane.schedule.name, training.step_recorder.step, training.made_for
    if training.schedule.wants_metric:
        return f"{name} goes on: it follows the validation loss, whatever the length"
    interval = lane.schedule.interval
    unit = "step" if interval == "batch" else "epoch"
    counted = f"{made_for.count(interval)} {unit}{'' if made_for.count(interval) == 1 else 's'}"
    now = f"{rate_text(training.next_rate)} now"
    if made_for == length:
        how = f"{name} is made for all {counted}"
    elif training.schedule.has_ended:
        return f"{name}, made for {counted}, has ended: its last rate is held, {now}"
    else:
        how = f"{name}, made for {counted}, goes on as its formula says"
    if (
        lane.schedule.runs_code
        or adapts(training.optimizer.param_groups[0])
        or (training.data.length is None and training.schedule.by_epoch)
    ):
        return f"{how}: rate {now}"
    plan = preview(lane, length, training.steps_per_epoch, FORECAST_S, training.unscheduled)
    factor = training.dial.factor
    coming = [rate * factor for at, rate in zip(plan.steps, plan.rates, strict=True) if at > step]
    if not coming or plan.cut is not None:
        return f"{how}: rate {now}"
    last, highest = coming[-1], max(coming)
    between = (
        f", up to {rate_text(highest)} between"
        if highest > max(last, training.next_rate) * (1 + FLAT)
        else ""
    )
    return f"{how}: rate {now}, {rate_text(last)} at the end{between}"
