"""The styles of the screen as numbers for a canvas: few, from the 256-colour table, on the terminal's own background."""

from __future__ import annotations

from rich.style import Style

from lrtui.palette import LANES, lane_color
from lrtui.tui.render.canvas import style_id

TEXT = 0
DIM = style_id(Style(color="color(245)"))
BOLD = style_id(Style(bold=True))
TITLE = style_id(Style(bold=True, color="color(255)", bgcolor="color(24)"))
ALERT = style_id(Style(bold=True, color="color(203)"))
ALERT_BAR = style_id(Style(bold=True, color="color(231)", bgcolor="color(160)"))
WARN = style_id(Style(bold=True, color="color(220)"))
BAR = style_id(Style(color="color(252)", bgcolor="color(236)"))
BAR_KEY = style_id(Style(bold=True, color="color(220)", bgcolor="color(236)"))

_lanes = [style_id(Style(color=lane_color(index))) for index in range(len(LANES))]
_bold = [style_id(Style(color=lane_color(index), bold=True)) for index in range(len(LANES))]
_chosen = [style_id(Style(color="color(16)", bgcolor=lane_color(index), bold=True)) for index in range(len(LANES))]


def lane(index: int) -> int:
    """A lane's colour."""
    return _lanes[index % len(_lanes)]


def lane_bold(index: int) -> int:
    """The same, bold."""
    return _bold[index % len(_bold)]


def lane_chosen(index: int) -> int:
    """A bar in the lane's colour: the chosen one."""
    return _chosen[index % len(_chosen)]
