"""The shell command that starts a script of a run again. Starts nothing itself."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from lrtui.core.scenario.spec import Race
from lrtui.store.lane_summary import lane_summaries


def again(run: Path, race: Race) -> str:
    """The commands of the lanes that did not end by themselves, or of all if there is none."""
    assert race.script is not None
    summaries = lane_summaries(run)
    lanes = [one.lane for one in summaries if one.unfinished] or [one.lane for one in summaries]
    before = ["lrtui", "run", "--"] if race.script.supervised else []
    commands = [shlex.join([*before, *race.script.command_of(lane)]) for lane in lanes]
    if race.folder and race.folder != _here():
        commands.insert(0, shlex.join(["cd", race.folder]))
    return " && ".join(dict.fromkeys(commands))


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
