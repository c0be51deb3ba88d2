"""Recovers the lanes of a trainer that has exited: restarts them, or records their ends. Imports no
torch."""

from __future__ import annotations

import time
from collections import Counter
from typing import NamedTuple

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.events import Alerted, AnyEvent, Ended
from lrtui.store.lane_summary import LaneSummary, lane_summaries
from lrtui.store.run_dir import tail
from lrtui.store.writer import Writer, row
from lrtui.training.exit_cause import end_of
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_processes import ProcessExit
from lrtui.training.trainer_pool import TrainerPool

RESTARTS = 3
"""Restarts of a lane whose process was lost, at most."""
CAUSE_BYTES = 64_000
"""Bytes at the end of a lost trainer's log that are searched for the cause: a list of all modules
follows a crash."""


class _Loss(NamedTuple):
    """The loss of one trainer."""

    trainer: int
    cause: str
    """Completes "its process was lost: "."""
    log: str
    """The last lines of its log."""


class LaneRecovery:
    """Restarts lanes whose process was lost, up to RESTARTS times each."""

    def __init__(self, writer: Writer, pool: TrainerPool) -> None:
        self._writer = writer
        self._pool = pool
        self._restarts: Counter[int] = Counter()
        """By lane index."""

    def recover(self, gone: ProcessExit, *, interrupted: bool) -> bool:
        """Restart the lanes that a trainer left without an end, or record their ends.

        `interrupted`: the race is ending, so no lane is restarted. False: the record cannot be read
        or written now.
        """
        again: list[LaneAssignment] = []
        try:
            left = [
                lane
                for lane in lane_summaries(self._pool.run)
                if lane.index in gone.lanes and lane.end is None
            ]
            if left:
                loss = self._loss(gone)
                events: list[AnyEvent] = []
                for lane in left:
                    if interrupted:
                        events.append(_interrupted(lane, loss))
                    elif gone.code and self._restarts[lane.index] < RESTARTS:
                        again.append(self._pool.resumption(lane, "recovered"))
                        events.append(self._restarted(lane, loss))
                    else:
                        events += _died(lane, loss, gave_up=gone.code != 0)
                self._writer.append([row(event) for event in events])
        except StoreUnavailable:
            return False
        self._restart(again)
        return True

    def _loss(self, gone: ProcessExit) -> _Loss:
        path = self._pool.run / f"trainer-{gone.number}.log"
        return _Loss(gone.number, end_of(gone.code, tail(path, CAUSE_BYTES)), tail(path))

    def _restart(self, lanes: list[LaneAssignment]) -> None:
        """Start the lanes again in one trainer; in one each if any was lost before, because one of
        them may kill the others."""
        self._restarts.update(assignment.index for assignment in lanes)
        if any(self._restarts[assignment.index] > 1 for assignment in lanes):
            for assignment in lanes:
                self._pool.start([assignment])
        elif lanes:
            self._pool.start(lanes)

    def _restarted(self, lane: LaneSummary, loss: _Loss) -> Alerted:
        text = (
            f"its process was lost ({loss.cause}): it goes on from its last snapshot, restart"
            f" {self._restarts[lane.index] + 1} of {RESTARTS}"
        )
        return Alerted(lane=lane.index, at=time.time(), step=lane.steps, kind="lost", text=text)


def _interrupted(lane: LaneSummary, loss: _Loss) -> Ended:
    return Ended(
        lane=lane.index,
        at=time.time(),
        step=lane.steps,
        reason="interrupted",
        error=f"trainer {loss.trainer} {loss.cause}",
    )


def _died(lane: LaneSummary, loss: _Loss, *, gave_up: bool) -> list[AnyEvent]:
    """`gave_up`: it was restarted RESTARTS times."""
    now, times = time.time(), f", {RESTARTS + 1} times" if gave_up else ""
    return [
        Alerted(
            lane=lane.index,
            at=now,
            step=lane.steps,
            kind="error",
            text=f"its process was lost: {loss.cause}{times}",
        ),
        Ended(
            lane=lane.index,
            at=now,
            step=lane.steps,
            reason="died",
            error=f"trainer {loss.trainer} {loss.cause}\n{loss.log}",
        ),
    ]
