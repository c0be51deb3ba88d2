"""The pictures are what the program draws today."""

from __future__ import annotations

import re
from html import unescape

import pytest

from .make_pictures import HERE, NAMES, RECORDS, TERMINALS, draw, draw_terminal


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_the_screen_as_it_is(name):
    drawn, kept = draw(name), (HERE / f"{name}.svg").read_text(encoding="utf-8")
    assert words(drawn) == words(kept), "if that is meant: python tests/pictures/make_pictures.py"
    assert drawn == kept, (
        "only colours or places differ; if that is meant: python tests/pictures/make_pictures.py"
    )


@pytest.mark.parametrize("name", TERMINALS)
def test_a_terminal_of_each_kind_is_sent_what_it_can_show(name):
    drawn = draw_terminal(name)
    assert drawn == (HERE / "terminals" / f"{name}.ans").read_text(encoding="utf-8"), (
        "python tests/pictures/make_pictures.py"
    )
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", drawn))
    parts = {
        part
        for code in codes
        for part in re.sub(r"[34]8;(5;\d+|2;\d+;\d+;\d+)", "", code).split(";")
        if part
    }
    kinds = {"truecolor": "38;2;", "256": "38;5;"}
    tier = name.partition("-")[0]
    for kind, sign in kinds.items():
        assert any(sign in code for code in codes) == (
            kind == tier or (tier == "truecolor" and kind == "256")
        ), codes
    if tier == "none":
        assert parts <= {"0", "1", "2", "4", "7"}, parts
        assert drawn.isascii()


def words(svg: str) -> list[str]:
    """The text of a picture, row by row."""
    rows: dict[str, str] = {}
    for row, text in re.findall(
        r'<text class="terminal-r\d+"[^>]* clip-path="url\(#terminal-line-(\d+)\)">([^<]*)</text>',
        svg,
    ):
        rows[row] = rows.get(row, "") + unescape(text).replace("\xa0", " ")
    return list(rows.values())


def test_the_text_of_a_picture_can_be_read():
    assert any(
        "The dial: one net, four learning rates" in row
        for row in words((HERE / "race.svg").read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize("record", RECORDS)
def test_records_are_small(record):
    assert (HERE / f"{record}.db").stat().st_size < 300_000
