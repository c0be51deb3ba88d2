"""The dial multiplies what is applied and nothing else: every scheduler goes on as if nobody had
touched it."""

import math
from functools import partial

import pytest
import torch

from lrtui.core.protocol.events import Measured
from lrtui.core.scenario import catalogue
from lrtui.training import optimizers
from lrtui.training.dial import Dial, no_effect
from lrtui.training.loop import train_lane
from lrtui.training.session import Training
from support.training import column, make_race, task_for

from .breaks import CPU, breaks, record, unequal, whole
from .cases import BY_HAND, INTERVALS


def race_with(optimizer="SGD", schedule=None, lr=0.01, **keys):
    lane = {"optimizer": optimizer, "lr": lr, **({"schedule": schedule} if schedule else {})}
    return make_race([lane], gauge=False, **{"epochs": 5, "task": task_for(optimizer), **keys})


def turned(race, turns, seal_at=()):
    """(training, events) of a lane whose dial is put at `turns[step]` before that step; sealed
    before the steps `seal_at`."""
    training = Training(race, 0, CPU)
    training.set_factor(turns.get(0, 1.0))
    told = []
    for event in train_lane(training):
        if event is not None:
            told.append(event)
        elif training.progress.before_validation is None:
            if training.step_recorder.step in seal_at:
                told += training.step_recorder.flush()
            if training.step_recorder.step in turns:
                training.set_factor(turns[training.step_recorder.step])
    return training, told


@pytest.mark.parametrize(
    ("name", "interval"), [pair for pair in INTERVALS if pair[0] not in catalogue.WANTS_METRIC]
)
def test_applied_rate_is_the_scheduled_rate_times_the_factor(name, interval):
    schedule = {"name": name, "interval": interval, **BY_HAND[name][0]}
    lr = 0.03 if name == "polynomial" else 0.01  # above where it ends
    own = column(whole(race_with(schedule=schedule, lr=lr))[1], "applied_lr")
    _, events = turned(race_with(schedule=schedule, lr=lr), {3: 0.3, 9: 7.0, 14: 1.0})
    factors = [1.0] * 3 + [0.3] * 6 + [7.0] * 5 + [1.0] * 6
    assert column(events, "applied_lr") == [
        rate * factor for rate, factor in zip(own, factors, strict=True)
    ]


def test_a_schedule_that_looks_at_the_loss_sees_its_own_rate():
    # a falling loss is never better
    schedule = {"name": "ReduceLROnPlateau", "mode": "max", "patience": 0, "factor": 0.5}
    _, events = turned(race_with(schedule=schedule, lr=0.001, task="Validated"), {1: 0.5})
    assert column(events, "applied_lr")[::3] == pytest.approx(
        [0.001, 0.0005, 0.00025, 0.000125, 0.0000625]
    )


@pytest.mark.parametrize("name", catalogue.optimizers())
def test_with_every_optimizer_a_factor_is_as_good_as_the_rate_itself(name):
    by_dial = record(*turned(race_with(name, lr=0.01), {0: 2.0}))
    by_rate = record(*whole(race_with(name, lr=0.02)))
    assert by_dial == by_rate


@pytest.mark.parametrize("name", catalogue.optimizers())
def test_a_factor_of_one_changes_no_bit(name):
    race = race_with(name, schedule="cosine")
    assert record(*turned(race, {0: 1.0, 4: 1.0})) == record(*whole(race))
    assert record(*turned(race, {0: 3.0, 1: 1.0}))["loss"] != record(*whole(race))["loss"]


@pytest.mark.parametrize("seal_at", [(), (5, 8)])
@pytest.mark.parametrize("schedule", ["cosine", {"name": "StepLR", "step_size": 1}])
def test_the_rate_that_is_told_as_next_is_the_one_that_is_applied(schedule, seal_at):
    _, events = turned(
        race_with(schedule=schedule), {0: 0.5, 2: 3.0, 3: 0.1, 8: 2.0, 10: 1.0}, seal_at
    )
    applied, following = column(events, "applied_lr"), column(events, "next_lr")
    # step 8's rate, told before the dial was turned
    sealed_too_early = {7} & {step - 1 for step in seal_at}
    differing = {step for step in range(len(applied) - 1) if following[step] != applied[step + 1]}
    assert differing <= (sealed_too_early if schedule == "cosine" else set())


