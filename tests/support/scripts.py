"""Scripts run as lanes, without a supervisor: a run, a process of the script, its record."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import lrtui
from lrtui.core.protocol.events import Started, Steps
from lrtui.core.scenario.spec import Lane, OptimizerSpec, Race, Script, TaskRef, letter
from lrtui.store.reader import Reader
from lrtui.store.writer import Writer, create_run

INJECT = Path(lrtui.__file__).parent / "integrations" / "inject"
LIMIT_S = 240.0


def script_race(script, *rates, steps=None, seed=0, seeded=True, on_nan="warn", args=()):
    """A race of a script with a lane for each rate; 0: the script's own."""
    lanes = tuple(
        Lane(letter(index), f"lane {index}", OptimizerSpec(""), rate)
        for index, rate in enumerate(rates or (0.0,))
    )
    command = (sys.executable, str(script), *args)
    task = TaskRef("script", str(script), Path(script).stem)
    return Race(
        "a script",
        task,
        lanes,
        seed=seed,
        steps=steps,
        on_nan=on_nan,
        scenario=task.name,
        script=Script(command, seeded=seeded),
    )


class Ran(NamedTuple):
    """A script's process that has ended, and what it recorded of its lane."""

    code: int
    out: str
    err: str
    events: list

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def started(self):
        return self.of(Started)[0]

    def column(self, name):
        return [value for block in self.of(Steps) for value in block.values(name).tolist()]


def environment(run, lane=0, seed=None, **more):
    """The environment of a script's process."""
    path = os.pathsep.join(filter(None, [str(INJECT), os.environ.get("PYTHONPATH", "")]))
    seeds = {} if seed is None else {"LRTUI_SEED": str(seed)}
    return {
        **os.environ,
        "LRTUI_RUN": str(run),
        "LRTUI_LANE": str(lane),
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        **seeds,
        **more,
    }


def run_script(race, runs, lane=0, *, commands=(), env=None, argv=None):
    """Run the script of a lane to its end; `commands` wait for it in the record."""
    run = create_run(runs, race)
    writer = Writer(run, "test")
    for command in commands:
        writer.send(command)
    seed = race.seed if race.script.seeded else None
    done = subprocess.run(
        argv or race.script.command_of(race.lanes[lane]),
        env=environment(run, lane, seed, **(env or {})),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr, record(run, lane))


def record(run, lane=0):
    """All events of a lane."""
    reader = Reader(run)
    events = []
    while not reader.caught_up:
        events += reader.poll(1.0)
    reader.close()
    return [event for event in events if event.lane == lane]
