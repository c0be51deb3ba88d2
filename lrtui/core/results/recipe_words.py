"""A lane's recipe and what it has come to, in words. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lrtui.core.numbers import loss
from lrtui.core.protocol.column_names import AVERAGED, CLIPPED
from lrtui.core.results.batch_size import batch_words
from lrtui.core.scenario.spec import Race
from lrtui.core.state.race_state import LaneState


def recipe_words(lane: LaneState, race: Race) -> str:
    """The settings of a recipe that are not the defaults, and the batch of a step that is made of
    several; '' without any."""
    recipe = lane.lane.recipe
    batch = [batch_words([lane], race)] if recipe.accumulate > 1 else []
    return ", ".join(filter(None, [str(recipe), *batch]))


def update_words(lane: LaneState) -> str:
    """The share of clipped steps and the number of skipped ones: "clipped 37 %, skipped 3 steps";
    '' where neither is known of, or nothing was skipped."""
    own, updates, words = lane.steps - lane.forked_at, lane.updates, []
    if CLIPPED in lane.columns and own > 0:
        words.append(f"clipped {_per_cent(updates.clipped / own)}")
    if updates.skipped:
        words.append(f"skipped {updates.skipped} step{'' if updates.skipped == 1 else 's'}")
    return ", ".join(words)


def averaged_words(lane: LaneState) -> str:
    """The lower one of the last validation losses with raw and with averaged weights; '' of a lane
    that has not both."""
    metrics = lane.evaluations.last.metrics if lane.evaluations.last else {}
    raw, averaged = (metrics.get(name, math.nan) for name in ("val_loss", f"{AVERAGED}val_loss"))
    if not (lane.lane.recipe.ema and math.isfinite(raw) and math.isfinite(averaged)):
        return ""
    if raw == averaged:
        return f"its averaged weights have the same validation loss, {loss(raw)}"
    low, high = ("averaged", "raw") if averaged < raw else ("raw", "averaged")
    return (
        f"its {low} weights have the lower validation loss: {loss(min(raw, averaged))} beside"
        f" {loss(max(raw, averaged))} of the {high} ones"
    )


def beside_averaged(metrics: Iterable[str]) -> list[str]:
    """Names of metrics in their order, each before the one that was taken with averaged weights."""
    names = list(metrics)
    places = {name: place for place, name in enumerate(names)}
    return sorted(
        names,
        key=lambda name: (
            (places.get(name.removeprefix(AVERAGED), places[name]), places[name])
            if name.startswith(AVERAGED)
            else (places[name], -1)
        ),
    )


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 or not share else f"{100 * share:.1g} %"
