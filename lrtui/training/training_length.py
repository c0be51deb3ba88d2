"""The length of a lane's training, in optimizer steps and in epochs."""

from __future__ import annotations

import math
from typing import NamedTuple

from lrtui.core.errors import TaskError
from lrtui.core.scenario.spec import Interval, Lane, Race


class TrainingLength(NamedTuple):
    """The budget of a lane: optimizer steps and (begun) epochs."""

    steps: int
    epochs: int

    def count(self, interval: Interval) -> int:
        """The budget in scheduler steps: batches or epochs."""
        return self.steps if interval == "batch" else self.epochs


def epoch_steps(batches: int, lane: Lane) -> int:
    """Optimizer steps of an epoch of `batches`, the last of which may be of fewer batches."""
    return math.ceil(batches / lane.recipe.accumulate)


def schedule_length(lane: Lane, length: TrainingLength) -> TrainingLength:
    """The length that the schedule of a lane of this length is made for: shorter for a lane that
    was lengthened and whose schedule was not made anew."""
    made = lane.schedule_length
    return TrainingLength(made.steps, made.epochs) if made else length


def training_length(race: Race, steps_per_epoch: int | None) -> TrainingLength:
    """The race's budget; one epoch if it is in steps and an epoch's length is unknown (None)."""
    if race.steps is not None:
        return TrainingLength(race.steps, math.ceil(race.steps / (steps_per_epoch or race.steps)))
    assert race.epochs is not None
    if steps_per_epoch is None:
        raise TaskError(
            "the training data has no length: a budget in epochs has no number of steps",
            "expected a budget in steps, as in steps = 1000 or --steps 1000, or a dataset with"
            " __len__",
        )
    return TrainingLength(race.epochs * steps_per_epoch, race.epochs)
