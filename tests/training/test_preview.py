"""Looking ahead in a schedule: quick, exact where that is possible, and without a trace in what
trains."""

import math
import random

import numpy as np
import pytest
import torch

from lrtui.core.protocol.events import ScheduleForecast, Started
from lrtui.training.announcements import forecast
from lrtui.training.preview import EXACT, MOST, preview, thinned
from lrtui.training.session import Training
from lrtui.training.training_length import TrainingLength
from support.training import column, make_race, train

LR = 0.1


def lane_with(schedule, optimizer="SGD"):
    return make_race(
        [{"optimizer": optimizer, "lr": LR, "schedule": schedule}], task="Plain"
    ).lanes[0]


def rate_at(shown, step):
    return shown.rates[np.searchsorted(shown.steps, step, side="right") - 1]


def planned(events):
    return [event for event in events if isinstance(event, ScheduleForecast)]


def test_schedules_by_the_epoch_are_looked_at_by_the_epoch():
    shown = preview(
        lane_with("ExponentialLR(gamma=0.999)"), TrainingLength(4_000_000, 4000), 1000, seconds=60
    )
    assert len(shown.steps) == 4000
    assert shown.known == shown.total == 4_000_000
    assert rate_at(shown, 3_999_999) == pytest.approx(LR * 0.999**3999)


