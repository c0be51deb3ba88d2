"""How to repeat a race: its scenario, the commands, the values that a repeat must reproduce, and
manual changes. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol import event_text
from lrtui.core.results.rate_chart import RateChart
from lrtui.core.results.widen import that_fit, widened, widenings
from lrtui.core.scenario.overlay import overlay
from lrtui.core.scenario.scenario_file import BUNDLED, load, parse, read
from lrtui.core.scenario.spec import Race, number
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line
from lrtui.store.run_dir import reference

FILE, WIDENED = "race.toml", "widened.toml"
_FLAGS = ("epochs", "steps", "batch_size", "seed", "seeds", "device", "rank_by", "best", "rank_at")
"""Fields of a race with a flag of `lrtui race`."""


def commands(race: Race) -> list[str]:
    """Ways to race it again, each a line for a shell."""
    return [f"lrtui race {FILE}", *([f"lrtui race {race.scenario}"] if _comes_along(race) else [])]


def proof(state: RaceState) -> str:
    """Sentence about the checksums that an exact repeat reproduces; '' before any lane has
    started."""
    first = next((lane for lane in state.lanes if lane.started), None)
    started = first.started if first else None
    if first is None or started is None:
        return ""
    of = f" of {first.lane.letter}" if state.race.seeds > 1 else ""
    alike = (
        f"weights {one_line(started.init_checksum)} and batches"
        f" {one_line(started.batch_checksum)}{of} say"
    )
    if not started.batch_checksum:  # of a stream it is not known beforehand
        alike = f"weights {one_line(started.init_checksum)}{of} say"
    return (
        f"Raced on {one_line(started.device)} with {started.intra_op_threads} intra-op"
        f" thread{'' if started.intra_op_threads == 1 else 's'} a lane. With the same version of"
        f" torch and as many threads, a repeat on a CPU is equal to the last bit; {alike} that it"
        " began alike."
    )


def by_hand(lane: LaneState, state: RaceState, asked: int) -> Iterator[str]:
    """Changes that a user or a policy made to a lane, by step: those that the scenario alone does
    not repeat.

    `asked`: number of lanes at the start of the race.
    """
    if lane.parent is not None:
        yield f"forked from {state.lanes[lane.parent].lane.letter} at step {lane.forked_at}"
    elif lane.index >= asked:
        yield "joined the race"
    for change in lane.rates.changes:
        yield event_text.describe(change)
    for gone in lane.abandoned:
        yield f"went back to step {gone.first}, and repeated the steps from there on"


def _comes_along(race: Race) -> bool:
    """True if the race is a bundled scenario, unchanged, so that its name is enough."""
    file = BUNDLED / f"{race.scenario}.toml"
    try:
        return file.parent == BUNDLED and file.is_file() and _bare(load(str(file))) == _bare(race)
    except (LrtuiError, ValueError, OSError):
        return False


def _bare(race: Race) -> Race:
    """Without the places at which schedules stand in a file, and where it was started."""
    lanes = tuple(msgspec.structs.replace(lane, schedule_at="") for lane in race.lanes)
    return msgspec.structs.replace(race, lanes=lanes, folder="", environment={})


def widen_commands(chart: RateChart, state: RaceState, run: Path) -> list[str]:
    """The commands that race beyond the edge of a rate chart, for a shell; [] where there is
    nothing to widen, or no race of it can be started."""
    found = that_fit(widenings(chart, state), state.race)
    if not found:
        return []
    try:
        race = widened(state, found)
    except LrtuiError:
        return []
    return [_by_flags(race)] if _by_flags(race) else _by_file(run)


def _by_file(run: Path) -> list[str]:
    return [
        shlex.join(["lrtui", "report", reference(run), "--widen", WIDENED]),
        shlex.join(["lrtui", "race", WIDENED]),
    ]


def _by_flags(race: Race) -> str:
    """The command that races these lanes by flags on a bundled scenario; "" where none does: what
    it stands for is read as the command line reads it, and compared."""
    file = BUNDLED / f"{race.scenario}.toml"
    if race.script or file.parent != BUNDLED or not file.is_file():
        return ""
    usual = load(str(file))
    changes = {key: value for key in _FLAGS if (value := getattr(race, key)) != getattr(usual, key)}
    if None in changes.values():  # steps in place of epochs
        changes = {key: value for key, value in changes.items() if value is not None}
    changes["lanes.lr"] = list(dict.fromkeys(lane.lr for lane in race.lanes))
    optimizers = list(dict.fromkeys(str(lane.optimizer) for lane in race.lanes))
    for more in ({}, {"lanes.optimizer": optimizers}):
        if _same(file, changes | more, race):
            return shlex.join(["lrtui", "race", race.scenario, *_words(changes | more)])
    return ""


def _same(file: Path, changes: dict[str, Any], race: Race) -> bool:
    """True if flags laid over a scenario are the race, its title apart."""
    try:
        raw = overlay(read(file), changes, str(file))
        asked = parse(raw, source=str(file), folder=file.parent, scenario=file.stem)
    except (LrtuiError, ValueError, OSError):
        return False
    return _untitled(asked) == _untitled(race)


def _untitled(race: Race) -> Race:
    """Without what has no effect on the training, the lanes by rate."""
    lanes = [msgspec.structs.replace(lane.settings, schedule_at="") for lane in race.lanes]
    lanes.sort(key=lambda lane: (lane.lr, str(lane)))
    return msgspec.structs.replace(
        _bare(race), title="", story="", batch_size_given=False, lanes=tuple(lanes)
    )


def _words(changes: dict[str, Any]) -> Iterator[str]:
    """Changes as flags of `lrtui race`."""
    for key, value in changes.items():
        for one in value if isinstance(value, list) else [value]:
            text = number(one) if isinstance(one, float) and float(number(one)) == one else str(one)
            yield from (f"--{key.removeprefix('lanes.').replace('_', '-')}", text)
