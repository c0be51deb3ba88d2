"""What a run's record says in the end, folded here anew and by other code than the program's; and
what it should say."""

from __future__ import annotations

import math
import sqlite3
from functools import cache
from pathlib import Path

import msgspec
import torch

from lrtui.core.protocol import events
from lrtui.core.protocol.events import (
    Ended,
    Evaluated,
    LaneAdded,
    RateChanged,
    Rewound,
    Started,
    Steps,
)
from lrtui.core.scenario.spec import Race
from lrtui.store.run_dir import DATABASE
from lrtui.training.loop import train_lane
from lrtui.training.session import Training

COLUMNS = ("loss", "applied_lr", "next_lr")


class Lane:
    """One lane: its columns as they stand after everything that happened; steps that came twice
    must have come the same."""

    def __init__(self) -> None:
        self.columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
        self.evaluations: dict[int, tuple[int, float, dict[str, float]]] = {}
        self.turns: list[tuple[int, float]] = []
        """(step, factor): where the dial was turned."""
        self.starts: list[Started] = []
        self.returns: list[Rewound] = []
        self.end: Ended | None = None
        self.blocks: list[Steps] = []
        self.replaced = 0
        """Steps that were recorded before a process was lost, and again after it."""
        self._before: dict[str, list[float]] = {name: [] for name in COLUMNS}

    def take(self, event: events.AnyEvent) -> None:
        match event:
            case Started():
                self.starts.append(event)
            case Steps():
                self._take_steps(event)
            case Evaluated():
                said = (event.step, event.loss, event.metrics)
                assert same(self.evaluations.get(event.epoch, said), said), (
                    f"epoch {event.epoch} came again with other numbers"
                )
                self.evaluations[event.epoch] = said
            case RateChanged() if event.factor != (self.turns[-1][1] if self.turns else 1.0):
                self.turns.append((event.step, event.factor))
            case Rewound():
                self._go_back(event)
            case Ended():
                self.end = event
        if self.end and not isinstance(event, Ended):
            assert not isinstance(event, Steps), "steps after the end"

    def _take_steps(self, block: Steps) -> None:
        assert block.first == len(self.columns["loss"]), (
            f"steps {len(self.columns['loss'])} to {block.first} are missing"
        )
        self.blocks.append(block)
        for name, column in self.columns.items():
            fresh = block.values(name).tolist()
            assert len(fresh) == block.count
            before = self._before[name][block.first : block.first + block.count]
            # the last one before a stop was told without the dial's turn after it
            if name != "next_lr":
                assert same(before, fresh[: len(before)]), (
                    f"{name} of steps {block.first}... came again with other numbers"
                )
            self.replaced += len(before) if name == "loss" else 0
            column += fresh

    def _go_back(self, event: Rewound) -> None:
        assert event.step <= len(self.columns["loss"]), "back to a step that was never recorded"
        again = event.why in ("recovered", "resumed")
        for name, before in self._before.items():
            recorded = self.columns[name]
            self._before[name] = recorded + before[len(recorded) :] if again else []
            del recorded[event.step :]
        self.evaluations = {
            epoch: said for epoch, said in self.evaluations.items() if said[0] <= event.step
        }
        self.turns = [turn for turn in self.turns if turn[0] <= event.step]
        self.returns.append(event)
        self.end = None


class Record:
    """A run's database at this moment: sound, and folded lane by lane."""

    def __init__(self, run: Path) -> None:
        with sqlite3.connect(f"file:{run / DATABASE}?mode=ro", uri=True) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            bodies = db.execute("SELECT body FROM events ORDER BY id").fetchall()
            self.race: Race = msgspec.json.decode(
                db.execute("SELECT race FROM run").fetchone()[0], type=Race
            )
        db.close()
        self.lanes = [Lane() for _ in self.race.lanes]
        self.notes: list[str] = []
        for (body,) in bodies:
            event = events.decode(body)
            if isinstance(event, events.LogMessage):
                self.notes.append(event.text)
            elif isinstance(event, LaneAdded):
                self.lanes.append(Lane())
            if event.lane >= 0:
                self.lanes[event.lane].take(event)

    @property
    def ends(self) -> list[str | None]:
        """How each lane ended; None where it has not."""
        return [lane.end.reason if lane.end else None for lane in self.lanes]

    def recorded(self, index: int) -> float:
        """When the last block of a lane was sealed, in seconds since 1970."""
        return max((block.at for block in self.lanes[index].blocks), default=math.nan)

    def assert_whole(self) -> None:
        """Every lane has come to the end of its budget, with the numbers of a lane that nothing
        ever happened to."""
        assert self.ends == ["finished"] * len(self.lanes)
        self.assert_undisturbed()
        for lane in self.lanes:
            assert len(lane.columns["loss"]) == lane.starts[0].total_steps

    def assert_undisturbed(self) -> None:
        """What there is of each lane is what it would be if nothing had ever happened to it."""
        for index in range(len(self.lanes)):
            self._assert_undisturbed(index)

    def _assert_undisturbed(self, index: int) -> None:
        lane = self.lanes[index]
        done = len(lane.columns["loss"])
        threads = lane.starts[0].intra_op_threads
        expected = undisturbed(
            msgspec.json.encode(self.race), index, threads, tuple(lane.turns), done
        )
        # a next rate may be told before the dial is turned
        told_before = {step - 1 for step, _ in lane.turns} | {done - 1}
        for name in COLUMNS:
            for step in told_before if name == "next_lr" else ():
                lane.columns[name][step] = expected.columns[name][step]
            assert same(lane.columns[name], expected.columns[name][:done]), (
                f"{name} of lane {index}"
            )
        for epoch, said in lane.evaluations.items():
            assert same(said, expected.evaluations[epoch]), f"epoch {epoch} of lane {index}"
        assert lane.evaluations.keys() >= {
            epoch for epoch, said in expected.evaluations.items() if said[0] < done
        }, "an epoch"


@cache
def undisturbed(
    asked: bytes, index: int, threads: int, turns: tuple[tuple[int, float], ...], steps: int
) -> Lane:
    """A lane trained alone, in this process, with no store, for so many steps and what is told with
    them; its dial is turned at the same steps. A step needs no time."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        race = msgspec.json.decode(asked, type=Race)
        race = msgspec.structs.replace(race, task=msgspec.structs.replace(race.task, name="Tiny"))
        training = Training(race, index, torch.device("cpu"))
        lane, left = Lane(), list(turns)
        for event in train_lane(training):
            if event is not None:
                lane.take(event)
            # and all that is told with them
            elif len(lane.columns["loss"]) > steps + training.steps_per_epoch:
                break
            while left and left[0][0] <= training.step_recorder.step:
                training.set_factor(left.pop(0)[1])
        return lane
    finally:
        torch.set_num_threads(before)


def same(one: object, other: object) -> bool:
    """Equal to the last bit, NaN being equal to NaN."""
    return repr(one) == repr(other)
