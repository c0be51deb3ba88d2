"""The table [script] of a scenario and the lanes beside it, read as a race of a training script:
its rates times its varied values. Runs nothing."""

from __future__ import annotations

import itertools
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any, NamedTuple, get_args

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario.placeholders import NAME, placeholders
from lrtui.core.scenario.ranking_table import RANKING_KEYS, read_ranking, read_seeds
from lrtui.core.scenario.recipe_table import RECIPE_KEYS
from lrtui.core.scenario.spec import (
    MAX_LANES,
    Expected,
    Lane,
    OptimizerSpec,
    Race,
    Script,
    TaskRef,
    letter,
    number,
    unique_name,
)
from lrtui.core.scenario.toml_table import Table, shown
from lrtui.core.text import literal, one_line

SCRIPT_KEYS = ("file", "module", "command", "args", "env", "vary", "at_once", "seeded")
RUN_KEYS = SCRIPT_KEYS[:3]
"""Keys that say what is run; exactly one of them is given."""
SCRIPT_RACE_KEYS = (
    "title",
    "story",
    "script",
    "seed",
    "seeds",
    *RANKING_KEYS,
    "steps",
    "on_nan",
    "lane",
    "sweep",
)
SCRIPT_LANE_KEYS = ("name", "lr", "values", "expect")
OF_LRTUI = {"LRTUI_RUN", "LRTUI_LANE"}
"""Environment variables by which a script's process finds its lane."""

_ITS_OWN = ("a script sets this itself", "an option of the script's own in script.args")
_NOT_HERE = ("not possible for a script, which is run unchanged", "no such key beside [script]")
REFUSED = {
    **dict.fromkeys(("optimizer", "schedule", "batch_size", "drop_last", "device"), _ITS_OWN),
    **dict.fromkeys(sorted(RECIPE_KEYS), _ITS_OWN),
    **dict.fromkeys(("sample_every", "validate_every", "pace", "gauge"), _NOT_HERE),
    **dict.fromkeys(("on_divergence", "snapshots", "pruning", "defaults"), _NOT_HERE),
    "recipe": _ITS_OWN,
    "task": ("a race has a task or a script, not both", "either task or [script]"),
    "epochs": (
        "only the script itself knows its epochs",
        "an option of the script's own in script.args, or a budget in steps",
    ),
}
"""Keys of other scenarios that a script cannot honour: (problem, what is expected)."""


def read_script_race(table: Table, folder: Path, scenario: str) -> Race:
    """The race of a scenario with a table [script]; a relative file is sought in `folder`."""
    _only(table, SCRIPT_RACE_KEYS)
    given = table.table("script")
    task, script = read_script(given, folder)
    if not script.seeded and "seed" in table.raw:
        raise table.error(
            "seed", "without effect, since script.seeded is false", "one of the two keys"
        )
    seeds, lanes = read_seeds(table, _read_lanes(table, given, task, script))
    if seeds > 1 and not script.seeded:
        raise table.error(
            "seeds",
            "script.seeded is false: no seed reaches the script",
            "one of the two keys, or a seed as an option of the script's own with script.vary",
        )
    usual_title = " ".join(dict.fromkeys([PurePath(task.target).name, _file_name(script.command)]))
    return Race(
        title=one_line(table.text("title", usual_title)),
        story=literal(table.text("story", "")).strip(),
        task=task,
        lanes=lanes,
        seed=table.whole("seed", 0, 0, 2**63 - 1),
        steps=table.whole("steps", 0, 1) if "steps" in table.raw else None,
        scenario=one_line(scenario or task.name),
        on_nan=table.choice("on_nan", ("warn", "stop")),
        script=script,
        seeds=seeds,
        **read_ranking(table),
    )


def read_script(table: Table, folder: Path) -> tuple[TaskRef, Script]:
    """What is run, and how. A Python file or module is run by this interpreter."""
    table.only(SCRIPT_KEYS)
    keys = [key for key in RUN_KEYS if key in table.raw]
    if len(keys) != 1:
        raise table.error(
            keys[1] if keys else "file",
            "a script is a file, a module or a command",
            "exactly one of file = ..., module = ... and command = [...]",
        )
    match keys[0]:
        case "file":
            target = _file(table, folder)
            command = [sys.executable, target]
            name = PurePath(target).stem
        case "module":
            target = _module(table)
            command = [sys.executable, "-m", target]
            name = target.rpartition(".")[2]
        case _:
            command = _words(table, "command")
            if not command or not command[0]:
                raise table.error("command", "empty", "a program and its arguments")
            target = command[0]
            name = ""
    command += _words(table, "args")
    name = name or PurePath(_file_name(command) or target).stem
    script = Script(
        command=tuple(command),
        env=_environment(table.table("env")),
        at_once=table.whole("at_once", 0, 0, MAX_LANES),
        seeded=table.flag("seeded", True),
    )
    return TaskRef("script", target, one_line(name) or "script"), script


