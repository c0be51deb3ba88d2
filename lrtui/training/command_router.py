"""Routes the commands of a run: to running processes, to one started for a rewind, or into the race
as a new lane. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.command_result import LANE_ENDED, CommandResult, refused
from lrtui.core.protocol.commands import Add, AnyCommand, Fork, Lengthen, Rewind
from lrtui.store.writer import Writer, row
from lrtui.training.lane_processes import LaneTable
from lrtui.training.pending_lane import PendingLane

STARTS = 4
"""Processes started for one command, at most: each of them was lost over it."""


class CommandRouter:
    """Ensures that each command without a result is executed, or refuses it."""

    def __init__(
        self, writer: Writer, pool: LaneTable, revive: Callable[[int], None] | None = None
    ) -> None:
        """`revive`: starts a process for an ended lane, which rewinds or lengthens it; None: ended
        lanes stay ended."""
        self._writer = writer
        self._pool = pool
        self._revive = revive
        self._pending_lanes: list[PendingLane] = []
        self._starts: Counter[int] = Counter()
        """Processes started to execute a command, by command number."""

    @property
    def busy(self) -> bool:
        """True while a lane is about to join."""
        return bool(self._pending_lanes)

    def route(self) -> bool:
        """Route all waiting commands. False: the record cannot be read or written now."""
        try:
            for number, command in self._writer.pending(0):
                if isinstance(command, Fork | Add):
                    self._add_pending(number, command)
                elif result := self._route(number, command):
                    self._writer.acknowledge([(number, result)])
            for pending in list(self._pending_lanes):
                if self._advance(pending):
                    self._pending_lanes.remove(pending)
        except StoreUnavailable:
            return False
        return True

    def forget_pending(self) -> None:
        """Forget the lanes about to join; their commands wait for the next supervisor."""
        self._pending_lanes.clear()

    def _add_pending(self, number: int, command: Fork | Add) -> None:
        if number not in {pending.number for pending in self._pending_lanes}:
            self._pending_lanes.append(PendingLane(number, command))

    def _route(self, number: int, command: AnyCommand) -> CommandResult | None:
        """Route a command to its lane's process, starting one if needed; a result only if none can
        execute it."""
        if not 0 <= command.lane < len(self._pool.race.lanes):
            return refused("there is no such lane")
        if self._pool.has_lane(command.lane):
            return None
        if not isinstance(command, Rewind | Lengthen) or self._revive is None:
            return LANE_ENDED
        if self._starts[number] >= STARTS:
            why = f"its process was lost {self._starts[number]} times over it"
            return CommandResult("failed", why)
        self._starts[number] += 1
        self._revive(command.lane)
        return None

    def _advance(self, pending: PendingLane) -> bool:
        """Advance a lane that is about to join; True once it has joined or was refused."""
        pool = self._pool
        decision = pending.advance(self._writer, pool.run, pool.race, pool.has_lane)
        if decision is None:
            return False
        joins = [row(decision.added)] if decision.added else []
        self._writer.flush(joins, [(pending.number, decision.result)])
        if decision.added:
            pool.add_lane(decision.added)
        return True
