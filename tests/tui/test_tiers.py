"""What a terminal's environment tells of it, and that without colours there is not one code for
one."""

from __future__ import annotations

import re

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip

from lrtui.terminal.palette import COLORS, THEMES, Colors, Theme
from lrtui.tui.render import styles
from lrtui.tui.render.canvas import style
from lrtui.tui.tiers import Colourless, Look, detect

UTF8 = {"LANG": "en_US.UTF-8"}
COLOUR_CODE = re.compile(r"\x1b\[(?:[\d;]*;)?(?:3\d|4\d|9\d|10\d)(?:;[\d;]*)?m")
ROLES = [
    styles.DIM,
    styles.BOLD,
    styles.TITLE,
    styles.ALERT,
    styles.ALERT_BAR,
    styles.WARN,
    styles.BAR,
    styles.BAR_KEY,
    styles.CURSOR,
    *(
        role(index)
        for role in (styles.lane, styles.lane_bold, styles.lane_chosen, styles.lane_faint)
        for index in range(styles.LANES)
    ),
]


@pytest.mark.parametrize(
    ("environ", "colors"),
    [
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm-256color", "COLORTERM": "24bit"}, "truecolor"),
        ({"TERM": "xterm-256color", "COLORTERM": "yes"}, "256"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}, "256"),
        (
            {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0", "COLORTERM": "truecolor"},
            "truecolor",
        ),
        (
            {
                "TERM": "screen-256color",
                "TMUX": "/tmp/tmux-0/default,1,0",
                "COLORTERM": "truecolor",
            },
            "truecolor",
        ),
        ({"TERM": "screen-256color", "STY": "1.pts-0.box", "COLORTERM": "truecolor"}, "256"),
        ({"TERM": "screen", "STY": "1.pts-0.box"}, "16"),
        ({"TERM": "xterm"}, "16"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "linux", "COLORTERM": "truecolor"}, "16"),
        ({"TERM": "xterm-kitty"}, "truecolor"),
        ({"TERM": "alacritty"}, "truecolor"),
        ({"TERM": "xterm-direct"}, "truecolor"),
        ({"TERM": "vte-256color"}, "256"),
        ({"TERM": "vt100"}, "none"),
        ({"TERM": "xterm-m"}, "none"),
        ({"TERM": "dumb"}, "none"),
        ({}, "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1", "COLORTERM": "truecolor"}, "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "256"),
    ],
)
def test_colours_by_the_terminals_name(environ: dict[str, str], colors: Colors) -> None:
    assert detect(environ | UTF8).colors == colors


@pytest.mark.parametrize(
    ("said", "theme"),
    [
        ("15;0", "dark"),
        ("0;15", "light"),
        ("0;7", "light"),
        ("0;default;15", "light"),
        ("12;8", "dark"),
        ("nonsense", "dark"),
        ("", "dark"),
    ],
)
def test_light_or_dark_where_it_is_known(said: str, theme: Theme) -> None:
    assert detect({"TERM": "rxvt", "COLORFGBG": said}).theme == theme


@pytest.mark.parametrize(
    ("environ", "encoding", "expected"),
    [
        (UTF8, "utf-8", "braille"),
        ({"LC_CTYPE": "C.utf8"}, "UTF-8", "braille"),
        ({}, "utf-8", "braille"),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, "utf-8", "ascii"),
        ({"LC_ALL": "POSIX"}, "utf-8", "ascii"),
        ({"LANG": "de_DE.ISO-8859-1"}, "iso8859-1", "ascii"),
        (UTF8, "ascii", "ascii"),
        ({"LC_ALL": "", "LANG": "en_US.UTF-8"}, "utf-8", "braille"),
        ({"LANG": "en_US.UTF-8", "TERM": "linux"}, "utf-8", "halves"),
        ({"LC_ALL": "C", "TERM": "linux"}, "utf-8", "ascii"),
    ],
)
def test_glyphs_by_locale_and_encoding(
    environ: dict[str, str], encoding: str, expected: str
) -> None:
    assert detect({"TERM": "xterm", **environ}, encoding).glyphs == expected


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colors", COLORS)
def test_every_role_is_drawn_in_the_colours_that_there_are(colors: Colors, theme: Theme) -> None:
    try:
        look = Look(colors, theme)
        look.use()
        for role in ROLES:
            sent = style(role).render("x", color_system=look.color_system)
            numbers = [int(number) for number in re.findall(r"[34]8;5;(\d+)", sent)]
            if colors == "none":
                assert not COLOUR_CODE.search(sent)
            elif colors == "16":
                assert not numbers
                assert "8;2;" not in sent
            else:
                assert all(number >= 16 for number in numbers)
                assert colors == "truecolor" or "8;2;" not in sent
    finally:
        Look().use()


@pytest.mark.parametrize("colors", COLORS)
def test_what_must_not_be_missed_differs_from_plain_text_everywhere(colors: Colors) -> None:
    try:
        for theme in THEMES:
            Look(colors, theme).use()
            for role in (
                styles.TITLE,
                styles.ALERT,
                styles.ALERT_BAR,
                styles.WARN,
                styles.lane_chosen(0),
            ):
                assert style(role) != style(styles.TEXT)
                assert style(role) != style(styles.DIM)
            assert style(styles.lane_chosen(0)) != style(styles.lane(0))
    finally:
        Look().use()


def test_without_colours_a_ground_becomes_reverse_and_nothing_else_is_left() -> None:
    segments = [
        Segment("a", Style(color="red", bold=True)),
        Segment("b", Style(color="default", bgcolor="default")),
        Segment("c", Style(bgcolor="blue", dim=True)),
        Segment("d"),
    ]
    found = Colourless().apply(segments, Color(0, 0, 0))
    assert [one.style for one in found] == [
        Style(bold=True),
        Style(),
        Style(dim=True, reverse=True),
        None,
    ]
    assert Strip(found).text == "abcd"


def test_the_widgets_of_textual_go_with_it() -> None:
    assert Look("256", "dark").textual_theme == "textual-dark"
    assert Look("truecolor", "light").textual_theme == "textual-light"
    assert Look("16", "light").textual_theme == "ansi-light"
    assert Look("none", "contrast").textual_theme == "ansi-dark"
    assert Look().filters == ()
    assert len(Look("none", glyphs="ascii").filters) == 2
