"""Questions of the picker about training scripts: what to run, and whether to run it. Knows no
Textual."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from lrtui.core.errors import LrtuiError, ScenarioError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.script_table import script_settings, varied
from lrtui.core.scenario.spec import Race, number
from lrtui.core.text import one_line
from lrtui.tui.screens.forms import Choice, FieldError, Form

SOURCE = "this form"
RUN = "run"
"""The answer that runs a script."""
MOST_LANES = 6
"""Lanes that are named in a question."""
LABELS = {
    "script": "script: train.py, -m package.module, or a program (torchrun train.py)",
    "rates": "learning rates, such as 1e-2 1e-3; none: the script's own",
    "values": "varied values, such as bs=16,32; {bs} in the arguments stands for one",
    "args": "arguments, as in a shell",
}
EXPLAIN = "It runs unchanged, once for each rate and value; its command line is shown first."


def own_script(typed: dict[str, str]) -> Form:
    """Ask for a script, rates, values and arguments, which make a race; `typed`: the texts of the
    last time, which are kept up to date."""

    def read(given: dict[str, str]) -> Race:
        typed.update(given)
        return _race(given, {})

    fields = {name: (label, typed.get(name, "")) for name, label in LABELS.items()}
    return Form("A training script of your own", fields, read, explain=EXPLAIN, edited=True)


def edit_script(race: Race) -> Form:
    """Edit script, rates, values and arguments of a race that has not started; ScenarioError if its
    lanes are not rates times values."""
    assert race.script is not None
    kept = {key: getattr(race.script, key) for key in ("env", "at_once", "seeded")}

    def read(given: dict[str, str]) -> Race:
        found = _race(given, kept)
        return msgspec.structs.replace(
            race, task=found.task, lanes=found.lanes, script=found.script
        )

    texts = _texts(race)
    try:
        lanes = read(texts).lanes
    except LrtuiError:
        lanes = ()
    if [(lane.lr, lane.values) for lane in lanes] != [
        (lane.lr, lane.values) for lane in race.lanes
    ]:
        raise ScenarioError(
            f"{one_line(race.title)}: its lanes are not rates times values", "edit its file"
        )
    fields = {name: (label, texts[name]) for name, label in LABELS.items()}
    return Form("The script of this race", fields, read, explain=EXPLAIN, edited=True)


def confirm(race: Race) -> Choice:
    """Show what a race of a script will run, and ask whether to do it."""
    return Choice("\n".join(_question(race)), {"y": (RUN, "run it"), "n": ("", "back")})


def _question(race: Race) -> Iterator[str]:
    assert race.script is not None
    yield f"Run this in {one_line(race.folder or os.getcwd())}?"
    yield ""
    yield one_line(shlex.join(race.script.command))
    for name, value in race.script.env.items():
        yield one_line(f"with {name}={value}")
    yield ""
    names = [one_line(lane.name) for lane in race.lanes]
    left = len(names) - MOST_LANES
    more = f" and {left} more" if left > 0 else ""
    count = "one lane" if len(names) == 1 else f"{len(names)} lanes"
    yield f"{count}: {', '.join(names[:MOST_LANES])}{more}"
    yield ""


def _race(given: dict[str, str], kept: dict[str, Any]) -> Race:
    """The race that the texts of a form describe; FieldError names the field."""
    with _field("script"):
        script = _what(_words(given["script"]))
        _parsed({"script": script})
    with _field("rates"):
        rates = [_rate(word) for word in given["rates"].replace(",", " ").split()]
    with _field("values"):
        values = varied(_words(given["values"]))
    with _field("args"):
        script["args"] = [*script.get("args", []), *_words(given["args"])]
        lanes = {"sweep": {"lr": rates}} if rates else {}
        return _parsed({"script": {**script, "vary": values, **kept}, **lanes})


@contextmanager
def _field(name: str) -> Iterator[None]:
    """Within, an error is about this field."""
    try:
        yield
    except LrtuiError as error:
        message = error.message.removeprefix(f"{SOURCE}: ")
        raise FieldError(name, ScenarioError(message, error.hint)) from error


def _parsed(raw: dict[str, Any]) -> Race:
    return scenario_file.parse(raw, source=SOURCE, folder=Path.cwd())


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ScenarioError(f"{error}", "expected words as in a shell, quotes in pairs") from error


def _what(words: list[str]) -> dict[str, Any]:
    match words:
        case []:
            raise ScenarioError("no script", "expected a path such as train.py")
        case ["-m", module, *args]:
            return {"module": module, "args": args}
        case [file, *args] if file.endswith(".py"):
            return {"file": file, "args": args}
    return {"command": words}


def _rate(word: str) -> float:
    try:
        rate = float(word)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise ScenarioError(
            f'"{one_line(word)[:30]}" is not a learning rate', "expected numbers such as 1e-3"
        )
    return rate


def _texts(race: Race) -> dict[str, str]:
    """The texts of the form for a race whose lanes are rates times values."""
    settings = script_settings(race)
    args = settings.get("args", [])
    if "file" in settings:
        what = [os.path.relpath(settings["file"])]
    elif "module" in settings:
        what = ["-m", settings["module"]]
    else:
        what, args = settings["command"], []
    values: dict[str, list[str]] = {}
    for lane in race.lanes:
        for name, value in lane.values.items():
            values.setdefault(name, []).append(value)
    varying = [f"{name}={','.join(dict.fromkeys(words))}" for name, words in values.items()]
    rates = dict.fromkeys(number(lane.lr) for lane in race.lanes if lane.lr)
    return {
        "script": shlex.join(what),
        "rates": " ".join(rates),
        "values": shlex.join(varying),
        "args": shlex.join(args),
    }
