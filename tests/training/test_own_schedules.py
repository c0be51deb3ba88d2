"""A person's own scheduler or function sets the rate; what it says of itself counts for nothing."""

import pytest

from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import ScheduleForecast
from lrtui.core.protocol.launch_protocol import LaunchRequest
from lrtui.core.scenario import scenario_file
from lrtui.training.preflight import answer
from support.training import TASK_FOLDER, column, make_race, train

LR = 0.1


def race_with(schedule, **keys):
    return make_race([{"optimizer": "SGD", "lr": LR, "schedule": schedule}], task="Plain", **keys)


@pytest.mark.parametrize(
    "reference", ["own_schedules.py:Gentle", f"{TASK_FOLDER}/own_schedules.py:Gentle"]
)
def test_object_with_only_step_sets_the_rate_and_its_get_lr_is_ignored(reference):
    events = train(race_with({"name": reference, "factor": 0.8}))
    assert column(events, "applied_lr") == pytest.approx(
        [LR * 0.8 ** (step // 3) for step in range(9)]
    )
    assert column(events, "next_lr")[:-1] == column(events, "applied_lr")[1:]


def test_it_may_be_stepped_by_the_batch_and_named_as_a_call():
    assert column(
        train(race_with({"name": "own_schedules.py:Gentle", "interval": "batch"})), "applied_lr"
    ) == pytest.approx([LR * 0.5**step for step in range(9)])
    assert column(train(race_with("own_schedules.py:Gentle(factor=0.25)")), "applied_lr")[
        3
    ] == pytest.approx(LR / 4)


def test_a_module_that_python_finds_will_do(monkeypatch, tmp_path):
    (tmp_path / "found_schedules.py").write_text((TASK_FOLDER / "own_schedules.py").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert column(train(race_with("found_schedules:Gentle")), "applied_lr")[-1] == pytest.approx(
        LR / 4
    )


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_a_function_is_called_with_the_schedulers_own_step(name):
    events = train(race_with({"name": name, "lr_lambda": "own_schedules.py:halves"}))
    by_hand = {"LambdaLR": [1, 1 / 2, 1 / 4], "MultiplicativeLR": [1, 1 / 2, 1 / 8]}[name]
    assert column(events, "applied_lr") == pytest.approx(
        [LR * by_hand[step // 3] for step in range(9)]
    )


def test_it_is_shown_by_the_name_it_was_given():
    lane = race_with({"name": "own_schedules.py:Gentle", "factor": 0.8}).lanes[0]
    assert str(lane.schedule) == "own_schedules.py:Gentle(factor=0.8)"
    assert lane.name == "SGD 0.1 own_schedules.py:Gentle"


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("own_schedules.py:Nope", ['own_schedules.py has no "Nope"', "Gentle"]),
        ("own_schedules.py:Still", ['the class "Still" in own_schedules.py has no step()']),
        ("nowhere.py:Gentle", ["nowhere.py: No such file"]),
        ("no.such.module:Gentle", ['no module "no.such.module"']),
        ("own_schedules.py:", ["names no class"]),
        ({"name": "own_schedules.py:Gentle", "interval": "never"}, ['"never" is an invalid value']),
        (
            {"name": "own_schedules.py:Gentle", "factor": float("nan")},
            ["factor: cannot be handed on"],
        ),
        (
            {"name": "LambdaLR", "lr_lambda": "own_schedules.py:nope"},
            ['own_schedules.py has no "nope"', "halves"],
        ),
        (
            {"name": "LambdaLR", "lr_lambda": "lambda step: 0.5"},
            ["is not arithmetic", "file.py:function"],
        ),
        (
            {"name": "ChainedScheduler", "schedulers": ["own_schedules.py:Gentle"]},
            ["cannot be part of another schedule"],
        ),
    ],
)
def test_what_is_not_there_is_refused_with_one_clear_error(schedule, words):
    with pytest.raises(LrtuiError) as refused:
        race_with(schedule)
    assert "test: lane 1.schedule" in refused.value.message
    assert all(word in str(refused.value) for word in words), str(refused.value)
    assert refused.value.hint.startswith("expected ")


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("own_schedules.py:Inherits", "has no step()"),
        ("own_schedules.py:Refuses", "ValueError: [bold]no way"),
        ("own_schedules.py:Gentle(fast=1)", "unexpected keyword argument 'fast'"),
        ("own_schedules.py:NUMBER", "not found"),
        ("LambdaLR(lr_lambda='own_schedules.py:NUMBER')", "not found"),
    ],
)
def test_what_only_running_it_can_tell_is_refused_at_the_start(schedule, words):
    race = race_with(schedule)
    assert not answer(LaunchRequest("preview", race)).error  # the picker does not run it
    said = answer(LaunchRequest("start", race))
    assert words in said.error
    assert "lane A" in said.error
    assert said.hint.startswith("expected ")


def test_one_that_is_a_metric_scheduler_needs_validation_and_epochs_too():
    assert (
        "looks at the validation loss, and"
        in answer(LaunchRequest("start", race_with("own_schedules.py:Waits"))).error
    )
    validated = {"task": "Validated"}
    assert not answer(
        LaunchRequest("start", make_race([{"schedule": "own_schedules.py:Waits"}], **validated))
    ).error
    by_batch = make_race(
        [{"schedule": {"name": "own_schedules.py:Waits", "interval": "batch"}}], **validated
    )
    assert "looks at an epoch's loss" in answer(LaunchRequest("start", by_batch)).error


@pytest.mark.parametrize(
    "schedule", ["own_schedules.py:Refuses", "LambdaLR(lr_lambda='own_schedules.py:halves')"]
)
def test_a_preview_does_not_run_own_code_and_says_so(schedule):
    (shown,) = answer(LaunchRequest("preview", race_with(schedule))).previews
    assert shown.steps == shown.rates == []
    assert shown.known == 0
    assert shown.unknown.endswith("is your own code: its rates are known when it runs")


def test_whoever_names_it_may_have_it_run():
    (shown,) = answer(
        LaunchRequest(
            "preview", race_with("own_schedules.py:Gentle"), steps_per_epoch=3, run_user_code=True
        )
    ).previews
    assert shown.rates == pytest.approx([LR, LR / 2, LR / 4])
    assert shown.steps == [0, 3, 6]


def test_the_lane_does_not_run_it_to_plan_ahead():
    events = train(race_with("own_schedules.py:Draws"))
    assert not any(isinstance(event, ScheduleForecast) for event in events)


def test_a_flag_is_relative_to_where_one_is_and_a_file_to_the_scenario(tmp_path, monkeypatch):
    code = (TASK_FOLDER / "own_schedules.py").read_text()
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "here" / "flag.py").write_text(code)
    (tmp_path / "there" / "mine.py").write_text(code)
    (tmp_path / "there" / "race.toml").write_text(
        'task = "linear-toy"\nsteps = 3\n[[lane]]\nschedule = { name = "mine.py:Gentle", factor ='
        " 0.5 }\n"
    )
    monkeypatch.chdir(tmp_path / "here")
    (own,) = scenario_file.load("../there/race.toml").lanes
    assert own.schedule.code.target == str(tmp_path / "there" / "mine.py")
    (flagged,) = scenario_file.load(
        "../there/race.toml", {"lanes.schedule": "flag.py:Gentle(factor=0.1)"}
    ).lanes
    assert flagged.schedule.code.target == str(tmp_path / "here" / "flag.py")
    assert (own.schedule_at, flagged.schedule_at) == ("race.toml:4", "--schedule")
