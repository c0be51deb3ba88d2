"""The training session of one lane: model, data, optimizer, schedule and step recorder; saved and
restored as one state_dict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import torch

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.diagnostics.schedule_check import SWEEPS
from lrtui.core.errors import ScenarioError, SnapshotUnfit, TaskError
from lrtui.core.scenario.spec import Lane, Race
from lrtui.training import (
    fetching,
    optimizers,
    param_groups,
    rng,
    snapshot as snapshots,
    task as tasks,
)
from lrtui.training.batch import to_device
from lrtui.training.batches import Batches, loader
from lrtui.training.datasets import datasets
from lrtui.training.dial import Dial
from lrtui.training.gauge import Gauge
from lrtui.training.order import weights_checksum
from lrtui.training.reachable import Reachable
from lrtui.training.recompute import Recompute
from lrtui.training.schedules import Schedule
from lrtui.training.step_recorder import StepRecorder
from lrtui.training.training_length import training_length


class Training:
    """One lane's model, data, optimizer and schedule, built as loop.py says.

    With a `snapshot`, a `state_dict` of this lane or another one of the race, the session resumes
    from there; raises SnapshotUnfit if the task has changed since.
    """

    def __init__(
        self,
        race: Race,
        index: int,
        device: torch.device,
        *,
        deferred: bool | None = None,
        snapshot: dict[str, Any] | None = None,
    ) -> None:
        lane = race.lanes[index]
        self.race, self.index, self.device = race, index, device
        rng.seed_all(race.seed)  # a task's file may draw random numbers when it is imported
        self.task = tasks.load(race.task)
        rng.seed_all(race.seed)
        training_data, validation_data, notes = datasets(self.task)
        unseen = validation_data is None or not race.validate
        self.validation = None if unseen else loader(validation_data, batch_size=race.batch_size)
        rng.seed_all(race.seed)
        self.model = tasks.new_model(self.task).to(device)
        self.generators = Reachable(
            {
                "task": self.task,
                "data": training_data,
                "validation data": validation_data,
                "model": self.model,
            }
        ).generators()
        """Random generators that the task's objects hold."""
        self.data = Batches(training_data, race, device, self.generators)
        self._materialise()
        self.init_checksum = weights_checksum(self.model)
        groups = param_groups.of_task(self.task, self.model, lane.optimizer, lane.lr)
        self.optimizer = optimizers.build(lane.optimizer, groups, lane.lr)
        self.left_out = param_groups.left_out(self.optimizer.param_groups, self.model)
        """A sentence about parameters that no param group holds; '' if all are trained."""
        self.unscheduled = [
            {key: value for key, value in group.items() if key != "params"}
            for group in self.optimizer.param_groups
        ]
        """The param groups, without parameters, before a schedule changes them."""
        self.closure = optimizers.wants_closure(self.optimizer)
        self.length = training_length(race, self.data.length)
        self.steps_per_epoch = self.data.length or self.length.steps
        self.schedule = Schedule(lane.schedule, self.optimizer, lane.lr, self.length)
        if self.schedule.wants_metric and self.validation is None:
            raise ScenarioError(
                f"{lane.schedule} looks at the validation loss, and {race.task} has no validation"
                " data",
                "expected a task whose dataset() gives a pair (training, validation)",
            )
        self.batch_checksum = self.data.checksum
        # before the hooks that record the applied rates
        self.dial = Dial(self.optimizer)
        self.recompute = Recompute(self.task, self.model, device, self.generators, self.validation)
        gauge = (
            None
            if self.closure or not race.gauge
            else Gauge(
                index, self.model, self.optimizer, Sampling(self.length.steps), self.recompute
            )
        )
        self.step_recorder = StepRecorder(
            index,
            self.model,
            self.optimizer,
            self.length.steps,
            self.dial,
            gauge,
            closure=self.closure,
            deferred=device.type != "cpu" and not self.closure if deferred is None else deferred,
            sweeps=lane.schedule is not None and lane.schedule.name in SWEEPS,
        )
        self.epochs_ended = 0
        self.epoch_began = 0
        """Step number with which the present epoch began."""
        self.notes = [*notes, *self._unused_keys()] if index == 0 and snapshot is None else []
        """Log lines about the race's data, which the first lane writes for all."""
        self.batch: Any = None
        """The batch of the present step; None between two steps."""
        self.validates_with_gradients = False
        self.before_validation: rng.RandomState | None = None
        """Random state at the beginning of the present validation; None outside of one."""
        rng.seed_all(race.seed)
        if snapshot is not None:
            self.load_state_dict(snapshot)

    def _materialise(self) -> None:
        """Gives lazy layers their shapes: computes the loss of the first batch once, in eval mode,
        without another trace."""
        if not any(
            map(torch.nn.parameter.is_lazy, (*self.model.parameters(), *self.model.buffers()))
        ):
            return
        before = rng.capture(self.device, self.generators)
        state = Reachable({"task": self.task}).save()
        batch = to_device(next(self.data.epoch(0, 0)), self.device)
        self.data.close()
        # draws the weights as if right after model()
        rng.restore(before, self.device, self.generators)
        self.model.eval()
        with torch.no_grad():
            self.task.loss(self.model, batch)
        self.model.train()
        own = {id(record.thing) for record in Reachable({"model": self.model}).save().records}
        state.restore(keep=frozenset(own))

    @property
    def next_rate(self) -> float:
        """The rate of the first param group at the next step."""
        return self.dial.rates()[0]

    def set_factor(self, factor: float) -> None:
        """Sets the dial to `factor` (finite, above 0) from the next step on; call it between two
        steps."""
        self.dial.factor = factor
        self.step_recorder.dial_turned()

    def ends_epoch(self, step: int) -> bool:
        """True if an epoch or the budget ends with `step` (counted from 0), or may end: the next
        rate is then unknown."""
        if not self.data.exact and self.schedule.by_epoch:
            return True
        return step + 1 - self.epoch_began == self.data.length or step + 1 == self.length.steps

    @property
    def epoch_is_whole(self) -> bool:
        """At an epoch's end: True if the data ended it, False if a budget in steps did."""
        step, budget = self.step_recorder.step, self.race.steps
        return budget is None or step < budget or step - self.epoch_began == self.data.length

    @property
    def over(self) -> bool:
        """True if the budget is used up and its last epoch has ended."""
        if self.race.steps is not None:
            return self.epoch_began >= self.race.steps
        return self.epochs_ended == self.race.epochs

    def batches(self) -> Iterator[Any]:
        """The present epoch's remaining batches, on the device, as many as the budget allows."""
        # a snapshot from within a validation: the epoch's batches are done
        if self.before_validation is not None:
            return
        done, budget = self.step_recorder.step - self.epoch_began, self.race.steps
        if self.step_recorder.step == budget:
            return
        for batch in self.data.epoch(self.epochs_ended, done):
            if not self.data.exact:
                # the previous step did not end the epoch
                self.step_recorder.schedule_known()
            done += 1
            self.batch = to_device(batch, self.device)
            yield self.batch
            self.batch = None
            if self.step_recorder.step == budget:
                return
        if not done:
            raise TaskError(
                f"dataset() gave no batch in epoch {self.epochs_ended + 1}",
                "expected samples, and an __iter__ that begins anew in each epoch",
            )
        if self.data.length not in (None, done) and self.index == 0 and not self.epochs_ended:
            self.notes.append(
                f"the training data has a length of {self.data.length} batches, and an epoch gave"
                f" {done}: the steps of the budget are counted by the length"
            )

    def close(self) -> None:
        """Ends the data's worker processes."""
        self.data.close()
        if self.validation is not None:
            fetching.end_workers(self.validation)

    def state_dict(self) -> dict[str, Any]:
        """A copy of the lane's whole state between two steps: training may go on while it is
        encoded.

        Allowed at every None that `train_lane` yields, within a validation too, and before the
        first step, after `step_recorder.flush()` if its `non_finite` is still None. Raises
        LrtuiError if the lane holds something that cannot be stored.
        """
        lane = self.race.lanes[self.index]
        state = {
            "format": snapshots.FORMAT,
            "lane": msgspec.json.encode(lane),
            "schedule": self.schedule.state_dict(),
            "step": self.step_recorder.step,
            "epochs_ended": self.epochs_ended,
            "epoch_began": self.epoch_began,
            "validating": self.before_validation is not None,
            "model": self.model.state_dict(),
            "buffers": snapshots.unlisted(self.model),
            "optimizer": [
                snapshots.optimizer_state(part) for part in snapshots.parts(self.optimizer)
            ],
            "factor": self.dial.factor,
            "probe": self.step_recorder.state_dict(),
            "batches": self.data.state_dict(),
            "random": rng.packed(
                self.before_validation or rng.capture(self.device, self.generators)
            ),
        }
        kept: dict[str, Any] = snapshots.plain(state, f"lane {lane.letter}", {})
        return kept

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state`, which is not modified, into a lane that was just built.

        A fork with changes keeps its own options: an optimizer of another kind, and another
        schedule or initial rate, begin anew, the schedule advanced as if it had run from the start.
        Raises SnapshotUnfit if model or data differ from those of the snapshot.
        """
        lane = self.race.lanes[self.index]
        try:
            before = msgspec.json.decode(state["lane"], type=Lane)
            snapshots.restore_model(self.model, state)
            self._restore_rates(before, state)
            self.epochs_ended = state["epochs_ended"]
            # not in snapshots of earlier versions
            self.epoch_began = state.get("epoch_began", self.epochs_ended * self.steps_per_epoch)
            self.data.load_state_dict(state["batches"])
            self.dial.factor = state["factor"]
            self.step_recorder.load_state_dict(state["probe"])
            random = rng.unpacked(state["random"], self.device)
            self.before_validation = random if state["validating"] else None
            rng.restore(random, self.device, self.generators)
        except (
            LookupError,
            ValueError,
            TypeError,
            AttributeError,
            RuntimeError,
            msgspec.MsgspecError,
        ) as error:
            raise SnapshotUnfit(
                f"lane {lane.letter}: the snapshot after step {state.get('step')} does not fit:"
                f" {error}",
                f"expected {self.race.task} as it was when the race began",
            ) from error

    def _restore_rates(self, before: Lane, state: dict[str, Any]) -> None:
        """Restores optimizer and schedule; `before` is the lane as it was in the snapshot."""
        lane, optimizer = self.race.lanes[self.index], self.optimizer
        given, was = lane.optimizer.options, before.optimizer.options
        changed = {key for key in given | was if given.get(key) != was.get(key)}
        same_kind = lane.optimizer.name == before.optimizer.name
        same_plan = same_kind and (lane.lr, lane.schedule) == (before.lr, before.schedule)
        if changed and self.schedule.can_jump:
            # its position is a function of the step; it may be one that moves the momentum, too
            same_plan = False
        if same_kind:
            for part, kept in zip(snapshots.parts(optimizer), state["optimizer"], strict=True):
                groups = snapshots.restore_part(part, kept)
                for group, loaded in zip(
                    part.param_groups, groups if same_plan else [], strict=same_plan
                ):
                    group.update(
                        {key: value for key, value in loaded.items() if key not in changed}
                    )
        optimizer._opt_called = True  # type: ignore[attr-defined]  # torch's schedulers warn where it has not stepped
        if same_plan:
            self.schedule.load_state_dict(state["schedule"])
        else:
            self.schedule.catch_up(state["step"], state["epochs_ended"])

    def _unused_keys(self) -> list[str]:
        """A note about the race's batch options if the task makes its batches itself."""
        given = {"batch_size": self.race.batch_size_given, "drop_last": self.race.drop_last}
        asked = [name for name, value in given.items() if value]
        size = self.data.batch_size
        if (
            not self.data.own
            or not asked
            or (asked == ["batch_size"] and size == self.race.batch_size)
        ):
            return []
        own = "of a size of their own" if size is None else f"of {size}"
        return [
            f"{' and '.join(asked)} not used: dataset() gives a DataLoader, whose batches are {own}"
        ]
