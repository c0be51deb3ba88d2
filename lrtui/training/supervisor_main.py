"""The supervisor's process: answers questions about races until one of them is to be started or
resumed; then runs it. Imports no torch itself.

Its launcher (lrtui/client/launcher.py) talks to it in lines of JSON. Once a race runs its only
channel is the run's database.
"""

from __future__ import annotations

import os
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import msgspec

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.launch_protocol import LaunchReply, LaunchRequest
from lrtui.core.scenario import environment
from lrtui.core.scenario.user_code_files import code_refs
from lrtui.store.run_dir import SUPERVISOR_LOG
from lrtui.store.writer import create_run
from lrtui.training.output import to_log
from lrtui.training.supervisor import Supervisor
from lrtui.training.trainer_process import context

PRELOAD = ["torch", "torch._dynamo", "lrtui.training.trainer", "lrtui.training.preflight"]
"""Modules that the forkserver imports once, so that each process forked from it starts in
milliseconds."""


class PreflightProcess:
    """The process that answers questions about races (training/preflight.py), seen from here."""

    def __init__(self) -> None:
        self._here, there = context.Pipe()
        self._process = context.Process(target=_preflight, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def ask(self, request: LaunchRequest) -> LaunchReply:
        """The answer; LrtuiError if the preflight process died."""
        try:
            self._here.send_bytes(msgspec.msgpack.encode(request))
            return msgspec.msgpack.decode(self._here.recv_bytes(), type=LaunchReply)
        except (EOFError, OSError) as error:
            raise LrtuiError(
                "torch could not be loaded, or the check of the race crashed",
                "try `python -c 'import torch'`",
            ) from error

    def close(self) -> None:
        """Ends the process."""
        self._here.close()
        self._process.join(1.0)


def main() -> None:
    """Answers requests until one starts a race, then runs it. Ends if the launcher is gone before
    that."""
    context.set_forkserver_preload(PRELOAD)
    requests, replies = _private_pipes()
    folder = _leave_folder()
    forkserver.ensure_running()
    preflight = PreflightProcess()
    for line in requests:
        request = msgspec.json.decode(line, type=LaunchRequest)
        try:
            answer = preflight.ask(request)
            started = (
                _begin(request, answer, folder)
                if request.kind != "preview" and not answer.error
                else None
            )
            answer = msgspec.structs.replace(answer, run=str(started.run) if started else "")
        except LrtuiError as error:
            started, answer = None, LaunchReply(error=error.message, hint=error.hint)
        replies.write(msgspec.json.encode(answer) + b"\n")
        replies.flush()
        if started:
            requests.close()
            replies.close()
            preflight.close()
            started.run_to_end()
            return
        if code_refs(request.race) and (request.run_user_code or request.kind != "preview"):
            preflight.close()  # it has imported this race's code, and must not answer for another's
            preflight = PreflightProcess()


def _begin(request: LaunchRequest, answer: LaunchReply, folder: str) -> Supervisor:
    """A supervisor at work on a new run, or on a resumed one."""
    run = (
        Path(request.run)
        if request.kind == "resume"
        else create_run(Path(request.runs), request.race)
    )
    to_log(run / SUPERVISOR_LOG)
    supervisor = Supervisor(run, request.race, request.on_alert, folder)
    if request.kind == "resume":
        supervisor.resume(answer.devices, request.trainers)
    else:
        supervisor.start(answer.devices, request.trainers)
        supervisor.note(answer.previews)
    return supervisor


def _leave_folder() -> str:
    """Leaves the folder in which this process was started, and returns it: it may be deleted or
    unmounted during the race, and then no process could be started in it. Trainers go to the race's
    own folder (training/environment.py)."""
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


def _preflight(pipe: Any) -> None:
    from lrtui.training.preflight import serve

    serve(pipe)
