"""Whatever the options of a schedule are, what is said of it is one clear refusal, or true numbers:
for every schedule."""

import math
import re
import warnings

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from lrtui.core.errors import ScenarioError
from lrtui.core.protocol.launch_protocol import LaunchRequest
from lrtui.core.scenario import catalogue, scenario_file
from lrtui.training.preflight import answer
from lrtui.training.preview import dummy
from lrtui.training.schedules import Schedule
from lrtui.training.training_length import TrainingLength

LR = 0.1
LEAVES = [name for name in catalogue.schedules() if name not in catalogue.COMPOSITE]
WHOLE = st.sampled_from(
    [-(2**62), -5, -1, 0, 1, 2, 3, 7, 10, 29, 30, 31, 100, 2**62]
) | st.integers(-3, 40)
REAL = st.sampled_from(
    [-1.0, -0.0, 0.0, 1e-300, 1e-9, 0.1, 1 / 3, 0.5, 0.95, 1.0, 1.5, 25.0, 1e9, 1e300]
) | st.floats(-2, 3)
LISTS = st.lists(WHOLE | REAL, max_size=3)
EXPRESSIONS = st.sampled_from(
    [
        "0.9 ** epoch",
        "1 / (epoch - 5)",
        "log(epoch)",
        "1e300 ** epoch",
        "-1",
        "0",
        "1e400 if step > 3 else 1",
        "(1e400 - 1e400) if step == 8 else 1",
        "total / (1 + step)",
    ]
)


def values(option):
    """Values of the option's kinds, and of all others."""
    kinds = {
        "int": WHOLE,
        "float": REAL | WHOLE,
        "bool": st.booleans(),
        "list": LISTS,
        "list[int]": st.lists(WHOLE, max_size=3),
    }
    usual = [kinds[name] for name in option.types if name in kinds]
    if option.choices:
        return st.sampled_from(option.choices)
    if option.name in catalogue.EXPRESSIONS:
        return EXPRESSIONS
    if option.name in catalogue.AUTO:
        usual.append(st.just("auto"))
    anything = st.one_of(*usual, REAL, LISTS)
    inside = (
        st.one_of(*usual).filter(lambda value: not option.expected(value)) if usual else anything
    )
    return st.one_of(*[inside] * 12, anything)


@st.composite
def leaves(draw, names=tuple(LEAVES)):
    signature = catalogue.schedules()[draw(st.sampled_from(names))]
    given_ = {
        key: draw(values(option))
        for key, option in signature.options.items()
        if option.required or draw(st.booleans())
    }
    return {"name": signature.name, **given_}


@st.composite
def schedules(draw):
    kind = draw(st.sampled_from(["leaf"] * 6 + ["SequentialLR", "ChainedScheduler"]))
    if kind == "leaf":
        return draw(leaves())
    names = tuple(name for name in LEAVES if name not in catalogue.WANTS_METRIC)
    children = draw(st.lists(leaves(names), min_size=1, max_size=3))
    milestones = {
        "milestones": draw(st.lists(WHOLE, min_size=len(children) - 1, max_size=len(children) - 1))
    }
    return {"name": kind, "schedulers": children, **(milestones if kind == "SequentialLR" else {})}


def lane_of(schedule, optimizer="SGD", **budget):
    raw = {
        "task": "sprite-generator",
        "lane": [{"lr": LR, "optimizer": optimizer, "schedule": schedule}],
    }
    try:
        return scenario_file.parse(
            raw | (budget or {"epochs": 10}),
            source="race.toml",
            folder=scenario_file.BUNDLED,
            scenario="race",
        )
    except ScenarioError as refused:
        return refused


def stepped(lane, steps, each):
    """The rates of the first `steps` steps by stepping the scheduler as the loop does, up to a
    failure; (rates, failed at)."""
    optimizer = dummy(lane)
    schedule, rates = (
        Schedule(lane.schedule, optimizer, LR, TrainingLength(steps, math.ceil(steps / each))),
        [],
    )
    for step in range(steps):
        rate = float(optimizer.param_groups[0]["lr"])
        if not math.isfinite(rate):
            return rates, step
        rates.append(rate)
        try:
            schedule.after_batch()
            if (step + 1) % each == 0:
                epoch = (step + 1) // each  # a metric that improves by one, as in a preview
                schedule.after_epoch(
                    epoch if lane.schedule.options.get("mode") == "max" else -epoch
                )
        except (ArithmeticError, ValueError):
            return rates, step + 1
    return rates, None


