"""Whatever the options of a schedule are, what is said of it is one clear refusal, or true numbers: for every schedule."""

import math
import re
import warnings

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from lrtui.core import catalogue, scenario
from lrtui.core.crewtalk import Request
from lrtui.core.errors import ScenarioError
from lrtui.training.preview import dummy
from lrtui.training.schedules import Horizon, Schedule
from lrtui.training.scout import answer

LR = 0.1
LEAVES = [name for name in catalogue.schedules() if name not in catalogue.COMPOSITE]
WHOLE = st.sampled_from([-(2**62), -5, -1, 0, 1, 2, 3, 7, 10, 29, 30, 31, 100, 2**62]) | st.integers(-3, 40)
REAL = st.sampled_from([-1.0, -0.0, 0.0, 1e-300, 1e-9, 0.1, 1 / 3, 0.5, 0.95, 1.0, 1.5, 25.0, 1e9, 1e300]) | st.floats(-2, 3)
LISTS = st.lists(WHOLE | REAL, max_size=3)
EXPRESSIONS = st.sampled_from(
    ["0.9 ** epoch", "1 / (epoch - 5)", "log(epoch)", "1e300 ** epoch", "-1", "0", "1e400 if step > 3 else 1",
     "(1e400 - 1e400) if step == 8 else 1", "total / (1 + step)"]
)


def values(option):
    """Values of the option's kinds, and of all others."""
    kinds = {"int": WHOLE, "float": REAL | WHOLE, "bool": st.booleans(), "list": LISTS, "list[int]": st.lists(WHOLE, max_size=3)}
    usual = [kinds[name] for name in option.types if name in kinds]
    if option.choices:
        return st.sampled_from(option.choices)
    if option.name in catalogue.EXPRESSIONS:
        return EXPRESSIONS
    if option.name in catalogue.AUTO:
        usual.append(st.just("auto"))
    anything = st.one_of(*usual, REAL, LISTS)
    inside = st.one_of(*usual).filter(lambda value: not option.expected(value)) if usual else anything
    return st.one_of(*[inside] * 12, anything)


@st.composite
def leaves(draw, names=tuple(LEAVES)):
    signature = catalogue.schedules()[draw(st.sampled_from(names))]
    given_ = {key: draw(values(option)) for key, option in signature.options.items() if option.required or draw(st.booleans())}
    return {"name": signature.name, **given_}


@st.composite
def schedules(draw):
    kind = draw(st.sampled_from(["leaf"] * 6 + ["SequentialLR", "ChainedScheduler"]))
    if kind == "leaf":
        return draw(leaves())
    children = draw(st.lists(leaves(tuple(name for name in LEAVES if name not in catalogue.WANTS_METRIC)), min_size=1, max_size=3))
    milestones = {"milestones": draw(st.lists(WHOLE, min_size=len(children) - 1, max_size=len(children) - 1))}
    return {"name": kind, "schedulers": children, **(milestones if kind == "SequentialLR" else {})}


def lane_of(schedule, optimizer="SGD", **budget):
    raw = {"task": "sprite-generator", "lane": [{"lr": LR, "optimizer": optimizer, "schedule": schedule}]}
    return scenario.parse(raw | (budget or {"epochs": 10}), source="race.toml", folder=scenario.BUNDLED, scenario="race")


def stepped(lane, steps, each):
    """The rates of the first `steps` steps by stepping the scheduler as the loop does, up to a failure; (rates, failed at)."""
    optimizer = dummy(lane)
    schedule, rates = Schedule(lane.schedule, optimizer, LR, Horizon(steps, math.ceil(steps / each))), []
    for step in range(steps):
        rate = float(optimizer.param_groups[0]["lr"])
        if not math.isfinite(rate):
            return rates, step
        rates.append(rate)
        try:
            schedule.after_batch()
            if (step + 1) % each == 0:
                epoch = (step + 1) // each  # a metric that improves by one, as in a preview
                schedule.after_epoch(epoch if lane.schedule.options.get("mode") == "max" else -epoch)
        except (ArithmeticError, ValueError):
            return rates, step + 1
    return rates, None


def one_clear_line(text):
    return text and "\n" not in text and "Traceback" not in text and not re.search(r"\bnan\b|\binf\b(?! or more)", text)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(schedules())
def test_what_is_said_of_any_schedule_is_a_refusal_in_one_line_or_the_truth(schedule):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            race = lane_of(schedule)
        except ScenarioError as refused:
            assert one_clear_line(refused.message), refused.message
            assert refused.message.startswith("race.toml: lane 1.schedule")
            return
        said = answer(Request("preview", race, steps_per_epoch=3))
        if said.error:
            assert one_clear_line(said.error), said.error
            assert "could not be previewed" not in said.error
            assert "division by zero" not in said.error
            return
        (preview,) = said.previews
        for text in preview.warnings:
            assert one_clear_line(text.replace("a rate of inf", "")), text
        rates, failed = stepped(race.lanes[0], 30, 3)
    assert (preview.cut is None) == (failed is None or failed >= 30 and not preview.failure), (preview.cut, failed)
    shown = [preview.rates[max(i for i, at in enumerate(preview.steps) if at <= step)] for step in range(preview.known)]
    assert shown == rates[: len(shown)]


def test_what_is_shown_of_a_long_schedule_by_jumping_is_what_stepping_gives():
    """A preview of many steps jumps; the schedules of torch have other formulas for that."""
    for schedule in ("StepLR(step_size=700)", "MultiStepLR(milestones=[0, 5000, 100])", "LinearLR(total_iters=1)",
                     "PolynomialLR(total_iters=9000, power=0)", "CosineAnnealingLR(T_max=1)", "ConstantLR(total_iters=1)",
                     "CyclicLR(base_lr=0, step_size_up=100, step_size_down=0)", "ExponentialLR(gamma=0)", "cosine(num_cycles=0)"):
        race = lane_of({"interval": "batch", **scenario_table(schedule)}, steps=6000)
        (preview,) = answer(Request("preview", race, steps_per_epoch=100)).previews
        rates, failed = stepped(race.lanes[0], 6000, 100)
        assert failed is None
        for at, rate in zip(preview.steps, preview.rates, strict=True):
            assert rates[at] == pytest.approx(rate, rel=1e-6, abs=1e-12), schedule


def scenario_table(call):
    from lrtui.core.pasted import schedule_table
    from lrtui.core.table import Table
    return schedule_table(call, Table({}, "test"), "schedule")
