"""Name of an axis in the narrow rows beside it: "grad / norm / log". Pure text; knows no canvas."""

from __future__ import annotations

import re

from lrtui.tui.render.canvas import shortened, text_width

SHORTER = {"update": "upd."}
"""Abbreviations of our own words that every reader understands."""
_PIECE = re.compile(r"\W*_*[^\W_]+[)\]%]*|\S")
"""Break points of a long name: before the characters that join its words."""


def in_rows(words: str, width: int, most: int) -> list[str]:
    """Split a label, and last its scale, into at most `most` >= 0 rows of `width` >= 3 cells.

    A long name continues in the next row; with too few rows it ends in an ellipsis, and the scale
    is left out first.
    """
    label, _, scale = words.rpartition(" ")
    if most < 2:
        return [shortened(label, width)][:most]
    known = [SHORTER.get(word, word) if len(word) > width else word for word in label.split()]
    whole = [row for word in known for row in _broken(word, width)]
    # the first words, and the last, which tells it from its like: "rate /1", "grad /1"
    if len(whole) > most:
        parts = [part for word in known for part in _PIECE.findall(word)]
        whole = [*parts[:-1][: most - 1], parts[-1]]
    return [shortened(row, width) for row in (*whole, scale)][:most]


def _broken(word: str, width: int) -> list[str]:
    """A word in rows, cut where its parts meet, or into equal pieces where a part is longer than a
    row."""
    rows: list[str] = []
    for piece in [word] if text_width(word) <= width else _PIECE.findall(word):
        if rows and text_width(rows[-1] + piece) <= width:
            rows[-1] += piece
        else:
            size = -(-len(piece) // max(1, -(-text_width(piece) // width)))
            rows.extend(piece[at : at + size] for at in range(0, len(piece), size))
    return rows
