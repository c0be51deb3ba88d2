"""A person's hands on a race: what they want becomes commands, and what became of those comes back
as words.

Knows no widget: the race screen says which lanes are meant, and shows the line.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, NamedTuple

from lrtui.client.follower import Follower
from lrtui.core.errors import LrtuiError, StoreUnavailable
from lrtui.core.numbers import rate
from lrtui.core.protocol.commands import (
    Add,
    AnyCommand,
    Fork,
    Pause,
    Resume,
    Rewind,
    ScaleRate,
    SetFactor,
    SetRate,
    Stop,
    unfit,
)
from lrtui.core.protocol.events import AnyEvent, LaneAdded, StatusChanged
from lrtui.core.scenario.spec import number
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line
from lrtui.tui import keys

ANSWER_S = 10.0
"""A command that is not answered by then is said to be late."""
SHOWN_S = 6.0
"""How long an answer stands on the screen."""
REVIVES = Rewind | Fork | Add
"""What can be done to a lane that has ended, and to a race whose supervisor is gone: a new
supervisor does it."""


def what_revives() -> str:
    """By which keys a lane that has ended goes on, in words."""
    return (
        f"{keys.read('lane.rewind')} rewinds, {keys.read('lane.restart')} restarts,"
        f" {keys.read('lane.fork')} forks"
    )


class _Asked(NamedTuple):
    command: AnyCommand
    since: float


class Hands:
    """Sends commands to the lanes of a run, and watches for their answers."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._asked: dict[int, _Asked] = {}
        self._answers: list[tuple[str, str]] = []
        """(lane, what was answered) of the last commands."""
        self._until = -math.inf
        self._wanted: dict[int, str] = {}
        """What a lane was told to be and has not yet said that it is: a second key press means the
        opposite."""
        self.all_lanes = False
        """Whether the keys that turn, pause and stop are about all living lanes."""
        self.reviving = False
        """Whether a new supervisor is on its way."""
        self._children = 0
        """Lanes that were asked for here and have not joined yet."""

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._asked)

    @property
    def stranded(self) -> bool:
        """Whether commands wait for a supervisor where there is none, and none is on its way."""
        return (
            not self.reviving
            and any(isinstance(asked.command, REVIVES) for asked in self._asked.values())
            and self._follower.supervisor_gone
        )

    def meant(self, selected: LaneState, *, everyone: bool = False) -> list[LaneState]:
        """The lanes that a key is about: the chosen one, or all that live. LrtuiError where they
        have ended."""
        lanes = self._follower.state.lanes if everyone or self.all_lanes else [selected]
        living = [lane for lane in lanes if not lane.over]
        if (
            not living
            and self._follower.supervisor_gone
            and any(lane in self._follower.resumable() for lane in lanes)
        ):
            raise LrtuiError(
                f"the race was interrupted: {keys.read('race.resume')} goes on with it"
            )
        if not living:
            who = (
                "the race" if self._follower.state.over and len(lanes) > 1 else selected.lane.letter
            )
            raise LrtuiError(f"{who} has ended: {what_revives()}")
        return living

    def scale(self, lanes: Sequence[LaneState], by: float) -> list[AnyCommand]:
        """Turns the dials by a factor."""
        return [ScaleRate(lane=lane.index, by=by) for lane in lanes]

    def schedule(self, lanes: Sequence[LaneState]) -> list[AnyCommand]:
        """Back to the rates of the scenario's schedules."""
        return [SetFactor(lane=lane.index, factor=1.0) for lane in lanes]

    def undo(self, lanes: Sequence[LaneState]) -> list[AnyCommand]:
        """Puts the dials back where they were before they were last turned; LrtuiError where none
        was."""
        factors = {lane.index: factor for lane in lanes if (factor := undone(lane)) is not None}
        if not factors:
            raise LrtuiError("the dial was not turned: there is nothing to undo")
        return [SetFactor(lane=index, factor=factor) for index, factor in factors.items()]

    def pause(self, lanes: Sequence[LaneState]) -> list[AnyCommand]:
        """Pauses what runs; where all of it is paused, or was told to be, resumes it."""
        resume = all(self._wanted.get(lane.index, lane.status) == "paused" for lane in lanes)
        self._wanted |= {lane.index: "running" if resume else "paused" for lane in lanes}
        return [Resume(lane=lane.index) if resume else Pause(lane=lane.index) for lane in lanes]

    KEYS: ClassVar[dict[str, Callable[[Hands, Sequence[LaneState]], list[AnyCommand]]]] = {
        "schedule": schedule,
        "undo": undo,
        "pause": pause,
    }
    """What the table of keys names."""

    def send(self, commands: Sequence[AnyCommand]) -> None:
        """Files commands, all or none; LrtuiError says why not."""
        for command in commands:
            if why := unfit(command):
                raise LrtuiError(why)
        if (
            not all(isinstance(command, REVIVES) for command in commands)
            and self._follower.supervisor_gone
        ):
            raise LrtuiError(
                f"the race's supervisor is gone: {keys.read('race.resume')}, or `lrtui resume`,"
                " goes on with it"
            )
        numbers = self._follower.send(commands)
        self._children += sum(isinstance(command, Fork | Add) for command in commands)
        now = time.monotonic()
        if not self._asked:
            self._answers = []
        self._asked |= {
            number: _Asked(command, now) for number, command in zip(numbers, commands, strict=True)
        }

    def heard(self, events: Iterable[AnyEvent]) -> int | None:
        """Takes in what the lanes said: what one says that it is, is no longer wanted. The index of
        a lane that was asked for here and has joined now: whoever forks a lane wants to go on with
        the fork."""
        child = None
        for event in events:
            if isinstance(event, StatusChanged):
                self._wanted.pop(event.lane, None)
            elif isinstance(event, LaneAdded) and self._children:
                self._children, child = self._children - 1, event.lane
        return child

    def look(self) -> tuple[bool, list[str]]:
        """Looks for answers: (whether the line is another one now, what was refused or is late, in
        words)."""
        now, before, complaints = time.monotonic(), self.line, []
        for number_, result in self._follower.results(list(self._asked)).items():
            command = self._asked.pop(number_).command
            who = self._who(command)
            if result.ok:
                self._answers.append((who, one_line(result.text)))
            else:
                self._children = max(0, self._children - isinstance(command, Fork | Add))
                complaints.append(f"{who}: {one_line(result.text)}")
        for number_, asked in list(self._asked.items()):
            if not self.reviving and now - asked.since > ANSWER_S:
                del self._asked[number_]
                complaints.append(
                    f"{self._who(asked.command)}: no answer yet; it is done when the lane gets"
                    " to it"
                )
        if complaints:
            self._wanted.clear()
        if self._answers and (self._asked or before != self.line):
            self._until = now + SHOWN_S
        elif now > self._until:
            self._answers = []
        return before != self.line, complaints

    @property
    def line(self) -> str:
        """What stands on the screen about the last commands; '' when that was long enough ago."""
        answers: dict[str, list[str]] = {}
        for who, text in dict(self._answers).items():  # a lane's last one: the line is short
            answers.setdefault(text, []).append(who)
        asked: dict[str, list[str]] = {}
        for entry in self._asked.values():
            asked.setdefault(words(entry.command), []).append(self._who(entry.command))
        parts = [f"{' '.join(dict.fromkeys(who))}: {text}" for text, who in answers.items()]
        parts += [f"{' '.join(dict.fromkeys(who))}: {text} …" for text, who in asked.items()]
        return "   ".join(parts)

    def revived(self, trouble: str = "") -> None:
        """A new supervisor is there and reads what waits for it; or it could not be started, and
        what waits is taken back."""
        self.reviving = False
        waiting = {
            number: asked
            for number, asked in self._asked.items()
            if isinstance(asked.command, REVIVES)
        }
        if not trouble:
            self._asked |= {
                number: asked._replace(since=time.monotonic()) for number, asked in waiting.items()
            }
            return
        for number_ in waiting:
            del self._asked[number_]
        try:
            self._follower.withdraw(list(waiting), trouble)
        except StoreUnavailable:
            # what keeps the supervisor from starting keeps this as well; they are carried out when
            # one does start
            pass

    def _who(self, command: AnyCommand) -> str:
        return (
            "new lane" if command.lane < 0 else self._follower.state.lanes[command.lane].lane.letter
        )


