"""A race that is taken up from another folder, by another shell: its tasks find what they found
where it was started."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import msgspec
import psutil
import pytest
import torch

from lrtui.client.launcher import Launcher
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.commands import Add, Fork, Rewind
from lrtui.core.protocol.events import Rewound
from lrtui.core.scenario import scenario_file
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.writer import Writer
from support.supervised import Watcher
from support.training import column
from support.waiting import until

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.usefixtures("_nobody_stays")]

TASK = """
import os
import torch
from torch import nn
from torch.utils.data import TensorDataset

SCALE = float(os.environ["ROWS_SCALE"])


class Rows:
    def model(self):
        return nn.Linear(4, 1)

    def dataset(self):
        import beside, shared  # late: beside the file, and along PYTHONPATH
        assert (beside.here, shared.here) == (1, 2)
        x = torch.load("data/rows.pt") * SCALE
        return TensorDataset(x, x.sum(1, keepdim=True))

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0]), batch[1])
"""
BUDGET = {"seed": 3, "batch_size": 8, "lane": [{"lr": 0.01}]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where a race is started, with what its task needs; the shell's variables are
    set."""
    home = tmp_path / "home"
    for folder in ("data", "package", "lib", "tasks"):
        (home / folder).mkdir(parents=True)
    torch.save(
        torch.randn(32, 4, generator=torch.Generator().manual_seed(0)), home / "data" / "rows.pt"
    )
    for place in (home, home / "package", home / "tasks"):
        (place / "mine.py").write_text(TASK)
        (place / "beside.py").write_text("here = 1\n")
    (home / "lib" / "shared.py").write_text("here = 2\n")
    monkeypatch.chdir(home)
    monkeypatch.setenv("ROWS_SCALE", "0.5")
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setenv("PYTHONPATH", "lib")
    return home


def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Into another shell, in a folder that has a module of the same name."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.py").write_text("raise RuntimeError('the wrong one')\n")
    (other / "beside.py").write_text("here = 'elsewhere'\n")
    monkeypatch.chdir(other)
    monkeypatch.delenv("ROWS_SCALE")
    monkeypatch.delenv("PYTHONPATH")


def race(ref: str, **keys: object):
    return scenario_file.parse(
        {"task": ref, **BUDGET, **keys}, source="test", folder=Path.cwd(), scenario="test"
    )


def interrupted(run: Path) -> Watcher:
    """Sees some steps, then ends the supervisor as a machine does that shuts down."""
    watcher = Watcher(run).see(lambda seen: seen.state.lanes[0].steps >= 10, "ten steps")
    os.kill(watcher.reader.supervisor().pid, signal.SIGTERM)
    watcher.see_the_end()
    assert watcher.ends() == ["interrupted"]
    until(lambda: not watcher.reader.supervisor().alive(), "the supervisor's end")
    return watcher


def whole(events: list) -> list[float]:
    """The losses of all steps, those that came again counted once."""
    losses: list[float] = []
    for event in events:
        if isinstance(event, Rewound):
            del losses[event.step :]
        losses += column([event])
    return losses


@pytest.mark.parametrize("ref", ["mine.py:Rows", "mine:Rows", "package/mine.py:Rows"])
def test_it_goes_on_as_if_nothing_had_happened(ref, home, tmp_path, monkeypatch):
    undisturbed = Watcher(Launcher().start(race(ref, steps=60), tmp_path / "runs")).see_the_end()
    watcher = interrupted(Launcher().start(race(ref, steps=60, pace=25), tmp_path / "runs"))
    away(tmp_path, monkeypatch)
    Launcher().resume(watcher.reader.run)
    watcher.see(lambda seen: seen.ends() == ["finished"], "the end")
    assert whole(watcher.lanes[0]) == column(undisturbed.lanes[0])
    recorded = watcher.reader.race
    assert recorded.folder == str(home)
    assert recorded.environment == {"PYTHONPATH": str(home / "lib"), "ROWS_SCALE": "0.5"}


def test_a_finished_race_is_rewound_and_forked_from_elsewhere(home, tmp_path, monkeypatch):
    watcher = Watcher(
        Launcher().start(race("tasks/mine.py:Rows", steps=40), tmp_path / "runs")
    ).see_the_end()
    until(lambda: not watcher.reader.supervisor().alive(), "the supervisor's end")
    away(tmp_path, monkeypatch)
    first = column(watcher.lanes[0])
    writer = Writer(watcher.reader.run, "viewer")
    child = msgspec.structs.replace(watcher.reader.race.lanes[0], name="child")
    numbers = [writer.send(Rewind(lane=0, to=0)), writer.send(Add(lane=-1, child=child))]
    Launcher().resume(watcher.reader.run)
    until(lambda: len(writer.results(numbers)) == 2, "the answers")
    watcher.lanes.append([])  # of the lane that joins
    watcher.see(lambda seen: seen.ends() == ["finished"] * 2, "both ends")
    assert whole(watcher.lanes[0]) == first
    assert (
        watcher.state.lanes[1].columns["loss"].values.tolist()
        == watcher.state.lanes[0].columns["loss"].values.tolist()
    )
    writer.close()


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (".", "the folder in which the race was started: No such file or directory"),
        ("mine.py", "mine.py: no such file; expected a Python file"),
        (
            "data/rows.pt",
            "FileNotFoundError: [Errno 2] No such file or directory: 'data/rows.pt' (mine.py:17)",
        ),
    ],
)
def test_what_is_missing_is_told_by_name_and_can_be_put_back(
    lost, said, home, tmp_path, monkeypatch
):
    watcher = interrupted(
        Launcher().start(race("mine.py:Rows", steps=60, pace=25), tmp_path / "runs")
    )
    away(tmp_path, monkeypatch)
    shutil.move(home / lost, tmp_path / "moved")
    if lost == ".":
        with pytest.raises(LrtuiError) as error:
            Launcher().resume(watcher.reader.run)
        assert error.value.message == f"{home}, {said}"
    else:
        Launcher().resume(watcher.reader.run)
        watcher.see(
            lambda seen: any(said in text for _, _, text in seen.state.log),
            "the missing file's name",
        )
        until(lambda: not watcher.reader.supervisor().alive(), "the supervisor's end")
    shutil.move(tmp_path / "moved", home / lost)
    assert [lane.unfinished for lane in lane_summaries(watcher.reader.run)] == [True]
    Launcher().resume(watcher.reader.run)
    watcher.see(lambda seen: seen.ends() == ["finished"], "the end")


def test_race_goes_on_and_forks_after_its_starting_folder_is_deleted(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    race = msgspec.structs.replace(
        scenario_file.load("linear"), epochs=None, steps=100_000, pace=50
    )
    run = Launcher().start(race, tmp_path / "runs")
    watcher = Watcher(run).see(lambda seen: seen.state.lanes[0].steps >= 5, "some steps")
    monkeypatch.chdir(tmp_path)
    gone.rmdir()
    writer = Writer(run, "viewer")
    number = writer.send(
        Fork(lane=0, child=msgspec.structs.replace(watcher.reader.race.lanes[0], name="child"))
    )
    until(lambda: writer.results([number]), "the answer")
    assert "forked from A" in writer.results([number])[number].text
    for process in psutil.Process(watcher.reader.supervisor().pid).children(recursive=True):
        assert Path(os.readlink(f"/proc/{process.pid}/cwd")) == Path("/")
    os.kill(watcher.reader.supervisor().pid, signal.SIGTERM)
    until(lambda: not watcher.reader.supervisor().alive(), "the supervisor's end")
    writer.close()
