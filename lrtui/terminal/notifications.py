"""Notifications of the desktop by way of the terminal: the escape sequence that it knows, through
tmux and screen, else the bell. Knows no screen of the program.

Which one a terminal knows is told by its environment; the terminal itself is not asked, since it
might answer late. tmux is asked for the terminal that it is attached to.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from lrtui.core.protocol.event_lines import News
from lrtui.core.results.news import is_alert, news_words
from lrtui.core.text import one_line
from lrtui.terminal.settings import Notify

GATHER_S, GAP_S = 1.0, 10.0
"""News of a second are one notification; between two of them lie this many seconds, but before the
end of the race."""
TITLE, BODY = 60, 200
"""Most characters."""
ASK_TMUX_S = 1.0
TMUX_ASKED = "#{client_termname}|#{client_termtype}|#{allow-passthrough}"
_BY_NAME: tuple[tuple[str, Notify], ...] = (
    (r"kitty", "osc99"),
    (r"iterm|wezterm|ghostty|warp", "osc9"),
    (r"foot|rxvt-unicode|contour", "osc777"),
)
"""Patterns of names of terminals: TERM, TERM_PROGRAM, or what tmux knows of its own."""
_BY_VARIABLE: tuple[tuple[str, Notify], ...] = (
    ("KITTY_WINDOW_ID", "osc99"),
    ("GHOSTTY_RESOURCES_DIR", "osc9"),
    ("WEZTERM_PANE", "osc9"),
    ("ITERM_SESSION_ID", "osc9"),
    ("WT_SESSION", "osc9"),
    ("ConEmuPID", "osc9"),
)
"""Variables that a terminal sets for its programs."""
_ids = itertools.count(1)


class Channel(NamedTuple):
    """The way of a notification."""

    kind: Notify
    """What it is sent as; never "auto"."""
    through: Literal["", "tmux", "screen"] = ""
    """The multiplexer that passes it on."""


def channel(
    wanted: Notify, environ: Mapping[str, str], ask_tmux: Callable[[], str] | None = None
) -> Channel:
    """The way of a notification; `ask_tmux` returns what tmux knows of its terminal."""
    if wanted in ("bell", "off"):
        return Channel(wanted)
    if environ.get("TMUX"):
        kind = wanted if wanted != "auto" else _of_tmux((ask_tmux or _ask_tmux)())
        return Channel(kind, "tmux") if kind != "bell" else Channel(kind)
    in_screen = bool(environ.get("STY")) or environ.get("TERM", "").startswith("screen")
    kind = wanted if wanted != "auto" else _of_environment(environ)
    return Channel(kind, "screen") if in_screen and kind != "bell" else Channel(kind)


def sequence(way: Channel, title: str, body: str) -> str:
    """The characters that show a notification; BEL is the bell, "" is nothing. The texts lose
    control characters, and what is too long."""
    title, body = _cut(title, TITLE), _cut(body, BODY)
    match way.kind:
        case "osc9":
            inner = f"\x1b]9;{title}: {body}\x07"
        case "osc777":
            inner = f"\x1b]777;notify;{title.replace(';', ',')};{body}\x07"
        case "osc99":
            own = f"i=lrtui{next(_ids)}"
            end = "\x07" if way.through == "screen" else "\x1b\\"  # which would end screen's own
            inner = f"\x1b]99;{own}:d=0;{title}{end}\x1b]99;{own}:d=1:p=body;{body}{end}"
        case "bell":
            return "\x07"
        case _:
            return ""
    if way.through == "tmux":
        return "\x1bPtmux;" + inner.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return f"\x1bP{inner}\x1b\\" if way.through == "screen" else inner


class Notifier:
    """Gathers news, and sends them as few notifications."""

    def __init__(
        self,
        wanted: Notify,
        environ: Mapping[str, str],
        write: Callable[[str], object],
        ring: Callable[[], object],
        monotonic: Callable[[], float],
        in_thread: Callable[[Callable[[], None]], object] = lambda job: job(),
    ) -> None:
        """`write`: to the terminal; `ring`: the bell, if its user wants it; `in_thread`: runs what
        may wait for tmux."""
        self._wanted, self._environ = wanted, environ
        self._write, self._ring = write, ring
        self._monotonic, self._in_thread = monotonic, in_thread
        self._title = ""
        self._waiting: list[News] = []
        self._first = 0.0
        """Time of the oldest of the waiting news."""
        self._sent = float("-inf")

    def take(self, race: str, news: Sequence[News]) -> None:
        """Take news of a race, and send what is due."""
        if news and not self._waiting:
            self._first = self._monotonic()
        self._title = f"lrtui · {race}"
        self._waiting += news
        if self._waiting and self._is_due():
            self._send()

    def _is_due(self) -> bool:
        now = self._monotonic()
        ended = any(one.event == "finished" for one in self._waiting)
        return ended or (now - self._first >= GATHER_S and now - self._sent >= GAP_S)

    def _send(self) -> None:
        news, self._waiting, self._sent = self._waiting, [], self._monotonic()
        title, body = self._title, news_words(news)
        # the bell has rung at an alert already
        calm = not any(map(is_alert, news))

        def send() -> None:
            way = channel(self._wanted, self._environ)
            if way.kind == "bell":
                if calm:
                    self._ring()
            elif text := sequence(way, title, body):
                self._write(text)

        if self._environ.get("TMUX") and self._wanted == "auto":
            self._in_thread(send)
        else:
            send()


def _of_environment(environ: Mapping[str, str]) -> Notify:
    """TERM first, which each terminal sets; the others may be left of one that it was started
    from."""
    if (found := _by_name(environ.get("TERM", ""))) != "bell":
        return found
    if name := environ.get("TERM_PROGRAM") or environ.get("LC_TERMINAL"):
        return _by_name(name)
    return next((kind for name, kind in _BY_VARIABLE if environ.get(name)), "bell")


def _by_name(name: str) -> Notify:
    found = (kind for pattern, kind in _BY_NAME if re.search(pattern, name, re.IGNORECASE))
    return next(found, "bell")


def _of_tmux(answer: str) -> Notify:
    """What the terminal knows that tmux is attached to; the bell where tmux passes nothing on."""
    name, _, rest = answer.strip().partition("|")
    kind, _, passes = rest.partition("|")
    if passes == "0":
        return "bell"
    return next((found for one in (kind, name) if (found := _by_name(one)) != "bell"), "bell")


def _ask_tmux() -> str:
    """The name and the type of the terminal of tmux, and whether sequences pass; "" if it does not
    answer."""
    try:
        done = subprocess.run(
            ["tmux", "display-message", "-p", TMUX_ASKED],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ASK_TMUX_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _cut(text: str, most: int) -> str:
    line = one_line(text)
    return line if len(line) <= most else line[: most - 1] + "…"
