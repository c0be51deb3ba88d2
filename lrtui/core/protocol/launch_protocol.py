"""Requests to a supervisor and its replies: one schema for the launcher, the supervisor and its
preflight process."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from lrtui.core.scenario.spec import Race

TRAINERS = 16
"""Trainer processes of a race unless one says otherwise; more lanes than that take turns."""


class Preview(msgspec.Struct, frozen=True):
    """The learning rates that a lane will apply: `rates[i]` from step `steps[i]` on, which rise
    from 0.

    Both are empty if they cannot be known beforehand: `unknown` is the reason.
    """

    steps: list[int]
    rates: list[float]
    total: int
    """The lane's budget in steps."""
    cut: int | None = None
    """The step from which on nothing is known (it took too long, or the schedule failed there);
    None: all is known."""
    failure: str = ""
    """The schedule's exception, or the invalid rate it would have applied, at step `cut`."""
    momentum: tuple[float, float, float] | None = None
    """Momentum, or Adam's beta1, as asked for, and the lowest and highest that the schedule makes
    of it; None without one."""
    steps_per_epoch: int = 1
    nominal: bool = False
    """True if `steps_per_epoch` is a guess, because the task was not run to find it out."""
    unknown: str = ""
    warnings: list[str] = []
    """Warnings about the schedule, each a sentence that begins with the place to change."""

    @property
    def known(self) -> int:
        """Number of known steps."""
        return 0 if not self.steps else self.total if self.cut is None else self.cut


class HookCommands(NamedTuple):
    """Shell commands that the supervisor runs, with or without a viewer; "" for none."""

    on_event: str = ""
    """At each event that a person may want to hear of."""
    on_alert: str = ""
    """At each alert."""


class LaunchRequest(msgspec.Struct, frozen=True):
    """A line to the supervisor and its preflight process. `start` needs a runs folder, `resume` a
    run."""

    kind: Literal["preview", "start", "resume"]
    """preview: report the rates to come, of scripts the environments. start: check and start a
    race. resume: resume a run."""
    race: Race
    runs: str = ""
    trainers: int = TRAINERS
    hooks: HookCommands = HookCommands()
    steps_per_epoch: int | None = None
    """Of a preview: the length of an epoch, so that no task is run to find it out."""
    run: str = ""
    """Of a resume: the run's folder; `race` has all lanes that ever joined."""
    run_user_code: bool = msgspec.field(default=False, name="own_code")
    """Of a preview: True if it may run the user's own schedule."""


class LaunchReply(msgspec.Struct, frozen=True):
    """A line from the supervisor: the previews asked for or the run that was started; or why there
    are none, in `error`.

    Of a start, previews carry the warnings only, and `devices` are the supervisor's own affair.
    """

    run: str = ""
    devices: list[str] = []
    previews: list[Preview] = []
    environments: list[dict[str, str]] = []
    """Of a preview of scripts: the variables that each lane's script gets beside its shell's."""
    error: str = ""
    hint: str = ""


class WeightsReply(msgspec.Struct, frozen=True):
    """The answer of the process that takes the weights out of a snapshot; or why there are none,
    in `error`."""

    step: int = 0
    size: int = 0
    """Bytes written."""
    words: str = ""
    """Which weights they are: "its averaged weights"."""
    error: str = ""
    hint: str = ""
