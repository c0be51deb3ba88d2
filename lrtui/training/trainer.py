"""A trainer: the process whose one training thread trains one lane, or several in turns. Knows no screen and no scheduler."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import torch

from lrtui.core.commands import AnyCommand, Pause, Resume, Stop
from lrtui.core.events import Alerted, AnyEvent, Ended, Noted, StatusChanged
from lrtui.core.spec import Race
from lrtui.core.text import literal
from lrtui.store.recorder import Recorder
from lrtui.training import rng
from lrtui.training.loop import Events, Training, train_lane

TURN_S = 0.03
"""How long a lane trains before it is the next one's turn. Each turn begins with another lane's weights in the cache and a
change of random state (80 us): with 10 ms, eight middle-sized lanes lose 5 % more than with 30."""
PARENT_CHECK_S = 1.0
MAKE_UP_S = 0.2
"""A lane that fell behind its pace (validation, a busy machine) hurries for at most this long."""
MAX_TRACEBACK = 8000
_POLICIES: dict[str, type[Pause] | type[Stop]] = {"pause": Pause, "stop": Stop}
"""What a race's `on_divergence` asks for; "warn" asks for nothing."""


class Turn:
    """A lane in a trainer: its generator of events, its random state between turns, whether it is paused."""

    def __init__(self, race: Race, index: int, device: str, recorder: Recorder) -> None:
        self.index = index
        self.paused = False
        self.over = False
        self._race = race
        self._device = torch.device(device)
        self._recorder = recorder
        self._training: Training | None = None
        self._events: Events = self._train()
        self._random = rng.capture(torch.device("cpu"))
        self._due = time.monotonic()
        self._policy: AnyCommand | None = None
        """What the race wants done about an alert, until it is done."""

    @property
    def steps(self) -> int:
        return self._training.probe.step if self._training else 0

    def wait_s(self) -> float:
        """Seconds until the lane may go on: above 0 only where the race has a pace and the lane is ahead of it."""
        return self._due - time.monotonic() if self._race.pace else 0.0

    def run(self, seconds: float = TURN_S) -> None:
        """Trains for `seconds`, or to the next possible break after it; where the race has a pace, for one step."""
        rng.restore(self._random, self._device)
        if self._training:
            self._training.probe.resume()
        until, steps = time.perf_counter() + seconds, self.steps
        try:
            for event in self._events:
                if event is not None:
                    self._tell(event)
                elif self._race.pace and self.steps > steps:
                    self._due = max(self._due + 1 / self._race.pace, time.monotonic() - MAKE_UP_S)
                    break
                if time.perf_counter() >= until or (self._policy and event is None):
                    break
            else:
                self._close()
        except (Exception, SystemExit) as error:  # a task's mistake, or its exit(), ends its lane and no other
            self._fail(error)
        self._random = rng.capture(self._device)
        if self._policy and not self.over and event is None:  # between two steps: what follows the alert has been told
            policy, self._policy = self._policy, None
            self._recorder.put(Noted(lane=self.index, at=time.time(), text=f'on_divergence = "{self._race.on_divergence}"'))
            self.obey(policy)

    def obey(self, command: AnyCommand) -> str:
        """Carries out a command between two steps; says what became of it."""
        if self.over:
            return "the lane has ended"
        match command:
            case Stop():
                return self._stop()
            case Pause() if self.paused:
                return "already paused"
            case Resume() if not self.paused:
                return "not paused"
        self.paused = isinstance(command, Pause)
        if self.paused:
            self._flush()
        status = "paused" if self.paused else "running"
        self._recorder.put(StatusChanged(lane=self.index, at=time.time(), step=self.steps, status=status))  # type: ignore[arg-type]
        return status

    def leave(self) -> None:
        """Flushes and ends without an end on the record: whoever looks will see that the crew is gone."""
        if not self.over:
            self._flush(last=True)
            self._close()

    def _train(self) -> Events:
        """Building is part of the first turn: it seeds and draws."""
        self._training = Training(self._race, self.index, self._device)
        yield from train_lane(self._training)

    def _tell(self, event: AnyEvent) -> None:
        self._recorder.put(event)
        if isinstance(event, Alerted) and event.kind == "diverged" and self._race.on_divergence in _POLICIES:
            self._policy = _POLICIES[self._race.on_divergence](lane=self.index)

    def _flush(self, *, last: bool = False) -> None:
        if self._training:
            for event in self._training.probe.seal(last=last):
                self._tell(event)

    def _stop(self) -> str:
        self._flush(last=True)
        while self._training and self._training.probe.bad and not self.over:
            self.run()  # a bad update, found only now: the lane has ended by itself, and says so
        if self.over:
            return "the lane has ended"
        self._recorder.put(Ended(lane=self.index, at=time.time(), step=self.steps, reason="stopped"))
        self._close()
        return "stopped"

    def _fail(self, error: BaseException) -> None:
        text = literal("".join(traceback.format_exception(error)))[-MAX_TRACEBACK:]
        line = literal("".join(traceback.format_exception_only(error))).strip().splitlines()[0]
        try:
            self._flush(last=True)
        except Exception:  # the device may be lost with its numbers: the error itself is what must be told
            pass
        now = time.time()
        self._recorder.put(Alerted(lane=self.index, at=now, step=self.steps, kind="error", text=line[:300]))
        self._recorder.put(Ended(lane=self.index, at=now, step=self.steps, reason="error", error=text))
        error.__traceback__ = None  # its frames hold the model
        self._close()

    def _close(self) -> None:
        """Lets go of everything that the lane had on its device."""
        self.over = True
        self._events = iter(())
        self._training = None
        if self._device.type == "cuda":  # elsewhere the next collection will do; this one takes a tenth of a second
            gc.collect()
            torch.cuda.empty_cache()


