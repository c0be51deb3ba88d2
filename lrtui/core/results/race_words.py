"""A race and its lanes in words: budget, batch and seed; optimizer, rate and settings. Pure.

What is not known of a script is left out.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import PurePath

from lrtui.core.numbers import ordinal, rate
from lrtui.core.results.batch_size import batch_words
from lrtui.core.scenario.spec import Lane, Race
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line

OWN_RATE = "its own rate"
"""In place of a rate that a script sets and has not yet shown."""


def race_facts(lanes: Sequence[LaneState], race: Race) -> list[str]:
    """Budget, batch and seed, as far as they are known."""
    watched = "watched script" if race.script and not race.script.supervised else ""
    seed = seed_words(lanes, race) if not race.script or race.script.seeded else ""
    budget = budget_words(lanes, race)
    return [words for words in (watched, budget, batch_words(lanes, race), seed) if words]


def budget_words(lanes: Sequence[LaneState], race: Race) -> str:
    """The budget of a race, of lanes that were lengthened from the shortest to the longest;
    "" if it is not known."""
    own = race.epochs if race.epochs is not None else race.steps
    if own is None or not any(lane.lane.length for lane in lanes):
        return race.budget
    unit = "epochs" if race.epochs is not None else "steps"
    lengths = [getattr(lane.lane.length, unit, own) for lane in lanes]
    least, most = min(lengths), max(lengths)
    return f"{least} {unit}" if least == most else f"{least}-{most} {unit}"


def seed_words(lanes: Sequence[LaneState], race: Race) -> str:
    """The seed of some lanes, all of the race's before any has begun; several as "seeds 7-9"."""
    offsets = {lane.lane.seed for lane in lanes} or {lane.seed for lane in race.lanes} or {0}
    seeds = sorted((race.seed + offset) % 2**63 for offset in offsets)
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]}-{seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}"


def lane_rate(lane: LaneState, digits: int = 4) -> str:
    """The rate that a lane's schedule starts from."""
    found = lane.initial_rate
    return rate(found, digits) if math.isfinite(found) else OWN_RATE


def lane_settings(lane: LaneState) -> str:
    """Optimizer, rate and the values of a script lane in words: "AdamW lr=0.001, width=64"."""
    known = math.isfinite(lane.initial_rate)
    base = f"{lane.optimizer} {f'lr={lane_rate(lane)}' if known else OWN_RATE}".strip()
    values = (f"{name}={value}" for name, value in lane.lane.values.items())
    return one_line(", ".join((base, *values)))


def step_words(lane: LaneState, state: RaceState) -> str:
    """The state of a script's lane that has made no step."""
    if lane.ended:
        return f"{lane.status}: {one_line(lane.ended.error) or 'no optimizer step was seen'}"
    if lane.status != "waiting":
        return f"{lane.status}, no step yet"
    queue = [one for one in state.lanes if one.status == "waiting"]
    return f"waiting ({ordinal(queue.index(lane) + 1)} in the queue)"


def config_words(race: Race) -> str:
    """The settings that a script gave to `lrtui.watch`; '' without any."""
    config = race.script.config if race.script else {}
    return one_line(", ".join(f"{name} {value}" for name, value in config.items()))


def command_line(race: Race, lane: Lane) -> str:
    """The command that runs a lane's script, for a shell, after the variables that the race sets;
    '' of a task."""
    if not race.script:
        return ""
    variables = [f"{name}={shlex.quote(value)}" for name, value in race.script.env_of(lane).items()]
    return one_line(" ".join([*variables, shlex.join(race.script.command_of(lane))]))


def short_command(race: Race, lane: Lane) -> str:
    """The same, with the program by its name alone and files relative to the race's folder."""
    if not race.script:
        return ""
    program, *arguments = race.script.command_of(lane)
    home = race.folder.rstrip("/") + "/"
    short = [part.removeprefix(home) if race.folder else part for part in arguments]
    return one_line(shlex.join([PurePath(program).name, *short]))
