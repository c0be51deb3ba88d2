"""A real terminal, as over SSH: 256 colours, no mouse, a pty whose other end is read by a terminal
in memory."""

from __future__ import annotations

import itertools
import re
import signal
import termios

import pytest

from lrtui.client.follower import Follower
from lrtui.core.protocol.events import Ended
from lrtui.store.reader import summary
from lrtui.store.run_dir import listing
from support.fake_run import block, commands, make_run, say
from support.terminal import LEFT, Terminal, dots
from support.waiting import until

pytestmark = pytest.mark.xdist_group("terminal")


def test_from_the_picker_to_the_standings(tmp_path):
    with Terminal(runs=tmp_path) as terminal:
        terminal.sees("type to filter", "lr-dial", "Enter races it")
        terminal.press(*"lr-dial")
        terminal.sees(
            "The dial: one net, four learning rates", "learning rate, as it will be applied"
        )
        terminal.press("enter")
        terminal.sees("A standard", "B high", "C low", "D bold", "fair: weights", "loss")
        terminal.until(lambda: dots(terminal.text) > 40, "curves")
        terminal.press("q")
        terminal.sees("The race is still running.", "stop it")
        terminal.press("s")
        assert terminal.leaves() == 0
        assert b"38;2;" not in terminal.sent  # a terminal of 256 colours gets no others
        after = terminal.scrollback
        (run,) = listing(tmp_path)
        for words in (
            "The dial: one net, four",
            "last loss",
            "A standard",
            "stopped",
            "loss by step",
            f"run: {run}",
        ):
            assert words in after
        assert summary(run).state == "ended"
    with Terminal("watch", runs=tmp_path) as again:
        again.sees("A standard", "stopped", " over ")
        again.until(lambda: dots(again.text) > 40, "curves")
        again.press("q")
        assert again.leaves() == 0
        assert f"run: {run}" in again.scrollback


def test_when_the_line_drops_the_race_goes_on_and_can_be_watched_again(tmp_path):
    with Terminal("race", "explode", "--set", "pace=20", runs=tmp_path) as terminal:
        terminal.until(
            lambda: "fair: weights" in terminal.text and dots(terminal.text) > 5, "curves"
        )
        terminal.hang_up()
    (run,) = listing(tmp_path)
    follower = Follower(run)
    until(
        lambda: follower.poll() and follower.state.lanes[3].steps > 40, "steps that nobody watches"
    )
    with Terminal("watch", runs=tmp_path) as terminal:
        terminal.sees("NaN at step", "running", "C SGD 0.003")
        terminal.press("q")
        terminal.sees("stop it")
        terminal.press("s")
        assert terminal.leaves() == 0
        assert "stopped" in terminal.scrollback


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 50)])
def test_a_finished_run_is_shown_at_any_size_and_left_with_one_key(tmp_path, size):
    make_run(tmp_path, ("steady", "explodes", "breaks", "paints"))
    with Terminal("watch", runs=tmp_path, size=size) as terminal:
        terminal.sees("A steady", "NaN at step 37", "quit")
        terminal.press("q")
        assert terminal.leaves() == 0
        for words in (
            "A fake race",
            "val_loss",
            "B nan: loss is NaN at step 37",
            "loss by step",
            "run: ",
        ):
            assert words in terminal.scrollback


SGR = re.compile(rb"\x1b\[([\d;]*)m")


def colour_codes(sent: bytes) -> list[bytes]:
    """What sets a colour, or the terminal's default one."""
    return [
        found
        for found in SGR.findall(sent)
        if any(
            30 <= int(code) <= 49 or 90 <= int(code) <= 107 for code in found.split(b";") if code
        )
    ]


@pytest.mark.parametrize(
    "env", [{"LC_ALL": "C"}, {"LANG": "de_DE.ISO-8859-1", "PYTHONIOENCODING": "latin-1"}]
)
def test_where_there_is_no_utf8_only_ascii_is_sent(tmp_path, env):
    make_run(tmp_path, ("steady", "explodes", "paints"), title="Über 日本")
    with Terminal("watch", runs=tmp_path, env=env) as terminal:
        terminal.sees("Uber ????", "A steady", "NaN at step 37")
        terminal.press("?")
        terminal.sees("any other key closes")
        terminal.press("x", "q")
        assert terminal.leaves() == 0
    assert b"loss by step" in terminal.sent
    assert terminal.sent.isascii()


