"""The loop is the bare loop, bit for bit, whatever is measured, drawn or validated around it."""

import math

import pytest
import torch
from torch.utils.data import default_collate

from lrtui import batch_order
from lrtui.core.protocol.events import Alerted, Ended, Evaluated, Sampled, Started
from lrtui.core.scenario.spec import ScheduleSpec
from lrtui.training.schedules import _build
from lrtui.training.training_length import TrainingLength
from support.training import column, make_race, train

from .bare import bare_loop
from .cases import CASES
from .tasks_for_tests import DoubleLoss, Plain


@pytest.mark.parametrize(("task", "optimizer", "options", "schedule"), CASES)
@pytest.mark.parametrize("deferred", [False, True])
def test_a_lane_equals_the_bare_loop_bit_for_bit(task, optimizer, options, schedule, deferred):
    lane = {"optimizer": optimizer, "lr": 0.01, **options}
    if schedule:
        lane["schedule"] = {"name": schedule[0], **schedule[1]}
    race = make_race([lane], task=task.__name__)
    events = train(race, deferred=deferred)

    def scheduler(opt):
        cls = getattr(torch.optim.lr_scheduler, schedule[0])
        extra = {"total_steps": len(column(events))} if schedule[0] == "OneCycleLR" else {}
        return cls(opt, **schedule[1], **extra)

    losses, rates = bare_loop(
        task(),
        lambda params: getattr(torch.optim, optimizer)(params, lr=0.01, **options),
        scheduler if schedule else None,
        seed=race.seed,
        epochs=race.epochs,
        batch_size=race.batch_size,
        per_batch=schedule is not None and "cl" in schedule[0].lower(),
    )
    assert column(events) == losses
    assert column(events, "applied_lr") == rates
    assert column(events, "next_lr")[:-1] == rates[1:]


def test_lbfgs_equals_a_bare_closure_loop():
    race = make_race([{"optimizer": "LBFGS", "lr": 0.5, "max_iter": 4}], task="Plain")
    task = Plain()
    torch.manual_seed(race.seed)
    model = task.model()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
    data, losses = task.dataset(), []
    for epoch in range(race.epochs):
        order = batch_order(race.seed, epoch, len(data))
        for start in range(0, len(data), 16):
            batch = default_collate([data[i] for i in order[start : start + 16]])

            def closure(batch=batch):
                optimizer.zero_grad()
                loss = task.loss(model, batch)
                loss.backward()
                return loss

            losses.append(optimizer.step(closure).item())
    assert column(train(race)) == losses


def test_the_events_of_a_lane_come_in_a_sensible_order():
    events = train(make_race([{"lr": 0.01}]))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Ended)
    assert events[-1].reason == "finished"
    assert [event.epoch for event in events if isinstance(event, Evaluated)] == [1, 2, 3]
    assert [event.epoch for event in events if isinstance(event, Sampled)] == [0, 1, 2, 3]
    assert {"val_loss", "mae"} == events[
        -2 if isinstance(events[-2], Evaluated) else -3
    ].metrics.keys()


def test_an_epochs_loss_is_the_mean_of_its_batches():
    events = train(make_race([{"lr": 0.01}]))
    losses = column(events)
    means = [event.loss for event in events if isinstance(event, Evaluated)]
    assert means == [math.fsum(losses[i : i + 4]) / 4 for i in (0, 4, 8)]


def test_sampling_less_often_changes_no_number():
    often, seldom = (train(make_race([{"lr": 0.01}], sample_every=every)) for every in (1, 100))
    assert column(often) == column(seldom)
    assert len([e for e in seldom if isinstance(e, Sampled)]) == 2  # at the start and at the end


def test_a_budget_in_steps_may_end_within_an_epoch():
    events = train(make_race([{"lr": 0.01}], steps=6))
    full = train(make_race([{"lr": 0.01}]))
    assert column(events) == column(full)[:6]
    assert [event.step for event in events if isinstance(event, Evaluated)] == [4, 6]


def test_a_loader_of_the_tasks_own_is_used_as_it_is():
    events = train(make_race([{"lr": 0.01}], task="OwnLoader"))
    assert len(column(events)) == 15
    assert column(events) == column(train(make_race([{"lr": 0.01}], task="OwnLoader")))


