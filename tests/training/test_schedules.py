"""The rate that the loop applied at each step is the rate computed by hand, for every schedule
there is."""

import math
import warnings

import numpy as np
import pytest
import torch

from lrtui.core.protocol.events import Ended, Evaluated
from lrtui.core.scenario import catalogue, scenario_file
from lrtui.core.scenario.spec import ScheduleSpec
from lrtui.training.preview import preview
from lrtui.training.schedules import Schedule
from lrtui.training.training_length import TrainingLength, training_length
from support.training import column, make_race, train

from .cases import BY_HAND, EPOCHS, INTERVALS, LR, STEPS, STEPS_PER_EPOCH, between, one_cycle


# name: options, and the rate at the scheduler's step t out of n (both counted in its own interval)
def race_with(schedule, **keys):
    """Of a task of 48 samples; a metric schedule needs one with validation, whose loss falls."""
    task = "Validated" if any(name in str(schedule) for name in catalogue.WANTS_METRIC) else "Plain"
    return make_race(
        [{"optimizer": "SGD", "lr": LR, "schedule": schedule}],
        **{"task": task, "epochs": EPOCHS, **keys},
    )


def by_hand(name, interval, count=STEPS):
    each, n = (1, STEPS) if interval == "batch" else (STEPS_PER_EPOCH, EPOCHS)
    return [BY_HAND[name][1](step // each, n) for step in range(count)]


def close_to(rates):
    return pytest.approx(rates, rel=1e-9, abs=1e-15)


def test_every_schedule_there_is_has_its_rate_written_down_here():
    assert BY_HAND.keys() == catalogue.schedules().keys()


@pytest.mark.parametrize("name", BY_HAND)
def test_applied_rate_equals_the_manual_one_at_the_usual_interval(name):
    events = train(race_with({"name": name, **BY_HAND[name][0]}))
    assert events[-1].reason == "finished"
    assert column(events, "applied_lr") == close_to(
        by_hand(name, catalogue.schedules()[name].interval)
    )
    assert column(events, "next_lr")[:-1] == column(events, "applied_lr")[1:]


@pytest.mark.parametrize(("name", "interval"), INTERVALS)
def test_the_rate_applied_is_the_one_computed_by_hand_at_either_interval(name, interval):
    events = train(race_with({"name": name, "interval": interval, **BY_HAND[name][0]}))
    assert column(events, "applied_lr") == close_to(by_hand(name, interval))


@pytest.mark.parametrize(("name", "interval"), INTERVALS)
def test_a_preview_shows_what_the_loop_applies(name, interval):
    options = BY_HAND[name][0]
    if name in catalogue.WANTS_METRIC:  # a preview takes it that the metric goes on improving
        options = {**options, "mode": "min"}
    race = race_with({"name": name, "interval": interval, **options})
    shown = preview(race.lanes[0], training_length(race, STEPS_PER_EPOCH), STEPS_PER_EPOCH)
    each = [
        shown.rates[np.searchsorted(shown.steps, step, side="right") - 1]
        for step in range(shown.total)
    ]
    assert each == column(train(race), "applied_lr")


def test_preview_of_a_schedule_in_mode_max_assumes_a_rising_metric():
    race = race_with({"name": "ReduceLROnPlateau", "mode": "max", "patience": 0})
    assert preview(race.lanes[0], TrainingLength(STEPS, EPOCHS), STEPS_PER_EPOCH).rates == [LR]


def test_a_lane_without_a_schedule_keeps_its_rate():
    events = train(race_with("none"))
    assert set(column(events, "applied_lr")) == set(column(events, "next_lr")) == {LR}


def effective_lr(index):
    events = train(scenario_file.load("effective-lr"), index)
    assert isinstance(events[-1], Ended)
    return column(events, "applied_lr"), column(events, "next_lr")


def test_effective_lr_adam_with_step_lr_number_by_number():
    applied, following = effective_lr(0)
    assert applied == close_to([0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001, 0.0001])
    assert following == close_to([0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001, 0.0001, 0.0001])


def test_effective_lr_sgd_with_inverse_time_number_by_number():
    applied, following = effective_lr(1)
    trace = [
        1.0,
        1 / 1.1,
        1 / 1.2,
        1 / 1.3,
        1 / 1.4,
        1 / 1.5,
        0.625,
        1 / 1.7,
        1 / 1.8,
        1 / 1.9,
        0.5,
    ]
    assert applied == close_to(trace[:10])
    assert following == close_to(trace[1:])


def test_effective_lr_sgd_at_a_fixed_rate_number_by_number():
    assert effective_lr(2) == ([0.01] * 10, [0.01] * 10)


def test_reduce_on_plateau_waits_for_its_patience():
    events = train(
        race_with({"name": "ReduceLROnPlateau", "mode": "max", "patience": 2, "factor": 0.5})
    )
    losses = [event.metrics["val_loss"] for event in events if isinstance(event, Evaluated)]
    assert losses == sorted(losses, reverse=True)  # falling: none of them is better than the first
    # Epochs 2, 3 and 4 are bad, one more than its patience: epoch 5 has half the rate.
    assert column(events, "applied_lr")[::STEPS_PER_EPOCH] == [LR, LR, LR, LR, LR / 2, LR / 2]


def test_reduce_on_plateau_looks_at_the_validation_loss():
    lane = {
        "optimizer": "SGD",
        "lr": LR,
        "schedule": {"name": "ReduceLROnPlateau", "patience": 0, "factor": 0.9},
    }
    events = train(make_race([lane], epochs=12))
    val = [event.metrics["val_loss"] for event in events if isinstance(event, Evaluated)]
    best, rate, rates = math.inf, LR, []
    for loss in val:
        better = loss < best * (1 - 1e-4)  # torch's default threshold
        best, rate = (loss, rate) if better else (best, rate * 0.9)
        rates.append(rate)
    assert LR > rates[-1] > LR * 0.9 ** len(val)  # some epochs were better, some were not
    assert column(events, "next_lr")[3::4] == close_to(rates)


def test_a_metric_that_is_not_finite_is_not_fed_to_reduce_on_plateau():
    lane = {"optimizer": "SGD", "lr": LR, "schedule": {"name": "ReduceLROnPlateau", "patience": 0}}
    events = train(make_race([lane], task="BlindValidation", epochs=5))
    assert all(
        math.isnan(event.metrics["val_loss"]) for event in events if isinstance(event, Evaluated)
    )
    assert set(column(events, "applied_lr")) == {LR}


@pytest.mark.parametrize("metric", [math.nan, math.inf, -math.inf])
def test_the_best_metric_of_reduce_on_plateau_stays_what_it_was(metric):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    spec = ScheduleSpec("ReduceLROnPlateau", "epoch", {"patience": 0, "factor": 0.5})
    schedule = Schedule(spec, optimizer, LR, TrainingLength(9, 9))
    rates = []
    for value in (1.0, metric, 0.5, metric, 0.9):
        schedule.after_epoch(value)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [LR, LR, LR, LR, LR / 2]


def test_a_warmup_ratio_is_a_share_of_the_budget_rounded_up():
    by_ratio = train(race_with({"name": "linear", "warmup_ratio": 0.25}))
    by_steps = train(race_with({"name": "linear", "warmup_steps": 5}))  # 0.25 * 18 = 4.5
    assert column(by_ratio, "applied_lr") == column(by_steps, "applied_lr")
    assert column(by_steps, "applied_lr")[:7] == close_to(
        [LR * f for f in (0, 0.2, 0.4, 0.6, 0.8, 1, 12 / 13)]
    )


def test_warmup_steps_win_over_a_warmup_ratio():
    both = train(race_with({"name": "cosine", "warmup_ratio": 0.9, "warmup_steps": 2}))
    assert column(both, "applied_lr") == close_to(by_hand("cosine", "batch"))


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        ({"name": "CosineAnnealingLR", "T_max": "auto"}, "epoch"),
        ({"name": "CosineAnnealingLR"}, "epoch"),
        ({"name": "CosineAnnealingLR", "interval": "batch"}, "batch"),
    ],
)
def test_t_max_auto_is_the_budget_in_the_schedules_interval(schedule, interval):
    each, n = (1, STEPS) if interval == "batch" else (STEPS_PER_EPOCH, EPOCHS)
    assert column(train(race_with(schedule)), "applied_lr") == close_to(
        [between(LR, 0, s // each / n) for s in range(STEPS)]
    )


def test_auto_follows_a_budget_in_steps():
    rates = column(
        train(race_with({"name": "OneCycleLR", "total_steps": "auto"}, steps=10)), "applied_lr"
    )
    assert rates == close_to([one_cycle(t, 10) for t in range(10)])


@pytest.mark.parametrize(
    "optimizer", ["Adadelta", "Adagrad", "Rprop", "LBFGS", "Muon", "SGD", "Adam"]
)
@pytest.mark.parametrize("schedule", ["OneCycleLR", "CyclicLR"])
def test_a_cycle_works_with_and_without_a_momentum_to_cycle(optimizer, schedule):
    options = {"OneCycleLR": {}, "CyclicLR": {"base_lr": LR / 10, "step_size_up": 4}}[schedule]
    events = train(
        make_race(
            [{"optimizer": optimizer, "lr": LR, "schedule": {"name": schedule, **options}}],
            task="Plain",
            epochs=6,
        )
    )
    assert events[-1].reason == "finished"
    assert column(events, "applied_lr") == close_to(by_hand(schedule, "batch"))


def test_training_with_a_schedule_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("StepLR", "SequentialLR", "ChainedScheduler", "cosine", "ReduceLROnPlateau"):
            assert train(race_with({"name": name, **BY_HAND[name][0]}))[-1].reason == "finished"
