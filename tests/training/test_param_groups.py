"""Param groups that a task asks for: they are torch's, at every rate and with every schedule, or
they are refused in words."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as scheds, swa_utils
from torch.utils.data import default_collate

from lrtui import batch_order
from lrtui.core.errors import TaskError
from lrtui.core.protocol.events import LogMessage, ScheduleForecast
from lrtui.core.scenario.spec import OptimizerSpec
from lrtui.training import param_groups
from lrtui.training.session import Training
from support.training import column, make_race, train

from .breaks import CPU, breaks, unequal, whole
from .tasks_for_tests import Dropped, Grouped

LR = 0.02


def plain_torch(race, groups, make, schedule=None, per_epoch=False):
    """(losses, rates of each group) of a loop that is written down here, with an optimizer made of
    `groups(model)`."""
    task = Dropped()
    torch.manual_seed(race.seed)
    model = copy.deepcopy(task.model())
    optimizer = make(groups(model))
    scheduler = schedule(optimizer) if schedule else None
    torch.manual_seed(race.seed)
    data, losses, rates = task.dataset()[0], [], []
    for epoch in range(race.epochs):
        model.train()
        order = batch_order(race.seed, epoch, len(data))
        for start in range(0, len(data), 16):
            optimizer.zero_grad()
            loss = task.loss(model, default_collate([data[i] for i in order[start : start + 16]]))
            loss.backward()
            rates.append([group["lr"] for group in optimizer.param_groups])
            optimizer.step()
            losses.append(loss.item())
            if scheduler and not per_epoch:
                scheduler.step()
        if scheduler and per_epoch:
            scheduler.step()
    return losses, [list(group) for group in zip(*rates, strict=True)]


def torchs_groups(model):
    """What Grouped asks for, in torch's words for a lane at LR."""
    first, norm, _, _, last = model
    return [
        {"params": first.parameters(), "lr": LR * 0.1, "weight_decay": 0.0},
        {"params": last.parameters(), "lr": LR * 2},
        {"params": norm.parameters(), "lr": 0.003},
    ]


def of_lane(lane, **keys):
    race = make_race([{"lr": LR, **lane}], task="Grouped", **keys)
    events = train(race)
    groups = ["", "/1", "/2"]
    return race, column(events), [column(events, "applied_lr" + group) for group in groups]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
        ("AdamW", {"weight_decay": 0.1}),
        ("RMSprop", {}),
        ("Adafactor", {}),
    ],
)
def test_a_lane_equals_plain_torch_with_the_same_groups(name, options):
    race, losses, rates = of_lane({"optimizer": name, **options})
    kind = getattr(torch.optim, name)
    assert (losses, rates) == plain_torch(
        race, torchs_groups, lambda groups: kind(groups, lr=LR, **options)
    )


