"""The shell command that starts a script of a run again. Starts nothing itself."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from lrtui.core.scenario.spec import Lane, Race, number
from lrtui.store.lane_summary import lane_summaries


def again(run: Path, race: Race) -> str:
    """The commands of the lanes that did not end by themselves, or of all if there is none."""
    summaries = lane_summaries(run)
    lanes = [one.lane for one in summaries if one.unfinished] or [one.lane for one in summaries]
    commands = [shlex.join(_words(race, lane)) for lane in lanes]
    if race.folder and race.folder != _here():
        commands.insert(0, shlex.join(["cd", race.folder]))
    return "; ".join(dict.fromkeys(commands))


def _words(race: Race, lane: Lane) -> list[str]:
    """A lane's command as it was started: by `lrtui run`, or by its user."""
    assert race.script is not None
    command, target = race.script.command_of(lane), race.task.target
    if not race.script.supervised:
        return command
    environment = [f"{name}={value}" for name, value in race.script.env.items()]
    options = [
        *(["--lr", number(lane.lr)] if lane.lr else []),
        *(["--steps", str(race.steps)] if race.steps is not None else []),
        *(["--seed", str(race.seed)] if race.script.seeded and race.seed else []),
        *(["--no-seed"] if not race.script.seeded else []),
    ]
    by_python = command[1:2] == [target] or command[1:3] == ["-m", target]
    what = command[1:] if by_python else ["--", *command]
    return [*(["env", *environment] if environment else []), "lrtui", "run", *options, *what]


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
