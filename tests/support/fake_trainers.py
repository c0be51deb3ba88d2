"""Trainer processes that only note what they are started for, and the two ends of a command."""

from lrtui.store.reader import Reader
from lrtui.store.writer import Writer


class FakeTrainer:
    """A trainer that has exited with `exitcode`, or runs if that is None."""

    sentinel = None

    def __init__(self, assignments, exitcode):
        self.assignments = assignments
        self.exitcode = exitcode
        self.signals = []

    def send_signal(self, number):
        self.signals.append(number)


class FakeTrainers:
    """Starts fake trainers, which are killed at once (exit code -9) unless told otherwise."""

    def __init__(self, exitcode=-9):
        self.exitcode = exitcode
        self.started = []
        """(number, race, trainer, threads)"""

    def __call__(self, run, number, race, assignments, threads):
        trainer = FakeTrainer(assignments, self.exitcode)
        self.started.append((number, race, trainer, threads))
        return trainer

    @property
    def trainers(self):
        return [trainer for _, _, trainer, _ in self.started]

    @property
    def lanes(self):
        """The lanes of each trainer, in the order in which they were started."""
        return [[one.index for one in trainer.assignments] for trainer in self.trainers]


def send(run, command):
    """Send a command as a viewer does; its number."""
    writer = Writer(run, "viewer")
    number = writer.send(command)
    writer.close()
    return number


def result_of(run, number):
    """The result of a command; None while it has none."""
    reader = Reader(run)
    result = reader.results([number]).get(number)
    reader.close()
    return result
