"""Large digits are three rows of the width that they say."""

from __future__ import annotations

import pytest

from lrtui.tui.render import digits
from lrtui.tui.render.canvas import Canvas


@pytest.mark.parametrize("text", ["0123456789", "1.235e-7", "+1e5", "NaN", ""])
def test_every_row_is_as_wide_as_the_text_says(text: str) -> None:
    canvas = Canvas(40, 3)
    assert digits.write(canvas, 0, 0, text) == digits.width(text)
    for y in range(3):
        assert not canvas.strip(y).text[digits.width(text) :].strip()


def test_a_rate_reads_like_a_rate() -> None:
    canvas = Canvas(13, 3)
    digits.write(canvas, 0, 0, "0.01")
    assert [canvas.strip(y).text.rstrip() for y in range(3)] == [
        "╭─╮ ╭─╮╶╮",
        "│ │ │ │ │",
        "╰─╯•╰─╯╶┴╴",
    ]


def test_a_rate_in_four_digits_fits_the_room_that_a_pane_gives() -> None:
    assert digits.width("1.235e-7") <= 24
