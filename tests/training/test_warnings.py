"""What is said of a schedule beforehand: each sentence is true of what the scheduler really does,
and names its line."""

import math
import re

import pytest
import torch

from lrtui.core.protocol.launch_protocol import LaunchRequest
from lrtui.core.scenario import scenario_file
from lrtui.training.loop import train_lane
from lrtui.training.preflight import answer
from lrtui.training.session import Training
from support.training import column, make_race, train

EPOCHS, PER_EPOCH = 100, 16
AT = "race.toml:7: "
ONE_CYCLE = (
    AT + "OneCycleLR begins at 0.004, not at lr = 0.1: it begins at max_lr / div_factor, and"
    " div_factor is 25 unless given."
)
MOMENTUM = (
    AT + "OneCycleLR also moves momentum, asked for as 0, between 0.85 and 0.95; cycle_momentum ="
    " false leaves it alone."
)
GOLDEN = {
    # the schedule: what is said of it for SGD at 0.1, over 100 epochs of 16 steps
    '"CosineAnnealingLR(T_max=50, eta_min=1e-3)"': [
        "CosineAnnealingLR is at its lowest, 0.001, after 50 of 100 epochs and climbs again: the"
        ' last epoch has 0.0999; T_max = "auto" ends at the lowest.'
    ],
    '"CosineAnnealingLR(T_max=10)"': [
        "CosineAnnealingLR is at its lowest, 0, after 10 of 100 epochs and climbs and falls in"
        ' turn, 10 epochs each way: the last epoch has 0.09755; T_max = "auto" ends at the lowest.'
    ],
    '"cosine(num_cycles=1)"': [
        "cosine is at its lowest, 0, after 800 of 1600 steps and climbs again: the last step has"
        " 0.1; num_cycles = 0.5 ends at the lowest."
    ],
    '"OneCycleLR"': [ONE_CYCLE, MOMENTUM],
    '"OneCycleLR(div_factor=10.0, cycle_momentum=False)"': [],
    '"OneCycleLR(total_steps=120, div_factor=10.0, cycle_momentum=False)"': [
        "OneCycleLR has 120 steps and raises after 121 of 1600 steps: the lane ends there with an"
        ' error; total_steps = "auto" is the budget.'
    ],
    '"OneCycleLR(epochs=50, steps_per_epoch=16, div_factor=10.0, cycle_momentum=False)"': [
        "OneCycleLR has 800 steps and raises after 801 of 1600 steps: the lane ends there with an"
        ' error; total_steps = "auto" is the budget.'
    ],
    '"OneCycleLR(max_lr=0.3, div_factor=10.0, cycle_momentum=False)"': [
        "lr = 0.1 is not used: OneCycleLR goes up to max_lr = 0.3."
    ],
    '"CyclicLR(base_lr=0.01, step_size_up=100)"': [
        "CyclicLR also moves momentum, asked for as 0, between 0.8 and 0.9; cycle_momentum = false"
        " leaves it alone."
    ],
    '"CyclicLR(base_lr=0.01, cycle_momentum=False)"': [
        "CyclicLR rises for 2000 steps, and the budget has 1600: it is cut short at 0.08196;"
        " step_size_up says how long."
    ],
    '{ name = "OneCycleLR", interval = "epoch", div_factor = 10.0, cycle_momentum = false }': [
        "OneCycleLR is made to be stepped after every batch, and is stepped after every epoch here:"
        ' the rate stands still within an epoch; interval = "batch" changes that.'
    ],
    '"ConstantLR"': [
        "ConstantLR begins at a third of the rate, 0.03333, and stays there for 5 epochs: factor is"
        " 1/3 unless given."
    ],
    '"LinearLR"': [
        "LinearLR begins at a third of the rate, 0.03333, and needs 5 epochs to get to the full"
        " one: start_factor is 1/3 unless given."
    ],
    '"LinearLR(start_factor=0.1)"': [],
    '"LinearLR(start_factor=0.1, total_iters=200)"': [
        "LinearLR rises for 200 epochs, and the budget has 100: it is cut short at 0.05455."
    ],
    '"ConstantLR(factor=0.1, total_iters=200)"': [
        "ConstantLR holds the rate down for 200 epochs, and the budget has 100: it never comes up."
    ],
    '"PolynomialLR"': [
        "the rate is 0 after 5 of 100 epochs: nothing is learnt from there on; total_iters is 5"
        ' unless given, "auto" is the budget.'
    ],
    '"linear(warmup_steps=2000)"': [
        "the warmup takes 2000 steps, and the budget has 1600: it is cut short at 0.07995 of 0.1."
    ],
    '"cosine(warmup_ratio=0.1)"': [],
    '"cosine_warmup_with_min_lr(min_lr=0.01, num_cycles=1.0)"': [
        "cosine_warmup_with_min_lr is at its lowest, 0.01, after 799 of 1600 steps and climbs"
        " again: the last step has 0.1; num_cycles = 0.5 ends at the lowest."
    ],
    '"get_cosine_schedule_with_warmup(optimizer, 100, 3200)"': [
        "cosine is laid out for 3200 steps, and the budget has 1600: it is cut short at 0.05258;"
        ' num_training_steps = "auto" is the budget.'
    ],
    '"get_linear_schedule_with_warmup(optimizer, 0, 800)"': [
        "the rate is 0 after 800 of 1600 steps: nothing is learnt from there on."
    ],
    '{ name = "StepLR", step_size = 10, interval = "batch" }': [
        "StepLR is stepped after every batch here, 1600 times, not after every epoch, 100 times:"
        " the rate is 1e-6 already after 50 of 1600 steps."
    ],
    '{ name = "StepLR", step_size = 800, interval = "batch" }': [],
    '"StepLR(step_size=99)"': [],
    '"StepLR(step_size=100)"': [
        "StepLR changes the rate after 100 epochs for the first time, and the budget has 100: it"
        " does nothing here; step_size says when."
    ],
    '"MultiStepLR(milestones=[150, 120])"': [
        "MultiStepLR changes the rate after 120 epochs for the first time, and the budget has 100:"
        " it does nothing here; milestones says when."
    ],
    '{ name = "SequentialLR", milestones = [20], schedulers = ["StepLR(step_size=30)", "StepLR(step_size=30)"] }': [
        "StepLR changes the rate after 30 epochs for the first time, and its turn has 20: it does"
        " nothing here; step_size says when."
    ],
    '"cosine_with_min_lr(num_training_steps=800, min_lr_rate=0.1, num_cycles=0.5)"': [
        "cosine_with_min_lr is at its lowest, 0.01, after 800 of 1600 steps and climbs again: the"
        ' last step has 0.1; num_training_steps = "auto" ends at the lowest.'
    ],
    '"cosine_with_min_lr(num_training_steps=800, min_lr_rate=0.1, num_cycles=1)"': [
        "cosine_with_min_lr is at its lowest, 0.01, after 400 of 1600 steps and climbs and falls in"
        " turn, 400 steps each way: the last step has 0.1; num_cycles = 0.5 and num_training_steps"
        ' = "auto" end at the lowest.'
    ],
    '{ name = "CosineAnnealingLR", interval = "batch" }': [],
    '{ name = "MultiStepLR", milestones = [30, 80], interval = "batch" }': [
        "MultiStepLR is stepped after every batch here, 1600 times: its last milestone, 80, comes"
        " in epoch 5 of 100."
    ],
    "\"LambdaLR(lr_lambda='1 - epoch / 50')\"": [
        "the rate is below 0 after 51 of 100 epochs, down to -0.098: there the optimizer goes"
        " uphill."
    ],
    "\"LambdaLR(lr_lambda='1 / abs(epoch - 50)')\"": [
        "LambdaLR fails after 50 of 100 epochs (float division by zero): the lane ends there."
    ],
    "\"LambdaLR(lr_lambda='1e400 if epoch > 49 else 1')\"": [
        "LambdaLR fails after 50 of 100 epochs (it gives a rate of inf): the lane ends there."
    ],
    "\"LambdaLR(lr_lambda='1 + 2 * epoch')\"": ["the rate grows to 19.9, 199 times lr = 0.1."],
    "\"LambdaLR(lr_lambda='1 + epoch')\"": [],
    '"ReduceLROnPlateau(patience=5)"': [],
    '"ReduceLROnPlateau(patience=98)"': [
        "ReduceLROnPlateau lowers the rate after 100 epochs at the earliest, and there are 100: it"
        " does nothing here; patience says how long it waits."
    ],
    '{ name = "SequentialLR", milestones = [5], schedulers = ["LinearLR(total_iters=10)", "CosineAnnealingLR(T_max=50)"] }': [
        (
            "LinearLR begins at a third of the rate, 0.03333, and needs 10 epochs to get to the"
            " full one: start_factor is 1/3 unless given."
        ),
        "LinearLR rises for 10 epochs, and its turn has 5: it is cut short at 0.06.",
        (
            "CosineAnnealingLR is at its lowest, 0, after 55 of 100 epochs and climbs again: the"
            " last epoch has 0.09649; T_max = 95 ends at the lowest."
        ),
    ],
    '{ name = "SequentialLR", milestones = [50, 200], schedulers = ["constant", "constant", "ExponentialLR(gamma=1)"] }': [
        "ExponentialLR never begins: its milestone, 200, lies beyond the 100 epochs."
    ],
    '{ name = "ChainedScheduler", schedulers = ["ConstantLR(total_iters=2)", "CosineAnnealingLR(T_max=50)"] }': [
        (
            "ConstantLR begins at a third of the rate, 0.03333, and stays there for 2 epochs:"
            " factor is 1/3 unless given."
        ),
        (
            "CosineAnnealingLR is at its lowest, 0, after 50 of 100 epochs and climbs again: the"
            " last epoch has 0.0999; T_max = 100 ends at the lowest."
        ),
    ],
}
"""Those that begin with a place are whole; the others follow one."""


