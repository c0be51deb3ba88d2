"""Answers questions about a race before it is run: what its schedules will do, whether torch accepts its lanes.

It runs in a process of its own, forked from the warm forkserver, so that the crew needs no torch.
"""

from __future__ import annotations

import math
import traceback
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.spec import Race
from lrtui.core.text import one_line
from lrtui.training import devices, task as tasks
from lrtui.training.loop import horizon
from lrtui.training.schedules import Horizon, Preview, preview

NOMINAL_STEPS_PER_EPOCH = 100
"""Of a task whose code may not be run yet."""


class Question(msgspec.Struct, frozen=True):
    """`check`: may it start, and on which devices? `preview`: which rates will be applied?"""

    kind: str
    race: Race


class Answer(msgspec.Struct, frozen=True):
    """The devices of a race's lanes and their previews, or why there are none."""

    devices: list[str] = []
    previews: list[Preview] = []
    error: str = ""
    hint: str = ""


def answer(question: Question) -> Answer:
    """The answer; what a person can mend is in its `error`."""
    race = question.race
    try:
        previews = [_preview(race, index) for index in range(len(race.lanes))]
        dealt = devices.deal(race.device, len(race.lanes)) if question.kind == "check" else []
        return Answer(dealt, previews if question.kind == "preview" else [])
    except LrtuiError as error:
        return Answer(error=error.message, hint=error.hint)
    except Exception:  # a bug of ours must not take the picker with it
        return Answer(error="the schedules could not be previewed", hint=one_line(traceback.format_exc()[-300:]))


def serve(connection: Connection) -> None:
    """Answers questions until the other end is closed."""
    while True:
        try:
            question = msgspec.msgpack.decode(connection.recv_bytes(), type=Question)
        except EOFError:
            return
        connection.send_bytes(msgspec.msgpack.encode(answer(question)))


def _preview(race: Race, index: int) -> Preview:
    lane = race.lanes[index]
    steps_per_epoch = _steps_per_epoch(race)
    try:
        try:
            return preview(lane, horizon(race, steps_per_epoch), steps_per_epoch)
        except ValueError:
            if race.task.kind == "bundled":
                raise
            # OneCycleLR refuses steps beyond its own; how many there will be is known only when the task is run.
            return preview(lane, Horizon(1, 1), 1)
    except (ValueError, TypeError, ArithmeticError, RuntimeError) as error:
        what = f"{lane.optimizer}, {lane.schedule}" if lane.schedule else str(lane.optimizer)
        raise ScenarioError(f"{race.scenario or race.title}: lane {lane.letter} ({what}): {one_line(str(error))}",
                            "expected options that torch accepts") from error


def _steps_per_epoch(race: Race) -> int:
    """How many batches an epoch of the task has. Only bundled code is run for it: a person's own waits for the race."""
    key = (race.task, race.batch_size)
    if key not in _known:
        _known[key] = NOMINAL_STEPS_PER_EPOCH
        if race.task.kind == "bundled":
            training, _ = tasks.datasets(tasks.load(race.task))
            _known[key] = math.ceil(len(training) / race.batch_size)
    return _known[key]


_known: dict[Any, int] = {}
