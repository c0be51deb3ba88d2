"""Puts snapshots on disk beside the training, and decides how often: a lane copies its state, a
thread does the rest.

What snapshots take of the time (the copy, and what the thread computes) stays below a hundredth:
where they take longer, they become rarer. A lane never waits for the disk.
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
"""Of the time that a lane trains, at most so much goes into its periodic snapshots."""
FIRST_S = 0.5
"""Training time before the first one; the next ones come at twice the time each, up to the race's
own period."""
GUESS_S, GUESS_BYTES = 2e-3, 2e8
"""What a first snapshot is expected to take: so many seconds, and one more for so many bytes."""
SETTLE_S = 10.0
"""How long a lane that is to go back waits for the disk; then it does not go back."""
RECORD_FIRST_S = 2.0
"""A snapshot waits so long, at most, until the steps before it are recorded."""
DONE = Callable[[SnapshotFile | None, str], None]
"""What is to be called when a snapshot lies on disk, or with the reason why it does not."""


PARTS, PART_LEAST = 25, 10
"""A lane that a policy may send back has a snapshot after each of so many parts of its budget, of
so many steps at least."""


class SnapshotSchedule:
    """When a lane's next periodic snapshot is due. Seconds are those that it trains: pauses do not
    count.

    Where a policy may send the lane back, snapshots come after fixed numbers of steps only: to
    which one it goes back must not depend on the clock.
    """

    def __init__(self, spec: Snapshots, size: int, every: int = 0) -> None:
        """`size`: bytes of the lane's weights and optimizer, as a first guess of what a snapshot
        costs. `every`: steps between two, where they must not depend on the clock."""
        self.spent = 0.0
        self._every = every
        self._spec = spec
        self._cost = GUESS_S + size / GUESS_BYTES
        self._last_s = 0.0
        self._last_step = 0

    def due(self, trained_s: float, step: int) -> bool:
        """True where one is due after `trained_s` seconds and `step` steps."""
        if self._every:
            return False
        since = trained_s - self._last_s
        if self._cost > SHARE * since:
            return False
        by_step = self._spec.steps and step - self._last_step >= self._spec.steps
        return bool(by_step) or since >= min(self._spec.seconds, max(FIRST_S, trained_s / 2))

    def fixed(self, step: int) -> bool:
        """True where one must be taken after `step` steps, however busy the disk is."""
        return bool(self._every) and step % self._every == 0

    def taken(self, trained_s: float, step: int) -> None:
        """One is being taken."""
        self._last_s, self._last_step = trained_s, step

    def cost(self, seconds: float) -> None:
        """What the last one took, in all."""
        self.spent += seconds
        self._cost = seconds


@dataclass(frozen=True)
class _Order:
    index: int
    lane: Lane
    step: int
    tag: SnapshotTag
    smooth: float
    state: dict[str, Any]
    copied_s: float
    cadence: SnapshotSchedule
    done: DONE


class SnapshotWriter:
    """One thread that writes the snapshots of a trainer's lanes. Every call returns at once."""

    def __init__(self, run: Path, recorder: Recorder, spec: Snapshots, lanes: int) -> None:
        """`lanes`: how many lanes of the run share the disk space, unless more have joined
        since."""
        self._run = run
        self._recorder = recorder
        self._spec = spec
        self._lanes = lanes
        self._orders: queue.SimpleQueue[_Order | Callable[[], None] | None] = queue.SimpleQueue()
        self._busy: set[int] = set()
        self._failing: set[int] = set()
        """Lanes that have been told that their snapshots fail."""
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        self._thread.start()

    @property
    def budget(self) -> int:
        """Bytes for the snapshots of one lane."""
        return self._spec.megabytes * 1_000_000 // max(1, self._lanes, snapshots.lanes(self._run))

    def busy(self, index: int) -> bool:
        """Whether a snapshot of a lane is on its way; a periodic one does not queue behind it."""
        return index in self._busy

    def keep(
        self,
        index: int,
        lane: Lane,
        step: int,
        tag: SnapshotTag,
        smooth: float,
        state: dict[str, Any],
        copied_s: float,
        cadence: SnapshotSchedule,
        done: DONE = lambda kept, why: None,
    ) -> None:
        """Takes the state of a lane after `step` steps, as `snapshot.capture` gave it, to be
        written."""
        self._busy.add(index)
        self._orders.put(_Order(index, lane, step, tag, smooth, state, copied_s, cadence, done))

    def pin(self, letter: str, step: int) -> None:
        """Marks a lane's last good snapshot before an alert at `step`, so that it is kept, when all
        before is written."""
        self._orders.put(partial(self._pin, letter, step))

    def settle(self, patience_s: float = SETTLE_S) -> bool:
        """Waits until everything that was asked for is done; for the rare moments when a lane goes
        back. Whether it is."""
        done = threading.Event()
        self._orders.put(done.set)
        return done.wait(patience_s)

    def close(self, patience_s: float) -> bool:
        """Writes what is left, within `patience_s` seconds; whether all of it is done."""
        self._orders.put(None)
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            if isinstance(order, _Order):
                kept, why = self._write(order)
                self._busy.discard(order.index)
                order.done(kept, why)
                continue
            try:
                order()
            except (OSError, LrtuiError) as error:  # this thread must live: others wait for it
                print(f"snapshots: {error}", file=sys.stderr, flush=True)

    def _write(self, order: _Order) -> tuple[SnapshotFile | None, str]:
        began = time.thread_time()
        try:
            payload = snapshot.encode(order.state)
            order.state.clear()
            budget = self.budget
            if len(payload) > budget:
                raise OSError(
                    f"{numbers.size(len(payload))} are more than the lane's share of the disk, "
                    f"{numbers.size(budget)} (snapshots.megabytes)"
                )
            self._recorder.wait_flushed(RECORD_FIRST_S)
            if self._recorder.superseded:
                return None, "another process has this lane now"
            kept = snapshots.write(
                self._run,
                order.lane.letter,
                order.index,
                order.step,
                order.tag,
                order.smooth,
                order.lane,
                payload,
            )
            left = self._prune(order.lane.letter, budget)
        # whatever torch or the disk says: this thread must live, for others wait for it
        except Exception as error:
            order.cadence.cost(order.copied_s + time.thread_time() - began)
            self._failed(order.index, str(error))
            return None, str(error)
        self._failing.discard(order.index)
        order.cadence.cost(order.copied_s + time.thread_time() - began)
        self._recorder.put(
            Snapshotted(
                lane=order.index,
                at=time.time(),
                step=order.step,
                tag=order.tag,
                size=kept.size,
                smooth=order.smooth,
                kept=[one.step for one in left],
                total=sum(one.size for one in left),
                spent=order.cadence.spent,
            )
        )
        return kept, ""

    def _prune(self, letter: str, budget: int) -> list[SnapshotFile]:
        """Removes what there is no room for; what is left. What was best once is one of the last
        few from then on."""
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
        # it keeps its own name, too: a fork may be waiting for it
        elif good is not None and good.tag != "good":
            snapshots.link_into(good, self._run, letter, "good")

    def _failed(self, index: int, why: str) -> None:
        print(f"no snapshot of lane {index}: {why}", file=sys.stderr, flush=True)
        if index not in self._failing:
            self._failing.add(index)
            self._recorder.put(
                LogMessage(
                    lane=index,
                    at=time.time(),
                    text=one_line(f"no snapshot could be taken: {why}")[:300],
                )
            )