JUMPING = {
    "cosine": lambda t, n: LR * (1 + math.cos(math.pi * t / n)) / 2,
    "LambdaLR(lr_lambda='1 / (1 + step)')": lambda t, n: LR / (1 + t),
    "CosineAnnealingLR": lambda t, n: LR * (1 + math.cos(math.pi * t / n)) / 2,
    "StepLR(step_size=300000)": lambda t, n: LR * 0.1 ** (t // 300_000),
    "MultiStepLR(milestones=[1000, 500000])": lambda t, n: (
        LR * 0.1 ** ((t >= 1000) + (t >= 500_000))
    ),
    "LinearLR(start_factor=0.5, total_iters=1000000)": lambda t, n: LR * (0.5 + 0.5 * t / n),
    "ConstantLR(factor=0.5, total_iters=600000)": lambda t, n: LR * (0.5 if t < 600_000 else 1),
    "ExponentialLR(gamma=0.99999)": lambda t, n: LR * 0.99999**t,
    "PolynomialLR(total_iters=1000000)": lambda t, n: LR * (1 - t / n),
    "CosineAnnealingWarmRestarts(T_0=400000)": lambda t, n: (
        LR * (1 + math.cos(math.pi * (t % 400_000) / 400_000)) / 2
    ),
    "CyclicLR(base_lr=0.01, step_size_up=250000)": lambda t, n: (
        0.01 + 0.09 * min(t % 500_000, 500_000 - t % 500_000) / 250_000
    ),
}


@pytest.mark.parametrize("schedule", JUMPING)
def test_preview_samples_a_long_schedule_per_batch_with_exact_rates(schedule):
    name = schedule.partition("(")[0]
    spec = scenario_table(schedule) if name != "cosine" else schedule
    shown = preview(lane_with(spec), TrainingLength(1_000_000, 100), 10_000, seconds=60)
    assert shown.cut is None
    assert len(shown.steps) <= EXACT + 2
    for step, rate in list(zip(shown.steps, shown.rates, strict=True))[1:]:
        assert rate == pytest.approx(JUMPING[schedule](step, 1_000_000), rel=1e-6, abs=1e-12)
    assert rate_at(shown, 999_999) == pytest.approx(
        JUMPING[schedule](999_999, 1_000_000), rel=1e-6, abs=1e-12
    )


def scenario_table(call):
    """A call as a table that is stepped by the batch."""
    race = make_race([{"schedule": call}], task="Plain")
    spec = race.lanes[0].schedule
    return {"name": spec.name, "interval": "batch", **spec.options}


def test_what_cannot_jump_ends_where_the_time_is_over():
    slow = {
        "name": "ChainedScheduler",
        "interval": "batch",
        "schedulers": ["ExponentialLR(gamma=0.9999)"],
    }
    shown = preview(lane_with(slow), TrainingLength(1_000_000, 100), 10_000, seconds=0)
    assert shown.cut == shown.known == 2
    assert shown.failure == ""
    assert len(shown.steps) == 2


def test_where_a_long_one_fails_is_found_to_the_step():
    shown = preview(
        lane_with("OneCycleLR(total_steps=777777)"),
        TrainingLength(1_000_000, 100),
        10_000,
        seconds=60,
    )
    assert shown.cut == 777_778
    assert "total" in shown.failure
    assert shown.steps[-1] <= 777_777


def test_many_changes_are_thinned_and_no_extreme_is_lost():
    lane = lane_with({"name": "CyclicLR", "base_lr": 0.01, "step_size_up": 3})
    shown = preview(lane, TrainingLength(5000, 50), 100, seconds=60)
    few = thinned(shown)
    assert len(shown.steps) > MOST >= len(few.steps)
    assert min(few.rates) == min(shown.rates)
    assert max(few.rates) == max(shown.rates)
    assert few.steps == sorted(set(few.steps))
    assert (few.steps[0], few.steps[-1]) == (shown.steps[0], shown.steps[-1])
    assert all(
        rate_at(shown, step) == rate for step, rate in zip(few.steps, few.rates, strict=True)
    )


def test_the_momentum_it_will_make_is_told_beside_what_was_asked_for():
    assert preview(lane_with("OneCycleLR"), TrainingLength(20, 2), 10).momentum == pytest.approx(
        (0.0, 0.85, 0.95), abs=1e-3
    )
    assert preview(
        lane_with("StepLR(step_size=2)", "Adam"), TrainingLength(20, 2), 10
    ).momentum == (0.9, 0.9, 0.9)
    assert preview(lane_with("OneCycleLR", "Adagrad"), TrainingLength(20, 2), 10).momentum is None


def test_the_plan_comes_right_after_the_start_and_is_what_is_applied():
    events = train(
        make_race(
            [{"optimizer": "SGD", "lr": LR, "schedule": "cosine(warmup_steps=3)"}],
            task="Plain",
            epochs=4,
        )
    )
    assert [type(event) for event in events[:2]] == [Started, ScheduleForecast]
    (plan,) = planned(events)
    assert plan.total == 12
    assert [rate_at(plan, step) for step in range(12)] == column(events, "applied_lr")


@pytest.mark.parametrize(
    "schedule", ["none", "constant", "StepLR(step_size=99)", "ReduceLROnPlateau(patience=0)"]
)
def test_there_is_no_plan_of_what_stays_or_cannot_be_known(schedule):
    assert planned(train(make_race([{"lr": LR, "schedule": schedule}], task="Validated"))) == []


def test_a_plan_that_is_cut_ends_there():
    lane = {"optimizer": "SGD", "lr": LR, "schedule": "OneCycleLR(total_steps=7)"}
    training = Training(make_race([lane], task="Plain", epochs=4), 0, torch.device("cpu"))
    (plan,) = forecast(training)
    assert plan.total == 8
    assert max(plan.steps) < 8


def test_forecast_changes_neither_random_state_nor_the_optimizer():
    training = Training(
        make_race([{"lr": LR, "schedule": "OneCycleLR"}], task="Dropped"), 0, torch.device("cpu")
    )
    before = (
        torch.get_rng_state(),
        random.getstate(),
        np.random.get_state()[1].tolist(),
        repr(training.optimizer.state_dict()),
    )
    assert forecast(training)
    after = (
        torch.get_rng_state(),
        random.getstate(),
        np.random.get_state()[1].tolist(),
        repr(training.optimizer.state_dict()),
    )
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
