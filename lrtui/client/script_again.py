"""The shell command that starts a script of a run again. Starts nothing itself."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from lrtui.core.scenario.script_table import script_settings
from lrtui.core.scenario.spec import Lane, Race, Script
from lrtui.store.lane_summary import lane_summaries


def again(run: Path, race: Race) -> str:
    """The commands of the lanes that did not end by themselves, or of all if there is none."""
    assert race.script is not None
    summaries = lane_summaries(run)
    lanes = [one.lane for one in summaries if one.unfinished] or [one.lane for one in summaries]
    commands = [shlex.join(_words(race, race.script, lane)) for lane in lanes]
    if race.folder and race.folder != _here():
        commands.insert(0, shlex.join(["cd", race.folder]))
    return "; ".join(dict.fromkeys(commands))


def _words(race: Race, script: Script, lane: Lane) -> list[str]:
    """The command that runs the script of one lane alone, as that lane."""
    command = script.command_of(lane)
    if not script.supervised:
        return command
    options = {
        "--lr": str(lane.lr or ""),
        "--steps": str(race.steps or ""),
        "--seed": str(race.seed) if script.seeded and race.seed else "",
        "--on-nan": race.on_nan if race.on_nan != "warn" else "",
    }
    given = [word for name, value in options.items() if value for word in (name, value)]
    unseeded = [] if script.seeded else ["--no-seed"]
    variables = [f"{name}={value}" for name, value in script.env_of(lane).items()]
    python = "command" not in script_settings(race)
    return [
        *(["env", *variables] if variables else []),
        *("lrtui", "run", *given, *unseeded),
        *(command[1:] if python else ["--", *command]),
    ]


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