SCHEDULES = {
    "StepLR(step_size=1, gamma=0.5)": (lambda o: scheds.StepLR(o, 1, 0.5), True),
    "CosineAnnealingLR(T_max=3, eta_min=1e-4)": (
        lambda o: scheds.CosineAnnealingLR(o, 3, 1e-4),
        True,
    ),
    "OneCycleLR": (
        lambda o: scheds.OneCycleLR(o, [LR * 0.1, LR * 2, 0.003], total_steps=12),
        False,
    ),
    "OneCycleLR(max_lr=[0.1, 0.2, 0.3])": (
        lambda o: scheds.OneCycleLR(o, [0.1, 0.2, 0.3], total_steps=12),
        False,
    ),
    "CyclicLR(base_lr=0.001, step_size_up=3)": (
        lambda o: scheds.CyclicLR(o, 0.001, [LR * 0.1, LR * 2, 0.003], 3),
        False,
    ),
    "SWALR(swa_lr=[0.1, 0.2, 0.3], anneal_epochs=2)": (
        lambda o: swa_utils.SWALR(o, [0.1, 0.2, 0.3], 2),
        True,
    ),
    "polynomial(lr_end=0.01)": (
        lambda o: scheds.LambdaLR(o, lambda t: ((LR - 0.01) * (1 - t / 12) ** 1.0 + 0.01) / LR),
        False,
    ),
    "SequentialLR(schedulers=[LinearLR(total_iters=2), OneCycleLR(total_steps=10)], milestones=[2], interval='batch')": (
        lambda o: scheds.SequentialLR(
            o,
            [
                scheds.LinearLR(o, total_iters=2),
                scheds.OneCycleLR(o, [LR * 0.1, LR * 2, 0.003], total_steps=10),
            ],
            [2],
        ),
        False,
    ),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_moves_every_group_as_torch_does(schedule):
    make, per_epoch = SCHEDULES[schedule]
    race, losses, rates = of_lane({"optimizer": "SGD", "momentum": 0.9, "schedule": schedule})
    expected = plain_torch(
        race,
        torchs_groups,
        lambda groups: torch.optim.SGD(groups, lr=LR, momentum=0.9),
        make,
        per_epoch,
    )
    # which cannot go on with a OneCycleLR that has changed what it began with
    if schedule.startswith("SequentialLR"):
        assert rates == [pytest.approx(group) for group in expected[1]]
    else:
        assert (losses, rates) == expected


def test_muon_takes_the_matrices_of_each_group_and_adamw_the_rest():
    race = make_race([{"optimizer": "Muon", "lr": LR, "momentum": 0.8}], task="Grouped")
    training = Training(race, 0, CPU)
    kinds = [
        (type(part).__name__, [(group["lr"], len(group["params"])) for group in part.param_groups])
        for part in training.optimizer.parts
    ]
    assert kinds == [
        ("Muon", [(LR * 0.1, 1), (LR * 2, 1)]),
        ("AdamW", [(LR * 0.1, 1), (LR * 2, 1), (0.003, 2)]),
    ]
    assert [group["weight_decay"] for group in training.optimizer.param_groups] == [
        0.0,
        0.1,
        0.0,
        0.01,
        0.01,
    ]
    assert [group["momentum"] for group in training.optimizer.param_groups[:2]] == [0.8, 0.8]
    assert train(race)[-1].reason == "finished"


class TestHandsOn:
    @pytest.mark.parametrize("optimizer", ["Adam", "SGD", "Muon"])
    @pytest.mark.parametrize("schedule", ["OneCycleLR", "StepLR(step_size=1)", "none"])
    def test_a_snapshot_brings_all_groups_back(self, optimizer, schedule):
        race = make_race(
            [{"optimizer": optimizer, "lr": LR, "schedule": schedule}], task="Grouped", gauge=False
        )
        found = breaks(race, factor=0.7)
        assert unequal(race, [found[0], found[5], found[-1]], factor=0.7) == []

    def test_the_dial_turns_all_groups(self):
        race = make_race([{"optimizer": "SGD", "lr": LR}], task="Grouped")
        _, events = whole(race, factor=0.5)
        rates = [column(events, "applied_lr" + group)[-1] for group in ("", "/1", "/2")]
        assert rates == [LR * 0.1 * 0.5, LR * 2 * 0.5, 0.003 * 0.5]

    @pytest.mark.parametrize("task", ["Grouped", "OwnRateFirst"])
    @pytest.mark.parametrize(
        "schedule", ["OneCycleLR", "cosine", "range-test(to=1.0)", "CosineAnnealingLR"]
    )
    def test_what_is_planned_is_what_the_first_group_is_given(self, task, schedule):
        events = train(make_race([{"optimizer": "SGD", "lr": LR, "schedule": schedule}], task=task))
        applied = column(events, "applied_lr")
        plan = next((event for event in events if isinstance(event, ScheduleForecast)), None)
        shown = dict(zip(plan.steps, plan.rates, strict=True)) if plan else {0: applied[0]}
        assert {step: applied[step] for step in shown} == shown
        assert len(set(applied)) == len(set(shown.values()))

    def test_a_range_test_leaves_a_groups_own_rate_alone(self):
        lane = {"optimizer": "SGD", "lr": 1e-6, "schedule": "range-test(to=0.01)"}
        events = train(make_race([lane], task="OwnRateFirst"))
        assert set(column(events, "applied_lr")) == {0.001}
        rising = column(events, "applied_lr/1")
        assert (rising[0], rising[-1]) == (1e-6, pytest.approx(0.01))


def test_parameters_missing_from_param_groups_are_logged_unless_frozen():
    (note,) = (
        event for event in train(make_race([{}], task="HeadOnly")) if isinstance(event, LogMessage)
    )
    assert (
        note.text
        == "param_groups() leaves out 1.weight, 1.bias: 2 of the model's parameters will not be"
        " trained"
    )
    assert not [
        event for event in train(make_race([{}], task="Grouped")) if isinstance(event, LogMessage)
    ]


class Asks:
    """A task that asks for whatever it is given."""

    def __init__(self, make):
        self.param_groups = make


MODEL = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
TWICE = [{"params": MODEL[0].parameters()}, {"params": [MODEL[1].bias, MODEL[0].weight]}]
BAD = {
    "no list": (lambda model: {"params": model.parameters()}, "param_groups() gave a dict"),
    "parameters themselves": (lambda model: model.parameters(), "gave a Parameter as group 1"),
    "nothing": (lambda model: None, "param_groups() gave a NoneType"),
    "no group": (lambda model: [], "gave no group"),
    "no params": (lambda model: [{"lr": 0.1}], 'group 1 has no "params"'),
    "a used-up iterator": (lambda model: [{"params": iter([])}], "group 1 has no parameters"),
    "params a number": (lambda model: [{"params": 3}], "group 1: params is a int"),
    "names for parameters": (
        lambda model: [{"params": ["0.weight"]}],
        "group 1: a str among params",
    ),
    "both rates": (
        lambda model: [{"params": model.parameters(), "lr": 0.1, "lr_scale": 2, "name": "all"}],
        'group 1 "all" has both lr and lr_scale',
    ),
    "an unknown option": (
        lambda model: [{"params": model.parameters(), "weigth_decay": 0}],
        'SGD has no option "weigth_decay"; did you mean "weight_decay"?',
    ),
    "another optimizer's option": (
        lambda model: [{"params": model.parameters(), "betas": (0.9, 0.99)}],
        'no option "betas"',
    ),
    "a rate below zero": (lambda model: [{"params": model.parameters(), "lr": -1}], "lr = -1"),
    "a rate that is none": (
        lambda model: [{"params": model.parameters(), "lr_scale": float("nan")}],
        "lr_scale = nan",
    ),
    "a rate in words": (
        lambda model: [{"params": model.parameters(), "lr": "high"}],
        "lr = 'high'",
    ),
    "twice": (lambda model: TWICE, "0.weight is in group 1 and in group 2"),
    "twice in a group": (
        lambda model: [{"params": [model[0].bias, model[0].bias]}],
        "0.bias is in group 1 and in group 1",
    ),
    "a stranger": (
        lambda model: [{"params": [nn.Parameter(torch.zeros(7))]}],
        "shape (7,) that is not a parameter of the model",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_torch_could_not_or_should_not_take_is_refused_in_a_sentence(case):
    make, words = BAD[case]
    with pytest.raises(TaskError) as refused:
        param_groups.of_task(Asks(make), MODEL, OptimizerSpec("SGD"), 0.1)
    assert words in refused.value.message
    assert "param_groups()" in refused.value.message
    assert refused.value.hint.startswith("expected")


def test_lbfgs_takes_no_groups():
    with pytest.raises(TaskError, match="LBFGS takes no param groups"):
        param_groups.of_task(Grouped(), Grouped().model(), OptimizerSpec("LBFGS"), 0.1)


def test_options_of_either_part_of_muon_are_known():
    spec = OptimizerSpec("Muon")
    groups = [{"params": MODEL.parameters(), "betas": (0.8, 0.9), "ns_steps": 3}]
    assert param_groups.of_task(Asks(lambda model: groups), MODEL, spec, 0.1)[0]["betas"] == (
        0.8,
        0.9,
    )


def test_without_the_method_the_optimizer_gets_every_parameter():
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    assert param_groups.of_task(Dropped(), model, OptimizerSpec("SGD"), 0.1) == list(
        model.parameters()
    )
