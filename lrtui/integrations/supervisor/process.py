"""One script as a tree of processes: starts it, signals all of it, tells its end. Knows no race."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil


class ScriptProcess:
    """A script that has been started, and the processes that it starts.

    It leads a session of its own. Launchers such as torchrun put their workers into further
    sessions: those are known by the variables of `marks`, which they inherit.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: str,
        log: Path,
        marks: Mapping[str, str],
    ) -> None:
        """Start `command` in `folder`, its output appended to `log`; OSError if that cannot be
        done. `marks`: variables of `environment` that no process of another tree has."""
        self._marks = dict(marks)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._main = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder or None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(output)
        self.pid = self._main.pid
        self._ended_at: float | None = None

    @property
    def exitcode(self) -> int | None:
        """Exit code of the main process, negative for a signal; None while it lives."""
        code = self._main.poll()
        if code is not None and self._ended_at is None:
            self._ended_at = time.monotonic()
        return code

    @property
    def ended_for(self) -> float:
        """Seconds since the main process was first seen to have ended; 0 while it lives."""
        return time.monotonic() - self._ended_at if self._ended_at is not None else 0.0

    def rest(self) -> list[psutil.Process]:
        """The processes of the tree, its main one apart, that live."""
        return [one for one in psutil.process_iter() if one.pid != self.pid and self._owns(one)]

    def terminate(self) -> None:
        """Send SIGTERM to the main process's group; once that process has ended, to all that is
        left of the tree. A launcher passes it on to its workers in its own order."""
        if self.exitcode is None:
            self._signal_group(signal.SIGTERM)
        else:
            self._signal_rest(signal.SIGTERM)

    def kill(self) -> None:
        """Kill every process of the tree."""
        if self.exitcode is None:
            self._signal_group(signal.SIGKILL)
        self._signal_rest(signal.SIGKILL)

    def _owns(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if os.getpgid(process.pid) == self.pid:
                return True
            environment = process.environ()
        except (psutil.Error, OSError):
            return False
        return all(environment.get(name) == value for name, value in self._marks.items())

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _signal_rest(self, number: int) -> None:
        for one in self.rest():
            with contextlib.suppress(psutil.Error):
                one.send_signal(number)
