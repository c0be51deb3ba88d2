"""What came from outside is shown literally: nothing of it reaches the terminal as an order."""

import unicodedata

import pytest
from hypothesis import given, strategies as st

from lrtui.core.errors import LrtuiError
from lrtui.core.text import closest, literal, one_line, overwritten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [bold]text[/bold] größe ▁▂█ 😀", "plain [bold]text[/bold] größe ▁▂█ 😀"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mred", "red"),
        ("\x1b[?1049hscreen\x1b[2J\x1b[H", "screen"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;cGFzdGU=\x07paste", "paste"),
        ("before\x1b]0;no end", "before"),
        ("\x1bPq#0;2;0;0;0\x1b\\sixel", "sixel"),
        ("\x1b_apc\x1b\\x\x1b^pm\x1b\\y\x1bXsos\x1b\\z", "xyz"),
        ("\x1bcreset", "reset"),
        ("\x1b(0lines", "lines"),
        ("\x1b7saved\x1b8", "saved"),
        ("\x9b31mred", "red"),
        ("\x9d0;title\x9cx", "0;titlex"),
        ("a\x07b\x08c\x0bd\x0ce\x7ff\x85g\x00", "abcdefg"),
        ("over\rwritten", "overwritten"),
        ("two\r\nlines\n", "two\nlines\n"),
        ("a\tb", "a   b"),
        ("right\u202eleft\u2066\u2069\u200f\u061c", "rightleft"),
        ("one\u2028line\u2029", "oneline"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("\udcff", "?"),
        ("\ufeffmark", "mark"),
        ("\x1b", ""),
        ("\x1b\x1b[31m", ""),
        ("\x1b[\x1b[31m", ""),
        ("", ""),
    ],
)
def test_text_without_its_orders(text, shown):
    assert literal(text) == shown


ODD = st.sampled_from(
    [
        "\x1b",
        "[",
        "]",
        "31m",
        ";",
        "\x07",
        "\\",
        "\x9b",
        "\x9d",
        "P",
        "\n",
        "\r",
        "\t",
        "\u202e",
        "\ud800",
        "\x00",
        "a",
        " ",
        "\x85",
        "?",
    ]
)
ANY = (
    st.text(st.characters(), max_size=40)
    | st.lists(ODD, max_size=20).map("".join)
    | st.text(st.characters(categories=["Cs", "Cc", "Cf", "Zl"]), max_size=9)
)
TURNS = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(ANY)
def test_no_control_character_but_the_newline_survives(text):
    shown = literal(text)
    assert not any(
        unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in TURNS
        for char in shown
        if char != "\n"
    )
    shown.encode("utf-8")


@given(ANY)
def test_what_is_literal_already_stays_as_it_is(text):
    assert literal(literal(text)) == literal(text)


@given(ANY)
def test_one_line_is_one_line(text):
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line == line.strip()
    assert "  " not in line


@given(ANY, ANY)
def test_an_error_has_at_most_two_lines_whatever_is_quoted_in_it(message, hint):
    assert len(str(LrtuiError(message, hint)).splitlines()) <= 2


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("Adm", '; did you mean "Adam"?'),
        ("adam", '; did you mean "Adam"?'),
        ("StepLr", '; did you mean "StepLR"?'),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_the_nearest_word_is_offered(word, near):
    assert closest(word, ["SGD", "Adam", "StepLR"]) == near


def test_where_nothing_is_known_nothing_is_near():
    assert closest("x", []) == ""


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("  0%\r 50%\r100%\n", "100%"),
        ("longer text\rshort", "shortr text"),
        ("longer text\r\x1b[Kshort", "short"),
        ("longer text\r\x1b[2Kshort\x1b[0m", "short"),
        ("epoch 3\r\n", "epoch 3"),
        ("\x1b[32m 10%\x1b[0m\r\x1b[32m100%\x1b[0m", "100%"),
        ("done\r", "done"),
        ("\r\r", ""),
        ("a\x07b\rX", "Xb"),
    ],
)
def test_progress_bars_are_what_they_end_with(line, shown):
    assert overwritten(line) == shown


@given(st.text(st.sampled_from("ab\r\x1b[K2m\x9b\u202e\n")))
def test_nothing_of_a_line_of_output_is_an_order(line):
    assert not set(overwritten(line)) & set("\r\x1b\x9b\u202e")
