"""A trainer: the process whose one training thread trains one lane, or several in turns. Knows no
screen and no scheduler."""

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
from lrtui.store.run_dir import is_gone
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_runner import LaneRunner
from lrtui.training.output import to_log
from lrtui.training.snapshot_writer import SnapshotWriter
from lrtui.training.workers import as_in_a_script

IDLE_S = 0.5
ASLEEP_S = 60.0
"""A trainer that was started for a command ends where the command does not come."""
LEAVE_S = 3.0
"""How long the last snapshots may take when the supervisor is gone or wants to end; and as long
again the last flush."""
ORPHAN_S = 10.0
"""How long the step that is under way may take when the supervisor is gone: whoever takes the run
up waits no longer either."""
LAST_S = 60.0
"""How long they may take when all lanes have ended by themselves."""


class ShutdownRequest:
    """Whether it is time to go, and why: the supervisor is gone, or somebody has sent SIGTERM or
    SIGINT."""

    def __init__(self, recorder: Recorder) -> None:
        self.why = ""
        self.cause: EndCause = ""
        self._recorder = recorder
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        threading.Thread(target=self._with_the_supervisor, name="crew", daemon=True).start()

    def now(self, why: str) -> None:
        """It is time."""
        self.why = self.why or why
        self._recorder.wake()

    def _told(self, number: int, frame: object) -> None:
        # and no more: the signal may come while a lock is held
        self.why = self.why or signal.Signals(number).name

    def _with_the_supervisor(self) -> None:
        supervisor = multiprocessing.parent_process()
        if supervisor is not None:
            supervisor.join()
            self.cause = "supervisor_gone"
            self.now("the supervisor is gone")
            # this thread ends with the process, which has nothing to wait for but a step
            time.sleep(ORPHAN_S)
            os._exit(1)


def run(
    path: str, number: int, race: Race, assignments: Sequence[LaneAssignment], threads: int
) -> None:
    """The whole life of trainer `number`: trains its lanes into the run at `path`."""
    run = Path(path)
    to_log(run / f"trainer-{number}.log")
    faulthandler.enable(2, all_threads=False)  # where a crash was, for whoever has to find it
    torch.set_num_threads(threads)
    as_in_a_script()
    # what torch's import left behind lives for ever: no collection need look at it, nor unshare its
    # pages
    gc.freeze()
    if all(assignment.device == "cpu" for assignment in assignments):
        os.nice(10)  # keys stay quick on a busy machine; a GPU's lane must be able to feed it
    recorder = Recorder(run, f"trainer {number}", {assignment.index for assignment in assignments})
    snapshot_writer = SnapshotWriter(run, recorder, race.snapshots, len(race.lanes))
    turns = {
        assignment.index: LaneRunner(race, assignment, run, recorder, snapshot_writer)
        for assignment in assignments
    }
    interrupt = ShutdownRequest(recorder)
    try:
        run_round_robin(turns, recorder, interrupt)
    finally:
        until = time.monotonic() + LAST_S
        while not snapshot_writer.close(LEAVE_S) and not interrupt.why and time.monotonic() < until:
            pass
        while not recorder.close(LEAVE_S) and not interrupt.why and not is_gone(run):
            # a full disk: what is told last is told when it can be, as long as there is a
            # supervisor
            pass


def run_round_robin(
    turns: dict[int, LaneRunner], recorder: Recorder, interrupt: ShutdownRequest
) -> None:
    """Lets the lanes train in turns until all have ended, or it is time to leave."""
    # it was started for nothing but a command that wakes a lane
    asleep = all(turn.over for turn in turns.values())
    begun = time.monotonic()
    for turn in turns.values():
        turn.announce_paused()
    while asleep or not all(turn.over for turn in turns.values()):
        for turn in turns.values():
            if interrupt.why or recorder.superseded:
                break
            if not turn.over and not turn.paused and not turn.waits and turn.wait_s() <= 0:
                turn.run()
            for number, command in recorder.commands():
                asleep = False
                with recorder.atomic():
                    if (result := turns[command.lane].execute(command, number)) is not None:
                        recorder.acknowledge(number, result)
        if recorder.superseded:
            print("another process has these lanes now: this one ends", file=sys.stderr, flush=True)
            return
        if interrupt.why:
            print(f"{interrupt.why}: training ends here", file=sys.stderr, flush=True)
            for turn in turns.values():
                turn.interrupt(interrupt.why, interrupt.cause)
            return
        asleep = asleep and time.monotonic() - begun < ASLEEP_S
        racing = [
            turn.wait_s()
            for turn in turns.values()
            if not turn.over and not turn.paused and not turn.waits
        ]
        if (asleep or not all(turn.over for turn in turns.values())) and (
            not racing or min(racing) > 0
        ):
            recorder.wait(min([IDLE_S, *racing]))
