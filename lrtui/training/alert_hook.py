"""Runs the user's command for each alert of a run (`--on-alert`), beside the training. Knows no
torch.

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

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.event_lines import alert_line
from lrtui.core.protocol.events import Alerted, LogMessage
from lrtui.core.scenario.spec import Race
from lrtui.core.text import one_line
from lrtui.store.writer import Writer, row

LIMIT_S = 30.0
"""A command that takes longer is killed, with all that it started."""
AT_ONCE = 3
"""Commands that run at the same time; the alerts of others wait."""


class AlertHook:
    """Looks for new alerts when it is asked to, and tells the command of each; what goes wrong
    becomes a line of the log."""

    def __init__(
        self,
        command: str,
        race: Race,
        writer: Writer,
        limit_s: float = LIMIT_S,
        folder: str | None = None,
    ) -> None:
        """`folder`: the working directory of the command; None: that of this process."""
        self.race = race
        """With all lanes that have joined."""
        self._command = command
        self._writer = writer
        self._limit_s = limit_s
        self._folder = folder
        self._seen = 0
        self._waiting: deque[Alerted] = deque()
        self._running: dict[threading.Thread, subprocess.Popen[bytes]] = {}
        self._notes: deque[LogMessage] = deque()

    @property
    def busy(self) -> bool:
        """True while an alert waits or runs, or a log line is not recorded."""
        return bool(self._waiting or self._running or self._notes)

    def skip_existing(self) -> None:
        """Skips alerts on record: an earlier supervisor has reported them. May raise
        StoreUnavailable."""
        if self._command:
            self._seen, _ = self._writer.alerts(self._seen)

    def look(self) -> None:
        """Fetches new alerts, starts commands up to the limit, logs failures. Never waits for a
        command."""
        if not self._command:
            return
        try:
            self._seen, fresh = self._writer.alerts(self._seen)
            self._waiting.extend(fresh)
            if notes := list(self._notes):
                self._writer.append([row(note) for note in notes])
                for _ in notes:  # and no more: another one may have come meanwhile
                    self._notes.popleft()
        except StoreUnavailable:
            pass  # at the next look
        for thread in [thread for thread in self._running if not thread.is_alive()]:
            del self._running[thread]
        while self._waiting and len(self._running) < AT_ONCE:
            self._start(self._waiting.popleft())

    def give_up(self) -> None:
        """Kills what runs and forgets what waits."""
        self._waiting.clear()
        for process in self._running.values():
            _kill(process)

    def _start(self, event: Alerted) -> None:
        lane = self.race.lanes[event.lane]
        line = {**alert_line(event, lane.letter), "name": lane.name, "run": str(self._writer.run)}
        try:
            process = subprocess.Popen(
                self._command,
                shell=True,
                stdin=subprocess.PIPE,
                cwd=self._folder,
                start_new_session=True,
            )
        except OSError as error:
            self._note(event.lane, str(error))
            return
        payload = json.dumps(line, allow_nan=False).encode() + b"\n"
        thread = threading.Thread(
            target=self._see_through, args=(process, event.lane, payload), daemon=True
        )
        self._running[thread] = process
        thread.start()

    def _see_through(self, process: subprocess.Popen[bytes], lane: int, payload: bytes) -> None:
        try:
            process.communicate(payload, self._limit_s)
            if process.returncode:
                self._note(lane, f"ended with exit code {process.returncode}")
        except subprocess.TimeoutExpired:
            _kill(process)
            process.wait()
            self._note(lane, f"took longer than {self._limit_s:g} s and was killed")

    def _note(self, lane: int, what: str) -> None:
        text = one_line(f"the command of --on-alert {what}: {self._command}")[:300]
        self._notes.append(LogMessage(lane=lane, at=time.time(), text=text))


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own
    except (ProcessLookupError, PermissionError):
        pass
