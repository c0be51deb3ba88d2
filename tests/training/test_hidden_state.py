"""State that lies where one does not look for it is put back, or the step gain is not measured:
lanes are the plain loop."""

import math
import os

import pytest
import torch

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.protocol.events import LogMessage, Measured
from lrtui.core.scenario import scenario_file
from lrtui.training.task import load
from support.training import TASK_FOLDER, column, train

from . import hidden_state_tasks as tasks
from .bare import bare_loop
from .plain import plain_loop


@pytest.fixture(autouse=True)
def _every_step(monkeypatch):
    monkeypatch.setattr(Sampling, "due", lambda self, step: True)
    monkeypatch.delenv("LRTUI_TEST_STEP", raising=False)


def race_of(task, **keys):
    raw = {
        "task": f"hidden_state_tasks.py:{task.__name__}",
        "seed": 11,
        "batch_size": 16,
        "epochs": 3,
        "lane": [{"optimizer": "Adam", "lr": 0.01}],
        **keys,
    }
    return scenario_file.parse(raw, source="test", folder=TASK_FOLDER)


def plain(task):
    os.environ.pop("LRTUI_TEST_STEP", None)
    tasks.annealed.set(0)
    loaded = load(race_of(task).task)
    if task in (tasks.InPlace, tasks.SharedCollate):  # they cut their batches themselves
        return plain_loop(loaded, seed=11, epochs=3)[0]
    losses, _ = bare_loop(
        loaded, lambda params: torch.optim.Adam(params, lr=0.01), seed=11, epochs=3, batch_size=16
    )
    return losses


def gains(events):
    return [
        gain
        for event in events
        if isinstance(event, Measured)
        for gain in event.values("gain").tolist()
    ]


@pytest.mark.parametrize("task", tasks.PUT_BACK)
def test_it_is_put_back(task):
    events = train(race_of(task))
    assert column(events) == plain(task)
    assert all(map(math.isfinite, gains(events)))
    assert all(abs(gain) < 3 for gain in gains(events))


@pytest.mark.parametrize("task", tasks.UNSEEN)
def test_what_cannot_be_seen_is_found_by_a_rehearsal(task):
    events = train(race_of(task))
    assert column(events) == plain(task)
    assert all(map(math.isnan, gains(events)))
    notes = [event.text for event in events if isinstance(event, LogMessage)]
    assert notes == [
        "the step gain is not measured: the loss cannot be computed a second time, it gives another"
        " value each time, and what it depends on cannot be found"
    ]
