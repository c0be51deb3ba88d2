"""The five numbers that "the learning rate" may mean, as they stand in a lane now, and what each is
in a line. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from lrtui.core.numbers import UNKNOWN, rate
from lrtui.core.scenario.spec import OptimizerSpec, ScheduleSpec
from lrtui.core.state.race_state import LaneState
from lrtui.core.state.rates import column

USUAL_RATIO = -3.0
"""log10 of the update-to-weight ratio that is customary: about a thousandth of the weights a step
(course notes of cs231n)."""


SEEN_OF_SCRIPT = 2
"""The first rows of `explained` that a script's lane has."""


class Rates(NamedTuple):
    """Of one param group; NaN where not known."""

    applied: float
    next: float
    step_size: float
    p10: float
    p50: float
    p90: float
    realised: float
    ratio: float
    """log10 of the norm of the change over the norm of the weights."""


def rates(lane: LaneState, group: int = 0) -> Rates:
    """The numbers as last recorded: the rates of the last step, the others of the last step that
    was measured."""
    names = ("step_size", "rate_p10", "rate_p50", "rate_p90", "realised", "update_ratio")
    return Rates(
        lane.rates.applied_by(group),
        lane.rates.next_by(group),
        *(lane.measured.last(column(name, group)) for name in names),
    )


def shown_rate(lane: LaneState, group: int = 0) -> float:
    """The applied rate of a param group; before the first step that of the lane, which is the
    first group's as a rule, and NaN for another one."""
    applied = lane.rates.applied_by(group)
    return applied if math.isfinite(applied) or group else lane.rate


def ratio_words(ratio: float) -> str:
    """An update-to-weight ratio: 10^-2.9."""
    return f"10^{ratio:.1f}" if math.isfinite(ratio) else UNKNOWN


def known(value: float, digits: int = 3) -> str:
    """A rate in `digits` digits, or a dash."""
    return rate(value, digits) if math.isfinite(value) else UNKNOWN


def explained(lane: LaneState, group: int = 0) -> list[tuple[str, str, str]]:
    """(name, value, what it is, with the numbers of a param group in the formula): a row for each
    number. Of a script only its rates are seen."""
    now, name = rates(lane, group), own_optimizer(lane).name or "the optimizer"
    if not lane.is_script and name == "SGD" and not lane.lane.optimizer.options.get("momentum"):
        change = (
            f"change = -rate x gradient: each weight moves by {known(now.applied)} times its"
            " gradient"
        )
    else:
        change = f"change = -rate x what {name} makes of the gradient"
    rows = [
        ("applied", known(now.applied), f"what the optimizer was told for the last step; {change}"),
        (
            "next",
            known(now.next),
            (
                "what the optimizer holds ready for the step to come, if the script's scheduler has"
                " set it already"
                if lane.is_script
                else "what the schedule holds ready for the step to come; reading it too early is"
                " off by one"
            ),
        ),
        (
            "step size",
            known(now.step_size),
            f"{_step_size(name, now)}{_at(lane, column('step_size', group))}",
        ),
        (
            "per element",
            known(now.p50),
            (
                f"what multiplies single gradients: a tenth of them below {known(now.p10)}, half"
                f" below {known(now.p50)}, a tenth above {known(now.p90)}"
            ),
        ),
        (
            "realised",
            known(now.realised),
            (
                "|change| / |gradient| of all weights together: the step went "
                f"{known(now.realised)} times as far as the gradient is long"
            ),
        ),
        (
            "change/weight",
            ratio_words(now.ratio),
            (
                f"|change| / |weights|: a step moved the weights by {_share(now.ratio)}; about "
                "10^-3 is customary"
            ),
        ),
    ]
    return rows[:SEEN_OF_SCRIPT] if lane.is_script else rows


def own_optimizer(lane: LaneState) -> OptimizerSpec:
    """The optimizer of a lane; of a script its class, as far as it is known."""
    return OptimizerSpec(lane.optimizer) if lane.is_script else lane.lane.optimizer


def _at(lane: LaneState, column: str) -> str:
    """The step of a measurement, if it is not the last step; else ''."""
    step = lane.measured.last_step(column)
    return "" if step is None else f" (measured at step {step})"


def _step_size(name: str, now: Rates) -> str:
    return (
        f"{_BIASED.get(name) or _SIZES.get(name, 'what multiplies the direction of the step')}:"
        f" {known(now.step_size)}"
    )


_BIASED = {
    "Adam": "rate x sqrt(1 - beta2^t) / (1 - beta1^t)",
    "AdamW": "rate x sqrt(1 - beta2^t) / (1 - beta1^t)",
    "NAdam": "Adam's step size with the momentum of the next step",
    "Adamax": "rate / (1 - beta1^t)",
    "RAdam": "rate x rectification x sqrt(1 - beta2^t) / (1 - beta1^t)",
}
_SIZES = {
    "SGD": "the rate itself",
    "RMSprop": "the rate itself, with no correction of the first steps, which are long",
    "Adagrad": "rate / (1 + (t - 1) x lr_decay)",
    "Adadelta": "the rate itself, on steps that Adadelta sizes",
    "Adafactor": "size of the weights x min(rate, 1 / sqrt(t))",
    "ASGD": "rate / (1 + lambd x rate x t)^alpha",
    "Rprop": "the mean of the steps that Rprop keeps for each weight",
    "Muon": "the rate, scaled to the shape of each matrix",
}


def _share(ratio: float) -> str:
    if not math.isfinite(ratio):
        return UNKNOWN
    return f"{100 * 10**ratio:.2g} %" if ratio < 0 else f"{10**ratio:.2g} times"


def caveats(optimizer: OptimizerSpec, schedule: ScheduleSpec | None) -> list[str]:
    """Common misreadings of the rate that apply to the lane, a line each."""
    lines = [_CAVEATS[optimizer.name]] if optimizer.name in _CAVEATS else []
    names = sorted(
        {
            part.name
            for part in _parts(schedule)
            if part.name in ("OneCycleLR", "CyclicLR") and part.options.get("cycle_momentum", True)
        }
    )
    if names:
        lines.append(
            f"{' and '.join(names)} also move{'s' * (len(names) == 1)} momentum (or beta1) against"
            " the rate"
        )
    momentum = optimizer.options.get("momentum", 0.0)
    if optimizer.name == "SGD" and momentum:
        times = (
            f"{1 / (1 - momentum):.3g} times as far as the rate says"
            if momentum < 1
            else "further and further"
        )
        lines.append(f"momentum {momentum:g}: a steady gradient moves the weights {times}")
    return lines


def _parts(schedule: ScheduleSpec | None) -> list[ScheduleSpec]:
    """A schedule and all those that it is made of."""
    return (
        [schedule, *(part for child in schedule.children for part in _parts(child))]
        if schedule
        else []
    )


_CAVEATS = {
    "Rprop": "Rprop: the rate only sets the first steps; schedules and later rates change nothing",
    "Adafactor": (
        "Adafactor: the rate counts only below 1 / sqrt(t); above it all rates are the same"
    ),
    "Adadelta": "Adadelta sizes its own steps: the rate only scales them, 1 is usual",
    "RMSprop": "RMSprop: the first steps are about ten times as long as the rate says",
    "Muon": "Muon: the rate is scaled by each matrix's shape; vectors are AdamW's",
    "LBFGS": "LBFGS: the rate scales a step of many inner ones; nothing else is measured",
}
