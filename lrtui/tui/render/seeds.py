"""The seeds of a folded group as a table: what each one's value and state are. Pure drawing."""

from __future__ import annotations

from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.numbers import loss
from lrtui.core.results.seed_groups import SeedGroup
from lrtui.core.results.standings import value_of
from lrtui.core.state.race_state import RaceState
from lrtui.tui.render import status, styles
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView

CELL = 30
"""Columns for one seed."""


def table(canvas: Canvas, group: SeedGroup, state: RaceState, view: RaceView) -> None:
    """Draw each seed's letter, smoothed loss and status, in as many columns as fit."""
    canvas.fill()
    opens = view.keymap.read("lane.enlarge")
    canvas.text(1, 0, f"smoothed loss of each seed; {opens} opens them", styles.DIM)
    rows = max(1, canvas.height - 1)
    for number, lane in enumerate(group.lanes):
        x, y = 1 + number // rows * CELL, 1 + number % rows
        words = status.status_words(lane, verdict(lane, state))
        text = f"{lane.lane.letter:<4}{loss(value_of(lane)):<9}{words}"
        canvas.text(x, y, text, styles.TEXT, CELL - 2)
