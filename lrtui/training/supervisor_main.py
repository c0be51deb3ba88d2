"""The supervisor's process: answers questions about races until one of them is to be started or
resumed; then runs it. Imports no torch itself.
"""

from __future__ import annotations

from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import msgspec

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.launch_protocol import LaunchReply, LaunchRequest
from lrtui.core.scenario.user_code_files import code_refs
from lrtui.store.run_dir import SUPERVISOR_LOG
from lrtui.store.writer import create_run
from lrtui.training.launch_requests import Answer, leave_folder, serve
from lrtui.training.output import to_log
from lrtui.training.trainer_process import context
from lrtui.training.trainer_supervisor import TrainerSupervisor

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


class _Requests:
    """Answers requests with the help of a preflight process."""

    def __init__(self, folder: str) -> None:
        """`folder`: the one in which this process was started."""
        self._folder = folder
        self._preflight = PreflightProcess()

    def handle(self, request: LaunchRequest) -> Answer:
        """The answer; LrtuiError if there is none."""
        try:
            answer = self._preflight.ask(request)
            if request.kind != "preview" and not answer.error:
                return answer, _begin(request, answer, self._folder)
        except LrtuiError:
            self._forget_code(request)
            raise
        self._forget_code(request)
        return answer, None

    def close(self) -> None:
        """End the preflight process."""
        self._preflight.close()

    def _forget_code(self, request: LaunchRequest) -> None:
        """Replace a preflight process that has imported a race's code: it must not answer for
        another's."""
        if code_refs(request.race) and (request.run_user_code or request.kind != "preview"):
            self._preflight.close()
            self._preflight = PreflightProcess()


def main() -> None:
    """Answers requests until one starts a race, then runs it. Ends if the launcher is gone before
    that."""
    context.set_forkserver_preload(PRELOAD)
    folder = leave_folder()
    forkserver.ensure_running()
    requests = _Requests(folder)
    if started := serve(requests.handle):
        requests.close()
        started.run_to_end()


def _begin(request: LaunchRequest, answer: LaunchReply, folder: str) -> TrainerSupervisor:
    """A supervisor at work on a new run, or on a resumed one."""
    run = (
        Path(request.run)
        if request.kind == "resume"
        else create_run(Path(request.runs), request.race)
    )
    to_log(run / SUPERVISOR_LOG)
    supervisor = TrainerSupervisor(run, request.race, request.hooks, folder)
    if request.kind == "resume":
        supervisor.resume(answer.devices, request.trainers)
    else:
        supervisor.start(answer.devices, request.trainers)
        supervisor.note(answer.previews)
    return supervisor


def _preflight(pipe: Any) -> None:
    from lrtui.training.preflight import serve

    serve(pipe)
