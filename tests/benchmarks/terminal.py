"""What a person feels, through a real pty: first frame, Enter to the first curve, keys, bytes. By
hand: `python tests/benchmarks/terminal.py [first-frame start keys bytes tmux slow]`.

The terminal is 200x50 with 256 colours and no COLORTERM, as over SSH. Every figure is the median of
a few rounds.
"""

from __future__ import annotations

import math
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import psutil

LRTUI = [sys.executable, "-m", "lrtui"]
WIDTH, HEIGHT = 200, 50
SLOW = 4000.0
"""Bytes a second of a slow line."""
BRAILLE = re.compile(b"\xe2[\xa0-\xa3][\x80-\xbf]")
"""A cell with dots, in UTF-8."""


class Terminal:
    """A program in a pty whose output is read as it comes."""

    def __init__(self, *args: str, runs: str, command: Sequence[str] = LRTUI) -> None:
        self.pace = math.inf
        """Bytes a second that are read at most."""
        env = {
            **os.environ,
            "TERM": "xterm-256color",
            "LRTUI_RUNS": runs,
            "TEXTUAL_DISABLE_KITTY_KEY": "1",
        }
        env.pop("COLORTERM", None)
        self.began = time.perf_counter()
        self._master, slave = pty.openpty()
        ioctl(slave, TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self.process = subprocess.Popen(
            [*command, *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            start_new_session=True,
        )
        os.close(slave)

    def read(self, seconds: float) -> bytes:
        """What comes within `seconds`; returns at the first piece."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        try:
            got = os.read(self._master, 1 << 20 if self.pace == math.inf else 256) if ready else b""
        except OSError:
            return b""
        time.sleep(len(got) / self.pace)
        return got

    def collect(self, seconds: float) -> bytes:
        """Everything that comes within `seconds`."""
        until, got = time.perf_counter() + seconds, b""
        while (left := until - time.perf_counter()) > 0:
            got += self.read(left)
        return got

    def until(self, pattern: bytes | re.Pattern[bytes], limit: float = 60.0) -> float:
        """Seconds until the pattern has come."""
        began, got = time.perf_counter(), b""
        while not (pattern.search(got) if isinstance(pattern, re.Pattern) else pattern in got):
            got += self.read(1.0)
            if time.perf_counter() - began > limit:
                raise TimeoutError(f"never came: {pattern!r}")
        return time.perf_counter() - began

    def key(self, text: str) -> None:
        """Presses keys."""
        os.write(self._master, text.encode())

    def close(self) -> None:
        """Ends the program."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def first_frame(runs: str) -> str:
    """`lrtui` to the first frame with the list of scenarios in it, and whether torch is in the
    process."""
    took = []
    for _ in range(7):
        terminal = Terminal(runs=runs)
        terminal.until(b"schedules")
        took.append(time.perf_counter() - terminal.began)
        maps = Path(f"/proc/{terminal.process.pid}/maps").read_text()
        terminal.close()
        _quiet(runs)  # the supervisor that was warming up must not slow the next round
    return (
        f"first frame of lrtui: {_ms(took)}; torch in the process: {'libtorch' in maps}   (<= 350"
        " ms, False)"
    )


def start(runs: str) -> str:
    """Enter on lr-dial to the first curve, the picker open for 3 s; and `lrtui race lr-dial`
    cold."""
    warm, cold = [], []
    for _ in range(3):
        terminal = Terminal(runs=runs)
        terminal.until(b"schedules")
        terminal.key("lr-dial")
        terminal.collect(3.0)
        began = time.perf_counter()
        terminal.key("\r")
        terminal.until(b"lanes racing")  # the race screen is there; the picker has dots of its own
        _first_curve(terminal)
        warm.append(time.perf_counter() - began)
        terminal.close()
        terminal = Terminal("race", "lr-dial", runs=runs)
        _first_curve(terminal)
        cold.append(time.perf_counter() - terminal.began)
        terminal.close()
        _quiet(runs)
    return (
        f"Enter to the first curve, warm: {_ms(warm)} (<= 1000 ms); `lrtui race lr-dial` cold:"
        f" {_ms(cold)} (<= 3000 ms)"
    )


def _first_curve(terminal: Terminal) -> float:
    return terminal.until(BRAILLE)


def _ms(seconds: list[float]) -> str:
    return (
        f"{statistics.median(seconds) * 1e3:.0f} ms"
        f" ({min(seconds) * 1e3:.0f}-{max(seconds) * 1e3:.0f})"
    )


def _quiet(runs: str) -> None:
    """Ends the supervisors that were started here."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("LRTUI_RUNS") == runs:
                process.kill()
        except psutil.Error:  # somebody else's, or gone by now
            pass
    time.sleep(1.0)


def _eight_lanes() -> list[str]:
    rates = [flag for index in range(8) for flag in ("--lr", str(1e-4 * (index + 1)))]
    task = str(Path(__file__).with_name("models.py")) + ":Middle"
    return ["race", "--task", task, *rates, "--epochs", "20000"]


def _busy_race(runs: str) -> Terminal:
    """Eight busy lanes on the screen, past their first moments."""
    terminal = Terminal(*_eight_lanes(), runs=runs)
    _first_curve(terminal)
    terminal.collect(4.0)
    return terminal


def _presses(terminal: Terminal, times: int, apart: float) -> list[float]:
    """Seconds from Tab to the next lane's mark, for so many presses."""
    took = []
    for _ in range(times):
        terminal.collect(apart)
        began = time.perf_counter()
        terminal.key("\t")
        terminal.until("▶".encode())
        took.append(time.perf_counter() - began)
    return took


def keys(runs: str) -> str:
    """From a key (the next lane: another title is highlighted) to its pixels, with 8 busy lanes."""
    terminal = _busy_race(runs)
    took = _presses(terminal, 60, 0.13)
    terminal.close()
    _quiet(runs)
    took.sort()
    p50, p95, worst = (took[index] * 1e3 for index in (30, 56, -1))
    return (
        f"key to pixel, 8 busy lanes: p50 {p50:.0f} ms, p95 {p95:.0f} ms, max {worst:.0f} ms   (p95"
        " <= 40 ms)"
    )


def bytes_sent(runs: str) -> str:
    """Bytes a second to the terminal: 8 lanes live, then all paused."""
    terminal = _busy_race(runs)
    live = len(terminal.collect(10.0)) / 10
    terminal.key("P")
    terminal.collect(8.0)  # the answer to the key is taken away after six seconds
    paused = len(terminal.collect(5.0)) / 5
    terminal.close()
    _quiet(runs)
    return f"bytes a second: {live / 1e3:.1f} kB live, {paused:.0f} paused   (<= 20 kB, 0)"


def tmux(runs: str) -> str:
    """Bytes a second that tmux sends to its client, which is what an SSH line carries: 8 lanes
    live."""
    with tempfile.TemporaryDirectory() as folder:
        socket, command = f"{folder}/socket", " ".join([*LRTUI, *_eight_lanes()])
        terminal = Terminal(
            runs=runs, command=["tmux", "-S", socket, "-f", "/dev/null", "new-session", command]
        )
        _first_curve(terminal)
        terminal.collect(4.0)
        live = len(terminal.collect(10.0)) / 10
        subprocess.run(["tmux", "-S", socket, "kill-server"], check=False)
        terminal.close()
    _quiet(runs)
    return f"bytes a second through tmux, to its client: {live / 1e3:.1f} kB   (<= 10 kB)"


def slow(runs: str) -> str:
    """A line that carries 4 kB/s: what is sent, and how long a key takes to be seen; then the line
    is quick again."""
    terminal = _busy_race(runs)
    terminal.pace = SLOW
    slowly = len(terminal.collect(10.0)) / 10
    took = _presses(terminal, 8, 0.5)
    terminal.pace = math.inf
    terminal.collect(2.0)
    after = len(terminal.collect(5.0)) / 5
    terminal.close()
    _quiet(runs)
    return (
        f"a line of {SLOW / 1e3:.0f} kB/s: {slowly / 1e3:.1f} kB/s sent, key to pixel {_ms(took)}; "
        f"quick again: {after / 1e3:.1f} kB/s"
    )


BENCHMARKS = {
    "first-frame": first_frame,
    "start": start,
    "keys": keys,
    "bytes": bytes_sent,
    "tmux": tmux,
    "slow": slow,
}


def main() -> None:
    with tempfile.TemporaryDirectory() as runs:
        for name in sys.argv[1:] or BENCHMARKS:
            print(BENCHMARKS[name](runs), flush=True)
        _quiet(runs)


if __name__ == "__main__":
    main()