@pytest.mark.parametrize("deferred", [False, True])
def test_a_lane_that_explodes_ends_at_the_first_step_that_is_not_finite(deferred):
    race = make_race([{"optimizer": "SGD", "lr": 1e6}], task="Plain", epochs=200)
    events = train(race, deferred=deferred)
    alert = next(e for e in events if isinstance(e, Alerted) and e.kind == "nan")
    losses, norms = column(events), column(events, "grad_norm")
    assert events[-1].reason == "nan"
    assert alert.step == len(losses) - 1 == events[-1].step
    assert not (math.isfinite(losses[-1]) and math.isfinite(norms[-1]))
    assert all(map(math.isfinite, losses[:-1]))
    assert not any(map(math.isinf, norms[:-1]))  # NaN: not measured at that step
    assert math.isnan(column(events, "applied_lr")[-1])


@pytest.mark.parametrize("deferred", [False, True])
def test_an_infinite_gradient_ends_a_lane_although_its_loss_is_finite(deferred):
    events = train(
        make_race([{"optimizer": "SGD", "lr": 0.1}], task="InfiniteGradient"), deferred=deferred
    )
    assert events[-1].reason == "nan"
    assert events[-1].step == 0
    assert math.isfinite(column(events)[0])


@pytest.mark.parametrize("optimizer", ["SGD", "LBFGS"])
@pytest.mark.parametrize("deferred", [False, True])
def test_the_last_sample_shows_weights_from_before_the_bad_update(optimizer, deferred, monkeypatch):
    race = make_race([{"optimizer": optimizer, "lr": 1e12}], task="Plain", epochs=50)
    from lrtui.training import task as tasks

    real = tasks.load

    def load(ref):
        task = real(ref)
        task.sample = lambda model: (
            torch.stack([p.isfinite().all() for p in model.parameters()])
            .float()
            .reshape(1, 1, 1, -1)
        )
        return task

    monkeypatch.setattr(tasks, "load", load)
    events = train(race, deferred=deferred and optimizer != "LBFGS")
    assert events[-1].reason == "nan"
    last = [event for event in events if isinstance(event, Sampled)][-1]
    assert last.images().size
    assert (last.images() == 255).all()  # white: finite


def test_divergence_is_told_and_the_lane_goes_on():
    events = train(make_race([{"optimizer": "SGD", "lr": 1.05}], task="Plain", epochs=30))
    alerts = [e for e in events if isinstance(e, Alerted)]
    assert [alert.kind for alert in alerts] == ["diverged"]
    assert 10 < alerts[0].step < 30  # in the early window: it is far above its start
    assert "above 1e+06 times its start" in alerts[0].text
    assert len(column(events)) == 90
    assert events[-1].reason == "finished"


@pytest.mark.parametrize("deferred", [False, True])
def test_a_loss_of_double_precision_is_recorded_in_double_precision(deferred):
    race = make_race([{"optimizer": "SGD", "lr": 0.01}], task="DoubleLoss")
    losses, _ = bare_loop(
        DoubleLoss(),
        lambda params: torch.optim.SGD(params, lr=0.01),
        seed=race.seed,
        epochs=3,
        batch_size=16,
    )
    assert column(train(race, deferred=deferred)) == losses


def test_all_lanes_begin_with_equal_weights_and_equal_batches():
    race = make_race(
        [{"lr": 0.1}, {"optimizer": "SGD", "lr": 1.0}, {"optimizer": "Muon", "lr": 0.01}]
    )
    starts = [train(race, index)[0] for index in range(3)]
    assert len({start.init_checksum for start in starts}) == 1
    assert len({start.batch_checksum for start in starts}) == 1
    other = train(make_race([{"lr": 0.1}], seed=12))[0]
    assert other.init_checksum != starts[0].init_checksum
    assert other.batch_checksum != starts[0].batch_checksum


def test_a_scheduler_is_built_with_the_budget_where_it_says_auto():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    spec = ScheduleSpec("CosineAnnealingLR", "epoch", {"T_max": "auto"})
    assert _build(spec, optimizer, 0.1, [0.1], TrainingLength(40, 10).count("epoch")).T_max == 10
