"""Settings that lanes share, and those in which they differ. Pure; knows nothing of their
results."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from lrtui.core.diagnostics.param_groups import group_words
from lrtui.core.numbers import rate
from lrtui.core.results.race_words import lane_rate, race_facts
from lrtui.core.scenario.spec import CodeRef, Race, Recipe, ScheduleSpec, number
from lrtui.core.state.lane_state import LaneState
from lrtui.core.text import one_line

ABSENT = "–"
"""Stands where a lane has no such setting."""
_EVERY = "stepped every"
"""The interval of a schedule, by a name that no option has (a user's class may have `every`)."""
_GROUPS = "param groups"
_RECIPE = "recipe "
"""Before the name of a recipe's setting, which an option may have, too."""
USUAL = "usual"
"""Value of an optimizer's option that the lane does not set: torch's default."""


class Differences(NamedTuple):
    """The settings of some lanes, all as text of one line."""

    common: str
    """Settings that all lanes share, those of the race included."""
    settings: tuple[str, ...]
    """The names of those in which they differ."""
    cells: tuple[tuple[str, ...], ...]
    """For each setting its value in each lane."""


def differences(lanes: Sequence[LaneState], race: Race) -> Differences:
    """Settings in which `lanes` (one or more) differ, in the order of a scenario: optimizer, rate,
    options, schedule, recipe, dial, parent, seed.

    The race's seed, batches and budget are the same for all and belong to the shared ones.
    """
    tables = [_settings(lane, lanes, race) for lane in lanes]
    names = sorted({name: None for table in tables for name in table}, key=_place)
    rows = {name: tuple(_shown(table, name, tables) for table in tables) for name in names}
    differing = {name: values for name, values in rows.items() if len(set(values)) > 1}
    same = [
        _phrase(name, values[0])
        for name, values in rows.items()
        if name not in differing and values[0] != ABSENT
    ]
    common = ", ".join(filter(None, [*same, *_of_the_race(lanes, race)]))
    shown = (_named(name, rows) for name in differing)
    return Differences(common, tuple(shown), tuple(differing.values()))


def _settings(lane: LaneState, lanes: Sequence[LaneState], race: Race) -> dict[str, Any]:
    """Every setting of a lane by name; what is there in every lane comes first."""
    spec = lane.lane
    seed = {} if _one_seed(lanes) else {"seed": str(race.of_lane(lane.index).seed)}
    if lane.is_script:
        return _of_script(lane) | seed
    table: dict[str, Any] = {"optimizer": spec.optimizer.name, "lr": rate(spec.lr)}
    table |= {_text(name): value for name, value in spec.optimizer.options.items()}
    if groups := group_words(lane, lanes):
        table[_GROUPS] = groups
    table["schedule"] = _schedule_name(spec.schedule)
    if spec.schedule is not None:
        table |= {f"schedule {_text(name)}": value for name, value in spec.schedule.options.items()}
        table[_EVERY] = spec.schedule.interval
    for name in spec.recipe.__struct_fields__:
        table[f"{_RECIPE}{name}"] = getattr(spec.recipe, name) or "none"
    table["dial"] = _dial(lane)
    parent = "" if lane.parent is None else one_line(race.lanes[lane.parent].letter)
    table["from"] = f"{parent} at {lane.forked_at}" if parent else "the start"
    return table | seed


def _one_seed(lanes: Sequence[LaneState]) -> bool:
    return len({lane.lane.seed for lane in lanes}) == 1


def _of_script(lane: LaneState) -> dict[str, Any]:
    """The settings of a script's lane: what lrtui was told, and what it saw."""
    optimizer = {"optimizer": lane.optimizer} if lane.optimizer else {}
    return {**optimizer, "lr": lane_rate(lane), **lane.lane.values, "dial": _dial(lane)}


def _dial(lane: LaneState) -> str:
    return f"×{number(lane.factor)}"


def _schedule_name(schedule: ScheduleSpec | None) -> str:
    if schedule is None:
        return "none"
    return (
        f"{schedule.name}({', '.join(map(str, schedule.children))})"
        if schedule.children
        else schedule.name
    )


def _shown(table: dict[str, Any], name: str, tables: Sequence[dict[str, Any]]) -> str:
    """A lane's value of a setting; where it has none, whether its optimizer or its schedule has
    such a setting."""
    if name in table:
        return _text(table[name])
    if name == _GROUPS or "schedule" not in table:  # the table of a script's lane
        return ABSENT
    kind = "schedule" if name.startswith("schedule ") or name == _EVERY else "optimizer"
    known = any(name in other and other[kind] == table[kind] for other in tables)
    return USUAL if known else ABSENT


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float() | int():
            return number(value)
        case list() | tuple():
            return "[" + ", ".join(map(_text, value)) + "]"
        case CodeRef():
            return one_line(str(value))
    return one_line(str(value))


def _place(name: str) -> int:
    """Sort key of a setting; options keep the order of their first appearance."""
    fixed = {"optimizer": 0, "lr": 1, _GROUPS: 3, "schedule": 4, _EVERY: 6, "dial": 8}
    fixed |= {"from": 9, "seed": 10}
    kinds = {"schedule": 5, _RECIPE.strip(): 7}
    return fixed.get(name, kinds.get(name.partition(" ")[0], 2))


def _named(name: str, rows: Collection[str]) -> str:
    """A setting's name for people: a recipe's without its prefix, unless an option has the name."""
    bare = name.removeprefix(_RECIPE)
    return name if bare in rows and bare != name else bare


def _phrase(name: str, value: str) -> str:
    """A shared setting in words; '' for a default."""
    match name:
        case "optimizer":
            return value
        case "schedule":
            return "no schedule" if value == "none" else value
        case "stepped every":
            return f"{_EVERY} {value}"
        case "dial":
            return "" if value == "×1" else f"dials at {value}"
        case "from":
            return "" if value == "the start" else f"forked from {value}"
    if name.startswith(_RECIPE):
        setting = name.removeprefix(_RECIPE)
        usual = _text(getattr(Recipe(), setting) or "none")
        return "" if value == usual else f"{setting} {value}"
    return f"{name} {value}"


def _of_the_race(lanes: Sequence[LaneState], race: Race) -> list[str]:
    if race.script:
        devices = {lane.started.device for lane in lanes if lane.started}
        known = [f"device {one_line(devices.pop())}"] if len(devices) == 1 else []
        return [*race_facts(lanes, race), *known]
    gauge = [] if race.gauge else ["gauge off"]
    return [*race_facts(lanes, race), f"device {race.device}", *gauge]