def script_settings(race: Race) -> dict[str, Any]:
    """The table [script] that reads back as the race's script."""
    assert race.script is not None
    command, target = list(race.script.command), race.task.target
    if command[1:3] == ["-m", target]:
        what: dict[str, Any] = {"module": target, "args": command[3:]}
    elif command[1:2] == [target] and command[0] != target:
        what = {"file": target, "args": command[2:]}
    else:
        what = {"command": command}
    usual = Script(())
    kept = {
        key: value
        for key in ("env", "at_once", "seeded")
        if (value := getattr(race.script, key)) != getattr(usual, key)
    }
    return {key: value for key, value in what.items() if value} | kept


def lane_settings(lane: Lane) -> dict[str, Any]:
    """The [[lane]] table of a script's lane."""
    rate = {"lr": lane.lr} if lane.lr else {}
    values = {"values": lane.values} if lane.values else {}
    return {"name": lane.name, **rate, **values} | ({"expect": lane.expect} if lane.expect else {})


def varied(items: Iterable[str]) -> dict[str, list[str]]:
    """The values by name of texts such as bs=16,32; a name that comes again has further values."""
    found: dict[str, list[str]] = {}
    for item in items:
        name, sign, values = item.partition("=")
        if not sign or not re.fullmatch(NAME, name):
            raise ScenarioError(
                f'"{one_line(item)[:60]}" names no values', "expected NAME=V1,V2, such as bs=16,32"
            )
        found.setdefault(name, []).extend(values.split(","))
    return found


def _only(table: Table, known: Iterable[str]) -> None:
    """Refuse a key that scripts have not, with the reason if other scenarios have it."""
    for key in table.raw:
        if key in REFUSED:
            raise table.error(key, *REFUSED[key])
    table.only(known)


def _file(table: Table, folder: Path) -> str:
    given = table.text("file")
    path = os.path.abspath(os.path.join(folder, os.path.expanduser(given)))
    if not _harmless(path) or not os.path.isfile(path):
        raise table.error("file", f"no file {one_line(path)[:200]}", "the path of a Python script")
    return path


def _module(table: Table) -> str:
    name = table.text("module")
    if not all(part.isidentifier() for part in name.split(".")):
        raise table.error(
            "module", f'"{one_line(name)[:60]}" is no module', "a name such as package.train"
        )
    return name


def _file_name(command: Iterable[str]) -> str:
    """Name of the first Python file in a command; "" without one."""
    return next((PurePath(part).name for part in command if part.endswith(".py")), "")


def _words(table: Table, key: str) -> list[str]:
    """A list of strings; numbers are taken as they are written in a shell."""
    given = table.raw.get(key, [])
    if not isinstance(given, list):
        raise table.error(key, f"{shown(given)} is not a list", f"a list, such as {key} = [...]")
    return [_word(table, key, value) for value in given]


