"""What one lane trains with: model, data, optimizer, schedule and what measures them; saved and
restored as one state_dict."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import torch

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.diagnostics.schedule_check import SWEEPS
from lrtui.core.errors import ScenarioError, SnapshotUnfit, TaskError
from lrtui.core.protocol.events import LogMessage, ScheduleForecast, Started
from lrtui.core.scenario.spec import Lane, Race
from lrtui.core.text import one_line
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
from lrtui.training.preview import preview, thinned
from lrtui.training.reachable import Reachable
from lrtui.training.recompute import Recompute
from lrtui.training.schedules import Schedule, TrainingLength
from lrtui.training.step_recorder import StepRecorder

PLAN_S = 0.1
"""Looking ahead in a schedule takes no longer: the lane waits for it."""


class Training:
    """One lane's model, data, optimizer and schedule, built as loop.py says.

    With a `snapshot`, as `state_dict` made it of this lane or of one of the same race, it goes on
    from there; SnapshotUnfit where the task is no longer the one that it was made of.
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
        rng.seed_all(race.seed)  # a task's file may draw when it is imported
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
        """Generators of the task's own."""
        self.data = Batches(training_data, race, device, self.generators)
        self._materialise()
        self.init_checksum = weights_checksum(self.model)
        groups = param_groups.of_task(self.task, self.model, lane.optimizer, lane.lr)
        self.optimizer = optimizers.build(lane.optimizer, groups, lane.lr)
        self.left_out = param_groups.left_out(self.optimizer.param_groups, self.model)
        """A sentence about parameters that no param group holds; '' where all are trained."""
        self.unscheduled = [
            {key: value for key, value in group.items() if key != "params"}
            for group in self.optimizer.param_groups
        ]
        """The settings of the param groups before a schedule changes them."""
        self.closure = optimizers.wants_closure(self.optimizer)
        self.horizon = horizon(race, self.data.length)
        self.steps_per_epoch = self.data.length or self.horizon.steps
        self.schedule = Schedule(lane.schedule, self.optimizer, lane.lr, self.horizon)
        if self.schedule.wants_metric and self.validation is None:
            raise ScenarioError(
                f"{lane.schedule} looks at the validation loss, and {race.task} has no validation"
                " data",
                "expected a task whose dataset() gives a pair (training, validation)",
            )
        self.batch_checksum = self.data.checksum
        # before whatever looks at the rates that are really applied
        self.dial = Dial(self.optimizer)
        self.recompute = Recompute(self.task, self.model, device, self.generators, self.validation)
        gauge = (
            None
            if self.closure or not race.gauge
            else Gauge(
                index, self.model, self.optimizer, Sampling(self.horizon.steps), self.recompute
            )
        )
        self.step_recorder = StepRecorder(
            index,
            self.model,
            self.optimizer,
            self.horizon.steps,
            self.dial,
            gauge,
            closure=self.closure,
            deferred=device.type != "cpu" and not self.closure if deferred is None else deferred,
            sweeps=lane.schedule is not None and lane.schedule.name in SWEEPS,
        )
        self.epochs_ended = 0
        self.epoch_began = 0
        """The step with which the present epoch began."""
        self.notes = [*notes, *self._unused_keys()] if index == 0 and snapshot is None else []
        """What is still to be said of the race's data, once for all lanes."""
        self.batch: Any = None
        """What the step that is under way trains on."""
        self.validates_with_gradients = False
        self.before_validation: rng.RandomState | None = None
        """The random state at the beginning of the validation that is under way."""
        rng.seed_all(race.seed)
        if snapshot is not None:
            self.load_state_dict(snapshot)

    def _materialise(self) -> None:
        """Gives lazy layers their shapes: puts the first batch through the loss once, in eval mode,
        without another trace."""
        if not any(
            map(torch.nn.parameter.is_lazy, (*self.model.parameters(), *self.model.buffers()))
        ):
            return
        before = rng.capture(self.device, self.generators)
        state = Reachable({"task": self.task}).save()
        batch = to_device(next(self.data.epoch(0, 0)), self.device)
        self.data.close()
        # the weights are drawn as they would be right after model()
        rng.restore(before, self.device, self.generators)
        self.model.eval()
        with torch.no_grad():
            self.task.loss(self.model, batch)
        self.model.train()
        own = {id(record.thing) for record in Reachable({"model": self.model}).save().records}
        state.restore(keep=frozenset(own))

    @property
    def next_rate(self) -> float:
        """What the first param group will be given at the next step."""
        return self.dial.rates()[0]

    def set_factor(self, factor: float) -> None:
        """Puts the dial at `factor` (finite, above 0) from the next step on; to be called between
        two steps."""
        self.dial.factor = factor
        self.step_recorder.dial_turned()

    def started(self) -> Started:
        """The event that says how this lane begins."""
        return Started(
            lane=self.index,
            at=time.time(),
            device=str(self.device),
            steps_per_epoch=self.steps_per_epoch,
            total_steps=self.horizon.steps,
            parameters=sum(p.numel() for p in self.model.parameters() if p.requires_grad),
            init_checksum=self.init_checksum,
            batch_checksum=self.batch_checksum,
            intra_op_threads=torch.get_num_threads(),
            validated=self.validation is not None,
            first=self.step_recorder.flushed_steps,
            batch_size=self.data.batch_size or 0,
            length_known=self.data.length is not None,
        )

    def noted(self) -> list[LogMessage]:
        """What is to be said of the data, as events; once."""
        told = [LogMessage(lane=-1, at=time.time(), text=one_line(note)) for note in self.notes]
        self.notes.clear()
        return told

    def planned(self) -> list[ScheduleForecast | LogMessage]:
        """The event that tells the rates to come, where there is anything to tell, or that nobody
        knows when they change. A person's own code is not run for it."""
        lane = self.race.lanes[self.index]
        if self.data.length is None and self.schedule.by_epoch:
            text = (
                f"{lane.schedule} steps at the end of each pass over the training data, whose"
                ' length is not known: interval = "batch" counts steps'
            )
            return (
                []
                if self.step_recorder.step
                else [LogMessage(lane=self.index, at=time.time(), text=one_line(text))]
            )
        if lane.schedule is None or lane.schedule.runs_code or self.schedule.wants_metric:
            return []
        plan = thinned(preview(lane, self.horizon, self.steps_per_epoch, PLAN_S, self.unscheduled))
        if len(plan.rates) < 2:
            return []
        return [
            ScheduleForecast(
                lane=self.index,
                at=time.time(),
                steps=plan.steps,
                rates=plan.rates,
                total=plan.known,
            )
        ]

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch or the budget ends with `step` (counted from 0), or an epoch may: then
        the next rate is not known."""
        if not self.data.exact and self.schedule.by_epoch:
            return True
        return step + 1 - self.epoch_began == self.data.length or step + 1 == self.horizon.steps

    @property
    def epoch_is_whole(self) -> bool:
        """At an epoch's end: whether the data ended it, not a budget in steps."""
        step, budget = self.step_recorder.step, self.race.steps
        return budget is None or step < budget or step - self.epoch_began == self.data.length

    @property
    def over(self) -> bool:
        """Whether the budget is used up and its last epoch is ended."""
        if self.race.steps is not None:
            return self.epoch_began >= self.race.steps
        return self.epochs_ended == self.race.epochs

    def batches(self) -> Iterator[Any]:
        """The batches of the present epoch that are still to come, on the device, no more than the
        budget allows."""
        # a snapshot from within the epoch's end: its batches are all done
        if self.before_validation is not None:
            return
        done, budget = self.step_recorder.step - self.epoch_began, self.race.steps
        if self.step_recorder.step == budget:
            return
        for batch in self.data.epoch(self.epochs_ended, done):
            if not self.data.exact:
                # the step before this one has not ended the epoch
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
                f"the training data said that an epoch has {self.data.length} batches, and gave"
                f" {done}: the steps of the budget are counted by what it said"
            )

    def close(self) -> None:
        """End the worker processes of the data."""
        self.data.close()
        if self.validation is not None:
            fetching.end_workers(self.validation)

    def state_dict(self) -> dict[str, Any]:
        """The lane's whole state between two steps, a copy: training may go on while it is encoded.

        Legal at every None that `train_lane` yields, within a validation too, and before its first
        step, once the caller has told what `probe.seal()` gave and `probe.bad` is still None.
        LrtuiError where the lane has something that cannot be kept.
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
        """Puts a lane that was just built where `state` was taken, which stays as it is.

        Where the lane is another one (a fork with changes), it keeps its own options; an optimizer
        of another kind, and a schedule or an initial rate that is not the same, begin anew, the
        schedule as far on as if it had been so from the start. SnapshotUnfit where model or data
        are not those that it was taken of.
        """
        lane = self.race.lanes[self.index]
        try:
            before = msgspec.json.decode(state["lane"], type=Lane)
            snapshots.restore_model(self.model, state)
            self._restore_rates(before, state)
            self.epochs_ended = state["epochs_ended"]
            # not in older ones
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
        """Optimizer and schedule."""
        lane, optimizer = self.race.lanes[self.index], self.optimizer
        given, was = lane.optimizer.options, before.optimizer.options
        changed = {key for key in given | was if given.get(key) != was.get(key)}
        same_kind = lane.optimizer.name == before.optimizer.name
        same_plan = same_kind and (lane.lr, lane.schedule) == (before.lr, before.schedule)
        if changed and self.schedule.can_jump:
            # where it should be is known anyway; it may be one that moves the momentum, too
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
        """A note on what the race says of batches, where the task makes them itself."""
        given = {"batch_size": self.race.batch_size_given, "drop_last": self.race.drop_last}
        asked = [name for name, said in given.items() if said]
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


def horizon(race: Race, steps_per_epoch: int | None) -> TrainingLength:
    """The race's budget in steps and in begun epochs; one epoch where nobody knows how long one
    is."""
    if race.steps is not None:
        return TrainingLength(race.steps, math.ceil(race.steps / (steps_per_epoch or race.steps)))
    assert race.epochs is not None
    if steps_per_epoch is None:
        raise TaskError(
            "the training data has no length: a budget in epochs does not say how many steps to"
            " make",
            "expected a budget in steps, as in steps = 1000 or --steps 1000, or a dataset with"
            " __len__",
        )
    return TrainingLength(race.epochs * steps_per_epoch, race.epochs)
