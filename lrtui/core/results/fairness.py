"""The check that lanes began alike: with the same weights, and the same batches or, of a script,
the same first loss; of several seeds those of one. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from lrtui.core.numbers import loss
from lrtui.core.scenario.spec import Script
from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.core.text import one_line


class Fairness(NamedTuple):
    """Result of the check."""

    words: str
    """For the header; '' before any lane has begun."""
    sentence: str = ""
    """With what differs and how to change it; '' if `words` say all."""


def fairness(state: RaceState, short: bool = False) -> Fairness:
    """The check over the lanes that have begun; `short`: words for a narrow header."""
    if state.race.script:
        return _of_script(state, state.race.script)
    begun = [lane for lane in state.lanes if lane.started]
    if not begun:
        return Fairness("" if state.over else "starting")
    seeds = _grouped(begun, lambda lane: lane.lane.seed)
    for what, checksum in (("weights", _checksum), ("batches", _batches)):
        for lanes in seeds:
            if len(_grouped(lanes, checksum)) > 1:
                of = f" at seed {_seed(lanes, state)}" if len(seeds) > 1 else ""
                return Fairness(f"NOT FAIR: {what} differ{of}")
    if len(seeds) > 1:
        return Fairness(f"fair: {len(seeds)} seeds")
    words = ("", "") if short else ("weights ", "batches ")
    # of a stream it is not known beforehand
    order = f" {words[1]}{_batches(begun[0])[:6]}" if _batches(begun[0]) else ""
    return Fairness(f"fair: {words[0]}{_checksum(begun[0])[:6]}{order}")


def _of_script(state: RaceState, script: Script) -> Fairness:
    """Weights and first losses at the first step of each lane; lanes of models of other sizes are
    not compared with each other."""
    begun = [lane for lane in state.lanes if lane.started and lane.steps > 0]
    if not begun:
        return Fairness("" if state.over else "starting")
    if len(begun) == 1:
        return Fairness("" if len(state.lanes) == 1 else "1 lane has begun")
    models = _grouped(begun, lambda lane: lane.started.parameters if lane.started else 0)
    seeds = _grouped(begun, lambda lane: lane.lane.seed)
    for alike in models:
        for lanes in _grouped(alike, lambda lane: lane.lane.seed):
            if found := _differences(lanes, state, script):
                return found
    if len(models) > 1:
        sizes = "; ".join(
            f"{_letters(lanes)} {lanes[0].started.parameters} parameters"
            for lanes in models
            if lanes[0].started
        )
        return Fairness("different models", f"Different models are raced: {sizes}.")
    if len(seeds) > 1:
        return Fairness(
            f"fair: {len(seeds)} seeds",
            f"Fair: of {_letters(begun)} those of one seed began with the same weights and the same"
            " first loss, as far as they are seen.",
        )
    if not math.isfinite(begun[0].losses.first):
        return Fairness(
            "same weights",
            f"{_letters(begun)} began with the same weights ({_checksum(begun[0])}); their first"
            " losses are not seen.",
        )
    if not all(map(_checksum, begun)):
        return Fairness(
            "same first loss",
            f"{_letters(begun)} had the same first loss ({loss(begun[0].losses.first)}); their"
            " weights are not seen.",
        )
    return Fairness(
        "fair" if len(begun) == len(state.lanes) else f"fair so far: {_letters(begun)}",
        f"Fair: {_letters(begun)} began with the same weights"
        f" ({_checksum(begun[0])}) and the same first loss ({loss(begun[0].losses.first)}).",
    )


def _differences(lanes: Sequence[LaneState], state: RaceState, script: Script) -> Fairness | None:
    """The first difference between lanes of models of one size; None if there is none."""
    weights = _grouped(lanes, _checksum)
    if len(weights) > 1:
        who = _versus(weights)
        if len(_grouped(lanes, _values)) > 1:
            return Fairness(
                "weights differ",
                f"The first weights differ: {who}. The lanes have different values, which may be"
                " why.",
            )
        return Fairness(
            "NOT FAIR: weights differ",
            f"The first weights differ: {who}. {_seeding(lanes, state, script)}",
        )
    losses = _grouped(lanes, lambda lane: repr(lane.losses.first))
    if len(losses) > 1:
        alike = "" if len(_grouped(lanes, _values)) > 1 else "NOT FAIR: "
        firsts = ", ".join(f"{_letters(one)} {loss(one[0].losses.first)}" for one in losses)
        return Fairness(
            f"{alike}first loss differs",
            f"The weights are the same, but the first loss differs: {firsts}. Another order of"
            f" batches, or dropout? {_seeding(lanes, state, script)}",
        )
    return None


def _seed(lanes: Sequence[LaneState], state: RaceState) -> int:
    return state.race.of_lane(lanes[0].index).seed


def _seeding(lanes: Sequence[LaneState], state: RaceState, script: Script) -> str:
    """How to make lanes begin alike."""
    if not script.supervised:
        return "Seed every generator that the script draws from, such as torch.manual_seed(0)."
    if not script.seeded:
        return (
            "The script does not seed itself: race it without --no-seed, and lrtui seeds Python,"
            " numpy and torch."
        )
    return (
        f"Python, numpy and torch were seeded with {_seed(lanes, state)}: the script draws from"
        " something else, such as its own generator, the time, or the order in which threads end."
    )


def _grouped(
    lanes: Iterable[LaneState], key: Callable[[LaneState], object]
) -> list[list[LaneState]]:
    """The lanes by a key, in the order in which each key comes first."""
    found: dict[object, list[LaneState]] = {}
    for lane in lanes:
        found.setdefault(key(lane), []).append(lane)
    return list(found.values())


def _checksum(lane: LaneState) -> str:
    return one_line(lane.started.init_checksum) if lane.started else ""


def _batches(lane: LaneState) -> str:
    return one_line(lane.started.batch_checksum) if lane.started else ""


def _values(lane: LaneState) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(lane.lane.values.items()))


def _letters(lanes: Sequence[LaneState]) -> str:
    more = f" and {len(lanes) - 8} more" if len(lanes) > 8 else ""
    return ", ".join(lane.lane.letter for lane in lanes[:8]) + more


def _versus(groups: Sequence[Sequence[LaneState]]) -> str:
    """Groups of lanes with their checksums: "A, B d4bb1f; C 57259b"."""
    more = "; ..." if len(groups) > 8 else ""
    return "; ".join(f"{_letters(one)} {_checksum(one[0])[:6]}" for one in groups[:8]) + more
