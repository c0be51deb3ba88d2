"""Lines on a page: wrapped, never lost, scrolled without a jump."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lrtui.tui.console import Printed
from lrtui.tui.keymap import Keymap
from lrtui.tui.render import logs, styles
from lrtui.tui.render.canvas import Canvas, text_width
from lrtui.tui.render.logs import Line, draw_console, draw_log, scrolled, style_of, wrapped

KEYS = Keymap()


def page(canvas: Canvas) -> list[str]:
    return ["".join(chr(code) for code in row if code).rstrip() for row in canvas.codes]


def numbered(count: int, text: str = "line {}") -> Printed:
    return Printed("trainer-0.log", [(10 * number, text.format(number)) for number in range(count)])


def test_the_newest_lines_stand_at_the_bottom():
    canvas = Canvas(60, 6)
    draw_console(canvas, "A steady", numbered(100), None, KEYS)
    found = page(canvas)
    assert found[0].startswith(" console of A steady ─ trainer-0.log ───")
    assert found[1:] == [f" line {number}" for number in range(95, 100)]


def test_few_lines_begin_at_the_top():
    canvas = Canvas(60, 6)
    draw_console(canvas, "A", numbered(2), None, KEYS)
    assert page(canvas)[1:] == [" line 0", " line 1", "", "", ""]


def test_scrolled_back_it_says_how_many_are_newer():
    canvas = Canvas(60, 6)
    draw_console(canvas, "A", numbered(100), 50, KEYS)
    assert page(canvas)[0].endswith(" 50 newer below: End")
    assert page(canvas)[-1] == " line 49"


def test_at_the_oldest_the_page_is_full_though_lines_are_long():
    canvas = Canvas(30, 6)
    draw_console(canvas, "A", numbered(100, "line {}"), 2, KEYS)
    assert page(canvas)[1:] == [f" line {number}" for number in range(5)]


def test_long_lines_are_wrapped_under_their_text():
    canvas = Canvas(40, 7)
    entry = Line(
        "15:06:43 ",
        "A",
        styles.TEXT,
        "a line of the log that is much longer than a row has room for",
        styles.ALERT,
    )
    draw_log(canvas, "log", 1, None, lambda number: entry, KEYS)
    assert page(canvas)[1:4] == [
        " 15:06:43 A a line of the log that is",
        "            much longer than a row has",
        "            room for",
    ]


def test_an_empty_log_says_so():
    canvas = Canvas(40, 4)
    draw_log(canvas, "log", 0, None, lambda number: logs.Line("", "", 0, "", 0), KEYS)
    assert "nothing has happened yet" in page(canvas)[1]


SIGNS = st.characters(
    codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp", "Mn", "Me", "Cf"]
) | st.just(" ")


@given(st.text(SIGNS, max_size=80), st.integers(8, 40))
def test_wrapping_loses_nothing_but_spaces(text, width):
    rows = wrapped(text, width)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    assert all(text_width(row) <= width for row in rows)


@pytest.mark.parametrize(
    ("end", "by", "found"),
    [
        (None, -1, 99),
        (None, -1000, 10),
        (99, 1, None),
        (50, 10, 60),
        (50, 1000, None),
        (10, -5, 10),
        (None, 5, None),
    ],
)
def test_scrolling_stops_at_both_ends(end, by, found):
    assert scrolled(100, end, by, 10) == found


def test_a_list_that_fits_does_not_scroll():
    assert scrolled(5, None, -10, 10) is None
    assert scrolled(0, None, -10, 10) is None


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("nan: loss is NaN", styles.ALERT),
        ("diverged: too high", styles.WARN),
        ("lost: its process", styles.WARN),
        ("paused at step 3", styles.TEXT),
        ("nan after 3 steps", styles.ALERT),
    ],
)
def test_what_went_wrong_is_loud(text, style):
    assert style_of(text) == style
