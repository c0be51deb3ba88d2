"""Cells go in, strips and changed spans come out, whatever characters the text is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from lrtui.tui.render.canvas import Canvas, fitted, is_wide, shortened, style, style_id, text_width

RED, BLUE = style_id(Style(color="red")), style_id(Style(color="blue"))
TEXTS = st.text(st.sampled_from("ab 字漢é́\x1b\x07\n\u200b😀─⣿"), max_size=12)
WRITES = st.lists(
    st.tuples(st.integers(-3, 22), st.integers(-1, 4), TEXTS, st.sampled_from([0, RED, BLUE])),
    max_size=8,
)


def written(writes: list[tuple[int, int, str, int]]) -> Canvas:
    canvas = Canvas(20, 4)
    for x, y, text, number in writes:
        canvas.text(x, y, text, number)
    return canvas


def cells_of(canvas: Canvas, y: int) -> list[tuple[str, Style]]:
    """The strip of a row, cell by cell, as a terminal would place it."""
    cells: list[tuple[str, Style]] = []
    for text, styling, _ in canvas.strip(y):
        for char in text:
            cells.extend([(char, styling or Style()), ("", styling or Style())][: cell_len(char)])
    return cells


@given(WRITES)
@settings(max_examples=300, deadline=None)
def test_strip_has_the_canvas_width_and_the_written_cells(
    writes: list[tuple[int, int, str, int]],
) -> None:
    canvas = written(writes)
    for y in range(canvas.height):
        strip = canvas.strip(y)
        assert strip.cell_length == cell_len(strip.text) == canvas.width
        cells = cells_of(canvas, y)
        assert [ord(char) if char else 0 for char, _ in cells] == canvas.codes[y].tolist()
        assert [styling for _, styling in cells] == [
            style(number) for number in canvas.styles[y].tolist()
        ]
        assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in strip.text)


@given(WRITES, WRITES)
@settings(max_examples=300, deadline=None)
def test_repainting_only_the_changed_spans_gives_the_new_screen(
    before: list[tuple[int, int, str, int]], after: list[tuple[int, int, str, int]]
) -> None:
    old, new = written(before), written(after)
    screen = [cells_of(old, y) for y in range(old.height)]
    for y, start, stop in new.changed(old):
        assert 0 <= start < stop <= new.width
        for canvas in (old, new):
            assert canvas.codes[y, start]
            assert stop == canvas.width or canvas.codes[y, stop]
        screen[y][start:stop] = cells_of(new, y)[start:stop]
    assert screen == [cells_of(new, y) for y in range(new.height)]


def test_an_unchanged_canvas_has_no_changed_span() -> None:
    canvas = written([(0, 0, "字a", RED)])
    assert canvas.changed(canvas.copy()) == []


@pytest.mark.parametrize(("distance", "spans"), [(8, 1), (9, 2)])
def test_spans_close_together_become_one(distance: int, spans: int) -> None:
    old = Canvas(40, 1)
    new = old.copy()
    new.text(3, 0, "x")
    new.text(3 + distance, 0, "x")
    assert len(new.changed(old)) == spans


def test_what_is_drawn_in_a_view_is_in_the_canvas() -> None:
    canvas = Canvas(10, 4)
    view = canvas.view((4, 1, 100, 2))
    assert (view.width, view.height) == (6, 2)
    view.text(-1, 1, "abcdefghij", RED)
    assert canvas.strip(2).text == "    bcdefg"
    view.view((1, 0, 2, 1)).fill(BLUE, "#")
    assert canvas.strip(1).text == "     ##   "
    assert canvas.styles[1].tolist() == [0, 0, 0, 0, 0, BLUE, BLUE, 0, 0, 0]


def test_a_view_outside_is_empty_and_takes_anything() -> None:
    view = Canvas(10, 4).view((12, 9, 5, 5))
    assert (view.width, view.height) == (0, 0)
    assert view.text(0, 0, "text") == 0
    view.fill(RED)
    view.put(0, 0, np.ones((2, 2), np.uint32), RED)


def test_a_wide_character_is_never_left_in_half() -> None:
    canvas = Canvas(6, 1)
    canvas.text(0, 0, "字字字")
    canvas.view((1, 0, 2, 1)).put(0, 0, np.full((1, 2), ord("x"), np.uint32), RED)
    assert canvas.strip(0).text == " xx 字"
    assert is_wide(ord("字"))
    assert not is_wide(ord("⣿"))


def test_text_is_cut_at_its_own_width_and_says_how_much_it_took() -> None:
    canvas = Canvas(10, 1)
    assert canvas.text(0, 0, "abcdef", max_width=3) == 3
    assert canvas.text(5, 0, "a字", max_width=2) == 2
    assert canvas.strip(0).text == "abc  a    "
    assert text_width("a字\x1b") == 4


def test_equal_styles_have_one_number_and_one_object() -> None:
    assert style_id(Style(color="red")) == RED
    assert style(RED) is style(style_id(Style(color="red")))
    assert style(0) == Style()


def test_runs_of_equal_style_are_one_segment() -> None:
    canvas = Canvas(6, 1)
    canvas.text(1, 0, "ab", RED)
    canvas.text(3, 0, "cd", RED)
    segments = list(canvas.strip(0))
    assert segments == [Segment(" ", Style()), Segment("abcd", style(RED)), Segment(" ", Style())]
    canvas.styles[...] = BLUE
    assert len(list(canvas.strip(0))) == 1


@given(TEXTS, st.integers(0, 9))
def test_a_text_is_fitted_by_its_cells(text: str, width: int) -> None:
    assert text_width(fitted(text, width)) == width
    assert text_width(shortened(text, width)) <= max(width, 1)
    kept = fitted(text, width).rstrip(" ")
    assert text.startswith(kept)
    assert text_width(text[: len(kept) + 1]) > width or text.rstrip(" ").startswith(kept)


def test_a_very_long_name_is_cut_in_a_few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    monkeypatch.setattr(
        "lrtui.tui.render.canvas.text_width", lambda text: looks.append(text) or text_width(text)
    )
    assert fitted("é" * 5000, 20) == "é" * 20
    assert len(looks) < 20
