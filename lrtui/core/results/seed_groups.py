"""Lanes that differ in their seed alone, as one group. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from lrtui.core.scenario.spec import Lane
from lrtui.core.state.lane_state import LaneState
from lrtui.core.text import one_line


class SeedGroup(NamedTuple):
    """Lanes of equal name and settings, in the order of their seeds; most often a single one."""

    lanes: tuple[LaneState, ...]

    @property
    def first(self) -> LaneState:
        """The lane that stands for the group."""
        return self.lanes[0]

    @property
    def letter(self) -> str:
        """The letter of a single lane, else what the letters have in common: A of A1 and A2."""
        letter = self.first.lane.letter
        return group_letter(letter) if len(self.lanes) > 1 else letter

    @property
    def called(self) -> str:
        """Letter and name on one line."""
        return one_line(f"{self.letter} {self.first.lane.name}")


def group_letter(letter: str) -> str:
    """What the letters of a group's lanes have in common: A of A1."""
    return letter.rstrip("0123456789")


def seed_groups(lanes: Sequence[LaneState]) -> list[SeedGroup]:
    """The groups of some lanes, in the order of their first lanes; a lane of one seed is a group
    of its own."""
    if not any(lane.lane.seed for lane in lanes):
        return [SeedGroup((lane,)) for lane in lanes]
    found: dict[tuple[str, bytes], dict[int, LaneState]] = {}
    singles = 0
    for lane in lanes:
        key = _key(lane.lane)
        while lane.lane.seed in found.get(key, ()):  # the same lane twice
            singles += 1
            key = (key[0], b"%d" % singles)
        found.setdefault(key, {})[lane.lane.seed] = lane
    return [SeedGroup(tuple(group[seed] for seed in sorted(group))) for group in found.values()]


def _key(lane: Lane) -> tuple[str, bytes]:
    """Name and settings; a lane that was lengthened stays with its group."""
    alike = msgspec.structs.replace(lane.settings, seed=0, length=None, schedule_length=None)
    return lane.name, msgspec.msgpack.encode(alike)
