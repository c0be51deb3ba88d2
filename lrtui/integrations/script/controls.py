"""Dial, pause and stop of a script's lane: commands come in, a plan is in force, changes are
recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from lrtui.core.protocol.command_result import CommandResult, refused
from lrtui.core.protocol.commands import AnyCommand, Stop
from lrtui.core.protocol.events import RateChanged, StatusChanged
from lrtui.integrations.script import commands
from lrtui.integrations.script.commands import Present
from lrtui.integrations.script.plan import Plan
from lrtui.integrations.script.ranks import Ranks
from lrtui.integrations.script.recording import Recording

PAUSED_S = 0.2
"""Seconds between two looks during a pause."""


class Controls:
    """The plan of a lane."""

    def __init__(self, lane: int) -> None:
        self.plan = Plan()
        """In force."""
        self.ranks: Ranks | None = None
        """The other processes that must follow the same plan."""
        self._lane = lane
        self._wanted = self.plan
        """As commands left it: in force from the next step on that all ranks agree on."""

    def want(self, **changes: Any) -> None:
        """Ask for changes of the plan, as a command does."""
        self._wanted = msgspec.structs.replace(self._wanted, **changes)

    def stop_now(self, reason: str) -> None:
        """Stop at this step, which is the same in all ranks."""
        self.plan = msgspec.structs.replace(self.plan, stop=reason)

    def holds(self) -> bool:
        """True while the lane is paused."""
        return self.plan.paused and not self.plan.stop

    def follow(self, recording: Recording, present: Callable[[], Present]) -> None:
        """Execute the commands that have come, and put in force what all ranks agree on for the
        step that begins. `present`: the lane as it is now."""
        for number, command in recording.commands():
            with recording.atomic():
                recording.acknowledge(number, self._execute(command, present()))
        agreed = self.ranks.agree(self.plan, self._wanted) if self.ranks else self._wanted
        if agreed is not self.plan and agreed != self.plan and not self.plan.stop:
            self._put_in_force(agreed, recording, present())

    def wait(self, recording: Recording, present: Callable[[], Present]) -> float:
        """Wait while the lane is paused; return the seconds."""
        began = time.perf_counter()
        while self.holds():
            recording.wait(PAUSED_S)
            self.follow(recording, present)
        return time.perf_counter() - began

    def _execute(self, command: AnyCommand, present: Present) -> CommandResult:
        if self.ranks and not isinstance(command, Stop) and (why := self.ranks.refusal()):
            return refused(why)
        self._wanted, result = commands.execute(command, self._wanted, present)
        return result

    def _put_in_force(self, plan: Plan, recording: Recording, present: Present) -> None:
        before, self.plan = self.plan, plan
        if plan.factor != before.factor:
            recording.put(
                RateChanged(
                    lane=self._lane,
                    at=time.time(),
                    step=present.step,
                    factor=plan.factor,
                    rate=present.rate * plan.factor,
                )
            )
        if plan.paused != before.paused and not plan.stop:
            status = StatusChanged(
                lane=self._lane,
                at=time.time(),
                step=present.step,
                status="paused" if plan.paused else "running",
            )
            recording.put(status)
