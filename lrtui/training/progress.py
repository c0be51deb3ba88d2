"""How far a lane is in its data and its budget: cuts epochs into steps, and says what follows a
step. Saved and restored with the lane."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from lrtui.core.errors import TaskError
from lrtui.training import rng
from lrtui.training.batch import to_device

if TYPE_CHECKING:
    from lrtui.training.session import Training


class Progress:
    """The position of `training`, whose data, budget and recorder are built."""

    def __init__(self, training: Training) -> None:
        self.epochs_ended = 0
        self.epoch_began = 0
        """Step number with which the present epoch began."""
        self.position = 0
        """Batches of the present epoch that were taken."""
        self.batch: Any = None
        """The present batch; None between two of them."""
        self.before_validation: rng.RandomState | None = None
        """Random state at the beginning of the present validation; None outside of one."""
        self.validates_within = False
        """True if the present validation, or one that is due, is not that of an epoch's end."""
        self.validated_at = -1
        """Steps done at the last validation within an epoch."""
        self.evaluated: dict[str, float] = {}
        """Metrics of the validation that has just ended, until the next step."""
        self._training, self._race, self._data = training, training.race, training.data
        self._recorder, self._accumulation = training.step_recorder, training.recipe.accumulation

    def ends_epoch(self, step: int) -> bool:
        """True if an epoch or the budget ends with `step` (counted from 0), or may end: the next
        rate is then unknown."""
        if not self._data.exact and self._training.schedule.by_epoch:
            return True
        return self.position == self._data.length or step + 1 == self._training.length.steps

    @property
    def epoch_is_whole(self) -> bool:
        """At an epoch's end: True if the data ended it, False if a budget in steps did."""
        step, budget = self._recorder.step, self._race.steps
        return budget is None or step < budget or self.position == self._data.length

    @property
    def validation_due(self) -> bool:
        """After a step: True if `validate_every` asks for a validation, and no epoch ends with
        it."""
        step, every = self._recorder.step, self._race.validate_every
        if not every or step % every or self._training.validation is None:
            return False
        return self.position != self._data.length and step != self._training.length.steps

    @property
    def validates_epoch(self) -> bool:
        """At an epoch's end: True if it is validated: each one, or with `validate_every` those
        whose step is due, the last one, and where the schedule looks at the result."""
        step, every = self._recorder.step, self._race.validate_every
        if not every or self._training.schedule.wants_metric:
            return True
        last = step == self._training.length.steps or self.epochs_ended + 1 == self._race.epochs
        return (last or step % every == 0) and self.validated_at != step

    @property
    def pauses(self) -> bool:
        """True if the lane pauses at the end of its budget."""
        length = self._race.lanes[self._training.index].length
        return length is not None and length.pauses

    @property
    def at_end(self) -> bool:
        """True between two steps if the budget is used up, in a state from which a longer lane can
        go on as if it had been so from the start: where a budget cuts an epoch, before its end;
        else after the last one's."""
        cut = self._recorder.step == self._race.steps and 0 < self.position != self._data.length
        return cut or self.over

    @property
    def over(self) -> bool:
        """True if the budget is used up and its last epoch has ended."""
        if self._race.steps is not None:
            return self.epoch_began >= self._race.steps
        return self.epochs_ended == self._race.epochs

    def steps(self) -> Iterator[Iterator[Any]]:
        """The micro-batches of each remaining step of the present epoch, on the device: as many as
        the recipe accumulates, fewer at the end of the data. An open step is gone on with."""
        batches = self._batches()
        for batch in batches:
            if not self._accumulation.done:
                self._accumulation.begin(self._micro_batches())
            missing = self._accumulation.size - self._accumulation.done
            yield chain((batch,), islice(batches, missing - 1))
        if self._accumulation.done:  # a snapshot of the last, short one
            yield iter(())

    def _micro_batches(self) -> int:
        """Number of micro-batches that the step of the batch just taken is expected to have."""
        size, length = self._training.recipe.spec.accumulate, self._data.length
        left = size if length is None else length - (self.position - 1)
        return min(size, left) if left > 0 else size

    def _batches(self) -> Iterator[Any]:
        """The present epoch's remaining batches, on the device, as many as the budget allows."""
        # a snapshot from within the validation at its end: the epoch's batches are done
        if self.before_validation is not None and not self.validates_within:
            return
        budget = self._race.steps
        if self._recorder.step == budget:
            return
        if self._data.exact and 0 < self.position != self._data.length:
            # a snapshot from a step that a shorter budget ended with
            self._recorder.schedule_known()
        for batch in self._data.epoch(self.epochs_ended, self.position):
            if not self._data.exact:
                # the previous step did not end the epoch
                self._recorder.schedule_known()
            self.position += 1
            self.batch = to_device(batch, self._training.device)
            yield self.batch
            self.batch = None
            if self._recorder.step == budget:
                return
        done = self.position
        if not done:
            raise TaskError(
                f"dataset() gave no batch in epoch {self.epochs_ended + 1}",
                "expected samples, and an __iter__ that begins anew in each epoch",
            )
        if (
            self._data.length not in (None, done)
            and self._training.index == 0
            and not self.epochs_ended
        ):
            self._training.notes.append(
                f"the training data has a length of {self._data.length} batches, and an epoch gave"
                f" {done}: the steps of the budget are counted by the length"
            )

    def end_epoch(self) -> None:
        """Begins the next epoch."""
        self.epochs_ended += 1
        self.epoch_began, self.position = self._recorder.step, 0

    def state_dict(self) -> dict[str, Any]:
        """The position, as plain values; the random state is the caller's."""
        return {
            "epochs_ended": self.epochs_ended,
            "epoch_began": self.epoch_began,
            "position": self.position,
            "validating": self.before_validation is not None,
            "validates_within": self.validates_within,
            "validated_at": self.validated_at,
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Restores what `state_dict` returned, the random state apart."""
        self.epochs_ended = kept["epochs_ended"]
        # not in snapshots of earlier versions, which knew no micro-batches
        usual = self.epochs_ended * self._training.steps_per_epoch
        self.epoch_began = kept.get("epoch_began", usual)
        self.position = kept.get("position", kept["step"] - self.epoch_began)
        self.validates_within = kept.get("validates_within", False)
        self.validated_at = kept.get("validated_at", -1)
