"""Schedules and optimizers as they stand in scripts mean what they mean there, or a sentence says
what to write instead."""

import ast
import contextlib
import math

import pytest
import torch
from hypothesis import given, strategies as st
from torch.optim import lr_scheduler

from lrtui.core.errors import ScenarioError
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.expression import ExpressionError, from_lambda, parse
from lrtui.core.scenario.lane_syntax import format_lane, parse_lane
from lrtui.core.scenario.overlay import overlay
from lrtui.core.scenario.pasted_python import plain_name


def lane_of(schedule=None, **keys):
    lane = {"lr": 0.1, **({"schedule": schedule} if schedule else {}), **keys}
    raw = {"task": "sprite-generator", "epochs": 10, "lane": [lane]}
    return scenario_file.parse(raw, source="race.toml", folder=scenario_file.BUNDLED).lanes[0]


SAME = [
    # all of a line mean the same schedule
    (
        "StepLR(step_size=10)",
        "torch.optim.lr_scheduler.StepLR(step_size=10)",
        "lr_scheduler.StepLR(10)",
        "StepLR(optimizer, 10)",
        "optim.lr_scheduler.StepLR(self.optimizer, step_size=10)",
        "scheduler = StepLR(optimizer=opt, step_size=10, last_epoch=-1)",
        "StepLR(optimizers[0], 5 * 2, verbose=True)",
        "functools.partial(torch.optim.lr_scheduler.StepLR, step_size=10)",
        {"name": "torch.optim.lr_scheduler.StepLR", "step_size": 10},
    ),
    (
        "MultiStepLR(milestones=[30, 80], gamma=0.1)",
        "MultiStepLR(optimizer, milestones=(30, 80), gamma=1 / 10)",
        "MultiStepLR(optimizer, [30, 8 * 10], 1e-1)",
    ),
    (
        "CosineAnnealingLR",
        "torch.optim.lr_scheduler.CosineAnnealingLR",
        "CosineAnnealingLR(optimizer)",
        "lr_scheduler.CosineAnnealingLR()",
    ),
    (
        "CyclicLR(base_lr=0.01, max_lr=0.1, step_size_up=5, cycle_momentum=False)",
        "CyclicLR(optimizer, 0.01, 0.1, 5, None, cycle_momentum=false)",
        (
            "CyclicLR(optimizer, base_lr=1e-2, max_lr=1e-1, step_size_up=5, step_size_down=None,"
            " scale_fn=None, cycle_momentum=False)"
        ),
    ),
    (
        (
            "SequentialLR(schedulers=['LinearLR(total_iters=5)', 'inverse-time(decay=0.5)'],"
            " milestones=[5])"
        ),
        (
            "SequentialLR(optimizer, schedulers=[LinearLR(optimizer, total_iters=5),"
            " inverse-time(decay=0.5)], milestones=[5])"
        ),
        (
            "torch.optim.lr_scheduler.SequentialLR(opt, [lr_scheduler.LinearLR(opt, total_iters=5),"
            " {'name': 'inverse-time', 'decay': 0.5}], [5])"
        ),
    ),
    (
        "ChainedScheduler(schedulers=['ConstantLR(factor=0.1)', 'ExponentialLR(gamma=0.9)'])",
        (
            "ChainedScheduler([ConstantLR(optimizer, 0.1), ExponentialLR(optimizer, gamma=0.9)],"
            " optimizer=optimizer)"
        ),
        "ChainedScheduler([ConstantLR(optimizer, factor=0.1), ExponentialLR(optimizer, 0.9)])",
    ),
    (
        "LambdaLR(lr_lambda='0.95 ** epoch')",
        "LambdaLR(optimizer, lr_lambda=lambda epoch: 0.95 ** epoch)",
        "LambdaLR(optimizer, lambda e: 0.95 ** e)",
        "LambdaLR(opt, [lambda ep: 0.95 ** ep])",
    ),
    (
        "SWALR(swa_lr=0.05, anneal_epochs=3)",
        "torch.optim.swa_utils.SWALR(optimizer, 0.05, 3)",
        "swa_utils.SWALR(opt, swa_lr=0.05, anneal_epochs=3)",
    ),
    (
        "ReduceLROnPlateau(factor=0.5, patience=3)",
        "reduce_lr_on_plateau(factor=0.5, patience=3)",
        "ReduceLROnPlateau(optimizer, factor=0.5, patience=3, verbose=True)",
    ),
    (
        "cosine(warmup_steps=100, num_training_steps=1000)",
        "cosine(num_warmup_steps=100, num_training_steps=1000)",
        "get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=100, num_training_steps=1000)",
        "transformers.get_cosine_schedule_with_warmup(optimizer, 100, 1000)",
        "get_scheduler('cosine', optimizer, 100, 1000)",
        (
            "get_scheduler(name='cosine', optimizer=optimizer, num_warmup_steps=100,"
            " num_training_steps=1000)"
        ),
    ),
    (
        "constant",
        "get_constant_schedule(optimizer)",
        "get_scheduler('constant', optimizer, 100, 1000)",
    ),
    (
        (
            "warmup_stable_decay(warmup_steps=10, num_decay_steps=20, num_training_steps=100,"
            " decay_type='1-sqrt')"
        ),
        "get_wsd_schedule(optimizer, 10, 20, 100, decay_type='1-sqrt')",
        (
            "get_scheduler('warmup_stable_decay', optimizer, 10, 100, {'num_decay_steps': 20,"
            " 'decay_type': '1-sqrt'})"
        ),
    ),
    (
        "greedy(patience=3)",
        "GreedyLR(optimizer, patience=3)",
        "get_greedy_schedule(optimizer, patience=3)",
    ),
]


