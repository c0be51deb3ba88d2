"""A supervisor that trains nothing: a finder's sweep is one that was recorded, its check and the
full race are made up."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.commands import AnyCommand
from lrtui.core.protocol.events import Alerted, AnyEvent, Column, Ended, Started, Steps
from lrtui.core.scenario.spec import Race
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row

BEGAN = 1_750_000_000.0
SWEEPS = json.loads(Path(__file__).with_name("sweeps.json").read_text())
"""Real sweeps of the bundled scenarios from 1e-7 to 10 in 100 points: their losses, and the step
that was not finite."""
LOSSES = {"valley / 3": 0.05, "valley": 0.02, "valley x 3": 0.01, "valley x 10": math.nan}
"""Where the lanes of a check end."""


class FakeLauncher:
    """Says of each race that it has started it, and writes what it would have said; `hold` keeps
    the lanes from ending."""

    made: list[FakeLauncher]
    sweep = "lr-dial Adam"
    steps_per_epoch = 64
    length_known = True
    hold = False
    trouble: LrtuiError | None = None
    lost = ""
    """The text of an exception that the task raises in the sweep, at its sixth step."""

    def __init__(self, *_: object) -> None:
        self.started: list[Race] = []
        self.runs: list[Path] = []
        self.closed = False
        type(self).made.append(self)

    @classmethod
    def fresh(cls) -> type[FakeLauncher]:
        """A class of its own for one test."""
        return type("FakeCrew", (cls,), {"made": []})

    def start(self, race: Race, runs: Path) -> Path:
        if self.trouble:
            raise self.trouble
        self.started.append(race)
        run = create_run(runs, race)
        self.runs.append(run)
        writer = Writer(run, SUPERVISOR_ROLE)
        writer.beat()
        writer.append([row(event) for event in self._events(race)])
        writer.close()
        return run

    def interrupt(self) -> None:
        """Nobody waits for it."""

    def close(self) -> None:
        self.closed = True

    def _events(self, race: Race) -> list[AnyEvent]:
        if race.lanes[0].schedule and race.lanes[0].schedule.name == "range-test":
            return self._sweep(race)
        return [
            event
            for index, lane in enumerate(race.lanes)
            for event in self._lane(race, index, LOSSES.get(lane.name, 0.03))
        ]

    def _sweep(self, race: Race) -> list[AnyEvent]:
        schedule, count = race.lanes[0].schedule, race.steps
        assert schedule is not None
        assert count is not None
        recorded = SWEEPS[self.sweep]
        losses = [float(value) for value in recorded["losses"]][
            : 6 if self.lost else 50 if self.hold else None
        ]
        ratio = schedule.options["to"] / race.lanes[0].lr
        rates = [race.lanes[0].lr * ratio ** (step / (count - 1)) for step in range(len(losses))]
        ends: list[AnyEvent] = (
            [] if self.hold else [Ended(lane=0, at=BEGAN + 3, step=len(losses), reason="finished")]
        )
        if self.lost:
            ends = [
                Alerted(lane=0, at=BEGAN + 3, step=6, kind="error", text=self.lost),
                Ended(
                    lane=0, at=BEGAN + 3, step=6, reason="error", error=f"Traceback\n{self.lost}"
                ),
            ]
        elif recorded["bad"] is not None and not self.hold:
            rates[recorded["bad"]] = math.nan
            ends = [
                Alerted(lane=0, at=BEGAN + 3, step=recorded["bad"], kind="nan", text="not finite"),
                Ended(lane=0, at=BEGAN + 3, step=recorded["bad"], reason="nan"),
            ]
        return [self._started(race, 0, count), _steps(0, losses, rates), *ends]

    def _lane(self, race: Race, index: int, last: float) -> list[AnyEvent]:
        count = race.steps or (race.epochs or 1) * self.steps_per_epoch
        bad = math.isnan(last)
        losses = np.linspace(0.15, 0.2 if bad else last, count)
        losses[-1:] = last
        ends: list[AnyEvent] = [
            Ended(lane=index, at=BEGAN + 9, step=count, reason="nan" if bad else "finished")
        ]
        if bad:
            ends.insert(
                0, Alerted(lane=index, at=BEGAN + 9, step=count - 1, kind="nan", text="not finite")
            )
        done = losses[: count // 2] if self.hold else losses
        told = [
            self._started(race, index, count),
            _steps(index, done.tolist(), [race.lanes[index].lr] * len(done)),
        ]
        return told if self.hold else told + ends

    def _started(self, race: Race, index: int, steps: int) -> Started:
        return Started(
            lane=index,
            at=BEGAN,
            device="cpu",
            steps_per_epoch=self.steps_per_epoch,
            total_steps=steps,
            parameters=12,
            init_checksum="d4bb1f00",
            batch_checksum="57259b00",
            intra_op_threads=1,
            validated=False,
            length_known=self.length_known,
        )


def _steps(lane: int, losses: list[float], rates: list[float]) -> Steps:
    columns = {
        "loss": Column.pack(losses),
        "applied_lr": Column.pack(rates),
        "next_lr": Column.pack(rates),
        "seconds": Column.pack([0.01] * len(losses)),
    }
    return Steps(lane=lane, at=BEGAN + 2, first=0, count=len(losses), columns=columns)


def told(run: Path) -> list[AnyCommand]:
    """What has been said to a run's lanes."""
    writer = Writer(run, "test")
    found = [command for _, command in writer.pending(0)]
    writer.close()
    return found
