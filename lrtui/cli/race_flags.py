"""Flags of `lrtui race` and `lrtui find`, read as a race: a scenario, a task or a script, and what
is laid over it."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from lrtui.cli.script_flags import REFUSED, refuse_flags, script_of
from lrtui.core.errors import ScenarioError
from lrtui.core.files import absolute
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.overlay import overlay
from lrtui.core.scenario.recipe_table import RECIPE_KEYS
from lrtui.core.scenario.script_header import header_tables
from lrtui.core.scenario.script_table import varied
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line

USAGE = "lrtui race train.py --lr 1e-2 --lr 1e-3 -- ARGS"


class ScriptFlags(NamedTuple):
    """The flags of a script's race."""

    as_module: bool = False
    arguments: tuple[str, ...] | None = None
    """The words after `--`; None without it."""
    vary: tuple[str, ...] = ()
    at_once: int | None = None
    no_seed: bool = False

    def names_script(self, name: str | None) -> bool:
        """True if the command line itself names a script, where `name` stands for a scenario."""
        by_file = name is not None and name.endswith(".py")
        return self.as_module or by_file or (name is None and self.arguments is not None)

    def arguments_of(self, name: str | None) -> tuple[str, ...]:
        """The words after `--` that are arguments; the first one is a program if `name` and -m do
        not say what to run."""
        words = self.arguments or ()
        return words if name or self.as_module else words[1:]

    def changes(self, name: str | None) -> dict[str, Any]:
        """What they lay over the tables of a scenario or a script (see `overlay`)."""
        found: dict[str, Any] = {
            f"script.vary.{name}": values for name, values in varied(self.vary).items()
        }
        if more := self.arguments_of(name):
            found["lanes.args"] = list(more)
        if self.at_once is not None:
            found["script.at_once"] = self.at_once
        if self.no_seed:
            found["script.seeded"] = False
        return found


class _Source(NamedTuple):
    """A scenario's tables, and where they come from."""

    raw: dict[str, Any]
    name: str
    """Names them in errors."""
    folder: Path
    scenario: str


def read_race(name: str | None, flags: dict[str, Any], script: ScriptFlags | None = None) -> Race:
    """The race that the command line asks for."""
    flags, script = dict(flags), script or ScriptFlags()
    changes = {key: value for item in flags.pop("settings") for key, value in [_setting(item)]}
    given = [key for key in (*REFUSED, *sorted(RECIPE_KEYS)) if flags.get(key) not in (None, ())]
    task = flags.pop("task")
    changes |= _changes(flags)
    source = _source(name, task, script)
    if "script" not in source.raw:
        _refuse_script_flags(name, script)
        return _parsed(source, changes | ({"task": _from_here(task)} if task else {}))
    refuse_flags([*given, *_trainers()])
    if script.no_seed and "seed" in changes:
        raise ScenarioError("--seed and --no-seed exclude each other", "expected one of the two")
    race = _parsed(source, changes | script.changes(name))
    if script.names_script(name) and not any(lane.lr or lane.values for lane in race.lanes):
        raise ScenarioError(
            f"{race.title}: no rates given",
            f"expected {USAGE}; `lrtui run` watches one lane at the script's own rate",
        )
    return race


def _source(name: str | None, task: str | None, script: ScriptFlags) -> _Source:
    """The tables that the command line names, without what it lays over them."""
    if script.names_script(name):
        raw = _header(name) if name and not script.as_module else None
        program = (script.arguments or ())[:1]
        raw = raw or {"script": script_of(name, script.as_module, program, USAGE)}
        return _Source(raw, one_line(name) if name else "flags", Path.cwd(), "")
    if name:
        path = scenario_file.find(name)
        return _Source(scenario_file.read(path), str(path), path.parent, path.stem)
    if task:
        own = {"epochs": 10, "sweep": {"lr": [0.1, 0.01, 0.001, 0.0001]}}
        return _Source(own, "flags", Path.cwd(), task.rpartition(":")[2])
    raise ScenarioError(
        "nothing to race",
        "name a scenario (see `lrtui scenarios`), a script (train.py), or a task with --task"
        " file.py:Name",
    )


def _header(name: str) -> dict[str, Any] | None:
    """The tables in the header of a script, if it is there and has any."""
    return header_tables(Path(name)) if Path(name).is_file() else None


def _parsed(source: _Source, changes: dict[str, Any]) -> Race:
    return scenario_file.parse(
        overlay(source.raw, changes, source.name),
        source=source.name,
        folder=source.folder,
        scenario=source.scenario,
    )


def _changes(flags: dict[str, Any]) -> dict[str, Any]:
    """What the flags lay over a scenario's tables."""
    rates, optimizers, schedule = (flags.pop(key) for key in ("rates", "optimizers", "schedule"))
    changes = {key: value for key, value in flags.items() if value is not None}
    if flags["epochs"] is not None and flags["steps"] is not None:
        raise ScenarioError("--epochs and --steps exclude each other", "expected one budget")
    for rate in rates:
        check_rate(rate)
    if rates:
        changes["lanes.lr"] = list(rates)
    if optimizers:
        changes["lanes.optimizer"] = list(optimizers)
    if schedule:
        changes["lanes.schedule"] = schedule
    return changes


def check_rate(rate: float) -> None:
    """Refuse a rate that no optimizer can have."""
    if not (math.isfinite(rate) and rate > 0):
        raise ScenarioError(
            f"--lr: {rate:g} is not a valid learning rate", "expected a finite number above 0"
        )


def _refuse_script_flags(name: str | None, script: ScriptFlags) -> None:
    """Refuse the flags of scripts in a race of a task."""
    given = {
        "the words after --": script.arguments is not None,
        "--vary": bool(script.vary),
        "--at-once": script.at_once is not None,
        "--no-seed": script.no_seed,
    }
    for flag, there in given.items():
        if there:
            what = f"the scenario {one_line(name)[:60]}" if name else "a task"
            raise ScenarioError(f"{flag}: not for {what}, which is no script", f"expected {USAGE}")


def _trainers() -> list[str]:
    """The flag --trainers, if it was given."""
    context = click.get_current_context(silent=True)
    source = context.get_parameter_source("trainers") if context else None
    return ["trainers"] if source is ParameterSource.COMMANDLINE else []


def _from_here(task: str) -> str:
    """Make a task of the command line relative to the working directory, not to the scenario."""
    file, colon, name = task.rpartition(":")
    return f"{absolute(file)}:{name}" if colon and file.endswith(".py") else task


def _setting(item: str) -> tuple[str, Any]:
    key, sign, value = item.partition("=")
    key = key.strip()
    if not sign or not key:
        raise ScenarioError(
            f'--set "{one_line(item)}" is not a setting',
            "expected KEY=VALUE, such as sample_every=2",
        )
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value.strip()  # an unquoted word is a string