def _word(table: Table, key: str, value: Any) -> str:
    if isinstance(value, float):
        return short if (short := number(value)) and float(short) == value else repr(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise table.error(key, f"{shown(value)} is not a string", "strings and numbers")
    if not _harmless(value):
        raise table.error(
            key, f"{shown(value)} cannot be given to a program", "text without a NUL, in UTF-8"
        )
    return value


def _harmless(text: str) -> bool:
    """True if a process can be started with `text`, and a record can hold it."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _environment(table: Table) -> dict[str, str]:
    for name in table.raw:
        if not name or "=" in name or not _harmless(name) or name in OF_LRTUI:
            problem = "set by lrtui itself" if name in OF_LRTUI else "no name of a variable"
            raise table.error(name, problem, "variables of the script's own, such as NAME = ...")
    return {name: _word(table, name, value) for name, value in table.raw.items()}


class _Row(NamedTuple):
    """A lane to be: its table, and the values that its name does not say."""

    table: Table
    values: dict[str, str]
    varied: dict[str, str]


def _read_lanes(table: Table, given: Table, task: TaskRef, script: Script) -> tuple[Lane, ...]:
    """One lane for each rate and each combination of varied values; at the script's own rate where
    none is given."""
    vary = _vary(given.table("vary"))
    bases = [*table.tables("lane"), *_sweep(table.table("sweep"))]
    rows: list[_Row] = []
    for base in bases or [Table({}, table.source, "lane")]:
        _only(base, SCRIPT_LANE_KEYS)
        inner = base.table("values")
        fixed = {name: _word(inner, name, value) for name, value in inner.raw.items()}
        free = {name: words for name, words in vary.items() if name not in fixed}
        if len(rows) + math.prod(map(len, free.values())) > MAX_LANES:
            raise table.error("lane", "too many lanes", f"at most {MAX_LANES}")
        for combination in itertools.product(*free.values()):
            varied = dict(zip(free, combination, strict=True))
            rows.append(_Row(base, fixed | varied, varied))
    _check_placeholders(rows, vary, given, script)
    return tuple(_lanes(rows, task.name))


def _vary(table: Table) -> dict[str, list[str]]:
    """The values of each name, as text."""
    for name, value in table.raw.items():
        if not re.fullmatch(NAME, name):
            raise table.error(name, "no name that {NAME} can have", "letters, digits and _")
        if not isinstance(value, list) or not value:
            raise table.error(name, f"{shown(value)} has no values", f"a list: {name} = [...]")
    return {name: _words(table, name) for name in table.raw}


def _sweep(sweep: Table) -> list[Table]:
    """A lane's table for each combination of the rates and the tables of values in [sweep]."""
    _only(sweep, ("lr", "values"))
    for key, value in sweep.raw.items():
        if not isinstance(value, list) or not value:
            raise sweep.error(key, "a sweep goes over a list", f"a list, such as {key} = [...]")
    if (count := math.prod(map(len, sweep.raw.values()))) > MAX_LANES:
        raise sweep.error("lr", f"{count} lanes are too many", f"at most {MAX_LANES}")
    combinations = itertools.product(*sweep.raw.values()) if sweep.raw else ()
    return [
        Table(dict(zip(sweep.raw, combination, strict=True)), sweep.source, "sweep")
        for combination in combinations
    ]


def _check_placeholders(
    rows: list[_Row], vary: dict[str, list[str]], given: Table, script: Script
) -> None:
    """Refuse a placeholder that nothing fills, and values that go nowhere."""
    places = {
        name: key
        for key, texts in (("env", script.env.values()), ("args", script.command))
        for text in texts
        for name in placeholders(text)
    }
    for name in vary:
        if name not in places:
            raise given.error(f"vary.{name}", *_unused(name))
    for row in rows:
        for name in row.values:
            if name not in places:
                raise row.table.error(f"values.{name}", *_unused(name))
        for name, key in places.items():
            if name not in row.values:
                raise given.error(
                    key,
                    f"no value for {{{name}}}",
                    f"values (--vary {name}=..., script.vary.{name} = [...]), or {{{{{name}}}}}"
                    " for the braces themselves",
                )


def _unused(name: str) -> tuple[str, str]:
    return f"{{{name}}} stands in no argument", f"{{{name}}} in the script's arguments"


def _lanes(rows: list[_Row], usual: str) -> Iterator[Lane]:
    """The lanes with their names: the given ones with what was varied, or rate and values; `usual`
    for one that has neither."""
    seen: dict[str, int] = {}
    for index, (table, values, varied) in enumerate(rows):
        rate = table.number("lr", 0.0)
        if "lr" in table.raw and not (math.isfinite(rate) and rate > 0):
            raise table.error(
                "lr", f"{rate} is not a valid learning rate", "a finite number above 0"
            )
        given = one_line(table.text("name", ""))
        if "name" in table.raw and not given:
            raise table.error("name", "empty", "a name that can be seen, or no name at all")
        shown_values = varied if given else values
        parts = [given] if given else [f"lr={number(rate)}"] if rate else []
        parts += [f"{name}={value}" for name, value in shown_values.items()]
        name = one_line(" ".join(parts)) or usual
        if name in seen and given:
            raise table.error(
                "name",
                f'"{name}" is also the name of lane {seen[name] + 1}',
                "a name for each lane of its own",
            )
        name = unique_name(name, seen, letter(index))
        seen[name] = index
        yield Lane(
            letter=letter(index),
            name=name,
            optimizer=OptimizerSpec(""),
            lr=rate,
            expect=table.choice("expect", get_args(Expected)),
            values=values,
        )
