"""The picker's card at any size: what is to be said of the schedules stands below their curves,
never over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario import scenario_file
from lrtui.tui.keymap import Keymap
from lrtui.tui.render import card, styles
from lrtui.tui.render.canvas import Canvas

WARNING = (
    "schedules.toml:32: CosineAnnealingLR is at its lowest, 0.0001, after 50 of 100 epochs and"
    " climbs again."
)


def drawn(previews: list[Preview], width: int = 60, height: int = 30) -> tuple[list[str], Canvas]:
    """The rows of the card of the scenario `effective-lr`, which has three lanes."""
    canvas = Canvas(width, height)
    card.race(canvas, scenario_file.load("effective-lr"), previews, "", Keymap())
    return [canvas.strip(y).text for y in range(height)], canvas


def previews(*first: Preview) -> list[Preview]:
    return [*first, *[Preview([0], [0.1], 10)] * (3 - len(first))]


def test_a_warning_stands_below_the_curves_with_its_lane():
    rows, canvas = drawn(
        previews(Preview([0], [0.1], 10), Preview([0, 5], [0.1, 0.01], 10, warnings=[WARNING]))
    )
    (top,) = (y for y, row in enumerate(rows) if "learning rate, as it will be applied" in row)
    (first,) = (y for y, row in enumerate(rows) if "B schedules.toml:32:" in row)
    assert top + 3 <= first
    assert "climbs again." in rows[first] + rows[first + 1]
    assert canvas.styles[first, 1] == styles.WARN
    assert "Enter races it" in rows[-1]


@pytest.mark.parametrize(("width", "height"), [(46, 23), (30, 16), (60, 60), (20, 10), (120, 40)])
def test_many_warnings_are_cut_to_a_part_of_the_card(width, height):
    rows, _ = drawn(previews(Preview([0], [0.1], 10, warnings=[WARNING] * 30)), width, height)
    assert "Enter races it" in rows[-1]
    assert sum("schedules.toml" in row or "`lrtui schedule`" in row for row in rows) <= height // 4
    assert rows[0].startswith(" Effective")


def test_own_code_is_not_run_and_that_is_said():
    rows, canvas = drawn(
        previews(
            Preview(
                [], [], 10, unknown="my.py:Own is your own code: its rates are known when it runs"
            )
        )
    )
    (y,) = (y for y, row in enumerate(rows) if "A my.py:Own is your own code" in row)
    assert canvas.styles[y, 1] == styles.DIM


def test_without_any_known_rate_there_is_no_chart_and_no_crash():
    rows, _ = drawn([Preview([], [], 10, unknown="own code")] * 3)
    assert not any("⠀" < char <= "⣿" for row in rows for char in row)


def test_nothing_is_drawn_beyond_what_is_known():
    rows, _ = drawn([Preview([0], [0.1], 100, cut=50)] * 3)
    dots = [x for row in rows for x, char in enumerate(row) if "⠀" < char <= "⣿"]
    assert dots
    assert max(dots) < 9 + (60 - 10) * 0.55


def test_lane_has_its_recipe_and_the_card_the_batch_of_a_step():
    lanes = [{"lr": 0.1, "schedule": "cosine", "clip_grad_norm": 1.0}, {"lr": 0.2}]
    raw = {"task": "straight-line", "steps": 10, "batch_size": 8, "accumulate": 2, "lane": lanes}
    race = scenario_file.parse(raw, source="test", folder=Path())
    canvas = Canvas(100, 24)
    card.race(canvas, race, None, "", Keymap())
    text = "\n".join(canvas.strip(y).text for y in range(24))
    assert "batch 16 (8 × 2)" in text
    assert "clip_grad_norm 1, accumulate 2" in text
