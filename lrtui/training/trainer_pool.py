"""The trainer processes of a run, and the lanes assigned to them. Imports no torch."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing import connection
from pathlib import Path

import msgspec

from lrtui.core.protocol.events import LaneAdded, RewindReason
from lrtui.core.scenario.spec import Race, with_lane
from lrtui.store.lane_summary import LaneSummary, lane_summaries
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_processes import ProcessExit
from lrtui.training.trainer_process import TrainerProcess

SHUTDOWN_S = 8.0
"""Trainers that run for longer than this after SIGTERM are killed."""

Spawn = Callable[[str, int, Race, Sequence[LaneAssignment], int], TrainerProcess]
"""(run, number, race, assignments, intra-op threads) -> a started trainer."""


class TrainerPool:
    """Starts trainers, tells which have exited, and signals them."""

    def __init__(self, run: Path, race: Race, spawn: Spawn = TrainerProcess) -> None:
        self.run = run
        self.race = race
        """Includes the lanes that joined."""
        self.devices: list[str] = []
        """The devices to which lanes are assigned in turn."""
        self.ending = False
        """True once the trainers were signalled to end."""
        self._spawn = spawn
        self._trainers: dict[int, TrainerProcess] = {}
        self._next_number = 0
        self._threads = 1
        self._ending_since = 0.0

    def __len__(self) -> int:
        return len(self._trainers)

    def share_out(self, assignments: Sequence[LaneAssignment], trainers: int, threads: int) -> None:
        """Start at most `trainers` processes for all lanes; each, and each later one, uses
        `threads` intra-op threads."""
        self._threads = threads
        count = min(trainers, len(assignments))
        for number in range(count):
            self.start(assignments[number::count])

    def start(self, assignments: Sequence[LaneAssignment]) -> None:
        """Start a trainer for these lanes."""
        number, self._next_number = self._next_number, self._next_number + 1
        self._trainers[number] = self._spawn(
            str(self.run), number, self.race, list(assignments), self._threads
        )

    def add_lane(self, added: LaneAdded) -> None:
        """Add a lane to the race and start a trainer for it; a fork shares its parent's device."""
        place = added.parent if added.parent >= 0 else len(self.race.lanes)
        device = self.devices[place % len(self.devices)]
        self.race = msgspec.structs.replace(self.race, lanes=(*self.race.lanes, added.child))
        if added.parent < 0:
            self.start([LaneAssignment(added.lane, device)])
            return
        fork = LaneAssignment(added.lane, device, "last", forked_at=added.step, rate=added.rate)
        self.start([fork])

    def start_idle(self, lane: int) -> None:
        """Start a trainer for an ended lane, which waits for the command that revives it."""
        ended = next(one for one in lane_summaries(self.run) if one.index == lane)
        resumption = self.resumption(ended, "rewound")
        self.start([msgspec.structs.replace(resumption, start="idle", paused=False, changes=())])

    def resumption(self, lane: LaneSummary, reason: RewindReason) -> LaneAssignment:
        """The assignment that resumes a lane from its last snapshot, on its former device if this
        machine has devices of that kind. The race gets the lane's settings as recorded: it may have
        been lengthened."""
        self.race = with_lane(self.race, lane.index, lane.lane)
        dealt = self.devices[lane.index % len(self.devices)]
        same_kind = lane.device.partition(":")[0] == dealt.partition(":")[0]
        return LaneAssignment(
            lane.index,
            lane.device if same_kind else dealt,
            "last",
            reason,
            rate=lane.rate,
            paused=lane.paused,
            forked_at=lane.forked_at,
            changes=tuple((change.step, change.factor) for change in lane.changes),
        )

    def has_lane(self, lane: int) -> bool:
        """True if a lane is assigned to a trainer, even to one that has exited unnoticed."""
        return any(
            assignment.index == lane
            for trainer in self._trainers.values()
            for assignment in trainer.assignments
        )

    def wait(self, seconds: float) -> None:
        """Wait until a trainer exits, at most `seconds`.

        Trainers that are known to have exited do not end the wait: one whose end cannot be recorded
        (a full disk) must not cause a busy loop.
        """
        sentinels = [
            sentinel
            for trainer in self._trainers.values()
            if (sentinel := trainer.sentinel) is not None
        ]
        connection.wait(sentinels, seconds)

    def exits(self) -> list[ProcessExit]:
        """The trainers that have exited and were not removed yet."""
        return [
            ProcessExit(number, code, frozenset(one.index for one in trainer.assignments))
            for number, trainer in self._trainers.items()
            if (code := trainer.exitcode) is not None
        ]

    def remove(self, number: int) -> None:
        """Forget a trainer that has exited."""
        del self._trainers[number]

    def end(self) -> None:
        """Send SIGTERM to all trainers, once; later calls kill those that are overdue."""
        if not self.ending:
            self.ending, self._ending_since = True, time.monotonic()
            self._signal(signal.SIGTERM)
        elif self.overdue:
            self.kill()

    @property
    def overdue(self) -> bool:
        """True if the trainers were signalled to end more than SHUTDOWN_S ago: a record that cannot
        be written by then (a full disk) is not waited for."""
        return self.ending and time.monotonic() - self._ending_since > SHUTDOWN_S

    def kill(self) -> None:
        """Kill all trainers."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        for trainer in self._trainers.values():
            trainer.send_signal(number)
