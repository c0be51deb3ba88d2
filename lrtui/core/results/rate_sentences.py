"""The rate chart in words: best rate, the rates near it, lost ones, and the edge. Pure.

They say all that the chart shows, for who does not see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lrtui.core.numbers import loss, rate
from lrtui.core.results.next_rate import advice
from lrtui.core.results.rate_chart import NEAR, RateChart, RateLine
from lrtui.core.results.widen import Widening, widening
from lrtui.core.state.race_state import RaceState

MOST = 6
"""Lines that are told of one by one, the best ones."""
LISTED = 4
"""Rates that are listed one by one."""


def rate_sentences(chart: RateChart, state: RaceState) -> list[str]:
    """One or two sentences about each line, the best first; why there is no chart where there is
    none."""
    rates = chart.rates
    if not rates:
        return ["No learning rate is known: there is no chart of outcomes against rates."]
    if len(rates) == 1:
        return [
            f"One learning rate was raced, {rate(rates[0])}: a chart of outcomes against rates"
            " needs two."
        ]
    lines = chart.ranked
    more = len(lines) - MOST
    found = [_line(line, chart, state) for line in lines[:MOST]]
    return [*found, f"{more} more lines are in the chart."] if more > 0 else found


def line_name(line: RateLine, chart: RateChart) -> str:
    """The name of a line before what is said about it; "" of the only one."""
    return f"{line.name}: " if len(chart.lines) > 1 else ""


def widening_words(one: Widening) -> str:
    """The further rates, and those that race again beside them."""
    return f"{listed(one.rates)} beside {listed(one.beside)}"


def refusal(chart: RateChart, state: RaceState) -> str:
    """Why there is nothing to widen."""
    if not chart.drawable:
        return "there is nothing to widen: " + _lower(rate_sentences(chart, state)[0])
    best = chart.best
    if best is None:
        return "there is nothing to widen: no loss stayed finite, whatever the rate"
    line, point = best
    return f"there is nothing to widen: {_bracketed(line, point.rate, state)}"


def listed(rates: Sequence[float]) -> str:
    """Rates in a row: "0.1, 0.3 and 1"; of many the first and the last."""
    words = [rate(value, 3) for value in rates]
    if len(words) > LISTED:
        return f"{len(words)} rates from {words[0]} to {words[-1]}"
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _line(line: RateLine, chart: RateChart, state: RaceState) -> str:
    parts = [_best(line, chart), *_lost(line), *_aside(line)]
    said = f"{line_name(line, chart)}{'; '.join(filter(None, parts))}."
    said = said if len(chart.lines) > 1 else said[:1].upper() + said[1:]
    return " ".join(filter(None, [said, _edge(line, chart, state)]))


def _best(line: RateLine, chart: RateChart) -> str:
    if line.best is None:
        return "" if any(point.lost for point in line.points) else "no outcome yet"
    best, (low, high) = line.best, line.near
    far = "" if chart.over else " so far"
    spread = (
        f" ({len(best.lanes)} lanes, {loss(best.low)} to {loss(best.high)})"
        if len(best.lanes) > 1
        else ""
    )
    near = f"{rate(low, 3)} to {rate(high, 3)} are" if low < high else "no other rate raced is"
    return (
        f"the best rate{far} is {rate(best.rate)} ({best.letter}), {chart.outcome_words}"
        f" {loss(best.value)}{spread}; {near} within {NEAR:.0%} of it"
    )


def _lost(line: RateLine) -> Iterator[str]:
    lost = [point for point in line.points if point.lost]
    if not lost:
        return
    rates = listed([point.rate for point in lost])
    partly = ", ".join(
        f"{rate(point.rate, 3)} with {point.lost} of {len(point.lanes)} lanes"
        for point in lost
        if point.lost < len(point.lanes)
    )
    every = len(lost) == len(line.points)
    words = f"all went NaN or diverged: {rates}" if every else f"{rates} went NaN or diverged"
    yield words + (f" ({partly})" if partly else "")


def _aside(line: RateLine) -> Iterator[str]:
    if line.aside:
        letters = ", ".join(lane.lane.letter for lane in line.aside[:LISTED])
        more = ", ..." if len(line.aside) > LISTED else ""
        yield f"not compared, since they came to their rate late: {letters}{more}"


def _edge(line: RateLine, chart: RateChart, state: RaceState) -> str:
    """Where to go on, if the best rate is at the edge of those raced or the next one beyond it."""
    if found := widening(line, state):
        if line.best is None:
            why = "Lower rates are still to be raced"
        elif line.edge:
            why = f"The best is at the edge, it is the {line.edge} rate raced"
        else:
            why = "The rate to try next lies beyond those raced"
        return f"{why}: widen to {listed(found.rates)}."
    if line.edge and line.best:
        why = _advice(line, state)
        return f"It is the {line.edge} rate raced" + (f", but {why}." if why else ".")
    return ""


def _bracketed(line: RateLine, best: float, state: RaceState) -> str:
    """Why no rate beyond those raced of a line is the next one to try."""
    if line.edge and (why := _advice(line, state)):
        return why
    if sum(point.known for point in line.points) < 2:
        return "no other rate of the best line has an outcome"
    return f"worse rates than the best, {rate(best)}, lie on both sides of it"


def _advice(line: RateLine, state: RaceState) -> str:
    """The advice on the best lane of a line, as a clause."""
    words = advice(line.best.lanes[0], state).words if line.best else ""
    return _lower(words.removeprefix("Next: ").replace("the winner's", "its")).rstrip(".")


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]
