"""Ways to train in this process, without a supervisor, a store or a screen."""

from pathlib import Path

import numpy as np
import torch

from lrtui.core.protocol.events import Steps
from lrtui.core.scenario import scenario_file
from lrtui.training.loop import train_lane
from lrtui.training.session import Training

TASK_FOLDER = Path(__file__).parents[1] / "training"


def make_race(lanes, task="Dropped", **keys):
    """A race over a task in tasks_for_tests.py, or "bundled:NAME"; `lanes` as in a scenario's
    [[lane]] tables."""
    keys = {"epochs": 3, **keys}
    if "steps" in keys:
        del keys["epochs"]
    place = (
        task.removeprefix("bundled:")
        if task.startswith("bundled:")
        else f"tasks_for_tests.py:{task}"
    )
    raw = {"task": place, "seed": 11, "batch_size": 16, "lane": lanes, **keys}
    return scenario_file.parse(raw, source="test", folder=TASK_FOLDER, scenario="test")


def task_for(optimizer, usual="Dropped"):
    """The task in tasks_for_tests.py that an optimizer can train: SparseAdam takes sparse gradients
    only."""
    return "Sparse" if optimizer == "SparseAdam" else usual


def train(race, index=0, *, deferred=None):
    """All events of one lane, trained alone."""
    training = Training(race, index, torch.device("cpu"), deferred=deferred)
    return [event for event in train_lane(training) if event is not None]


def column(events, name="loss"):
    """A column of all steps, joined."""
    blocks = [event.values(name) for event in events if isinstance(event, Steps)]
    return np.concatenate(blocks).tolist() if blocks else []


def other_race(task, *lanes, **keys):
    """A race over a task in tasks_of_other_data.py."""
    raw = {
        "task": f"tasks_of_other_data.py:{task}",
        "seed": 11,
        "batch_size": 16,
        "lane": list(lanes),
        **keys,
    }
    return scenario_file.parse(raw, source="test", folder=TASK_FOLDER, scenario="test")