@pytest.mark.parametrize(
    ("first", "other"), [(first, other) for first, *others in SAME for other in others]
)
def test_a_schedule_as_pasted_is_the_schedule_that_it_says(first, other):
    expected, found = lane_of(first).schedule, lane_of(other).schedule
    assert (found.name, found.interval, found.options) == (
        expected.name,
        expected.interval,
        expected.options,
    )
    assert found.children == expected.children


@pytest.mark.parametrize(
    "pasted", [pasted for first, other, *_ in SAME for pasted in (first, other)]
)
def test_so_it_is_in_every_place_where_a_schedule_may_be_named(pasted):
    lane = lane_of(pasted)
    assert parse_lane(lane_of(), f"schedule={pasted}").schedule == lane.schedule
    assert parse_lane(lane, format_lane(lane)) == lane
    swept = scenario_file.parse(
        overlay(
            {"task": "sprite-generator", "epochs": 3, "lane": [{}]},
            {"lanes.schedule": pasted},
            "flags",
        ),
        source="flags",
        folder=scenario_file.BUNDLED,
    ).lanes[0]
    assert swept.schedule == lane.schedule


REFUSED = {
    # what cannot be known from the text: the key, and what to write instead
    "CosineAnnealingLR(optimizer, T_max=len(loader) * epochs)": (
        'T_max: "len(loader) * epochs" is not a value',
        '"auto": the budget',
    ),
    "OneCycleLR(optimizer, max_lr=0.01, steps_per_epoch=len(data_loader), epochs=10)": (
        'steps_per_epoch: "len(data_loader)" is not a value',
        'total_steps = "auto"',
    ),
    "StepLR(optimizer, step_size=args.step)": (
        'step_size: "args.step" is not a value',
        "the value itself",
    ),
    "LambdaLR(optimizer, lr_lambda=warmup)": (
        'lr_lambda: "warmup" is a function',
        '"0.95 ** epoch"',
    ),
    "LambdaLR(optimizer, lr_lambda=lambda e: warmup(e))": ("lr_lambda", '"0.95 ** epoch"'),
    "LambdaLR(optimizer, lr_lambda=lambda e: np.exp(-e))": (
        "np.exp is not known here",
        '"0.95 ** epoch"',
    ),
    "LambdaLR(optimizer, lr_lambda=partial(f, 3))": ("is a function", '"0.95 ** epoch"'),
    "LambdaLR(optimizer, lr_lambda=[lambda e: e, lambda e: e])": (
        "lr_lambda: a list is an invalid value",
        "an expression",
    ),
    "SequentialLR(optimizer, schedulers=[a, b], milestones=[5])": (
        'schedulers: "a" is the name of a variable',
        "LinearLR(total_iters=5)",
    ),
    "mylib.schedules.StepLR2(optimizer, 3)": ("is not of torch.optim", '"mylib.schedules:StepLR2"'),
    "StepLR(optimizer, **config)": ('"**config" cannot be looked into', "each option by name"),
    "StepLR(optimizer, 10, step_size=10)": ("step_size: given twice", "step_size once"),
    "StepLR(optimizer, 10, 0.1, -1, 5)": ("StepLR has 4 arguments without a name", "at most 3"),
    "StepLR(optimizer, step_size=10, last_epoch=5)": (
        "last_epoch: unknown option of StepLR",
        "gamma, step_size",
    ),
    "StepLR(optimizer, step_size=None)": ("step_size: None is an invalid value", "a whole number"),
    "CyclicLR(optimizer, 0.1, 0.2, scale_fn=lambda x: 0.5)": (
        "is a function",
        "no scale_fn, or LambdaLR",
    ),
    "get_scheduler(optimizer=optimizer)": ("get_scheduler without the name", "get_scheduler("),
    "get_scheduler(kind, optimizer)": (
        "kind is not the name of a schedule in quotes",
        "get_scheduler(",
    ),
    "get_scheduler('cosin', optimizer)": (
        "'cosin' is not the name of a schedule",
        "get_scheduler(",
    ),
    "get_scheduler(name=SchedulerType.COSINE, optimizer=optimizer)": (
        "COSINE is not the name",
        'expected "cosine"',
    ),
    "get_scheduler(transformers.SchedulerType.INVERSE_SQRT.value, optimizer)": (
        "is not the name",
        'expected "inverse_sqrt"',
    ),
    "[StepLR(10)]": ("is not a valid call", "StepLR(step_size=10"),
    "StepLR(10); import os": ("is not a valid call", "StepLR(step_size=10"),
    "__import__('os').system('true')": ("is no", ""),
    "StepLR(" + "(" * 3000: ("is not a valid call", ""),
    "StepLR(gamma=" + "9" * 5000 + ")": ("is not a valid call", ""),
    "StepLR(step_size=9 ** 9 ** 9)": ("step_size", "the value itself"),
}


