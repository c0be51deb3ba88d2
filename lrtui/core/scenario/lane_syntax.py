"""A lane in the scenario's own words, on one line, to be read and changed: optimizer=SGD lr=0.1
momentum=0.9 schedule=cosine.

Also what a lane that joins a race is called. Knows no screen and no torch.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario import catalogue
from lrtui.core.scenario.lane_table import described, read_lane
from lrtui.core.scenario.spec import Lane, Race, ScheduleSpec, next_letter, unique_name
from lrtui.core.scenario.toml_source import with_source
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import one_line
from lrtui.core.toml import listed, toml_value

_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "\"'"
_FORK = re.compile(r" fork( \d+)?$")


def format_lane(lane: Lane) -> str:
    """The lane as one line that `parse_lane` reads again; its name is not in it."""
    options = [f"{key}={toml_value(value)}" for key, value in lane.optimizer.options.items()]
    schedule = [f"schedule={_call(lane.schedule)}"] if lane.schedule else []
    recipe = [f"{key}={toml_value(value)}" for key, value in lane.recipe.changes().items()]
    spec = lane.optimizer
    name = toml_value(spec.reference) if spec.code else spec.name
    return " ".join([f"optimizer={name}", f"lr={lane.lr!r}", *options, *schedule, *recipe])


def parse_lane(lane: Lane, text: str) -> Lane:
    """Parse a line of `key=value` words, as in a scenario's [[lane]], into a lane.

    Optimizer and rate default to those of `lane`; its seed stays. Other keys default as in a
    scenario: torch's options, no schedule, no recipe. A missing name is made from the rest.
    ScenarioError names the invalid word; the user's files are relative to the current directory.
    """
    source = f"lane {lane.letter}" if lane.letter else "the new lane"
    raw = _table(text, source)
    if "schedule" in raw:
        # relative files: from here, as with the flag of that name
        raw["schedule"] = with_source(raw["schedule"], "--schedule")
    if "optimizer" in raw:
        raw["optimizer"] = with_source(raw["optimizer"], "--optimizer")
    raw = {"optimizer": lane.optimizer.reference, "lr": lane.lr, **raw}
    table = Table(raw, source)
    if isinstance(raw["optimizer"], dict):
        raise table.error(
            "optimizer",
            "a table of tables does not fit on a line",
            "a name, and its options beside it",
        )
    found = read_lane(table, lane.letter, Path.cwd())
    # however its file is named
    same = found.schedule and lane.schedule and _call(found.schedule) == _call(lane.schedule)
    schedule, at = (lane.schedule, lane.schedule_at) if same else (found.schedule, "")
    optimizer = found.optimizer
    if optimizer.code and optimizer.code == lane.optimizer.code:
        optimizer = msgspec.structs.replace(optimizer, name=lane.optimizer.name)
    return msgspec.structs.replace(
        found,
        name=found.name or described(found),
        optimizer=optimizer,
        schedule=schedule,
        schedule_at=at,
        seed=lane.seed,
    )


def as_new_lane(race: Race, lane: Lane, name: str = "", at: str = "the new lane") -> Lane:
    """`lane` as it joins the race: with the next letter, and with a name that no other lane has.

    A name that was asked for is taken as it is, or refused (ScenarioError, which names `at`); one
    that was not gets a number.
    """
    taken = {other.name for other in race.lanes}
    wanted = one_line(name)
    if wanted in taken:
        owner = next(other.letter for other in race.lanes if other.name == wanted)
        raise ScenarioError(
            f'{at}: "{wanted}" is also the name of lane {owner}', "expected a name of its own"
        )
    return msgspec.structs.replace(
        lane, letter=next_letter(race.lanes), name=wanted or unique_name(lane.name, taken)
    )


def forked_name(race: Race, parent: Lane) -> str:
    """The default name of a fork of `parent`."""
    return unique_name(_FORK.sub("", parent.name) + " fork", {lane.name for lane in race.lanes})


def _table(text: str, source: str) -> dict[str, Any]:
    """The words as a lane's table, not yet checked."""
    table: dict[str, Any] = {}
    for word in _split(text, source):
        key, sign, value = word.partition("=")
        if not sign or not key or not value:
            raise ScenarioError(
                f'{source}: "{one_line(word)[:60]}" is not a setting',
                "expected key=value, such as lr=3e-4 momentum=0.8 schedule=cosine",
            )
        if key in table:
            raise ScenarioError(f"{source}: {one_line(key)}: given twice", "expected each key once")
        table[key] = _value(value)
    return table


def _value(text: str) -> Any:
    """A value as in TOML; a word without quotes is text, and so is a schedule's call."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text.strip()


def _split(text: str, source: str) -> list[str]:
    """The words: parted by spaces, but not within brackets or quotes."""
    words, word, depth, quote = [], "", 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in _QUOTES:
            quote = sign
        elif sign in _OPEN:
            depth += 1
        elif sign in _CLOSE:
            depth -= 1
        if sign.isspace() and not quote and depth <= 0:
            words.append(word)
            word = ""
        else:
            word += sign
    if quote or depth:
        raise ScenarioError(
            f"{source}: a {'quote' if quote else 'bracket'} is not closed",
            "expected key=value words",
        )
    return [word for word in [*words, word] if word]


def _call(schedule: ScheduleSpec) -> str:
    """A schedule as a call, with all that it is made of."""
    settings = schedule_settings(schedule)
    name = settings.pop("name")
    usual = catalogue.schedules().get(schedule.name)
    if schedule.name in catalogue.COMPOSITE or schedule.interval != (
        usual.interval if usual else "epoch"
    ):
        settings["interval"] = schedule.interval
    inner = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return f"{name}({inner})" if inner else name


def schedule_settings(schedule: ScheduleSpec) -> dict[str, Any]:
    """The table of a schedule, with the user's files as absolute paths."""
    options = listed(schedule.options)
    name = schedule.name
    if schedule.code and schedule.own:
        name = str(schedule.code)
    elif schedule.code:
        options["lr_lambda"] = str(schedule.code)
    children = (
        {"schedulers": [schedule_settings(child) for child in schedule.children]}
        if schedule.children
        else {}
    )
    return {"name": name, **children, **options}
