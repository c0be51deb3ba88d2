"""The snapshots of one lane: when they are taken, under which tag, and which one it goes back
to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.commands import Rewind
from lrtui.core.protocol.events import SnapshotTag
from lrtui.core.scenario.spec import Race
from lrtui.store import snapshots
from lrtui.store.snapshots import SnapshotFile
from lrtui.training import snapshot
from lrtui.training.failure import line
from lrtui.training.session import Training
from lrtui.training.snapshot_writer import DONE, PART_LEAST, PARTS, SnapshotSchedule, SnapshotWriter


class LaneSnapshots:
    """Takes a lane's snapshots and finds them again. `note` puts a line into the lane's log."""

    def __init__(
        self, race: Race, index: int, run: Path, writer: SnapshotWriter, note: Callable[[str], None]
    ) -> None:
        self._race, self._index, self._run, self._writer, self._note = (
            race,
            index,
            run,
            writer,
            note,
        )
        self._lane = race.lanes[index]
        self._schedule = SnapshotSchedule(race.snapshots, 0)
        self._best = math.inf
        self._kept_at = -1
        """The step of the last one."""
        self._can_keep = True
        self._sound: int | None = None
        """After an alert, the number of steps up to which the weights are known to be sound."""

    def begin(self, training: Training, *, loaded: bool) -> None:
        """Begin anew with a lane that was just built; `loaded`: from a snapshot."""
        total = training.length.steps
        every = (
            max(PART_LEAST, math.ceil(total / PARTS))
            if "rewind" in (self._race.on_nan, self._race.on_divergence)
            else 0
        )
        self._schedule = SnapshotSchedule(
            self._race.snapshots, snapshot.size(training.model), every
        )
        self._best, self._sound = math.inf, None
        self._kept_at = training.step_recorder.step if loaded else -1

    def due(self, lasted_s: float, step: int) -> bool:
        """True where a periodic one is due after `lasted_s` seconds of training and `step` steps,
        and none is on its way."""
        return self._schedule.due(lasted_s, step) and not self._writer.busy(self._index)

    def fixed(self, step: int) -> bool:
        """True where one must be taken after `step` steps, however busy the disk is."""
        return self._schedule.fixed(step)

    def is_new(self, tag: SnapshotTag | None, step: int) -> bool:
        """True where a snapshot under `tag` after `step` steps would hold what the last one does
        not."""
        return self._can_keep and not (tag in ("pause", "stop") and self._kept_at == step)

    def take(
        self, training: Training, tag: SnapshotTag | None, lasted_s: float, began: float, done: DONE
    ) -> bool:
        """Copy the state of a lane whose steps have been told, and hand it on to be written; False
        where it cannot be copied.

        `tag` None: a periodic one. `began`: when the work for it began, on the clock of
        time.perf_counter.
        """
        step, smooth = training.step_recorder.step, training.step_recorder.smooth
        try:
            state = training.state_dict()
        # no memory for a copy, a state_dict of a task's own: the lane goes on without
        except Exception as error:
            self._can_keep = False
            self._note(f"no snapshots of this lane: {line(error)}")
            return False
        self._schedule.taken(lasted_s, step)
        self._kept_at = step
        if tag is None:
            tag = "best" if smooth < self._best else "ring"
            self._best = min(self._best, smooth)
        copied_s = time.perf_counter() - began
        self._writer.keep(
            self._index, self._lane, step, tag, smooth, state, copied_s, self._schedule, done
        )
        return True

    def alerted(self, step: int) -> None:
        """An alert about the weights after `step` steps: what comes before it is pinned."""
        self._sound = step - 1
        self._writer.pin(self._lane.letter, self._sound)

    def settle(self) -> bool:
        """Wait until all that was taken lies on disk; False where the disk does not answer."""
        return self._writer.settle()

    def newest(self) -> dict[str, Any] | None:
        """The state of the newest sound one."""
        return self._load(reversed(snapshots.listing(self._run, self._lane.letter)))

    def for_rewind(self, command: Rewind) -> dict[str, Any] | None:
        """The state that a lane is to go back to: at or before the step that the command names,
        else of the last good one."""
        known = snapshots.listing(self._run, self._lane.letter)
        if command.to is not None:
            return self._load(
                [kept for kept in reversed(known) if kept.step <= command.to] if command.to else []
            )
        marked = [kept for kept in known if kept.tag == "good"]
        good = marked[-1] if marked else snapshots.last_good(known, self._sound)
        return self._load(
            [kept for kept in reversed(known) if good is not None and kept.step <= good.step]
        )

    def forget(self, after: int) -> None:
        """Delete those that were taken after more than `after` steps."""
        snapshots.clear(self._run, self._lane.letter, after=after)

    def unmark_good(self) -> None:
        """The last good one before an alert is an ordinary one again."""
        for kept in snapshots.listing(self._run, self._lane.letter):
            if kept.tag == "good":
                with suppress(OSError):  # it may be gone meanwhile
                    snapshots.retag(kept, "ring")

    def _load(self, sources: Iterable[SnapshotFile]) -> dict[str, Any] | None:
        """The first sound one of some snapshots; those that are not are named in the log."""
        for kept in sources:
            try:
                return snapshot.decode(snapshots.load(kept.path)[1])
            except LrtuiError as error:
                self._note(
                    f"the snapshot after step {kept.step} is damaged, the one before it is taken:"
                    f" {error.message}"
                )
        return None
