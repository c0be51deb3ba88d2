"""Answers questions about a race before it is run: what its schedules will do, whether torch
accepts its lanes.

It runs in a process of its own, forked from the warm forkserver, so that the supervisor needs no
torch.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import msgspec
import torch
from torch.utils.data import DataLoader, IterableDataset

from lrtui.core.diagnostics import schedule_check
from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.protocol.launch_protocol import LaunchReply, LaunchRequest, Preview
from lrtui.core.scenario.catalogue import WANTS_METRIC
from lrtui.core.scenario.spec import Lane, Race, ScheduleSpec
from lrtui.core.text import one_line
from lrtui.training import devices, environment, optimizers, task as tasks
from lrtui.training.batches import loader
from lrtui.training.datasets import datasets, length
from lrtui.training.failure import line
from lrtui.training.optimizers import Group
from lrtui.training.order import BatchOrder
from lrtui.training.preview import PREVIEW_S, dummy, preview, thinned
from lrtui.training.recipe import check_device
from lrtui.training.schedules import Schedule
from lrtui.training.training_length import TrainingLength, epoch_steps, training_length

NOMINAL_STEPS_PER_EPOCH = 100
"""Of a task whose code may not be run yet."""
ALL_PREVIEWS_S = 2.0
"""The previews of all lanes together take no longer."""


class Shape(NamedTuple):
    """The known properties of a task's data."""

    batches_per_epoch: int
    nominal: bool = False
    """True if the number is a guess."""
    validated: bool | None = None
    """True if the task has validation samples; None if unknown."""


def answer(request: LaunchRequest) -> LaunchReply:
    """The reply; errors that the user can mend are in its `error`."""
    race = request.race
    try:
        environment.enter(race)
        shape = _shape(request)
        previews = [_preview(request, index, shape) for index in range(len(race.lanes))]
        if request.kind == "preview":
            return LaunchReply(previews=[thinned(found) for found in previews])
        for lane in race.lanes:
            _check_metric(race, lane, shape)
        notes = [Preview([], [], found.total, warnings=found.warnings) for found in previews]
        dealt = devices.deal(race.device, len(race.lanes))
        for lane, device in zip(race.lanes, dealt, strict=True):
            if device == "cpu":  # others are checked by their trainers
                _check_precision(race, lane)
        return LaunchReply(devices=dealt, previews=notes)
    except LrtuiError as error:
        return LaunchReply(error=error.message, hint=error.hint)
    except Exception as error:  # a bug of ours must not take the picker with it
        traceback.print_exc()
        return LaunchReply(error="the schedules could not be previewed", hint=line(error))


def serve(connection: Connection) -> None:
    """Answers questions until the other end is closed or its process is gone: user code may never
    return."""
    threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
    while True:
        try:
            request = msgspec.msgpack.decode(connection.recv_bytes(), type=LaunchRequest)
        except EOFError:
            return
        connection.send_bytes(msgspec.msgpack.encode(answer(request)))


def _end_with_the_supervisor() -> None:
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        os._exit(0)


def _preview(request: LaunchRequest, index: int, shape: Shape) -> Preview:
    """A lane's preview with its warnings. The user's own schedule is built if the race is to start,
    not run."""
    race = request.race.of_lane(index)
    lane = race.lanes[index]
    spec = lane.schedule
    each = request.steps_per_epoch or epoch_steps(shape.batches_per_epoch, lane)
    long = training_length(race, each)
    try:
        if request.kind != "preview":
            optimizers.check_options(lane.optimizer)
        if spec and spec.runs_code and not request.run_user_code:
            if request.kind != "preview":
                Schedule(spec, dummy(lane, _groups(race)), lane.lr, long)
            found = Preview(
                [],
                [],
                long.steps,
                steps_per_epoch=each,
                nominal=shape.nominal,
                unknown=f"{_own_name(spec)} is your own code: its rates are known when it runs",
            )
        else:
            seconds = min(PREVIEW_S, ALL_PREVIEWS_S / len(race.lanes))
            found = preview(lane, long, each, seconds, _groups(race))
            found = msgspec.structs.replace(found, nominal=shape.nominal)
    except LrtuiError as error:
        raise ScenarioError(f"{_place(race, lane)}: {error.message}", error.hint) from error
    except (Exception, SystemExit) as error:
        if not isinstance(error, (ValueError, TypeError, ArithmeticError, RuntimeError)) and not (
            spec and spec.runs_code
        ):
            raise
        what = f"{lane.optimizer}, {spec}" if spec else str(lane.optimizer)
        if spec and spec.runs_code:
            raise ScenarioError(
                f"{_place(race, lane)} ({what}): {line(error)}",
                f"expected {_own_name(spec)} to take what the scenario gives it",
            ) from error
        own = lane.optimizer.code
        raise ScenarioError(
            f"{_place(race, lane)} ({what}): {one_line(str(error))}",
            f"expected options that {own.name}(params, lr=..., ...) takes"
            if own
            else "expected options that torch accepts",
        ) from error
    certain = not shape.nominal or schedule_check.is_certain(spec, race.epochs is not None)
    return msgspec.structs.replace(
        found,
        warnings=schedule_check.warnings(lane, found, certain=certain, validated=shape.validated),
    )


