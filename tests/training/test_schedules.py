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

from .conftest import column, make_race, train

LR = 0.1
EPOCHS, STEPS_PER_EPOCH = 6, 3  # of the task Plain in batches of 16
STEPS = EPOCHS * STEPS_PER_EPOCH


def between(start, stop, share):
    """From `start` at share 0 to `stop` at share 1 along half a cosine wave."""
    return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2


def one_cycle(t, n):
    peak = 0.3 * n - 1
    if t <= peak:
        return between(LR / 25, LR, t / peak)
    return between(LR, LR / 25 / 1e4, (t - peak) / (n - 1 - peak))


def warm_restarts(t, n):
    length = 2
    while t >= length:
        t, length = t - length, 2 * length
    return between(LR, 0.01, t / length)


def warmed(warmup, after):
    """The factor t / warmup during the warmup, `after(t, share of the rest, n)` from then on."""
    return lambda t, n: (
        LR * (t / warmup if t < warmup else after(t, (t - warmup) / (n - warmup), n))
    )


def stable_decay(t, n):
    if t < 2:
        return LR * (0.9 * t / 2 + 0.1)
    if t < 2 + 1:
        return LR
    return LR * (between(1, 0.1, (t - 3) / 2) if t < 3 + 2 else 0.1)


# name: options, and the rate at the scheduler's step t out of n (both counted in its own interval)
BY_HAND = {
    "StepLR": ({"step_size": 2, "gamma": 0.5}, lambda t, n: LR * 0.5 ** (t // 2)),
    "MultiStepLR": (
        {"milestones": [1, 4], "gamma": 0.1},
        lambda t, n: LR * 0.1 ** ((t >= 1) + (t >= 4)),
    ),
    "ConstantLR": ({"factor": 0.25, "total_iters": 2}, lambda t, n: LR * (0.25 if t < 2 else 1)),
    "LinearLR": (
        {"start_factor": 0.5, "end_factor": 1.0, "total_iters": 4},
        lambda t, n: LR * (0.5 + 0.5 * min(t, 4) / 4),
    ),
    "ExponentialLR": ({"gamma": 0.8}, lambda t, n: LR * 0.8**t),
    "LambdaLR": (
        {"lr_lambda": "1 / (1 + epoch) if step < 4 else 0.01 * total"},
        lambda t, n: LR / (1 + t) if t < 4 else LR * 0.01 * n,
    ),
    "MultiplicativeLR": (
        {"lr_lambda": "1 - 0.02 * epoch"},
        lambda t, n: LR * math.prod(1 - 0.02 * k for k in range(1, t + 1)),
    ),
    "CosineAnnealingLR": ({"T_max": 4, "eta_min": 0.01}, lambda t, n: between(LR, 0.01, t / 4)),
    "CosineAnnealingWarmRestarts": ({"T_0": 2, "T_mult": 2, "eta_min": 0.01}, warm_restarts),
    "PolynomialLR": ({"total_iters": 5, "power": 2.0}, lambda t, n: LR * (1 - min(t, 5) / 5) ** 2),
    "CyclicLR": (
        {"base_lr": 0.01, "max_lr": LR, "step_size_up": 4, "cycle_momentum": False},
        lambda t, n: 0.01 + (LR - 0.01) * min(t % 8, 8 - t % 8) / 4,
    ),
    "OneCycleLR": ({}, one_cycle),
    "SequentialLR": (
        {
            "milestones": [2],
            "schedulers": [
                {"name": "ConstantLR", "factor": 0.1, "total_iters": 9},
                {"name": "ExponentialLR", "gamma": 0.5},
            ],
        },
        lambda t, n: LR * (0.1 if t < 2 else 0.5 ** (t - 2)),
    ),
    "ChainedScheduler": (
        {
            "schedulers": [
                {"name": "ConstantLR", "factor": 0.1, "total_iters": 2},
                {"name": "ExponentialLR", "gamma": 0.9},
            ]
        },
        lambda t, n: LR * 0.9**t * (0.1 if t < 2 else 1),
    ),
    # A falling loss, taken for one that should rise: bad from the second epoch's on, a tenth each
    # time.
    "ReduceLROnPlateau": (
        {"mode": "max", "patience": 0, "factor": 0.1},
        lambda t, n: LR * 0.1 ** max(0, t - 1),
    ),
    "SWALR": ({"swa_lr": 0.02, "anneal_epochs": 4}, lambda t, n: between(LR, 0.02, min(t, 4) / 4)),
    # The first loss is the best so far, so the rate rises; as above from then on.
    "greedy": (
        {"mode": "max", "patience": 0, "factor": 0.9, "min_lr": 0.0},
        lambda t, n: LR * 0.9 ** (t - 2 if t else 0),
    ),
    "inverse-time": ({"decay": 0.5}, lambda t, n: LR / (1 + 0.5 * t)),
    "range-test": ({"to": 10.0}, lambda t, n: LR * 100 ** (t / (n - 1))),
    "linear": ({"warmup_steps": 2}, warmed(2, lambda t, share, n: 1 - share)),
    "cosine": ({"warmup_steps": 2}, warmed(2, lambda t, share, n: between(1, 0, share))),
    "cosine_with_restarts": (
        {"warmup_steps": 2, "num_cycles": 2},
        warmed(2, lambda t, share, n: between(1, 0, 2 * share % 1)),
    ),
    "polynomial": (
        {"power": 2.0, "lr_end": 0.02},
        lambda t, n: 0.02 + (LR - 0.02) * (1 - t / n) ** 2,
    ),
    "constant": ({}, lambda t, n: LR),
    "constant_with_warmup": ({"warmup_steps": 4}, warmed(4, lambda t, share, n: 1)),
    "inverse_sqrt": ({"warmup_steps": 3}, warmed(3, lambda t, share, n: math.sqrt(3 / t))),
    "cosine_with_min_lr": (
        {"warmup_steps": 2, "min_lr": 0.03},
        warmed(2, lambda t, share, n: between(1, 0.3, share)),
    ),
    "cosine_warmup_with_min_lr": (
        {"warmup_steps": 3, "min_lr_rate": 0.2, "warmup_lr_rate": 0.5},
        lambda t, n: LR * (0.5 + 0.25 * t if t < 3 else between(1, 0.2, (t - 2) / (n - 3))),
    ),
    "warmup_stable_decay": (
        {"warmup_steps": 2, "num_stable_steps": 1, "num_decay_steps": 2, "min_lr_ratio": 0.1},
        stable_decay,
    ),
}
INTERVALS = [
    (name, interval)
    for name in BY_HAND
    for interval in ("batch", "epoch")
    if not (name in catalogue.WANTS_METRIC and interval == "batch")
]


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
def test_the_rate_applied_is_the_one_computed_by_hand_at_the_schedules_own_interval(name):
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


def test_a_preview_of_a_schedule_that_wants_a_rising_metric_shows_one_that_rises():
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
