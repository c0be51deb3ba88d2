"""The batch size of a race, which a task may decide with its own DataLoader."""

from __future__ import annotations

from collections.abc import Sequence

from lrtui.core.scenario.spec import Race
from lrtui.core.state.lane_state import LaneState


def batch_size(lanes: Sequence[LaneState], race: Race) -> int | None:
    """Samples of a batch, as the lanes say it once they have started; None where it varies or is
    not known."""
    sizes = (lane.started.batch_size for lane in lanes if lane.started)
    return next((size for size in sizes if size is not None), race.batch_size) or None


def batch_words(lanes: Sequence[LaneState], race: Race) -> str:
    """The same in words."""
    size = batch_size(lanes, race)
    dropped = ", last one dropped" if race.drop_last and size == race.batch_size else ""
    return f"batch {size}{dropped}" if size else "batches of their own size"
