"""Flags laid over the tables of a scenario, before they are checked."""

from __future__ import annotations

from typing import Any

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario.lane_table import LANE_KEYS, optimizer_name
from lrtui.core.scenario.recipe_table import CLIPPING, RECIPE_KEYS
from lrtui.core.scenario.toml_source import with_source
from lrtui.core.text import one_line


def overlay(raw: dict[str, Any], changes: dict[str, Any], source: str) -> dict[str, Any]:
    """`raw` with flags laid over it. A change's key is a top-level key, or a dotted path such as
    `defaults.momentum`.

    The special keys `lanes.lr` and `lanes.optimizer` (lists) replace the lanes by a sweep;
    `lanes.schedule` sets the schedule of every lane; `lanes.args` (a list) adds arguments to a
    script's. `epochs` and `steps` replace each other, and so do `seed` and `script.seeded`.
    """
    merged = dict(raw)
    if "script" in raw:
        return _over_script(merged, changes, source)
    for key in RECIPE_KEYS & changes.keys():
        _replace_recipe(merged, key, changes[key])
    for key, value in changes.items():
        if key in ("epochs", "steps"):
            merged.pop("epochs", None)
            merged.pop("steps", None)
        if not key.startswith("lanes."):
            _assign(merged, key, value, source)
    if "lanes.lr" in changes or "lanes.optimizer" in changes:
        _sweep(merged, changes)
    if isinstance(changes.get("lanes.optimizer"), list):
        _refuse_unused(changes, _dict(merged.get("defaults")), source)
    if "lanes.schedule" in changes:
        schedule = with_source(changes["lanes.schedule"], "--schedule")
        merged["defaults"] = {**_dict(merged.get("defaults")), "schedule": schedule}
        if isinstance(merged.get("sweep"), dict):
            merged["sweep"] = {
                key: value for key, value in merged["sweep"].items() if key != "schedule"
            }
        merged["lane"] = [
            {key: value for key, value in lane.items() if key != "schedule"}
            for lane in _dicts(merged.get("lane"))
        ]
    return merged


def _over_script(tables: dict[str, Any], changes: dict[str, Any], source: str) -> dict[str, Any]:
    """Flags laid over a script's scenario: rates replace those of its lanes, whose values stay."""
    if "script.seeded" in changes:
        tables.pop("seed", None)
    if "seed" in changes:
        _assign(tables, "script.seeded", True, source)
    for key, value in changes.items():
        if not key.startswith("lanes."):
            _assign(tables, key, value, source)
    more, given = changes.get("lanes.args"), _dict(tables["script"]).get("args", [])
    if more and isinstance(more, list) and isinstance(given, list):
        _assign(tables, "script.args", [*given, *more], source)
    varied = {key.removeprefix("script.vary.") for key in changes if key.startswith("script.vary.")}
    if varied or "lanes.lr" in changes:
        lanes, old = _dicts(tables.pop("lane", None)), _dict(tables.pop("sweep", None))
        rates = [lane["lr"] for lane in lanes if "lr" in lane]
        given = old.get("values") or [lane.get("values", {}) for lane in lanes]
        values = [
            {name: value for name, value in _dict(one).items() if name not in varied}
            for one in (given if isinstance(given, list) else [])
        ]
        sweep = {
            "lr": changes.get("lanes.lr") or old.get("lr") or _distinct(rates),
            "values": _distinct(values) if any(values) else [],
        }
        tables["sweep"] = {key: value for key, value in sweep.items() if value}
    return tables


def _replace_recipe(tables: dict[str, Any], key: str, value: Any) -> None:
    """Removes what a flag replaces in every lane: `key`, and with one kind of clipping the other.
    In a sweep over it, `value` takes the place of the list."""
    replaced = CLIPPING if key in CLIPPING else {key}

    def without(given: Any) -> Any:
        if isinstance(given, list):
            return [without(item) for item in given]
        if not isinstance(given, dict):
            return given
        kept = {name: inner for name, inner in given.items() if name not in replaced}
        return kept | ({"recipe": without(kept["recipe"])} if "recipe" in kept else {})

    swept = replaced & _dict(tables.get("sweep")).keys()
    for name in replaced:
        tables.pop(name, None)
    for name in {"lane", "defaults", "sweep"} & tables.keys():
        tables[name] = without(tables[name])
    if swept:
        tables["sweep"][key] = [value]


def _assign(tables: dict[str, Any], key: str, value: Any, source: str) -> None:
    *path, last = key.split(".")
    for part in path:
        inner = tables.get(part)
        if part == "lane" or not isinstance(inner, (dict, type(None))):
            raise ScenarioError(
                f'{source}: --set {one_line(key)}: "{one_line(part)}" is not a table',
                "expected key=value or defaults.key=value",
            )
        tables[part] = tables = dict(inner or {})
    tables[last] = with_source(value, f"--set {one_line(key)}") if last == "schedule" else value


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _sweep(tables: dict[str, Any], changes: dict[str, Any]) -> None:
    """Replaces the lanes by a sweep: over the flags, and over what the scenario's lanes had where
    no flag says otherwise."""
    lanes, old, defaults = (
        _dicts(tables.pop("lane", None)),
        _dict(tables.pop("sweep", None)),
        _dict(tables.get("defaults")),
    )
    optimizers = [
        {key: value for key, value in lane.items() if key not in LANE_KEYS}
        | _as_table(lane.get("optimizer", defaults.get("optimizer", "Adam")))
        for lane in lanes
    ]
    rates = [rate for lane in lanes if (rate := lane.get("lr", defaults.get("lr"))) is not None]
    schedules = [lane.get("schedule", defaults.get("schedule", "none")) for lane in lanes]
    sweep = {
        "lr": changes.get("lanes.lr") or old.get("lr") or _distinct(rates),
        "optimizer": _from_flags(changes.get("lanes.optimizer"))
        or old.get("optimizer")
        or _distinct(optimizers),
        "schedule": old.get("schedule") or _distinct(schedules),
    }
    recipes = [{key: lane[key] for key in lane if key in RECIPE_KEYS} for lane in lanes]
    sweep |= {key: old[key] for key in old if key in RECIPE_KEYS}
    sweep["recipe"] = old.get("recipe") or (_distinct(recipes) if any(recipes) else [])
    tables["sweep"] = {key: value for key, value in sweep.items() if value}


def _refuse_unused(changes: dict[str, Any], defaults: dict[str, Any], source: str) -> None:
    """Refuses a flag that sets an option of the default optimizer if flags give every lane another
    one."""
    usual = defaults.get("optimizer", "Adam")
    if optimizer_name(usual) in map(optimizer_name, changes["lanes.optimizer"]):
        return
    for key in changes:
        option = key.removeprefix("defaults.")
        if option != key and option not in LANE_KEYS:
            raise ScenarioError(
                f"{source}: --set {one_line(key)}: an option of {one_line(str(usual))}, which no"
                " lane has",
                "expected options in a call, such as --optimizer 'SGD(momentum=0.9)'",
            )


def _from_flags(names: Any) -> Any:
    """Optimizers with their source: files of flags are relative to the working directory."""
    if not isinstance(names, list):
        return names
    return [with_source(name, "--optimizer") for name in names]


def _as_table(optimizer: Any) -> dict[str, Any]:
    return optimizer if isinstance(optimizer, dict) else {"name": optimizer}


def _distinct(values: list[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if value not in values[:index]]
