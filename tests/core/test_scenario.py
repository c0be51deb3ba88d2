"""A scenario is a race, or a message of at most three lines that says where it is wrong and what
was expected."""

import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date, datetime, time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.errors import LrtuiError
from lrtui.core.scenario import catalogue, scenario_file
from lrtui.core.scenario.overlay import overlay
from lrtui.core.scenario.scenario_file import BUNDLED, parse
from lrtui.core.scenario.spec import OptimizerSpec, Race, ScheduleSpec, TaskRef

TASK = "class Mine:\n    pass\n\n\nclass Other:\n    pass\n"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def folder(tmp_path):
    """A folder with a task file in it, and one that is no Python."""
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "broken.py").write_text("class Mine(:\n")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder.py").mkdir()
    return tmp_path


def written(folder, text, name="race.toml"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def race(folder, text, changes=None):
    return scenario_file.load(str(written(folder, text)), changes)


def assert_fit_to_be_shown(error):
    """At most three lines for people: where and what, then what was expected."""
    said = str(error)
    assert not CONTROL.search(said), said
    assert said.count("\n") <= 2
    assert error.hint.startswith("expected "), error.hint


HEAD = 'task = "linear-toy"\nsteps = 10\n'
LANE = HEAD + "[[lane]]\n"
BAD = {
    # what is wrong: the file's text, and words that the message has
    "title is a number": ("title = 3\n" + LANE, ["title: 3 is not a string"]),
    "story is a list": ("story = ['once']\n" + LANE, ["story: a list is not a string"]),
    "unknown key": ("seeed = 3\n" + LANE, ["seeed: unknown key", 'did you mean "seed"?']),
    "unknown key, nothing near": ("zzzzzz = 3\n" + LANE, ["zzzzzz: unknown key", "batch_size"]),
    "unknown table": (HEAD + "[lanes]\nlr = 1\n", ["lanes: unknown key", 'did you mean "lane"?']),
    "no task": ("steps = 3\n[[lane]]\n", ["task: missing"]),
    "task is a number": ("task = 3\nsteps = 3\n[[lane]]\n", ["task: 3 is not a string"]),
    "unknown bundled task": (
        'task = "linear-toi"\nsteps = 3\n[[lane]]\n',
        ["task", "linear-toi", 'did you mean "linear-toy"?'],
    ),
    "empty task": ('task = ""\nsteps = 3\n[[lane]]\n', ["task", "unknown task"]),
    "file without that class": (
        'task = "task.py:Mein"\nsteps = 3\n[[lane]]\n',
        ['task.py has no "Mein"', 'did you mean "Mine"?', "Other"],
    ),
    "missing file": (
        'task = "nowhere.py:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", "nowhere.py: No such file"],
    ),
    "folder for a file": (
        'task = "folder.py:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", "folder.py: Is a directory"],
    ),
    "file that is no Python": (
        'task = "broken.py:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", "broken.py: line 1"],
    ),
    "file that is no text": (
        'task = "binary.py:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", "binary.py"],
    ),
    "class with no name": ('task = "task.py:"\nsteps = 3\n[[lane]]\n', ["task", "names no class"]),
    "class that cannot be a name": (
        'task = "task.py:a b"\nsteps = 3\n[[lane]]\n',
        ["task", "names no class"],
    ),
    "missing module": (
        'task = "no.such.module:Mine"\nsteps = 3\n[[lane]]\n',
        ["task", 'no module "no.such.module"'],
    ),
    "module without that class": (
        'task = "json.decoder:JSONDecode"\nsteps = 3\n[[lane]]\n',
        ["task", 'did you mean "JSONDecoder"?'],
    ),
    "module that is no Python": (
        'task = "_struct:Struct"\nsteps = 3\n[[lane]]\n',
        ["task", "_struct"],
    ),
    "nobody's home": ('task = "~nobody-by-that-name/x.py:Mine"\nsteps = 3\n[[lane]]\n', ["task"]),
    "a NUL in a path": ('task = "x\\u0000.py:Mine"\nsteps = 3\n[[lane]]\n', ["task"]),
    "a path without end": (f'task = "{"x" * 5000}.py:Mine"\nsteps = 3\n[[lane]]\n', ["task"]),
    "no lanes": (HEAD, ["lane: a race needs lanes"]),
    "lane is a table": (HEAD + "[lane]\nlr = 1\n", ["lane: a table is not a list of tables"]),
    "lane is a number": (HEAD + "lane = [1]\n", ["lane 1: 1 is not a table"]),
    "lr 0": (LANE + "lr = 0\n", ["lane 1.lr: 0.0 is not a valid learning rate", "above 0"]),
    "lr negative": (LANE + "lr = -0.1\n", ["lane 1.lr: -0.1 is not a valid learning rate"]),
    "lr nan": (LANE + "lr = nan\n", ["lane 1.lr: nan is not a valid learning rate"]),
    "lr inf": (LANE + "lr = inf\n", ["lane 1.lr: inf is not a valid learning rate"]),
    "lr a string": (LANE + 'lr = "fast"\n', ["lane 1.lr: 'fast' is not a number"]),
    "lr true": (LANE + "lr = true\n", ["lane 1.lr: true is not a number"]),
    "lr a list": (LANE + "lr = [0.1]\n", ["lane 1.lr: a list is not a number"]),
    "lr too large for a float": (LANE + f"lr = 1{'0' * 400}\n", ["lane 1.lr", "is not a number"]),
    "lr in the second lane": (LANE + "lr = 1\n[[lane]]\nlr = 0\n", ["lane 2.lr"]),
    "lr in a sweep": (HEAD + "[sweep]\nlr = [0.1, -1]\n", ["sweep.lr: -1"]),
    "lr in the defaults": (
        HEAD + "[defaults]\nlr = 0\n[[lane]]\n",
        ["lr: 0.0 is not a valid learning rate"],
    ),
    "names twice": (
        LANE + 'name = "x"\n[[lane]]\nname = "x"\n',
        ['lane 2.name: "x" is also the name of lane 1'],
    ),
    "names that look the same": (
        LANE + 'name = "x y"\n[[lane]]\nname = "x\\u001b[31m  y"\n',
        ["lane 2.name", "is also the name of lane 1"],
    ),
    "a name that cannot be seen": (LANE + 'name = "\\u001b[2J"\n', ["lane 1.name: empty"]),
    "a name for all": (HEAD + '[defaults]\nname = "x"\n[[lane]]\n', ["defaults.name"]),
    "a name that is a number": (LANE + "name = 3\n", ["lane 1.name: 3 is not a string"]),
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
    "unknown optimizer": (
        LANE + 'optimizer = "Adm"\n',
        ['lane 1.optimizer: unknown optimizer "Adm"', 'did you mean "Adam"?', "SGD"],
    ),
    "optimizer a number": (LANE + "optimizer = 3\n", ["lane 1.optimizer: 3 is not a string"]),
    "optimizer table without a name": (
        LANE + "optimizer = { momentum = 0.9 }\n",
        ["lane 1.optimizer.name: missing"],
    ),
    "unknown option": (
        LANE + 'optimizer = "SGD"\nmomentun = 0.9\n',
        ["lane 1.momentun", 'did you mean "momentum"?', "nesterov"],
    ),
    "another optimizer's option": (
        LANE + 'optimizer = "SGD"\namsgrad = true\n',
        ["lane 1.amsgrad: unknown option of SGD"],
    ),
    "option in a table": (
        LANE + 'optimizer = { name = "SGD", momentun = 0.9 }\n',
        ["lane 1.optimizer.momentun"],
    ),
    "option of the wrong type": (
        LANE + 'optimizer = "SGD"\nmomentum = "much"\n',
        ["lane 1.momentum: 'much' is an invalid value for SGD", "a finite number"],
    ),
    "option that is no number": (
        LANE + 'optimizer = "SGD"\nmomentum = nan\n',
        ["lane 1.momentum: nan is an invalid value", "a finite number"],
    ),
    "option without end": (
        LANE + "weight_decay = inf\n",
        ["lane 1.weight_decay: inf is an invalid value"],
    ),
    "option beyond 64 bits": (
        LANE + f"optimizer = 'Muon'\nns_steps = {2**70}\n",
        ["lane 1.ns_steps"],
    ),
    "flag that is a number": (
        LANE + 'optimizer = "SGD"\nnesterov = 1\n',
        ["lane 1.nesterov: 1 is an invalid value", "true or false"],
    ),
    "betas a number": (
        LANE + "betas = 0.9\n",
        ["lane 1.betas: 0.9 is an invalid value for Adam", "a list of numbers"],
    ),
    "betas of strings": (
        LANE + 'betas = ["a", "b"]\n',
        ["lane 1.betas: a list is an invalid value", "a list of numbers"],
    ),
    "defaults with a wrong option": (
        HEAD + "[defaults]\nmomentun = 0.9\n[[lane]]\n",
        ["momentun: unknown option of Adam"],
    ),
    "defaults a list": ("defaults = [1]\n" + LANE, ["defaults: a list is not a table"]),
    "unknown schedule": (
        LANE + 'schedule = { name = "StepLr2" }\n',
        ["lane 1.schedule.name: unknown schedule", 'did you mean "StepLR"?', "cosine"],
    ),
    "unknown schedule by name": (
        LANE + 'schedule = "cosin"\n',
        ["lane 1.schedule.name", 'did you mean "cosine"?'],
    ),
    "schedule a number": (LANE + "schedule = 3\n", ["lane 1.schedule: 3 is not a table"]),
    "schedule without a name": (
        LANE + "schedule = { gamma = 0.1 }\n",
        ["lane 1.schedule.name: missing"],
    ),
    "schedule without what it needs": (
        LANE + 'schedule = "StepLR"\n',
        ["lane 1.schedule.step_size: missing; StepLR needs it"],
    ),
    "schedule's unknown option": (
        LANE + 'schedule = { name = "StepLR", step_sice = 3 }\n',
        ["lane 1.schedule.step_sice: unknown option of StepLR", 'did you mean "step_size"?'],
    ),
    "schedule's wrong type": (
        LANE + 'schedule = { name = "StepLR", step_size = 0.5 }\n',
        ["lane 1.schedule.step_size", "a whole number"],
    ),
    "schedule's choice": (
        LANE + 'schedule = { name = "ReduceLROnPlateau", mode = "low" }\n',
        ["lane 1.schedule.mode", "min, max"],
    ),
    "no auto here": (
        LANE + 'schedule = { name = "StepLR", step_size = "auto" }\n',
        ["lane 1.schedule.step_size", "a whole number"],
    ),
    "auto misspelt": (
        LANE + 'schedule = { name = "CosineAnnealingLR", T_max = "atuo" }\n',
        ["lane 1.schedule.T_max", '"auto" is the budget'],
    ),
    "milestones a number": (
        LANE + 'schedule = { name = "MultiStepLR", milestones = 3 }\n',
        ["milestones: 3 is an invalid value", "a list of"],
    ),
    "wrong interval": (
        LANE + 'schedule = { name = "StepLR", step_size = 3, interval = "day" }\n',
        ["lane 1.schedule.interval", '"batch" or "epoch"'],
    ),
    "interval a number": (
        LANE + 'schedule = { name = "StepLR", step_size = 3, interval = 2 }\n',
        ["lane 1.schedule.interval: 2 is not a string"],
    ),
    "a metric per batch": (
        LANE + 'schedule = { name = "ReduceLROnPlateau", interval = "batch" }\n',
        ["lane 1.schedule.interval", '"epoch"'],
    ),
    "call that is none": (
        LANE + 'schedule = "StepLR(3) + 1"\n',
        ["lane 1.schedule", "is not a valid call", "step_size=10"],
    ),
    "call that runs code": (
        LANE + 'schedule = "StepLR(step_size=print(1))"\n',
        ["lane 1.schedule.step_size", '"print(1)" is not a value'],
    ),
    "call cut off": (
        LANE + 'schedule = "StepLR(step_size=3"\n',
        ["lane 1.schedule", "is not a valid call"],
    ),
    "a bad expression": (
        LANE + 'schedule = { name = "LambdaLR", lr_lambda = "__import__(\'os\')" }\n',
        ["lane 1.schedule.lr_lambda", "arithmetic"],
    ),
    "an expression that cannot be computed": (
        LANE + 'schedule = { name = "LambdaLR", lr_lambda = "1 / step" }\n',
        ["lane 1.schedule.lr_lambda", "division by zero"],
    ),
    "an expression that is a number": (
        LANE + 'schedule = { name = "LambdaLR", lr_lambda = 3 }\n',
        ["lane 1.schedule.lr_lambda: 3 is an invalid value"],
    ),
    "a sequence of nothing": (
        LANE + 'schedule = { name = "SequentialLR", milestones = [] }\n',
        ["lane 1.schedule.schedulers", "a list of schedule tables"],
    ),
    "too few milestones": (
        LANE + 'schedule = { name = "SequentialLR", milestones = [], schedulers = ["constant",'
        ' "linear"] }\n',
        ["lane 1.schedule.milestones: 0 for 2 schedulers", "one fewer"],
    ),
    "milestones missing": (
        LANE + 'schedule = { name = "SequentialLR", schedulers = ["constant"] }\n',
        ["lane 1.schedule.milestones: missing"],
    ),
    "a metric inside": (
        LANE + 'schedule = { name = "ChainedScheduler", schedulers = ["ReduceLROnPlateau"] }\n',
        ["cannot hold ReduceLROnPlateau"],
    ),
    "an interval inside": (
        LANE
        + 'schedule = { name = "ChainedScheduler", schedulers = [{ name = "constant", interval ='
        ' "batch" }] }\n',
        ["lane 1.schedule.schedulers 1.interval", "outermost"],
    ),
    "an unknown one inside": (
        LANE + 'schedule = { name = "ChainedScheduler", schedulers = ["constnt"] }\n',
        ["lane 1.schedule.schedulers 1.name", 'did you mean "constant"?'],
    ),
    "schedulers of one that has none": (
        LANE + 'schedule = { name = "StepLR", step_size = 1, schedulers = [] }\n',
        ["lane 1.schedule.schedulers"],
    ),
    "a sweep over a number": (HEAD + "[sweep]\nlr = 0.1\n", ["sweep.lr: a sweep goes over a list"]),
    "a sweep over nothing": (HEAD + "[sweep]\nlr = []\n", ["sweep.lr: a sweep goes over a list"]),
    "a sweep over what cannot be swept": (
        HEAD + "[sweep]\nmomentum = [0.1]\n",
        ["sweep.momentum: unknown key", "optimizer"],
    ),
    "a sweep that is a list": ("sweep = [1]\n" + LANE, ["sweep: a list is not a table"]),
    "too many lanes": (
        HEAD + f"[sweep]\nlr = {[0.1] * 300}\n",
        ["sweep.lr: 300 lanes are too many", "256"],
    ),
    "too many of both kinds": (
        LANE + f"[sweep]\nlr = {[0.1] * 256}\n",
        ["lane: 257 lanes are too many", "256"],
    ),
    "a product too large": (
        HEAD + f"[sweep]\nlr = {[0.1] * 100}\noptimizer = ['SGD', 'Adam', 'AdamW']\n",
        ["sweep", "300 lanes are too many"],
    ),
    "far too many lanes": (
        HEAD + f"[sweep]\nlr = {[0.1] * 5000}\noptimizer = {['SGD'] * 5000}\nschedule ="
        f" {['none'] * 5000}\n",
        ["sweep", "too many"],
    ),
    "a key with an escape sequence": ('"\\u001b[31mred" = 1\n' + LANE, ["red: unknown key"]),
    "a value with an escape sequence": (
        'device = "\\u001b]0;title\\u0007gpu"\n' + LANE,
        ['unknown device "gpu"'],
    ),
    "a key of several lines": ('"a\\nb\\nc\\nd" = 1\n' + LANE, ["a b c d: unknown key"]),
    "not TOML": ("this is no TOML\n", ["race.toml: "]),
    "a key twice": ("seed = 1\nseed = 2\n" + LANE, ["race.toml: "]),
    "not UTF-8": (b'title = "\xff"\n', ["race.toml: byte 9 is not UTF-8"]),
    "UTF-16": (LANE.encode("utf-16"), ["race.toml: byte 0 is not UTF-8"]),
    "empty": ("", ["epochs: a race has a budget"]),
    "nested too deep": ("x = " + "[" * 5000 + "]" * 5000, ["race.toml: "]),
    "a number too long to read": ("seed = " + "9" * 5000, ["race.toml: "]),
    "larger than a scenario can be": ("# " + "x" * 1_000_000, ["race.toml: larger than"]),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_a_bad_scenario_is_refused_with_file_key_and_what_was_expected(text, words, folder):
    with pytest.raises(LrtuiError) as refused:
        race(folder, text)
    assert "race.toml" in refused.value.message
    for word in words:
        assert word in str(refused.value)
    assert_fit_to_be_shown(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "lr-dail",
        "nowhere/race.toml",
        "nowhere.toml",
        "",
        "\x1b[31m",
        "a\nb\nc\nd",
        "~nobody-at-all/x.toml",
        "x" * 5000,
        "x" * 5000 + ".toml",
        "\0",
        "\0.toml",
    ],
)
def test_a_scenario_that_is_not_there_is_refused(name):
    with pytest.raises(LrtuiError) as refused:
        scenario_file.load(name)
    assert_fit_to_be_shown(refused.value)


@pytest.mark.parametrize(
    "word",
    ["\udcff", "\ud800", "\udcff.py:X", "\ud800.py:X", "\ud800:X", "x\udcff.y:X", "x.py:\ud800"],  # noqa: PT014
)
def test_what_a_shell_hands_over_that_is_no_text_is_refused(word, folder):
    for changes in (
        {"task": word},
        {"device": word},
        {"lanes.optimizer": [word]},
        {"lanes.schedule": word},
        {word: 1},
    ):
        with pytest.raises(LrtuiError) as refused:
            race(folder, LANE, changes)
        assert_fit_to_be_shown(refused.value)
        str(refused.value).encode("utf-8")
    assert race(folder, LANE, {"title": word}).title.encode("utf-8")
    with pytest.raises(LrtuiError):
        scenario_file.load(word)


def test_the_nearest_bundled_scenario_is_named():
    with pytest.raises(LrtuiError, match='did you mean "lr-dial"'):
        scenario_file.load("lr-dail")


def test_the_name_of_a_file_is_shown_without_escape_sequences(folder):
    path = written(folder, "seeed = 1\n", "\x1b[31mred\nline\x07.toml")
    with pytest.raises(LrtuiError) as refused:
        scenario_file.load(str(path))
    assert_fit_to_be_shown(refused.value)
    written(folder, b"\xff", path.name)
    with pytest.raises(LrtuiError) as refused:
        scenario_file.load(str(path))
    assert_fit_to_be_shown(refused.value)


def test_text_from_a_file_is_kept_without_what_a_terminal_would_obey(folder):
    made = race(
        folder,
        'title = "a\\u001b[31m [bold]title[/bold]\\u0007\\nin two lines"\nstory ='
        ' "one\\u001b]8;;http://x\\u001b\\\\\\ntwo\\u202e"\n'
        + LANE
        + 'name = "tab\\there \\u009b1mnow"\n',
    )
    assert made.title == "a [bold]title[/bold] in two lines"
    assert made.story == "one\ntwo"
    assert made.lanes[0].name == "tab here now"


# --- good ones
#
# ---------------------------------------------------------------------------------------------------------


def test_what_is_not_said_has_its_default(folder):
    made = race(folder, 'task = "linear-toy"\nepochs = 3\n[[lane]]\n')
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


@pytest.mark.parametrize(
    ("optimizer", "lr"),
    [("SGD", 0.01), ("Adam", 0.001), ("Adadelta", 1.0), ("Muon", 0.001), ("NAdam", 0.002)],
)
def test_an_optimizer_without_a_rate_has_its_own(optimizer, lr, folder):
    assert race(folder, LANE + f'optimizer = "{optimizer}"\n').lanes[0].lr == lr


def test_everything_said_is_kept(folder):
    made = race(
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
    assert made.title, made.story == ("T", "S")
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


def test_a_race_survives_being_stored(folder):
    made = race(
        folder,
        LANE + 'schedule = { name = "SequentialLR", milestones = [2], schedulers = ["ConstantLR",'
        ' "linear(warmup_steps=3)"] }\n',
    )
    assert msgspec.json.decode(msgspec.json.encode(made), type=Race) == made
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Race) == made


def test_a_sweep_is_the_product_of_its_lists(folder):
    made = race(
        folder,
        HEAD + '[sweep]\nlr = [0.1, 0.01]\noptimizer = ["SGD", { name = "SGD", momentum = 0.9'
        ' }]\nschedule = ["none", "cosine"]\n',
    )
    assert [
        (lane.lr, lane.optimizer.options, lane.schedule is not None) for lane in made.lanes
    ] == [
        (lr, options, scheduled)
        for lr in (0.1, 0.01)
        for options in ({}, {"momentum": 0.9})
        for scheduled in (False, True)
    ]
    assert "".join(lane.letter for lane in made.lanes) == "ABCDEFGH"
    assert len({lane.name for lane in made.lanes}) == 8


def test_a_sweep_comes_after_the_lanes(folder):
    made = race(folder, LANE + "lr = 5.0\n[sweep]\nlr = [0.1, 0.2]\n")
    assert [lane.lr for lane in made.lanes] == [5.0, 0.1, 0.2]


def test_defaults_hold_for_lanes_that_say_nothing_else(folder):
    made = race(
        folder,
        HEAD
        + """
[defaults]
optimizer = "SGD"
lr = 0.5
momentum = 0.9
schedule = "linear"
[[lane]]
[[lane]]
lr = 0.25
momentum = 0.8
schedule = "none"
[[lane]]
optimizer = "Adam"
""",
    )
    one, other, adam = made.lanes
    assert (one.optimizer, one.lr, one.schedule.name) == (
        OptimizerSpec("SGD", {"momentum": 0.9}),
        0.5,
        "linear",
    )
    assert (other.optimizer, other.lr, other.schedule) == (
        OptimizerSpec("SGD", {"momentum": 0.8}),
        0.25,
        None,
    )
    # SGD's momentum is not Adam's
    assert (adam.optimizer, adam.lr, adam.schedule.name) == (OptimizerSpec("Adam"), 0.5, "linear")


def test_defaults_hold_in_a_sweep_too(folder):
    made = race(
        folder,
        HEAD
        + '[defaults]\noptimizer = "SGD"\nmomentum = 0.9\n[sweep]\nlr = [0.1]\noptimizer = ["SGD",'
        ' "Adam"]\n',
    )
    assert [lane.optimizer for lane in made.lanes] == [
        OptimizerSpec("SGD", {"momentum": 0.9}),
        OptimizerSpec("Adam"),
    ]


def test_lanes_that_say_the_same_are_told_apart_by_their_letters(folder):
    assert [lane.name for lane in race(folder, LANE + "[[lane]]\n[[lane]]\nlr = 1.0\n").lanes] == [
        "Adam 0.001",
        "Adam 0.001 B",
        "Adam 1",
    ]


def test_a_schedule_may_be_a_name_a_call_or_a_table(folder):
    made = race(
        folder,
        LANE
        + """
schedule = "Cosine"
[[lane]]
schedule = "MultiStepLR(milestones=[3, 4], gamma=0.5)"
[[lane]]
schedule = { name = "MultiStepLR", milestones = [3, 4], gamma = 0.5 }
""",
    )
    assert made.lanes[0].schedule == ScheduleSpec("cosine", "batch")
    assert (
        made.lanes[1].schedule
        == made.lanes[2].schedule
        == ScheduleSpec("MultiStepLR", "epoch", {"milestones": [3, 4], "gamma": 0.5})
    )


def test_a_sequence_of_batch_schedules_goes_by_the_batch(folder):
    def interval(children):
        schedule = f'{{ name = "SequentialLR", milestones = [2], schedulers = {children} }}'
        return race(folder, LANE + f"schedule = {schedule}\n").lanes[0].schedule.interval

    assert interval('["linear", "constant"]') == "batch"
    assert interval('["linear", "ConstantLR"]') == "epoch"


def test_task_file_path_is_relative_to_the_scenario(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert race(folder, 'task = "task.py:Other"\nsteps = 1\n[[lane]]\n').task == TaskRef(
        "file", str(folder / "task.py"), "Other"
    )
    (folder / "deeper").mkdir()
    path = written(folder / "deeper", 'task = "../task.py:Other"\nsteps = 1\n[[lane]]\n')
    assert scenario_file.load(str(path)).task == TaskRef("file", str(folder / "task.py"), "Other")
    path.write_text(f'task = "{folder}/task.py:Mine"\nsteps = 1\n[[lane]]\n')
    assert scenario_file.load(str(path)).task == TaskRef("file", str(folder / "task.py"), "Mine")


def test_a_module_task_is_sought_in_the_working_folder_and_never_run(folder, monkeypatch):
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("raise SystemExit('run')\n")
    (folder / "pack" / "mod.py").write_text("raise SystemExit('run')\nclass Mine: ...\n")
    monkeypatch.chdir(folder)
    assert race(folder, 'task = "pack.mod:Mine"\nsteps = 1\n[[lane]]\n').task == TaskRef(
        "module", "pack.mod", "Mine", str(folder)
    )
    assert "pack" not in sys.modules


@pytest.mark.parametrize(
    "source",
    [
        "from other import Mine\n",
        "import other as Mine\n",
        "Mine = object\n",
        "if True:\n    class Mine: ...\n",
        "def Mine(): ...\n",
        "from other import *\n",
        "Mine: type = int\n",
        "async def f(): ...\n(Mine := 3)\n",
    ],
)
def test_a_task_may_come_by_its_name_in_any_way(source, folder):
    (folder / "other_ways.py").write_text(source)
    assert race(folder, 'task = "other_ways.py:Mine"\nsteps = 1\n[[lane]]\n').task.name == "Mine"


@pytest.mark.parametrize("path", scenario_file.bundled(), ids=lambda path: path.stem)
def test_a_bundled_scenario_works_where_it_is_and_copied_elsewhere(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = scenario_file.load(path.stem)
    copied = scenario_file.load(str(shutil.copy(path, tmp_path / path.name)))
    assert msgspec.structs.replace(copied, scenario=here.scenario) == here
    assert here.task.kind == "bundled"
    assert len({lane.name for lane in here.lanes}) == len(here.lanes) >= 2 or len(here.lanes) == 1


def test_a_scenario_in_the_working_folder_comes_before_a_bundled_one(tmp_path, monkeypatch):
    (tmp_path / "scenarios").mkdir()
    written(tmp_path / "scenarios", 'title = "mine"\n' + LANE, "lr-dial.toml")
    assert scenario_file.load("lr-dial").title != "mine"
    monkeypatch.chdir(tmp_path)
    assert scenario_file.load("lr-dial").title == "mine"


# --- flags
#
# -------------------------------------------------------------------------------------------------------------

THREE = (
    HEAD
    + """
[defaults]
weight_decay = 0.1
[[lane]]
name = "one"
lr = 0.1
[[lane]]
name = "two"
lr = 0.2
schedule = "linear"
[[lane]]
name = "three"
optimizer = "SGD"
lr = 0.1
momentum = 0.9
schedule = "linear"
"""
)


def lanes(folder, changes, text=THREE):
    return [
        (str(lane.optimizer), lane.lr, lane.schedule.name if lane.schedule else None)
        for lane in race(folder, text, changes).lanes
    ]


def test_without_flags_a_scenario_is_as_it_is_written(folder):
    assert lanes(folder, {}) == [
        ("Adam(weight_decay=0.1)", 0.1, None),
        ("Adam(weight_decay=0.1)", 0.2, "linear"),
        ("SGD(momentum=0.9)", 0.1, "linear"),
    ]


def test_lr_flags_sweep_over_the_optimizers_and_schedules_of_the_lanes(folder):
    adam, sgd = "Adam(weight_decay=0.1)", "SGD(momentum=0.9)"
    assert lanes(folder, {"lanes.lr": [1.0, 2.0]}) == [
        (optimizer, lr, schedule)
        for lr in (1.0, 2.0)
        for optimizer in (adam, sgd)
        for schedule in (None, "linear")
    ]


def test_optimizer_flags_sweep_over_the_rates_that_the_lanes_had(folder):
    assert lanes(folder, {"lanes.optimizer": ["RMSprop"]}) == [
        ("RMSprop", lr, schedule) for lr in (0.1, 0.2) for schedule in (None, "linear")
    ]


def test_a_rate_of_the_defaults_is_one_that_a_lane_had(folder):
    text = HEAD + "[defaults]\nlr = 0.5\n[[lane]]\n[[lane]]\nlr = 0.25\n"
    assert [lane[1] for lane in lanes(folder, {"lanes.optimizer": ["SGD"]}, text)] == [0.5, 0.25]


def test_default_options_apply_to_their_optimizer_in_any_notation(folder):
    text = (
        HEAD
        + """
[defaults]
optimizer = "SGD"
momentum = 0.9
[[lane]]
optimizer = "sgd"
[[lane]]
optimizer = { name = "SGD", nesterov = true }
"""
    )
    assert [lane[0] for lane in lanes(folder, {}, text)] == [
        "SGD(momentum=0.9)",
        "SGD(momentum=0.9, nesterov=True)",
    ]
    assert [lane[0] for lane in lanes(folder, {"lanes.lr": [1.0]}, text)] == [
        "SGD(momentum=0.9)",
        "SGD(momentum=0.9, nesterov=True)",
    ]


def test_an_optimizer_flag_without_any_rate_has_the_optimizers_own(folder):
    assert lanes(folder, {"lanes.optimizer": ["SGD", "Adam"]}, LANE) == [
        ("SGD", 0.01, None),
        ("Adam", 0.001, None),
    ]


def test_both_flags_make_the_product(folder):
    made = lanes(folder, {"lanes.lr": [1.0, 2.0], "lanes.optimizer": ["SGD", "Adam"]}, LANE)
    assert [lane[:2] for lane in made] == [("SGD", 1.0), ("Adam", 1.0), ("SGD", 2.0), ("Adam", 2.0)]


def test_a_schedule_flag_goes_to_every_lane(folder):
    assert [lane[2] for lane in lanes(folder, {"lanes.schedule": "cosine"})] == ["cosine"] * 3
    assert [lane[2] for lane in lanes(folder, {"lanes.schedule": "none"})] == [None] * 3
    assert [lane[2] for lane in lanes(folder, {"lanes.schedule": "cosine", "lanes.lr": [1.0]})] == [
        "cosine"
    ] * 2
    swept = HEAD + '[sweep]\nlr = [0.1, 0.2]\nschedule = ["linear", "none"]\n'
    assert lanes(folder, {"lanes.schedule": "cosine"}, swept) == [
        ("Adam", 0.1, "cosine"),
        ("Adam", 0.2, "cosine"),
    ]


def test_a_flag_sweeps_what_the_scenario_swept(folder):
    swept = HEAD + '[sweep]\nlr = [0.1, 0.2]\noptimizer = ["SGD", "Adam"]\n'
    assert lanes(folder, {"lanes.lr": [3.0]}, swept) == [("SGD", 3.0, None), ("Adam", 3.0, None)]


def test_one_budget_replaces_the_other(folder):
    made = race(folder, THREE, {"epochs": 7})
    assert (made.epochs, made.steps) == (7, None)
    made = race(folder, THREE.replace("steps", "epochs"), {"steps": 8})
    assert (made.epochs, made.steps) == (None, 8)


def test_any_key_can_be_set(folder):
    made = race(folder, THREE, {"seed": 5, "defaults.amsgrad": True, "title": "other"})
    assert (made.seed, made.title) == (5, "other")
    assert made.lanes[0].optimizer.options == {"weight_decay": 0.1, "amsgrad": True}


def test_laying_flags_over_a_scenario_leaves_the_scenario_as_it_was():
    raw = tomllib.loads(THREE)
    before = msgspec.json.encode(raw)
    overlay(raw, {"defaults.x": 1, "lanes.lr": [1], "lanes.schedule": "linear", "epochs": 3}, "x")
    assert msgspec.json.encode(raw) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"lane.lr": 3},
        {"seed.x": 3},
        {"defaults.x.y": 3},
        {"": 3},
        {"defaults.": 3},
        {".": 1},
        {"lanes.lr": [0]},
        {"lanes.lr": ["x"]},
        {"lanes.optimizer": ["Adm"]},
        {"lanes.schedule": "cosin"},
        {"\x1b[31m": 3},
        {"epochs": 0},
        {"task": "nowhere"},
        {"lane": 3},
        {"sweep.lr": 3},
    ],
)
def test_a_bad_flag_is_refused_like_a_bad_file(changes, folder):
    with pytest.raises(LrtuiError) as refused:
        race(folder, THREE, changes)
    assert_fit_to_be_shown(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"lanes.lr": [0.1]},
        {"lanes.optimizer": ["SGD"]},
        {"lanes.schedule": "linear"},
        {"defaults.lr": 0.1},
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "lane = 3\n",
        "lane = [1, 2]\n",
        "lane = [[]]\n",
        "sweep = 3\n[[lane]]\n",
        "defaults = 3\n[[lane]]\n",
        "[[lane]]\noptimizer = []\n",
        "[[lane]]\noptimizer = { lr = 3 }\n",
        "[[lane]]\nlr = { a = 1979-05-27 }\n",
    ],
)
def test_a_flag_over_a_bad_file_makes_a_message_not_a_traceback(changes, text, folder):
    try:
        race(folder, HEAD + text, changes)
    except LrtuiError as refused:
        assert_fit_to_be_shown(refused)