def asked(folder, schedule, **keys):
    keys = {"task": '"sprite-generator"', "epochs": EPOCHS, "optimizer": '"SGD"', **keys}
    text = (
        f"task = {keys['task']}\nepochs = {keys['epochs']}\n[defaults]\noptimizer ="
        f" {keys['optimizer']}\nlr = 0.1\n[[lane]]\nschedule = {schedule}\n"
    )
    (folder / "race.toml").write_text(text)
    return scenario_file.load(str(folder / "race.toml"))


def told(request):
    said = answer(request)
    assert not said.error, said.error
    return [text for preview in said.previews for text in preview.warnings]


@pytest.mark.parametrize("schedule", GOLDEN)
def test_each_warning_says_what_will_happen_and_on_which_line_to_change_it(schedule, tmp_path):
    expected = [text if text.startswith(AT) else AT + text for text in GOLDEN[schedule]]
    assert (
        told(LaunchRequest("preview", asked(tmp_path, schedule), steps_per_epoch=PER_EPOCH))
        == expected
    )


def test_the_start_of_a_race_is_told_the_same_as_the_picker(tmp_path):
    race = asked(tmp_path, '"OneCycleLR"')
    start = LaunchRequest("start", race, runs=str(tmp_path / "runs"))
    assert told(start) == told(LaunchRequest("preview", race)) == [ONE_CYCLE, MOMENTUM]
    assert not (tmp_path / "runs").exists()


