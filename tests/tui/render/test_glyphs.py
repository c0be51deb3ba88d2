"""Characters for terminals that have fewer: each has one in its place, of one cell, and dots keep
their place in the cell."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

import lrtui
from lrtui.terminal.palette import GLYPHS, Glyphs
from lrtui.tui.render import glyphs
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.render.glyphs import CONSOLE, Folded, fold

HERE = Path(lrtui.__file__).parent


@pytest.fixture(autouse=True)
def _as_usual() -> Iterator[None]:
    yield
    glyphs.choose("braille")


def drawn(text: str, tier: Glyphs) -> str:
    """What a canvas makes of a text."""
    canvas = Canvas(40, 1)
    canvas.text(0, 0, text)
    glyphs.choose(tier)
    return canvas.strip(0).text.rstrip()


def test_each_tier_draws_with_what_it_has() -> None:
    text = "│╭─… ✗▶×é ⣀⠉⡇⢸⣿⠁ █░▀"
    assert drawn(text, "braille") == text
    assert drawn(text, "blocks") == "│╭─… ✗▶×é ▄▀▌▐█▘ █░▀"
    assert drawn(text, "halves") == "│┌─~ x►×é ▄▀▌▐█▀ █░▀"
    assert drawn(text, "ascii") == "|+-~ x>xe _\"||#' #:="


def test_ascii_shows_which_way_a_line_goes() -> None:
    assert fold("⠉⠒⣀⡇⡜⢣⠁⡀", "ascii") == "\"-_|/\\'."


@pytest.mark.parametrize("bits", range(1, 256))
def test_a_cell_with_dots_is_never_blank_and_one_without_always(bits: int) -> None:
    for tier in GLYPHS:
        assert fold(chr(0x2800 + bits), tier) != " "
        assert fold(chr(0x2800), tier) in " \u2800"


def test_quarters_are_filled_where_their_dots_are() -> None:
    upper_left, lower_right = 0x01 | 0x02, 0x20 | 0x80
    assert fold(chr(0x2800 + 0x01), "blocks") == "▘"
    assert fold(chr(0x2800 + upper_left + lower_right), "blocks") == "▚"
    assert fold(chr(0x28FF), "blocks") == "█"


@pytest.mark.parametrize(
    "text",
    ["日本語", "Ω≈ç√", "🚀 rocket", "naïve Zürich", "кириллица", "a\u0301bc", "👩‍👩‍👧", "ｆｕｌｌ"],
)
def test_names_in_other_scripts_keep_their_width_in_ascii(text: str) -> None:
    cells = Canvas(40, 1).text(0, 0, text)
    assert drawn(text, "ascii").isascii()
    assert len(drawn(text, "ascii")) == cells
    assert fold("日本", "ascii") == "????"
    assert fold("Zürich é", "ascii") == "Zurich e"


@given(st.text(max_size=30), st.sampled_from(GLYPHS))
def test_no_text_changes_its_width(text: str, tier: Glyphs) -> None:
    found = fold(text, tier)
    assert cell_len(found) == cell_len(text)
    if tier == "ascii":
        assert found.isascii()
    if tier == "halves":
        assert all(sign.isascii() or sign in CONSOLE for sign in found)


def test_a_row_of_a_canvas_is_as_wide_as_before() -> None:
    canvas = Canvas(12, 1)
    canvas.text(0, 0, "a日b本c")
    for tier in GLYPHS:
        glyphs.choose(tier)
        assert canvas.strip(0).cell_length == cell_len(canvas.strip(0).text) == 12


def test_widgets_that_draw_themselves_are_folded_too() -> None:
    segments = [Segment("╭─ é ─╮", Style(bold=True)), Segment("日")]
    assert Folded().apply(segments, Color(0, 0, 0)) == segments
    glyphs.choose("ascii")
    assert Folded().apply(segments, Color(0, 0, 0)) == [
        Segment("+- e -+", Style(bold=True)),
        Segment("??"),
    ]


def texts(path: Path) -> Iterator[str]:
    """The strings of a module but its docstrings."""
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "\n" not in node.value
        ):
            yield node.value


def test_every_sign_that_the_program_draws_with_has_its_ascii() -> None:
    used = {
        sign
        for path in HERE.rglob("*.py")
        if path.name != "glyphs.py"
        for text in texts(path)
        for sign in text
    }
    drawn_with = {
        sign
        for sign in used
        if not sign.isascii()
        and not "\u2800" <= sign <= "\u28ff"
        and sign.isprintable()
        and sign not in "ÀÂÄ"
        and not sign.isalpha()
    }
    assert {"✗", "▲", "│", "·"} <= drawn_with
    assert {sign for sign in drawn_with if fold(sign, "ascii") == "?"} == set()


def test_the_lookup_is_one_for_a_whole_row() -> None:
    glyphs.choose("ascii")
    codes = np.array([[0x2800, ord("x"), 0x65E5, 0], [0x28FF, 0x1F680, 0, 0x2502]], np.uint32)
    assert glyphs.shown(codes).tolist() == [[32, 120, 63, 63], [35, 63, 63, 124]]
    glyphs.choose("blocks")
    assert glyphs.shown(codes).tolist() == [[32, 120, 0x65E5, 0], [0x2588, 0x1F680, 0, 0x2502]]