def one_clear_line(text):
    return (
        text
        and "\n" not in text
        and "Traceback" not in text
        and not re.search(r"\bnan\b|\binf\b(?! or more)", text)
    )


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(schedules())
def test_any_schedule_is_refused_in_one_line_or_previewed_correctly(schedule):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        race = lane_of(schedule)
        if isinstance(race, ScenarioError):
            assert one_clear_line(race.message), race.message
            assert race.message.startswith("race.toml: lane 1.schedule")
            return
        said = answer(LaunchRequest("preview", race, steps_per_epoch=3))
        if said.error:
            assert one_clear_line(said.error), said.error
            assert "could not be previewed" not in said.error
            assert "division by zero" not in said.error
            return
        (preview,) = said.previews
        for text in preview.warnings:
            assert one_clear_line(text.replace("a rate of inf", "")), text
        rates, failed = stepped(race.lanes[0], 30, 3)
    assert (preview.cut is None) == (failed is None or (failed >= 30 and not preview.failure)), (
        preview.cut,
        failed,
    )
    shown = [
        preview.rates[max(i for i, at in enumerate(preview.steps) if at <= step)]
        for step in range(preview.known)
    ]
    assert shown == rates[: len(shown)]


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize(
    "schedule",
    [
        "StepLR(step_size=700",
        "MultiStepLR(milestones=[0, 5000, 100]",
        "LinearLR(total_iters=1",
        "PolynomialLR(total_iters=9000, power=0",
        "CosineAnnealingLR(T_max=1",
        "ConstantLR(total_iters=1",
        "CyclicLR(base_lr=0, step_size_up=100, step_size_down=0",
        "ExponentialLR(gamma=0",
        "cosine(num_cycles=0",
    ],
)
def test_jumping_preview_of_a_long_schedule_equals_stepping(schedule):
    """A preview of many steps jumps; the schedules of torch have other formulas for that."""
    race = lane_of(schedule + ", interval='batch')", steps=6000)
    (preview,) = answer(LaunchRequest("preview", race, steps_per_epoch=100)).previews
    rates, failed = stepped(race.lanes[0], 6000, 100)
    assert failed is None
    for at, rate in zip(preview.steps, preview.rates, strict=True):
        assert rates[at] == pytest.approx(rate, rel=1e-6, abs=1e-12)