def test_every_group_is_turned_once_and_put_back():
    matrix, vector = torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))
    optimizer = optimizers.MuonWithAdamW([matrix, vector], lr=0.5)
    dial = Dial(optimizer)
    seen = []
    optimizer.register_step_pre_hook(
        lambda *_: seen.append([group["lr"] for group in optimizer.param_groups])
    )
    matrix.grad, vector.grad = torch.ones(2, 2), torch.ones(2)
    dial.factor = 0.5
    optimizer.step()
    assert seen == [[0.25, 0.25]]
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]
    # AdamW's first step, and its decay
    assert float((1 - vector.detach()).abs().max()) == pytest.approx(0.25 * (1 + 0.01))


@pytest.mark.parametrize("as_tensor", [False, True])
def test_the_very_objects_are_put_back(as_tensor):
    weight = torch.nn.Parameter(torch.ones(2))
    rate = torch.tensor(0.1) if as_tensor else 0.1
    optimizer = torch.optim.SGD([weight], lr=rate, foreach=False)
    dial = Dial(optimizer, 3.0)
    weight.grad = torch.ones(2)
    before = optimizer.param_groups[0]["lr"]
    for _ in range(3):
        told = dial.rates()
        start = weight.detach().clone()
        optimizer.step()
        assert optimizer.param_groups[0]["lr"] is before
        assert torch.allclose(start - weight, torch.full((2,), told[0]))
    assert float(before) == pytest.approx(0.1)
    assert dial.rates() == [pytest.approx(0.3)]


def test_a_step_that_fails_leaves_the_rates_known():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.LBFGS([weight], lr=0.5)
    dial = Dial(optimizer, 4.0)

    def fails():
        raise RuntimeError("no loss today")

    with pytest.raises(RuntimeError):
        optimizer.step(fails)
    assert dial.rates() == [2.0]


def test_what_is_measured_is_the_step_with_the_rate_that_was_applied():
    race = make_race([{"optimizer": "SGD", "lr": 0.01}], epochs=5)
    _, events = turned(race, {0: 3.0})
    sizes = [
        size
        for event in events
        if isinstance(event, Measured)
        for size in event.values("step_size")
        if math.isfinite(size)
    ]
    assert sizes
    assert set(sizes) == {0.03}


@pytest.mark.parametrize("schedule", ["cosine", "OneCycleLR", {"name": "StepLR", "step_size": 1}])
def test_a_snapshot_knows_where_the_dial_is(schedule):
    race = race_with("Adam", schedule, epochs=2)
    assert unequal(race, breaks(race, factor=0.3), factor=0.3) == []


class TestNoEffect:
    def after(self, name, steps, factor=1.0, lr=0.01, **options):
        lane = {"optimizer": name, "lr": lr, **options}
        training = Training(make_race([lane], task=task_for(name), gauge=False, epochs=5), 0, CPU)
        training.set_factor(factor)
        loop = train_lane(training)
        while training.step_recorder.step < steps:
            next(loop)
        return partial(no_effect, training.optimizer, factor)

    def test_rprop_listens_before_its_first_step_only(self):
        assert self.after("Rprop", 0)(2.0) == ""
        assert "sizes its own steps" in self.after("Rprop", 1)(2.0)

    def test_what_it_says_of_rprop_is_true(self):
        race = race_with("Rprop")
        assert record(*turned(race, {1: 50.0}))["weights"] == record(*whole(race))["weights"]

    @pytest.mark.parametrize(
        ("now", "then", "vain"),
        [(1.0, 2.0, True), (1.0, 0.01, False), (0.01, 2.0, False), (0.01, 0.02, False)],
    )
    def test_adafactor_hears_nothing_above_its_cap(self, now, then, vain):
        reason = self.after("Adafactor", 8, now, lr=0.5)  # its ninth step: at most 1 / 3
        assert bool(reason(then)) is vain
        if vain:
            assert "0.33" in reason(then)

    def test_what_it_says_of_adafactor_is_true(self):
        race = race_with("Adafactor", lr=0.5)
        assert record(*turned(race, {8: 2.0}))["weights"] == record(*whole(race))["weights"]

    def test_adafactors_weight_decay_hears_it_all_the_same(self):
        assert self.after("Adafactor", 8, lr=0.5, weight_decay=0.1)(2.0) == ""

    @pytest.mark.parametrize("name", sorted(catalogue.optimizers().keys() - {"Rprop", "Adafactor"}))
    def test_every_other_optimizer_listens(self, name):
        assert self.after(name, 3)(2.0) == ""
