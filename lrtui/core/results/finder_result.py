"""The result of a finder: the rate that won the check, and sentences from what was measured. Pure;
knows no run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from lrtui.core.diagnostics.param_groups import group_rates
from lrtui.core.numbers import count, loss, rate
from lrtui.core.protocol.events import plain
from lrtui.core.results.lr_suggestions import NO_GRADIENT, RULES, Found
from lrtui.core.results.race_result import result
from lrtui.core.results.standings import standings
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.state.status import FAILED, UNRANKED

DISAGREE = 10.0
"""From this factor between the highest and the lowest suggestion on, the rules are said to
disagree."""
WEAK_FALL = 0.05
"""A sweep whose average fell by a smaller share than this shows little."""
NARROW = 0.02
"""A winner that is ahead by a smaller share than this won by a hair."""
FEW_STEPS = 20
"""A check of fewer steps than this tells little."""


class Outcome(NamedTuple):
    """The end of a finder: which rate won and why, or why there is none."""

    winner: LaneState | None
    ranked: list[LaneState]
    """The lanes of the check, best first; those that diverged after the others, then those that
    failed or went NaN."""
    reason: str
    """Reason why no rate won; '' if one did."""
    error: str
    """The full output of a task that failed; '' without a failure."""
    sentences: list[str]


def conclude(found: Found | None, sweep: RaceState | None, check: RaceState | None) -> Outcome:
    """The outcome of a sweep (`found` and the race it was), of a check, or of both."""
    ranked = in_order(check) if check else []
    winner = ranked[0] if ranked and _place(ranked[0]) == 0 else None
    reason = "" if winner else _reason(found, sweep, ranked)
    sentences = [
        *(_about_sweep(found) if found else ()),
        *(_about_check(ranked, winner) if check else ()),
    ]
    if reason:
        sentences.append(f"No rate was found: {reason}.")
    failed = next(
        (
            lane
            for state in (check, sweep)
            if state
            for lane in state.lanes
            if lane.status in FAILED
        ),
        None,
    )
    return Outcome(
        winner, ranked, reason, failed.ended.error if failed and failed.ended else "", sentences
    )


def in_order(check: RaceState) -> list[LaneState]:
    """The lanes of a check, best first."""
    return sorted(standings(check), key=_place)


def result_line(
    found: Found | None, outcome: Outcome, check: RaceState | None, runs: list[str]
) -> dict[str, Any]:
    """The outcome as one JSON object, the last one that `lrtui find --json` prints."""
    suggestions = found.suggestions if found else {}
    entries = {entry["letter"]: entry for entry in result(check)} if check else {}
    return {
        "event": "result",
        "suggestions": {name: suggestions.get(name) for name in RULES},
        "winner": outcome.winner.lane.lr if outcome.winner else None,
        "points": len(found.losses) if found else 0,
        "usable": found.usable if found else 0,
        "ending": found.ending if found else None,
        "disagreement": found.disagreement if suggestions and found else None,
        "checked": [{"lr": lane.lane.lr, **entries[lane.lane.letter]} for lane in outcome.ranked],
        "groups": [
            {"name": one.name, "ratio": _known(one.ratio), "lr": _known(one.own)}
            for one in (group_rates(outcome.winner, outcome.ranked) if outcome.winner else ())
        ],
        "reason": outcome.reason or None,
        "error": outcome.error or None,
        "sentences": outcome.sentences,
        "runs": runs,
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def point_line(step: int, lr: float, value: float, smooth: float) -> dict[str, Any]:
    """A point of the sweep as `lrtui find --json` prints it."""
    return {
        "event": "point",
        "step": step,
        "lr": plain(lr),
        "loss": plain(value),
        "smooth": plain(smooth),
    }


def _place(lane: LaneState) -> int:
    """0: raced well. 1: diverged. 2: without a loss to rank by, or unable to learn."""
    if lane.status in UNRANKED or not math.isfinite(lane.losses.smooth.value) or lane.findings.dead:
        return 2
    return int(any(alert.kind == "diverged" for alert in lane.alerts))


def _reason(found: Found | None, sweep: RaceState | None, ranked: list[LaneState]) -> str:
    lost = next((lane for lane in (sweep.lanes if sweep else ()) if lane.status in FAILED), None)
    if lost is not None:
        cause = lost.alerts[-1].text if lost.alerts else "its process was lost"
        return f"the task failed in the sweep after {lost.steps} steps: {cause}"
    if found is not None and found.reason:
        return found.reason
    if any(lane.status == "interrupted" for lane in [*ranked, *(sweep.lanes if sweep else ())]):
        return "it was interrupted"
    if ranked and all(lane.findings.dead for lane in ranked):
        return NO_GRADIENT
    return "every lane of the check diverged, went NaN or failed" if ranked else "it was stopped"


def _about_sweep(found: Found) -> Iterator[str]:
    if len(found.rates) and not found.reason.startswith("the loss is"):
        first, last = rate(found.rates[0], 3), rate(found.rates[-1], 3)
        yield f"{len(found.rates)} rates were swept, from {first} to {last}: {found.ending}."
    if not found.suggestions:
        return
    named = ", ".join(
        f"{name} {rate(value, 3)}"
        for name, value in sorted(found.suggestions.items(), key=lambda item: item[1])
    )
    if found.disagreement >= DISAGREE:
        yield f"The rules disagree by a factor of {count(found.disagreement)}: {named}."
    else:
        yield f"The rules agree within a factor of {found.disagreement:.2g}: {named}."
    seen = found.smooth[found.first : found.last]
    lowest = int(seen.argmin())
    fall = 1 - seen[lowest] / seen[0] if seen[0] > 0 else math.inf
    if fall < WEAK_FALL:
        yield (
            f"The average fell by only {100 * fall:.1f} % in the sweep: what the rules say is worth"
            " little without the check."
        )
    if lowest == len(seen) - 1 and found.end == len(found.rates):
        yield "The average was still falling at the end: a higher --to may show more."


def _about_check(ranked: list[LaneState], winner: LaneState | None) -> Iterator[str]:
    started = next((lane.started for lane in ranked if lane.started), None)
    if started is not None:
        epochs = max(1, math.ceil(started.total_steps / started.steps_per_epoch))
        words = (
            "one epoch"
            if epochs == 1
            else f"{epochs} epochs, because one has only {_steps(started.steps_per_epoch)}"
        )
        few = " - too few to tell much" if started.total_steps < FEW_STEPS else ""
        long = (
            f"{words} ({started.total_steps} steps{few})"
            if started.length_known
            else f"{started.total_steps} steps{few}"
        )
        yield f"The check raced {len(ranked)} rates for {long}."
    for lane in ranked:
        if _place(lane):
            yield f"{_named(lane)} {_fate(lane)}."
    if winner is None:
        return
    good = [lane for lane in ranked if _place(lane) == 0]
    yield (
        f"{_named(winner)} won with a smoothed loss of {loss(winner.losses.smooth.value)}"
        f"{_margin(good)}."
    )
    named = [one for one in group_rates(winner, ranked) if one.ratio != 1]
    if named:
        yield f"Param groups at another rate: {', '.join(map(str, named))}."
    if not winner.findings.moved:
        yield (
            "Its steps were too short to move the loss: what it won by is noise of the batches; try"
            " a far higher rate."
        )
    elif winner.losses.smooth.value >= winner.losses.first:
        yield f"Even so it ended no better than it began, at {loss(winner.losses.first)}."
    rates = [lane.lane.lr for lane in ranked]
    if len(rates) > 1 and winner.lane.lr in (min(rates), max(rates)):
        end, side = ("highest", "higher") if winner.lane.lr == max(rates) else ("lowest", "lower")
        yield f"It was the {end} of those checked: a {side} one may be better still."


def _named(lane: LaneState) -> str:
    known = rate(lane.lane.lr, 3)
    return known if lane.lane.name in (known, rate(lane.lane.lr)) else f"{known} ({lane.lane.name})"


def _fate(lane: LaneState) -> str:
    if lane.status == "nan":
        return f"went NaN at step {lane.ended.step if lane.ended else lane.steps}"
    if lane.findings.dead:
        return "cannot learn: every gradient was exactly zero"
    return (
        "diverged"
        if _place(lane) == 1
        else "failed"
        if lane.status in FAILED
        else "showed no finite loss"
    )


def _margin(good: list[LaneState]) -> str:
    """The winner's lead in words that continue the sentence."""
    if len(good) < 2:
        return "; no other lane raced well"
    best, second = good[0].losses.smooth.value, good[1].losses.smooth.value
    share = (second - best) / abs(second) if second else 0.0
    words = (
        f", {100 * share:.0f} % below {_named(good[1])}"
        if share >= NARROW
        else f", a hair below {_named(good[1])}"
    )
    headline = next((lane for lane in good if lane.lane.name == "valley"), None)
    if headline is None or headline in good[:2]:
        return words
    return words + f"; the headline {_named(headline)} reached {loss(headline.losses.smooth.value)}"


def _steps(number: int) -> str:
    return f"{number} step{'' if number == 1 else 's'}"
