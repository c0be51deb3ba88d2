"""The scripts of a race: a queue, and those that run at a time."""

from __future__ import annotations

import os
import shlex
import time
from functools import partial
from pathlib import Path

import msgspec

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.command_result import CommandResult, done
from lrtui.core.protocol.events import AnyEvent, LaneAdded, LogMessage, StatusChanged
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.integrations.supervisor import environment as environments, script as scripts
from lrtui.integrations.supervisor.environment import Places
from lrtui.integrations.supervisor.process import ScriptProcess
from lrtui.integrations.supervisor.script import StopReason, SupervisedScript
from lrtui.store.run_dir import is_gone, script_log, trainer_role
from lrtui.store.writer import Writer, row
from lrtui.training.lane_processes import ProcessExit
from lrtui.training.output import reported

Answer = tuple[int, CommandResult]
"""Number of a command, and its result."""


class ScriptPool:
    """Starts scripts in the order of their lanes, at most so many at a time; tells which have
    ended, and signals them."""

    def __init__(self, writer: Writer, race: Race, places: Places) -> None:
        self.run = writer.run
        self.race = race
        """Includes the lanes that joined."""
        self.ending = False
        """True once the scripts were signalled to end."""
        self._writer = writer
        self._places = places
        self._lanes: dict[int, SupervisedScript] = {}
        """By index, in the order in which they are started."""
        self._ending_since = 0.0

    def __len__(self) -> int:
        return len(self._lanes)

    def start(self) -> None:
        """Queue all lanes, and start those that may run now."""
        self._lanes = {index: SupervisedScript(index) for index in range(len(self.race.lanes))}
        self._fill()

    def add_lane(self, added: LaneAdded) -> None:
        """Add a lane to the race and to the queue."""
        self.race = msgspec.structs.replace(self.race, lanes=(*self.race.lanes, added.child))
        self._lanes[added.lane] = SupervisedScript(added.lane)
        self._fill()

    def has_lane(self, lane: int) -> bool:
        """True if a lane waits, runs, or has ended unnoticed."""
        return lane in self._lanes

    def lane(self, index: int) -> SupervisedScript:
        """A lane that has not been removed."""
        return self._lanes[index]

    def log_of(self, index: int) -> Path:
        """The output of a lane's script."""
        return self.run / script_log(index)

    def wait(self, seconds: float) -> None:
        """Wait for `seconds`: the end of a tree of processes cannot be waited for."""
        time.sleep(seconds)

    def exits(self) -> list[ProcessExit]:
        """The lanes whose scripts have ended and were not removed yet."""
        exits = []
        for index, lane in self._lanes.items():
            if lane.over(partial(self._records, index)):
                code = lane.process.exitcode if lane.process else None
                exits.append(ProcessExit(index, code or 0, frozenset([index])))
            self._say(*(LogMessage(lane=index, at=time.time(), text=one) for one in lane.notes))
            lane.notes.clear()
        return exits

    def remove(self, number: int) -> None:
        """Forget a lane that has ended, and start the next one."""
        del self._lanes[number]
        self._fill()

    def stop(self, index: int, number: int, reason: StopReason) -> list[Answer]:
        """Execute the stop command `number`; no answers if the script does, or has ended."""
        lane = self._lanes.get(index)
        if lane is None:
            return []
        return _answers(lane, lane.stop(number, reason, partial(self._records, index)))

    def escalate(self) -> list[Answer]:
        """Signal scripts that did not stop in time; the results of their stop commands."""
        answers = []
        for index, lane in self._lanes.items():
            if text := lane.escalate():
                self._say(LogMessage(lane=index, at=time.time(), text=text))
                answers += _answers(lane, text)
        return answers

    def end(self) -> None:
        """Send SIGTERM to all scripts, once, and withdraw those that wait; later calls kill those
        that are overdue."""
        if not self.ending:
            self.ending, self._ending_since = True, time.monotonic()
            for index, lane in self._lanes.items():
                if lane.waits or lane.trains(partial(self._records, index)):
                    lane.terminate(lane.asked or "interrupted")
        elif self.overdue:
            self.kill()

    @property
    def overdue(self) -> bool:
        """True if the scripts were signalled to end more than STOP_S ago."""
        return self.ending and time.monotonic() - self._ending_since > scripts.STOP_S

    def kill(self) -> None:
        """Kill all scripts."""
        for lane in self._lanes.values():
            if lane.process is not None:
                lane.process.kill()

    def _records(self, index: int) -> bool:
        """True if a process writes the lane's record and reads its commands, or if that may be so
        and is to be waited for."""
        try:
            process = self._writer.process(trainer_role(index))
        except StoreUnavailable:
            return not self.ending and not is_gone(self.run)
        return process is not None and process.alive()

    def _fill(self) -> None:
        """Start waiting lanes while there is a place for them."""
        for lane in self._lanes.values():
            taken = {one.place for one in self._lanes.values() if one.runs}
            if self.ending or len(taken) >= self._places.limit:
                return
            if lane.waits:
                lane.place = min(set(range(self._places.limit)) - taken)
                self._start(lane)

    def _start(self, lane: SupervisedScript) -> None:
        assert self.race.script is not None
        command = self.race.script.command_of(self.race.lanes[lane.index])
        # a race that is taken over from another shell runs as from its own
        inherited = {**os.environ, **self.race.environment}
        environment = environments.lane_environment(
            self.run, self.race, lane.index, self._places, lane.place, inherited
        )
        now, text = time.time(), f"runs {one_line(shlex.join(command))}"
        self._say(
            StatusChanged(lane=lane.index, at=now, step=0, status="running"),
            LogMessage(lane=lane.index, at=now, text=text),
        )
        marks = environments.marks(self.run, lane.index)
        try:
            lane.process = ScriptProcess(
                command, environment, self.race.folder, self.log_of(lane.index), marks
            )
        except (OSError, ValueError) as error:  # ValueError: a null byte in an argument
            lane.failure = f"it could not be started: {error}"

    def _say(self, *events: AnyEvent) -> None:
        if events:
            reported(lambda: self._writer.append([row(event) for event in events]))


def _answers(lane: SupervisedScript, text: str) -> list[Answer]:
    """The result of all stop commands to a lane so far, of which the script may have answered
    some; none without a text."""
    return [(number, done(text)) for number in lane.stops] if text else []
