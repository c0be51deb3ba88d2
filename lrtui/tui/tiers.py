"""Detects what the terminal can show, from its environment and the settings. Sends the terminal no
query: one that does not reply would delay the start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from lrtui.terminal.palette import Colors, Glyphs, Theme
from lrtui.tui.render import glyphs, styles

_OF_256 = re.compile(r"256|kitty|alacritty|ghostty|wezterm|foot|contour|iterm")
_TRUECOLOR_TERMS = re.compile(
    r"-direct|truecolor|24bit|kitty|alacritty|ghostty|wezterm|foot|contour"
)
_WITHOUT = re.compile(r"^vt\d|-m$|-mono$")
_LIGHT_GROUNDS = ("7", "11", "14", "15")
"""Light background colours of the 16, as COLORFGBG ends with them."""


class Look(NamedTuple):
    """Colours, theme, glyphs and frame rate of the screen."""

    colors: Colors = "256"
    theme: Theme = "dark"
    glyphs: Glyphs = "braille"
    fps: int = 10
    """Frames a second, 1 to 30."""

    def use(self) -> None:
        """Apply to all drawing from now on; existing strips must be made again."""
        styles.choose(self.colors, self.theme)
        glyphs.choose(self.glyphs)

    @property
    def color_system(self) -> ColorSystem:
        """Rich's colour system; without colours the one with the shortest codes."""
        return {"truecolor": ColorSystem.TRUECOLOR, "256": ColorSystem.EIGHT_BIT}.get(
            self.colors, ColorSystem.STANDARD
        )

    @property
    def textual_theme(self) -> str:
        """The theme of Textual's own widgets; with 16 colours and fewer, one that uses no
        others."""
        ground = "light" if self.theme == "light" else "dark"
        return f"textual-{ground}" if self.colors in ("truecolor", "256") else f"ansi-{ground}"

    @property
    def filters(self) -> tuple[LineFilter, ...]:
        """Filters that reduce Textual's own widgets to what the terminal can show."""
        return (
            *((_COLOURLESS,) if self.colors == "none" else ()),
            *((_FOLDED,) if self.glyphs != "braille" else ()),
        )


class Colourless(LineFilter):
    """Removes all colours, even the terminal's defaults; a background becomes reverse video."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments with bold, dim, underline and reverse alone."""
        return [
            Segment(text, None if style is None else _colourless(style), control)
            for text, style, control in segments
        ]


@lru_cache(1024)
def _colourless(style: Style) -> Style:
    marked = style.bgcolor is not None and not style.bgcolor.is_default
    bare = style.without_color
    return bare + Style(reverse=True) if marked and not bare.reverse else bare


_COLOURLESS, _FOLDED = Colourless(), glyphs.Folded()


def detect(environ: Mapping[str, str], encoding: str = "utf-8") -> Look:
    """Detect the look from the environment; `encoding`: that of the output."""
    return Look(_colors(environ), _theme(environ), _glyphs(environ, encoding))


def _colors(environ: Mapping[str, str]) -> Colors:
    """NO_COLOR (not empty) first, then the terminal's name, and COLORTERM, which SSH rarely passes
    on.

    tmux and screen translate truecolor to what their own terminal has, so COLORTERM counts in tmux;
    not in screen, which drops the codes.
    """
    term = environ.get("TERM", "").lower()
    if environ.get("NO_COLOR") or term in ("", "dumb") or _WITHOUT.search(term):
        return "none"
    in_screen = term.startswith("screen") and "TMUX" not in environ
    if (
        environ.get("COLORTERM", "").lower() in ("truecolor", "24bit")
        and not in_screen
        and term != "linux"
    ):
        return "truecolor"
    if _TRUECOLOR_TERMS.search(term):
        return "truecolor"
    return "256" if _OF_256.search(term) else "16"


def _theme(environ: Mapping[str, str]) -> Theme:
    """Light if COLORFGBG says so: "0;15", or "0;default;15". It may be wrong: the settings override
    it."""
    return "light" if environ.get("COLORFGBG", "").rpartition(";")[2] in _LIGHT_GROUNDS else "dark"


def _glyphs(environ: Mapping[str, str], encoding: str) -> Glyphs:
    """Braille with UTF-8, except on the Linux console, whose font lacks it."""
    locale = next(
        (value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environ.get(name))), "utf-8"
    )
    if not all("utf8" in value.lower().replace("-", "") for value in (locale, encoding)):
        return "ascii"
    return "halves" if environ.get("TERM") == "linux" else "braille"
