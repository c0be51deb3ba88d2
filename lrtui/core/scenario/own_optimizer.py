"""An optimizer that is not torch's: any class with its interface, "package:Class" or
"file.py:Class". Its options are checked against its constructor by reading, not by importing."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from lrtui.core.errors import TaskError
from lrtui.core.scenario import task_ref
from lrtui.core.scenario.class_source import Constructor, constructor
from lrtui.core.scenario.schedule_spec import check_storable
from lrtui.core.scenario.spec import OptimizerSpec
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import closest, one_line

DEFAULT_RATE = 1e-3
"""Rate of a lane whose optimizer has no default that is known."""


def own_optimizer(
    name: str, table: Table, lane_keys: Collection[str], inner: Table | None, folder: Path
) -> tuple[OptimizerSpec, float]:
    """The optimizer `name` of the lane `table`, with the options beside it and in `inner`, its own
    table; and its default rate. Files are relative to `folder`."""
    try:
        code = task_ref.resolve_code(name, folder, "class")
    except TaskError as error:
        raise table.error("optimizer", error.message, error.hint) from error
    path = task_ref.source_file(code)
    found = constructor(path, code.name) if path else None
    options: dict[str, Any] = {}
    for given, known in ((table, lane_keys), (inner, {"name"})):
        if given is not None:
            options |= _options(given, known, one_line(name), found)
    refuse_maximize(options, inner or table)
    for needed in found.required if found else ():
        if needed not in options:
            raise table.error(needed, f"missing; {one_line(name)} needs it", f"{needed} = ...")
    usual = found.lr if found and found.lr else DEFAULT_RATE
    return OptimizerSpec(one_line(name), options, code), usual


def refuse_maximize(options: dict[str, Any], table: Table) -> None:
    """Refuse an ascent: every verdict is about a descent."""
    if options.get("maximize"):
        raise table.error(
            "maximize",
            "lanes are ranked by the lowest loss, and the step gain is that of a descent",
            "false; where a value is to become as high as possible, let loss() return its negative",
        )


def _options(
    table: Table, known: Collection[str], name: str, found: Constructor | None
) -> dict[str, Any]:
    options = {key: value for key, value in table.raw.items() if key not in known}
    for key in options:
        if found and not found.open and key not in found.names:
            raise table.error(
                key,
                f"unknown option of {name}{closest(key, found.names)}",
                "one of " + ", ".join(sorted(set(found.names) - {"lr"})),
            )
        if key == "lr":
            raise table.error(key, "the rate stands inside the optimizer", "lr beside optimizer")
        check_storable(table, key)
    return options
