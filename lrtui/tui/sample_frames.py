"""Chooses the filmstrip's pictures: of each lane the sample at a step, and the best one until then.
Pure; reads no store."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import NamedTuple

from lrtui.core.state.race_state import LaneState, RaceState
from lrtui.store.record_index import SampleIndex, SampleRef


class Card(NamedTuple):
    """One lane in the filmstrip."""

    lane: int
    now: SampleRef | None
    """The newest at the step or before; None if there is none."""
    best: SampleRef | None
    """Of those until `now`, the one whose epoch had the lowest loss; None if no epoch's loss is
    known."""
    value: float
    """That loss: of validation if known, else the epoch's mean; NaN without `best`."""


class Film(NamedTuple):
    """The content of the filmstrip."""

    step: int | None
    """Steps done by then; None without samples."""
    place: int
    """Number of the step among all steps with samples, counted from 1."""
    total: int
    newest: bool
    """True if it follows the newest sample."""
    cards: tuple[Card, ...]


def film(state: RaceState, pictures: SampleIndex, shown: list[int], step: int | None) -> Film:
    """The lanes `shown` after `step` steps, or at the newest step that all living ones among them
    have drawn (None)."""
    steps = pictures.steps(shown)
    if not steps:
        return Film(None, 0, 0, True, tuple(Card(lane, None, None, math.nan) for lane in shown))
    at = newest(state, pictures, shown) if step is None else step
    place = min(bisect_left(steps, at), len(steps) - 1)
    at = steps[place] if steps[place] <= at or not place else steps[place - 1]
    cards = tuple(_card(state.lanes[lane], pictures, at) for lane in shown)
    return Film(at, steps.index(at) + 1, len(steps), step is None, cards)


def newest(state: RaceState, pictures: SampleIndex, shown: list[int]) -> int:
    """The newest step at which every lane has drawn that is still racing; where none is, the newest
    of all; 0 without any."""
    last = {lane: pictures.of(lane)[-1].step for lane in shown if pictures.of(lane)}
    racing = [step for lane, step in last.items() if state.lanes[lane].status == "running"]
    return min(racing, default=max(last.values(), default=0))


def beside(
    state: RaceState, pictures: SampleIndex, shown: list[int], step: int | None, by: int
) -> int | None:
    """The step `by` samples before (below 0) or after `step`; None from the newest on: the
    filmstrip then follows it."""
    steps = pictures.steps(shown)
    if not steps:
        return None
    last = newest(state, pictures, shown)
    place = bisect_left(steps, last if step is None else step) + by
    found = steps[min(max(place, 0), len(steps) - 1)]
    return None if by > 0 and (found >= last or place >= len(steps)) else found


def _card(lane: LaneState, pictures: SampleIndex, step: int) -> Card:
    now = pictures.at(lane.index, step)
    if now is None:
        return Card(lane.index, None, None, math.nan)
    epochs = lane.evaluations
    losses = dict(zip(epochs.steps.tolist(), epochs.losses.tolist(), strict=True))
    losses |= dict(zip(*(part.tolist() for part in epochs.metric("val_loss")), strict=True))
    drawn = [
        (losses[picture.step], picture)
        for picture in pictures.of(lane.index)
        if picture.step <= step and math.isfinite(losses.get(picture.step, math.nan))
    ]
    value, best = min(drawn, default=(math.nan, None), key=lambda found: found[0])
    return Card(lane.index, now, best, value)
