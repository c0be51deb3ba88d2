"""The styles of the screen as numbers for a canvas: roles, each with its looks by colours and
theme, on the terminal's own background.

A renderer names a role and knows no colour; `choose` sets the looks of all of them.
"""

from __future__ import annotations

from rich.color import Color, ColorSystem, ColorType
from rich.style import Style

from lrtui.terminal.palette import Colors, Theme, lane_colors
from lrtui.tui.render.canvas import new_style, restyle

LANES = 8
"""Lanes with a colour of their own; letters distinguish the others."""
FAINT = 0.55
"""Distance of a faint colour towards the background, 0..1."""

TEXT = 0
DIM, BOLD, TITLE, ALERT, ALERT_BAR, WARN, BAR, BAR_KEY, CURSOR = (new_style() for _ in range(9))
_look: tuple[Colors, Theme] = "256", "dark"
_lanes, _bold, _chosen, _faint = ([new_style() for _ in range(LANES)] for _ in range(4))


def lane(index: int) -> int:
    """A lane's colour."""
    return _lanes[index % LANES]


def lane_bold(index: int) -> int:
    """Bold style of a lane's colour."""
    return _bold[index % LANES]


def lane_chosen(index: int) -> int:
    """A bar in the lane's colour: the chosen one."""
    return _chosen[index % LANES]


def lane_faint(index: int) -> int:
    """The lane's colour near the background: what stands behind something else of the lane."""
    return _faint[index % LANES]


def line(index: int) -> int:
    """Line style of a lane, for `dashes.dashed`: another one each time the colours begin anew;
    without colours another one for each lane."""
    return index if _look[0] == "none" else index // LANES


def choose(colors: Colors, theme: Theme) -> None:
    """Set the looks of all roles; strips made before have to be made anew."""
    global _look
    _look = colors, theme
    for number, look in zip(
        (DIM, BOLD, TITLE, ALERT, ALERT_BAR, WARN, BAR, BAR_KEY, CURSOR),
        _roles(colors, theme),
        strict=True,
    ):
        restyle(number, look)
    tints = lane_colors(colors, theme) or (None,) * LANES
    for index, tint in enumerate(tints):
        restyle(_lanes[index], Style(color=tint))
        restyle(_bold[index], Style(color=tint, bold=True))
        restyle(_faint[index], _fainter(tint, colors, theme))
        on_tint = "color(231)" if theme == "light" else "color(16)"
        restyle(
            _chosen[index],
            (
                Style(color=on_tint, bgcolor=tint, bold=True)
                if colors in ("truecolor", "256")
                else Style(color=tint, bold=True, reverse=True)
            ),
        )


def colors() -> Colors:
    """Number of colours."""
    return _look[0]


def theme() -> Theme:
    """For which ground the colours are."""
    return _look[1]


def _roles(colors: Colors, theme: Theme) -> tuple[Style, ...]:
    """DIM, BOLD, TITLE, ALERT, ALERT_BAR, WARN, BAR, BAR_KEY, CURSOR."""
    bold = Style(bold=True)
    if colors == "none":
        inverse = Style(bold=True, reverse=True)
        return (
            Style(dim=theme != "contrast"),
            bold,
            inverse,
            inverse,
            inverse,
            _bold_in(underline=True),
            Style(reverse=True),
            inverse,
            bold,
        )
    if colors == "16":
        light = theme == "light"
        return (
            Style(dim=theme != "contrast"),
            bold,
            _bold_in(15, 4),
            _bold_in(1 if light else 9),
            _bold_in(15, 1),
            _bold_in(5 if light else 11),
            Style(color="color(0)", bgcolor="color(7)"),
            _bold_in(4, 7),
            bold,
        )
    dim, title, alert, alert_bar, warn, bar, bar_key = _OF_256[theme]
    return (
        _plain_in(dim),
        bold,
        _bold_in(*title),
        _bold_in(alert),
        _bold_in(*alert_bar),
        _bold_in(warn),
        _plain_in(*bar),
        _bold_in(*bar_key),
        bold,
    )


_OF_256: dict[
    Theme, tuple[int, tuple[int, int], int, tuple[int, int], int, tuple[int, int], tuple[int, int]]
] = {
    "dark": (245, (255, 24), 203, (231, 160), 220, (252, 236), (220, 236)),
    "light": (242, (231, 24), 160, (231, 160), 130, (237, 254), (130, 254)),
    "contrast": (252, (16, 231), 210, (231, 160), 226, (231, 238), (226, 238)),
}
"""Dim, title, alert, alert bar, warning, bar, key in the bar: numbers of the 256-colour table,
(text, ground) for bars. They serve truecolor too: a terminal that has it knows them, and they are
fewer bytes."""


def _plain_in(color: int, ground: int | None = None) -> Style:
    return Style(color=f"color({color})", bgcolor=None if ground is None else f"color({ground})")


def _bold_in(
    color: int | None = None, ground: int | None = None, *, underline: bool | None = None
) -> Style:
    return (Style() if color is None else _plain_in(color, ground)) + Style(
        bold=True, underline=underline
    )


def _fainter(tint: str | None, colors: Colors, theme: Theme) -> Style:
    """A colour nearer to the background; dim if there is none in between."""
    if tint is None or colors not in ("truecolor", "256"):
        return Style(color=tint, dim=True)
    ground = 255 if theme == "light" else 0
    mixed = Color.from_rgb(
        *(ground * FAINT + part * (1 - FAINT) for part in Color.parse(tint).get_truecolor())
    )
    if colors == "256":
        mixed = mixed.downgrade(ColorSystem.EIGHT_BIT)
        if mixed.type is ColorType.STANDARD:  # how the first 16 colours look is up to the terminal
            mixed = Color.parse("color(246)" if theme == "light" else "color(240)")
    return Style(color=mixed)


choose(*_look)
