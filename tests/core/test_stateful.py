"""The state of the rules can be saved at any step and restored into fresh ones, which then know the
same."""

import json
import math
import random

import pytest

from lrtui.core.diagnostics.loss_monitor import LossMonitor
from lrtui.core.stateful import Stateful


def judged(judge, steps):
    """What a judge says of some steps: sentences, spikes, findings."""
    said = []
    for step in steps:
        if step % 7 == 0:
            judge.measured(step, 1 - step / 300)
        loss = (
            10 * 0.99**step + random.Random(step).random() + 1e7 * (step > 330) + 90 * (step == 200)
        )
        loss = math.nan if step == 120 else loss
        said.append(
            (
                judge.update(loss, loss / 2 if step % 10 == 0 else None),
                repr(judge.findings()),
                repr(judge.smooth),
            )
        )
    return said


@pytest.mark.parametrize("cut", [0, 1, 30, 49, 50, 51, 121, 201, 335])
def test_a_judge_goes_on_from_the_state_of_another(cut):
    first = LossMonitor(400)
    whole = judged(LossMonitor(400), range(400))
    before = judged(first, range(cut))
    memory = json.loads(json.dumps(first.state_dict()))
    second = LossMonitor(400)
    second.load_state_dict(memory)
    assert before + judged(second, range(cut, 400)) == whole
    assert any(said for (said, _), _, _ in whole)
    assert any(spike for (_, spike), _, _ in whole)


def test_state_dict_is_a_copy():
    judge = LossMonitor(100)
    judged(judge, range(20))
    memory = judge.state_dict()
    text = json.dumps(memory)
    second = LossMonitor(100)
    second.load_state_dict(memory)
    judged(judge, range(20, 60))
    judged(second, range(20, 60))
    assert json.dumps(memory) == text


def test_attribute_missing_from_stored_state_keeps_its_initial_value():
    memory = LossMonitor(10).state_dict()
    del memory["_hot"]
    judge = LossMonitor(10)
    judge.load_state_dict(memory)
    assert judge._hot is False


def test_findings_are_stored_by_the_names_of_the_first_version():
    """The field `reversal_share` is stored as "turns" in snapshots, as it is in events."""
    state = LossMonitor(10).state_dict()
    assert {"turns", "jumps"} <= state["_window"].keys()
    state["_window"]["turns"] = 0.75
    monitor = LossMonitor(10)
    monitor.load_state_dict(state)
    assert monitor._window.reversal_share == 0.75


def test_every_attribute_is_stored():
    """One that is forgotten would come back as it was at step 0."""

    def check(thing):
        names = set(getattr(type(thing), "__slots__", ())) | set(getattr(thing, "__dict__", ()))
        assert set(type(thing).STATE.values()) == names
        for name in names:
            if isinstance(getattr(thing, name), Stateful):
                check(getattr(thing, name))

    check(LossMonitor(100))
