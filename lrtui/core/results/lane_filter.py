"""Lane filters: words and conditions such as `adam lr>=1e-3 !nan`, parsed and matched against
lanes. Pure."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any, NamedTuple, get_args

from lrtui.core.diagnostics.verdicts import Word, verdict
from lrtui.core.errors import LrtuiError
from lrtui.core.results.seed_groups import group_letter
from lrtui.core.results.standings import gaps, value_of
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.race_state import RaceState
from lrtui.core.state.status import STATUSES
from lrtui.core.text import closest, one_line

_COMPARED: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_CONDITION = re.compile(r"([^<>=!:]*)(>=|<=|!=|==|>|<|=)(.*)", re.DOTALL)
_LETTER = re.compile(r"[A-Z]{1,2}")
"""A word in one or two capitals is a lane's letter and nothing else."""
_KEYED = re.compile(r"([A-Za-z_]+):(.*)", re.DOTALL)
MEASURES = ("lr", "loss", "best", "step", "gap")
"""Comparable quantities besides options: the lane's rate (the schedule's start times the dial), its
smoothed loss, its best loss, the steps done, and the gap of what it is ranked by to the leader (a
ratio, or a difference)."""
EXAMPLE = "adam lr>=1e-3 !nan loss<0.5 status:paused parent:A"


class Term(NamedTuple):
    """One thing that must hold of a lane, or must not."""

    key: str
    """"" for a word, one of KEYS, one of MEASURES, or an option's name."""
    sign: str
    """One of _COMPARED; "" for words and keys."""
    value: str
    negated: bool = False


class Filter(NamedTuple):
    """A parsed filter; a lane must match all of its terms. Without terms every lane does."""

    terms: tuple[Term, ...] = ()


EVERY = Filter()

_Gaps = Callable[[], dict[int, float]]
"""The gaps of all lanes, worked out when first asked for."""


def parse(text: str, options: Collection[str] | None = None) -> Filter:
    """The filter that a line describes: terms parted by spaces, of which all must hold, `!` before
    one that must not.

    `options`: the names of options that can be compared; None: any name will do. LrtuiError says
    which term will not do and what was expected in its place.
    """
    return Filter(tuple(_term(word, options) for word in _words(text)))


def option_names(state: RaceState) -> set[str]:
    """The options of optimizers and schedules, and settings of recipes, that any lane sets: what
    there is to compare."""
    recipes = {name for lane in state.lanes for name in lane.lane.recipe.changes()}
    return recipes | {name for lane in state.lanes for name in _own_options(lane)}


def matches(wanted: Filter, lane: LaneState, state: RaceState) -> bool:
    """True if the lane matches every term."""
    return _matches(wanted, lane, state, cache(lambda: gaps(state)))


def _matches(wanted: Filter, lane: LaneState, state: RaceState, gaps_of: _Gaps) -> bool:
    return all(_holds(term, lane, state, gaps_of) != term.negated for term in wanted.terms)


def visible(state: RaceState, wanted: Filter, pinned: Collection[int] = ()) -> list[int]:
    """The indices of the lanes that are not hidden, in the order in which they are shown: the
    pinned ones, then those that match, each as they stand in the race."""
    gaps_of = cache(lambda: gaps(state))
    first = [lane.index for lane in state.lanes if lane.index in pinned]
    return first + [
        lane.index
        for lane in state.lanes
        if lane.index not in pinned and _matches(wanted, lane, state, gaps_of)
    ]


def _words(text: str) -> Sequence[str]:
    """The terms: parted by spaces, but not within quotes, which are left out."""
    words: list[str] = []
    word, quoted, begun = "", False, False
    for sign in text:
        if sign == '"':
            quoted, begun = not quoted, True
        elif sign.isspace() and not quoted:
            words += [word] if begun else []
            word, begun = "", False
        else:
            word, begun = word + sign, True
    if quoted:
        raise LrtuiError("a quote is not closed", 'expected name:"two words"')
    return [*words, word] if begun else words


def _term(text: str, options: Collection[str] | None) -> Term:
    negated = text.startswith("!")
    body = text[1:] if negated else text
    if not body:
        raise _refused(text, "is not a term", f"a word or a condition after it, such as {EXAMPLE}")
    if found := _CONDITION.fullmatch(body):
        return _condition(text, found[1], found[2], found[3], negated, options)
    if found := _KEYED.fullmatch(body):
        name, value = found.groups()
        if name.lower() not in KEYS and name in (options or ()):  # momentum:0.9
            return _condition(text, name, "=", value, negated, options)
        return _keyed(text, name.lower(), value.lower(), negated)
    return Term("", "", body if _LETTER.fullmatch(body) else body.lower(), negated)


def _condition(
    text: str, key: str, sign: str, value: str, negated: bool, options: Collection[str] | None
) -> Term:
    known = [*MEASURES, *(options or ())]
    name = next(
        (name for name in known if name.lower() == key.lower()), "" if options is not None else key
    )
    if not name:
        near = closest(key, known)
        raise _refused(
            text,
            f'no lane has a setting "{one_line(key)}"{near}',
            "one of " + ", ".join(sorted(known)),
        )
    number = _number(value)
    if name in MEASURES or sign not in ("=", "==", "!="):
        if number is None:
            usual = f"{name}{sign}{_EXAMPLES.get(name, '0.9')}"
            raise _refused(
                text, f'"{one_line(value)}" is not a number', f"a finite number, such as {usual}"
            )
    elif not value:
        raise _refused(
            text, "has no value", f"a number, true, false or a word, such as {name}{sign}0.9"
        )
    return Term(name, sign, value, negated)


