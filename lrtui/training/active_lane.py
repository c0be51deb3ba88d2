"""A lane that is built: advances its training, emits its events, follows each step with what is due
after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from lrtui.core.diagnostics.schedule_check import SWEEPS
from lrtui.core.protocol.commands import ScaleRate, SetFactor, SetRate
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    Ended,
    FindingsUpdated,
    LogMessage,
    RateChanged,
    RewindReason,
    Rewound,
    SnapshotTag,
    StatusChanged,
)
from lrtui.core.results.successive_halving import WAITS, rung_steps
from lrtui.store.recorder import Recorder
from lrtui.store.snapshots import SnapshotFile
from lrtui.training.dial_replay import DialReplay
from lrtui.training.lane_snapshots import LaneSnapshots
from lrtui.training.loop import train_lane
from lrtui.training.policy import Policy
from lrtui.training.session import Training

ACT_EVERY = 16
"""Steps between two at which a policy acts if losses stay on an accelerator for a while."""


class ActiveLane:
    """One built lane of a trainer.

    Between two calls of `advance` the lane's state is whole: it may be flushed, copied and changed.
    """

    def __init__(
        self,
        training: Training,
        recorder: Recorder,
        snapshots: LaneSnapshots,
        policy: Policy,
        *,
        paused: bool = False,
        changes: Sequence[tuple[int, float]] = (),
    ) -> None:
        """`changes`: (step, factor), changes of the dial to replay at their steps."""
        race = training.race
        self.training = training
        self.recorder = recorder
        self.paused = paused
        self.waits = False
        """True while the lane waits at a pruning rung until it may go on."""
        self.ended = False
        """True once the lane has ended by itself; its last event is emitted."""
        self.trained_s = 0.0
        """Seconds of training since it was built."""
        self.dial_replay = DialReplay(changes)
        self._index = training.index
        self._events = train_lane(training)
        self._snapshots, self._policy = snapshots, policy
        self._acts_late = training.device.type != "cpu" and race.on_divergence != "warn"
        self._first_step = self._last_step = self.step
        self._rungs = [
            step for step in rung_steps(race.pruning, training.length.steps) if step > self.step
        ]
        """Steps after which the lane will wait; none if it was lengthened, because it is compared
        no more."""
        lane = training.lane
        if lane.length:
            self._rungs.clear()
        self._leaves_state = lane.schedule is None or lane.schedule.name not in SWEEPS
        """True if the lane's last state is of use: not after a sweep, which ruins the weights."""
        self._pauses_at_end = training.progress.pauses and not (paused and training.progress.at_end)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.training.step_recorder.step

    @property
    def resting(self) -> bool:
        """True while the lane makes no steps: paused, or at a pruning rung."""
        return self.paused or self.waits

    @property
    def policy_due(self) -> bool:
        """True if the policy has something to do now; on an accelerator, where alerts are found
        late, only at fixed steps."""
        due = bool(self._policy.due or self._policy.snapshot_due)
        return due and (not self._acts_late or self.step % ACT_EVERY == 0)

    def advance(self) -> bool:
        """Trains one step, or validates one batch; False once the lane has ended."""
        for event in self._events:
            if event is None:
                self._after_step()
                return not self.ended
            self.emit(event)
        self.ended = True
        return False

    def _after_step(self) -> None:
        """Does what is due after this number of steps, independent of the clock."""
        if self.dial_replay:
            self.replay_dial()
        step, recorder, progress = self.step, self.training.step_recorder, self.training.progress
        if metrics := progress.evaluated:
            progress.evaluated = {}
            self._snapshots.evaluated(self.training, metrics, self._snapshot_s())
        if progress.at_end:
            self._after_last_step()
        if step == self._last_step:  # a batch of validation
            return
        self._last_step = step
        if recorder.alarmed or (self._acts_late and step % ACT_EVERY == 0):
            self.flush()
        if self._snapshots.fixed(step) and not self._policy.due:
            self.snapshot()
        if self._rungs and step >= self._rungs[0] and not self.ended:
            self.flush()
            # a step that ends an epoch is flushed after its validation
            if recorder.flushed_steps >= self._rungs[0]:
                self._rungs = [rung for rung in self._rungs if rung > recorder.flushed_steps]
                self.waits = True
                self.recorder.put(LogMessage(lane=self._index, text=WAITS))

    def _after_last_step(self) -> None:
        """Leaves the state that a longer lane goes on from, and pauses if it is to."""
        if self._pauses_at_end:
            self._pauses_at_end = False
            self.pause()
        elif self._leaves_state:
            self.snapshot("stop")

    def pause(self) -> None:
        """Pauses the lane, with a snapshot; it has `ended` by itself if its last update was
        bad."""
        self.paused = True
        self.flush()
        self.snapshot("pause")
        self.write_best()
        if not self.ended:
            self.report_status("paused")

    def emit(self, event: AnyEvent) -> None:
        """Records an event and shows alerts to the policy; the NaN end of a lane that the policy
        rewinds is not recorded."""
        if isinstance(event, Alerted) and self._policy.alerted(event):
            # the alert is about the weights after `step` steps
            self._snapshots.alerted(event.step)
        if not (isinstance(event, Ended) and event.reason == "nan" and self._policy.revives):
            self.recorder.put(event)

    def flush(self, *, last: bool = False) -> None:
        """Emits the steps done so far; `last`: no step follows."""
        if not self.ended:
            for event in self.training.step_recorder.flush(last=last):
                self.emit(event)

    def copied_state(self) -> dict[str, Any] | None:
        """Flushes and copies the state; None if the lane has ended by a bad update."""
        self.flush()
        return None if self._ended_non_finite() else self.training.state_dict()

    def snapshot(
        self,
        tag: SnapshotTag | None = None,
        done: Callable[[SnapshotFile | None, str], None] = lambda written, reason: None,
    ) -> bool:
        """Flushes, copies the state and hands it to the writer; False if there is none to write.
        `tag` None: a periodic one. `done`: called once it is written."""
        if self.ended or not self._snapshots.is_new(tag, self.step):
            return False
        began = time.perf_counter()
        self.flush()
        if self._ended_non_finite():
            return False
        return self._snapshots.take(self.training, tag, self._snapshot_s(), began, done)

    def write_best(self) -> None:
        """Writes the weights of the best evaluation, if they are not on disk."""
        self._snapshots.write_best()

    def snapshot_alert(self) -> None:
        """Takes a snapshot at an alert."""
        self.snapshot("alert")

    def snapshot_if_due(self) -> None:
        """Takes a periodic snapshot if one is due, and writes the best weights if they are."""
        if not self.training.progress.over and self._snapshots.due(self._snapshot_s(), self.step):
            self.snapshot()
        self._snapshots.write_best(self._snapshot_s())

    def _snapshot_s(self) -> float:
        """Seconds of training for the snapshots' schedule, with the waits for a race's pace: a
        snapshot in a wait delays nothing."""
        if not (pace := self.training.race.pace):
            return self.trained_s
        return max(self.trained_s, (self.step - self._first_step) / pace)

    def finish(self) -> None:
        """Flushes the last steps and takes a last snapshot, before the lane is stopped; it has
        `ended` by itself if its last update was bad."""
        self.snapshot("stop")
        self.flush(last=True)
        self._ended_non_finite()

    def _ended_non_finite(self) -> bool:
        """True if a flush has found a bad update; then emits the lane's end."""
        if not self.training.step_recorder.non_finite:
            return False
        for event in self._events:
            if event is not None:
                self.emit(event)
        self.ended = True
        return True

    def set_dial(self, command: SetRate | ScaleRate | SetFactor) -> str:
        """Sets the dial as a command says; returns the reason if it cannot, else ""."""
        try:
            self.training.set_factor(self.training.dial.factor_for(command))
        except ValueError as error:
            return str(error)
        return ""

    def replay_dial(self, *, report: bool = True) -> None:
        """Sets the dial as it was at this step before the process was lost."""
        if (factor := self.dial_replay.due(self.step)) is not None:
            self.training.set_factor(factor)
            if report:
                self.report_rate()

    def report_rate(self) -> None:
        """Emits the dial's factor and the next rate."""
        self.recorder.put(
            RateChanged(
                lane=self._index,
                step=self.step,
                factor=self.training.dial.factor,
                rate=self.training.next_rate,
            )
        )

    def report_status(self, status: Literal["paused", "running"]) -> None:
        """Emits the lane's status."""
        self.recorder.put(StatusChanged(lane=self._index, step=self.step, status=status))

    def report_return(self, reason: RewindReason) -> None:
        """Emits that the lane resumes from its present step, with its findings and rate there."""
        recorder = self.training.step_recorder
        step = recorder.flushed_steps
        lane = self.training.lane
        longer = reason == "lengthened"
        self.recorder.put(
            Rewound(
                lane=self._index,
                step=step,
                why=reason,
                length=lane.length if longer else None,
                schedule_length=lane.schedule_length if longer else None,
            )
        )
        self.recorder.put(FindingsUpdated(lane=self._index, step=step, findings=recorder.findings))
        self.report_rate()
