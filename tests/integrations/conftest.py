"""Lanes of scripts in the process of a test."""

import importlib

import pytest
import torch

from lrtui.integrations.script import lane as script_lane
from lrtui.integrations.script.lane import ScriptLane
from support.script_lanes import Recorded
from support.scripts import script_race

optimizer_module = importlib.import_module("torch.optim.optimizer")  # torch.optim deletes the name


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begins a lane whose recording is in memory; ends all of them after the test."""
    lanes = []

    def begun(lr=0.0, optimizer=None, raises=True, **race):
        recording = Recorded()
        monkeypatch.setattr(script_lane, "recorder", lambda run, lane: recording)
        lane = ScriptLane(tmp_path, script_race("train.py", lr, **race), 0, raises=raises)
        lane.install(optimizer)
        lanes.append(lane)
        return lane, recording

    yield begun
    for lane in lanes:
        lane.finish()
    assert not optimizer_module._global_optimizer_pre_hooks
    assert torch.autograd.backward.__module__ == "torch.autograd"
    assert not hasattr(torch.autograd.backward, "__wrapped__")
