"""TOML to Race: reads a scenario, lays flags over it, and refuses what is wrong by file and key.
Imports no torch."""

from __future__ import annotations

import itertools
import math
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario import catalogue, task_ref
from lrtui.core.scenario.pasted_python import optimizer_table, plain_name
from lrtui.core.scenario.race_policies import read_pruning, read_snapshots
from lrtui.core.scenario.schedule_spec import read_schedule
from lrtui.core.scenario.spec import (
    Expected,
    Lane,
    OnDivergence,
    OnNan,
    OptimizerSpec,
    Race,
    letter,
    number,
)
from lrtui.core.scenario.toml_source import source_of, with_places, with_source
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import closest, literal, one_line

MAX_LANES = 256
MAX_BYTES = 1_000_000
BUNDLED = task_ref.BUNDLED
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

_RACE_KEYS = {
    "title",
    "story",
    "task",
    "seed",
    "epochs",
    "steps",
    "batch_size",
    "drop_last",
    "device",
    "sample_every",
    "pace",
    "gauge",
    "on_nan",
    "on_divergence",
    "snapshots",
    "pruning",
    "defaults",
    "lane",
    "sweep",
}
_LANE_KEYS = {"name", "optimizer", "lr", "schedule", "expect"}


LESSONS = (
    "lr-dial",
    "decades",
    "linear",
    "explode",
    "effective-lr",
    "schedules",
    "optimizers",
    "circles-squares",
    "categories",
    "denoise",
    "diabetes",
)
"""The order in which a newcomer meets the scenarios; others follow by name."""


def bundled() -> list[Path]:
    """The scenario files that come with lrtui, in the order of LESSONS."""
    place = {name: index for index, name in enumerate(LESSONS)}
    return sorted(
        BUNDLED.glob("*.toml"), key=lambda path: (place.get(path.stem, len(place)), path.stem)
    )


def find(name: str) -> Path:
    """The file of a scenario given as a path, or as a short name (./scenarios first, then those
    that come with lrtui)."""
    a_path = name.endswith(".toml") or "/" in name
    places = (
        [Path(name)]
        if a_path
        else [folder / f"{name}.toml" for folder in (Path("scenarios"), BUNDLED)]
    )
    for place in places:
        try:
            if place.expanduser().is_file():
                return place.expanduser().resolve()
        # too long, not a name, or in the home of nobody
        except (OSError, ValueError, RuntimeError):
            continue
    if a_path:
        raise ScenarioError(
            f"{_cut(name)}: no such file",
            "expected a scenario file or a name from `lrtui scenarios`",
        )
    near = closest(name, (path.stem for path in bundled()))
    raise ScenarioError(
        f'no scenario "{_cut(name)}"{near}',
        "expected a name from `lrtui scenarios`, or a .toml file",
    )


def _cut(name: str) -> str:
    """A name that may be of any length, as a message can quote it."""
    return one_line(name)[:200]


