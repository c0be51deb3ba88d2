"""The supervisor of a race whose lanes are trained by trainers: starts or resumes them. Imports no
torch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from lrtui.core.protocol.launch_protocol import HookCommands
from lrtui.core.scenario.spec import Race
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer
from lrtui.training.command_router import CommandRouter
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_processes import usable_cores
from lrtui.training.lane_recovery import LaneRecovery
from lrtui.training.supervisor import LOOK_S, Supervisor
from lrtui.training.trainer_pool import Spawn, TrainerPool
from lrtui.training.trainer_process import TrainerProcess

OLD_TRAINERS_S = 10.0
"""Seconds to wait, when a run is resumed, for trainers of its last supervisor: they are shutting
down."""


class TrainerSupervisor(Supervisor):
    """Supervises a race of trainers, from its start or resumption."""

    def __init__(
        self,
        run: Path,
        race: Race,
        hooks: HookCommands = HookCommands(),  # noqa: B008  # immutable
        folder: str | None = None,
        spawn: Spawn = TrainerProcess,
    ) -> None:
        """`folder`: the working directory of the commands; None: that of this process."""
        writer, self._trainers = Writer(run, SUPERVISOR_ROLE), TrainerPool(run, race, spawn)
        router = CommandRouter(writer, self._trainers, self._trainers.start_idle)
        recovery = LaneRecovery(writer, self._trainers)
        super().__init__(writer, self._trainers, router, recovery, hooks, folder)

    def start(self, devices: Sequence[str], trainers: int) -> None:
        """Start all lanes at step 0, on `devices`, in at most `trainers` processes."""
        self._trainers.devices = list(devices)
        assignments = [LaneAssignment(index, device) for index, device in enumerate(devices)]
        processes = min(trainers, len(assignments))
        # together they use no more threads than there are cores
        self._trainers.share_out(assignments, trainers, max(1, usable_cores() // processes))

    def resume(self, devices: Sequence[str], trainers: int) -> None:
        """Resume the lanes that were interrupted, from their last snapshots; each on its former
        device if there is one of that kind. Waiting commands are executed afterwards. May raise
        StoreUnavailable."""
        self._trainers.devices = list(devices)
        self._revoke_old_trainers()
        self._hook.skip_existing()
        known = lane_summaries(self.run)
        resumed = [self._trainers.resumption(one, "resumed") for one in known if one.unfinished]
        recorded_threads = max((one.threads for one in known), default=0)
        threads = recorded_threads or max(1, usable_cores() // max(1, len(resumed)))
        lanes = f"{len(resumed)} lane{'' if len(resumed) == 1 else 's'}"
        self._log(-1, f"resumed: {lanes} from the last snapshots")
        self._trainers.share_out(resumed, trainers, threads)

    def _revoke_old_trainers(self) -> None:
        """Wait for trainers of the last supervisor; one that writes after this is refused."""
        until = time.monotonic() + OLD_TRAINERS_S
        while self._writer.trainers_alive() and time.monotonic() < until:
            time.sleep(LOOK_S)
        self._writer.revoke_trainers()
