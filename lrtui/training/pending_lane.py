"""A lane that joins a running race: its parent takes a snapshot, and the new lane begins with it.
No torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.command_result import LANE_ENDED, CommandResult, done, refused
from lrtui.core.protocol.commands import Add, Fork, TakeSnapshot, unfit
from lrtui.core.protocol.events import LaneAdded
from lrtui.core.scenario.spec import MAX_LANES, Race, joining_letter, unique_name
from lrtui.store import snapshots
from lrtui.store.snapshots import SnapshotFile
from lrtui.store.writer import Writer


class LaneDecision(NamedTuple):
    """The command's result; `added` is None if it was refused."""

    result: CommandResult
    added: LaneAdded | None = None


class PendingLane:
    """A lane that is on its way into the race; `number` is the command's that asked for it."""

    def __init__(self, number: int, command: Fork | Add) -> None:
        self.number = number
        self._command = command
        self._asked = 0
        """The number of the command that asks the parent for a snapshot."""

    @property
    def rate(self) -> float | None:
        """The rate that it is to apply first."""
        return self._command.rate if isinstance(self._command, Fork) else None

    def advance(
        self, writer: Writer, run: Path, race: Race, at_work: Callable[[int], bool]
    ) -> LaneDecision | None:
        """One move further; None while it is not settled. May raise StoreUnavailable: then it has
        not moved."""
        if len(race.lanes) >= MAX_LANES:
            return LaneDecision(refused(f"a race has at most {MAX_LANES} lanes"))
        if isinstance(self._command, Add):
            return self._decide(race, run, None)
        if why := unfit(self._command):
            return LaneDecision(refused(why))
        if not 0 <= self._command.lane < len(race.lanes):
            return LaneDecision(refused("there is no such lane"))
        parent = race.lanes[self._command.lane]
        if not self._asked and at_work(self._command.lane):
            self._asked = writer.send(TakeSnapshot(lane=self._command.lane))
        taken = writer.results([self._asked]).get(self._asked) if self._asked else LANE_ENDED
        if taken is None:
            return None
        known = snapshots.listing(run, parent.letter)
        if taken.code == "ended":
            source = snapshots.last_good(known, None)
        elif not taken.ok:
            return LaneDecision(taken)
        else:
            source = next((kept for kept in known if kept.path.name == taken.snapshot), None)
        if source is None:
            return LaneDecision(refused(f"lane {parent.letter} has left no snapshot to begin from"))
        return self._decide(race, run, source)

    def _decide(self, race: Race, run: Path, source: SnapshotFile | None) -> LaneDecision:
        child = self._command.child
        sign = joining_letter(race.lanes, child)
        # lanes of several seeds that join together share a name
        taken = {lane.name for lane in race.lanes if lane.seed == child.seed}
        name = unique_name(child.name, taken, sign)
        child = msgspec.structs.replace(child, letter=sign, name=name, expect="")
        step = source.step if source else 0
        # of a lane that was to join when the supervisor was lost, and is not on record
        snapshots.clear(run, sign)
        if source is not None:
            try:
                snapshots.link_into(source, run, sign, "fork")
            except (OSError, LrtuiError) as error:
                why = f"its first snapshot could not be put in place: {error}"
                return LaneDecision(CommandResult("failed", why))
        event = LaneAdded(
            lane=len(race.lanes),
            at=time.time(),
            child=child,
            parent=self._command.lane,
            step=step,
            rate=self.rate,
        )
        parent = race.lanes[self._command.lane].letter if source else ""
        words = (
            f"lane {sign} {name} forked from {parent} at step {step}"
            if source
            else f"lane {sign} {name} added"
        )
        return LaneDecision(done(words), event)
