"""The tables [[lane]], [sweep] and [defaults] of a scenario, read as lanes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from lrtui.core.scenario import catalogue
from lrtui.core.scenario.own_optimizer import DEFAULT_RATE, own_optimizer, refuse_maximize
from lrtui.core.scenario.pasted_python import optimizer_table, plain_name
from lrtui.core.scenario.recipe_table import CLIPPING, RECIPE_KEYS, read_recipe
from lrtui.core.scenario.schedule_spec import read_schedule
from lrtui.core.scenario.spec import (
    MAX_LANES,
    Expected,
    Lane,
    OptimizerSpec,
    Recipe,
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
"""Default rates: torch's own, but 0.01 for SGD; every other optimizer DEFAULT_RATE."""
LANE_KEYS = {"name", "optimizer", "lr", "schedule", "expect", *RECIPE_KEYS}


def read_lanes(table: Table, folder: Path, recipe: Recipe) -> tuple[Lane, ...]:
    """The lanes of a scenario. `recipe`: the race-wide one, which a lane's own keys replace."""
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
    lanes = tuple(
        read_lane(lane, letter(index), folder, recipe) for index, lane in enumerate(tables)
    )
    return tuple(_named(lanes, tables))


def _product(sweep: Table) -> list[Table]:
    """One lane table for each combination of the lists in [sweep]; `recipe` is a list of tables."""
    sweep.only({"lr", "optimizer", "schedule", "recipe", *RECIPE_KEYS})
    for key, value in sweep.raw.items():
        if not isinstance(value, list) or not value:
            raise sweep.error(key, "a sweep goes over a list", f"a list, such as {key} = [...]")
    if (count := math.prod(map(len, sweep.raw.values()))) > MAX_LANES:
        raise sweep.error(
            next(iter(sweep.raw)), f"{count} lanes are too many", f"at most {MAX_LANES}"
        )
    combos = itertools.product(*sweep.raw.values()) if sweep.raw else ()
    return [_combined(sweep, combo) for combo in combos]


def _combined(sweep: Table, combo: tuple[Any, ...]) -> Table:
    """The lane table of one combination of a sweep's values."""
    lane = dict(zip(sweep.raw, combo, strict=True))
    recipe = Table(lane.pop("recipe", {}), sweep.source, sweep.key("recipe"))
    recipe.only(RECIPE_KEYS)
    return Table(lane | recipe.raw, sweep.source, "sweep")


def _with_defaults(lane: Table, defaults: Table) -> Table:
    """The lane's table over [defaults]; the defaults' optimizer options go only with the defaults'
    optimizer."""
    usual = defaults.raw.get("optimizer", "Adam")
    own = optimizer_name(lane.raw.get("optimizer", usual)) != optimizer_name(usual)
    kept = {key: value for key, value in defaults.raw.items() if not own or key in LANE_KEYS}
    if lane.raw.get("schedule") == "none":
        kept.pop("schedule", None)
    if CLIPPING & lane.raw.keys():
        kept = {key: value for key, value in kept.items() if key not in CLIPPING}
    return Table({**kept, **lane.raw}, lane.source, lane.path)


def optimizer_name(given: Any) -> Any:
    """The name in any form of `optimizer`, fit to be compared; not yet checked."""
    name = given.get("name") if isinstance(given, dict) else given
    return plain_name(name).lower() if isinstance(name, str) else name


def read_lane(table: Table, sign: str, folder: Path, recipe: Recipe | None = None) -> Lane:
    """The lane that a [[lane]] table describes; without a name where it gives none. Relative files
    are sought in `folder`. `recipe`: what the table's own keys replace."""
    optimizer, usual_rate = _optimizer(table, folder)
    lr = table.number("lr", usual_rate)
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
    recipe = read_recipe(table, recipe)
    if recipe.precision == "fp16" and optimizer.name == "LBFGS":
        raise table.error(
            "precision",
            "LBFGS computes the loss itself, which torch's GradScaler cannot scale",
            '"bf16" or "fp32", or another optimizer',
        )
    return Lane(sign, name, optimizer, lr, schedule, at if schedule else "", expect, recipe)


def _optimizer(table: Table, folder: Path) -> tuple[OptimizerSpec, float]:
    """The optimizer of a lane, and its default rate: a name with options beside it, a table { name
    = ..., option = ... }, or a call as in Python."""
    given = table.raw.get("optimizer", "Adam")
    # a flag's files are relative to the working directory
    folder = Path.cwd() if source_of(given).startswith("--") else folder
    if isinstance(given, str) and plain_name(given) != given:
        given = optimizer_table(given, table, "optimizer")
    inner = Table(given, table.source, table.key("optimizer")) if isinstance(given, dict) else None
    name = plain_name(inner.text("name") if inner else table.text("optimizer", "Adam"))
    if ":" in name:
        return own_optimizer(name, table, LANE_KEYS, inner, folder)
    known = {key.lower(): signature for key, signature in catalogue.optimizers().items()}
    signature = known.get(name.lower())
    if signature is None:
        raise table.error(
            "optimizer",
            f'unknown optimizer "{one_line(name)}"{closest(name, catalogue.optimizers())}',
            "one of " + ", ".join(catalogue.optimizers()) + '; or "package:Class", "file.py:Class"',
        )
    options = table.options(signature, LANE_KEYS)
    refuse_maximize(options | (inner.raw if inner else {}), inner or table)
    spec = OptimizerSpec(
        signature.name, options | (inner.options(signature, {"name"}) if inner else {})
    )
    return spec, DEFAULT_RATES.get(spec.name, DEFAULT_RATE)


def _named(lanes: Sequence[Lane], tables: Sequence[Table]) -> Iterable[Lane]:
    """The lanes with names: the given ones, which must differ, or optimizer, rate, schedule, and
    the keys of the recipe in which lanes differ."""
    seen: dict[str, int] = {}
    mixed = len({str(lane.optimizer) for lane in lanes}) > 1
    usual = Recipe()
    shared = {
        key: getattr(usual, key)
        for key in RECIPE_KEYS
        if len({getattr(lane.recipe, key) for lane in lanes}) == 1
    }
    for index, (lane, table) in enumerate(zip(lanes, tables, strict=True)):
        own = msgspec.structs.replace(lane.recipe, **shared)
        name = lane.name or described(lane, mixed, own)
        if name in seen and lane.name:
            raise table.error(
                "name",
                f'"{name}" is also the name of lane {seen[name] + 1}',
                "a name for each lane of its own",
            )
        name = unique_name(name, seen, lane.letter)  # generated names may be equal
        seen[name] = index
        yield msgspec.structs.replace(lane, name=name)


def described(lane: Lane, mixed: bool = False, recipe: Recipe | None = None) -> str:
    """A name made of what the lane is; `mixed` where optimizers of one name differ in their
    options, `recipe`: what of its recipe is not that of every lane."""
    optimizer = str(lane.optimizer) if mixed else lane.optimizer.short
    schedule = lane.schedule.name if lane.schedule else ""
    parts = [optimizer, number(lane.lr), schedule, str(recipe or "")]
    return " ".join(part for part in parts if part)
