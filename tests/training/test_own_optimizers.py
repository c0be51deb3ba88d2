"""Lanes whose optimizer is not torch's: schedulefree, prodigyopt and a user's own class."""

import numpy as np
import prodigyopt
import pytest
import schedulefree
import torch

from lrtui.core.errors import ScenarioError, TaskError
from lrtui.core.protocol.commands import SetRate
from lrtui.core.protocol.events import Evaluated, Measured, ScheduleForecast
from lrtui.training import optimizers, snapshot
from lrtui.training.loop import train_lane
from lrtui.training.session import Training
from support.training import column, make_race, train

from . import tasks_for_tests
from .bare import bare_loop
from .breaks import breaks, unequal, whole
from .own_optimizers import Counting, Signed

CPU = torch.device("cpu")
BARE = {"seed": 11, "epochs": 3, "batch_size": 16}
FREE = {"optimizer": "schedulefree:AdamWScheduleFree", "lr": 0.02, "warmup_steps": 4}
PRODIGY = {"optimizer": "prodigyopt:Prodigy", "lr": 1.0, "weight_decay": 0.01}
COUNTING = {"optimizer": "own_optimizers.py:Counting", "lr": 0.02}
SIGNED = {"optimizer": "own_optimizers.py:Signed", "lr": 0.02, "decay": 0.1}
MAKERS = {
    "free": (FREE, lambda p: schedulefree.AdamWScheduleFree(p, lr=0.02, warmup_steps=4)),
    "prodigy": (PRODIGY, lambda p: prodigyopt.Prodigy(p, lr=1.0, weight_decay=0.01)),
    "counting": (COUNTING, lambda p: Counting(p, lr=0.02)),
    "signed": (SIGNED, lambda p: Signed(p, lr=0.02, decay=0.1)),
}


def race_of(lane, task="Dropped", **keys):
    return make_race([lane], task=task, **keys)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("recipe", [{}, {"accumulate": 2, "clip_grad_norm": 0.5}], ids=str)
def test_lane_equals_the_bare_loop(kind, recipe):
    lane, make = MAKERS[kind]
    losses, _ = bare_loop(tasks_for_tests.Dropped(), make, **BARE, **recipe)
    assert column(train(race_of({**lane, **recipe}))) == losses


@pytest.mark.parametrize("kind", MAKERS)
def test_lane_resumed_anywhere_is_the_one_nobody_interrupts(kind):
    race = race_of(MAKERS[kind][0], epochs=2)
    assert unequal(race, breaks(race)[::2]) == []


@pytest.mark.parametrize("kind", MAKERS)
def test_dial_multiplies_the_rate_of_each_step(kind):
    lane, make = MAKERS[kind]
    training, events = whole(race_of(lane), factor=0.5)

    def halved(params):
        optimizer = make(params)
        for group in optimizer.param_groups:
            group["lr"] *= 0.5
        return optimizer

    losses, _ = bare_loop(tasks_for_tests.Dropped(), halved, **BARE)
    assert column(events) == losses
    assert training.optimizer.param_groups[0]["lr"] == lane["lr"]


@pytest.mark.parametrize("kind", MAKERS)
def test_fork_with_another_rate_keeps_the_counters_in_the_groups(kind):
    lane, _ = MAKERS[kind]
    race = make_race([lane, {**lane, "lr": lane["lr"] / 2}])
    moment = breaks(race)[5]
    before = snapshot.decode(moment.payload)["optimizer"][0]["groups"][0]
    training = Training(race, 1, CPU, snapshot=snapshot.decode(moment.payload))
    group = training.optimizer.param_groups[0]
    counters = snapshot.counters(training.optimizer, group)
    assert counters
    assert {key: group[key] for key in counters} == {key: before[key] for key in counters}
    assert group["lr"] == lane["lr"] / 2
    events = [event for event in train_lane(training) if event is not None]
    assert events[-1].reason == "finished"


