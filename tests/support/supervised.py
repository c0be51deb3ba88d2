"""Races in real processes, and a watcher of them."""

import sqlite3

import psutil

from lrtui.client.launcher import Launcher
from lrtui.core.protocol.events import LogMessage, Started
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store.reader import Reader
from lrtui.store.run_dir import DATABASE
from support.waiting import until


class Watcher:
    """Someone who looks at a run: all that was told so far, and the state it makes."""

    def __init__(self, run):
        self.reader = Reader(run)
        self.state = RaceState(self.reader.race)
        self.lanes = [[] for _ in self.reader.race.lanes]

    def look(self):
        for event in self.reader.poll():
            apply(self.state, event)
            if event.lane >= 0:
                self.lanes[event.lane].append(event)
        return self

    def see(self, condition, what):
        until(lambda: condition(self.look()), what)
        return self

    def see_the_end(self):
        return self.see(lambda watcher: watcher.state.over, "the end of the race")

    def notes(self):
        return [
            event.text for lane in self.lanes for event in lane if isinstance(event, LogMessage)
        ]

    def ends(self):
        return [lane.status for lane in self.state.lanes]


def start(race, runs, trainers=16):
    return Launcher().start(race, runs, trainers)


def beginning(events):
    """How a lane began; what is to be said of its schedule stands before it."""
    return next(event for event in events if isinstance(event, Started))


def pids(run, role):
    with sqlite3.connect(run / DATABASE) as db:
        return [
            pid
            for (pid,) in db.execute(
                "SELECT pid FROM processes WHERE role LIKE ? ORDER BY role", (role,)
            )
        ]


def gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
