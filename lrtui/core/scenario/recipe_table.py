"""The keys of a recipe: race-wide in a scenario, under [defaults], or of one [[lane]]."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import msgspec

from lrtui.core.scenario.spec import CompileMode, Precision, Recipe
from lrtui.core.scenario.toml_table import Table, shown

RECIPE_KEYS = frozenset(Recipe.__struct_fields__)
CLIPPING = frozenset({"clip_grad_norm", "clip_grad_value"})
MOST_MICRO_BATCHES = 100_000


def read_recipe(table: Table, usual: Recipe | None = None) -> Recipe:
    """Read the keys of a recipe from `table`; the missing ones are as in `usual`.

    Clipping by norm and by value exclude each other: a table that names one of them leaves out
    `usual`'s clipping.
    """
    usual = usual or Recipe()
    given = {key: read(table, key) for key, read in _READERS.items() if key in table.raw}
    if given.get("clip_grad_norm") and given.get("clip_grad_value"):
        raise table.error(
            "clip_grad_value", "excludes clip_grad_norm", "one kind of clipping, the other one 0"
        )
    if CLIPPING & given.keys():
        usual = msgspec.structs.replace(usual, clip_grad_norm=0.0, clip_grad_value=0.0)
    return msgspec.structs.replace(usual, **given)


def _limit(table: Table, key: str) -> float:
    value = table.number(key)
    if not (math.isfinite(value) and value >= 0):
        raise table.error(
            key, f"{value:g} is an invalid value", "a finite number above 0, or 0 for no clipping"
        )
    return value


def _decay(table: Table, key: str) -> float:
    value = table.number(key)
    if not 0 <= value < 1:
        raise table.error(
            key, f"{value:g} is an invalid value", "a decay above 0 and below 1, or 0 for none"
        )
    return value


def _precision(table: Table, key: str) -> str:
    chosen: str = table.choice(key, get_args(Precision))
    return chosen


def _compile(table: Table, key: str) -> str:
    given = table.raw[key]
    if isinstance(given, bool):
        return "default" if given else ""
    modes = [mode for mode in get_args(CompileMode) if mode]
    if given not in modes:
        raise table.error(
            key,
            f"{shown(given)} is an invalid value",
            "true, false or " + " or ".join(f'"{mode}"' for mode in modes),
        )
    return str(given)


_READERS: dict[str, Callable[[Table, str], Any]] = {
    "clip_grad_norm": _limit,
    "clip_grad_value": _limit,
    "accumulate": lambda table, key: table.whole(key, 1, 1, MOST_MICRO_BATCHES),
    "precision": _precision,
    "compile": _compile,
    "ema": _decay,
}