def test_no_color_means_no_colour_and_no_grey(tmp_path):
    make_run(tmp_path, ("steady", "explodes", "paints"))
    with Terminal(
        "watch", runs=tmp_path, env={"NO_COLOR": "1", "COLORTERM": "truecolor"}
    ) as terminal:
        terminal.sees("A steady", "NaN at step 37")
        terminal.press("?")
        terminal.sees("any other key closes")
        terminal.press("x", "q")
        assert terminal.leaves() == 0
    assert colour_codes(terminal.sent) == []
    assert {b"1", b"7"} & set(SGR.findall(terminal.sent)), "nothing stands out"


@pytest.mark.parametrize(
    ("flags", "term", "least"),
    [
        (("--colors", "16"), "xterm-256color", 16),
        ((), "xterm", 16),
        (("--colors", "truecolor"), "xterm", 1 << 24),
        (("--theme", "light"), "screen-256color", 256),
    ],
)
def test_a_terminal_gets_the_colours_that_it_has_or_that_were_asked_for(
    tmp_path, flags, term, least
):
    make_run(tmp_path, ("steady", "explodes", "paints"))
    with Terminal(*flags, "watch", runs=tmp_path, env={"TERM": term}) as terminal:
        terminal.sees("A steady", "NaN at step 37")
        terminal.press("q")
        assert terminal.leaves() == 0
    codes = colour_codes(terminal.sent)
    used = (
        1 << 24
        if any(b"8;2;" in code for code in codes)
        else 256
        if any(b"8;5;" in code for code in codes)
        else 16
    )
    assert codes
    assert used == least


def test_two_viewers_of_one_race_see_the_same_and_either_may_leave(tmp_path):
    run = make_run(tmp_path, ("steady", "paints"), done=60, live=True)
    with (
        Terminal("watch", runs=tmp_path) as one,
        Terminal("watch", run.name, runs=tmp_path, size=(80, 24)) as other,
    ):
        for terminal in (one, other):
            terminal.sees("A steady", "2 of 2 lanes racing")
        say(run, block(0, "steady", 60, 200), Ended(lane=0, at=1.0, step=200, reason="finished"))
        for terminal in (one, other):
            terminal.sees("finished", "1 of 2 lanes racing")
        other.press("q")
        other.sees("leave it running")
        other.press("l")
        assert other.leaves() == 0
        assert f"the race goes on; back to it with: lrtui watch {run.name}" in other.scrollback
        say(run, block(1, "paints", 60, 200), Ended(lane=1, at=1.0, step=200, reason="finished"))
        one.sees(" over ")
        one.press("q")
        assert one.leaves() == 0


def test_escape_leaves_the_picker_and_nothing_behind(tmp_path):
    with Terminal(runs=tmp_path / "runs") as terminal:
        terminal.sees("type to filter")
        terminal.press("escape")
        assert terminal.leaves() == 0
        assert terminal.scrollback.strip("\x1b[?0123456789lhu;<>= \r\n") == ""
    assert not (tmp_path / "runs").exists()


def test_a_paused_race_sends_the_terminal_nothing(tmp_path):
    make_run(tmp_path, ("rests", "rests"), live=True)
    with Terminal("watch", runs=tmp_path) as terminal:
        terminal.sees("paused", "B rests 2")
        terminal.falls_silent()
        terminal.press("tab")
        terminal.sees("▶B rests 2")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was_and_the_race_alone(tmp_path, number):
    run = make_run(tmp_path, ("steady", "paints"), done=60, live=True)
    with Terminal("watch", runs=tmp_path) as terminal:
        terminal.sees("A steady", "2 of 2 lanes racing")
        assert not terminal.is_sane
        terminal.kill(number)
        assert terminal.leaves() == 0
        assert terminal.sent.count(LEFT) == 1
        assert f"the race goes on; back to it with: lrtui watch {run.name}" in terminal.scrollback
    assert commands(run) == []