def undone(lane: LaneState) -> float | None:
    """The factor before the dial was last turned; None where it never was, or every turn has been
    undone."""
    turns = [lane.factor_at(-1)]
    for change in lane.rate_changes:
        if len(turns) > 1 and math.isclose(change.factor, turns[-2], rel_tol=1e-9):
            turns.pop()  # this one was undone
        else:
            turns.append(change.factor)
    return turns[-2] if len(turns) > 1 else None


def next_rate(lane: LaneState) -> float:
    """The rate that is applied at a lane's next step, as far as it is known."""
    return lane.next_lr if math.isfinite(lane.next_lr) else lane.lane.lr * lane.factor


def words(command: AnyCommand) -> str:
    """What a command asks for, while its answer is waited for."""
    match command:
        case SetRate():
            return f"rate {rate(command.rate)}"
        case ScaleRate():
            return f"rate ×{command.by:.3g}"
        case SetFactor(factor=1.0):
            return "back to the schedule"
        case SetFactor():
            return f"schedule ×{command.factor:.3g}"
        case Rewind(to=None):
            return "rewind" + (f", rate ×{number(command.by)}" if command.by != 1 else "")
        case Rewind(to=0):
            return "restart"
        case Rewind():
            return f"rewind to step {command.to}"
        case Stop():
            return "stop"
    return type(command).__name__.lower()
