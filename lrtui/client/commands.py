"""Sends commands to the lanes of a run, and reports their replies: for the screen, `lrtui send` and
the plain lines.

Knows no screen: the caller chooses the lanes, shows the status line, and gives in `Hints` the keys
or shell commands that error messages name.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from lrtui.client.follower import Follower
from lrtui.client.launcher import restart_supervisor
from lrtui.core.errors import LrtuiError, StoreUnavailable
from lrtui.core.numbers import rate
from lrtui.core.protocol.command_result import CommandResult
from lrtui.core.protocol.commands import (
    SIGTERM_S,
    Add,
    AnyCommand,
    Fork,
    Lengthen,
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
from lrtui.core.protocol.script_refusals import refusal, refusal_of
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.scenario.spec import number
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line

REPLY_TIMEOUT_S = 10.0
"""A command without a reply by then is reported as late."""
POLL_S = 0.02
"""Between two looks for replies while a caller waits for them."""
REPLY_SHOWN_S = 6.0
"""Seconds for which a reply stays in the status line."""
NAMED = 3
"""Lanes that a refusal names one by one."""
Stopping = Literal["", "step", "signal"]
"""Stage of the stop of a script. "": it was not told to stop. step: it may end after its step.
signal: it was sent SIGTERM, and another stop kills it."""
RESTARTING = Rewind | Lengthen | Fork | Add
"""Commands for an ended lane or a race without a supervisor: a new supervisor executes them."""


class Hints(NamedTuple):
    """The next steps that error messages suggest, in the words of the front end."""

    resume: str = "`lrtui resume`"
    """The key or shell command that starts a new supervisor."""
    restart_lane: str = "rewind, restart or fork it"
    """Continues an ended lane; completes "B has ended: "."""


class Reply(NamedTuple):
    """A command with its result; `letter` names its lane."""

    letter: str
    command: AnyCommand
    result: CommandResult


class _Pending(NamedTuple):
    command: AnyCommand
    since: float


class CommandClient:
    """Builds, sends and tracks the commands of one front end."""

    def __init__(
        self,
        follower: Follower,
        hints: Hints = Hints(),  # noqa: B008  # immutable
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: seconds, monotonic."""
        self._follower = follower
        self._hints = hints
        self._clock = clock
        self._pending: dict[int, _Pending] = {}
        """Commands without a reply, by command number."""
        self._replies: list[tuple[str, str]] = []
        """(lane letter, reply) of the last commands."""
        self._shown_until = -math.inf
        self._requested_status: dict[int, str] = {}
        """By lane index: a status that was requested and not yet reported; a second key press
        requests the opposite."""
        self.restarting = False
        """True while a new supervisor starts."""
        self._stopped: dict[int, float] = {}
        """By index of a script's lane that was told to stop: when it is sent SIGTERM."""
        self._awaited_lanes = 0
        """Lanes that this client requested and that have not joined yet."""

    @property
    def waiting(self) -> bool:
        """True while a reply is outstanding."""
        return bool(self._pending)

    @property
    def unanswered(self) -> list[str]:
        """The lane letters of the commands without a reply, oldest first."""
        return [self._letter(entry.command) for entry in self._pending.values()]

    @property
    def needs_supervisor(self) -> bool:
        """True if pending commands need a supervisor, and none runs or starts."""
        return (
            not self.restarting
            and any(isinstance(entry.command, RESTARTING) for entry in self._pending.values())
            and self._follower.supervisor_gone
        )

    def allow(self, action: str) -> None:
        """LrtuiError if the race's lanes do not take an action."""
        if why := refusal(self._follower.state.race, action):
            raise LrtuiError(why)

    def stopping(self, lane: LaneState) -> Stopping:
        """Stage of the stop of a script's lane; "" if it was not told to stop, or has ended."""
        if not lane.is_script or lane.index not in self._stopped or lane.over:
            return ""
        return "step" if self._clock() < self._stopped[lane.index] else "signal"

    def targets(self, selected: SeedGroup, *, everyone: bool = False) -> list[LaneState]:
        """The living lanes that a command addresses: the selected one or its seeds, or all.
        LrtuiError if none lives."""
        lanes = self._follower.state.lanes if everyone else selected.lanes
        living = [lane for lane in lanes if not lane.over]
        if (
            not living
            and self._follower.supervisor_gone
            and any(lane in self._follower.resumable() for lane in lanes)
        ):
            raise LrtuiError(f"the race was interrupted: {self._hints.resume} goes on with it")
        if not living:
            who = "the race" if everyone and self._follower.state.over else selected.letter
            raise LrtuiError(f"{who} has ended: {self._hints.restart_lane}")
        return living

    def scale(self, lanes: Sequence[LaneState], by: float) -> list[AnyCommand]:
        """Multiply the rates by a factor."""
        return [ScaleRate(lane=lane.index, by=by) for lane in lanes]

    def follow_schedule(self, lanes: Sequence[LaneState]) -> list[AnyCommand]:
        """Return to the rates of the scenario's schedules."""
        return [SetFactor(lane=lane.index, factor=1.0) for lane in lanes]

    def undo(self, lanes: Sequence[LaneState]) -> list[AnyCommand]:
        """Restore the dial factors before the last turn; LrtuiError if no dial was turned."""
        factors = {
            lane.index: factor for lane in lanes if (factor := previous_factor(lane)) is not None
        }
        if not factors:
            raise LrtuiError("the dial was not turned: there is nothing to undo")
        return [SetFactor(lane=index, factor=factor) for index, factor in factors.items()]

    def toggle_pause(self, lanes: Sequence[LaneState]) -> list[AnyCommand]:
        """Pause the lanes; resume them if all are paused, or were requested to be."""
        resume = all(
            self._requested_status.get(lane.index, lane.status) == "paused" for lane in lanes
        )
        self._requested_status |= {lane.index: "running" if resume else "paused" for lane in lanes}
        return [Resume(lane=lane.index) if resume else Pause(lane=lane.index) for lane in lanes]

    def send(self, commands: Sequence[AnyCommand], *, for_next_supervisor: bool = False) -> None:
        """Write all commands to the record, or none; LrtuiError with the reason if refused here.

        `for_next_supervisor`: send them even if no supervisor runs now, because one is starting.
        """
        for command in commands:
            if why := unfit(command) or refusal_of(self._follower.state.race, command):
                raise LrtuiError(why)
        can_wait = for_next_supervisor or all(isinstance(one, RESTARTING) for one in commands)
        if not can_wait and self._follower.supervisor_gone:
            ways = f": {self._hints.resume}, or `lrtui resume`, goes on with it"
            resumes = not refusal(self._follower.state.race, "resume")
            raise LrtuiError(f"the race's supervisor is gone{ways if resumes else ''}")
        numbers = self._follower.send(commands)
        self._awaited_lanes += sum(isinstance(command, Fork | Add) for command in commands)
        now = self._clock()
        for command in commands:
            if isinstance(command, Stop):
                self._stopped.setdefault(command.lane, now + SIGTERM_S)
        if not self._pending:
            self._replies = []
        self._pending |= {
            number: _Pending(command, now)
            for number, command in zip(numbers, commands, strict=True)
        }

    def on_events(self, events: Iterable[AnyEvent]) -> int | None:
        """Take in new events. Return the index of a requested lane that joined, or None: whoever
        forks a lane wants to continue with the fork."""
        child = None
        for event in events:
            if isinstance(event, StatusChanged):
                self._requested_status.pop(event.lane, None)
            elif isinstance(event, LaneAdded) and self._awaited_lanes:
                self._awaited_lanes, child = self._awaited_lanes - 1, event.lane
        return child

    def replies(self) -> list[Reply]:
        """The replies since the last call, in the order of their commands."""
        replies = []
        for number_, result in sorted(self._follower.results(list(self._pending)).items()):
            command = self._pending.pop(number_).command
            if isinstance(command, Stop) and "SIGTERM" in result.text:
                self._stopped[command.lane] = -math.inf
            replies.append(Reply(self._letter(command), command, result))
        return replies

    def wait(self, timeout_s: float, stop: Callable[[], bool] = lambda: False) -> Iterator[Reply]:
        """Yield replies as they come, until all are there, `timeout_s` is over or `stop` is true;
        commands without a reply stay `unanswered`."""
        until = self._clock() + timeout_s
        while self._pending:
            yield from self.replies()
            if not self._pending or stop() or self._clock() > until:
                return
            time.sleep(POLL_S)

    def poll(self) -> tuple[bool, list[str]]:
        """Read replies. Return True if the status line changed, and a warning for each command
        that was refused or is late."""
        now, before, warnings = self._clock(), self.status_line, []
        for letter, command, result in self.replies():
            if result.ok:
                self._replies.append((letter, one_line(result.text)))
            else:
                self._awaited_lanes = max(0, self._awaited_lanes - isinstance(command, Fork | Add))
                warnings.append(f"{letter}: {one_line(result.text)}")
        for number_, entry in list(self._pending.items()):
            if not self.restarting and now - entry.since > REPLY_TIMEOUT_S:
                del self._pending[number_]
                warnings.append(
                    f"{self._letter(entry.command)}: no answer yet; it is done when the lane gets"
                    " to it"
                )
        if warnings:
            self._requested_status.clear()
        if self._replies and (self._pending or before != self.status_line):
            self._shown_until = now + REPLY_SHOWN_S
        elif now > self._shown_until:
            self._replies = []
        return before != self.status_line, warnings

    @property
    def status_line(self) -> str:
        """The last replies and the commands without one; '' once they are older than
        REPLY_SHOWN_S."""
        replies: dict[str, list[str]] = {}
        for letter, text in dict(self._replies).items():  # the last per lane: the line is short
            replies.setdefault(text, []).append(letter)
        pending: dict[str, list[str]] = {}
        for entry in self._pending.values():
            pending.setdefault(describe(entry.command), []).append(self._letter(entry.command))
        parts = [f"{' '.join(dict.fromkeys(who))}: {text}" for text, who in replies.items()]
        parts += [f"{' '.join(dict.fromkeys(who))}: {text} …" for text, who in pending.items()]
        return "   ".join(parts)

    def restart_supervisor(self) -> None:
        """Start a new supervisor and wait until it runs; if that fails, withdraw what waits for it
        and raise."""
        self.restarting = True
        try:
            restart_supervisor(self._follower.run)
        except BaseException as error:
            self.on_restarted(one_line(str(error)) or "interrupted")
            raise
        self.on_restarted()

    def on_restarted(self, trouble: str = "") -> None:
        """Take in that a new supervisor runs and reads the waiting commands, or that it failed to
        start for the reason `trouble`: then they are withdrawn."""
        self.restarting = False
        waiting = {
            number: entry
            for number, entry in self._pending.items()
            if isinstance(entry.command, RESTARTING)
        }
        if not trouble:
            self._pending |= {
                number: entry._replace(since=self._clock()) for number, entry in waiting.items()
            }
            return
        for number_ in waiting:
            del self._pending[number_]
        try:
            self._follower.withdraw(list(waiting), trouble)
        except StoreUnavailable:
            # the reason that keeps the supervisor from starting also keeps this write out; the
            # commands are executed once a supervisor does start
            pass

    def _letter(self, command: AnyCommand) -> str:
        return (
            "new lane" if command.lane < 0 else self._follower.state.lanes[command.lane].lane.letter
        )


