"""News of a race as notifications: the sequence that a terminal knows, through multiplexers, few of
them, and never more than text in them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pexpect
import pytest
from hypothesis import given, strategies as st

from lrtui.core.protocol.event_lines import News
from lrtui.terminal.notifications import (
    BODY,
    GAP_S,
    GATHER_S,
    TITLE,
    Channel,
    Notifier,
    channel,
    sequence,
)
from support.waiting import PATIENCE_S

TMUX = {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color", "TERM_PROGRAM": "tmux"}


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({"TERM": "xterm-kitty"}, "osc99"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "osc99"),
        ({"TERM": "xterm-kitty", "TERM_PROGRAM": "vscode"}, "osc99"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "osc9"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "osc9"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "osc9"),
        ({"TERM": "xterm-ghostty"}, "osc9"),
        ({"TERM": "xterm-256color", "WT_SESSION": "a-guid"}, "osc9"),
        ({"TERM": "xterm-256color", "ConEmuPID": "77"}, "osc9"),
        ({"TERM": "foot"}, "osc777"),
        ({"TERM": "rxvt-unicode-256color"}, "osc777"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"}, "bell"),
        ({"TERM": "xterm-256color"}, "bell"),
        ({}, "bell"),
    ],
)
def test_terminal_is_known_by_its_environment(environ, kind):
    assert channel("auto", environ) == Channel(kind)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("xterm-kitty|kitty(0.40.0)|1\n", Channel("osc99", "tmux")),
        ("xterm-256color|iTerm2 3.5.0|2\n", Channel("osc9", "tmux")),
        ("xterm-kitty|kitty(0.40.0)|\n", Channel("osc99", "tmux")),  # before 3.3 all passes
        ("xterm-kitty|kitty(0.40.0)|0\n", Channel("bell")),
        ("xterm-256color||1\n", Channel("bell")),
        ("", Channel("bell")),
    ],
)
def test_tmux_says_which_terminal_it_is_attached_to(answer, expected):
    assert channel("auto", {**TMUX, "KITTY_WINDOW_ID": "1"}, lambda: answer) == expected


def test_screen_passes_on_what_its_terminal_knows():
    environ = {"STY": "1.pts", "TERM": "screen.xterm-256color", "KITTY_WINDOW_ID": "1"}
    assert channel("auto", environ) == Channel("osc99", "screen")
    assert channel("auto", {"STY": "1.pts", "TERM": "screen"}) == Channel("bell")


@pytest.mark.parametrize("wanted", ["osc9", "osc777", "osc99", "bell", "off"])
def test_setting_overrules_the_environment(wanted):
    assert channel(wanted, {"TERM": "xterm-kitty"}) == Channel(wanted)
    through = "" if wanted in ("bell", "off") else "tmux"
    assert channel(wanted, TMUX, lambda: "x||0") == Channel(wanted, through)


def test_sequences_are_those_of_the_terminals():
    said = {kind: sequence(Channel(kind), "lrtui; x", "A leads") for kind in ("osc9", "osc777")}
    assert said["osc9"] == "\x1b]9;lrtui; x: A leads\x07"
    assert said["osc777"] == "\x1b]777;notify;lrtui, x;A leads\x07"
    kitty = sequence(Channel("osc99"), "t", "b")
    head, _, rest = kitty.partition("\x1b\\")
    assert head.startswith("\x1b]99;i=lrtui")
    assert head.endswith(":d=0;t")
    assert rest.endswith(":d=1:p=body;b\x1b\\")
    assert sequence(Channel("bell"), "t", "b") == "\x07"
    assert sequence(Channel("off"), "t", "b") == ""


def test_multiplexers_get_it_wrapped():
    assert sequence(Channel("osc9", "tmux"), "t", "b") == "\x1bPtmux;\x1b\x1b]9;t: b\x07\x1b\\"
    in_screen = sequence(Channel("osc99", "screen"), "t", "b")
    assert in_screen.startswith("\x1bP\x1b]99;")
    assert in_screen.index("\x1b\\") == len(in_screen) - 2


@given(st.text(max_size=400), st.text(max_size=400), st.sampled_from(["osc9", "osc777", "osc99"]))
def test_texts_can_hold_no_control_character(title, body, kind):
    said = sequence(Channel(kind), title, body)
    inner = said.replace("\x1b]", "").replace("\x1b\\", "").replace("\x07", "")
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in inner)
    assert said.count("\x1b]") == (2 if kind == "osc99" else 1)
    assert len(inner) <= TITLE + BODY + 60


class Desk:
    """What a notifier writes, at a time that is told."""

    def __init__(self, wanted="osc9", environ=None):
        self.now, self.written, self.rung = 0.0, [], 0
        environ = environ or {"TERM": "xterm"}
        self.notifier = Notifier(wanted, environ, self.written.append, self._ring, lambda: self.now)

    def _ring(self):
        self.rung += 1

    def take(self, *news, after=0.0):
        self.now += after
        self.notifier.take("race", news)


def nan(lane):
    return News("nan", "loss is NaN", 0, lane, "lane")


LEADS, OVER = News("leader", "B leads"), News("finished", "B won")


def test_many_lanes_at_once_are_one_notification():
    desk = Desk()
    for lane in "ABCDEFGH":
        desk.take(nan(lane), after=GATHER_S / 20)
        desk.take(nan(f"{lane}2"))
    assert desk.written == []
    desk.take(after=GATHER_S)
    assert desk.written == ["\x1b]9;lrtui · race: 16 lanes went NaN: A, A2, B, B2, C, C2, ...\x07"]


def test_next_notification_waits_but_the_end_does_not():
    desk = Desk()
    desk.take(nan("A"))
    desk.take(after=GATHER_S)
    desk.take(LEADS, after=GATHER_S)
    desk.take(after=GATHER_S)
    assert len(desk.written) == 1
    desk.take(after=GAP_S)
    assert desk.written[1:] == ["\x1b]9;lrtui · race: B leads\x07"]
    desk.take(OVER)
    assert desk.written[2:] == ["\x1b]9;lrtui · race: the race is over: B won\x07"]


def test_bell_rings_for_news_that_no_alert_has_rung_for():
    desk = Desk("bell")
    desk.take(nan("A"))
    desk.take(after=GATHER_S)
    assert (desk.written, desk.rung) == ([], 0)
    desk.take(OVER)
    assert (desk.written, desk.rung) == ([], 1)


def test_nothing_is_sent_when_it_is_off():
    desk = Desk("off")
    desk.take(OVER)
    assert (desk.written, desk.rung) == ([], 0)


SAY = """
import os, sys
from lrtui.terminal.notifications import channel, sequence
print("ready", flush=True)
sys.stdin.readline()
way = channel("auto", os.environ)
print(way.kind, sequence(way, "lrtui", "over"), flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux here")
@pytest.mark.parametrize("passes", ["on", "off"])
def test_sequence_comes_through_a_real_tmux(tmp_path: Path, passes: str) -> None:
    """The terminal around tmux says that it is kitty; tmux passes the sequence on if told to."""
    script, config, socket = tmp_path / "say.py", tmp_path / "tmux.conf", str(tmp_path / "s")
    script.write_text(SAY)
    config.write_text(f"set -g allow-passthrough {passes}\n")
    kept = {name: value for name, value in os.environ.items() if name != "TMUX"}
    tmux = ["-S", socket, "-f", str(config)]
    outer = pexpect.spawn(
        "tmux",
        [*tmux, "new-session", f"{sys.executable} {script}"],
        env={**kept, "TERM": "xterm-256color"},
        dimensions=(24, 80),
        timeout=PATIENCE_S,
    )
    try:
        outer.expect(rb"\x1b\[>q")  # tmux asks for its name
        outer.send("\x1bP>|kitty(0.40.0)\x1b\\")
        outer.expect(rb"ready")
        outer.send("\r")
        if passes == "on":
            outer.expect(rb"\x1b\]99;i=lrtui\d+:d=0;lrtui\x1b\\.*p=body;over\x1b\\")
        else:
            outer.expect(rb"bell")
    finally:
        pexpect.run(f"tmux -S {socket} kill-server", env=kept)
        outer.close(force=True)
