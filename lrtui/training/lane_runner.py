"""Runs one lane inside a trainer process: builds it, trains it in time slices, executes its
commands."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch

from lrtui.core.errors import SnapshotDamaged
from lrtui.core.numbers import rate as rate_words
from lrtui.core.protocol.command_result import (
    LANE_ENDED,
    CommandResult,
    done,
    refused,
    snapshot_taken,
)
from lrtui.core.protocol.commands import (
    AnyCommand,
    Pause,
    Resume,
    Rewind,
    ScaleRate,
    SetFactor,
    SetRate,
    Stop,
    TakeSnapshot,
    unfit,
)
from lrtui.core.protocol.events import (
    Alerted,
    AnyEvent,
    EndCause,
    Ended,
    EndReason,
    FindingsUpdated,
    LogMessage,
    RateChanged,
    RewindReason,
    Rewound,
    SnapshotTag,
    StatusChanged,
)
from lrtui.core.results.successive_halving import rung_steps
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.store.recorder import Recorder
from lrtui.store.snapshots import SnapshotFile
from lrtui.training import environment, rng
from lrtui.training.dial_replay import DialReplay
from lrtui.training.failure import failure, line, not_taken_up
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_modules import LaneModules
from lrtui.training.lane_snapshots import LaneSnapshots
from lrtui.training.loop import Events, train_lane
from lrtui.training.policy import Policy
from lrtui.training.session import Training
from lrtui.training.snapshot_writer import SnapshotWriter

TURN_S = 0.03
"""How long a lane trains before it is the next one's turn. Each turn begins with another lane's
weights in the cache and a change of random state (80 us) and modules (200 us): with 10 ms, eight
middle-sized lanes lose 5 % more than with 30."""
ACT_EVERY = 16
"""Steps between two at which a policy acts on a lane whose losses stay on an accelerator for a
while."""
NO_SNAPSHOT = "no snapshot can be taken of it: see the log"
MAKE_UP_S = 0.2
"""A lane that fell behind its pace (validation, a busy machine) hurries for at most this long."""


class LaneRunner:
    """A lane in a trainer: its generator of events, its random state and modules between turns,
    whether it is paused.

    It takes a break only where the loop says None: there its state is whole and may be copied.
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
        self.paused = assignment.paused
        self.over = assignment.start == "idle"
        self._assignment = assignment
        self._race = race
        self._lane = race.lanes[assignment.index]
        self._run = run
        self._device = torch.device(assignment.device)
        self._recorder = recorder
        self._snapshots = LaneSnapshots(race, assignment.index, run, snapshot_writer, self._note)
        self._training: Training | None = None
        self._events: Events = iter(())
        self._random = rng.capture(torch.device("cpu"))
        self._modules = LaneModules()
        self._due = time.monotonic()
        self._policy = Policy(race, assignment.index)
        self._dial = DialReplay(assignment.changes)
        self._trained_s = 0.0
        self._begun_at = 0
        self._born = assignment.forked_at
        self._last_step = assignment.forked_at  # where it stood when it was let go of
        self.waits = False
        """Whether it stands at a rung and waits to be told to go on."""
        self._rungs: list[int] = []
        """Numbers of steps after which it will wait."""
        self._looked_at = -1
        self._acts_late = self._device.type != "cpu" and race.on_divergence != "warn"

    @property
    def steps(self) -> int:
        return self._training.step_recorder.step if self._training else self._last_step

    def wait_s(self) -> float:
        """Seconds until the lane may go on: above 0 only where the race has a pace and the lane is
        ahead of it."""
        return self._due - time.monotonic() if self._race.pace else 0.0

    def run(self, seconds: float = TURN_S) -> None:
        """Trains for `seconds`, or to the next possible break after it; where the race has a pace,
        for one step."""
        if self.over:
            return
        self._take_the_process()
        began, steps = time.perf_counter(), self.steps
        try:
            self._ready()
            assert self._training
            self._training.step_recorder.restart_clock()
            for event in self._events:
                if event is not None:
                    self._tell(event)
                    continue
                if not self._after_step():
                    break
                if self._race.pace and self.steps > steps:
                    self._due = max(self._due + 1 / self._race.pace, time.monotonic() - MAKE_UP_S)
                    break
                if time.perf_counter() - began >= seconds or self.waits or self._acts():
                    break
            else:
                self._close()
            self._trained_s += time.perf_counter() - began
            if not self.over and self._snapshots.due(self._lasted_s(), self.steps):
                self._keep()
        # a task's mistake, its exit() or KeyboardInterrupt, ends its lane and no other
        except BaseException as error:
            self._fail(error)
        self._random = rng.capture(self._device)
        if self.over or self._acts():
            self._follow_policy()

    def _take_the_process(self) -> None:
        """Gives the process the lane's random state and its modules, in the place of another
        lane's."""
        self._modules.enter()
        rng.restore(self._random, self._device)

    def _after_step(self) -> bool:
        """Does what belongs to the number of steps done, so that it does not depend on the clock.
        False: the lane has ended."""
        assert self._training
        steps, step_recorder = self.steps, self._training.step_recorder
        if self._dial:
            self._replay()
        if steps == self._looked_at:  # a validation's batch
            return True
        self._looked_at = steps
        if step_recorder.alarmed or (self._acts_late and steps % ACT_EVERY == 0):
            self._flush()
        if self._snapshots.fixed(steps) and not self._policy.due:
            self._keep()
        if self._rungs and steps >= self._rungs[0]:
            self._flush()
            # a step that ends an epoch is told after it
            if step_recorder.flushed_steps >= self._rungs[0]:
                self._rungs = [rung for rung in self._rungs if rung > step_recorder.flushed_steps]
                self.waits = not self.over
                self._note("at a rung of the pruning: waits for the others")
        return not self.over

    def _acts(self) -> bool:
        """True where a policy has something to do now: on an accelerator, where alerts are found
        late, at fixed steps only."""
        due = bool(self._policy.due or self._policy.snapshot_due)
        return due and (not self._acts_late or self.steps % ACT_EVERY == 0)

    def execute(self, command: AnyCommand, number: int = 0) -> CommandResult | None:
        """Executes a command between two steps. None: the result follows once the disk has it."""
        if why := unfit(command):
            return refused(why)
        if isinstance(command, Rewind):
            return self._rewind(command)
        said = self._carry_out(command, number)
        if self.over and self._policy.revives:  # a bad update was found over it
            self._follow_policy()
        return said

    def _carry_out(self, command: AnyCommand, number: int) -> CommandResult | None:
        if self.over:
            return LANE_ENDED
        match command:
            case Stop():
                return self._in_lane_rng(
                    partial(self._stop, "stopped" if command.for_good else "interrupted"),
                    ready=False,
                )
            case Pause() | Resume():
                return self._in_lane_rng(partial(self._pause, isinstance(command, Pause)))
            case SetRate() | ScaleRate() | SetFactor():
                return self._in_lane_rng(partial(self._turn, command))
            case TakeSnapshot():
                return self._in_lane_rng(partial(self._keep_for, number))
        return refused("not a lane's affair")

    def announce_paused(self) -> None:
        """Takes a paused lane up again, so that the record says where it stands."""
        if self.paused and self._assignment.start == "last":
            self._in_lane_rng(lambda: None if self.over else self._tell_status("paused"))

    def interrupt(self, why: str, cause: EndCause = "") -> None:
        """Ends as interrupted, with a snapshot, so that somebody may go on from here."""
        if not self.over:
            self._in_lane_rng(partial(self._stop, "interrupted", why, cause), ready=False)

    def _in_lane_rng(
        self, act: Callable[[], CommandResult | None], *, ready: bool = True
    ) -> CommandResult | None:
        """Does something to the lane as it stands, which is built first where it is not; its random
        state stays its own."""
        self._take_the_process()
        try:
            if ready:
                self._ready()
            return act()
        except BaseException as error:
            self._fail(error)
            return CommandResult("failed", line(error)[:300])
        finally:
            self._random = rng.capture(self._device)

    def _ready(self) -> None:
        """Builds the lane where it begins, once."""
        if self._training is not None:
            return
        if self._assignment.start == "new":
            self._begin(None)
            return
        state = self._snapshots.newest()
        if state is None and (self._assignment.resume_reason is None or self._born):
            raise SnapshotDamaged(
                f"lane {self._lane.letter}: no sound snapshot to begin from", "fork it anew"
            )
        self._begin(state)
        self._snapshots.forget(after=self.steps)  # those that are damaged
        if self._assignment.rate is not None and (
            why := self._aim(SetRate(lane=self.index, rate=self._assignment.rate))
        ):
            self._note(f"the fork's rate stays as it was: {why}")
        self._dial.begin_at(self.steps)
        self._replay(told=False)
        if self._assignment.resume_reason:
            self._went_back(self._assignment.resume_reason)
            self._assignment = msgspec.structs.replace(
                self._assignment, resume_reason=None
            )  # it is done
        else:
            self._tell_rate()

    def _begin(self, state: dict[str, Any] | None) -> None:
        """Builds the lane where a snapshot left it, or at step 0."""
        with environment.entered(self._race):
            self._training = Training(self._race, self.index, self._device, snapshot=state)
        self._events = train_lane(self._training)
        self._snapshots.begin(self._training, loaded=bool(state))
        total = self._training.length.steps
        self._rungs = [step for step in rung_steps(self._race.pruning, total) if step > self.steps]
        self.waits, self._looked_at = False, self.steps
        self._trained_s, self._begun_at = 0.0, self.steps
        self.over = False

    def _rewind(
        self, command: Rewind, halved: Callable[[float], float] | None = None
    ) -> CommandResult | None:
        """Back to a snapshot, or to the initial weights; nothing is changed where there is no way
        back.

        The dial is put at what the snapshot says, times the command's factor, or where `halved`
        says.
        """
        if not self._snapshots.wait_until_idle():
            return refused("a snapshot is on its way, and the disk does not answer")
        state = self._snapshots.for_rewind(command)
        if state is None and command.to != 0 and self._born:
            return refused(
                f"no sound snapshot is that old; the lane was forked at step {self._born}"
            )
        self._flush(last=True)
        self._close()
        self._policy.take()
        self.paused = False
        self._dial.clear()

        def act() -> CommandResult:
            self._begin(state)
            assert self._training
            self._snapshots.forget(after=self.steps if state else -1)
            self._snapshots.unmark_good()
            factor = self._training.dial.factor
            self._training.set_factor(halved(factor) if halved else factor * command.by)
            self._born = self._born if state else 0
            self._went_back("rewound" if state else "restarted")
            return done(f"back at step {self.steps}, rate {rate_words(self._training.next_rate)}")

        return self._in_lane_rng(act, ready=False)

    def _went_back(self, why: RewindReason) -> None:
        assert self._training
        step_recorder = self._training.step_recorder
        self._recorder.put(
            Rewound(lane=self.index, at=time.time(), step=step_recorder.flushed_steps, why=why)
        )
        self._recorder.put(
            FindingsUpdated(
                lane=self.index,
                at=time.time(),
                step=step_recorder.flushed_steps,
                findings=step_recorder.findings,
            )
        )
        self._tell_rate()

    def _tell_rate(self) -> None:
        """Where the dial stands."""
        assert self._training
        self._recorder.put(
            RateChanged(
                lane=self.index,
                at=time.time(),
                step=self.steps,
                factor=self._training.dial.factor,
                rate=self._training.next_rate,
            )
        )

    def _turn(self, command: SetRate | ScaleRate | SetFactor) -> CommandResult:
        """Turns the dial; it counts from the next step on."""
        if why := self._aim(command):
            return refused(why)
        assert self._training
        # whoever turns it now knows nothing of turns that are still to be made again
        self._dial.clear()
        self._tell_rate()
        return done(f"rate {rate_words(self._training.next_rate)} from step {self.steps}")

    def _aim(self, command: SetRate | ScaleRate | SetFactor) -> str:
        """Puts the dial where a command says; why that cannot be, if so."""
        assert self._training
        try:
            self._training.set_factor(self._training.dial.factor_for(command))
        except ValueError as error:
            return str(error)
        return ""

    def _replay(self, *, told: bool = True) -> None:
        """Turns the dial as it was turned before the process was lost, at the same step: where it
        stood in the end."""
        assert self._training
        if (factor := self._dial.due(self.steps)) is not None:
            self._training.set_factor(factor)
            if told:
                self._tell_rate()

    def _pause(self, pause: bool) -> CommandResult:
        waited, self.waits = self.waits, False
        if not pause and waited and not self.paused:
            return done("goes on from its rung")
        if pause == self.paused:
            return done("already paused" if pause else "not paused")
        self.paused = pause
        if pause:
            self._flush()
            self._keep("pause")
        if self.over:  # a bad update, found only now
            return LANE_ENDED
        return self._tell_status("paused" if pause else "running")

    def _tell_status(self, status: Literal["paused", "running"]) -> CommandResult:
        self._recorder.put(
            StatusChanged(lane=self.index, at=time.time(), step=self.steps, status=status)
        )
        return done(status)

    def _lasted_s(self) -> float:
        """For how long it has trained; what a pace makes it wait counts, for then a snapshot keeps
        nobody waiting."""
        pace = self._race.pace
        return (
            max(self._trained_s, (self.steps - self._begun_at) / pace) if pace else self._trained_s
        )

    def _keep_for(self, number: int) -> None:
        """Takes a snapshot; the result of command `number` names its file once it is written."""

        def written(kept: SnapshotFile | None, why: str) -> None:
            result = snapshot_taken(kept.path.name, kept.step) if kept else refused(why)
            self._recorder.acknowledge(number, result)

        if not self._keep("fork", written):
            result = LANE_ENDED if self.over else refused(NO_SNAPSHOT)
            self._recorder.acknowledge(number, result)

    def _keep_now(self, tag: SnapshotTag) -> None:
        """A snapshot of the lane as it stands, unless it has ended or has not begun."""
        if self._training:
            self._in_lane_rng(lambda: done(str(self._keep(tag))))

    def _keep(
        self,
        tag: SnapshotTag | None = None,
        done: Callable[[SnapshotFile | None, str], None] = lambda kept, why: None,
    ) -> bool:
        """Copies the lane's state and hands it on to be written; False where there is none to be
        had."""
        training = self._training
        if training is None or not self._snapshots.is_new(tag, self.steps):
            return False
        began = time.perf_counter()
        self._flush()
        if training.step_recorder.non_finite:
            self._see_the_end()
            return False
        return self._snapshots.take(training, tag, self._lasted_s(), began, done)

    def _tell(self, event: AnyEvent) -> None:
        if isinstance(event, Alerted) and self._policy.alerted(event):
            # the weights after `step` steps are those that the alert is about
            self._snapshots.alerted(event.step)
        if not (isinstance(event, Ended) and event.reason == "nan" and self._policy.revives):
            self._recorder.put(event)

    def _follow_policy(self) -> None:
        """Does what the race wants done about an alert; what follows the alert in the loop has been
        told."""
        if self._policy.snapshot_due:
            self._keep_now("alert")
        command, words = self._policy.take()
        if command is None or (self.over and not isinstance(command, Rewind)):
            return
        self._note(words)
        step, ended = self.steps, self.over
        result = (
            self._rewind(command, self._policy.halved)
            if isinstance(command, Rewind)
            else self.execute(command)
        )
        if result and not result.ok:
            self._note(f"refused: {result.text}")
            if ended:
                self._recorder.put(Ended(lane=self.index, at=time.time(), step=step, reason="nan"))

    def _note(self, text: str) -> None:
        self._recorder.put(LogMessage(lane=self.index, at=time.time(), text=one_line(text)))

    def _flush(self, *, last: bool = False) -> None:
        if self._training:
            for event in self._training.step_recorder.flush(last=last):
                self._tell(event)

    def _see_the_end(self) -> None:
        """A bad update, found only now: the lane ends by itself, and says so."""
        if self._training and self._training.step_recorder.non_finite:
            for event in self._events:
                if event is not None:
                    self._tell(event)
            self._close()

    def _stop(self, reason: EndReason, why: str = "", cause: EndCause = "") -> CommandResult:
        self._keep_now("stop")
        self._flush(last=True)
        self._see_the_end()
        if self.over and not self._policy.revives:
            return LANE_ENDED
        self._policy.take()
        self._recorder.put(
            Ended(
                lane=self.index,
                at=time.time(),
                step=self.steps,
                reason=reason,
                error=why,
                cause=cause,
            )
        )
        self._close()
        return done(reason)

    def _fail(self, error: BaseException) -> None:
        # the device may be lost with its numbers: the error itself is what must be told
        with suppress(Exception):
            self._flush(last=True)
        for event in (not_taken_up if self._assignment.resume_reason else failure)(
            self.index, self.steps, error
        ):
            self._recorder.put(event)
        error.__traceback__ = None  # its frames hold the model
        self._close()

    def _close(self) -> None:
        """Lets go of everything that the lane had on its device, and of its worker processes."""
        self._last_step = self.steps
        self.over, self._events = True, iter(())
        training, self._training = self._training, None
        if training:
            training.close()
        self._modules.forget()
        # elsewhere the next collection will do; this one takes a tenth of a second
        if self._device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
