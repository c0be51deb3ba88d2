"""What a person should know of a lane's schedule before it runs: each warning says what will
happen, in numbers, and where to change it. Judges by the previewed rates, which are those of the
real scheduler; knows no torch."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lrtui.core.numbers import rate
from lrtui.core.protocol.launch_protocol import Preview
from lrtui.core.scenario import catalogue
from lrtui.core.scenario.spec import Lane, ScheduleSpec

CYCLES = ("OneCycleLR", "CyclicLR")
"""They move momentum along with the rate, and are made to be stepped by the batch."""
SUNK = 1e-4
"""Below this part of its highest value, in the first half of the budget, a rate was hardly meant to
be."""
AT_ZERO = 0.05
"""A rate of zero for a greater part of the budget than this, at the end, is told."""
GROWN = 100.0
"""A rate that ends at more than this many times the lane's own was hardly meant to."""
SWEEPS = ("range-test",)
"""Schedules whose rates are meant to grow."""
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


class Part(NamedTuple):
    """A schedule, or one that it is made of, and when it has its turn, counted in the schedule's
    own interval."""

    spec: ScheduleSpec
    start: int
    stop: int

    def option(self, key: str, default: Any) -> Any:
        """An option's value; `default` where it is not given, the schedule's own length where it is
        "auto"."""
        value = self.spec.options.get(key, default)
        return self.stop - self.start if value == "auto" else value


class Case:
    """A lane's schedule beside the rates that it will apply."""

    def __init__(self, lane: Lane, spec: ScheduleSpec, preview: Preview) -> None:
        self.lane, self.spec, self.preview = lane, spec, preview
        self.each = preview.steps_per_epoch if spec.interval == "epoch" else 1
        self.length = math.ceil(preview.total / self.each)
        """The budget in the schedule's own interval."""
        self.unit = spec.interval.replace("batch", "step")

    def rate(self, count: int) -> float:
        """The rate applied after `count` epochs or batches; NaN where it is not known."""
        step = count * self.each
        if not 0 <= step < self.preview.known:
            return math.nan
        return self.preview.rates[bisect_right(self.preview.steps, step) - 1]

    def after(self, count: float) -> str:
        """'after 50 of 100 epochs'."""
        return f"after {math.ceil(count)} of {self.counted(self.length)}"

    def counted(self, count: int) -> str:
        """'5 epochs'."""
        return f"{count} {self.unit}{'' if count == 1 else 's'}"

    def parts(self) -> list[Part]:
        """The schedulers that really set rates, with their turns; those that never have one are
        left out."""
        return [part for part in _parts(self.spec, 0, self.length) if part.start < part.stop]


def warnings(
    lane: Lane, preview: Preview, *, certain: bool = True, validated: bool | None = None
) -> list[str]:
    """The warnings about a lane, each begun with the place to change; none for a lane without a
    schedule.

    `certain`: whether the preview's length is that of the race; if not, what depends on it is left
    out. `validated`: whether the task has validation data, None where that is not known.
    """
    if lane.schedule is None:
        return []
    case = Case(lane, lane.schedule, preview)
    parts = [] if lane.schedule.own else case.parts()
    found = [text for part in parts for rule in _ALWAYS for text in rule(case, part)]
    if validated is False and lane.schedule.name in catalogue.WANTS_METRIC:
        found.append(
            f"{lane.schedule.name} looks at the validation loss, and the task has no validation"
            " data: the race will be refused."
        )
    if certain:
        found += [text for part in parts for rule in _BY_LENGTH for text in rule(case, part)]
        found += [*_never(case), *_failure(case), *_no_rate(case), *_grows(case)]
    place = f"{lane.schedule_at}: " if lane.schedule_at else ""
    return [place + text for text in dict.fromkeys(found)]


def is_certain(spec: ScheduleSpec | None, by_epochs: bool) -> bool:
    """Whether a schedule's length is known without knowing how many batches an epoch has: its unit
    is the budget's."""
    return spec is None or (spec.interval == "epoch") == by_epochs


def counts(spec: ScheduleSpec) -> bool:
    """Whether a schedule has a length of its own, written as a number."""
    given = (spec.options.get(key) for key in _LENGTHS)
    return any(isinstance(value, (int, list)) for value in given) or any(map(counts, spec.children))


def _parts(spec: ScheduleSpec, start: int, stop: int) -> Iterator[Part]:
    if not spec.children:
        yield Part(spec, start, stop)
        return
    turns = [start, *(start + milestone for milestone in spec.options.get("milestones", [])), stop]
    for index, child in enumerate(spec.children):
        if spec.name != "SequentialLR":
            yield from _parts(child, start, stop)
        elif turns[index] < stop:
            yield from _parts(child, turns[index], min(turns[index + 1], stop))


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
    sunk = _sunk(case)
    if sunk is not None and name in ("StepLR", "MultiStepLR", "ExponentialLR", "MultiplicativeLR"):
        yield (
            f"{name} is stepped after every batch here, {case.length} times, not after every epoch,"
            f" {epochs} times: the rate is {rate(case.rate(sunk), 2)} already {case.after(sunk)}."
        )


def _sunk(case: Case) -> int | None:
    """After how many steps the rate is below SUNK of its highest for good, where that is in the
    first half of the budget."""
    floor = SUNK * max(case.preview.rates, default=0.0)
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
    ahead = part.spec.name == "cosine_warmup_with_min_lr"  # its wave is a step ahead
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
    """What makes a cosine of Hugging Face end at its lowest."""
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
    """Warmups, and whatever else begins low, that are not over before their turn is."""
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
    """Schedules that change the rate at given counts, all of which lie beyond their turn."""
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
        # counts the first loss, which cannot be worse than one before, as a better one
        greedy = part.spec.name == "greedy"
        earliest = part.option("patience", 10) + (1 if greedy else 2)
        if case.length <= earliest:
            does = "changes" if greedy else "lowers"
            yield (
                f"{part.spec.name} {does} the rate after {case.counted(earliest)} at the earliest,"
                f" and there are {case.length}: it does nothing here; patience says how long it"
                " waits."
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
        and preview.steps[-1] < preview.total * (1 - AT_ZERO)
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
    if last > GROWN * case.lane.lr and case.spec.name not in SWEEPS:
        yield (
            f"the rate grows to {rate(last)}, {rate(last / case.lane.lr, 3)} times lr ="
            f" {rate(case.lane.lr)}."
        )


def _unset_polynomial(spec: ScheduleSpec) -> bool:
    return spec.name == "PolynomialLR" and "total_iters" not in spec.options


Rule = Callable[[Case, Part], Iterator[str]]
_ALWAYS: tuple[Rule, ...] = (_initial, _momentum, _fraction, _interval)
_BY_LENGTH: tuple[Rule, ...] = (_climb, _too_long, _too_late, _patience)
