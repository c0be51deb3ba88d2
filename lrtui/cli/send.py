"""`lrtui send`: one command to a lane of a run, or to all of them, from any terminal; prints the
reply."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import click

from lrtui.cli.exit_codes import ExitCode
from lrtui.cli.frontends import announce_user_code, loading_torch
from lrtui.cli.options import runs_folder, runs_option, timeout_option
from lrtui.cli.output import complain
from lrtui.client.commands import CommandClient
from lrtui.client.follower import Follower
from lrtui.client.lane_sign import group_of, lane_names
from lrtui.core.errors import LrtuiError, RunError
from lrtui.core.protocol.commands import (
    AnyCommand,
    Fork,
    Pause,
    Resume,
    Rewind,
    ScaleRate,
    SetFactor,
    SetRate,
    Stop,
    TakeSnapshot,
)
from lrtui.core.protocol.script_refusals import refusal, revival
from lrtui.core.scenario.lane_syntax import as_new_lane, forked_name
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import closest, one_line
from lrtui.store import run_dir

ANSWER_S = 10.0


class _Flags(NamedTuple):
    """The flags of a verb; None if not given."""

    lr: float | None = None
    name: str | None = None
    to: int | None = None
    scale: float | None = None


_Make = Callable[[RaceState, LaneState, float, _Flags], AnyCommand]
"""(race, lane, number after the verb, flags) -> the command."""


class _Verb(NamedTuple):
    make: _Make
    flags: tuple[str, ...] = ()
    """The flags that apply to it."""
    number: str = ""
    """Description of its number; '' if it takes none."""
    revives: bool = False
    """True if it applies to a lane that has ended, and to a run without a supervisor."""


def _fork(state: RaceState, lane: LaneState, _: float, flags: _Flags) -> AnyCommand:
    name = flags.name if flags.name is not None else forked_name(state.race, lane.lane)
    return Fork(
        lane=lane.index, child=as_new_lane(state.race, lane.lane, name, "--name"), rate=flags.lr
    )


VERBS = {
    "pause": _Verb(lambda race, lane, number, flags: Pause(lane=lane.index)),
    "resume": _Verb(lambda race, lane, number, flags: Resume(lane=lane.index)),
    "stop": _Verb(lambda race, lane, number, flags: Stop(lane=lane.index)),
    "rate": _Verb(
        lambda race, lane, number, flags: SetRate(lane=lane.index, rate=number),
        number="a rate, such as 3e-4",
    ),
    "scale": _Verb(
        lambda race, lane, number, flags: ScaleRate(lane=lane.index, by=number),
        number="a factor, such as 0.5",
    ),
    "schedule": _Verb(lambda race, lane, number, flags: SetFactor(lane=lane.index, factor=1.0)),
    "snapshot": _Verb(lambda race, lane, number, flags: TakeSnapshot(lane=lane.index)),
    "fork": _Verb(_fork, ("lr", "name"), revives=True),
    "rewind": _Verb(
        lambda race, lane, number, flags: Rewind(
            lane=lane.index, to=flags.to, by=flags.scale or 1.0
        ),
        ("to", "scale"),
        revives=True,
    ),
    "restart": _Verb(
        lambda race, lane, number, flags: Rewind(lane=lane.index, to=0, by=flags.scale or 1.0),
        ("scale",),
        revives=True,
    ),
}


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("run")
@click.argument("words", nargs=-1, metavar="[LANE] VERB [NUMBER]")
@click.option(
    "--all", "everyone", is_flag=True, help="To all living lanes, in the place of a LANE."
)
@click.option(
    "--lr", type=float, help="fork: the rate of the fork's next step (default: unchanged)."
)
@click.option("--name", help="fork: its name.")
@click.option(
    "--to",
    type=click.IntRange(0),
    metavar="STEP",
    help="rewind: the newest snapshot at or before this step (default: the last good one).",
)
@click.option(
    "--scale", type=float, help="rewind, restart: what the rate is multiplied by from there on."
)
@timeout_option(ANSWER_S)
@runs_option
def send(
    run: str,
    words: tuple[str, ...],
    everyone: bool,
    timeout: float,
    runs: str | None,
    lr: float | None,
    name: str | None,
    to: int | None,
    scale: float | None,
) -> int:
    """Say something to a LANE (its letter or name; A: to all seeds A1, A2, ...) of a RUN: pause,
    resume, stop, rate 3e-4, scale 0.5, schedule (back to its own rates), fork, rewind, restart,
    snapshot."""
    path = run_dir.find(run, runs_folder(runs))
    follower = Follower(path)
    try:
        follower.catch_up()
        commands = _commands(follower, words, everyone, _Flags(lr, name, to, scale))
        return deliver(follower, commands, timeout)
    finally:
        follower.close()


def _commands(
    follower: Follower, words: tuple[str, ...], everyone: bool, flags: _Flags
) -> list[AnyCommand]:
    """The commands that the command line asks for, all of them checked; LrtuiError if any is
    invalid."""
    state = follower.state
    sign, rest = (None, list(words)) if everyone else (words[0] if words else "", list(words[1:]))
    if sign == "" or (sign in VERBS and not rest):
        raise LrtuiError("no lane given", f"name one, or say --all: {lane_names(state)}")
    verb, number = _verb(rest, flags)
    if why := refusal(state.race, rest[0]):
        raise LrtuiError(why)
    if sign is None:
        lanes = [lane for lane in state.lanes if not lane.over]
    else:
        lanes = list(group_of(state, sign).lanes)
        if len(lanes) > 1 and not verb.revives:
            lanes = [lane for lane in lanes if not lane.over] or lanes
    if follower.supervisor_gone and not verb.revives and follower.resumable():
        raise RunError(
            f"the supervisor of {follower.run.name} is gone",
            f"go on with `lrtui resume {follower.run.name}`",
        )
    for lane in lanes:
        if lane.over and not verb.revives:
            raise LrtuiError(f"{lane.lane.letter} has ended ({lane.status})", revival(state.race))
    if not lanes:
        named = "name one, to rewind, restart or fork it"
        raise LrtuiError(
            "every lane has ended", revival(state.race) if state.race.script else named
        )
    if flags.name is not None and len(lanes) > 1:
        whom = "--all" if everyone else f"{len(lanes)} seeds"
        raise LrtuiError(f"--name with {whom}: all forks would have one name", "leave --name out")
    return [verb.make(state, lane, number, flags) for lane in lanes]


def _verb(words: list[str], flags: _Flags) -> tuple[_Verb, float]:
    """The verb and its number, if it takes one."""
    name, *rest = words or [""]
    verb = VERBS.get(name)
    if verb is None:
        what = (
            f'unknown action "{one_line(name)}"{closest(name, VERBS)}'
            if name
            else "no action given"
        )
        raise LrtuiError(what, "one of " + ", ".join(VERBS))
    for flag, value in zip(flags._fields, flags, strict=True):
        if value is not None and flag not in verb.flags:
            raise LrtuiError(
                f"--{flag} does not apply to {name}", f"{name} takes {_flag_words(verb)}"
            )
    if flags.scale is not None and not (math.isfinite(flags.scale) and flags.scale > 0):
        raise LrtuiError(
            f"--scale: invalid value {flags.scale:g}", "expected a finite number above 0"
        )
    if len(rest) != (1 if verb.number else 0):
        extra = rest[1:] if verb.number else rest
        raise LrtuiError(
            f'unexpected argument "{one_line(extra[0])}"' if extra else f"{name}: missing number",
            f"{name} takes {verb.number or _flag_words(verb)}",
        )
    try:
        return verb, float(rest[0]) if verb.number else 1.0
    except ValueError as error:
        raise LrtuiError(
            f'{name}: "{one_line(rest[0])}" is not a number', f"expected {verb.number}"
        ) from error


def _flag_words(verb: _Verb) -> str:
    return ", ".join(f"--{flag}" for flag in verb.flags) or "nothing else"


def deliver(follower: Follower, commands: Sequence[AnyCommand], timeout: float) -> int:
    """Send commands, starting a new supervisor if needed, and print each reply as it comes.

    Returns BAD_INPUT if any was refused; RunError names the lanes without a reply in time.
    """
    client, code = CommandClient(follower), ExitCode.RACED
    client.send(commands)
    if client.needs_supervisor:
        announce_user_code(follower.state.race)
        with loading_torch():
            client.restart_supervisor()
    for letter, _, result in client.wait(timeout):
        line = f"{letter}: {one_line(result.text)}"
        if result.ok:
            print(line, flush=True)
        else:
            code = ExitCode.BAD_INPUT
            complain(line)
    if client.waiting:
        raise RunError(
            f"{', '.join(client.unanswered)}: no answer in {timeout:g} s",
            f"it is done when the lane gets to it: see `lrtui watch {follower.run.name}`",
        )
    return code
