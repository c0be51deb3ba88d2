"""The batch size of a race, which a task may decide with its own DataLoader."""

from __future__ import annotations

from collections.abc import Sequence

from lrtui.core.scenario.spec import Race
from lrtui.core.state.lane_state import LaneState


def batch_size(lanes: Sequence[LaneState], race: Race) -> int | None:
    """Samples of a batch, as the lanes say it once they have started; None where it varies or is
    not known."""
    sizes = _sizes(lanes)
    asked = 0 if race.script else race.batch_size
    return (sizes[0] if len(sizes) == 1 else 0 if sizes else asked) or None


def _sizes(lanes: Sequence[LaneState]) -> list[int]:
    """What lanes say of it, each size once; those of several runs may differ."""
    known = (lane.started.batch_size for lane in lanes if lane.started)
    return sorted({size for size in known if size is not None})


def step_samples(lane: LaneState, race: Race) -> int:
    """Samples of a step, which may be made of several batches; batches where their size varies."""
    return (batch_size([lane], race) or 1) * lane.lane.recipe.accumulate


def batch_words(lanes: Sequence[LaneState], race: Race) -> str:
    """The same in words, with the size of a step where all lanes make it of as many batches:
    "batch 64 (16 × 4)"; '' of a script, whose batches nobody knows."""
    size = batch_size(lanes, race)
    if len(several := _sizes(lanes)) > 1:
        return f"batches of {' or '.join(map(str, several))}"
    if not size:
        return "" if race.script else "batches of their own size"
    dropped = ", last one dropped" if race.drop_last and size == race.batch_size else ""
    counts = {lane.recipe.accumulate for lane in [each.lane for each in lanes] or race.lanes}
    count = counts.pop() if len(counts) == 1 else 1
    return f"batch {f'{size * count} ({size} × {count})' if count > 1 else size}{dropped}"
