"""Characters that a terminal has in the place of those that it has not. Renderers draw dots, boxes
and arrows; only at the output, one lookup a row, they become quarters of cells, halves, or ASCII.
Knows no canvas and no widget."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from lrtui.terminal.palette import Glyphs
from lrtui.tui.render.raster import BLANK, SHADE, SIDES

Codes = NDArray[np.uint32]
TABLE_END = 0x3000
"""Code points from here on are wide, or rare: they stand in no table."""
UNKNOWN = ord("?")
RAMP = " .:-=+*#%@"
"""Letters from dark to light, for pictures without half blocks or without colours."""

QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""By bits: upper left 1, upper right 2, lower left 4, lower right 8."""
HALVES = " ▀▀▀▄▌█▌▄█▐▐▄▌▐█"
"""The nearest that a console's font has, by the same bits."""

SIGNS = {
    "│┃║┊┆╎╵╷": "|",
    "─━═┄┈╴╶": "-",
    "┌┐└┘├┤┬┴┼╭╮╯╰╞╡╪╔╗╚╝": "+",
    "←‹«◀◂": "<",
    "→›»▶▸►": ">",
    "↑▲△": "^",
    "↓▼▽": "v",
    "✗×✕✖╳": "x",
    "·•∙‣": ".",
    "●◉⬤■★◆▪": "*",
    "○◌□☆◇": "o",
    "…": "~",
    "–—−‐‑": "-",
    "█▉▊▇▆▓": "#",
    "▋▌▍▐▅▄▀": "=",
    "▎▏▕": "|",
    "▁▂▃": "_",
    "░▒": ":",
    "▔": '"',
    "‘’′": "'",
    "“”″": '"',
    "✓✔": "v",
    "µμ": "u",
    "±": "~",
    "≤": "<",
    "≥": ">",
    "≈": "~",
    "∞": "8",
    "÷": "/",
    "√": "v",
    "Δ∆": "D",
    "σ": "s",
    "α": "a",
    "β": "b",
    "λ": "l",
    "ε": "e",
    "°": "o",
    "²": "2",
    "³": "3",
    "€": "E",
    "╱": "/",
    "╲": "\\",
    "▘▝▗▖▚▞▙▟▛▜": "#",
    "⏎": "<",
    "⌫": "<",
    "⁻": "-",
    "\xa0": " ",
    "⌃": "^",
    "⇧": "^",
}
"""ASCII for all that this program and its widgets draw with. Letters with accents lose them; what
is left is `?`."""
CONSOLE = (
    "↑↓→←↔↕▲▼►◄•○§¶"
    + bytes(range(128, 255)).decode("cp437")
    + bytes(range(0xA1, 0x100)).decode("latin-1")
)
"""Characters of a console's font beyond ASCII."""
_NEAREST = {
    "▶▸": "►",
    "◀◂": "◄",
    "●◉": "•",
    "╭": "┌",
    "╮": "┐",
    "╯": "┘",
    "╰": "└",
    "▉▊▋": "█",
    "▍▎▏": "▌",
    "▇▆▅": "▄",
    "┊┆╎╵╷┃": "│",
    "╴╶┄┈━": "─",
}
"""The nearest of it where that is better than ASCII."""
LIGHT = "░"
"""A shaded cell where there is no braille."""
_SHADED = [BLANK + bits for bits in range(256) if not bits & ~SHADE and bits.bit_count() > 2]
"""The cells of a shade, its ragged ends included: no curve has dots like these."""
_tier: Glyphs = "braille"


def choose(tier: Glyphs) -> None:
    """With what everything is shown from now on; strips that were made before are to be made
    anew."""
    global _tier
    _tier = tier


def tier() -> Glyphs:
    """With what everything is shown."""
    return _tier


def shown(codes: Codes) -> Codes:
    """The code points (any shape) of a canvas as the terminal can show them, cell by cell."""
    if _tier == "braille":
        return codes
    found: Codes = _table(_tier)[np.minimum(codes, TABLE_END)]
    return np.where(codes < TABLE_END, found, codes) if _tier == "blocks" else found


@lru_cache(4096)
def fold(text: str, tier: Glyphs) -> str:
    """A text as a terminal of that tier can show it, in as many cells."""
    if tier == "braille" or text.isascii():
        return text
    table = _table(tier)
    if tier == "blocks":
        return "".join(chr(table[ord(char)]) if ord(char) < TABLE_END else char for char in text)
    return "".join(
        (
            char
            if char.isascii()
            else chr(table[min(ord(char), TABLE_END)]) * get_character_cell_size(char)
        )
        for char in text
    )


class Folded(LineFilter):
    """`fold` for the widgets that draw themselves: lists, dialogs, toasts, borders."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments, each with its text in characters that the terminal has."""
        if _tier == "braille":
            return segments
        return [Segment(fold(text, _tier), style, control) for text, style, control in segments]


@lru_cache(3)
def _table(tier: Glyphs) -> Codes:
    """By code point below TABLE_END, and one more for all others: what stands in its place."""
    table: Codes = np.arange(TABLE_END + 1, dtype=np.uint32)
    if tier == "blocks":
        table[BLANK : BLANK + 256] = [ord(QUADRANTS[_quarters(bits)]) for bits in range(256)]
        table[_SHADED] = ord(LIGHT)
        return table
    # 0: the second cell of a wide character, none of which is left
    table[0] = table[128:] = UNKNOWN
    for code in range(0xA0, 0x250):
        table[code] = _bare(chr(code))
    for table_of in (SIGNS, *([_NEAREST] if tier == "halves" else ())):
        for signs, sign in table_of.items():
            table[[ord(one) for one in signs]] = ord(sign)
    if tier == "halves":
        own = [ord(sign) for sign in CONSOLE]
        table[own] = own
    for bits in range(256):
        table[BLANK + bits] = ord(HALVES[_quarters(bits)] if tier == "halves" else _letter(bits))
    table[_SHADED] = table[ord(LIGHT)]
    return table


def _bare(letter: str) -> int:
    """A letter without its accents, where that leaves one of ASCII."""
    parts = unicodedata.normalize("NFKD", letter)
    bare = parts[0].isascii() and parts[0].isalpha() and all(map(unicodedata.combining, parts[1:]))
    return ord(parts[0]) if bare else UNKNOWN


def _quarters(bits: int) -> int:
    """The quarters of a cell with a dot in them."""
    pairs = (dots[half : half + 2] for half in (0, 2) for dots in SIDES)
    return sum(bool(bits & sum(pair)) << place for place, pair in enumerate(pairs))


def _letter(bits: int) -> str:
    """The character of ASCII whose ink lies nearest to a cell's dots."""
    left, right = ([row for row, dot in enumerate(dots) if bits & dot] for dots in SIDES)
    rows = left + right
    if not rows:
        return " "
    span = max(rows) - min(rows)
    if left and right and span >= 2:
        slope = sum(left) / len(left) - sum(right) / len(right)
        return "/" if slope > 0.9 else "\\" if slope < -0.9 else "#" if len(rows) > 5 else "|"
    middle = (max(rows) + min(rows)) / 2
    if span >= 2:
        return "|"
    if left and right:
        return '"' if middle < 1 else "_" if middle > 2.4 else "-"
    return "'" if middle < 1 else "." if middle > 2 else "-"
