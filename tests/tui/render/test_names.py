"""Names, sentences and log lines in little room: the number that matters is not what is left
out."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from lrtui.tui.keymap import Keymap
from lrtui.tui.render import logs, names, panels
from lrtui.tui.render.canvas import text_width

WORDS = st.lists(st.text("abé漢1.-", min_size=1, max_size=9), min_size=1, max_size=6).map(" ".join)


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("A Adam 0.0003", 13, "A Adam 0.0003"),
        ("A Adam 0.0003", 11, "A Ad…0.0003"),
        ("B AdamW wd=0.1 lr=3e-4", 12, "B Ad…lr=3e-4"),
        ("C exponential", 8, "C expon…"),
        ("D", 4, "D"),
    ],
)
def test_the_last_word_of_a_name_stays(text: str, width: int, shown: str) -> None:
    assert names.cut(text, width) == shown


@given(WORDS, st.integers(4, 60))
def test_a_name_fits_and_what_is_cut_says_so(text: str, width: int) -> None:
    shown = names.cut(text, width)
    assert text_width(shown) <= width
    assert shown == text or "…" in shown


@given(st.lists(WORDS, min_size=1, max_size=4), st.integers(40, 120), st.integers(2, 12))
def test_sentences_are_shown_whole_or_a_key_shows_them(
    sentences: list[str], width: int, height: int
) -> None:
    lines = panels._whole_sentences(sentences, width, height, Keymap())
    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)
    assert (
        "".join("".join(lines).split()) == "".join("".join(sentences).split())
        or "all of it" in lines[-1]
    )


@given(WORDS, st.integers(20, 60), st.integers(1, 3))
def test_a_line_of_the_log_that_is_cut_has_room(text: str, width: int, height: int) -> None:
    line = logs.cut(logs.Line("12:00:00 ", "A", 0, text, 0), width, height)
    assert len(logs.rows(line, width)) <= height
