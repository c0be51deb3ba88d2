"""Runs one lane inside a trainer process: builds it, trains it in time slices, executes its
commands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lrtui.core.errors import LrtuiError
from lrtui.core.numbers import rate as rate_text
from lrtui.core.protocol.command_result import LANE_ENDED, CommandResult, done, refused
from lrtui.core.protocol.commands import AnyCommand, Lengthen, Rewind, SetRate, Stop, unfit
from lrtui.core.protocol.events import EndCause, Ended, EndReason, LogMessage
from lrtui.core.scenario.spec import Race, with_lane
from lrtui.core.text import one_line
from lrtui.store.recorder import Recorder
from lrtui.training import devices, environment, lane_commands, lengthening
from lrtui.training.active_lane import ActiveLane
from lrtui.training.failure import failure, line, not_resumed
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_snapshots import LaneSnapshots
from lrtui.training.lengthening import Extension
from lrtui.training.pace import Pace
from lrtui.training.policy import Policy
from lrtui.training.process_state import ProcessState
from lrtui.training.session import Extend, Training
from lrtui.training.snapshot_writer import SnapshotWriter

SLICE_S = 0.03
"""Seconds that a lane trains before the next one. A slice begins with another lane's weights in the
cache and a swap of random state (80 us) and modules (200 us): with 10 ms, eight middle-sized lanes
lose 5 % more than with 30 ms."""


class LaneRunner:
    """One lane of a trainer: not built yet, built (an ActiveLane), or over.

    Keeps the lane's state of the process while other lanes run in it.
    """

    def __init__(
        self,
        race: Race,
        assignment: LaneAssignment,
        run: Path,
        recorder: Recorder,
        snapshot_writer: SnapshotWriter,
    ) -> None:
        self.index = assignment.index
        self.over = assignment.start == "idle"
        """True once the lane has ended; a rewind builds it again."""
        self._race, self._assignment, self._recorder = race, assignment, recorder
        self._device = torch.device(assignment.device)
        self._snapshots = LaneSnapshots(race, assignment.index, run, snapshot_writer, self._log)
        self._policy = Policy(race, assignment.index)
        self._lane: ActiveLane | None = None
        self._process = ProcessState(self._device)
        self._resume_reason = assignment.resume_reason
        """None once the return is reported: a later failure is the task's, not one of resuming."""
        self._forked_at = self._last_step = assignment.forked_at
        """Steps done when the lane was closed."""
        self.pace = Pace(race.pace)

    @property
    def steps(self) -> int:
        """Steps done."""
        return self._lane.step if self._lane else self._last_step

    @property
    def paused(self) -> bool:
        """True while the lane is paused by a command or a policy."""
        return self._lane.paused if self._lane else self._assignment.paused

    @property
    def runnable(self) -> bool:
        """True if the lane may train, after the wait of its pace."""
        return not (self.over or self.paused or (self._lane and self._lane.waits))

    def run(self, seconds: float = SLICE_S) -> None:
        """Trains for `seconds`, or one step if the race has a pace."""
        if self.over:
            return
        self._in_process(partial(self._train, seconds))
        if self._lane is None or self._lane.policy_due:
            self._follow_policy()

    def _train(self, seconds: float) -> None:
        began = time.perf_counter()
        lane = self._built()
        first = lane.step
        lane.training.step_recorder.clock.start()
        while lane.advance():
            if self.pace.limited and lane.step > first:
                self.pace.step_done()
                break
            if time.perf_counter() - began >= seconds or lane.resting or lane.policy_due:
                break
        lane.trained_s += time.perf_counter() - began
        if not lane.ended:
            lane.snapshot_if_due()

    def execute(self, command: AnyCommand, number: int = 0) -> CommandResult | None:
        """Executes a command between two steps. None: the result follows once the disk has it."""
        if reason := unfit(command):
            return refused(reason)
        result = self._execute(command, number)
        if self.over and self._policy.revives:  # the command has found a bad update
            self._follow_policy()
        return result

    def _execute(self, command: AnyCommand, number: int) -> CommandResult | None:
        match command:
            case Rewind():
                return self._rewind(command, lambda factor: factor * command.by)
            case Lengthen():
                return self._in_process(partial(self._lengthen, command))
            case _ if self.over:
                return LANE_ENDED
            case Stop(for_good=for_good):
                reason: EndReason = "stopped" if for_good else "interrupted"
                return self._in_process(partial(self._stop, reason))
        return self._in_process(lambda: lane_commands.execute(command, number, self._built()))

    def announce_paused(self) -> None:
        """Builds a paused lane that is resumed, so that the record has its step and status."""
        if self.paused and self._assignment.start == "last":
            self._in_process(lambda: self._built().report_status("paused"))

    def interrupt(self, reason: str, cause: EndCause = "") -> None:
        """Ends the lane as interrupted, with a snapshot that it can be resumed from."""
        if not self.over:
            self._in_process(partial(self._stop, "interrupted", reason, cause))

    def _in_process(self, act: Callable[[], CommandResult | None]) -> CommandResult | None:
        """Calls `act` with the lane's random state and modules in place of another lane's. An
        exception, even a task's exit() or KeyboardInterrupt, ends this lane and no other."""
        self._process.enter()
        try:
            result = act()
            if self._lane and self._lane.ended:
                self._close()
            return result
        except BaseException as error:
            self._fail(error)
            return CommandResult("failed", line(error)[:300])
        finally:
            self._process.leave()

    def _built(self) -> ActiveLane:
        """The lane, which the first call builds as its assignment says."""
        if self._lane is not None:
            return self._lane
        assignment = self._assignment
        new, fork = assignment.start == "new", self._resume_reason is None
        state = None if new else self._snapshots.newest(required=fork or self._forked_at > 0)
        lane = self._build(state, paused=assignment.paused, changes=assignment.changes)
        if new:
            return lane
        self._snapshots.forget(after=lane.step)  # the damaged ones
        if assignment.rate is not None and (
            reason := lane.set_dial(SetRate(lane=self.index, rate=assignment.rate))
        ):
            self._log(f"the fork's rate stays as it was: {reason}")
        lane.dial_replay.begin_at(lane.step)
        lane.replay_dial(report=False)
        if self._resume_reason:
            lane.report_return(self._resume_reason)
            self._resume_reason = None
        else:
            lane.report_rate()
        return lane

    def _build(
        self,
        state: dict[str, Any] | None,
        *,
        paused: bool = False,
        changes: Sequence[tuple[int, float]] = (),
        extend: Extend | None = None,
    ) -> ActiveLane:
        """Builds the lane from a snapshot's state, or at step 0; `extend` gives it another
        length."""
        if self._race.lanes[self.index].recipe.compile:
            self._log("torch.compile begins: the first step waits for it")
        with environment.entered(self._race):
            training = Training(self._race, self.index, self._device, snapshot=state, extend=extend)
        try:
            self._snapshots.begin(training, loaded=bool(state))
            self._lane = ActiveLane(
                training,
                self._recorder,
                self._snapshots,
                self._policy,
                paused=paused,
                changes=changes,
            )
        except BaseException:
            training.close()
            raise
        self.over = False
        return self._lane

    def _rewind(
        self, command: Rewind, new_factor: Callable[[float], float]
    ) -> CommandResult | None:
        """Rebuilds the lane from a snapshot or the initial weights, with `new_factor` of the dial's
        factor there; changes nothing if that is impossible."""
        if not self._snapshots.wait_until_idle():
            return refused("a snapshot is on its way, and the disk does not answer")
        state = self._snapshots.for_rewind(command)
        if state is None and command.to != 0 and self._forked_at:
            return refused(
                f"no sound snapshot is that old; the lane was forked at step {self._forked_at}"
            )
        if self._lane:
            self._lane.flush(last=True)
        self._close(rebuilt=True)
        self._policy.take()
        return self._in_process(partial(self._rebuild, state, new_factor))

    def _lengthen(self, command: Lengthen) -> CommandResult:
        """Rebuilds the lane from its present or last state with another length; changes nothing if
        that is impossible."""
        lane, extension = None if self.over else self._built(), Extension(command, self.over)
        try:
            state = lane.copied_state() if lane else self._last_state()
            if state is None:
                return LANE_ENDED  # a flush has found a bad update
            extend = partial(extension.lengthened, self.index, state)
            if lane is None:
                longer = self._build(state, extend=extend)
            else:
                extend(lane.training.race, lane.training.steps_of_an_epoch)
        except LrtuiError as error:
            return refused(error.message)
        paused = False
        if lane is not None:
            paused = lane.paused and not lane.training.progress.at_end
            self._close(rebuilt=True)
            longer = self._build(state, paused=paused, extend=extend)
        self._race = with_lane(self._race, self.index, longer.training.lane)
        self._snapshots.forget(after=longer.step)  # an ended lane may go on from before its best
        self._resume_reason = None
        longer.report_return("lengthened")
        longer.report_status("paused" if paused else "running")
        text = lengthening.words(longer.training)
        self._log(text)
        if command.reschedule:  # from before, its steps would have other rates
            longer.snapshot()
        return done(text)

    def _last_state(self) -> dict[str, Any]:
        """The newest state of a lane that has ended; LrtuiError without one."""
        if not self._snapshots.wait_until_idle():
            raise LrtuiError("a snapshot is on its way, and the disk does not answer")
        if (state := self._snapshots.newest(required=False)) is None:
            raise LrtuiError("it has left no snapshot to go on from: restart it")
        return state

    def _rebuild(
        self, state: dict[str, Any] | None, new_factor: Callable[[float], float]
    ) -> CommandResult:
        lane = self._build(state)
        self._resume_reason = None
        self._snapshots.forget(after=lane.step if state else -1)
        self._snapshots.unmark_good()
        lane.training.set_factor(new_factor(lane.training.dial.factor))
        if state is None:
            self._forked_at = 0
        lane.report_return("rewound" if state else "restarted")
        return done(f"back at step {lane.step}, rate {rate_text(lane.training.next_rate)}")

    def _follow_policy(self) -> None:
        """Executes the command that the policy has for an alert."""
        if self._policy.snapshot_due and self._lane:
            self._in_process(self._lane.snapshot_alert)
        command, text = self._policy.take()
        if command is None or (self.over and not isinstance(command, Rewind)):
            return
        self._log(text)
        step, ended = self.steps, self.over
        result = (
            self._rewind(command, self._policy.halved)
            if isinstance(command, Rewind)
            else self.execute(command)
        )
        if result and not result.ok:
            self._log(f"refused: {result.text}")
            if ended and result.code != "failed":  # a failure has recorded its own end
                self._recorder.put(Ended(lane=self.index, step=step, reason="nan"))

    def _stop(self, reason: EndReason, error: str = "", cause: EndCause = "") -> CommandResult:
        if self._lane:
            self._lane.finish()
            if self._lane.ended and not self._policy.revives:
                return LANE_ENDED
        self._policy.take()
        self._recorder.put(
            Ended(lane=self.index, step=self.steps, reason=reason, error=error, cause=cause)
        )
        self._close()
        return done(reason)

    def _fail(self, error: BaseException) -> None:
        if self._lane:
            # the device may be lost with its numbers: the error itself must be reported
            with suppress(Exception):
                self._lane.flush(last=True)
        events = not_resumed if self._resume_reason else failure
        for event in events(self.index, self.steps, error):
            self._recorder.put(event)
        error.__traceback__ = None  # its frames hold the model
        self._close()

    def _close(self, *, rebuilt: bool = False) -> None:
        """Frees the lane's memory on its device, and ends its worker processes. `rebuilt`: from
        another state, which may be one before the best evaluation."""
        if not rebuilt:
            self._snapshots.write_best()
        self._last_step = self.steps
        self.over = True
        lane, self._lane = self._lane, None
        if lane:
            lane.training.close()
        del lane
        self._process.modules.forget()
        devices.free_memory(self._device)

    def _log(self, text: str) -> None:
        self._recorder.put(LogMessage(lane=self.index, text=one_line(text)))