def test_beta1_is_called_by_its_name(tmp_path):
    _, second = told(LaunchRequest("preview", asked(tmp_path, '"OneCycleLR"', optimizer='"AdamW"')))
    assert "also moves beta1, asked for as 0.9, between 0.85 and 0.95" in second


@pytest.mark.parametrize("optimizer", ["Adagrad", "Rprop", "Muon"])
def test_no_word_of_momentum_where_there_is_none_to_move(optimizer, tmp_path):
    assert told(
        LaunchRequest("preview", asked(tmp_path, '"OneCycleLR"', optimizer=f'"{optimizer}"'))
    ) == [ONE_CYCLE]


@pytest.mark.parametrize("path", scenario_file.bundled(), ids=lambda path: path.stem)
def test_bundled_scenarios_have_only_intended_warnings(path):
    said = told(LaunchRequest("preview", scenario_file.load(str(path))))
    if path.stem != "schedules":
        assert said == []
        return
    (line,) = said
    number = int(
        re.match(
            r"schedules\.toml:(\d+): CosineAnnealingLR is at its lowest, 0\.0001, after 50 of 100"
            r" epochs",
            line,
        )[1]
    )
    assert "T_max = 50" in path.read_text().splitlines()[number - 1]


def test_one_cycle_raises_when_it_was_said_to():
    race = make_race(
        [{"optimizer": "SGD", "lr": 0.1, "schedule": "OneCycleLR(total_steps=7)"}],
        task="Plain",
        epochs=4,
    )
    *_, runs_out = told(LaunchRequest("start", race))
    # the check has run the task to count its batches
    assert "OneCycleLR has 7 steps and raises after 8 of 12 steps" in runs_out
    training = Training(race, 0, torch.device("cpu"))
    with pytest.raises(ValueError, match="total steps"):
        list(train_lane(training))
    assert training.step_recorder.step == 7  # the eighth update was made, and its scheduler raised


