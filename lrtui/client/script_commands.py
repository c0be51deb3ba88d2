"""What a race of scripts takes of the commands: refusals in words, and a lane's script run again.
Knows no run and no screen."""

from __future__ import annotations

import msgspec

from lrtui.core.protocol.commands import Add, AnyCommand, Fork, Rewind, TakeSnapshot
from lrtui.core.scenario.spec import Lane, Race, letter, unique_name

_STEPS_ONLY = "lrtui sees its steps, it does not hold its state"
_REFUSALS = {
    "fork": f"a script cannot be forked: {_STEPS_ONLY}",
    "rewind": f"a script cannot be rewound: {_STEPS_ONLY}",
    "restart": f"a script cannot be restarted in its process: {_STEPS_ONLY}",
    "snapshot": f"a script has no snapshots: {_STEPS_ONLY}",
    "add": (
        "a script makes its own model and optimizer: a lane cannot be added with other ones;"
        " `lrtui race` with other rates or values starts it anew"
    ),
    "resume": f"a script cannot go on where it was cut off: {_STEPS_ONLY}",
    "find": (
        "the finder trains a task with many rates in one process, and a script runs in its own:"
        " `lrtui race` with several rates compares them"
    ),
    "run again": (
        "lrtui did not start this script, and starts none by what a record says: run it again"
        " where it was started"
    ),
}
"""By action: why a script's lane does not take it."""
_ACTIONS = {Fork: "fork", Rewind: "rewind", TakeSnapshot: "snapshot", Add: "add"}


def refusal(race: Race, action: str) -> str:
    """Why no lane of a race takes an action; '' if it may: everything of a task, and running again
    of a script that lrtui started."""
    if race.script is None or (action == "run again" and race.script.supervised):
        return ""
    return _REFUSALS.get(action, "")


def refused(race: Race, command: AnyCommand) -> str:
    """Why no lane of a race takes a command; '' if it may."""
    again = isinstance(command, Add) and any(_alike(lane, command.child) for lane in race.lanes)
    return refusal(race, "run again" if again else _ACTIONS.get(type(command), ""))


def run_again(race: Race, lane: Lane) -> Add:
    """The command that runs a lane's script again from the start, as a new lane."""
    name = unique_name(lane.name, [one.name for one in race.lanes])
    child = msgspec.structs.replace(lane, letter=letter(len(race.lanes)), name=name, expect="")
    return Add(lane=-1, child=child)


def _alike(one: Lane, other: Lane) -> bool:
    """True if two lanes of a script run the same command at the same rate."""
    return (one.lr, one.values, one.optimizer, one.schedule, one.recipe) == (
        other.lr,
        other.values,
        other.optimizer,
        other.schedule,
        other.recipe,
    )