@pytest.mark.parametrize(
    ("live", "keys"),
    [
        (False, "?xq"),
        (False, "ixq"),
        (True, "?xql"),
        (True, "f\x1bql"),
        (True, "/paints\r?xql"),
        (True, "=9\x1b\x1b[Bqbql"),
        (True, "i\x1b[B\x1b[6~xqbql"),
    ],
)
def test_keys_in_one_write_reach_the_screen_that_the_ones_before_lead_to(tmp_path, live, keys):
    run = make_run(tmp_path, ("steady", "paints"), **({"done": 60, "live": True} if live else {}))
    with Terminal("watch", runs=tmp_path) as terminal:
        terminal.sees("A steady", "B paints")
        terminal.press(keys)
        assert terminal.leaves() == 0
        assert f"run: {run}" in terminal.scrollback
    assert commands(run) == []


def test_a_screen_that_breaks_says_so_in_a_last_line(tmp_path):
    run = make_run(tmp_path, ("steady",), done=60, live=True)
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import sys\nfrom lrtui.tui.screens.race import RaceScreen\n"
        "def tick(self):\n    raise RuntimeError('a [b]timer[/b] broke')\n"
        "RaceScreen.tick = tick\nfrom lrtui.cli import main\nmain(sys.argv[1:])\n"
    )
    with Terminal("watch", runs=tmp_path, program=(str(broken),)) as terminal:
        assert terminal.leaves() == 1
        last = (
            " ".join(terminal.scrollback.rsplit("lrtui: ", 1)[1].split())
            if "lrtui: " in terminal.scrollback
            else ""
        )
        assert "RuntimeError: a [b]timer[/b] broke; the race goes on, back to it with:" in last
        assert run.name in last


class TestATerminalThatNobodyReads:
    @pytest.fixture
    def frozen(self, tmp_path):
        """A viewer that has had far more to write than a pty takes."""
        make_run(tmp_path, ("steady", "paints"), done=60, live=True)
        with Terminal("watch", runs=tmp_path) as terminal:
            terminal.sees("A steady", "2 of 2 lanes racing")
            self.before = terminal.memory
            times = itertools.count()
            until(
                lambda: (terminal.resize(100 + next(times) % 7, 30), next(times) > 600)[1],
                "600 sizes",
            )
            terminal.resize(100, 30)
            yield terminal

    def test_it_holds_no_more_memory_and_goes_on_when_somebody_reads_again(self, frozen):
        assert frozen.memory < self.before + 30
        frozen.press("tab")
        frozen.sees("▶B paints")
        frozen.press("q")
        frozen.sees("leave it running")
        frozen.press("l")
        assert frozen.leaves() == 0

    def test_a_signal_ends_it_all_the_same_and_the_keyboard_is_as_before(self, frozen):
        """The words that restore the screen are sent, too; behind what nobody has read, they may be
        lost."""
        fd = frozen._process.child_fd
        assert not termios.tcgetattr(fd)[3] & termios.ICANON
        frozen.kill(signal.SIGTERM)
        until(
            lambda: (
                termios.tcgetattr(fd)[3] & termios.ICANON
                and termios.tcgetattr(fd)[3] & termios.ECHO
            ),
            "a sane keyboard",
        )
        assert frozen.ends() == 128 + signal.SIGTERM


def test_what_a_key_changes_is_all_that_is_sent(tmp_path):
    make_run(tmp_path, ("steady", "explodes", "steady", "rests"))
    with Terminal("watch", runs=tmp_path, size=(200, 50)) as terminal:
        terminal.sees("A steady", "NaN at step 37", "quit")
        terminal.falls_silent()
        for keys, most in (
            ("tab", 1_000),
            ("c", 4_000),
            ("h", 3_000),
            ("l", 3_000),
            ("v", 1_000),
            ("y", 12_000),
        ):
            before = len(terminal.sent)
            terminal.press(keys)
            terminal.until(
                lambda before=before: len(terminal.sent) > before, f"an answer to {keys}"
            )
            terminal.falls_silent()
            assert len(terminal.sent) - before < most, keys
