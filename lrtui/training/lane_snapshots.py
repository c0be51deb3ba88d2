"""The snapshots of one lane: when one is taken, under which tag, and which one a rewind uses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lrtui.core.errors import LrtuiError, SnapshotDamaged
from lrtui.core.protocol.commands import Rewind
from lrtui.core.protocol.events import SnapshotTag
from lrtui.core.scenario.spec import Race
from lrtui.store import snapshots
from lrtui.store.snapshots import SnapshotFile
from lrtui.training import snapshot
from lrtui.training.best_weights import BestWeights
from lrtui.training.failure import line
from lrtui.training.session import Training
from lrtui.training.snapshot_writer import (
    PART_LEAST,
    PARTS,
    OnWritten,
    SnapshotJob,
    SnapshotSchedule,
    SnapshotWriter,
)


class LaneSnapshots:
    """Takes a lane's snapshots and loads them. `log` adds a line to the lane's log."""

    def __init__(
        self, race: Race, index: int, run: Path, writer: SnapshotWriter, log: Callable[[str], None]
    ) -> None:
        self._race, self._index, self._run = race, index, run
        self._writer, self._log = writer, log
        self._lane = race.lanes[index]
        self._best_weights = BestWeights(race, index, run, writer)
        self._schedule = SnapshotSchedule(race.snapshots, 0)
        self._best = math.inf
        self._last_step = -1
        """Step of the last snapshot; -1 before the first."""
        self._possible = True
        self._sound: int | None = None
        """After an alert, the steps up to which the weights are known to be good; None without
        one."""

    def begin(self, training: Training, *, loaded: bool) -> None:
        """Starts anew with a lane that was just built; `loaded`: from a snapshot."""
        self._lane = training.race.lanes[self._index]
        self._best_weights.begin(training)
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
        self._last_step = training.step_recorder.step if loaded else -1

    def due(self, lasted_s: float, step: int) -> bool:
        """True if a periodic snapshot is due after `lasted_s` seconds of training and `step` steps,
        and none is being written."""
        return self._schedule.due(lasted_s, step) and not self._writer.busy(self._index)

    def fixed(self, step: int) -> bool:
        """True if a snapshot must be taken after `step` steps, however busy the disk is."""
        return self._schedule.fixed(step)

    def is_new(self, tag: SnapshotTag | None, step: int) -> bool:
        """True if a snapshot under `tag` after `step` steps is possible and would not repeat the
        last one."""
        return self._possible and not (tag in ("pause", "stop") and self._last_step == step)

    def take(
        self,
        training: Training,
        tag: SnapshotTag | None,
        lasted_s: float,
        began: float,
        done: OnWritten,
    ) -> bool:
        """Copies the state of a lane whose steps are flushed, and hands it to the writer; False if
        it cannot be copied.

        `tag` None: a periodic one. `began`: time.perf_counter() when the work for it began.
        """
        step, smooth = training.step_recorder.step, training.step_recorder.smooth
        try:
            state = training.state_dict()
        except Exception as error:
            # no memory for a copy, or a failing state_dict of the task: the lane trains on without
            self._possible = False
            self._log(f"no snapshots of this lane: {line(error)}")
            return False
        self._schedule.taken(lasted_s, step)
        self._last_step = step
        if tag is None:
            tag = "best" if smooth < self._best else "ring"
            self._best = min(self._best, smooth)
        copied_s = time.perf_counter() - began
        self._writer.write(
            SnapshotJob(
                self._index, self._lane, step, tag, smooth, state, copied_s, self._schedule, done
            )
        )
        return True

    def evaluated(self, training: Training, metrics: dict[str, float], lasted_s: float) -> None:
        """Keeps the weights of a lane if an evaluation of them is the best so far. `lasted_s`:
        seconds of training."""
        if self._possible:
            try:
                self._best_weights.evaluated(training, metrics, lasted_s)
            except Exception as error:  # as of a snapshot
                self._possible = False
                self._log(f"no snapshots of this lane: {line(error)}")

    def write_best(self, lasted_s: float = math.inf) -> None:
        """Writes the weights of the best evaluation if they are not on disk; with `lasted_s`
        seconds of training only if they are due."""
        if math.isfinite(lasted_s):
            self._best_weights.write_if_due(lasted_s)
        else:
            self._best_weights.write()

    def alerted(self, step: int) -> None:
        """Takes an alert about the weights after `step` steps: pins the last good snapshot before
        it."""
        self._sound = step - 1
        self._writer.pin(self._lane.letter, self._sound)

    def wait_until_idle(self) -> bool:
        """Waits until all snapshots are written; False if the disk does not answer."""
        return self._writer.wait_until_idle()

    def newest(self, *, required: bool) -> dict[str, Any] | None:
        """The state of the newest readable snapshot; without one None, or SnapshotDamaged if
        `required`."""
        state = self._load(reversed(snapshots.listing(self._run, self._lane.letter)))
        if state is None and required:
            raise SnapshotDamaged(
                f"lane {self._lane.letter}: no sound snapshot to begin from", "fork the lane again"
            )
        return state

    def for_rewind(self, command: Rewind) -> dict[str, Any] | None:
        """The state for a rewind: at or before the step of the command, else of the last good
        snapshot; None if there is none."""
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
        """Deletes the snapshots taken after more than `after` steps."""
        snapshots.clear(self._run, self._lane.letter, after=after)

    def unmark_good(self) -> None:
        """Turns the pinned snapshot before an alert into an ordinary one."""
        for kept in snapshots.listing(self._run, self._lane.letter):
            if kept.tag == "good":
                with suppress(OSError):  # the writer may have removed it
                    snapshots.retag(kept, "ring")

    def _load(self, sources: Iterable[SnapshotFile]) -> dict[str, Any] | None:
        """The state of the first readable snapshot; logs those that are damaged."""
        for kept in sources:
            try:
                return snapshot.decode(snapshots.load(kept.path)[1])
            except LrtuiError as error:
                self._log(
                    f"the snapshot after step {kept.step} is damaged, the one before it is taken:"
                    f" {error.message}"
                )
        return None
