"""Requests to a supervisor that has no race yet, as lines of JSON on its standard input. Imports no
torch.

Its launcher (lrtui/client/launcher.py) sends them. Once a race runs its only channel is the run's
database.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.launch_protocol import LaunchReply, LaunchRequest
from lrtui.core.scenario import environment
from lrtui.training.supervisor import Supervisor

Answer = tuple[LaunchReply, Supervisor | None]
"""A reply, and the supervisor of the race if one was started or resumed."""


def serve(handle: Callable[[LaunchRequest], Answer]) -> Supervisor | None:
    """Answer requests until one starts a race; its supervisor, or None if the launcher is gone
    before that. `handle` may raise LrtuiError."""
    requests, replies = _private_pipes()
    for line in requests:
        try:
            answer, started = handle(msgspec.json.decode(line, type=LaunchRequest))
            answer = msgspec.structs.replace(answer, run=str(started.run) if started else "")
        except LrtuiError as error:
            started, answer = None, LaunchReply(error=error.message, hint=error.hint)
        replies.write(msgspec.json.encode(answer) + b"\n")
        replies.flush()
        if started:
            requests.close()
            replies.close()
            return started
    return None


def leave_folder() -> str:
    """Leave the folder in which this process was started, and return it: it may be deleted or
    unmounted during the race, and then no process could be started in it. What trains goes to the
    race's own folder."""
    try:
        folder = os.getcwd()
    except OSError:
        folder = os.sep
    if path := os.environ.get("PYTHONPATH"):
        os.environ["PYTHONPATH"] = environment.absolute(path, folder)
    os.chdir(os.sep)
    return folder


def _private_pipes() -> tuple[Any, Any]:
    """Standard input and output under other numbers, so that nothing a library prints gets between
    the lines."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return requests, replies
