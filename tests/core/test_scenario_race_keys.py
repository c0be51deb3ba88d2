"""Keys of a race: defaults, budget, seed, device, gauge, storage; invalid ones are refused."""

from pathlib import Path

import msgspec
import pytest

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import OptimizerSpec, Race, ScheduleSpec, TaskRef
from support.scenarios import HEAD, LANE, assert_refused, load_scenario

INVALID = {
    # problem: text of the file, and parts of the message
    "title is a number": ("title = 3\n" + LANE, ["title: 3 is not a string"]),
    "story is a list": ("story = ['once']\n" + LANE, ["story: a list is not a string"]),
    "unknown key": ("seeed = 3\n" + LANE, ["seeed: unknown key", 'did you mean "seed"?']),
    "unknown key, nothing near": ("zzzzzz = 3\n" + LANE, ["zzzzzz: unknown key", "batch_size"]),
    "unknown table": (HEAD + "[lanes]\nlr = 1\n", ["lanes: unknown key", 'did you mean "lane"?']),
    "no task": ("steps = 3\n[[lane]]\n", ["task: missing"]),
    "no budget": (
        'task = "linear-toy"\n[[lane]]\n',
        ["epochs: a race has a budget of either epochs or steps"],
    ),
    "both budgets": (HEAD + "epochs = 1\n[[lane]]\n", ["epochs", "exactly one"]),
    "no epochs": (
        'task = "linear-toy"\nepochs = 0\n[[lane]]\n',
        ["epochs: 0 is an invalid value", "1 or more"],
    ),
    "negative steps": (
        'task = "linear-toy"\nsteps = -5\n[[lane]]\n',
        ["steps: -5 is an invalid value"],
    ),
    "half an epoch": (
        'task = "linear-toy"\nepochs = 0.5\n[[lane]]\n',
        ["epochs: 0.5 is an invalid value", "a whole number"],
    ),
    "epochs true": (
        'task = "linear-toy"\nepochs = true\n[[lane]]\n',
        ["epochs: true is an invalid value"],
    ),
    "epochs beyond measure": (
        f'task = "linear-toy"\nepochs = 1{"0" * 40}\n[[lane]]\n',
        ["epochs", "invalid value"],
    ),
    "seed negative": ("seed = -1\n" + LANE, ["seed: -1 is an invalid value"]),
    "seed beyond 64 bits": (f"seed = {2**63}\n" + LANE, ["seed"]),
    "batch size 0": ("batch_size = 0\n" + LANE, ["batch_size: 0 is an invalid value"]),
    "sample_every a string": (
        "sample_every = 'often'\n" + LANE,
        ["sample_every: 'often' is an invalid value"],
    ),
    "bad device": ('device = "gpu"\n' + LANE, ['device: unknown device "gpu"', '"cpu"']),
    "bad device number": ('device = "cuda:x"\n' + LANE, ["device: unknown device"]),
    "device a number": ("device = 0\n" + LANE, ["device: 0 is not a string"]),
}


@pytest.mark.parametrize(("text", "words"), INVALID.values(), ids=INVALID)
def test_invalid_race_key_is_refused_with_file_key_and_expectation(text, words, folder):
    assert_refused(folder, text, words)


def test_missing_keys_have_their_defaults(folder):
    made = load_scenario(folder, 'task = "linear-toy"\nepochs = 3\n[[lane]]\n')
    assert made == Race(
        title="linear-toy", task=made.task, lanes=made.lanes, epochs=3, scenario="race"
    )
    assert (made.seed, made.batch_size, made.device, made.sample_every) == (0, 32, "auto", 1)
    (lane,) = made.lanes
    assert (lane.letter, lane.name, lane.optimizer, lane.lr, lane.schedule) == (
        "A",
        "Adam 0.001",
        OptimizerSpec("Adam"),
        0.001,
        None,
    )


def test_every_key_is_kept(folder):
    made = load_scenario(
        folder,
        """
title = "T"
story = "S"
task = "task.py:Mine"
seed = 9223372036854775807
epochs = 4
batch_size = 7
device = "cuda:3"
sample_every = 2
[[lane]]
name = "hot"
optimizer = "adamw"
lr = 1
betas = [0.8, 0.9]
amsgrad = true
schedule = { name = "steplr", step_size = 3, gamma = 0.5, interval = "batch" }
""",
    )
    assert (made.title, made.story) == ("T", "S")
    assert (
        made.seed,
        made.epochs,
        made.steps,
        made.batch_size,
        made.device,
        made.sample_every,
    ) == (2**63 - 1, 4, None, 7, "cuda:3", 2)
    assert made.task == TaskRef("file", str(folder / "task.py"), "Mine")
    assert made.lanes[0].optimizer == OptimizerSpec("AdamW", {"betas": [0.8, 0.9], "amsgrad": True})
    assert made.lanes[0].lr == 1.0
    assert made.lanes[0].schedule == ScheduleSpec("StepLR", "batch", {"step_size": 3, "gamma": 0.5})


def test_race_survives_json_and_msgpack(folder):
    made = load_scenario(
        folder,
        LANE + 'schedule = { name = "SequentialLR", milestones = [2], schedulers = ["ConstantLR",'
        ' "linear(warmup_steps=3)"] }\n',
    )
    assert msgspec.json.decode(msgspec.json.encode(made), type=Race) == made
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Race) == made


@pytest.mark.parametrize(
    ("raw", "gauge"), [({}, True), ({"gauge": False}, False), ({"gauge": True}, True)]
)
def test_gauge_is_on_by_default(raw, gauge):
    raw = {"task": "straight-line", "steps": 3, "lane": [{"lr": 0.1}], **raw}
    assert scenario_file.parse(raw, source="my.toml", folder=Path()).gauge is gauge


def test_gauge_is_true_or_false():
    raw = {"task": "straight-line", "steps": 3, "lane": [{"lr": 0.1}], "gauge": "no"}
    with pytest.raises(LrtuiError, match=r"my\.toml: gauge: .*") as refused:
        scenario_file.parse(raw, source="my.toml", folder=Path())
    assert "true or false" in refused.value.hint
