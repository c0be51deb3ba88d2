"""Runs of scripts on disk that nobody ran: hand-made events and logs, the same numbers each time."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np

from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Column,
    Ended,
    Logged,
    Started,
    StatusChanged,
    Steps,
)
from lrtui.core.scenario.spec import Lane, OptimizerSpec, Race, Script, TaskRef, letter
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from support.fake_run import BEGAN

STEP_S = 0.05
STEPS = 120


def make_script_race(
    rates: tuple[float, ...] = (1e-2, 1e-3, 1e-4),
    values: tuple[dict[str, str], ...] = (),
    *,
    steps: int | None = None,
    **keys: object,
) -> Race:
    """A race of `train.py` with a lane for each rate; 0 stands for the script's own. `keys` are
    fields of a Script."""
    lanes = tuple(
        Lane(
            letter(index),
            f"lr {lr:g}" if lr else "its own",
            OptimizerSpec(""),
            lr,
            values=values[index] if values else {},
        )
        for index, lr in enumerate(rates)
    )
    names = {name: None for given in values for name in given}
    options = [part for name in names for part in (f"--{name}", f"{{{name}}}")]
    script = Script(("python", "train.py", *options), **keys)
    return Race(
        "train.py",
        TaskRef("script", "/home/me/train.py", "train"),
        lanes,
        steps=steps,
        on_nan="warn",
        folder="/home/me",
        script=script,
    )


def script_started(lane: int = 0, lr: float = 1e-3, **changes: object) -> Started:
    """The first event of a script's process, at its first step."""
    fields = {
        "device": "cpu",
        "steps_per_epoch": 1,
        "total_steps": 0,
        "parameters": 1234,
        "init_checksum": "d4bb1f00",
        "batch_checksum": "",
        "intra_op_threads": 1,
        "validated": False,
        "batch_size": 0,
        "length_known": False,
        "groups": ["group 1"],
        "optimizer": "AdamW",
        "initial_lr": lr,
        "role": f"trainer {lane}",
    }
    return Started(lane=lane, at=BEGAN, **{**fields, **changes})


def script_steps(losses, lane: int = 0, lr: float = 1e-3, first: int = 0) -> Steps:
    """A block of steps; the next rate of the last one is not known."""
    count = len(losses)
    rates = [lr] * count
    columns = {
        "loss": Column.pack(losses, "f4"),
        "applied_lr": Column.pack(rates),
        "next_lr": Column.pack([*rates[1:], math.nan]),
        "grad_norm": Column.pack(
            [1.0 if step % 10 == 0 else math.nan for step in range(first, first + count)], "f4"
        ),
        "seconds": Column.pack([STEP_S] * count, "f4"),
    }
    end = BEGAN + (first + count) * STEP_S
    return Steps(lane=lane, at=end, first=first, count=count, columns=columns)


def logged(steps: list[int], lane: int = 0, **columns: list[float]) -> Logged:
    packed = {name: Column.pack(values) for name, values in columns.items()}
    return Logged(lane=lane, at=BEGAN + max(steps, default=0) * STEP_S, steps=steps, columns=packed)


def curve(lane: int, steps: int = STEPS) -> list[float]:
    """Losses of a lane that begin alike."""
    step = np.arange(steps)
    return [float(loss) for loss in 0.05 + 2.25 * np.exp(-step / (20 * (1 + lane % 3)))]


def script_story(lane: int, lr: float, *, steps: int = STEPS, over: str = "") -> list[AnyEvent]:
    """What a lane says up to a step; `over`: how it ends, '' while it runs."""
    if not steps:
        return [StatusChanged(lane=lane, at=BEGAN, step=0, status="running")]
    every = list(range(20, steps + 1, 20))
    events: list[AnyEvent] = [
        StatusChanged(lane=lane, at=BEGAN, step=0, status="running"),
        script_started(lane, lr or 3e-4),
        script_steps(curve(lane, steps), lane, lr or 3e-4),
        logged(every, lane, val_loss=[1.5 / (1 + step) for step in every], acc=[0.5] * len(every)),
    ]
    if over == "nan":
        events.append(Alerted(lane=lane, step=steps - 1, kind="nan", text="loss is NaN"))
    if over:
        error = "Traceback (most recent call last):\nValueError: [bold]no[/bold]"
        events.append(
            Ended(
                lane=lane,
                at=BEGAN + steps * STEP_S,
                step=steps,
                reason=over,
                error=error if over == "error" else "",
                exit_code=1 if over == "error" else 0,
            )
        )
    return events


def folded(race: Race, *events: AnyEvent) -> RaceState:
    """The state of a race after some events."""
    state = RaceState(race)
    for event in events:
        apply(state, event)
    return state


def make_script_run(
    runs: Path,
    race: Race | None = None,
    *,
    steps: tuple[int, ...] = (),
    over: str = "",
    live: bool = True,
) -> Path:
    """A run of a race of scripts; `steps` of each lane (-1: it waits in the queue)."""
    race = race or make_script_race()
    made = steps or (STEPS,) * len(race.lanes)
    run = create_run(runs, race)
    writer = Writer(run, SUPERVISOR_ROLE)
    for index, (lane, count) in enumerate(zip(race.lanes, made, strict=True)):
        if count >= 0:
            story = script_story(index, lane.lr, steps=count, over=over)
            writer.append([row(event) for event in story])
    if live:
        writer.beat()
    writer.close()
    return run


def say_printed(run: Path, sign: str, text: str) -> None:
    """Adds to what a lane's script has printed."""
    with (run / f"script-{sign}.log").open("a", encoding="utf-8") as file:
        file.write(text)


def without_seed(race: Race) -> Race:
    """The same race, whose script is not seeded."""
    assert race.script
    return msgspec.structs.replace(race, script=msgspec.structs.replace(race.script, seeded=False))
