"""What a terminal sends, read as keys: Esc and what follows it at once are two keys, and sequences
are what they were."""

from __future__ import annotations

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key

from lrtui.tui.textual_patches import escape_key


@pytest.fixture
def parser() -> XTermParser:
    escape_key.install()
    return XTermParser()


def read(parser: XTermParser, *pieces: str) -> list[str]:
    """The keys in pieces of input, after which nothing comes for a while."""
    found = [event for piece in pieces for event in parser.feed(piece)]
    if parser._timeout_time is not None:
        parser._timeout_time = 0.0
        found += parser.tick()
    return [event.key for event in found if isinstance(event, Key)]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("\x1b", ["escape"]),
        ("\x1bo", ["escape", "o"]),
        ("\x1bq\x1bq", ["escape", "q", "escape", "q"]),
        ("\x1b \x1b", ["escape", "space", "escape"]),
        ("\x1b?", ["escape", "question_mark"]),
        ("\x1b\r", ["escape", "enter"]),
        ("\x1b\x1b\x1b", ["escape", "escape", "escape"]),
        ("\x1bX", ["escape", "X"]),
        ("\x1bO", ["escape", "O"]),
        ("\x1b[", ["escape", "left_square_bracket"]),
        ("oO\x1b" + "x" * 50, ["o", "O", "escape", *"x" * 50]),
    ],
)
def test_esc_and_what_follows_it_at_once_are_two_keys(parser, sent, keys):
    assert read(parser, sent) == keys
    assert read(parser, *sent) == keys  # sign by sign
    assert read(parser, "q") == ["q"]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("\x1b[A", ["up"]),
        ("\x1b[1;2D", ["shift+left"]),
        ("\x1bOP", ["f1"]),
        ("\x1b[15~", ["f5"]),
        ("\x1b\x1b[A", ["escape", "up"]),
        ("\x1bq\x1b[B", ["escape", "q", "down"]),
        ("\x1bf", ["ctrl+right"]),
        ("\x1b[Z", ["shift+tab"]),
        ("\x1b[27u", ["escape"]),
        ("\x1b[111;3u", ["alt+o"]),
        ("\x1b[<0;10;10M", []),
    ],
)
def test_sequences_are_what_they_were(parser, sent, keys):
    assert read(parser, sent) == keys
    assert read(parser, *sent) == keys


def test_esc_followed_by_silence_is_not_awaited_again(parser):
    assert read(parser, "\x1b") == ["escape"]
    assert read(parser, "o", "\x1b[A") == ["o", "up"]
