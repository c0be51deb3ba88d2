"""Runs on disk that nobody trained: hand-made events through the real writer, the same numbers and
stamps each time."""

from __future__ import annotations

import math
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lrtui.core.protocol.command_result import CommandResult, done
from lrtui.core.protocol.commands import AnyCommand
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Column,
    Ended,
    Evaluated,
    Sampled,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row

BEGAN = 1_750_000_000.0
"""When every fake run began: 15:06:40 UTC on a Sunday."""
STEPS, PER_EPOCH, STEP_S = 200, 20, 0.05
KINDS = ("steady", "explodes", "diverges", "breaks", "rests", "paints")
NAN_AT, DIVERGED_AT, BROKE_AT, RESTS_AT = 37, 120, 10, 60
TRACEBACK = (
    'Traceback (most recent call last):\n  File "task.py", line 7, in loss\n    raise'
    ' ValueError("[bold]no[/bold]")\nValueError: [bold]no[/bold] \x1b[31mred\x1b[0m'
    " \x1b]0;owned\x07end"
)


def make_run(
    runs: Path,
    kinds: tuple[str, ...] = KINDS,
    *,
    done: int = STEPS,
    title: str = "A fake race",
    live: bool = False,
    over: bool = True,
    **keys: object,
) -> Path:
    """A run with a lane of each kind, each `done` steps far; `over` ends those that still race,
    `live` has a supervisor: us."""
    run = create_run(runs, make_race(kinds, title, **keys))
    writer = Writer(run, SUPERVISOR_ROLE)
    for index, kind in enumerate(kinds):
        writer.append([row(event) for event in story(index, kind, done, over=over)])
    if live:
        writer.beat()
    writer.close()
    return run


def without_supervisor(run: Path) -> Path:
    """The same run; the process that was its supervisor is another one, which is gone."""
    with sqlite3.connect(run / "run.db") as db:
        db.execute("UPDATE processes SET started = 1.0")
    db.close()
    return run


def make_race(kinds: tuple[str, ...] = KINDS, title: str = "A fake race", **keys: object) -> Race:
    """The race that a fake run says it is."""
    names = [
        kind if kinds.index(kind) == index else f"{kind} {index + 1}"
        for index, kind in enumerate(kinds)
    ]
    lanes = [{"name": name, "lr": 10.0 ** -(1 + index % 5)} for index, name in enumerate(names)]
    raw = {
        "title": title,
        "task": "sprite-generator",
        "epochs": STEPS // PER_EPOCH,
        "seed": 7,
        "batch_size": 16,
        "lane": lanes,
    }
    return scenario_file.parse(
        {**raw, **keys}, source="fake", folder=Path(), scenario="fake" if " " in title else title
    )


def story(index: int, kind: str, done: int = STEPS, *, over: bool = True) -> list[AnyEvent]:
    """What a lane says from its start to step `done`."""
    lasts = {"explodes": NAN_AT + 1, "breaks": BROKE_AT, "rests": RESTS_AT}.get(kind, STEPS)
    steps = min(done, lasts)
    events: list[AnyEvent] = [started(index)]
    for epoch, first in enumerate(range(0, steps, PER_EPOCH), 1):
        last = min(first + PER_EPOCH, steps)
        events.append(block(index, kind, first, last))
        if last % PER_EPOCH == 0:
            loss = float(losses(kind)[last - 1])
            events.append(
                Evaluated(
                    lane=index,
                    at=at(last),
                    epoch=epoch,
                    step=last,
                    loss=loss,
                    metrics={"val_loss": 1.5 * loss},
                )
            )
            if kind == "paints":
                events.append(sample(index, epoch, last))
        if kind == "diverges" and first <= DIVERGED_AT < last:
            events.append(
                Alerted(
                    lane=index,
                    at=at(DIVERGED_AT),
                    step=DIVERGED_AT,
                    kind="diverged",
                    text="smoothed loss 9.9 is above 4 times its best, 2.1",
                )
            )
    return events + list(ending(index, kind, steps, over and done == STEPS, reached=steps == lasts))


