"""TOML to Race: finds and reads a scenario, and refuses an invalid one by file and key. Imports no
torch."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any, get_args

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario import task_ref
from lrtui.core.scenario.lane_table import read_lanes
from lrtui.core.scenario.overlay import overlay
from lrtui.core.scenario.ranking_table import RANKING_KEYS, read_ranking, read_seeds
from lrtui.core.scenario.recipe_table import RECIPE_KEYS, read_recipe
from lrtui.core.scenario.script_table import read_script_race
from lrtui.core.scenario.spec import OnDivergence, Pruning, Race, Snapshots
from lrtui.core.scenario.toml_source import with_sources
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import closest, literal, one_line

MAX_BYTES = 1_000_000
BUNDLED = task_ref.BUNDLED
RACE_KEYS = {
    "title",
    "story",
    "task",
    "script",
    "seed",
    "epochs",
    "steps",
    "batch_size",
    "drop_last",
    "device",
    "sample_every",
    "validate_every",
    "pace",
    "gauge",
    "on_nan",
    "on_divergence",
    "snapshots",
    "pruning",
    *RANKING_KEYS,
    "seeds",
    "defaults",
    "lane",
    "sweep",
    *RECIPE_KEYS,
}
LESSONS = (
    "lr-dial",
    "decades",
    "linear",
    "explode",
    "effective-lr",
    "schedules",
    "optimizers",
    "recipe",
    "circles-squares",
    "categories",
    "denoise",
    "diabetes",
    "overfit",
)
"""The order in which a newcomer meets the scenarios; others follow by name."""


def bundled() -> list[Path]:
    """The scenario files that come with lrtui, in the order of LESSONS."""
    order = {name: index for index, name in enumerate(LESSONS)}
    return sorted(
        BUNDLED.glob("*.toml"), key=lambda path: (order.get(path.stem, len(order)), path.stem)
    )


def find(name: str) -> Path:
    """The file of a scenario given as a path, or as a short name (./scenarios first, then those
    that come with lrtui)."""
    a_path = name.endswith(".toml") or "/" in name
    candidates = (
        [Path(name)]
        if a_path
        else [folder / f"{name}.toml" for folder in (Path("scenarios"), BUNDLED)]
    )
    for path in candidates:
        try:
            if path.expanduser().is_file():
                return path.expanduser().resolve()
        # too long, not a name, or of an unknown user
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
        return with_sources(tomllib.loads(text), text, one_line(path.name))
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
    if "script" in raw:
        return read_script_race(table, folder, scenario)
    table.only(RACE_KEYS)
    epochs, steps = (table.whole(key, 0, 1) if key in raw else None for key in ("epochs", "steps"))
    if (epochs is None) == (steps is None):
        raise table.error(
            "epochs", "a race has a budget of either epochs or steps", "exactly one of the two"
        )
    task = task_ref.resolve(table.text("task"), folder, table)
    seeds, lanes = read_seeds(table, read_lanes(table, folder, read_recipe(table)))
    return Race(
        title=one_line(table.text("title", task.name)),
        story=literal(table.text("story", "")).strip(),
        task=task,
        lanes=lanes,
        seed=table.whole("seed", 0, 0, 2**63 - 1),
        epochs=epochs,
        steps=steps,
        batch_size=table.whole("batch_size", 32, 1),
        batch_size_given="batch_size" in raw,
        drop_last=table.flag("drop_last", False),
        device=_device(table),
        sample_every=table.whole("sample_every", 1, 1),
        validate_every=table.whole("validate_every", 0, 0),
        pace=table.whole("pace", 0, 0),
        gauge=table.flag("gauge", True),
        scenario=one_line(scenario),
        on_nan=table.choice("on_nan", ("stop", "rewind")),
        on_divergence=table.choice("on_divergence", get_args(OnDivergence)),
        snapshots=read_snapshots(table.table("snapshots")),
        pruning=read_pruning(table.table("pruning")) if "pruning" in raw else None,
        seeds=seeds,
        **read_ranking(table),
    )


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


def read_snapshots(table: Table) -> Snapshots:
    """The snapshot settings, with defaults."""
    usual = Snapshots()
    table.only({"seconds", "steps", "last", "megabytes"})
    seconds = table.number("seconds", usual.seconds)
    if not (math.isfinite(seconds) and seconds > 0):
        raise table.error(
            "seconds", f"{seconds:g} is an invalid value", "a number of seconds above 0"
        )
    return Snapshots(
        seconds,
        table.whole("steps", usual.steps, 0),
        table.whole("last", usual.last, 1, 1000),
        table.whole("megabytes", usual.megabytes, 1),
    )


def read_pruning(table: Table) -> Pruning:
    """At which parts of the budget the lanes behind are paused, and what fraction races on."""
    usual = Pruning()
    table.only({"rungs", "keep"})
    rungs = table.raw.get("rungs", list(usual.rungs))
    rising = (
        isinstance(rungs, list)
        and all(isinstance(rung, float) for rung in rungs)
        and sorted(set(rungs)) == rungs
    )
    if not (rungs and rising and all(0 < rung < 1 for rung in rungs)):
        raise table.error(
            "rungs",
            f"{one_line(str(rungs))[:60]} is an invalid value",
            "rising parts of the budget, each above 0 and below 1, such as [0.11, 0.33]",
        )
    keep = table.number("keep", usual.keep)
    if not 0 < keep < 1:
        raise table.error(
            "keep",
            f"{keep:g} is an invalid value",
            "the fraction that races on, above 0 and below 1",
        )
    return Pruning(tuple(rungs), keep)
