"""Loads tasks as a trainer does, each in a process forked from this one, and prints what became of
it: a name and a line."""

import json
import os
import signal
import sys
from pathlib import Path

from lrtui.core.scenario.spec import TaskRef
from lrtui.training import task as tasks
from lrtui.training.exits import exits_reported
from lrtui.training.failure import line


def load(path):
    """What went wrong, in a line; "" where nothing did."""
    target, _, name = path.rpartition(":")
    ref = (
        TaskRef("file", target, name)
        if target.endswith(".py")
        else TaskRef("module", Path(target).name, name, str(Path(target).parent))
    )
    try:
        with exits_reported(ref.short):
            tasks.load(ref).model()
    except (Exception, SystemExit) as error:
        return line(error)
    return (
        ""
        if signal.getsignal(signal.SIGTERM) is handler
        else "the handler of SIGTERM is another one"
    )


def handler(number, frame):
    """Stands for a trainer's own."""


signal.signal(signal.SIGTERM, handler)
for path in sys.argv[1:]:
    if not (child := os.fork()):
        load(path)
        said = load(path)  # another lane of the same process imports the file anew
        sys.stdout.flush()
        os.write(1, f"\n{json.dumps([path, said])}\n".encode())
        os._exit(0)
    os.waitpid(child, 0)