def run(path: str, number: int, race: Race, lanes: Sequence[tuple[int, str]], threads: int) -> None:
    """The whole life of trainer `number`: trains `lanes`, pairs of index and device, into the run at `path`."""
    _redirect(Path(path) / f"trainer-{number}.log")
    torch.set_num_threads(threads)
    gc.freeze()  # what torch's import left behind lives for ever: no collection need look at it, nor unshare its pages
    if all(device == "cpu" for _, device in lanes):
        os.nice(10)  # keys stay quick on a busy machine; a GPU's lane must be able to feed it
    recorder = Recorder(Path(path), f"trainer {number}", {index for index, _ in lanes})
    turns = {index: Turn(race, index, device, recorder) for index, device in lanes}
    try:
        take_turns(turns, recorder)
    finally:
        recorder.close()


def take_turns(turns: dict[int, Turn], recorder: Recorder) -> None:
    """Lets the lanes train in turns until all have ended, or the crew is gone."""
    parent_checked = time.monotonic()
    while not all(turn.over for turn in turns.values()):
        for turn in turns.values():
            if not turn.over and not turn.paused and turn.wait_s() <= 0:
                turn.run()
            for number, command in recorder.take():
                recorder.done(number, turns[command.lane].obey(command))
        racing = [turn.wait_s() for turn in turns.values() if not turn.over and not turn.paused]
        if not all(turn.over for turn in turns.values()) and (not racing or min(racing) > 0):
            recorder.wait(min([1.0, *racing]))
        if time.monotonic() - parent_checked > PARENT_CHECK_S:
            parent_checked = time.monotonic()
            parent = multiprocessing.parent_process()
            if parent is not None and not parent.is_alive():
                print("the crew is gone: training ends here", file=sys.stderr, flush=True)
                for turn in turns.values():
                    turn.leave()
                return


def _redirect(log: Path) -> None:
    """What the task or a C++ library prints goes into the trainer's log."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sys.stdout.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
