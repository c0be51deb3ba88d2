"""Routes the commands of a script race: what no script can execute is refused, a stop is seen
through, the rest goes its usual way."""

from __future__ import annotations

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.command_result import refused
from lrtui.core.protocol.commands import AnyCommand, Stop
from lrtui.core.protocol.script_refusals import refusal_of
from lrtui.integrations.supervisor.pool import Answer, ScriptPool
from lrtui.integrations.supervisor.script import reason_of
from lrtui.store.writer import Writer
from lrtui.training.command_router import CommandRouter


class ScriptRouter:
    """Ensures that each command to a script is executed, or refuses it."""

    def __init__(self, writer: Writer, pool: ScriptPool) -> None:
        self._writer = writer
        self._pool = pool
        self._usual = CommandRouter(writer, pool)
        self._seen = 0
        """Number of the last command that was looked at."""
        self._unsent: list[Answer] = []
        """Results that are not written yet."""

    @property
    def busy(self) -> bool:
        """True while a lane is about to join."""
        return self._usual.busy

    def forget_pending(self) -> None:
        """Forget the lanes about to join; their commands wait for the next supervisor."""
        self._usual.forget_pending()

    def route(self) -> bool:
        """Route all new commands. False: the record cannot be read or written now."""
        self._unsent += self._pool.escalate()
        try:
            for number, command in self._writer.sent(self._seen):
                self._seen = number
                self._unsent += self._execute(number, command)
            self._writer.acknowledge(self._unsent)
        except StoreUnavailable:
            return False
        self._unsent.clear()
        return self._usual.route()

    def _execute(self, number: int, command: AnyCommand) -> list[Answer]:
        """The results of a command; none if it goes its usual way."""
        if why := refusal_of(self._pool.race, command):
            return [(number, refused(why))]
        if isinstance(command, Stop):
            return self._pool.stop(command.lane, number, reason_of(command))
        return []
