"""How a scenario or a flag names a schedule: a table, a name, or a call such as "StepLR(step_size=10)"."""

from __future__ import annotations

import ast
from typing import Any

from lrtui.core import catalogue
from lrtui.core.spec import ScheduleSpec
from lrtui.core.table import Table
from lrtui.core.text import closest, one_line

_OWN_KEYS = {"name", "interval"}


def read_schedule(given: Any, parent: Table, key: str, inside: bool = False) -> ScheduleSpec:
    """The schedule that `parent` has under `key`; `inside` where it is part of another one (no interval of its own)."""
    if isinstance(given, str):
        given = _from_call(given, parent, key)
    table = Table(given, parent.source, parent.key(key))
    name = table.text("name")
    known = {known.lower(): signature for known, signature in catalogue.schedules().items()}
    signature = known.get(name.lower())
    if signature is None:
        near = closest(name, catalogue.schedules())
        raise table.error("name", f'unknown schedule "{one_line(name)}"{near}', "one of " + ", ".join(catalogue.schedules()))
    interval = table.text("interval", signature.interval)
    if interval not in ("batch", "epoch") or (inside and "interval" in table.raw):
        raise table.error("interval", f'"{one_line(interval)}" will not do', '"batch" or "epoch", on the outermost schedule only')
    if interval == "batch" and signature.name in catalogue.WANTS_METRIC:
        raise table.error("interval", f"{signature.name} looks at an epoch's loss", '"epoch"')
    composite = signature.name in catalogue.COMPOSITE
    children = _children(table, signature.name) if composite else ()
    options = table.options(signature, _OWN_KEYS | ({"schedulers"} if composite else set()))
    if children and "interval" not in table.raw and all(child.interval == "batch" for child in children):
        interval = "batch"
    return ScheduleSpec(signature.name, interval, options, children)  # type: ignore[arg-type]  # checked above


def _children(table: Table, name: str) -> tuple[ScheduleSpec, ...]:
    given = table.raw.get("schedulers")
    if not isinstance(given, list) or not given:
        raise table.error("schedulers", f"{name} is made of other schedules", "a list of schedule tables")
    children = tuple(read_schedule(child, table, f"schedulers {index}", True) for index, child in enumerate(given, 1))
    for child in children:
        if child.name in catalogue.WANTS_METRIC:
            raise table.error("schedulers", f"{name} cannot hold {child.name}, which needs a metric", "other schedules")
    milestones = table.raw.get("milestones", [])
    if name == "SequentialLR" and isinstance(milestones, list) and len(milestones) != len(children) - 1:
        raise table.error("milestones", f"{len(milestones)} for {len(children)} schedulers", "one fewer than schedulers")
    return children


def _from_call(text: str, parent: Table, key: str) -> dict[str, Any]:
    """'StepLR(step_size=10)' as a table; a bare name as well. Only literals are taken, nothing is run."""
    if "(" not in text:
        return {"name": text}
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError("not a call with named options")
        name = ast.unparse(call.func)
        options = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise parent.error(key, f'"{one_line(text)[:60]}" is no schedule', 'such as "StepLR(step_size=10, gamma=0.1)"') from error
    return {"name": name, **{option: list(value) if isinstance(value, tuple) else value for option, value in options.items()}}