# --- anything at all
#
# ---------------------------------------------------------------------------------------------------

KEYS = [
    "title",
    "story",
    "task",
    "seed",
    "epochs",
    "steps",
    "batch_size",
    "device",
    "sample_every",
    "defaults",
    "lane",
    "sweep",
    "name",
    "optimizer",
    "lr",
    "schedule",
    "interval",
    "schedulers",
    "milestones",
    "step_size",
    "gamma",
    "momentum",
    "betas",
    "weight_decay",
    "lr_lambda",
    "T_max",
    "total_steps",
    "warmup_ratio",
    "mode",
    "base_lr",
]
WORDS = [
    "linear-toy",
    "task.py:Mine",
    "json:loads",
    "auto",
    "cpu",
    "cuda:0",
    "SGD",
    "Adam",
    "Muon",
    "StepLR",
    "SequentialLR",
    "ChainedScheduler",
    "LambdaLR",
    "ReduceLROnPlateau",
    "cosine",
    "none",
    "batch",
    "epoch",
    "0.9 ** epoch",
    "StepLR(step_size=3)",
    "1 / step",
    "\x1b[31m",
    "min",
    "",
]
VALUES = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=20),
    st.integers(-3, 40),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.times(),
    st.datetimes(),
)
NAMES = st.one_of(st.sampled_from(KEYS), st.text(max_size=8))
NESTED = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
LANES = st.dictionaries(
    st.sampled_from(["name", "optimizer", "lr", "schedule", "momentum", "betas", "weight_decay"]),
    NESTED,
    max_size=4,
)
SCHEDULES = st.builds(
    lambda name, rest: {**rest, "name": name},
    st.sampled_from([*catalogue.schedules()]),
    st.dictionaries(NAMES, NESTED, max_size=4),
)
# A race that is nearly right: refusals deep inside are reached only this way.
NEARLY = st.fixed_dictionaries(
    {"task": st.sampled_from(["linear-toy", "task.py:Mine"]), "steps": st.just(5)},
    optional={
        "lane": st.lists(
            LANES | SCHEDULES.map(lambda schedule: {"schedule": schedule}), max_size=3
        ),
        "sweep": st.dictionaries(
            st.sampled_from(["lr", "optimizer", "schedule"]),
            st.lists(VALUES | SCHEDULES, max_size=3),
            max_size=3,
        ),
        "defaults": LANES,
        "seed": NESTED,
        "title": NESTED,
        "device": NESTED,
    },
)
ANYTHING = st.dictionaries(NAMES, NESTED, max_size=8) | NEARLY


