"""Warnings about a lane's schedule before it runs, with numbers and the place to change. Judged by
the previewed rates, which are those of the real scheduler; knows no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lrtui.core.diagnostics.schedule_case import Case
from lrtui.core.diagnostics.schedule_rules import ALWAYS, BY_LENGTH
from lrtui.core.numbers import rate
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario import catalogue
from lrtui.core.scenario.spec import Lane, ScheduleSpec

ZERO_TAIL = 0.05
"""A rate of zero for more than this part of the budget, at its end, is reported."""
GROWTH_LIMIT = 100.0
"""A rate that ends above this many times the lane's own is reported."""
SWEEPS = ("range-test",)
"""Schedules whose rates grow on purpose."""
_LENGTHS = {
    "total_steps",
    "epochs",
    "steps_per_epoch",
    "T_max",
    "total_iters",
    "milestones",
    "step_size",
    "step_size_up",
    "step_size_down",
    "T_0",
    "warmup_steps",
    "num_decay_steps",
    "num_stable_steps",
    "num_training_steps",
    "anneal_epochs",
}
"""Options that count steps or epochs."""


def warnings(
    lane: Lane, preview: Preview, *, certain: bool = True, validated: bool | None = None
) -> list[str]:
    """Warnings about a lane, each begun with the place to change; none without a schedule.

    `certain`: True if the preview has the length of the race; else rules that depend on it are
    skipped. `validated`: True if the task has validation data, None if unknown.
    """
    if lane.schedule is None:
        return []
    case = Case(lane, lane.schedule, preview)
    parts = [] if lane.schedule.own else case.parts()
    found = [text for part in parts for rule in ALWAYS for text in rule(case, part)]
    if validated is False and lane.schedule.name in catalogue.WANTS_METRIC:
        found.append(
            f"{lane.schedule.name} looks at the validation loss, and the task has no validation"
            " data: the race will be refused."
        )
    if certain:
        found += [text for part in parts for rule in BY_LENGTH for text in rule(case, part)]
        found += [*_never(case), *_failure(case), *_no_rate(case), *_grows(case)]
    place = f"{lane.schedule_at}: " if lane.schedule_at else ""
    return [place + text for text in dict.fromkeys(found)]


def is_certain(spec: ScheduleSpec | None, by_epochs: bool) -> bool:
    """True if a schedule's length is known without the number of batches in an epoch: its interval
    is the budget's unit."""
    return spec is None or (spec.interval == "epoch") == by_epochs


def has_own_length(spec: ScheduleSpec) -> bool:
    """True if any option gives the schedule's length as a number."""
    given = (spec.options.get(key) for key in _LENGTHS)
    return any(isinstance(value, (int, list)) for value in given) or any(
        map(has_own_length, spec.children)
    )


def _never(case: Case) -> Iterator[str]:
    milestones = case.spec.options.get("milestones", [])
    if case.spec.name == "MultiStepLR" and not milestones:
        yield "MultiStepLR has no milestones: the rate stays as it is."
    if case.spec.name == "SequentialLR":
        turns = [0, *milestones]
        for index, (start, child) in enumerate(zip(turns, case.spec.children, strict=True)):
            if start >= case.length:
                yield (
                    f"{child.name} never begins: its milestone, {start}, lies beyond the"
                    f" {case.counted(case.length)}."
                )
            elif index + 1 < len(turns) and turns[index + 1] == start:
                yield (
                    f"{child.name} never has a turn: {case.spec.children[index + 1].name} begins"
                    f" where it would, at {start}."
                )


def _failure(case: Case) -> Iterator[str]:
    preview = case.preview
    if not preview.failure or preview.cut is None:
        return
    where = case.after(preview.cut / case.each)
    for part in case.parts():
        given, epochs, each = (
            part.spec.options.get(key) for key in ("total_steps", "epochs", "steps_per_epoch")
        )
        most = given or (epochs * each if epochs and each else None)
        if (
            part.spec.name == "OneCycleLR"
            and isinstance(most, int)
            and most < part.stop - part.start
        ):
            yield (
                f"OneCycleLR has {case.counted(most)} and raises {where}: the lane ends there with"
                ' an error; total_steps = "auto" is the budget.'
            )
            return
    yield f"{case.spec.name} fails {where} ({preview.failure}): the lane ends there."


def _no_rate(case: Case) -> Iterator[str]:
    preview = case.preview
    below = next(
        (step for step, value in zip(preview.steps, preview.rates, strict=True) if value < 0), None
    )
    if below is not None:
        when = case.after(below / case.each) if below else "from the first step on"
        yield (
            f"the rate is below 0 {when}, down to {rate(min(preview.rates))}: there the optimizer "
            "goes uphill."
        )
    if (
        preview.rates
        and preview.rates[-1] == 0
        and preview.cut is None
        and preview.steps[-1] < preview.total * (1 - ZERO_TAIL)
    ):
        when = (
            case.after(preview.steps[-1] / case.each)
            if preview.steps[-1]
            else "from the first step on"
        )
        remedy = (
            '; total_iters is 5 unless given, "auto" is the budget'
            if _unset_polynomial(case.spec)
            else ""
        )
        yield f"the rate is 0 {when}: nothing is learnt from there on{remedy}."


def _grows(case: Case) -> Iterator[str]:
    last = case.preview.rates[-1] if case.preview.rates and case.preview.cut is None else math.nan
    if last > GROWTH_LIMIT * case.lane.lr and case.spec.name not in SWEEPS:
        yield (
            f"the rate grows to {rate(last)}, {rate(last / case.lane.lr, 3)} times lr ="
            f" {rate(case.lane.lr)}."
        )


def _unset_polynomial(spec: ScheduleSpec) -> bool:
    return spec.name == "PolynomialLR" and "total_iters" not in spec.options
