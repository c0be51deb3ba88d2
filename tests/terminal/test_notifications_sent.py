"""What a real terminal is sent when a race that is watched ends, and what a pipe is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.core.protocol.events import Alerted, Ended
from support.fake_run import block, make_run, say
from support.terminal import Terminal

pytestmark = pytest.mark.xdist_group("terminal")
ITERM = {"TERM_PROGRAM": "iTerm.app"}
FAR = 4e9
"""A time after the start of any test."""


def live(folder: Path) -> Path:
    return make_run(folder, ("steady", "paints"), done=60, live=True, over=False)


def end(run: Path) -> None:
    """Both lanes finish."""
    for lane, kind in enumerate(("steady", "paints")):
        say(run, block(lane, kind, 60, 200), Ended(lane=lane, at=FAR, step=200, reason="finished"))


@pytest.mark.parametrize(
    ("env", "kind"),
    [(ITERM, b"\x1b]9;lrtui"), ({"TERM": "rxvt-unicode-256color"}, b"\x1b]777;notify;lrtui")],
)
def test_screen_sends_the_end_of_the_race(tmp_path, env, kind):
    run = live(tmp_path)
    with Terminal("watch", runs=tmp_path, env=env) as terminal:
        terminal.sees("A steady", "2 of 2 lanes racing")
        end(run)
        terminal.until(lambda: kind in terminal.sent, "a notification")
        terminal.sees(" over ")
        assert b"the race is over: B paints" in terminal.sent
        assert terminal.sent.count(kind) == 1
        terminal.press("q")
        assert terminal.leaves() == 0


def test_alert_of_a_lane_rings_and_is_sent_as_text(tmp_path):
    run = live(tmp_path)
    config = tmp_path / "settings.toml"
    config.write_text('notify = "osc777"\n')
    with Terminal("watch", runs=tmp_path, env={"LRTUI_CONFIG": str(config)}) as terminal:
        terminal.sees("A steady", "2 of 2 lanes racing")
        say(run, Alerted(lane=0, at=FAR, step=60, kind="lost", text="gone\x1b]0;owned\x07 \x1b[2J"))
        terminal.until(lambda: b"A steady: gone\x07" in terminal.sent, "a notification")
        said = terminal.sent.partition(b"\x1b]777;")[2].partition(b"\x07")[0]
        assert said.endswith(b";A steady: gone")
        assert b"owned" not in terminal.sent
        terminal.press("q")
        terminal.sees("leave it running")
        terminal.press("l")
        assert terminal.leaves() == 0


def test_plain_lines_on_a_terminal_send_it_too(tmp_path):
    run = live(tmp_path)
    with Terminal("watch", "--plain", runs=tmp_path, env=ITERM) as terminal:
        terminal.sees("A steady")
        end(run)
        assert terminal.leaves() == 0
        assert terminal.sent.count(b"\x1b]9;lrtui") == 1


def test_pipe_is_sent_no_escape_sequence(tmp_path):
    run = live(tmp_path)
    command = [sys.executable, "-m", "lrtui", "watch", run.name, "--plain"]
    env = {**os.environ, **ITERM, "LRTUI_RUNS": str(tmp_path)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout
        first = process.stdout.readline()
        end(run)
        text = first + process.stdout.read()
    assert b"finished" in text
    assert b"\x1b" not in text
    assert b"\x07" not in text
