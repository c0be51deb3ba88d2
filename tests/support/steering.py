"""Commands to a lane that trains in the test's own process, between two of its steps."""

import math
import threading

from lrtui.core.protocol.commands import Pause, Resume
from lrtui.core.protocol.events import Logged, StatusChanged
from lrtui.store.run_dir import find, listing
from lrtui.store.writer import Writer
from support.scripts import Ran, record
from support.waiting import until

_pause = threading.Event()


class Steering:
    """Sends commands to the newest run, and knows when they have been executed."""

    def __init__(self, runs, *commands, more=5, moment=0.01):
        """`more`: steps to make once the commands are answered; until then each step gives the
        recorder `moment` seconds."""
        self.runs, self.commands, self.more, self.moment = runs, commands, more, moment
        self.writer = None
        self.numbers = []
        self.results = []

    def step(self):
        """To be called at each step's end; True at the last one that is wanted."""
        if self.writer is None:
            self.writer = Writer(find(None, self.runs), "test")
            self.numbers = [self.writer.send(command) for command in self.commands]
        if not self.results:
            _pause.wait(self.moment)
            found = self.writer.results(self.numbers)
            if len(found) == len(self.numbers):
                self.results = [found[number] for number in self.numbers]
                assert all(result.ok for result in self.results), self.results
            return False
        self.more -= 1
        return self.more <= 0


def newest(runs):
    """What the newest run recorded of its first lane."""
    return Ran(0, "", "", record(find(None, runs)))


def doubled_from(optimizer, first):
    """Double the rates of a torch optimizer in its steps from number `first` on, as a stranger to
    lrtui would."""
    steps = 0

    def before(optimizer, args, kwargs):
        if steps >= first:
            for group in optimizer.param_groups:
                group["usual"], group["lr"] = group["lr"], group["lr"] * 2

    def after(optimizer, args, kwargs):
        nonlocal steps
        for group in optimizer.param_groups:
            group["lr"] = group.pop("usual", group["lr"])
        steps += 1

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)


class Pauser(threading.Thread):
    """Pauses the only run of a folder once it is there, and resumes it when it has paused."""

    def __init__(self, runs):
        super().__init__(daemon=True)
        self.runs = runs
        self.start()

    def run(self):
        until(lambda: listing(self.runs), "a run")
        writer = Writer(listing(self.runs)[0], "test")
        for command in (Pause(0), Resume(0)):
            number = writer.send(command)
            until(lambda number=number: writer.results([number]), f"the answer to {command}")

    @property
    def done(self):
        """True once the lane was paused and resumed; to be asked at each step's end."""
        if self.is_alive():
            _pause.wait(0.01)
        return not self.is_alive()


def logged(ran):
    """Each number that was logged, as (step, value) in order, by name."""
    found = {}
    for log in ran.of(Logged):
        for name in log.columns:
            pairs = zip(log.steps, log.values(name).tolist(), strict=True)
            found.setdefault(name, []).extend(pair for pair in pairs if not math.isnan(pair[1]))
    return found


def statuses(ran):
    """The lane's pauses and resumptions."""
    return [event.status for event in ran.of(StatusChanged)]
