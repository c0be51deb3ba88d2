"""Every optimizer trains through the one loop; Muon brings AdamW along for what is no matrix."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import default_collate

from lrtui import batch_order
from lrtui.core.protocol.events import Evaluated
from lrtui.core.scenario import catalogue
from lrtui.core.scenario.spec import OptimizerSpec
from lrtui.training import optimizers
from support.training import column, make_race, task_for, train

from .tasks_for_tests import Plain


@pytest.mark.parametrize("name", catalogue.optimizers())
@pytest.mark.parametrize("deferred", [None, True])
def test_every_optimizer_makes_the_loss_fall_at_its_default_rate(name, deferred):
    race = make_race([{"optimizer": name}], task=task_for(name, "Plain"), epochs=10)
    events = train(race, deferred=deferred and name != "LBFGS")
    losses = [event.loss for event in events if isinstance(event, Evaluated)]
    assert events[-1].reason == "finished"
    assert losses[-1] < losses[0]


def test_muon_takes_the_matrices_and_adamw_the_rest():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3), nn.LayerNorm(3))
    muon, adamw = optimizers.build(
        OptimizerSpec("Muon", {"momentum": 0.9}), model.parameters(), 0.02
    ).parts
    assert isinstance(muon, torch.optim.Muon)
    assert isinstance(adamw, torch.optim.AdamW)
    assert [p.dim() for p in muon.param_groups[0]["params"]] == [2]
    assert sorted(p.dim() for p in adamw.param_groups[0]["params"]) == [1, 1, 1, 1, 4]
    assert muon.param_groups[0]["momentum"] == 0.9
    assert muon.param_groups[0]["lr"] == adamw.param_groups[0]["lr"] == 0.02


@pytest.mark.parametrize(("shape", "kind"), [((3, 4), torch.optim.Muon), ((3,), torch.optim.AdamW)])
def test_a_model_of_matrices_only_or_of_vectors_only_has_one_part(shape, kind):
    parts = optimizers.build(OptimizerSpec("Muon"), [nn.Parameter(torch.zeros(shape))], 0.1).parts
    assert [type(part) for part in parts] == [kind]


def test_muon_and_adamw_have_two_rates_which_one_schedule_moves():
    schedule = {"name": "StepLR", "step_size": 1, "gamma": 0.5}
    lane = {"optimizer": "Muon", "lr": 0.02, "adamw_lr": 0.003, "schedule": schedule}
    events = train(make_race([lane], task="Plain"))
    assert events[0].groups == ["Muon", "AdamW"]
    rates = [sorted(set(column(events, f"applied_lr{suffix}"))) for suffix in ("", "/1")]
    assert rates == [[0.005, 0.01, 0.02], [0.00075, 0.0015, 0.003]]


def test_both_parts_of_muon_are_recorded_and_scheduled():
    lane = {
        "optimizer": "Muon",
        "lr": 0.02,
        "schedule": {"name": "StepLR", "step_size": 1, "gamma": 0.5},
    }
    events = train(make_race([lane], task="Plain"))
    for suffix in ("", "/1"):
        assert column(events, "applied_lr" + suffix) == [
            0.02,
            0.02,
            0.02,
            0.01,
            0.01,
            0.01,
            0.005,
            0.005,
            0.005,
        ]
        assert column(events, "next_lr" + suffix) == [
            0.02,
            0.02,
            0.01,
            0.01,
            0.01,
            0.005,
            0.005,
            0.005,
            0.0025,
        ]


def test_muon_with_adamw_equals_the_two_of_them_side_by_side():
    race = make_race([{"optimizer": "Muon", "lr": 0.02, "weight_decay": 0.05}], task="Plain")
    task = Plain()
    torch.manual_seed(race.seed)
    model = task.model()
    parts = [
        torch.optim.Muon([model.weight], lr=0.02, weight_decay=0.05),
        torch.optim.AdamW([model.bias], lr=0.02),
    ]
    data, losses = task.dataset(), []
    for epoch in range(race.epochs):
        order = batch_order(race.seed, epoch, len(data))
        for start in range(0, len(data), 16):
            model.zero_grad()
            loss = task.loss(model, default_collate([data[i] for i in order[start : start + 16]]))
            loss.backward()
            for part in parts:
                part.step()
            losses.append(loss.item())
    assert column(train(race)) == losses


def test_what_muon_and_adamw_remember_goes_out_and_in_again():
    def made():
        torch.manual_seed(3)
        model = nn.Linear(3, 3)
        return model, optimizers.build(OptimizerSpec("Muon"), model.parameters(), 0.1)

    def step(model, optimizer):
        optimizer.zero_grad()
        model(torch.ones(2, 3)).square().sum().backward()
        optimizer.step()

    (model, optimizer), (again, restored) = made(), made()
    step(model, optimizer)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    again.load_state_dict(model.state_dict())
    step(model, optimizer)
    step(again, restored)
    assert torch.equal(model.weight, again.weight)
    assert torch.equal(model.bias, again.bias)


def test_a_frozen_parameter_is_trained_once_it_is_unfrozen():
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    optimizer = optimizers.build(OptimizerSpec("SGD"), model.parameters(), 0.1)
    before = model.bias.detach().clone()
    for frozen in (True, False):
        model.bias.requires_grad_(not frozen)
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        assert torch.equal(model.bias, before) is frozen


def test_only_lbfgs_wants_a_closure():
    wanting = {
        name
        for name in catalogue.optimizers()
        if optimizers.wants_closure(
            optimizers.build(OptimizerSpec(name), [nn.Parameter(torch.zeros(2, 2))], 0.1)
        )
    }
    assert wanting == {"LBFGS"}
