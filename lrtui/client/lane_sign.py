"""The lanes that a word means: a lane's letter or name, or that which lanes of several seeds
share."""

from __future__ import annotations

from lrtui.core.errors import LrtuiError
from lrtui.core.results.seed_groups import SeedGroup, seed_groups
from lrtui.core.state.race_state import RaceState
from lrtui.core.text import closest, one_line

LISTED = 20


def group_of(state: RaceState, sign: str) -> SeedGroup:
    """The lane of that letter or name; of the letter or name that lanes of several seeds share, all
    of them."""
    groups = seed_groups(state.lanes)
    single = [SeedGroup((lane,)) for lane in state.lanes]
    for known in (
        [(lane.letter, lane) for lane in single],
        [(group.letter, group) for group in groups],
        [(group.first.lane.name, group) for group in groups],
        [(lane.letter.lower(), lane) for lane in single],
        [(group.letter.lower(), group) for group in groups],
    ):
        if found := [group for name, group in known if name == sign]:
            if len(found) == 1:
                return found[0]
            letters = ", ".join(group.letter for group in found)
            raise LrtuiError(f'"{one_line(sign)}" is the name of {letters}', "say one letter")
    near = closest(sign, [group.first.lane.name for group in groups])
    raise LrtuiError(f'no lane "{one_line(sign)}"{near}', f"the lanes are {lane_names(state)}")


def lane_names(state: RaceState) -> str:
    """Letters and names of the lanes, in a row."""
    return ", ".join(group.called for group in seed_groups(state.lanes)[:LISTED])
