"""Several runs as one race, so that whatever shows a race can show them together. Reads only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from lrtui.client.follower import Follower
from lrtui.core.errors import LrtuiError, RunError
from lrtui.core.protocol.command_result import CommandResult
from lrtui.core.protocol.commands import AnyCommand
from lrtui.core.protocol.events import AnyEvent, Ended, LaneAdded, LogMessage, Started
from lrtui.core.results.run_differences import TASK, Difference, run_differences
from lrtui.core.scenario.spec import Lane, Length, Race, with_lane
from lrtui.core.state.memory_budget import DEFAULT_BYTES
from lrtui.core.state.race_state import LaneState, RaceState, apply, presume_ended
from lrtui.store.identity import Process
from lrtui.store.record_index import LogIndex, SampleIndex, SampleRef

LEAST, MOST = 2, 6
"""Runs that are compared."""
STEERED_ALONE = (
    "several runs are compared here, and none of them is steered: `lrtui watch RUN` opens one"
)


class Comparison(Follower):
    """Runs that are followed together: lanes 1A, 1B, ... are those of the first, 2A, ... of the
    second."""

    def __init__(self, runs: Sequence[Path], memory: int = DEFAULT_BYTES) -> None:
        """`memory`: bytes that the curves of all lanes may take up. RunError for runs that cannot
        be compared."""
        _check(runs)
        self.followers: list[Follower] = []
        try:
            for run in runs:
                self.followers.append(Follower(run, memory // (2 * len(runs))))
            races = [one.reader.race for one in self.followers]
            if len({race.script is None for race in races}) > 1:
                raise RunError(
                    "a task and a script cannot be compared", "expected runs of one of the two"
                )
        except BaseException:
            self.close()
            raise
        self.run = runs[0].parent
        self._indices: list[list[int]] = []
        """For each run, the index here of each of its lanes."""
        self._owners: list[tuple[int, int]] = []
        """For each lane here, its run and its index there."""
        self.state = RaceState(self._merged(races), memory // 2)
        self.state.read_only = STEERED_ALONE
        self.samples, self.log_index = _Samples(self), LogIndex()
        self.trouble = ""
        self._note(self.differing)

    @property
    def labels(self) -> list[str]:
        """What each run is called: the name that its user gave it, or its folder's."""
        return [one.state.label.name or one.run.name for one in self.followers]

    @property
    def caught_up(self) -> bool:
        return all(one.caught_up for one in self.followers)

    @property
    def supervisor_gone(self) -> bool:
        return False

    def poll(self, budget_s: float = 0.05) -> list[AnyEvent]:
        """The events since the last call, as those of one race."""
        found: list[AnyEvent] = []
        for number, follower in enumerate(self.followers):
            events = follower.poll(budget_s / len(self.followers))
            found += [moved for event in events for moved in self._take(number, event)]
        self._say_trouble()
        return found

    def finish(self) -> None:
        """Read all records to their ends, and presume the ends of orphaned lanes."""
        self.catch_up()
        for number, follower in enumerate(self.followers):
            follower.finish()
            for lane in follower.state.lanes:
                if lane.ended and not self.state.lanes[self._indices[number][lane.index]].over:
                    self._take(number, lane.ended)
        self._say_trouble()

    def resumable(self) -> list[LaneState]:
        return []

    def send(self, commands: Iterable[AnyCommand]) -> list[int]:
        raise LrtuiError(STEERED_ALONE)

    def results(self, numbers: list[int]) -> dict[int, CommandResult]:
        return {}

    def event(self, row: int) -> AnyEvent | None:
        """One event again, by its row as `_Samples` gives it."""
        row, number = divmod(row, MOST)
        return self.followers[number].event(row) if row else None

    def trainers(self) -> dict[str, Process]:
        """None: the machine of a race is shown beside that race alone."""
        return {}

    def close(self) -> None:
        """Close all records."""
        for follower in self.followers:
            follower.close()

    def owner(self, lane: int) -> tuple[int, int]:
        """The run of a lane, counted from 0, and its index there."""
        return self._owners[lane]

    def own_lane(self, lane: int) -> tuple[int, Lane]:
        """The run of a lane, counted from 0, and the lane as it is there."""
        number, index = self._owners[lane]
        return number, self.followers[number].state.lanes[index].lane

    @property
    def differences(self) -> list[Difference]:
        """The settings of the runs' races that differ."""
        return run_differences([one.state for one in self.followers])

    @property
    def differing(self) -> list[str]:
        """The same in words."""
        warning = "other tasks: their losses may not be comparable"
        return [
            f"{one.sentence} ({warning})" if one.what == TASK else one.sentence
            for one in self.differences
        ]

    def _merged(self, races: Sequence[Race]) -> Race:
        """One race with the lanes of all; what lanes do not have is that of the first."""
        lanes: list[Lane] = []
        for number, race in enumerate(races):
            self._indices.append([])
            for lane in race.lanes:
                self._own(number, len(lanes))
                lanes.append(self._renamed(number, lane, race))
        words = "; ".join(f"{number}: {name}" for number, name in enumerate(self.labels, 1))
        return msgspec.structs.replace(races[0], lanes=tuple(lanes), title=f"compared: {words}")

    def _own(self, number: int, index: int) -> None:
        self._owners.append((number, len(self._indices[number])))
        self._indices[number].append(index)

    def _renamed(self, number: int, lane: Lane, race: Race) -> Lane:
        """A lane with the run in its letter and name, and its seed counted from the first race's;
        what a scenario expects of it says nothing among other lanes."""
        name = self.followers[number].state.label.name or f"run {number + 1}"
        return msgspec.structs.replace(
            lane,
            letter=f"{number + 1}{lane.letter}",
            name=f"{lane.name}, {name}",
            seed=lane.seed + race.seed - self.followers[0].reader.race.seed,
            expect="",
        )

    def _take(self, number: int, event: AnyEvent) -> list[AnyEvent]:
        """Fold in an event of a run that its own follower has folded already; [] if it does not
        fit."""
        own, indices = self.followers[number].state, self._indices[number]
        if isinstance(event, LaneAdded):
            index = len(self.state.lanes)
            child = self._renamed(number, event.child, self.followers[number].reader.race)
            parent = indices[event.parent] if event.parent >= 0 else -1
            self._own(number, index)
            event = msgspec.structs.replace(event, lane=index, child=child, parent=parent)
        elif event.lane >= 0:
            event = msgspec.structs.replace(event, lane=indices[event.lane])
        elif isinstance(event, LogMessage):
            event = msgspec.structs.replace(event, text=f"{number + 1}: {event.text}")
        if isinstance(event, Ended) and own.lanes[self.owner(event.lane)[1]].lifecycle.end_presumed:
            presume_ended(self.state, event)
        elif not apply(self.state, event):
            return []
        if isinstance(event, Started):
            lane = self.state.lanes[event.lane]
            lane.clock.origin = own.began
            self._give_length(lane, own.race, event)
        self._note_lines(event.lane)
        return [event]

    def _give_length(self, lane: LaneState, race: Race, event: Started) -> None:
        """Give a lane the length of its own run, where the first run has another budget."""
        if lane.lane.length or not event.total_steps or race.budget == self.state.race.budget:
            return
        epochs = race.epochs or math.ceil(event.total_steps / event.steps_per_epoch)
        length = Length(event.total_steps, epochs, by_epochs=race.epochs is not None)
        lane.lane = msgspec.structs.replace(lane.lane, length=length)
        self.state.race = with_lane(self.state.race, lane.index, lane.lane)

    def _note(self, lines: Iterable[str]) -> None:
        at = max(one.reader.created for one in self.followers)
        for text in lines:
            apply(self.state, LogMessage(lane=-1, at=at, text=f"the runs differ in {text}"))
            self._note_lines(-1)

    def _say_trouble(self) -> None:
        self.trouble = "; ".join(
            f"{number}: {one.trouble}"
            for number, one in enumerate(self.followers, 1)
            if one.trouble
        )


class _Samples(SampleIndex):
    """The samples of all runs; a row tells of which run it is, see `Comparison.event`."""

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self._comparison = comparison

    def of(self, lane: int) -> list[SampleRef]:
        number, own = self._comparison.owner(lane)
        found = self._comparison.followers[number].samples.of(own)
        return [ref._replace(row=ref.row * MOST + number) for ref in found]


def _check(runs: Sequence[Path]) -> None:
    if not LEAST <= len(runs) <= MOST:
        raise RunError(
            f"{len(runs)} run{'' if len(runs) == 1 else 's'} to compare",
            f"expected {LEAST} to {MOST} runs",
        )
    for run in runs:
        if runs.count(run) > 1:
            raise RunError(f"{run.name}: named twice", "expected different runs")
