"""The training session of one lane: model, data, optimizer, schedule and step recorder; saved and
restored as one state_dict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import torch
from torch import Tensor

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.diagnostics.schedule_check import SWEEPS
from lrtui.core.errors import ScenarioError, SnapshotUnfit
from lrtui.core.scenario.spec import Lane, Race, with_lane
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
from lrtui.training.batch import to_device
from lrtui.training.batches import Batches, loader, unused_options
from lrtui.training.datasets import datasets
from lrtui.training.dial import Dial
from lrtui.training.gauge import Gauge
from lrtui.training.order import weights_checksum
from lrtui.training.progress import Progress
from lrtui.training.reachable import Reachable
from lrtui.training.recipe import StepRecipe
from lrtui.training.recompute import Recompute
from lrtui.training.schedules import Schedule
from lrtui.training.step_recorder import StepRecorder
from lrtui.training.training_length import epoch_steps, schedule_length, training_length

Extend = Callable[[Race, int | None], Lane]
"""(race, steps of an epoch) -> the lane with its new length (lengthening.py)."""

_UNFIT = LookupError, ValueError, TypeError, AttributeError, RuntimeError, msgspec.MsgspecError
"""Errors of a snapshot that does not fit."""


# More than 20 attributes: a session is the list of a lane's parts, which the loop names singly.
class Training:
    """One lane's model, data, optimizer and schedule, built as loop.py says.

    With a `snapshot`, a `state_dict` of this lane or another one of the race, the session resumes
    from there; raises SnapshotUnfit if the task has changed since. `extend` gives the lane another
    length, which may depend on that of an epoch (None: unknown).
    """

    def __init__(
        self,
        race: Race,
        index: int,
        device: torch.device,
        *,
        deferred: bool | None = None,
        snapshot: dict[str, Any] | None = None,
        extend: Extend | None = None,
    ) -> None:
        race = race.of_lane(index)
        self.race, self.index, self.device = race, index, device
        spec = race.lanes[index].recipe
        recipes.check_device(spec.precision, device)
        recipes.set_matmul_precision(spec.precision)
        rng.seed_all(race.seed)  # a task's file may draw random numbers when it is imported
        self.task = tasks.load(race.task)
        notes = self._build_data_and_model()
        if extend is not None:
            self._extend(extend)
        self._build_optimizer()
        self.recipe = StepRecipe(spec, self.model, self.optimizer, device, closure=self.closure)
        # after the dial's hook: it must see the applied rates
        self.step_recorder = self._build_recorder(deferred)
        self.progress = Progress(self)
        notes = [*notes, *unused_options(race, self.data)]
        if loop := tasks.unused_loop(self.task):
            notes.append(loop)
        self.notes = notes if index == 0 and snapshot is None else []
        """Log lines about the race's data, which the first lane writes for all."""
        self.validates_with_gradients = False
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

    def _extend(self, extend: Extend) -> None:
        """Gives the lane its new length, before anything is built that depends on it."""
        race = with_lane(self.race, self.index, extend(self.race, self.steps_of_an_epoch))
        # the seed is the lane's own already
        self.race = msgspec.structs.replace(race.of_lane(self.index), seed=self.race.seed)

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
        self.made_for = schedule_length(lane, self.length)
        """The length that the schedule is made for."""
        outlived = self.made_for.steps < self.length.steps
        self.schedule = Schedule(
            lane.schedule, self.optimizer, lane.lr, self.made_for, outlived=outlived
        )
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

    def _compile(self) -> list[str]:
        """Compiles the model if the recipe asks for it; returns lines for the log."""
        mode = self.recipe.spec.compile
        if not mode:
            return []

        def first_loss() -> Tensor:
            batch = to_device(self.data.first(), self.device)
            return losses.scalar(self.loss(batch), self.race.task)

        line = compiling.compile_model(
            self.model, mode, first_loss, self.task, self.device, self.generators
        )
        return [line]

    def loss(self, batch: Any) -> Any:
        """What the task's loss() returns, computed in the recipe's precision."""
        with self.recipe.autocast():
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
            graph=bool(self.recipe.spec.compile),
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
            scaled=self.recipe.scaler.active,
            sweeps=lane.schedule is not None and lane.schedule.name in SWEEPS,
        )

    @property
    def lane(self) -> Lane:
        """The lane's settings."""
        return self.race.lanes[self.index]

    @property
    def steps_of_an_epoch(self) -> int | None:
        """Optimizer steps of an epoch; None if its length is unknown."""
        length = self.data.length
        return None if length is None else epoch_steps(length, self.race.lanes[self.index])

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
            **snapshots.weights(self),
            "lane": msgspec.json.encode(lane),
            "schedule": self.schedule.state_dict(),
            "schedule_length": list(self.made_for),
            **self.progress.state_dict(),
            **self.recipe.state_dict(),
            "buffers": snapshots.unlisted(self.model),
            "optimizer": [
                snapshots.optimizer_state(part) for part in snapshots.parts(self.optimizer)
            ],
            "factor": self.dial.factor,
            "probe": self.step_recorder.state_dict(),
            "batches": self.data.state_dict(),
            "random": rng.packed(
                self.progress.before_validation or rng.capture(self.device, self.generators)
            ),
        }
        kept: dict[str, Any] = snapshots.plain(state, f"lane {lane.letter}", {})
        return kept

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state`, which is not modified, into a lane that was just built.

        A fork with changes keeps its own options: an optimizer of another kind, and another
        schedule or initial rate, begin anew, the schedule advanced as if it had run from the start;
        so does a schedule that is made for another length.
        Raises SnapshotUnfit if model or data differ from those of the snapshot.
        """
        lane = self.race.lanes[self.index]
        try:
            before = msgspec.json.decode(state["lane"], type=Lane)
            snapshots.restore_model(self.model, state)
            snapshots.restore_rates(
                lane,
                before,
                self.optimizer,
                self.schedule,
                state,
                same_length=self.schedule.made_alike(
                    state.get("schedule_length"),
                    anew=bool(lane.length) and self.made_for == self.length,
                ),
            )
            self.progress.load_state_dict(state)
            self.recipe.load_state_dict(state)
            self.data.load_state_dict(state["batches"])
            self.dial.factor = state["factor"]
            self.step_recorder.load_state_dict(state["probe"])
            random = rng.unpacked(state["random"], self.device)
            self.progress.before_validation = random if state["validating"] else None
            rng.restore(random, self.device, self.generators)
        except _UNFIT as error:
            raise SnapshotUnfit(
                f"lane {lane.letter}: the snapshot after step {state.get('step')} does not fit:"
                f" {error}",
                f"expected {self.race.task} as it was when the race began",
            ) from error