@pytest.mark.parametrize("pasted", REFUSED)
def test_what_cannot_be_known_is_refused_with_what_to_write(pasted):
    words, instead = REFUSED[pasted]
    with pytest.raises(ScenarioError) as refused:
        lane_of(pasted)
    assert words in refused.value.message
    assert instead in refused.value.hint
    assert "\n" not in refused.value.message


@given(
    st.text(max_size=60)
    | st.text("StepLR(o,ptimizer=[]{}':10.-*lambda )", max_size=40).map(
        lambda text: "StepLR(" + text
    )
)
def test_no_text_is_more_than_refused(text):
    with contextlib.suppress(ScenarioError):
        lane_of(text or "x")


@pytest.mark.parametrize(
    ("given_", "options"),
    [
        ("torch.optim.AdamW", {}),
        ("optim.AdamW", {}),
        ("AdamW(model.parameters(), weight_decay=0.1)", {"weight_decay": 0.1}),
        (
            "optimizer = torch.optim.AdamW(net.parameters(), betas=(0.9, 0.99))",
            {"betas": [0.9, 0.99]},
        ),
        ({"name": "torch.optim.AdamW", "eps": 1e-6}, {"eps": 1e-6}),
        ("AdamW(params)", {}),
    ],
)
def test_an_optimizer_as_pasted_is_the_optimizer_that_it_says(given_, options):
    lane = lane_of(optimizer=given_)
    assert (lane.optimizer.name, lane.optimizer.options) == ("AdamW", options)


