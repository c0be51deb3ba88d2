"""Writes snapshots to disk beside the training, and decides how often: a lane copies its state, a
thread does the rest.

Snapshots (the copy, and the thread's work) take at most a hundredth of the time: if they cost more,
they become rarer. A lane never waits for the disk.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lrtui.core import numbers
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import LogMessage, SnapshotTag, Snapshotted
from lrtui.core.scenario.spec import Lane, Snapshots
from lrtui.core.text import one_line
from lrtui.store import snapshots
from lrtui.store.recorder import Recorder
from lrtui.store.snapshots import SnapshotFile
from lrtui.training import snapshot

SHARE = 0.01
"""Share of a lane's training time that its periodic snapshots may take."""
FIRST_S = 0.5
"""Seconds of training before the first snapshot; the interval then doubles up to the race's
period."""
GUESS_S, GUESS_BYTES = 2e-3, 2e8
"""Expected cost of a first snapshot: GUESS_S seconds, and one second for GUESS_BYTES."""
DISK_S = 10.0
"""Seconds that a rewind waits for the disk before it is refused."""
RECORD_FIRST_S = 2.0
"""Seconds that a snapshot waits, at most, until the steps before it are recorded."""
OnWritten = Callable[[SnapshotFile | None, str], None]
"""Called with a snapshot that is written, or with None and the reason why it is not."""


PARTS, PART_LEAST = 25, 10
"""A lane that a policy may rewind has a snapshot after each of PARTS parts of its budget, at least
PART_LEAST steps apart."""


class SnapshotSchedule:
    """Decides when a lane's next periodic snapshot is due, in seconds of training: pauses do not
    count.

    If a policy may rewind the lane, snapshots come after fixed numbers of steps only, so that the
    target of a rewind does not depend on the clock.
    """

    def __init__(self, spec: Snapshots, size: int, every: int = 0) -> None:
        """`size`: bytes of the lane's weights and optimizer, for a first guess of the cost.
        `every`: steps between two snapshots; 0 if the clock decides."""
        self.spent = 0.0
        self._every = every
        self._spec = spec
        self._cost = GUESS_S + size / GUESS_BYTES
        self._last_s = 0.0
        self._last_step = 0

    def due(self, trained_s: float, step: int) -> bool:
        """True if a snapshot is due after `trained_s` seconds and `step` steps."""
        if self._every:
            return False
        since = trained_s - self._last_s
        if self._cost > SHARE * since:
            return False
        by_step = self._spec.steps and step - self._last_step >= self._spec.steps
        return bool(by_step) or since >= min(self._spec.seconds, max(FIRST_S, trained_s / 2))

    def fixed(self, step: int) -> bool:
        """True if a snapshot must be taken after `step` steps, however busy the disk is."""
        return bool(self._every) and step % self._every == 0

    def taken(self, trained_s: float, step: int) -> None:
        """Notes that a snapshot is taken now."""
        self._last_s, self._last_step = trained_s, step

    def cost(self, seconds: float) -> None:
        """Takes the cost of the last snapshot, in seconds."""
        self.spent += seconds
        self._cost = seconds


@dataclass(frozen=True)
class SnapshotJob:
    """A snapshot to write."""

    index: int
    lane: Lane
    step: int
    tag: SnapshotTag
    smooth: float
    """The smoothed loss after `step` steps."""
    state: dict[str, Any]
    """The result of `Training.state_dict`; emptied when it is encoded."""
    copied_s: float
    """Seconds that copying the state took."""
    schedule: SnapshotSchedule
    """Takes the cost of the snapshot."""
    done: OnWritten = lambda written, reason: None


@dataclass(frozen=True)
class BestJob:
    """The weights at a lane's best evaluation, to be written."""

    index: int
    lane: Lane
    step: int
    metric: str
    value: float
    state: dict[str, Any]
    """The result of `Training.weights_dict`."""
    schedule: SnapshotSchedule
    """Takes the cost."""