def test_nothing_is_said_that_depends_on_a_guess():
    """The picker may not run a person's own task: how many steps an epoch has is not known."""
    race = make_race(
        [
            {"lr": 0.1, "schedule": s}
            for s in (
                "OneCycleLR(total_steps=12, div_factor=5.0, cycle_momentum=False)",
                "cosine(warmup_steps=150)",
            )
        ],
        task="Plain",
        epochs=1,
    )
    assert told(LaunchRequest("preview", race)) == []
    by_epochs = make_race(
        [{"lr": 0.1, "schedule": "CosineAnnealingLR(T_max=2)"}], task="Plain", epochs=5
    )
    assert len(told(LaunchRequest("preview", by_epochs))) == 1  # epochs are known


def test_metric_schedule_without_validation_is_refused_with_its_line(tmp_path):
    race = asked(tmp_path, '"ReduceLROnPlateau(patience=5)"', task='"straight-line"')
    (said,) = told(LaunchRequest("preview", race))
    assert said.startswith(
        AT + "ReduceLROnPlateau looks at the validation loss, and the task has no validation data"
    )
    refused = answer(LaunchRequest("start", race))
    assert "race.toml:7: lane A: ReduceLROnPlateau" in refused.error
    assert "straight-line has no validation data" in refused.error
    assert refused.hint.startswith("expected a task whose dataset() gives a pair")
    flagged = scenario_file.load("linear", {"lanes.schedule": "ReduceLROnPlateau"})
    assert "--schedule: lane A" in answer(LaunchRequest("start", flagged)).error


def test_a_persons_own_task_is_looked_at_for_it_only_when_it_is_to_race():
    race = make_race([{"schedule": "ReduceLROnPlateau(patience=0)"}], task="Plain", epochs=5)
    assert not answer(LaunchRequest("preview", race)).error
    assert "has no validation data" in answer(LaunchRequest("start", race)).error
    validated = make_race(
        [{"schedule": "ReduceLROnPlateau(patience=0)"}], task="Validated", epochs=5
    )
    assert not answer(LaunchRequest("start", validated)).error


def test_a_library_user_is_told_too():
    with pytest.raises(Exception, match="looks at the validation loss") as refused:
        train(make_race([{"schedule": "ReduceLROnPlateau"}], task="Plain"))
    assert refused.value.hint.startswith("expected a task")


def test_numbers_in_warnings_are_those_of_a_real_run(tmp_path):
    lane = {"optimizer": "SGD", "lr": 0.1, "schedule": "CosineAnnealingLR(T_max=3, eta_min=0.01)"}
    race = make_race([lane], task="Plain", epochs=5)
    (said,) = told(LaunchRequest("start", race))
    assert "0.01, after 3 of 5 epochs" in said
    last = 0.01 + 0.09 * (1 + math.cos(math.pi * 4 / 3)) / 2
    assert f"the last epoch has {last:.4g};" in said
    assert column(train(race), "applied_lr")[-1] == pytest.approx(last)
