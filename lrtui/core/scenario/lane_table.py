"""The tables [[lane]], [sweep] and [defaults] of a scenario, read as lanes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from lrtui.core.scenario import catalogue
from lrtui.core.scenario.pasted_python import optimizer_table, plain_name
from lrtui.core.scenario.schedule_spec import read_schedule
from lrtui.core.scenario.spec import (
    MAX_LANES,
    Expected,
    Lane,
    OptimizerSpec,
    letter,
    number,
    unique_name,
)
from lrtui.core.scenario.toml_source import source_of
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import closest, one_line

DEFAULT_RATES: dict[str, float] = {
    "SGD": 1e-2,
    "RMSprop": 1e-2,
    "Adagrad": 1e-2,
    "ASGD": 1e-2,
    "Adafactor": 1e-2,
    "Rprop": 1e-2,
    "NAdam": 2e-3,
    "Adamax": 2e-3,
    "Adadelta": 1.0,
    "LBFGS": 1.0,
}
"""Where a lane names no rate: torch's own defaults, but 0.01 for SGD; every other optimizer
0.001."""
LANE_KEYS = {"name", "optimizer", "lr", "schedule", "expect"}


def read_lanes(table: Table, folder: Path) -> tuple[Lane, ...]:
    defaults = table.table("defaults")
    if "name" in defaults.raw:
        raise defaults.error("name", "a name belongs to one lane", "a [[lane]] with that name")
    tables = [
        _with_defaults(lane, defaults)
        for lane in [*table.tables("lane"), *_product(table.table("sweep"))]
    ]
    if not tables:
        raise table.error("lane", "a race needs lanes", "at least one [[lane]] table, or a [sweep]")
    if len(tables) > MAX_LANES:
        raise table.error("lane", f"{len(tables)} lanes are too many", f"at most {MAX_LANES}")
    lanes = tuple(read_lane(lane, letter(index), folder) for index, lane in enumerate(tables))
    return tuple(_named(lanes, tables))


def _product(sweep: Table) -> list[Table]:
    """One lane table for each combination of the lists in [sweep]."""
    sweep.only({"lr", "optimizer", "schedule"})
    for key, value in sweep.raw.items():
        if not isinstance(value, list) or not value:
            raise sweep.error(key, "a sweep goes over a list", f"a list, such as {key} = [...]")
    if (count := math.prod(map(len, sweep.raw.values()))) > MAX_LANES:
        raise sweep.error(
            next(iter(sweep.raw)), f"{count} lanes are too many", f"at most {MAX_LANES}"
        )
    combos = itertools.product(*sweep.raw.values()) if sweep.raw else ()
    return [
        Table(dict(zip(sweep.raw, combo, strict=True)), sweep.source, "sweep") for combo in combos
    ]


def _with_defaults(lane: Table, defaults: Table) -> Table:
    """The lane's table over [defaults]; the defaults' optimizer options go only with the defaults'
    optimizer."""
    usual = defaults.raw.get("optimizer", "Adam")
    own = _optimizer_name(lane.raw.get("optimizer", usual)) != _optimizer_name(usual)
    kept = {key: value for key, value in defaults.raw.items() if not own or key in LANE_KEYS}
    if lane.raw.get("schedule") == "none":
        kept.pop("schedule", None)
    return Table({**kept, **lane.raw}, lane.source, lane.path)


def _optimizer_name(given: Any) -> Any:
    """The name in any form of `optimizer`, fit to be compared; not yet checked."""
    name = given.get("name") if isinstance(given, dict) else given
    return plain_name(name).lower() if isinstance(name, str) else name


def read_lane(table: Table, sign: str, folder: Path) -> Lane:
    """The lane that a [[lane]] table describes; without a name where it gives none. Relative files
    are sought in `folder`."""
    optimizer = _optimizer(table)
    lr = table.number("lr", DEFAULT_RATES.get(optimizer.name, 1e-3))
    if not (math.isfinite(lr) and lr > 0):
        raise table.error("lr", f"{lr} is not a valid learning rate", "a finite number above 0")
    given = table.raw.get("schedule")
    at = source_of(given)
    # a flag's files are relative to where one is
    folder = Path.cwd() if at.startswith("--") else folder
    schedule = None if given in (None, "none") else read_schedule(given, table, "schedule", folder)
    name = one_line(table.text("name", ""))
    if "name" in table.raw and not name:
        raise table.error("name", "empty", "a name that can be seen, or no name at all")
    expect = table.choice("expect", get_args(Expected))
    return Lane(sign, name, optimizer, lr, schedule, at if schedule else "", expect)


def _optimizer(table: Table) -> OptimizerSpec:
    """The optimizer of a lane: a name with options beside it, a table { name = ..., option = ... },
    or a call as in Python."""
    given = table.raw.get("optimizer", "Adam")
    if isinstance(given, str) and plain_name(given) != given:
        given = optimizer_table(given, table, "optimizer")
    inner = Table(given, table.source, table.key("optimizer")) if isinstance(given, dict) else None
    name = plain_name(inner.text("name") if inner else table.text("optimizer", "Adam"))
    known = {key.lower(): signature for key, signature in catalogue.optimizers().items()}
    signature = known.get(name.lower())
    if signature is None:
        raise table.error(
            "optimizer",
            f'unknown optimizer "{one_line(name)}"{closest(name, catalogue.optimizers())}',
            "one of " + ", ".join(catalogue.optimizers()),
        )
    options = table.options(signature, LANE_KEYS)
    if options.get("maximize") or (inner and inner.raw.get("maximize") is True):
        raise (inner or table).error(
            "maximize",
            "lanes are ranked by the lowest loss, and the step gain is that of a descent",
            "false; where a value is to become as high as possible, let loss() return its negative",
        )
    return OptimizerSpec(
        signature.name, options | (inner.options(signature, {"name"}) if inner else {})
    )


def _named(lanes: Sequence[Lane], tables: Sequence[Table]) -> Iterable[Lane]:
    """The lanes with names: the given ones, which must differ, or optimizer, rate and schedule."""
    seen: dict[str, int] = {}
    mixed = len({str(lane.optimizer) for lane in lanes}) > 1
    for index, (lane, table) in enumerate(zip(lanes, tables, strict=True)):
        name = lane.name or described(lane, mixed)
        if name in seen and lane.name:
            raise table.error(
                "name",
                f'"{name}" is also the name of lane {seen[name] + 1}',
                "a name for each lane of its own",
            )
        name = unique_name(name, seen, lane.letter)  # generated names may be equal
        seen[name] = index
        yield msgspec.structs.replace(lane, name=name)


def described(lane: Lane, mixed: bool = False) -> str:
    """A name made of what the lane is; `mixed` where optimizers of one name differ in their
    options."""
    schedule = lane.schedule
    return f"{lane.optimizer if mixed else lane.optimizer.name} {number(lane.lr)}" + (
        f" {schedule.name}" if schedule else ""
    )