@pytest.mark.parametrize(
    "pasted",
    ["SGD(model.parameters(), lr=0.3)", "torch.optim.SGD(net.parameters(), 0.3, momentum=0.9)"],
)
def test_the_rate_of_a_pasted_optimizer_is_the_lanes_affair(pasted):
    with pytest.raises(ScenarioError, match="the rate stands inside SGD") as refused:
        lane_of(optimizer=pasted)
    assert refused.value.hint == "expected lr = 0.3 beside optimizer"


def test_the_defaults_of_an_optimizer_are_its_own_however_it_is_named():
    raw = {
        "task": "sprite-generator",
        "epochs": 3,
        "defaults": {"optimizer": "SGD", "momentum": 0.9},
        "lane": [
            {"optimizer": "torch.optim.SGD", "lr": 0.1},
            {"optimizer": "torch.optim.Adam", "lr": 0.1},
        ],
    }
    sgd, adam = scenario_file.parse(raw, source="race.toml", folder=scenario_file.BUNDLED).lanes
    assert (sgd.optimizer.options, adam.optimizer.options) == ({"momentum": 0.9}, {})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("torch.optim.lr_scheduler.StepLR", "StepLR"),
        ("StepLR(3)", "StepLR"),
        ("inverse-time", "inverse-time"),
        ("mine.StepLR", "mine.StepLR"),
    ],
)
def test_only_torchs_modules_are_left_out_of_a_name(text, name):
    assert plain_name(text) == name


LAMBDAS = [
    "lambda epoch: 0.95 ** epoch",
    "lambda e: 1 / (1 + 0.1 * e)",
    "lambda step: min(1.0, (step + 1) / 10)",
    "lambda x: 0.5 * (1 + math.cos(math.pi * x / 30))",
    "lambda e: 0.1 ** (e // 30)",
    "lambda e: 1 if e < 5 else 0.1 if e < 10 else 0.01",
    "lambda e: max(0.0, 1 - e / 30) ** 0.9",
    "lambda e: math.exp(-0.1 * e) * (e > 2)",
    "lambda e: (e + 1) / 5 if e < 5 and not e == 3 else 1.0",
    "lambda t: round(1 / (t + 1), 2) + abs(-t) % 3",
    "lambda e: 2 ** -e",
    "lambda e: math.sqrt(1 / (e + 1)) * math.e",
]


@pytest.mark.parametrize("text", LAMBDAS)
def test_a_lambda_of_plain_arithmetic_is_the_same_to_the_last_bit(text):
    theirs = eval(text, {"math": math})
    ours = parse(from_lambda(ast.parse(text, mode="eval").body))
    rates = []
    for function in (theirs, lambda t: ours({"step": float(t), "epoch": float(t), "total": 40.0})):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        schedule = lr_scheduler.LambdaLR(optimizer, function)
        rates.append([])
        for _ in range(40):
            rates[-1].append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
    assert rates[0] == rates[1]


@pytest.mark.parametrize(
    "text",
    [
        "lambda: 1",
        "lambda a, b: a",
        "lambda *a: 1",
        "lambda e, g=0.9: g ** e",
        "lambda e: e and 0.5",
        "lambda e: np.cos(e)",
        "lambda e: [1, 0.1][e > 3]",
        "lambda e: f(e)",
        "lambda e: exp(-e)",
        "lambda e: e ** x",
        "lambda e: (lambda x: x)(e)",
        "lambda e: 'a'",
    ],
)
def test_a_lambda_of_anything_else_is_no_expression(text):
    with pytest.raises(ExpressionError):
        from_lambda(ast.parse(text, mode="eval").body)
