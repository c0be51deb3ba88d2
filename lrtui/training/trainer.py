"""A trainer: a process whose one training thread runs one lane, or several round-robin. Knows no
screen and no schedule."""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from lrtui.core.protocol.events import EndCause
from lrtui.core.scenario.spec import Race
from lrtui.store.recorder import Recorder
from lrtui.store.run_dir import is_gone, trainer_role
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_runner import LaneRunner
from lrtui.training.output import to_log
from lrtui.training.snapshot_writer import SnapshotWriter
from lrtui.training.workers import as_in_a_script

IDLE_S = 0.5
COMMAND_S = 60.0
"""Idle trainers started for one command exit after this many seconds without it."""
LEAVE_S = 3.0
"""Seconds for the last snapshots when the supervisor is gone or shuts down, and again for the last
flush."""
ORPHAN_S = 10.0
"""Seconds for the present step when the supervisor is gone: a supervisor that resumes the run waits
no longer either."""
LAST_S = 60.0
"""Seconds for the last snapshots when all lanes have ended by themselves."""


class ShutdownRequest:
    """Notes a request to shut down, and why: the supervisor is gone, or SIGTERM or SIGINT was
    received."""

    def __init__(self, recorder: Recorder) -> None:
        self.reason = ""
        self.cause: EndCause = ""
        self._recorder = recorder
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        threading.Thread(target=self._watch_supervisor, name="supervisor", daemon=True).start()

    def now(self, reason: str) -> None:
        """Requests a shutdown now."""
        self.reason = self.reason or reason
        self._recorder.wake()

    def _on_signal(self, number: int, frame: object) -> None:
        # nothing else: the signal may come while a lock is held
        self.reason = self.reason or signal.Signals(number).name

    def _watch_supervisor(self) -> None:
        supervisor = multiprocessing.parent_process()
        if supervisor is not None:
            supervisor.join()
            if not self.reason:
                self.cause = "supervisor_gone"
            self.now("the supervisor is gone")
            # the process waits for a step at most; this thread ends with it
            time.sleep(ORPHAN_S)
            os._exit(1)


def run(
    path: str, number: int, race: Race, assignments: Sequence[LaneAssignment], threads: int
) -> None:
    """Runs trainer `number` from start to end: trains its lanes into the run at `path`."""
    run = Path(path)
    to_log(run / f"trainer-{number}.log")
    faulthandler.enable(2, all_threads=False)  # logs the place of a crash
    torch.set_num_threads(threads)
    as_in_a_script()
    # objects of torch's import live for good: collections skip them and leave their pages shared
    gc.freeze()
    if all(assignment.device == "cpu" for assignment in assignments):
        os.nice(10)  # keeps the screen quick; a GPU's lane must feed it and keeps its priority
    recorder = Recorder(run, trainer_role(number), {assignment.index for assignment in assignments})
    snapshot_writer = SnapshotWriter(run, recorder, race.snapshots, len(race.lanes))
    runners = {
        assignment.index: LaneRunner(race, assignment, run, recorder, snapshot_writer)
        for assignment in assignments
    }
    shutdown = ShutdownRequest(recorder)
    try:
        run_round_robin(runners, recorder, shutdown)
    finally:
        until = time.monotonic() + LAST_S
        while (
            not snapshot_writer.close(LEAVE_S) and not shutdown.reason and time.monotonic() < until
        ):
            pass
        while not recorder.close(LEAVE_S) and not shutdown.reason and not is_gone(run):
            # a full disk: the last events are written once possible, while there is a supervisor
            pass


def run_round_robin(
    runners: dict[int, LaneRunner], recorder: Recorder, shutdown: ShutdownRequest
) -> None:
    """Runs the lanes in time slices until all have ended, or a shutdown is requested."""
    # started only for a command that rewinds a lane
    idle = all(runner.over for runner in runners.values())
    begun = time.monotonic()
    for runner in runners.values():
        runner.announce_paused()
    while idle or not all(runner.over for runner in runners.values()):
        for runner in runners.values():
            if shutdown.reason or recorder.superseded:
                break
            if runner.runnable and runner.pace.wait_s() <= 0:
                runner.run()
            for number, command in recorder.commands():
                idle = False
                with recorder.atomic():
                    if (result := runners[command.lane].execute(command, number)) is not None:
                        recorder.acknowledge(number, result)
        if recorder.superseded:
            print("another process has these lanes now: this one ends", file=sys.stderr, flush=True)
            return
        if shutdown.reason:
            print(f"{shutdown.reason}: training ends here", file=sys.stderr, flush=True)
            for runner in runners.values():
                runner.interrupt(shutdown.reason, shutdown.cause)
            return
        idle = idle and time.monotonic() - begun < COMMAND_S
        waits = [runner.pace.wait_s() for runner in runners.values() if runner.runnable]
        over = all(runner.over for runner in runners.values())
        if (idle or not over) and (not waits or min(waits) > 0):
            recorder.wait(min([IDLE_S, *waits]))
