"""State in modules of the user's own, beside the task's file or in a package of tasks: each lane
has its own, as each run of a plain script has."""

import colorsys
import json
import subprocess
import sys

import pytest
import torch

from lrtui.core.scenario import scenario_file
from lrtui.training.loop import Training
from support.lane_runners import Tape, run_shortest_slices, runners_of
from support.supervised import Watcher, start
from support.training import TASK_FOLDER, column

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.usefixtures("_nobody_stays")]

TASKS = """
import copy, pickle
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import helpers
import plainfolder.inner
from parts import state
NOISE = torch.randn(3)  # after what the helpers drew
assert pickle.loads(pickle.dumps(helpers.Kept)) is helpers.Kept

class Base:
    def model(self): return nn.Linear(3, 1)
    def dataset(self):
        x = torch.randn(48, 3, generator=torch.Generator().manual_seed(1))
        return TensorDataset(x, x.sum(1, keepdim=True))
    def touch(self): return 0
    def loss(self, model, batch): return nn.functional.mse_loss(model(batch[0]), batch[1]) * (1 + self.touch() / 100)

class Counter(Base):
    def touch(self): helpers.calls += 1; return helpers.calls

class InAPackage(Base):
    def touch(self): state.calls += 1; return state.calls

class InAFolder(Base):
    def touch(self): plainfolder.inner.calls += 1; return plainfolder.inner.calls

class OfTheClass(Base):
    calls = 0
    def touch(self): OfTheClass.calls += 1; return OfTheClass.calls

class Late(Base):
    def touch(self):
        import late
        late.calls += 1
        return late.calls

class Drawn(Base):
    def touch(self): return float(NOISE.sum() + helpers.WEIGHTS.sum())

class InAWorker(Base):
    def dataset(self): return DataLoader(super().dataset(), batch_size=16, num_workers=1, collate_fn=helpers.kept)
    def loss(self, model, batch):
        assert type(batch) is helpers.Kept
        batch.count()
        return super().loss(model, batch)
    def touch(self): return helpers.Kept.calls
"""
HELPERS = """
import random
import numpy, torch
from torch.utils.data import default_collate
calls = 0
WEIGHTS = torch.randn(4) + random.random() + float(numpy.random.rand())
class Kept(list):
    calls = 0
    def count(self): type(self).calls += 1
def kept(rows): return Kept(default_collate(rows))
"""
FILES = {
    "tasks.py": TASKS,
    "helpers.py": HELPERS,
    "late.py": "calls = 0\n",
    "parts/__init__.py": "",
    "parts/state.py": "calls = 0\n",
    "plainfolder/inner.py": "calls = 0\n",
}

NAMES = ["Counter", "InAPackage", "InAFolder", "OfTheClass", "Late", "Drawn", "InAWorker"]
SCRIPT = """
import json, random, sys
import numpy, torch
from bare import bare_loop
from plain import plain_loop
torch.set_num_threads(1)
folder, name = sys.argv[1:]
sys.path.insert(0, folder)
torch.manual_seed(11); random.seed(11); numpy.random.seed(11)
import tasks
task = getattr(tasks, name)()
if name == "InAWorker":
    losses, _ = plain_loop(task, seed=11, epochs=3)
else:
    losses, _ = bare_loop(task, lambda params: torch.optim.Adam(params, lr=0.01), seed=11, epochs=3, batch_size=16)
print(json.dumps(losses))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text)
    return path


@pytest.fixture(scope="module")
def plain(folder):
    """The losses of a task in a script of its own."""
    known = {}

    def losses(name):
        if name not in known:
            done = subprocess.run(
                [sys.executable, "-c", SCRIPT, str(folder), name],
                cwd=TASK_FOLDER,
                capture_output=True,
                text=True,
                check=True,
            )
            known[name] = json.loads(done.stdout)
        return known[name]

    return losses


def race_of(folder, name, place, lanes=3, **keys):
    raw = {
        "task": f"{place}:{name}",
        "seed": 11,
        "batch_size": 16,
        "epochs": 3,
        "lane": [{"optimizer": "Adam", "lr": 0.01}] * lanes,
        **keys,
    }
    return scenario_file.parse(raw, source="test", folder=folder, scenario="test")


@pytest.mark.parametrize(
    ("place", "name"),
    [("tasks.py", name) for name in NAMES] + [("tasks", "OfTheClass"), ("tasks", "Late")],
)
def test_lanes_that_take_turns_are_the_script_each(
    folder, plain, place, name, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(str(folder))  # where a module is looked for
    race, tape, before = race_of(folder, name, place), Tape(), set(sys.modules)
    run_shortest_slices(runners_of(race, tape, tmp_path))
    for index in range(3):
        assert column(tape.of(index)) == plain(name)
    # ended lanes let go
    assert not {"helpers", "late", "parts", "plainfolder", "tasks"} & (sys.modules.keys() - before)


@pytest.mark.parametrize("name", ["Late", "InAWorker"])
def test_in_a_real_trainer_too(folder, plain, name, tmp_path):
    watcher = Watcher(
        start(race_of(folder, name, "tasks.py", 2), tmp_path, trainers=1)
    ).see_the_end()
    assert watcher.ends() == ["finished"] * 2, watcher.notes()
    assert [column(events) for events in watcher.lanes] == [plain(name)] * 2


def test_a_lane_that_is_built_again_begins_with_modules_as_new(folder):
    race = race_of(folder, "Counter", "tasks.py", 1)
    tasks = [Training(race, 0, torch.device("cpu")).task for _ in range(2)]
    assert tasks[0].touch() == tasks[1].touch() == 1


def test_a_task_and_a_schedule_of_one_lane_share_their_modules(folder):
    (folder / "own.py").write_text(
        "import helpers\n"
        "import torch\n"
        "def growing(optimizer):\n"
        "    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 + helpers.calls)\n"
    )
    race = race_of(
        folder, "Counter", "tasks.py", 1, lane=[{"lr": 0.01, "schedule": "own.py:growing"}]
    )
    training = Training(race, 0, torch.device("cpu"))
    training.task.touch()
    training.optimizer.step()
    training.schedule.after_batch()
    training.schedule.after_epoch(0.0)
    assert training.next_rate == pytest.approx(0.02)


def test_code_that_can_be_imported_once_in_a_process_is_shared(folder, monkeypatch, capsys):
    """A name in a registry of a library, for which an attribute of a standard module stands
    here."""
    monkeypatch.setattr(colorsys, "registered", [], raising=False)
    (folder / "registers.py").write_text(
        "import colorsys\n"
        "import torch\n"
        "torch.randn(3)\n"
        "assert 'mine' not in colorsys.registered, 'mine is taken'\n"
        "colorsys.registered.append('mine')\n"
    )
    (folder / "once.py").write_text("import registers\n" + TASKS)
    trainings = [
        Training(race_of(folder, "Drawn", "once.py", 1), 0, torch.device("cpu")) for _ in range(2)
    ]
    first, second = (training.task for training in trainings)
    assert type(first) is not type(second)  # its file is its own
    assert (
        first.touch.__func__.__globals__["helpers"] is second.touch.__func__.__globals__["helpers"]
    )
    assert (
        "cannot be imported twice in a process (mine is taken): lanes share its modules"
        in capsys.readouterr().err
    )
