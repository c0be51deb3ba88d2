"""Schedules of a scenario: a name, a call or a table; invalid ones are refused."""

import pytest

from lrtui.core.scenario.spec import ScheduleSpec
from support.scenarios import LANE, assert_refused, load_scenario

INVALID = {
    # problem: text of the file, and parts of the message
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
}


@pytest.mark.parametrize(("text", "words"), INVALID.values(), ids=INVALID)
def test_invalid_schedule_is_refused_with_file_key_and_expectation(text, words, folder):
    assert_refused(folder, text, words)


def test_schedule_is_a_name_a_call_or_a_table(folder):
    made = load_scenario(
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


def test_sequence_of_batch_schedules_is_stepped_per_batch(folder):
    def interval(children):
        schedule = f'{{ name = "SequentialLR", milestones = [2], schedulers = {children} }}'
        return load_scenario(folder, LANE + f"schedule = {schedule}\n").lanes[0].schedule.interval

    assert interval('["linear", "constant"]') == "batch"
    assert interval('["linear", "ConstantLR"]') == "epoch"
