"""Names of lanes in little room: the words that distinguish them, above all the rate, stay.
Pure."""

from __future__ import annotations

from lrtui.core.diagnostics import param_groups
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.state.race_state import LaneState
from lrtui.core.text import one_line
from lrtui.tui.render.canvas import shortened, text_width

LEAST_GROUP = 3
"""Cells below which a param group's name is not cut but left out."""
LEAST_START = 2
"""Cells of a name's beginning below which its last word is not worth keeping."""


def named(group: SeedGroup, *, pinned: bool, without: int = 0) -> str:
    """Letter of a lane or of a group of seeds, a star if pinned, the name without its first
    `without` words."""
    name = " ".join(one_line(group.first.lane.name).split(" ")[without:])
    return f"{group.letter}{'*' if pinned else ''} {name}"


def shared(lanes: list[LaneState]) -> int:
    """Number of words with which all the lanes' names begin."""
    found = [one_line(lane.lane.name).split(" ") for lane in lanes]
    most = min(map(len, found)) - 1
    return next((place for place in range(most) if len({name[place] for name in found}) > 1), most)


def group(lane: LaneState, shown: int, width: int) -> str:
    """The name of a lane's param group in at most `width` cells; '' where it is the only one, or
    has no room."""
    name = param_groups.group_name(lane, shown)
    return shortened(name, width) if width >= LEAST_GROUP or text_width(name) <= width else ""


def cut(text: str, width: int) -> str:
    """Shorten a name to at most `width` cells; its last word stays: "B AdamW…0.0003"."""
    start, _, last = text.rpartition(" ")
    room = width - text_width(last) - 1
    if text_width(text) <= width or room < LEAST_START + 2:
        return shortened(text, width)
    return shortened(start + "  ", room + 1) + last