REFUSED = {
    # what nobody can mean: the key, and what is expected in its place
    "CosineAnnealingLR(T_max=0)": ("T_max: 0 is an invalid value", "1 or more"),
    "StepLR(step_size=-3)": ("step_size: -3 is an invalid value", "1 or more"),
    "StepLR(step_size=2.5)": ("step_size: 2.5 is an invalid value", "a whole number, 1 or more"),
    "CosineAnnealingWarmRestarts(T_0=0)": ("T_0: 0", "1 or more"),
    "CosineAnnealingWarmRestarts(T_0=3, T_mult=0)": ("T_mult: 0", "1 or more"),
    "LinearLR(total_iters=0)": ("total_iters: 0", "1 or more"),
    "LinearLR(start_factor=0)": ("start_factor: 0", "above 0, at most 1"),
    "ConstantLR(factor=0)": ("factor: 0", "above 0, at most 1"),
    "PolynomialLR(power=-1)": ("power: -1", "0 or more"),
    "MultiStepLR(milestones=[3, -1])": (
        "milestones: a list is an invalid value",
        "a list of whole numbers, 0 or more",
    ),
    "MultiStepLR(milestones=[2.5])": (
        "milestones: a list is an invalid value",
        "a list of whole numbers",
    ),
    "SequentialLR(schedulers=['constant', 'linear', 'cosine'], milestones=[5, 2])": (
        "milestones: [5, 2] does not rise",
        "after",
    ),
    "OneCycleLR(pct_start=2)": ("pct_start: 2", "0 to 1"),
    "OneCycleLR(div_factor=0)": ("div_factor: 0", "above 0"),
    "OneCycleLR(epochs=3)": ("epochs: needs steps_per_epoch", "total_steps"),
    "OneCycleLR(max_momentum=1.0)": ("max_momentum: 1.0", "0 or more, below 1"),
    "CyclicLR(base_lr=0.1, step_size_up=0)": ("step_size_up: 0", "1 or more"),
    "CyclicLR(base_lr=[])": ("base_lr: a list", "a list of numbers"),
    "ReduceLROnPlateau(patience=-1)": ("patience: -1", "0 or more"),
    "ReduceLROnPlateau(factor=1.5)": ("factor: 1.5", "0 or more, below 1"),
    "SWALR(swa_lr=0.1, anneal_epochs=-1)": ("anneal_epochs: -1", "0 or more"),
    "linear(warmup_steps=0.1)": ("warmup_steps: 0.1", "a share of the budget is warmup_ratio"),
    "linear(warmup_steps=1, num_warmup_steps=1)": (
        "num_warmup_steps: means the same as warmup_steps",
        "one of the two",
    ),
    "cosine_with_min_lr": ("min_lr: missing", "either min_lr, a rate, or min_lr_rate"),
    "cosine_warmup_with_min_lr(min_lr=0.1, min_lr_rate=0.1)": (
        "min_lr: excludes min_lr_rate",
        "either",
    ),
    "warmup_stable_decay(decay_type='sqrt')": (
        "decay_type: 'sqrt'",
        "one of linear, cosine, 1-sqrt",
    ),
    "greedy(factor=0)": ("factor: 0", "above 0, below 1"),
    "range-test(to=0)": ("to: 0", "above 0"),
    "inverse-time(decay=-1)": ("decay: -1", "0 or more"),
}


@pytest.mark.parametrize("schedule", REFUSED)
def test_what_nobody_can_mean_is_refused_where_it_is_read(schedule):
    refused, (words, expected) = lane_of(schedule), REFUSED[schedule]
    assert isinstance(refused, ScenarioError)
    assert words in refused.message
    assert expected in refused.hint


def test_a_refusal_names_the_line_of_the_file(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'task = "sprite-generator"\nsteps = 9\n\n[[lane]]\nschedule = "StepLR(step_size=0)"\n'
    )
    with pytest.raises(
        ScenarioError, match=r"mine\.toml:5: lane 1\.schedule\.step_size: 0 is an invalid value"
    ):
        scenario_file.load(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (
            "SequentialLR(schedulers=['constant', 'linear'], milestones=[0])",
            "constant never has a turn: linear begins",
        ),
        (
            "SequentialLR(schedulers=['constant', 'linear', 'cosine'], milestones=[5, 5])",
            "linear never has a turn: cosine begins",
        ),
        ("MultiStepLR(milestones=[])", "MultiStepLR has no milestones: the rate stays as it is."),
        ("ExponentialLR(gamma=-1)", "the rate is below 0 after 1 of 10 epochs, down to -0.1"),
        ("LambdaLR(lr_lambda='0')", "the rate is 0 from the first step on"),
        (
            "LambdaLR(lr_lambda='(1e400 - 1e400) if epoch == 8 else 1')",
            "fails after 8 of 10 epochs (it gives a rate that is not a number)",
        ),
    ],
)
def test_what_can_be_done_but_was_hardly_meant_is_told_with_true_numbers(schedule, words):
    (preview,) = answer(LaunchRequest("preview", lane_of(schedule), steps_per_epoch=3)).previews
    assert words in " ".join(preview.warnings)
    assert all(map(one_clear_line, preview.warnings))


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (
            "OneCycleLR(pct_start=0.1, total_steps=10)",
            "OneCycleLR would rise for no step: pct_start = 0.1 of 10 steps is one step",
        ),
        ("polynomial(lr_end=0.2)", "lr_end = 0.2 is not below lr = 0.1"),
    ],
)
def test_option_unfit_for_the_budget_or_rate_is_refused_before_the_start(schedule, words):
    said = answer(LaunchRequest("preview", lane_of(schedule), steps_per_epoch=3))
    assert words in said.error
    assert said.hint.startswith("expected")