def lengthenable(lanes: Sequence[LaneState]) -> list[LaneState]:
    """Those of some lanes that can train on; LrtuiError if none can, because of NaN or an error."""
    able = [lane for lane in lanes if lane.status not in ("nan", "error")]
    if not able:
        raise LrtuiError(unable_words(lanes), "rewind or restart it")
    return able


def unable_words(lanes: Sequence[LaneState]) -> str:
    """Why some lanes cannot train on; of many the first ones are named."""
    named = [
        f"{lane.lane.letter} {'went NaN' if lane.status == 'nan' else 'failed'} at step"
        f" {lane.ended.step if lane.ended else lane.steps}"
        for lane in lanes[:NAMED]
    ]
    more = f" and {len(lanes) - NAMED} more" if len(lanes) > NAMED else ""
    return f"{', '.join(named)}{more}: {'it' if len(lanes) == 1 else 'they'} cannot train on"


def counted(count: int, unit: str) -> str:
    """A number with its unit: 1 step, 400 steps."""
    return f"{count} {unit}{'' if count == 1 else 's'}"


def previous_factor(lane: LaneState) -> float | None:
    """The dial factor before the last turn; None if the dial was never turned, or every turn is
    undone."""
    turns = [lane.rates.factor_at(-1)]
    for change in lane.rates.changes:
        if len(turns) > 1 and math.isclose(change.factor, turns[-2], rel_tol=1e-9):
            turns.pop()  # this change undid the turn before it
        else:
            turns.append(change.factor)
    return turns[-2] if len(turns) > 1 else None


def next_rate(lane: LaneState) -> float:
    """The rate of a lane's next step; an estimate if the lane has not reported it: of a script,
    whose scheduler is not known, the last one."""
    known = (lane.rates.next, lane.rates.applied if lane.is_script else math.nan)
    return next(filter(math.isfinite, known), lane.rate)


def describe(command: AnyCommand) -> str:
    """A command in a few words, for the status line while its reply is outstanding."""
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
        case Lengthen(steps=steps, epochs=epochs):
            return f"{counted(steps, 'step') if steps else counted(epochs, 'epoch')} more"
        case Stop():
            return "stop"
    return type(command).__name__.lower()
