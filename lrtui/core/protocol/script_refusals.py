"""Commands that a race of scripts refuses, in words, and the one that runs a script again. Pure."""

from __future__ import annotations

import msgspec

from lrtui.core.protocol.commands import Add, AnyCommand, Fork, Lengthen, Rewind, TakeSnapshot
from lrtui.core.scenario.spec import Lane, Race, next_letter, unique_name

_WITHOUT_STATE = {
    "fork": "a script cannot be forked",
    "rewind": "a script cannot be rewound",
    "restart": "a script cannot be restarted in its process",
    "snapshot": "a script has no snapshots",
    "more": "a script cannot be lengthened",
    "resume": "a script cannot go on where it was cut off",
}
"""By action that needs the weights of a lane: its refusal."""
_STEPS_ONLY = "lrtui sees its steps, it does not hold its state"
_AGAIN = "; R on its screen runs it again from the start"
_OTHERS = {
    "take": (
        "lrtui keeps no weights of a script: save them in the script, with"
        " torch.save(model.state_dict(), ...) where its loss is the lowest"
    ),
    "add": (
        "a script cannot be added with other settings: it makes its own model and optimizer;"
        " `lrtui race` with other rates or values starts it anew"
    ),
    "find": (
        "the finder trains a task with many rates in one process, and a script runs in its own:"
        " `lrtui race` with several rates compares them"
    ),
    "force": (
        "it was told to stop, and ends after its step: lrtui did not start this script, and signals"
        " nothing that it did not start"
    ),
    "run again": (
        "lrtui did not start this script, and starts none by what a record says: run it again"
        " where it was started"
    ),
}
"""By any other action that a script's lane does not take: its refusal."""
_BY_SUPERVISOR = ("force", "run again")
_ACTIONS = {Fork: "fork", Rewind: "rewind", Lengthen: "more", TakeSnapshot: "snapshot", Add: "add"}


def refusal(race: Race, action: str) -> str:
    """Why no lane of a race takes an action; '' if it may: everything of a task, and what a
    supervisor does with a script that lrtui started."""
    if race.script is None or (action in _BY_SUPERVISOR and race.script.supervised):
        return ""
    if action in _WITHOUT_STATE:
        again = _AGAIN if race.script.supervised else ""
        return f"{_WITHOUT_STATE[action]}: {_STEPS_ONLY}{again}"
    return _OTHERS.get(action, "")


def refusal_of(race: Race, command: AnyCommand) -> str:
    """Why no lane of a race takes a command; '' if it may."""
    again = isinstance(command, Add) and command.child.settings in [
        lane.settings for lane in race.lanes
    ]
    return refusal(race, "run again" if again else _ACTIONS.get(type(command), ""))


def revival(race: Race) -> str:
    """How a lane that has ended goes on, in words."""
    if not race.script:
        return "it can be rewound, restarted or forked"
    why = refusal(race, "run again")
    return why or "R on the screen of `lrtui watch` runs its script again, as a new lane"


def run_again(race: Race, lane: Lane) -> Add:
    """The command that runs a lane's script again from the start, as a new lane."""
    name = unique_name(lane.name, [one.name for one in race.lanes])
    child = msgspec.structs.replace(lane, letter=next_letter(race.lanes), name=name, expect="")
    return Add(lane=-1, child=child)
