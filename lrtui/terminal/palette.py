"""Characters and colours that a terminal may support, and the lanes' colours for each kind, on
screen and in print.

In truecolor and 256 colours the eight are distinct with any colour vision (a test computes their
distances), and stand out from a black, dark, white or cream background. How 16 colours look is up
to the terminal.
"""

from __future__ import annotations

from typing import Literal, get_args

Colors = Literal["truecolor", "256", "16", "none"]
Theme = Literal["dark", "light", "contrast"]
Glyphs = Literal["braille", "blocks", "halves", "ascii"]
"""Characters that curves are drawn with: dots of braille, quarters of a cell, halves (the most that
a console's font of 256 or 512 characters has), or letters."""
COLORS: tuple[Colors, ...] = get_args(Colors)
THEMES: tuple[Theme, ...] = get_args(Theme)
GLYPHS: tuple[Glyphs, ...] = get_args(Glyphs)

LANES = (179, 74, 49, 190, 165, 166, 152, 246)
"""Orange, blue, green, yellow, purple, vermilion, sky, grey (after Okabe and Ito), as numbers of
the 256-colour table. Lane i has LANES[i % 8]; its letter, not its colour, identifies it."""

_ON_DARK: dict[Colors, tuple[str, ...]] = {
    "truecolor": (
        "#e0b56a",
        "#77a4b4",
        "#6effc7",
        "#ffff02",
        "#c058ff",
        "#c96d00",
        "#c6e1e8",
        "#8a847d",
    ),
    "256": tuple(f"color({number})" for number in LANES),
    "16": tuple(f"color({number})" for number in (11, 12, 10, 13, 14, 9, 15, 3)),
}
_ON_LIGHT: dict[Colors, tuple[str, ...]] = {
    "truecolor": (
        "#845406",
        "#064ab2",
        "#06835b",
        "#908e06",
        "#3f1448",
        "#640000",
        "#2c87ff",
        "#4a4a4d",
    ),
    "256": tuple(f"color({number})" for number in (94, 25, 29, 100, 53, 88, 32, 59)),
    "16": tuple(f"color({number})" for number in (4, 2, 5, 6, 3, 1, 0, 8)),
}


def lane_colors(colors: Colors, theme: Theme) -> tuple[str, ...]:
    """Colours of the eight lanes as Rich and Textual write them; empty without colours."""
    return (_ON_LIGHT if theme == "light" else _ON_DARK).get(colors, ())


def lane_color(index: int) -> str:
    """The colour of lane `index` as Rich and Textual write it, for print: of 256 colours, on a dark
    ground."""
    return f"color({LANES[index % len(LANES)]})"
