"""Commands to a lane, or to the supervisor about one. Knows no store and no key."""

from __future__ import annotations

import math

import msgspec

from lrtui.core.scenario.spec import Lane

SIGTERM_S = 10.0
"""Seconds that a script has to end after a Stop, before the supervisor sends it SIGTERM."""


class Command(msgspec.Struct, frozen=True, tag=True):
    """Something to do at the lane's next step; `lane` is its index."""

    lane: int


class Pause(Command, frozen=True):
    """Stop training until Resume; weights and random state stay as they are."""


class Resume(Command, frozen=True):
    """Go on after a Pause."""


class Stop(Command, frozen=True):
    """End the lane; what it did stays recorded."""

    for_good: bool = True
    """Otherwise it counts as interrupted, and `lrtui resume` takes it up again."""


class SetRate(Command, frozen=True):
    """Apply `rate` (finite, above 0) at the next step; later rates of the schedule scale in
    proportion."""

    rate: float


class ScaleRate(Command, frozen=True):
    """Multiply the rate by `by` (finite, above 0), on top of what the dial says already."""

    by: float


class SetFactor(Command, frozen=True):
    """Put the dial at `factor` (finite, above 0) times what the schedule says; 1 is the scenario's
    own rate."""

    factor: float


class Rewind(Command, frozen=True):
    """Go back to the newest snapshot at or before step `to`; None: to the last good one; 0: to the
    initial weights."""

    to: int | None = None
    by: float = 1.0
    """Factor of the rate from there on (finite, above 0)."""


class Lengthen(Command, frozen=True):
    """Train for longer than the lane was to: by `steps` or by `epochs` (exactly one above 0), from
    its last state if it has ended."""

    steps: int = 0
    epochs: int = 0
    reschedule: bool = False
    """True: its schedule is made anew for the whole length, and goes on in there; else it goes on
    as its formula says beyond the old length."""
    pause: bool = False
    """True: pause at the end of the added steps instead of ending."""


class Fork(Command, frozen=True):
    """Make a new lane from the weights, optimizer, schedule and random state of `lane`. Carried out
    by the supervisor."""

    child: Lane
    """Settings of the new lane; the supervisor gives its letter. Optimizer options or a schedule
    other than the parent's count from the fork on, as if the schedule had been so from the
    start."""
    rate: float | None = None
    """The rate to apply at the next step; None: what would have been applied anyway."""


class Add(Command, frozen=True):
    """Make a new lane that begins at step 0 with the shared initial weights; `lane` is -1. Carried
    out by the supervisor."""

    child: Lane


class TakeSnapshot(Command, frozen=True, tag="Keep"):
    """Take a snapshot now; the result names its file. The supervisor sends this to a lane that is
    to be forked."""


AnyCommand = (
    Pause
    | Resume
    | Stop
    | SetRate
    | ScaleRate
    | SetFactor
    | Rewind
    | Lengthen
    | Fork
    | Add
    | TakeSnapshot
)

_decoder: msgspec.msgpack.Decoder[AnyCommand] = msgspec.msgpack.Decoder(AnyCommand)
encode = msgspec.msgpack.Encoder().encode
decode = _decoder.decode


def unfit(command: AnyCommand) -> str:
    """The reason a command is invalid in any state of the lane; "" if it is valid."""
    match command:
        case Lengthen(steps=steps, epochs=epochs):
            valid = min(steps, epochs) == 0 and 0 < max(steps, epochs) < 1 << 40
            return "" if valid else "expected a number of steps or of epochs, above 0"
        case SetRate(rate=value) | ScaleRate(by=value) | SetFactor(factor=value) | Rewind(by=value):
            pass
        case Fork(rate=rate) if rate is not None:
            value = rate
        case _:
            return ""
    if isinstance(command, Rewind) and command.to is not None and command.to < 0:
        return f"there is no step {command.to}"
    what = "learning rate" if isinstance(command, (SetRate, Fork)) else "factor"
    return (
        ""
        if math.isfinite(value) and value > 0
        else f"{value:g} is not a valid {what}: expected a finite number above 0"
    )
