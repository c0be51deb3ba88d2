"""`lrtui` in a real terminal."""

from __future__ import annotations

import os
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pyte
import pytest

from support.waiting import PATIENCE_S, until

LEFT = b"\x1b[?1049l"
"""What ends the alternate screen: all that comes after it stays in the scrollback."""


class Terminal:
    """`lrtui` with some arguments in a terminal of its own."""

    def __init__(
        self,
        *args: str,
        runs: Path,
        size: tuple[int, int] = (100, 30),
        program: tuple[str, ...] = ("-m", "lrtui"),
        env: dict[str, str] | None = None,
    ) -> None:
        width, height = size
        self.sent = b""
        """All that the program wrote."""
        self._screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self._screen)
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("COLORTERM", "NO_COLOR", "COLUMNS", "LINES")
        }
        env = {
            **kept,
            "TERM": "xterm-256color",
            "TEXTUAL_DISABLE_KITTY_KEY": "1",
            "LRTUI_RUNS": str(runs),
            **(env or {}),
        }
        self._process = pexpect.spawn(
            sys.executable, [*program, *args], dimensions=(height, width), env=env
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.close(force=True)

    def press(self, *keys: str) -> None:
        """Types; a key is sent as the characters that a terminal would send."""
        for key in keys:
            self._process.send({"enter": "\r", "tab": "\t", "escape": "\x1b"}.get(key, key))

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Reads what the program writes until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            if time.monotonic() > deadline:
                pytest.fail(f"waited in vain for {what}; on the screen:\n{self.text}")
            self._read()
        return found

    def sees(self, *texts: str) -> None:
        """Reads until all texts stand on the screen together."""
        self.until(lambda: all(text in self.text for text in texts), f"{texts} on the screen")

    def leaves(self) -> int:
        """Reads to the end of the program; its exit code."""
        self.until(lambda: not self._read(), "the end of the program")
        self._process.close()
        return int(
            self._process.exitstatus
            if self._process.exitstatus is not None
            else -self._process.signalstatus
        )

    def ends(self) -> int:
        """Waits for the end of the program without reading, and reads only then; its exit code."""
        process = psutil.Process(self._process.pid)
        until(lambda: process.status() == psutil.STATUS_ZOMBIE, "the end of the program")
        return self.leaves()

    def hang_up(self) -> None:
        """The line drops: the terminal is gone, and SIGHUP says so."""
        self._process.close(force=True)

    def falls_silent(self) -> None:
        """Reads until an idle program has sent nothing for longer than any of the screen's
        periods. One that waits for a processor is not idle, whatever the time."""
        quiet = 0
        deadline = time.monotonic() + PATIENCE_S
        while quiet < 12:
            before = len(self.sent)
            assert self._read()
            quiet = quiet + 1 if len(self.sent) == before and self._is_idle else 0
            assert time.monotonic() < deadline, "it never stops writing"

    def kill(self, number: int) -> None:
        """Sends the program a signal."""
        os.kill(self._process.pid, number)

    def resize(self, width: int, height: int) -> None:
        """Gives the terminal another size, which has the program write all of it anew; what it
        writes is not read."""
        self._process.setwinsize(height, width)

    @property
    def is_sane(self) -> bool:
        """Whether it echoes what is typed and waits for whole lines, as a shell wants it."""
        flags = int(termios.tcgetattr(self._process.child_fd)[3])
        return bool(flags & termios.ECHO and flags & termios.ICANON)

    @property
    def memory(self) -> float:
        """Megabytes that the program holds."""
        return float(psutil.Process(self._process.pid).memory_info().rss) / 1e6

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    @property
    def scrollback(self) -> str:
        """What the program left behind when its screen was gone."""
        return self.sent.rpartition(LEFT)[2].decode()

    @property
    def _is_idle(self) -> bool:
        """True if each thread of the program sleeps."""
        for stat in Path(f"/proc/{self._process.pid}/task").glob("*/stat"):
            state = stat.read_text().rpartition(")")[2].split()[0]
            if state != "S":
                return False
        return True

    def _read(self) -> bool:
        """Takes what there is within a moment; False when there will be nothing more."""
        try:
            data = self._process.read_nonblocking(65536, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.sent += data
        self._stream.feed(data)
        return True


def dots(text: str) -> int:
    """How many braille cells there are: curves."""
    return sum(0x2800 < ord(sign) < 0x2900 for sign in text)
