"""Rules about each part of a schedule: warnings about its options and its length. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from lrtui.core.diagnostics.schedule_case import Case, Part
from lrtui.core.numbers import rate
from lrtui.core.scenario import catalogue

CYCLES = ("OneCycleLR", "CyclicLR")
"""Schedules that also move momentum, and are meant to be stepped after every batch."""
NEGLIGIBLE = 1e-4
"""A rate below this part of its highest value in the first half of the budget is a mistake."""


def _initial(case: Case, part: Part) -> Iterator[str]:
    name, options, lr = part.spec.name, part.spec.options, case.lane.lr
    highest = options.get("max_lr", lr)
    begins = isinstance(highest, (int, float)) and math.isclose(
        case.rate(0), highest / 25, rel_tol=1e-6
    )
    if name == "OneCycleLR" and part.start == 0 and "div_factor" not in options and begins:
        yield (
            f"OneCycleLR begins at {rate(case.rate(0))}, not at lr = {rate(lr)}: it begins at"
            " max_lr / div_factor, and div_factor is 25 unless given."
        )
    if (
        name in CYCLES
        and isinstance(highest, (int, float))
        and highest != lr
        and options.get("base_lr") != lr
    ):
        lowest = (
            f"from base_lr = {rate(options['base_lr'])} "
            if isinstance(options.get("base_lr"), (int, float))
            else ""
        )
        yield f"lr = {rate(lr)} is not used: {name} goes {lowest}up to max_lr = {rate(highest)}."


def _momentum(case: Case, part: Part) -> Iterator[str]:
    named = {"cycle_momentum", "base_momentum", "max_momentum"} & part.spec.options.keys()
    if part.spec.name not in CYCLES or named or case.preview.momentum is None:
        return
    asked, lowest, highest = case.preview.momentum
    if lowest < asked or highest > asked:
        signature = catalogue.optimizers().get(case.lane.optimizer.name)
        what = "beta1" if signature and "betas" in signature.options else "momentum"
        yield (
            f"{part.spec.name} also moves {what}, asked for as {asked:.3g}, between"
            f" {min(lowest, highest):.3g} and {highest:.3g}; cycle_momentum = false leaves it"
            " alone."
        )


def _fraction(case: Case, part: Part) -> Iterator[str]:
    key = {"ConstantLR": "factor", "LinearLR": "start_factor"}.get(part.spec.name)
    begin = case.rate(part.start)
    if key is None or key in part.spec.options or math.isnan(begin):
        return
    lasts = case.counted(part.option("total_iters", 5))
    does = (
        f"stays there for {lasts}" if key == "factor" else f"needs {lasts} to get to the full one"
    )
    yield (
        f"{part.spec.name} begins at a third of the rate, {rate(begin)}, and {does}: {key} is 1/3"
        " unless given."
    )


def _interval(case: Case, part: Part) -> Iterator[str]:
    name, usual = part.spec.name, catalogue.schedules().get(part.spec.name)
    if name in CYCLES and case.spec.interval == "epoch":
        yield (
            f"{name} is made to be stepped after every batch, and is stepped after every epoch"
            ' here: the rate stands still within an epoch; interval = "batch" changes that.'
        )
    if (
        case.preview.nominal
        or usual is None
        or usual.interval != "epoch"
        or case.spec.interval != "batch"
    ):
        return
    epochs = math.ceil(case.preview.total / case.preview.steps_per_epoch)
    if epochs == case.length:
        return
    milestones = part.spec.options.get("milestones")
    if name == "MultiStepLR" and milestones and 0 < max(milestones) <= epochs:
        yield (
            f"{name} is stepped after every batch here, {case.length} times: its last milestone,"
            f" {max(milestones)}, comes in epoch"
            f" {math.ceil(max(milestones) / case.preview.steps_per_epoch)} of {epochs}."
        )
    fallen = _negligible_after(case)
    if fallen is not None and name in (
        "StepLR",
        "MultiStepLR",
        "ExponentialLR",
        "MultiplicativeLR",
    ):
        yield (
            f"{name} is stepped after every batch here, {case.length} times, not after every epoch,"
            f" {epochs} times: the rate is {rate(case.rate(fallen), 2)} already"
            f" {case.after(fallen)}."
        )


def _negligible_after(case: Case) -> int | None:
    """Count after which the rate stays below NEGLIGIBLE of its highest; None if that is not in the
    first half of the budget."""
    floor = NEGLIGIBLE * max(case.preview.rates, default=0.0)
    last_above = max(
        (index for index, value in enumerate(case.preview.rates) if abs(value) >= floor), default=-1
    )
    if last_above + 1 >= len(case.preview.rates):
        return None
    found = case.preview.steps[last_above + 1]
    return found // case.each if found < case.preview.total / 2 else None


def _climb(case: Case, part: Part) -> Iterator[str]:
    length = part.stop - part.start
    if part.spec.name == "CosineAnnealingLR":
        half, warmup = part.option("T_max", case.length), 0
        remedy = (
            'T_max = "auto" ends at the lowest.'
            if not case.spec.children
            else f"T_max = {length} ends at the lowest."
        )
    elif part.spec.name in ("cosine", "cosine_with_min_lr", "cosine_warmup_with_min_lr"):
        warmup = _warmup(part)
        half = (part.option("num_training_steps", length) - warmup) / (
            2 * max(part.option("num_cycles", 0.5), 1e-9)
        )
        remedy = _half_a_wave(case, part)
    else:
        return
    ahead = part.spec.name == "cosine_warmup_with_min_lr"  # a step ahead
    turn, last = part.start + warmup + math.ceil(half) - ahead, part.stop - 1
    lowest, final = case.rate(turn), case.rate(last)
    if turn < last and not final <= lowest * (1 + 1e-6):
        once = half * 2 >= length - warmup - 1 or half < 1
        again = (
            "climbs again"
            if once
            else f"climbs and falls in turn, {case.counted(int(half))} each way"
        )
        ends = "" if math.isnan(final) else f": the last {case.unit} has {rate(final)}"
        low = "" if math.isnan(lowest) else f", {rate(lowest)},"
        yield (
            f"{part.spec.name} is at its lowest{low} {case.after(turn)} and {again}{ends}; {remedy}"
        )


def _half_a_wave(case: Case, part: Part) -> str:
    """Advice that makes a cosine of Hugging Face end at its lowest."""
    length = part.stop - part.start
    options = [] if part.option("num_cycles", 0.5) == 0.5 else ["num_cycles = 0.5"]
    if part.option("num_training_steps", length) != length:
        options.append(
            f"num_training_steps = {length}"
            if case.spec.children
            else 'num_training_steps = "auto"'
        )
    return f"{' and '.join(options)} end{'s' if len(options) < 2 else ''} at the lowest."


def _too_long(case: Case, part: Part) -> Iterator[str]:
    """Warmups, and other low beginnings, that do not end within their part."""
    name, length = part.spec.name, part.stop - part.start
    end = case.rate(part.stop - 1)
    last = "" if math.isnan(end) else f" at {rate(end)}"
    there = "the budget" if part.stop == case.length else "its turn"
    lasts = f"and {there} has {length}"
    warmup = _warmup(part)
    if warmup and warmup >= length:
        of = f" of {rate(case.lane.lr)}" if last else ""
        yield f"the warmup takes {case.counted(warmup)}, {lasts}: it is cut short{last}{of}."
    planned = part.option("num_training_steps", length)
    if planned > length:
        yield (
            f"{name} is laid out for {case.counted(planned)}, {lasts}: it is cut short{last}; "
            'num_training_steps = "auto" is the budget.'
        )
    iters = part.option("total_iters", 5)
    if (
        name == "LinearLR"
        and iters > length
        and part.option("start_factor", 1 / 3) < part.option("end_factor", 1.0)
    ):
        yield f"LinearLR rises for {case.counted(iters)}, {lasts}: it is cut short{last}."
    if name == "ConstantLR" and iters > length and part.option("factor", 1 / 3) < 1:
        yield (
            f"ConstantLR holds the rate down for {case.counted(iters)}, {lasts}: it never comes up."
        )
    rises = part.option("step_size_up", 2000)
    if name == "CyclicLR" and rises >= length:
        yield (
            f"CyclicLR rises for {case.counted(rises)}, {lasts}: it is cut short{last};"
            " step_size_up says how long."
        )


def _too_late(case: Case, part: Part) -> Iterator[str]:
    """Schedules that change the rate at given counts, all of which lie beyond their part."""
    key = {"StepLR": "step_size", "MultiStepLR": "milestones"}.get(part.spec.name)
    given = part.spec.options.get(key, []) if key else []
    first = min(given, default=0) if isinstance(given, list) else given
    length = part.stop - part.start
    if first >= length:
        there = "the budget" if part.stop == case.length else "its turn"
        yield (
            f"{part.spec.name} changes the rate after {case.counted(first)} for the first time, and"
            f" {there} has {length}: it does nothing here; {key} says when."
        )


def _warmup(part: Part) -> int:
    """The length of a warmup from zero, as the Hugging Face schedules count it."""
    ratio = part.spec.options.get("warmup_ratio", 0.0)
    total = part.option("num_training_steps", part.stop - part.start)
    return int(part.spec.options.get("warmup_steps", math.ceil(total * ratio)))


def _patience(case: Case, part: Part) -> Iterator[str]:
    if part.spec.name in catalogue.WANTS_METRIC:
        # the first loss counts as an improvement
        greedy = part.spec.name == "greedy"
        earliest = part.option("patience", 10) + (1 if greedy else 2)
        if case.length <= earliest:
            does = "changes" if greedy else "lowers"
            yield (
                f"{part.spec.name} {does} the rate after {case.counted(earliest)} at the earliest,"
                f" and there are {case.length}: it does nothing here; patience says how long it"
                " waits."
            )


Rule = Callable[[Case, Part], Iterator[str]]
ALWAYS: tuple[Rule, ...] = (_initial, _momentum, _fraction, _interval)
BY_LENGTH: tuple[Rule, ...] = (_climb, _too_long, _too_late, _patience)