class TestScheduleFree:
    def test_it_is_evaluated_with_its_averaged_weights(self):
        task, make = tasks_for_tests.Dropped(), MAKERS["free"][1]
        events = train(race_of(FREE))
        torch.manual_seed(11)
        model = task.model()
        training, _ = whole(race_of(FREE))
        model.load_state_dict(training.model.state_dict())
        assert make
        optimizer = training.optimizer
        optimizer.eval()
        held_out = task.dataset()[1]
        batch = torch.utils.data.default_collate([held_out[i] for i in range(len(held_out))])
        with torch.no_grad():
            averaged = task.loss(training.model.eval(), batch).item()
            raw = task.loss(model.eval(), batch).item()
        last = [event for event in events if isinstance(event, Evaluated)][-1]
        assert last.metrics["val_loss"] == pytest.approx(averaged, rel=1e-5)
        assert last.metrics["val_loss"] != pytest.approx(raw, rel=1e-5)

    def test_rate_on_record_is_the_one_its_own_warmup_applied(self):
        rates = column(train(race_of(FREE)), "applied_lr")
        assert rates[:5] == pytest.approx([0.005, 0.01, 0.015, 0.02, 0.02])

    def test_step_gain_is_that_of_gradients_before_it_normalises_them(self):
        events = train(race_of({**FREE, "lr": 1e-5, "warmup_steps": 0}, task="Plain"))
        gains = np.concatenate([e.values("gain") for e in events if isinstance(e, Measured)])
        assert gains[np.isfinite(gains)] == pytest.approx(1.0, abs=0.05)


class TestProdigy:
    def test_rate_on_record_is_its_estimate_times_lr(self):
        seen = []

        def make(params):
            optimizer = prodigyopt.Prodigy(params, lr=1.0, weight_decay=0.01)
            optimizer.register_step_pre_hook(
                lambda opt, args, kwargs: seen.append(
                    opt.param_groups[0]["d"] * opt.param_groups[0]["lr"]
                )
            )
            return optimizer

        bare_loop(tasks_for_tests.Dropped(), make, **BARE)
        rates = column(train(race_of(PRODIGY)), "applied_lr")
        assert rates == seen
        assert rates[-1] > 10 * rates[0]

    def test_absolute_rate_of_the_dial_is_the_applied_one(self):
        training = Training(race_of(PRODIGY), 0, CPU)
        training.set_factor(training.dial.factor_for(SetRate(lane=0, rate=1e-4)))
        assert training.next_rate == pytest.approx(1e-4)

    def test_no_forecast_is_made_of_a_rate_that_depends_on_the_losses(self):
        lane = {**PRODIGY, "schedule": "CosineAnnealingLR"}
        assert not any(isinstance(event, ScheduleForecast) for event in train(race_of(lane)))


class TestOptions:
    @pytest.mark.parametrize(
        ("lane", "message"),
        [
            (
                {"optimizer": "own_optimizers.py:Signed", "decoy": 1},
                r"decoy: unknown option .* did",
            ),
            ({"optimizer": "own_optimizers.py:Absent"}, 'optimizer: own_optimizers.py has no "Abs'),
            ({"optimizer": "schedulefree:AdamWScheduleFre"}, 'optimizer: __init__.py has no "Adam'),
            ({"optimizer": "nowhere_at_all:Adam"}, 'optimizer: no module "nowhere_at_all"'),
            ({"optimizer": "own_optimizers.py:Signed(0.1)"}, "arguments without a name"),
            ({"optimizer": "own_optimizers.py:Signed(lr=0.1)"}, "the rate stands inside"),
            ({**FREE, "maximize": True}, "maximize: unknown option"),
            ({**FREE, "betas": float("nan")}, "betas: cannot be handed on"),
        ],
        ids=str,
    )
    def test_wrong_one_is_refused_by_reading_the_source(self, lane, message):
        with pytest.raises(ScenarioError, match=message):
            race_of({"lr": 0.1, **lane})

    def test_default_rate_is_the_constructors(self):
        lane = {"optimizer": "own_optimizers.py:Signed(decay=0.2)"}
        assert race_of(lane).lanes[0].lr == 0.02
        assert race_of({"optimizer": "prodigyopt:Prodigy"}).lanes[0].lr == 1.0

    def test_class_that_takes_anything_gets_anything(self):
        race = race_of({"optimizer": "own_optimizers.py:Warm", "colour": "red"})
        assert Training(race, 0, CPU).optimizer.options == {"colour": "red"}

    @pytest.mark.parametrize(
        ("name", "option", "rate"),
        [
            ("Twice", "last", 0.04),
            ("Decorated", "other", 1e-3),
            ("Rebound", "other", 1e-3),
            ("Inheriting", "weight_decay", 1e-3),
        ],
    )
    def test_constructor_is_read_of_the_class_in_force_or_not_at_all(self, name, option, rate):
        race = race_of({"optimizer": f"own_optimizers.py:{name}", option: 1})
        assert race.lanes[0].lr == rate
        assert Training(race, 0, CPU).optimizer.param_groups[0]["lr"] == rate

    def test_class_that_makes_no_optimizer_is_named(self):
        race = race_of({"optimizer": "own_optimizers.py:NotOne"})
        with pytest.raises(TaskError, match=r"NotOne, which is not a torch\.optim\.Optimizer"):
            optimizers.build(race.lanes[0].optimizer, [torch.nn.Parameter(torch.ones(1))], 0.1)
