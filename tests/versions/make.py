"""Makes the fixture of a schema version with the program as it is today: `python tests/versions/make.py version-N.tar.xz`.

A race with a snapshot of every tag, a dialled lane, a fork, a lane that a person and one that a policy sent back, stopped with
all lanes interrupted; and the two runs of a finder. Fixtures are made once, by the last program that writes the version.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path
from typing import get_args

from lrtui.core.protocol.events import Tag

SCENARIO = """
title = "Made by {version}"
task = "straight-line"
seed = 5
steps = 20000
pace = 90
batch_size = 16
sample_every = 50
on_nan = "rewind"

[snapshots]
seconds = 3600
steps = 40

[defaults]
optimizer = "SGD"

[[lane]]
lr = 0.003

[[lane]]
lr = 0.004
momentum = 0.9

[[lane]]
optimizer = "Adam"
lr = 0.02
schedule = "OneCycleLR"

[[lane]]
optimizer = "AdamW"
lr = 0.01
schedule = "CosineAnnealingLR"
"""


def lrtui(runs: Path, *words: str, check: bool = True) -> str:
    done = subprocess.run([sys.executable, "-P", "-m", "lrtui", *words], capture_output=True, text=True, check=False,
                          env={**os.environ, "LRTUI_RUNS": str(runs)})
    if check and done.returncode not in (0, 1):
        raise SystemExit(f"{words}: {done.stdout}{done.stderr}")
    return done.stdout


def send(runs: Path, run: str, *words: str) -> None:
    print(*words, "->", lrtui(runs, "send", run, *words).strip())


def race(runs: Path, scenario: Path) -> None:
    """The race, with everything that a person can do to it."""
    front = subprocess.Popen([sys.executable, "-P", "-m", "lrtui", "race", str(scenario), "--json"], text=True,
                             stdout=subprocess.PIPE, env={**os.environ, "LRTUI_RUNS": str(runs)})
    assert front.stdout
    reached = dict.fromkeys("ABCDEF", 0)

    def until(step: int, lanes: str) -> None:
        while any(reached[lane] < step for lane in lanes):
            told = json.loads(front.stdout.readline())
            if told.get("event") == "steps":
                reached[told["lane"]] = told["first"] + len(told["loss"])

    until(150, "ABCD")
    run = next(runs.iterdir()).name
    send(runs, run, "A", "pause")
    send(runs, run, "A", "resume")
    send(runs, run, "A", "scale", "0.5")
    until(250, "ABCD")
    send(runs, run, "A", "fork", "--lr", "0.002", "--name", "forked")
    send(runs, run, "C", "rewind", "--scale", "0.7")
    send(runs, run, "D", "snapshot")
    until(350, "ABD")
    send(runs, run, "B", "scale", "400")
    send(runs, run, "D", "scale", "1000")
    until(1000, "AD")
    front.send_signal(2)
    front.communicate()


def main() -> None:
    archive = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        work, kept = Path(folder, "work"), Path(folder, "kept")
        work.mkdir()
        scenario = work / "version.toml"
        scenario.write_text(SCENARIO.format(version=archive.name.split(".")[0]))
        race(work / "race", scenario)
        lrtui(work / "find", "find", "--task", "straight-line", "--optimizer", "SGD", "--json")
        for kind in ("race", "find"):
            shutil.copytree(work / kind, kept / kind, ignore=shutil.ignore_patterns("*.log", "run.db*"))
        for database in work.rglob("run.db"):  # with what is still in its journal
            to = kept / database.relative_to(work)
            with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as copy:
                source.backup(copy)
        tags = {path.stem.rpartition("-")[2] for path in kept.rglob("*.snap")}
        assert tags == set(get_args(Tag)), tags
        with tarfile.open(archive, "w:xz") as file:
            file.add(kept, ".")


if __name__ == "__main__":
    main()
