"""The supervisor of a run: starts its trainers, watches over them, and takes care of the lanes that
join or are lost.

It outlives every screen, and imports no torch. Its only channel is the run's database.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing import connection
from pathlib import Path

import msgspec

from lrtui.core.errors import StoreUnavailable, Superseded
from lrtui.core.protocol.command_result import LANE_ENDED, CommandResult, refused
from lrtui.core.protocol.commands import Add, AnyCommand, Fork, Rewind
from lrtui.core.protocol.events import Alerted, AnyEvent, Ended, LogMessage, RewindReason
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario.spec import Race
from lrtui.store.lane_summary import LaneSummary, lane_summaries
from lrtui.store.run_dir import GONE_S, SUPERVISOR_ROLE, Absence, is_gone, tail
from lrtui.store.writer import Writer, row
from lrtui.training.alert_hook import AlertHook
from lrtui.training.exit_cause import end_of
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.pending_lane import PendingLane
from lrtui.training.pruning import PruningMonitor
from lrtui.training.trainer_process import TrainerProcess

LOOK_S = 0.1
BEAT_S = 1.0
RESTARTS = 3
"""How often the supervisor starts a lane again whose process was lost."""
LEAVE_S = 8.0
"""What trainers may take to end when they are told to; then they are killed."""
CAUSE_BYTES = 64_000
"""Of a lost trainer's log, so much is searched for the cause: a crash is followed by a list of all
modules."""
OLD_S = 10.0
"""How long a supervisor that takes up a run waits for the trainers of the one before it: they are
on their way out."""


class Supervisor:
    """A race that has been started: its trainers, and the record of what becomes of them."""

    def __init__(
        self, run: Path, race: Race, on_alert: str = "", folder: str | None = None
    ) -> None:
        """`folder`: the working directory of `on_alert`; None: that of this process."""
        self.run = run
        self.race = race
        self._writer = Writer(run, SUPERVISOR_ROLE)
        self._alert_hook = AlertHook(on_alert, race, self._writer, folder=folder)
        self._pruning: PruningMonitor | None = None
        self._trainers: dict[int, TrainerProcess] = {}
        self._devices: list[str] = []
        self._pending: list[PendingLane] = []
        self._restarts: Counter[int] = Counter()
        """By lane."""
        self._wakes: Counter[int] = Counter()
        """By number of the command: how often a trainer was started to carry it out."""
        self._behind: list[tuple[AnyCommand, str]] = []
        """Commands of the pruning that are not sent yet."""
        self._threads = 1
        self._next = -1
        self._told_to_end = 0.0
        self._absence = Absence(run)
        self._stop = ""
        self._beaten = -BEAT_S
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._try(self._writer.claim)

    def start(self, devices: Sequence[str], trainers: int) -> None:
        """Starts all lanes at step 0, on `devices`, in at most so many processes."""
        self._devices = list(devices)
        self._pruning = PruningMonitor(self.run, self.race)
        assignments = [LaneAssignment(index, device) for index, device in enumerate(devices)]
        count = min(trainers, len(assignments))
        self._threads = max(1, _cores() // count)  # together they do not exceed the cores
        for number in range(count):
            self._send_out(assignments[number::count])

    def resume(self, devices: Sequence[str], trainers: int) -> None:
        """Takes up the lanes that were cut off or interrupted, from their last snapshots; each on
        the device it was on, where that is there. Commands that wait for the supervisor are carried
        out then. May raise StoreUnavailable."""
        self._devices = list(devices)
        self._pruning = PruningMonitor(self.run, self.race)
        self._wait_for_the_old()
        self._alert_hook.skip_existing()
        known = lane_summaries(self.run)
        going_on = [self._taken_up(one, "resumed") for one in known if one.unfinished]
        self._threads = max((one.threads for one in known), default=0) or max(
            1, _cores() // max(1, len(going_on))
        )
        count = min(trainers, len(going_on))
        lanes = f"{len(going_on)} lane{'' if len(going_on) == 1 else 's'}"
        self._say(
            [
                LogMessage(
                    lane=-1, at=time.time(), text=f"taken up again: {lanes} from the last snapshots"
                )
            ]
        )
        for number in range(count):
            self._send_out(going_on[number::count])

    def _wait_for_the_old(self) -> None:
        """Trainers of a supervisor that is gone are on their way out; what one of them writes after
        this counts for nothing."""
        until = time.monotonic() + OLD_S
        while self._writer.trainers_alive() and time.monotonic() < until:
            time.sleep(LOOK_S)
        self._writer.revoke_trainers()

    def note(self, previews: Sequence[Preview]) -> None:
        """Writes what is to be said of the lanes' schedules into the run's log, where it can be
        written."""
        self._say(
            [
                LogMessage(lane=index, at=time.time(), text=text)
                for index, preview in enumerate(previews)
                for text in preview.warnings
            ]
        )

    def see_through(self) -> None:
        """Beats, does what is asked of it, and takes care of every trainer that has ended, until
        there is nothing left to do."""
        try:
            self._see_through()
        # this one was frozen, and given up; its trainers are dismissed, too
        except Superseded as error:
            print(error.message, file=sys.stderr, flush=True)
            for trainer in self._trainers.values():
                trainer.send_signal(signal.SIGKILL)

    def _see_through(self) -> None:
        heard = False
        while (
            self._trainers
            or self._pending
            or not heard
            or (self._alert_hook.busy and not self._stop and not is_gone(self.run))
        ):
            # one that is dead already, its end not yet recorded (a full disk), must not make this a
            # busy loop
            connection.wait(
                [
                    mark
                    for trainer in self._trainers.values()
                    if (mark := trainer.sentinel) is not None
                ],
                LOOK_S,
            )
            self._beat()
            for number, trainer in list(self._trainers.items()):
                code = trainer.exitcode
                if code is not None and (
                    self._took_leave(number, code) or is_gone(self.run) or self._out_of_time()
                ):
                    del self._trainers[number]
            self._alert_hook.look()
            # no command reaches the race any more, and nothing of it would be left
            if self._absence.seconds() > GONE_S:
                self._stop = self._stop or f"{self.run} has been gone for {GONE_S:g} s"
            if self._stop:
                self._end_all()
            if self._stop or is_gone(self.run):
                self._pending.clear()  # what asks for them waits for whoever takes the run up again
                heard = True
                continue
            heard = self._hear()
            self._prune()
        self._alert_hook.give_up()
        self._writer.close()

    def _send_out(self, assignments: list[LaneAssignment]) -> None:
        """Starts a trainer for these lanes."""
        self._next += 1
        self._trainers[self._next] = TrainerProcess(
            str(self.run), self._next, self.race, assignments, self._threads
        )

    def _taken_up(self, lane: LaneSummary, why: RewindReason) -> LaneAssignment:
        """Where and how a lane goes on from its last snapshot."""
        dealt = self._devices[lane.index % len(self._devices)]
        same_kind = lane.device.partition(":")[0] == dealt.partition(":")[0]
        return LaneAssignment(
            lane.index,
            lane.device if same_kind else dealt,
            "last",
            why,
            rate=lane.rate,
            paused=lane.paused,
            forked_at=lane.forked_at,
            changes=tuple((change.step, change.factor) for change in lane.changes),
        )

    def _took_leave(self, number: int, exitcode: int) -> bool:
        """Sees to the lanes that a trainer left behind: they are started again, or ended. False:
        not possible just now."""
        mine = {assignment.index for assignment in self._trainers[number].assignments}
        try:
            left = [
                lane for lane in lane_summaries(self.run) if lane.index in mine and lane.end is None
            ]
            path = self.run / f"trainer-{number}.log"
            log, said = (
                (tail(path), end_of(exitcode, tail(path, CAUSE_BYTES))) if left else ("", "")
            )
            told: list[AnyEvent] = []
            again: list[LaneAssignment] = []
            for lane in left:
                told += self._lost(lane, number, said, log, again if exitcode else None)
            if told:
                self._writer.append([row(event) for event in told])
        except StoreUnavailable:
            return False
        self._restarts.update(assignment.index for assignment in again)
        # one of them may be the others' death
        apart = any(self._restarts[assignment.index] > 1 for assignment in again)
        for assignments in (
            [[assignment] for assignment in again] if apart else [again] if again else []
        ):
            self._send_out(assignments)
        return True

    def _lost(
        self,
        lane: LaneSummary,
        number: int,
        said: str,
        log: str,
        again: list[LaneAssignment] | None,
    ) -> list[AnyEvent]:
        """What is told of a lane whose process is gone. It joins `again` where it may start once
        more."""
        now = time.time()
        if self._stop:
            return [
                Ended(
                    lane=lane.index,
                    at=now,
                    step=lane.steps,
                    reason="interrupted",
                    error=f"trainer {number} {said}",
                )
            ]
        count = self._restarts[lane.index] + 1
        if again is not None and count <= RESTARTS:
            again.append(self._taken_up(lane, "recovered"))
            text = (
                f"its process was lost ({said}): it goes on from its last snapshot, restart {count}"
                f" of {RESTARTS}"
            )
            return [Alerted(lane=lane.index, at=now, step=lane.steps, kind="lost", text=text)]
        often = f", {RESTARTS + 1} times" if again is not None else ""
        return [
            Alerted(
                lane=lane.index,
                at=now,
                step=lane.steps,
                kind="error",
                text=f"its process was lost: {said}{often}",
            ),
            Ended(
                lane=lane.index,
                at=now,
                step=lane.steps,
                reason="died",
                error=f"trainer {number} {said}\n{log}",
            ),
        ]

    def _hear(self) -> bool:
        """Commands that no trainer can carry out: lanes that are to join, and those that must be
        woken first. False: they cannot be read just now."""
        try:
            for number, command in self._writer.pending(0):
                if isinstance(command, (Fork, Add)):
                    if number not in {joining.number for joining in self._pending}:
                        self._pending.append(PendingLane(number, command))
                elif result := self._see_to(number, command):
                    self._writer.acknowledge([(number, result)])
            for joining in list(self._pending):
                if self._joined(joining):
                    self._pending.remove(joining)
        except StoreUnavailable:
            return False
        return True

    def _see_to(self, number: int, command: AnyCommand) -> CommandResult | None:
        """Routes a command to a running trainer, starting one if needed; returns a result only if
        no trainer can execute it."""
        if not 0 <= command.lane < len(self.race.lanes):
            return refused("there is no such lane")
        if self._at_work(command.lane):
            return None
        if not isinstance(command, Rewind):
            return LANE_ENDED
        if self._wakes[number] > RESTARTS:
            why = f"its process was lost {self._wakes[number]} times over it"
            return CommandResult("failed", why)
        lane = next(one for one in lane_summaries(self.run) if one.index == command.lane)
        self._wakes[number] += 1
        self._send_out(
            [
                msgspec.structs.replace(
                    self._taken_up(lane, "rewound"), start="idle", paused=False, changes=()
                )
            ]
        )
        return None

    def _at_work(self, lane: int) -> bool:
        """Whether a lane has a trainer; one that is dead and not yet seen to counts."""
        return any(
            assignment.index == lane
            for trainer in self._trainers.values()
            for assignment in trainer.assignments
        )

    def _joined(self, joining: PendingLane) -> bool:
        """Brings a lane that is to join one move further; whether that is settled."""
        said = joining.advance(self._writer, self.run, self.race, self._at_work)
        if not said:
            return False
        if not said.result.ok:
            self._writer.acknowledge([(joining.number, said.result)])
            return True
        assert said.lane
        assert said.event
        parent = said.event.parent
        device = self._devices[
            (parent if parent >= 0 else len(self.race.lanes)) % len(self._devices)
        ]
        self._writer.flush([row(said.event)], [(joining.number, said.result)])
        self.race = self._alert_hook.race = msgspec.structs.replace(
            self.race, lanes=(*self.race.lanes, said.lane)
        )
        index = said.event.lane
        self._send_out(
            [
                (
                    LaneAssignment(
                        index, device, "last", forked_at=said.event.step, rate=joining.rate
                    )
                    if parent >= 0
                    else LaneAssignment(index, device)
                )
            ]
        )
        return True

    def _prune(self) -> None:
        """Says to the lanes at a rung who is behind and who goes on, where the race asks for it."""
        try:
            self._behind += self._pruning.look() if self._pruning else []
            while self._behind:
                command, words = self._behind[0]
                self._writer.send(command)
                del self._behind[0]
                if words:
                    self._say([LogMessage(lane=command.lane, at=time.time(), text=words)])
        except StoreUnavailable:
            pass

    def _end_all(self) -> None:
        """Tells the trainers to end, once; kills those that do not."""
        if not self._told_to_end:
            self._told_to_end = time.monotonic()
            print(f"{self._stop}: all lanes are interrupted", file=sys.stderr, flush=True)
            for trainer in self._trainers.values():
                trainer.send_signal(signal.SIGTERM)
        elif self._out_of_time():
            for trainer in self._trainers.values():
                trainer.send_signal(signal.SIGKILL)

    def _out_of_time(self) -> bool:
        """Whether the trainers were told to end long ago: what cannot be recorded by then (a full
        disk) is not waited for."""
        return self._told_to_end > 0 and time.monotonic() - self._told_to_end > LEAVE_S

    def _asked_to_stop(self, number: int, frame: object) -> None:
        self._stop = signal.Signals(number).name

    def _beat(self) -> None:
        if time.monotonic() - self._beaten >= BEAT_S:
            self._beaten = time.monotonic()
            self._try(self._writer.beat)

    def _say(self, events: Sequence[AnyEvent]) -> None:
        if events:
            self._try(lambda: self._writer.append([row(event) for event in events]))

    def _try(self, write: Callable[[], object]) -> None:
        """Writes, where it can be written just now."""
        try:
            write()
        except StoreUnavailable as error:
            print(f"{time.strftime('%H:%M:%S')} {error.message}", file=sys.stderr, flush=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