def test_what_is_drawn_has_every_type_that_toml_has():
    everything = tomllib.loads(
        'a = ""\nb = 1\nc = 1.0\nd = true\ne = 1979-05-27\nf = 07:32:00\ng = 1979-05-27T07:32:00\nh'
        " = []\n[i]\n"
    )
    assert [type(value) for value in everything.values()] == [
        str,
        int,
        float,
        bool,
        date,
        time,
        datetime,
        list,
        dict,
    ]


@settings(max_examples=600, deadline=None)
@given(raw=ANYTHING)
def test_no_tables_make_anything_but_a_race_or_a_message(raw, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    (folder / "task.py").write_text(TASK)
    try:
        made = parse(raw, source="race.toml", folder=folder)
    except LrtuiError as refused:
        assert_fit_to_be_shown(refused)
    else:
        assert msgspec.json.decode(msgspec.json.encode(made), type=Race) == made
        assert not CONTROL.search(made.title + "".join(lane.name for lane in made.lanes))


CHANGES = st.dictionaries(
    st.sampled_from(
        [
            "lanes.lr",
            "lanes.optimizer",
            "lanes.schedule",
            "epochs",
            "seed",
            "defaults.lr",
            "sweep.lr",
            "lane",
        ]
    )
    | NAMES,
    NESTED | st.lists(VALUES, min_size=1, max_size=3),
    max_size=3,
)


@settings(max_examples=300, deadline=None)
@given(raw=ANYTHING, changes=CHANGES)
def test_no_flags_over_any_tables_make_anything_but_a_race_or_a_message(raw, changes):
    try:
        assert isinstance(
            parse(overlay(raw, changes, "race.toml"), source="race.toml", folder=Path("/")), Race
        )
    except LrtuiError as refused:
        assert_fit_to_be_shown(refused)


@settings(max_examples=300, deadline=None)
@given(
    raw=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.tuples(st.binary(max_size=5), st.sampled_from([THREE, LANE])).map(
        lambda parts: parts[1].encode() + parts[0]
    )
)
def test_no_bytes_make_anything_but_tables_or_a_message(raw, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(raw)
    try:
        assert isinstance(scenario_file.read(path), dict)
    except LrtuiError as refused:
        assert_fit_to_be_shown(refused)


def test_loading_and_refusing_a_scenario_imports_no_torch():
    code = """
import sys
from lrtui.core.scenario import scenario_file
from lrtui.core.errors import LrtuiError
for path in scenario_file.bundled():
    scenario_file.load(path.stem)
try:
    scenario_file.load("lr-dial", {"lanes.optimizer": ["Adm"]})
except LrtuiError as refused:
    print(refused.message)
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("torch", "textual", "rich", "plotext")))
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert 'did you mean "Adam"' in out[0]
    assert out[1] == "[]"
    assert BUNDLED.is_dir()


@pytest.mark.parametrize("expect", ["wins", "ok", "hot", "cold", "diverged", "nan"])
def test_a_lane_may_say_what_is_commonly_told_of_it(expect):
    raw = {
        "task": "straight-line",
        "steps": 3,
        "lane": [{"lr": 0.1, "expect": expect}, {"lr": 0.2}],
    }
    race = scenario_file.parse(raw, source="my.toml", folder=Path())
    assert [lane.expect for lane in race.lanes] == [expect, ""]


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ("fast", '"fast" is an invalid value'),
        ("WINS", '"WINS" is an invalid value'),
        (3, "3 is not a string"),
        ("\x1b[31mhot", '"hot" is an invalid value'),
    ],
)
def test_anything_else_is_refused_by_file_and_key(expect, words):
    raw = {
        "task": "straight-line",
        "steps": 3,
        "lane": [{"lr": 0.1}, {"lr": 0.1, "expect": expect}],
    }
    with pytest.raises(LrtuiError) as refused:
        scenario_file.parse(raw, source="my.toml", folder=Path())
    assert refused.value.message.startswith("my.toml: lane 2.expect: ")
    assert words in refused.value.message
    if isinstance(expect, str):
        assert (
            refused.value.hint
            == 'expected "wins" or "ok" or "hot" or "cold" or "diverged" or "nan"'
        )


@pytest.mark.parametrize(
    ("raw", "gauge"), [({}, True), ({"gauge": False}, False), ({"gauge": True}, True)]
)
def test_a_race_is_measured_unless_it_says_otherwise(raw, gauge):
    raw = {"task": "straight-line", "steps": 3, "lane": [{"lr": 0.1}], **raw}
    assert scenario_file.parse(raw, source="my.toml", folder=Path()).gauge is gauge


def test_the_gauge_is_switched_by_true_and_false_only():
    raw = {"task": "straight-line", "steps": 3, "lane": [{"lr": 0.1}], "gauge": "no"}
    with pytest.raises(LrtuiError, match=r"my\.toml: gauge: .*") as refused:
        scenario_file.parse(raw, source="my.toml", folder=Path())
    assert "true or false" in refused.value.hint