class SnapshotWriter:
    """Writes the snapshots of a trainer's lanes in one thread. Calls return at once, except
    `wait_until_idle` and `close`."""

    def __init__(self, run: Path, recorder: Recorder, spec: Snapshots, lanes: int) -> None:
        """`lanes`: number of lanes that share the disk space; more may join later."""
        self._run = run
        self._recorder = recorder
        self._spec = spec
        self._lanes = lanes
        self._jobs: queue.SimpleQueue[SnapshotJob | Callable[[], None] | None] = queue.SimpleQueue()
        self._busy: set[int] = set()
        """Lanes of which a snapshot is to be written."""
        self._busy_best: set[int] = set()
        """Lanes of which the weights at the best evaluation are."""
        self._failing: set[int] = set()
        """Lanes whose log says already that their snapshots fail."""
        self._thread = threading.Thread(target=self._work, name="snapshots", daemon=True)
        self._thread.start()

    @property
    def budget(self) -> int:
        """Bytes that the snapshots of one lane may take."""
        return self._spec.megabytes * 1_000_000 // max(1, self._lanes, snapshots.lanes(self._run))

    def busy(self, index: int) -> bool:
        """True while a snapshot of a lane is being written; a periodic one does not queue behind
        it."""
        return index in self._busy

    def busy_best(self, index: int) -> bool:
        """The same of the weights at a lane's best evaluation."""
        return index in self._busy_best

    def write(self, job: SnapshotJob) -> None:
        """Queues a snapshot."""
        self._busy.add(job.index)
        self._jobs.put(job)

    def write_best(self, job: BestJob) -> None:
        """Queues the weights at a lane's best evaluation."""
        self._busy_best.add(job.index)
        self._jobs.put(partial(self._write_best, job))

    def pin(self, letter: str, step: int) -> None:
        """Pins a lane's last good snapshot before an alert at `step`, after those that are
        queued."""
        self._jobs.put(partial(self._pin, letter, step))

    def wait_until_idle(self, patience_s: float = DISK_S) -> bool:
        """Waits until every job is done, before a rewind; False if it takes longer than
        `patience_s`."""
        done = threading.Event()
        self._jobs.put(done.set)
        return done.wait(patience_s)

    def close(self, patience_s: float) -> bool:
        """Writes the jobs that are left; False if that takes longer than `patience_s` seconds."""
        self._jobs.put(None)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if isinstance(job, SnapshotJob):
                kept, why = self._write(job)
                self._busy.discard(job.index)
                job.done(kept, why)
                continue
            try:
                job()
            except (OSError, LrtuiError) as error:  # the thread must survive: others wait for it
                print(f"snapshots: {error}", file=sys.stderr, flush=True)

    def _write(self, job: SnapshotJob) -> tuple[SnapshotFile | None, str]:
        began = time.thread_time()
        try:
            payload = self._payload(job.state)
            self._recorder.wait_flushed(RECORD_FIRST_S)
            if self._recorder.superseded:
                return None, "another process has this lane now"
            kept = snapshots.write(
                self._run,
                job.lane.letter,
                job.index,
                job.step,
                job.tag,
                job.smooth,
                job.lane,
                payload,
            )
            left = self._prune(job.lane.letter)
        except Exception as error:
            # any error of torch or the disk: the thread must survive, because others wait for it
            job.schedule.cost(job.copied_s + time.thread_time() - began)
            self._failed(job.index, str(error))
            return None, str(error)
        self._failing.discard(job.index)
        job.schedule.cost(job.copied_s + time.thread_time() - began)
        self._recorder.put(
            Snapshotted(
                lane=job.index,
                step=job.step,
                tag=job.tag,
                size=kept.size,
                smooth=job.smooth,
                kept=[one.step for one in left],
                total=sum(one.size for one in left),
                spent=job.schedule.spent,
            )
        )
        return kept, ""

    def _write_best(self, job: BestJob) -> None:
        began = time.thread_time()
        try:
            payload = self._payload(job.state)
            if self._recorder.superseded:
                return
            snapshots.write_best(
                self._run,
                job.lane.letter,
                job.index,
                job.step,
                job.metric,
                job.value,
                job.lane,
                payload,
            )
            self._prune(job.lane.letter)
        except Exception as error:  # as of a snapshot
            self._failed(job.index, str(error))
        finally:
            self._busy_best.discard(job.index)
            job.schedule.cost(time.thread_time() - began)

    def _payload(self, state: dict[str, Any]) -> bytes:
        """A state as bytes, and emptied; OSError if they are more than the lane may have."""
        payload = snapshot.encode(state)
        state.clear()
        if len(payload) > (budget := self.budget):
            raise OSError(
                f"{numbers.size(len(payload))} are more than the lane's share of the disk, "
                f"{numbers.size(budget)} (snapshots.megabytes)"
            )
        return payload

    def _prune(self, letter: str) -> list[SnapshotFile]:
        """Removes snapshots beyond the budget and returns the rest; an earlier best becomes an
        ordinary one."""
        best = snapshots.best_weights(self._run, letter)
        budget = self.budget - (best.size if best else 0)
        known = snapshots.listing(self._run, letter)
        once_best = [one for one in known if one.tag == "best"][:-1]
        known = [snapshots.retag(one, "ring") if one in once_best else one for one in known]
        gone = snapshots.prune(known, self._spec.last, budget)
        for one in gone:
            snapshots.remove(one)
        return [one for one in known if one not in gone]

    def _pin(self, letter: str, step: int) -> None:
        good = snapshots.last_good(snapshots.listing(self._run, letter), step)
        if good is not None and good.tag in ("ring", "best"):
            snapshots.retag(good, "good")
        elif good is not None and good.tag != "good":
            # keeps its own name, too, because a fork may wait for it
            snapshots.link_into(good, self._run, letter, "good")

    def _failed(self, index: int, why: str) -> None:
        print(f"no snapshot of lane {index}: {why}", file=sys.stderr, flush=True)
        if index not in self._failing:
            self._failing.add(index)
            self._recorder.put(
                LogMessage(lane=index, text=one_line(f"no snapshot could be taken: {why}")[:300])
            )