def _keyed(text: str, key: str, value: str, negated: bool) -> Term:
    if key not in KEYS:
        known = ", ".join(f"{name}:" for name in KEYS)
        raise _refused(
            text, f'"{one_line(key)}:" is not known{closest(key, KEYS)}', f"one of {known}"
        )
    allowed = {"status": STATUSES, "verdict": get_args(Word)}.get(key)
    if allowed and not any(value and name.startswith(value) for name in allowed):
        raise _refused(text, f'"{one_line(value)}" is not a {key}', "one of " + ", ".join(allowed))
    if not value:
        raise _refused(
            text,
            "says nothing",
            f"a word after it, such as {key}:{'A' if key in ('parent', 'letter') else 'adam'}",
        )
    return Term(key, "", value, negated)


def _refused(text: str, problem: str, expected: str) -> LrtuiError:
    return LrtuiError(f"{one_line(text)[:40]}: {problem}", f"expected {expected}")


def _number(text: str) -> float | None:
    """A finite number; None where the text is none. Underscores and the like, which Python takes,
    are not meant here."""
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_EXAMPLES = {"lr": "1e-3", "loss": "0.5", "best": "0.5", "step": "1000", "gap": "1.1"}


def _holds(term: Term, lane: LaneState, state: RaceState, gaps_of: _Gaps) -> bool:
    if term.sign:
        return _compared(term, lane, gaps_of)
    if term.key:
        return KEYS[term.key](term.value, lane, state)
    spec = lane.lane
    if _LETTER.fullmatch(term.value):
        return _is_letter(term.value, lane)
    texts = [spec.name, _optimizer(lane), spec.schedule.name if spec.schedule else ""]
    return (
        _is_letter(term.value, lane)
        or any(term.value in text.lower() for text in texts)
        or term.value in (lane.status, verdict(lane, state).word)
    )


def _is_letter(value: str, lane: LaneState) -> bool:
    """True for the letter of a lane, or of its group, in capitals or not."""
    letter = lane.lane.letter
    return value.upper() in (letter, group_letter(letter))


def _compared(term: Term, lane: LaneState, gaps_of: _Gaps) -> bool:
    """True if a comparison holds; False without a value, such as the loss of a NaN lane."""
    wanted = _number(term.value)
    if term.key in MEASURES:
        return _close(term.sign, _measure(term.key, lane, gaps_of), wanted)
    options = _options(lane)
    if term.key not in options:
        return False
    own = options[term.key]
    if wanted is not None and isinstance(own, (int, float)) and not isinstance(own, bool):
        return _close(term.sign, float(own), wanted)
    same = term.value.lower() == str(own).lower()
    return same if term.sign in ("=", "==") else term.sign == "!=" and not same


def _close(sign: str, own: float, wanted: float | None) -> bool:
    """A comparison in which 0.1 typed is the 0.1 that a product of factors comes to."""
    if wanted is None or math.isnan(own):
        return False
    return _COMPARED[sign](wanted if math.isclose(own, wanted, rel_tol=1e-9) else own, wanted)


def _measure(key: str, lane: LaneState, gaps_of: _Gaps) -> float:
    match key:
        case "lr":
            return lane.rate
        case "loss":
            return value_of(lane)
        case "best":
            return lane.losses.best
        case "step":
            return float(lane.steps)
    return gaps_of()[lane.index]


def _options(lane: LaneState) -> dict[str, Any]:
    """The settings of the recipe, and the options of optimizer and schedule, by name."""
    recipe = lane.lane.recipe
    return {name: getattr(recipe, name) for name in recipe.__struct_fields__} | _own_options(lane)


def _own_options(lane: LaneState) -> dict[str, Any]:
    """The options that optimizer and schedule set, the optimizer's if both have one of that name;
    and the values of a script's lane."""
    schedule = lane.lane.schedule
    values = {
        name: text if (found := _number(text)) is None else found
        for name, text in lane.lane.values.items()
    }
    return {**(schedule.options if schedule else {}), **lane.lane.optimizer.options, **values}


def _optimizer(lane: LaneState) -> str:
    return lane.lane.optimizer.name or lane.optimizer


def _within(text: Callable[[LaneState], str]) -> Callable[[str, LaneState, RaceState], bool]:
    return lambda value, lane, _: value in text(lane).lower()


def _descends(value: str, lane: LaneState, state: RaceState) -> bool:
    """True if the lane, or one of its ancestors, was forked from the lane of that letter."""
    while lane.parent is not None:
        lane = state.lanes[lane.parent]
        if _is_letter(value, lane):
            return True
    return False


KEYS: dict[str, Callable[[str, LaneState, RaceState], bool]] = {
    "name": _within(lambda lane: lane.lane.name),
    "letter": lambda value, lane, _: _is_letter(value, lane),
    "optimizer": _within(_optimizer),
    "schedule": _within(lambda lane: lane.lane.schedule.name if lane.lane.schedule else "none"),
    "status": lambda value, lane, _: lane.status.startswith(value),
    "verdict": lambda value, lane, state: verdict(lane, state).word.startswith(value),
    "parent": _descends,
}
"""Keys of `key:value` terms. The value is part of it (name, optimizer, schedule), its beginning
(status, verdict), or all of it (letter, parent)."""
