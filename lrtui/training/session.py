"""The training session of one lane: model, data, optimizer, schedule and step recorder; saved and
restored as one state_dict."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

import msgspec
import torch
from torch import Tensor

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.diagnostics.schedule_check import SWEEPS
from lrtui.core.errors import ScenarioError, SnapshotUnfit, TaskError
from lrtui.core.scenario.spec import Lane, Race
from lrtui.training import (
    averaging,
    compiling,
    fetching,
    lazy_layers,
    losses,
    optimizers,
    param_groups,
    recipe as recipes,
    rng,
    snapshot as snapshots,
    task as tasks,
)
from lrtui.training.averaging import WeightAverage
from lrtui.training.batch import to_device
from lrtui.training.batches import Batches, loader, unused_options
from lrtui.training.datasets import datasets
from lrtui.training.dial import Dial
from lrtui.training.gauge import Gauge
from lrtui.training.order import weights_checksum
from lrtui.training.reachable import Reachable
from lrtui.training.recipe import Accumulation, Clipping, LossScaler
from lrtui.training.recompute import Recompute
from lrtui.training.schedules import Schedule
from lrtui.training.step_recorder import StepRecorder
from lrtui.training.training_length import training_length


# More than 20 attributes: a session is the list of a lane's parts, which the loop names singly.
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
        self.race, self.index, self.device = race, index, device
        self.recipe = race.lanes[index].recipe
        recipes.check_device(self.recipe.precision, device)
        recipes.set_matmul_precision(self.recipe.precision)
        rng.seed_all(race.seed)  # a task's file may draw random numbers when it is imported
        self.task = tasks.load(race.task)
        notes = self._build_data_and_model()
        self._build_optimizer()
        self._build_recipe()
        # after the dial's hook: it must see the applied rates
        self.step_recorder = self._build_recorder(deferred)
        self.epochs_ended = 0
        self.epoch_began = 0
        """Step number with which the present epoch began."""
        self.position = 0
        """Batches of the present epoch that were taken."""
        notes = [*notes, *unused_options(race, self.data)]
        self.notes = notes if index == 0 and snapshot is None else []
        """Log lines about the race's data, which the first lane writes for all."""
        self.batch: Any = None
        """The batch of the present step; None between two steps."""
        self.validates_with_gradients = False
        self.before_validation: rng.RandomState | None = None
        """Random state at the beginning of the present validation; None outside of one."""
        self.validates_within = False
        """True if the present validation, or one that is due, is not that of an epoch's end."""
        self.validated_at = -1
        """Steps done at the last validation within an epoch."""
        self.own_notes = self._compile()
        """Log lines about this lane."""
        rng.seed_all(race.seed)
        if snapshot is not None:
            self.load_state_dict(snapshot)

    def _build_data_and_model(self) -> Sequence[str]:
        """Builds data and model, each from the race's seed; returns notes about the data."""
        race, device = self.race, self.device
        rng.seed_all(race.seed)
        training_data, validation_data, notes = datasets(self.task)
        unseen = validation_data is None or not race.validate
        self.validation = None if unseen else loader(validation_data, batch_size=race.batch_size)
        rng.seed_all(race.seed)
        self.model = tasks.new_model(self.task).to(device)
        holders = {
            "task": self.task,
            "data": training_data,
            "validation data": validation_data,
            "model": self.model,
        }
        self.generators = Reachable(holders).generators()
        """Random generators that the task's objects hold."""
        self.data = Batches(training_data, race, device, self.generators)
        lazy_layers.materialise(self.task, self.model, self.data, device, self.generators)
        self.init_checksum = weights_checksum(self.model)
        return notes

    def _build_optimizer(self) -> None:
        """Builds optimizer, schedule and dial."""
        race, lane = self.race, self.race.lanes[self.index]
        groups = param_groups.of_task(self.task, self.model, lane.optimizer, lane.lr)
        self.optimizer = optimizers.build(lane.optimizer, groups, lane.lr)
        self.unscheduled = [
            {key: value for key, value in group.items() if key != "params"}
            for group in self.optimizer.param_groups
        ]
        """The param groups, without parameters, before a schedule changes them."""
        self.closure = optimizers.wants_closure(self.optimizer)
        self.length = training_length(race, self.steps_of_an_epoch)
        self.schedule = Schedule(lane.schedule, self.optimizer, lane.lr, self.length)
        if averaging.has_modes(self.optimizer):
            self.optimizer.train()  # type: ignore[attr-defined]  # as just seen
        if self.schedule.wants_metric and self.validation is None:
            raise ScenarioError(
                f"{lane.schedule} looks at the validation loss, and {race.task} has no validation"
                " data",
                "expected a task whose dataset() gives a pair (training, validation)",
            )
        self.batch_checksum = self.data.checksum
        self.dial = Dial(self.optimizer)

    def _build_recipe(self) -> None:
        """Builds what stands around backward() and step()."""
        recipe = self.recipe
        if self.closure and recipe.precision == "fp16":
            raise ScenarioError(
                f'precision = "fp16": {self.race.lanes[self.index].optimizer.name} computes the'
                " loss itself, which torch's GradScaler cannot scale",
                'expected precision = "bf16" or "fp32", or another optimizer',
            )
        self.scaler = LossScaler(recipe.precision, self.device)
        self.clipping = Clipping(recipe, self.model)
        self.accumulation = Accumulation(self.model, self.scaler)
        self.average = WeightAverage(self.model, recipe.ema) if recipe.ema else None

    def _compile(self) -> list[str]:
        """Compiles the model if the recipe asks for it; returns lines for the log."""
        if not self.recipe.compile:
            return []

        def first_loss() -> Tensor:
            batch = to_device(next(self.data.epoch(0, 0)), self.device)
            self.data.close()
            return losses.scalar(self.loss(batch), self.race.task)

        line = compiling.compile_model(
            self.model, self.recipe.compile, first_loss, self.task, self.device, self.generators
        )
        return [line]

    def loss(self, batch: Any) -> Any:
        """What the task's loss() returns, computed in the recipe's precision."""
        with recipes.autocast(self.recipe.precision, self.device):
            return self.task.loss(self.model, batch)

    def _build_recorder(self, deferred: bool | None) -> StepRecorder:
        """Builds the step recorder, and the gauge unless the race or a closure rules it out."""
        lane, device, gauge = self.race.lanes[self.index], self.device, None
        self.recompute = Recompute(
            self.task,
            self.model,
            device,
            self.generators,
            self.validation,
            # compiled code without gradients would be another one, and compiled anew
            graph=bool(self.recipe.compile),
        )
        if self.race.gauge and not self.closure:
            sampling = Sampling(self.length.steps)
            gauge = Gauge(self.index, self.model, self.optimizer, sampling, self.recompute)
        return StepRecorder(
            self.index,
            self.model,
            self.optimizer,
            self.length.steps,
            self.dial,
            gauge,
            closure=self.closure,
            deferred=device.type != "cpu" and not self.closure if deferred is None else deferred,
            scaled=self.scaler.active,
            sweeps=lane.schedule is not None and lane.schedule.name in SWEEPS,
        )

    @property
    def steps_of_an_epoch(self) -> int | None:
        """Optimizer steps of an epoch; None if its length is unknown."""
        length = self.data.length
        return None if length is None else math.ceil(length / self.recipe.accumulate)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch; of the whole budget if an epoch's length is unknown."""
        return self.steps_of_an_epoch or self.length.steps

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
        return self.position == self.data.length or step + 1 == self.length.steps

    @property
    def epoch_is_whole(self) -> bool:
        """At an epoch's end: True if the data ended it, False if a budget in steps did."""
        step, budget = self.step_recorder.step, self.race.steps
        return budget is None or step < budget or self.position == self.data.length

    @property
    def validation_due(self) -> bool:
        """After a step: True if `validate_every` asks for a validation, and no epoch ends with
        it."""
        step, every = self.step_recorder.step, self.race.validate_every
        if not every or step % every or self.validation is None:
            return False
        return self.position != self.data.length and step != self.length.steps

    @property
    def validates_epoch(self) -> bool:
        """At an epoch's end: True if it is validated: each one, or with `validate_every` those
        whose step is due, the last one, and where the schedule looks at the result."""
        step, every = self.step_recorder.step, self.race.validate_every
        if not every or self.schedule.wants_metric:
            return True
        last = step == self.length.steps or self.epochs_ended + 1 == self.race.epochs
        return (last or step % every == 0) and self.validated_at != step

    @property
    def over(self) -> bool:
        """True if the budget is used up and its last epoch has ended."""
        if self.race.steps is not None:
            return self.epoch_began >= self.race.steps
        return self.epochs_ended == self.race.epochs

    def steps(self) -> Iterator[Iterator[Any]]:
        """The micro-batches of each remaining step of the present epoch, on the device: as many as
        the recipe accumulates, fewer at the end of the data. An open step is gone on with."""
        batches = self._batches()
        for batch in batches:
            if not self.accumulation.done:
                self.accumulation.begin(self._micro_batches())
            missing = self.accumulation.size - self.accumulation.done
            yield chain((batch,), islice(batches, missing - 1))
        if self.accumulation.done:  # a snapshot of the last, short one
            yield iter(())

    def _micro_batches(self) -> int:
        """Number of micro-batches that the step of the batch just taken is expected to have."""
        size, length = self.recipe.accumulate, self.data.length
        left = size if length is None else length - (self.position - 1)
        return min(size, left) if left > 0 else size

    def _batches(self) -> Iterator[Any]:
        """The present epoch's remaining batches, on the device, as many as the budget allows."""
        # a snapshot from within the validation at its end: the epoch's batches are done
        if self.before_validation is not None and not self.validates_within:
            return
        budget = self.race.steps
        if self.step_recorder.step == budget:
            return
        for batch in self.data.epoch(self.epochs_ended, self.position):
            if not self.data.exact:
                # the previous step did not end the epoch
                self.step_recorder.schedule_known()
            self.position += 1
            self.batch = to_device(batch, self.device)
            yield self.batch
            self.batch = None
            if self.step_recorder.step == budget:
                return
        done = self.position
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
            "position": self.position,
            "accumulation": self.accumulation.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "validating": self.before_validation is not None,
            "validates_within": self.validates_within,
            "validated_at": self.validated_at,
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
            snapshots.restore_rates(lane, before, self.optimizer, self.schedule, state)
            self.epochs_ended = state["epochs_ended"]
            # not in snapshots of earlier versions
            self.epoch_began = state.get("epoch_began", self.epochs_ended * self.steps_per_epoch)
            self.position = state.get("position", state["step"] - self.epoch_began)
            self.accumulation.load_state_dict(state.get("accumulation"))
            self.scaler.load_state_dict(state.get("scaler", {}))
            self._restore_average(state.get("average"))
            self.data.load_state_dict(state["batches"])
            self.dial.factor = state["factor"]
            self.step_recorder.load_state_dict(state["probe"])
            random = rng.unpacked(state["random"], self.device)
            self.before_validation = random if state["validating"] else None
            self.validates_within = state.get("validates_within", False)
            self.validated_at = state.get("validated_at", -1)
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

    def _restore_average(self, kept: dict[str, Any] | None) -> None:
        """Restores the averaged weights; a fork that begins to average starts from the weights."""
        if self.average is None:
            return
        if kept is None:
            self.average = WeightAverage(self.model, self.recipe.ema)
        else:
            self.average.load_state_dict(kept)