def _groups(race: Race) -> list[Group]:
    """The settings of a task's param groups, as far as they are known before its code runs: bundled
    tasks have one group."""
    return [{}] if race.task.kind == "bundled" else []


def _place(race: Race, lane: Lane) -> str:
    return f"{lane.schedule_at or race.scenario or race.title}: lane {lane.letter}"


def _own_name(spec: ScheduleSpec) -> str:
    """The name, as the person wrote it, of the code of their own that a schedule uses."""
    if spec.code:
        return spec.name if spec.own else str(spec.options["lr_lambda"])
    return next(_own_name(child) for child in spec.children if child.runs_code)


def _check_metric(race: Race, lane: Lane, shape: Shape) -> None:
    """Refuses a schedule that looks at the validation loss where there will be none."""
    spec = lane.schedule
    if spec is None or not (spec.own or spec.name in WANTS_METRIC):
        return
    if spec.own:
        if not Schedule(
            spec, dummy(lane, _groups(race)), lane.lr, TrainingLength(1, 1)
        ).wants_metric:
            return
        shape = _tried(race) or shape
    if shape.validated is False:
        raise ScenarioError(
            f"{_place(race, lane)}: {spec.name} looks at the validation loss, and {race.task} has"
            " no validation data",
            "expected a task whose dataset() gives a pair (training, validation), or another"
            " schedule",
        )


def _check_precision(race: Race, lane: Lane) -> None:
    try:
        check_device(lane.recipe.precision, torch.device("cpu"))
    except ScenarioError as error:
        raise ScenarioError(f"{_place(race, lane)}: {error.message}", error.hint) from error


def _shape(request: LaunchRequest) -> Shape:
    """Properties of the task's data. The user's own task is run only at the start, and if a
    schedule needs it."""
    race = request.race
    if request.steps_per_epoch is not None:
        return Shape(request.steps_per_epoch)
    if race.task.kind == "bundled":
        key = (race.task, race.batch_size, race.drop_last)
        if key not in _known:
            _known[key] = _measured(race)
        return _known[key]
    if request.kind != "preview" and any(_needs_shape(lane.schedule, race) for lane in race.lanes):
        return _tried(race) or Shape(NOMINAL_STEPS_PER_EPOCH, nominal=True)
    return Shape(NOMINAL_STEPS_PER_EPOCH, nominal=True)


def _needs_shape(spec: ScheduleSpec | None, race: Race) -> bool:
    if spec is None:
        return False
    return spec.name in WANTS_METRIC or (
        schedule_check.has_own_length(spec)
        and not schedule_check.is_certain(spec, race.epochs is not None)
    )


def _tried(race: Race) -> Shape | None:
    """The shape of a task whose code may fail: then the lanes will fail over it too, and their
    record says how."""
    try:
        return _measured(race)
    except (Exception, SystemExit):
        return None


def _measured(race: Race) -> Shape:
    training, validation, _ = datasets(tasks.load(race.task))
    if isinstance(training, (DataLoader, IterableDataset)):
        batches = length(loader(training, batch_size=race.batch_size, drop_last=race.drop_last))
    else:
        batches = len(
            BatchOrder(race.seed, len(training), race.batch_size, drop_last=race.drop_last)
        )
    return Shape(
        batches or NOMINAL_STEPS_PER_EPOCH,
        nominal=batches is None,
        validated=validation is not None,
    )


_known: dict[Any, Shape] = {}
