"""What the rules remember can be taken out at any step and put into fresh ones, which then know the same."""

import json
import math
import random

import pytest

from lrtui.core.detectors import Judge
from lrtui.core.memory import recall, remembered


def judged(judge, steps):
    """What a judge says of some steps: sentences, spikes, findings."""
    said = []
    for step in steps:
        if step % 7 == 0:
            judge.measured(step, 1 - step / 300)
        loss = 10 * 0.99**step + random.Random(step).random() + 1e7 * (step > 330) + 90 * (step == 200)
        loss = math.nan if step == 120 else loss
        said.append((judge.update(loss, loss / 2 if step % 10 == 0 else None), repr(judge.findings()), repr(judge.smooth)))
    return said


@pytest.mark.parametrize("cut", [0, 1, 30, 49, 50, 51, 121, 201, 335])
def test_a_judge_goes_on_from_what_another_remembered(cut):
    first = Judge(400)
    whole = judged(Judge(400), range(400))
    before = judged(first, range(cut))
    memory = json.loads(json.dumps(remembered(first)))
    second = Judge(400)
    recall(second, memory)
    assert before + judged(second, range(cut, 400)) == whole
    assert any(said for (said, _), _, _ in whole)
    assert any(spike for (_, spike), _, _ in whole)


def test_what_is_remembered_is_a_copy():
    judge = Judge(100)
    judged(judge, range(20))
    memory = remembered(judge)
    text = json.dumps(memory)
    second = Judge(100)
    recall(second, memory)
    judged(judge, range(20, 60))
    judged(second, range(20, 60))
    assert json.dumps(memory) == text


def test_what_an_older_version_did_not_remember_stays_as_it_is_built():
    memory = remembered(Judge(10))
    del memory["_hot"]
    judge = Judge(10)
    recall(judge, memory)
    assert judge._hot is False
