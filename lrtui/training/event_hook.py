"""Runs the user's commands at the events of a run (`--on-event`, `--on-alert`), beside the
training. Knows no torch.

It belongs to the supervisor, so that it works without any viewer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import deque
from typing import NamedTuple, get_args

from lrtui.core.errors import RunError, StoreUnavailable
from lrtui.core.protocol.event_lines import News, alert_line, news_line
from lrtui.core.protocol.events import AlertKind, LogMessage
from lrtui.core.protocol.launch_protocol import HookCommands
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.store.writer import Writer, row
from lrtui.training.race_news import AlertNews, NewsSource, RaceNews

LIMIT_S = 30.0
"""A command that takes longer is killed, with all that it started."""
AT_ONCE = 3
"""Commands that run at the same time; the others wait."""
ALERTS: tuple[AlertKind, ...] = get_args(AlertKind)


class _Call(NamedTuple):
    """A command that is to be run."""

    flag: str
    command: str
    payload: bytes
    lane: int


class EventHook:
    """Looks for news when it is asked to, and tells the commands of each; what goes wrong becomes a
    line of the log."""

    def __init__(
        self,
        commands: HookCommands,
        writer: Writer,
        limit_s: float = LIMIT_S,
        folder: str | None = None,
    ) -> None:
        """`folder`: the working directory of the commands; None: that of this process."""
        self._commands = commands
        self._writer = writer
        self._limit_s = limit_s
        self._folder = folder
        self._source: NewsSource | None = None
        """None without a command, and once the race is being ended."""
        if commands.on_event:
            self._source = RaceNews(writer.run)
        elif commands.on_alert:
            self._source = AlertNews(writer)
        self._waiting: deque[_Call] = deque()
        self._running: dict[threading.Thread, subprocess.Popen[bytes]] = {}
        self._notes: deque[LogMessage] = deque()

    @property
    def telling(self) -> bool:
        """True while a command waits or runs."""
        return bool(self._waiting or self._running)

    @property
    def busy(self) -> bool:
        """True while a command waits or runs, the record was not read to its end, or a log line is
        not recorded."""
        behind = self._source is not None and self._source.behind
        return self.telling or behind or bool(self._notes)

    def skip_existing(self) -> None:
        """Skips what is on record: an earlier supervisor has told it. May raise
        StoreUnavailable."""
        if self._source is not None:
            self._source.skip()

    def look(self, race: Race) -> None:
        """Finds news, starts commands up to the limit, logs failures. Never waits for a command.

        `race`: with all lanes that have joined.
        """
        try:
            for news in self._source.look(race) if self._source is not None else ():
                self._announce(news)
            if notes := list(self._notes):
                self._writer.append([row(note) for note in notes])
                for _ in notes:  # and no more: another one may have come meanwhile
                    self._notes.popleft()
        except (StoreUnavailable, RunError):
            pass  # at the next look
        for thread in [thread for thread in self._running if not thread.is_alive()]:
            del self._running[thread]
        while self._waiting and len(self._running) < AT_ONCE:
            self._start(self._waiting.popleft())

    def end(self, reason: str) -> None:
        """The race is being ended for a reason: that is told, and nothing else any more."""
        self._source = None
        self._waiting.clear()
        if self._commands.on_event:
            self._announce(News("lost", f"{reason}: all lanes are interrupted"))

    def give_up(self) -> None:
        """Kills what runs and forgets what waits."""
        self._waiting.clear()
        for process in self._running.values():
            _kill(process)

    def _announce(self, news: News) -> None:
        """Queues the commands that are told of some news."""
        run = str(self._writer.run)
        on_event, on_alert = self._commands
        if on_event:
            self._queue("--on-event", on_event, news_line(news, run), news.lane_index)
        if on_alert and news.event in ALERTS and news.lane_index >= 0:
            line = alert_line(news.event, news.lane, news.step, news.text)
            line |= {"name": news.name, "run": run}
            self._queue("--on-alert", on_alert, line, news.lane_index)

    def _queue(self, flag: str, command: str, line: dict[str, object], lane: int) -> None:
        payload = json.dumps(line, allow_nan=False).encode() + b"\n"
        self._waiting.append(_Call(flag, command, payload, lane))

    def _start(self, call: _Call) -> None:
        try:
            process = subprocess.Popen(
                call.command,
                shell=True,
                stdin=subprocess.PIPE,
                cwd=self._folder,
                start_new_session=True,
            )
        except OSError as error:
            self._note(call, str(error))
            return
        thread = threading.Thread(target=self._see_through, args=(process, call), daemon=True)
        self._running[thread] = process
        thread.start()

    def _see_through(self, process: subprocess.Popen[bytes], call: _Call) -> None:
        try:
            process.communicate(call.payload, self._limit_s)
            if process.returncode:
                self._note(call, f"ended with exit code {process.returncode}")
        except subprocess.TimeoutExpired:
            _kill(process)
            process.wait()
            self._note(call, f"took longer than {self._limit_s:g} s and was killed")

    def _note(self, call: _Call, what: str) -> None:
        text = one_line(f"the command of {call.flag} {what}: {call.command}")[:300]
        self._notes.append(LogMessage(lane=call.lane, at=time.time(), text=text))


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own
    except (ProcessLookupError, PermissionError):
        pass
