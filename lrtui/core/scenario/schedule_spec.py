"""Schedules in a scenario or a flag: a table, a name, or a call such as "StepLR(step_size=10)"
(pasted_python.py)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lrtui.core.errors import TaskError
from lrtui.core.scenario import catalogue, task_ref
from lrtui.core.scenario.catalogue import Signature
from lrtui.core.scenario.expression import is_reference
from lrtui.core.scenario.pasted_python import plain_name, schedule_table
from lrtui.core.scenario.spec import CodeRef, ScheduleSpec
from lrtui.core.scenario.toml_source import source_of
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import closest, one_line

_OWN_KEYS = {"name", "interval"}


def read_schedule(
    given: Any, parent: Table, key: str, folder: Path, inside: bool = False
) -> ScheduleSpec:
    """Read the schedule under `key` of `parent`; `inside`: it is a child of another one, without an
    interval. The user's classes and functions are relative to `folder`."""
    parent = Table(parent.raw, _source(parent.source, source_of(given)), parent.path)
    if isinstance(given, str):
        given = schedule_table(given, parent, key)
    table = Table(given, parent.source, parent.key(key))
    name = table.text("name")
    if ":" in name:
        return _own(table, name, folder, inside)
    name = plain_name(name)
    known = {known.lower(): signature for known, signature in catalogue.schedules().items()}
    signature = known.get(catalogue.ALIASES.get(name, name).lower())
    if signature is None:
        near = closest(name, [*catalogue.schedules(), *catalogue.ALIASES])
        raise table.error(
            "name",
            f'unknown schedule "{one_line(name)}"{near}',
            "one of " + ", ".join(catalogue.schedules()),
        )
    table = _usual_names(table, signature)
    interval = _interval(table, signature.interval, inside)
    if interval == "batch" and signature.name in catalogue.WANTS_METRIC:
        raise table.error("interval", f"{signature.name} looks at an epoch's loss", '"epoch"')
    composite = signature.name in catalogue.COMPOSITE
    children = _children(table, signature.name, folder) if composite else ()
    options = table.options(signature, _OWN_KEYS | ({"schedulers"} if composite else set()))
    _fit_together(table, signature.name, options)
    if (
        children
        and "interval" not in table.raw
        and all(child.interval == "batch" for child in children)
    ):
        interval = "batch"
    reference = options.get("lr_lambda", "")
    code = (
        _code(table, "lr_lambda", reference, folder, "function")
        if is_reference(reference)
        else None
    )
    return ScheduleSpec(signature.name, interval, options, children, code)  # type: ignore[arg-type]  # checked above


def _source(source: str, place: str) -> str:
    """The file with the line at which a schedule stands, where that is known."""
    file, _, line = place.rpartition(":")
    return f"{source}:{line}" if file and source.endswith(file) and line.isdigit() else source


def _usual_names(table: Table, signature: Signature) -> Table:
    """The table with the option names of the catalogue for their aliases."""
    for alias, usual in signature.aliases.items():
        if alias in table.raw and usual in table.raw:
            raise table.error(alias, f"means the same as {usual}", "one of the two")
    named = {signature.aliases.get(key, key): value for key, value in table.raw.items()}
    return Table(named, table.source, table.path)


def _fit_together(table: Table, name: str, options: dict[str, Any]) -> None:
    """Refuses options that contradict each other, as torch and transformers do, or that leave open
    what is meant."""
    if (
        name.startswith("cosine_")
        and name.endswith("min_lr")
        and ("min_lr" in options) == ("min_lr_rate" in options)
    ):
        problem = "excludes min_lr_rate" if "min_lr" in options else f"missing; {name} needs it"
        raise table.error(
            "min_lr", problem, "either min_lr, a rate, or min_lr_rate, a share of the lane's rate"
        )
    milestones = options.get("milestones", [])
    if name == "SequentialLR" and milestones != sorted(milestones):
        raise table.error(
            "milestones", f"{milestones} does not rise", "each milestone at or after the one before"
        )
    if name == "OneCycleLR" and ("epochs" in options) != ("steps_per_epoch" in options):
        given, other = (
            ("epochs", "steps_per_epoch") if "epochs" in options else ("steps_per_epoch", "epochs")
        )
        raise table.error(
            given, f"needs {other} beside it", 'both, or total_steps = "auto", which is the budget'
        )


def _own(table: Table, name: str, folder: Path, inside: bool) -> ScheduleSpec:
    """A scheduler class of the user: anything with step(), called with the optimizer and the other
    keys."""
    if inside:
        raise table.error(
            "name",
            f'"{one_line(name)}" cannot be part of another schedule',
            "a schedule of torch's here",
        )
    interval = _interval(table, "epoch", inside)
    options = {key: value for key, value in table.raw.items() if key not in _OWN_KEYS}
    for key in options:
        check_storable(table, key)
    code = _code(table, "name", name, folder, "class")
    return ScheduleSpec(one_line(name), interval, options, (), code)  # type: ignore[arg-type]  # checked by _interval


def _code(table: Table, key: str, reference: str, folder: Path, what: str) -> CodeRef:
    try:
        return task_ref.resolve_code(reference, folder, what)
    except TaskError as error:
        raise table.error(key, error.message, error.hint) from error


def _interval(table: Table, usual: str, inside: bool) -> str:
    interval = table.text("interval", usual)
    if interval not in ("batch", "epoch") or (inside and "interval" in table.raw):
        raise table.error(
            "interval",
            f'"{one_line(interval)}" is an invalid value',
            '"batch" or "epoch", on the outermost schedule only',
        )
    return interval


def check_storable(table: Table, key: str) -> None:
    """Refuse an option of a class of the user that cannot be stored and handed on."""
    if not _storable(table.raw[key]):
        raise table.error(
            key,
            "cannot be handed on",
            "text, true, false, finite numbers, and lists and tables of them",
        )


def _storable(value: Any) -> bool:
    """True if a value can be stored as JSON: TOML's dates, NaN and infinities cannot."""
    match value:
        case bool() | str():
            return True
        case int():
            return abs(value) < 2**63
        case float():
            return math.isfinite(value)
        case list():
            return all(map(_storable, value))
        case dict():
            return all(isinstance(key, str) and _storable(item) for key, item in value.items())
    return False


def _children(table: Table, name: str, folder: Path) -> tuple[ScheduleSpec, ...]:
    given = table.raw.get("schedulers")
    if not isinstance(given, list) or not given:
        raise table.error(
            "schedulers", f"{name} is made of other schedules", "a list of schedule tables"
        )
    children = tuple(
        read_schedule(child, table, f"schedulers {index}", folder, True)
        for index, child in enumerate(given, 1)
    )
    for child in children:
        if child.name in catalogue.WANTS_METRIC:
            raise table.error(
                "schedulers",
                f"{name} cannot hold {child.name}, which needs a metric",
                "other schedules",
            )
    milestones = table.raw.get("milestones", [])
    if (
        name == "SequentialLR"
        and isinstance(milestones, list)
        and len(milestones) != len(children) - 1
    ):
        raise table.error(
            "milestones",
            f"{len(milestones)} for {len(children)} schedulers",
            "one fewer than schedulers",
        )
    return children
