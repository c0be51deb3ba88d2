"""Tasks that are scripts, raced from the command line in folders that hold names of other
modules."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.core.scenario.spec import Race
from lrtui.store.reader import Reader
from lrtui.store.run_dir import find

SHADOWS = (
    "random",
    "queue",
    "types",
    "select",
    "statistics",
    "torch",
    "numpy",
    "click",
    "textual",
    "msgspec",
    "lrtui_task",
)
TASK = """
import argparse
import torch
from torch import nn
from torch.utils.data import TensorDataset
import helpers

parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, default=8)
width = parser.parse_args().width


class Named:
    def model(self):
        return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))

    def dataset(self):
        return TensorDataset(*helpers.rows())

    def loss(self, model, batch):
        made = model(batch[0])
        loss = nn.functional.mse_loss(made, batch[1])
        return {"loss": loss, "error/mean": (made - batch[1]).mean(), "made": made}


class Pair(Named):
    def loss(self, model, batch):
        return super().loss(model, batch)["loss"], batch
"""
HELPERS = """
import torch

def rows():
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    return x, x.sum(1, keepdim=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task, a module that it imports, and files that have the names of other
    modules."""
    folder = tmp_path_factory.mktemp("scripts")
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(
            "raise RuntimeError('a file of the user has been imported')\n"
        )
    (folder / "train.py").write_text(TASK)
    (folder / "helpers.py").write_text(HELPERS)
    return folder


def lrtui(
    folder: Path, *args: str, flags: tuple[str, ...] = ("-P",)
) -> subprocess.CompletedProcess[str]:
    """The command, whose path of modules has no folder of the user's."""
    return subprocess.run(
        [sys.executable, *flags, "-m", "lrtui", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"LRTUI_RUNS": str(folder / "runs"), "TERM": "dumb", "HF_HOME": "/a/cache"},
    )


def newest_race(folder: Path) -> Race:
    """The race of the newest run."""
    reader = Reader(find(None, folder / "runs"))
    try:
        return reader.race
    finally:
        reader.close()


@pytest.mark.parametrize(
    "args",
    [
        ("race", "linear", "--steps", "5", "--set", "pace=0", "--plain"),
        ("schedule", "StepLR(step_size=10)"),
        ("runs",),
    ],
)
def test_what_is_bundled_needs_no_file_of_the_working_directory(folder, args):
    done = lrtui(folder, *args)
    assert (done.returncode, "has been imported" in done.stdout + done.stderr) == (0, False), (
        done.stderr
    )


def test_nor_where_python_starts_with_that_directory_first_on_its_path(tmp_path):
    # with a types.py there, Python cannot even start a module
    for name in ("random", "queue", "select", "numpy", "click"):
        (tmp_path / f"{name}.py").write_text(
            "raise RuntimeError('a file of the user has been imported')\n"
        )
    done = lrtui(tmp_path, "schedule", "StepLR(step_size=10)", flags=())
    assert (done.returncode, done.stderr) == (0, "")


def test_task_beside_shadowing_files_trains_and_exports_its_columns(folder):
    done = lrtui(
        folder,
        "race",
        "--task",
        "train.py:Named",
        "--lr",
        "0.01",
        "--epochs",
        "2",
        "--batch-size",
        "8",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    steps = [line for line in map(json.loads, done.stdout.splitlines()) if line["event"] == "steps"]
    told = [value for line in steps for value in line["error/mean"]]
    assert len(told) == 8
    assert "made" not in steps[0]
    assert lrtui(folder, "export", "--csv", str(folder / "out")).returncode == 0
    rows = list(csv.DictReader((folder / "out" / "A-steps.csv").open()))
    assert [float(row["error/mean"]) for row in rows] == told
    page = folder / "race.html"
    assert lrtui(folder, "report", "--html", str(page)).returncode == 0
    # stays in the run's folder, and out of what is passed on
    assert newest_race(folder).environment["HF_HOME"] == "/a/cache"
    assert (
        "/a/cache"
        not in page.read_text() + (folder / "out" / "race.json").read_text() + done.stdout
    )


def test_a_loss_that_will_not_do_is_told_without_a_traceback(folder):
    done = lrtui(
        folder, "race", "--task", "train.py:Pair", "--lr", "0.01", "--epochs", "1", "--plain"
    )
    assert done.returncode == 1
    assert (
        "! error: loss() of train.py:Pair gave a tuple (tensor of shape [], float32, list);"
        " expected" in done.stdout
    )
    assert "Traceback" not in done.stdout
    assert "TaskError" not in done.stdout + done.stderr
