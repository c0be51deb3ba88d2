"""Records the ends of scripts: for which reason, with which exit code, and what they said last."""

from __future__ import annotations

import time

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.commands import Stop
from lrtui.core.protocol.events import Alerted, AnyEvent, Ended, EndReason, LogMessage
from lrtui.integrations.supervisor.pool import ScriptPool
from lrtui.integrations.supervisor.script import StopReason, SupervisedScript, reason_of
from lrtui.store.lane_summary import LaneSummary, lane_summaries
from lrtui.store.run_dir import tail
from lrtui.store.writer import Writer, row
from lrtui.training.exit_cause import end_of
from lrtui.training.lane_processes import ProcessExit

CAUSE_BYTES = 64_000
"""Bytes at the end of a script's log that are searched for the cause of its end."""
NO_STEP = (
    "no optimizer step was seen, so nothing was recorded: to compare settings of any program use"
    " {NAME} in its arguments and --vary NAME=V1,V2; in a loop without an optimizer of torch call"
    " lrtui.watch(...).step(loss=, rate=)"
)


class ScriptEnds:
    """Writes the end of each script, which only the supervisor knows."""

    def __init__(self, writer: Writer, pool: ScriptPool) -> None:
        self._writer = writer
        self._pool = pool

    def recover(self, gone: ProcessExit, *, interrupted: bool) -> bool:
        """Record a lane's end. `interrupted`: the race is ending. False: the record cannot be read
        or written now."""
        lane = self._pool.lane(gone.number)
        try:
            summary = lane_summaries(self._pool.run)[lane.index]
            if summary.end is None:
                events = self._end(lane, summary, interrupted)
                self._writer.append([row(event) for event in events])
        except StoreUnavailable:
            return False
        return True

    def _end(
        self, lane: SupervisedScript, summary: LaneSummary, interrupted: bool
    ) -> list[AnyEvent]:
        now, step, log = time.time(), summary.steps, self._pool.log_of(lane.index)
        code = lane.process.exitcode if lane.process else None
        reason, error = self._reason(lane, summary, code), ""
        events: list[AnyEvent] = []
        if reason == "error":
            cause = lane.failure or end_of(code or 0, tail(log, CAUSE_BYTES))
            error = "\n".join(filter(None, (tail(log), cause)))
            events.append(Alerted(lane=lane.index, at=now, step=step, kind="error", text=cause))
        elif reason == "finished" and not summary.started:
            error = NO_STEP
            events.append(LogMessage(lane=lane.index, at=now, text=error))
        elif reason == "interrupted" and interrupted:
            error = "its supervisor was told to end"
        if reason == "finished":
            code = 0  # at the end of its budget the script was stopped, which is no fault of it
        end = Ended(lane=lane.index, at=now, step=step, reason=reason, error=error, exit_code=code)
        return [*events, end]

    def _reason(self, lane: SupervisedScript, summary: LaneSummary, code: int | None) -> EndReason:
        race = self._pool.race
        if lane.signalled:
            return lane.signalled
        if asked := self._executed_stop(lane.index):
            return asked
        if race.on_nan == "stop" and self._went_nan(lane.index):
            return "nan"
        if race.steps is not None and summary.steps >= race.steps:
            return "finished"
        return "finished" if code == 0 else "error"

    def _executed_stop(self, index: int) -> StopReason:
        """The end that the last executed stop command asked for; "" without one. By the record: a
        script may execute a command and end before the router sees it."""
        stops = {
            number: command
            for number, command in self._writer.sent(0)
            if isinstance(command, Stop) and command.lane == index
        }
        done = [n for n, result in self._writer.results(list(stops)).items() if result.ok]
        return reason_of(stops[max(done)]) if done else ""

    def _went_nan(self, index: int) -> bool:
        _, alerts = self._writer.alerts(0)
        return any(alert.lane == index and alert.kind == "nan" for alert in alerts)
