"""How to repeat a race: its scenario, the commands, the values that a repeat must reproduce, and
manual changes. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol import event_text
from lrtui.core.scenario.scenario_file import BUNDLED, load
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line

FILE = "race.toml"


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
