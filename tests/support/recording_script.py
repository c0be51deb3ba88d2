"""A script that records its lane itself, without torch: `recording_script.py [WORD ...]`.

steps=N: it ends after so many steps; without it, never. exit=N: its exit code. silent: it makes no
step. deaf: it takes no stop command. stubborn: it ignores SIGTERM. child: it starts a process that
outlives it; stubborn-child: one that ignores SIGTERM, too; apart: in a session of its own. nan: its
third loss. NAME: it prints that variable. tail: it goes on as a child of itself, and its main process ends.
"""

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

from lrtui.core.protocol.command_result import done
from lrtui.core.protocol.commands import Rewind, Stop, TakeSnapshot
from lrtui.core.protocol.events import Alerted, Column, Started, Steps
from lrtui.store.recorder import Recorder
from lrtui.store.run_dir import trainer_role

SLEEPER = "import signal, sys, time\n{ignore}\nprint('asleep', flush=True)\ntime.sleep(600)"
IGNORE = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
STEP_S = 0.01


def main(words):
    settings = dict(word.split("=") for word in words if "=" in word)
    if "stubborn" in words:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for name, ignore in (("child", ""), ("stubborn-child", IGNORE)):
        if name in words:
            start_child(SLEEPER.format(ignore=ignore), apart="apart" in words)
    if "tail" in words:
        rest = [word for word in words if word != "tail"]
        child = subprocess.Popen([sys.executable, __file__, *rest], stdout=subprocess.PIPE)
        while child.stdout.readline() != b"records\n":
            pass
        return 0
    print("begins", *words, flush=True)
    for name in filter(str.isupper, words):
        print(f"{name}={os.environ.get(name)}")
    if "silent" not in words:
        record(words, int(settings.get("steps", 1 << 30)))
    elif "steps" not in settings:
        signal.pause()
    if "raise" in words:
        raise ValueError("[bold]the script broke[/bold]")
    return int(settings.get("exit", 0))


def start_child(code, *, apart):
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=apart
    )
    child.stdout.readline()  # it ignores what it is to ignore
    print(f"child {child.pid}", flush=True)


def record(words, steps):
    lane = int(os.environ["LRTUI_LANE"])
    recorder = Recorder(Path(os.environ["LRTUI_RUN"]), trainer_role(lane), {lane})
    recorder.put(
        Started(
            lane=lane,
            device="cpu",
            steps_per_epoch=1,
            total_steps=0,
            parameters=1,
            init_checksum="",
            batch_checksum="",
            intra_op_threads=1,
            validated=False,
            batch_size=0,
            length_known=False,
        )
    )
    recorder.wait_flushed(600.0)
    print("records", flush=True)
    for step in range(steps):
        loss = math.nan if "nan" in words and step == 2 else 1 / (step + 1)
        columns = {
            "loss": [loss],
            "applied_lr": [0.1],
            "next_lr": [0.1],
            "grad_norm": [1.0],
            "seconds": [STEP_S],
        }
        packed = {name: Column.pack(values) for name, values in columns.items()}
        recorder.put(Steps(lane=lane, first=step, count=1, columns=packed))
        if math.isnan(loss):
            recorder.put(Alerted(lane=lane, step=step, kind="nan", text="loss nan at step 2"))
        for number, command in recorder.commands():
            if "deaf" not in words and not isinstance(command, Rewind | TakeSnapshot):
                recorder.acknowledge(number, done(f"{type(command).__name__} at step {step}"))
                if isinstance(command, Stop):
                    recorder.close()
                    sys.exit(1)
        recorder.wait(STEP_S)
    recorder.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