def read(path: Path) -> dict[str, Any]:
    """The tables of a scenario file, not yet checked."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ScenarioError(
            f"{path}: {error.strerror or error}", "expected a readable file"
        ) from error
    if len(raw) > MAX_BYTES:
        raise ScenarioError(
            f"{path}: larger than a scenario can be", "expected a TOML file of at most a megabyte"
        )
    try:
        text = raw.decode("utf-8")
        return with_places(tomllib.loads(text), text, one_line(path.name))
    except UnicodeDecodeError as error:
        raise ScenarioError(
            f"{path}: byte {error.start} is not UTF-8", "expected a TOML file, which is UTF-8"
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ScenarioError(f"{path}: {one_line(str(error))}", "expected a TOML file") from error


def load(name: str, changes: dict[str, Any] | None = None) -> Race:
    """The race of a scenario (a name or a path), with `changes` laid over its tables (see
    `overlay`)."""
    path = find(name)
    raw = overlay(read(path), changes or {}, str(path))
    return parse(raw, source=str(path), folder=path.parent, scenario=path.stem)


def parse(raw: dict[str, Any], *, source: str, folder: Path, scenario: str = "") -> Race:
    """A checked Race from TOML tables. `source` names them in errors; relative task files are
    sought in `folder`."""
    table = Table(raw, source)
    if "relegation" in raw:
        raise table.error(
            "relegation", "the table is called [pruning] now", "the same keys under [pruning]"
        )
    table.only(_RACE_KEYS)
    epochs, steps = (table.whole(key, 0, 1) if key in raw else None for key in ("epochs", "steps"))
    if (epochs is None) == (steps is None):
        raise table.error(
            "epochs", "a race has a budget of either epochs or steps", "exactly one of the two"
        )
    task = task_ref.resolve(table.text("task"), folder, table)
    return Race(
        title=one_line(table.text("title", task.name)),
        story=literal(table.text("story", "")).strip(),
        task=task,
        lanes=_lanes(table, folder),
        seed=table.whole("seed", 0, 0, 2**63 - 1),
        epochs=epochs,
        steps=steps,
        batch_size=table.whole("batch_size", 32, 1),
        batch_size_given="batch_size" in raw,
        drop_last=table.flag("drop_last", False),
        device=_device(table),
        sample_every=table.whole("sample_every", 1, 1),
        pace=table.whole("pace", 0, 0),
        gauge=table.flag("gauge", True),
        scenario=one_line(scenario),
        on_nan=_choice(table, "on_nan", get_args(OnNan)),
        on_divergence=_choice(table, "on_divergence", get_args(OnDivergence)),
        snapshots=read_snapshots(table.table("snapshots")),
        pruning=read_pruning(table.table("pruning")) if "pruning" in raw else None,
    )


def overlay(raw: dict[str, Any], changes: dict[str, Any], source: str) -> dict[str, Any]:
    """`raw` with flags laid over it. A change's key is a top-level key, or a dotted path such as
    `defaults.momentum`.

    The special keys `lanes.lr` and `lanes.optimizer` (lists) replace the lanes by a sweep;
    `lanes.schedule` sets the schedule of every lane. `epochs` and `steps` replace each other.
    """
    merged = dict(raw)
    for key, value in changes.items():
        if key in ("epochs", "steps"):
            merged.pop("epochs", None)
            merged.pop("steps", None)
        if not key.startswith("lanes."):
            _assign(merged, key, value, source)
    if "lanes.lr" in changes or "lanes.optimizer" in changes:
        _sweep(merged, changes)
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


def _assign(tables: dict[str, Any], key: str, value: Any, source: str) -> None:
    *path, last = key.split(".")
    for part in path:
        inner = tables.get(part)
        if part == "lane" or not isinstance(inner, (dict, type(None))):
            raise ScenarioError(
                f'{source}: --set {one_line(key)}: "{one_line(part)}" is no table',
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
        {key: value for key, value in lane.items() if key not in _LANE_KEYS}
        | _as_table(lane.get("optimizer", defaults.get("optimizer", "Adam")))
        for lane in lanes
    ]
    rates = [rate for lane in lanes if (rate := lane.get("lr", defaults.get("lr"))) is not None]
    schedules = [lane.get("schedule", defaults.get("schedule", "none")) for lane in lanes]
    sweep = {
        "lr": changes.get("lanes.lr") or old.get("lr") or _distinct(rates),
        "optimizer": (
            changes.get("lanes.optimizer") or old.get("optimizer") or _distinct(optimizers)
        ),
        "schedule": old.get("schedule") or _distinct(schedules),
    }
    tables["sweep"] = {key: value for key, value in sweep.items() if value}


def _as_table(optimizer: Any) -> dict[str, Any]:
    return optimizer if isinstance(optimizer, dict) else {"name": optimizer}


def _distinct(values: list[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _device(table: Table) -> str:
    device = table.text("device", "auto")
    head, _, index = device.partition(":")
    if device in ("auto", "cpu", "cuda", "mps") or (
        head == "cuda" and index.isascii() and index.isdigit()
    ):
        return device
    raise table.error(
        "device", f'unknown device "{one_line(device)}"', '"auto", "cpu", "cuda", "cuda:N" or "mps"'
    )


def _choice(table: Table, key: str, known: tuple[str, ...]) -> Any:
    """One of `known`, the first where nothing is said."""
    given = table.text(key, known[0])
    if given in known:
        return given
    raise table.error(
        key, f'"{one_line(given)}" will not do', " or ".join(f'"{word}"' for word in known if word)
    )


def _lanes(table: Table, folder: Path) -> tuple[Lane, ...]:
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
    kept = {key: value for key, value in defaults.raw.items() if not own or key in _LANE_KEYS}
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
        raise table.error("lr", f"{lr} is no learning rate", "a finite number above 0")
    given = table.raw.get("schedule")
    at = source_of(given)
    # a flag's files are relative to where one is
    folder = Path.cwd() if at.startswith("--") else folder
    schedule = None if given in (None, "none") else read_schedule(given, table, "schedule", folder)
    name = one_line(table.text("name", ""))
    if "name" in table.raw and not name:
        raise table.error("name", "empty", "a name that can be seen, or no name at all")
    expect = _choice(table, "expect", get_args(Expected))
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
    options = table.options(signature, _LANE_KEYS)
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
        while name in seen:  # generated names may be equal: then letters tell them apart
            name = f"{name} {lane.letter}"
        seen[name] = index
        yield msgspec.structs.replace(lane, name=name)


def described(lane: Lane, mixed: bool = False) -> str:
    """A name made of what the lane is; `mixed` where optimizers of one name differ in their
    options."""
    schedule = lane.schedule
    return f"{lane.optimizer if mixed else lane.optimizer.name} {number(lane.lr)}" + (
        f" {schedule.name}" if schedule else ""
    )