def ending(index: int, kind: str, steps: int, over: bool, reached: bool) -> list[AnyEvent]:
    """The last words of a lane; none while it races on."""
    match kind:
        case "explodes" if reached:
            return [
                Alerted(
                    lane=index,
                    at=at(NAN_AT),
                    step=NAN_AT,
                    kind="nan",
                    text=f"loss is NaN at step {NAN_AT}",
                ),
                Ended(lane=index, at=at(NAN_AT), step=NAN_AT, reason="nan"),
            ]
        case "breaks" if reached:
            return [
                Alerted(
                    lane=index,
                    at=at(steps),
                    step=steps,
                    kind="error",
                    text="ValueError: [bold]no[/bold]",
                ),
                Ended(lane=index, at=at(steps), step=steps, reason="error", error=TRACEBACK),
            ]
        case "rests" if reached:
            return [StatusChanged(lane=index, at=at(steps), step=steps, status="paused")]
        case _ if over:
            return [Ended(lane=index, at=at(steps), step=steps, reason="finished")]
    return []


def started(index: int) -> Started:
    return Started(
        lane=index,
        at=BEGAN,
        device="cpu",
        steps_per_epoch=PER_EPOCH,
        total_steps=STEPS,
        parameters=1234,
        init_checksum="d4bb1f00",
        batch_checksum="57259b00",
        intra_op_threads=1,
        validated=True,
    )


def block(index: int, kind: str, first: int, last: int) -> Steps:
    """Steps `first` to `last` (not included) of a lane."""
    count = last - first
    rates = 10.0 ** -(1 + index % 5) * 0.99 ** np.arange(first, last + 1)
    columns = {
        "loss": Column.pack(losses(kind)[first:last], "f4"),
        "applied_lr": Column.pack(rates[:-1]),
        "next_lr": Column.pack(rates[1:]),
        "seconds": Column.pack([STEP_S] * count),
    }
    return Steps(lane=index, at=at(last), first=first, count=count, columns=columns)


def losses(kind: str) -> np.ndarray:
    """The losses of all steps: each kind has its own curve."""
    step = np.arange(STEPS)
    steady = 0.02 + np.exp(-step / 60) * (1 + 0.1 * np.sin(step))
    curve = {
        "explodes": np.where(step < NAN_AT, 1.05 * 1.2**step, math.nan),
        "diverges": np.where(step < 90, 4 * steady, 2 + 0.05 * (step - 90)),
        "breaks": 3 * steady,
        "rests": 2 * steady,
        "paints": 0.5 * steady,
    }
    return curve.get(kind, steady)


def sample(index: int, epoch: int, step: int) -> Sampled:
    """Eight pictures of 16 x 16, a white diagonal in each, redder with every epoch."""
    pixels = np.zeros((8, 16, 16, 3), np.uint8)
    pixels[..., 0] = min(255, 40 + 20 * epoch)
    pixels[:, range(16), range(16)] = 255
    return Sampled(
        lane=index, at=at(step), epoch=epoch, step=step, shape=pixels.shape, pixels=pixels.tobytes()
    )


def at(step: int) -> float:
    """When a step was done."""
    return BEGAN + step * STEP_S


def say(run: Path, *events: AnyEvent) -> None:
    """Adds events to a run, as its trainers would."""
    writer = Writer(run, "trainer 0")
    writer.append([row(event) for event in events])
    writer.close()


def commands(run: Path) -> list[AnyCommand]:
    """What people have said to a run that nobody has carried out."""
    writer = Writer(run, "test")
    found = [command for _, command in writer.pending(0)]
    writer.close()
    return found


DONE = done("done")


@contextmanager
def trainer(run: Path, result: CommandResult = DONE) -> Iterator[list[AnyCommand]]:
    """Answers the commands of a run, each with the same result; yields the commands sent."""
    taken: list[AnyCommand] = []
    over = threading.Event()

    def answer() -> None:
        writer = Writer(run, "test")
        while not over.wait(0.005):
            for number, command in writer.pending(0):
                taken.append(command)
                writer.acknowledge([(number, result)])
        writer.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield taken
    finally:
        over.set()
        thread.join()


def gone(run, role):
    """A process of the run that is no more."""
    writer = Writer(run, role)
    writer._me = (os.getpid(), writer._me[1] - 60, writer._me[2])
    writer.beat()
    writer.close()
