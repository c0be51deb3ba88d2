"""The colours of the lanes, on screen and in print: members of the 256-colour cube, told apart with any colour vision."""

from __future__ import annotations

LANES = (214, 39, 42, 227, 170, 202, 117, 250)
"""Orange, blue, green, yellow, purple, vermilion, sky, grey (after Okabe and Ito), as numbers of the 256-colour table.
Lane i has LANES[i % 8]; its letter, not its colour, says which one it is."""


def lane_color(index: int) -> str:
    """The colour of lane `index` as Rich and Textual write it."""
    return f"color({LANES[index % len(LANES)]})"
