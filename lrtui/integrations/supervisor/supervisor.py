"""The supervisor of a race of scripts: the loop of training/supervisor.py over scripts in place of
trainers. Imports no torch."""

from __future__ import annotations

import os
import time
from pathlib import Path

from lrtui.core.protocol.events import Ended
from lrtui.core.protocol.launch_protocol import HookCommands, LaunchReply, LaunchRequest
from lrtui.core.scenario.spec import Race
from lrtui.integrations.supervisor import environment
from lrtui.integrations.supervisor.ends import ScriptEnds
from lrtui.integrations.supervisor.environment import Places
from lrtui.integrations.supervisor.pool import ScriptPool
from lrtui.integrations.supervisor.router import ScriptRouter
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.run_dir import SUPERVISOR_LOG, SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from lrtui.training.lane_processes import usable_cores
from lrtui.training.launch_requests import Answer, leave_folder, serve
from lrtui.training.output import to_log
from lrtui.training.supervisor import Supervisor


class ScriptSupervisor(Supervisor):
    """Supervises a race of scripts."""

    def __init__(
        self,
        run: Path,
        race: Race,
        hooks: HookCommands = HookCommands(),  # noqa: B008  # immutable
        folder: str | None = None,
    ) -> None:
        """`folder`: the working directory of the commands; None: that of this process."""
        writer = Writer(run, SUPERVISOR_ROLE)
        self._scripts = ScriptPool(writer, race, _places(race))
        router, ends = ScriptRouter(writer, self._scripts), ScriptEnds(writer, self._scripts)
        super().__init__(writer, self._scripts, router, ends, hooks, folder)

    def start(self) -> None:
        """Start the lanes that may run now; the others wait for them."""
        self._scripts.start()

    def resume(self) -> None:
        """Take over a run whose processes are gone: lanes that have no end are interrupted. Waiting
        commands are executed afterwards. May raise StoreUnavailable."""
        self._hook.skip_existing()
        ends = [
            Ended(
                lane=one.index,
                at=time.time(),
                step=one.steps,
                reason="interrupted",
                error="its supervisor died",
            )
            for one in lane_summaries(self.run)
            if one.end is None
        ]
        self._writer.append([row(end) for end in ends])


def _places(race: Race) -> Places:
    assert race.script is not None
    gpus, cores = environment.visible_gpus(os.environ), usable_cores()
    return Places(race.script.at_once, gpus, cores)


def _environments(request: LaunchRequest) -> list[dict[str, str]]:
    """The variables that each lane's script would get, in a run that is not made."""
    run = Path(request.runs, "RUN")
    return environment.added_variables(run, request.race, _places(request.race), os.environ)


def main() -> None:
    """Answer requests until one starts a race, then run it. Return if the launcher is gone before
    that."""
    folder = leave_folder()

    def handle(request: LaunchRequest) -> Answer:
        environment.check(request.race)
        if request.kind == "preview":
            return LaunchReply(environments=_environments(request)), None
        resumes = request.kind == "resume"
        run = Path(request.run) if resumes else create_run(Path(request.runs), request.race)
        to_log(run / SUPERVISOR_LOG)
        supervisor = ScriptSupervisor(run, request.race, request.hooks, folder)
        supervisor.resume() if resumes else supervisor.start()
        return LaunchReply(), supervisor

    if started := serve(handle):
        started.run_to_end()
