"""A race as the text of a scenario, which reads back as the same race; what is as usual is left
out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from lrtui.core.scenario.lane_syntax import schedule_settings
from lrtui.core.scenario.script_table import lane_settings, script_settings
from lrtui.core.scenario.spec import Lane, Race, Script
from lrtui.core.text import literal
from lrtui.core.toml import listed, toml_key, toml_value

_RANKING = ("seeds", "rank_by", "best", "rank_at")
_PLAIN = (
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
    *_RANKING,
)
_USUAL = (1, "", "last")
"""The defaults of the keys of a ranking."""
WIDTH = 110
"""Width of a story's lines, in characters."""
_ALWAYS = ("seed", "batch_size")
"""Keys that are written even with their default, for whoever repeats the race."""


def scenario_text(race: Race) -> str:
    """The scenario of a race as TOML, with the user's files as absolute paths."""
    return "\n".join(_lines(race)) + "\n"


def lane_table(lane: Lane) -> dict[str, Any]:
    """The [[lane]] table of a lane: name, optimizer with its options, rate, schedule, recipe,
    expectation."""
    options, reference = lane.optimizer.options, lane.optimizer.reference
    optimizer = {"name": reference, **listed(options)} if options else reference
    table: dict[str, Any] = {"name": lane.name, "optimizer": optimizer, "lr": lane.lr}
    if lane.schedule is not None:
        table["schedule"] = schedule_settings(lane.schedule) | {"interval": lane.schedule.interval}
    table |= lane.recipe.changes()
    return table | ({"expect": lane.expect} if lane.expect else {})


def _lines(race: Race) -> Iterator[str]:
    yield f"title = {toml_value(race.title)}"
    if race.story:
        story = (
            literal(race.story)
            .replace("\\", "\\\\")
            .replace('"""', '\\"\\"\\"')
            .replace("\x7f", "\\u007f")
        )
        # what surrounds it is stripped
        yield f'story = """\n{chr(10).join(map(_wrapped, story.split(chr(10))))}\n"""'
    yield from _of_script(race, race.script) if race.script else _of_task(race)


def _of_task(race: Race) -> Iterator[str]:
    yield f"task = {toml_value(str(race.task))}"
    usual = Race("", race.task, ())
    for name in _PLAIN:
        value = getattr(race, name)
        if value is not None and (name in _ALWAYS or value != getattr(usual, name)):
            yield f"{name} = {toml_value(value)}"
    for name, given, normal in (
        ("snapshots", race.snapshots, usual.snapshots),
        ("pruning", race.pruning, None),
    ):
        if given is not None and given != normal:
            yield from _table(f"[{name}]", listed(msgspec.structs.asdict(given)))
    for lane in _once(race):
        yield from _table("[[lane]]", lane_table(lane))


def _of_script(race: Race, script: Script) -> Iterator[str]:
    seed = {"seed": race.seed} if script.seeded else {}
    steps = {"steps": race.steps} if race.steps is not None else {}
    ranking = {key: value for key in _RANKING if (value := getattr(race, key)) not in _USUAL}
    for key, value in {**seed, **steps, "on_nan": race.on_nan, **ranking}.items():
        yield f"{key} = {toml_value(value)}"
    yield from _table("[script]", script_settings(race))
    for lane in _once(race):
        yield from _table("[[lane]]", lane_settings(lane))


def _once(race: Race) -> list[Lane]:
    """One lane for each group that differs in the seed alone."""
    if race.seeds == 1:
        return list(race.lanes)
    return list({lane.name: lane for lane in reversed(race.lanes)}.values())[::-1]


def _wrapped(line: str) -> str:
    """A long line broken where it may be: TOML takes a backslash at a line's end, and the white
    space after it, for nothing."""
    rows = [""]
    for word in line.split(" "):
        if word and len(rows[-1]) + len(word) > WIDTH:
            rows.append("")
        rows[-1] += f"{word} "
    return "\\\n".join(rows)[:-1]


def _table(heading: str, values: dict[str, Any]) -> Iterator[str]:
    yield f"\n{heading}"
    for key, value in values.items():
        yield f"{toml_key(key)} = {toml_value(value)}"
