"""The marks of a lane's curve (alerts, spikes, rewinds, turns of the dial), with their signs and
words for screen, page and picture. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lrtui.core.numbers import rate
from lrtui.core.protocol.events import RateChanged
from lrtui.core.state.lane_state import LaneState
from lrtui.core.text import one_line

ALERT, SPIKE, HOTTER, COLDER, FORK, REWOUND, SNAPSHOT = "!", "^", "▲", "▼", "Y", "«", "▪"
LOST = "✗"
"""On a curve, where it stops being finite: that is seen in its values."""
MOST_SPIKES = 100
"""Most spikes that are marked, the newest ones, so that other marks stay visible."""


class Mark(NamedTuple):
    """Something that happened to a lane."""

    step: int
    sign: str
    what: str
    """In words, before "at step 7": "spike", "rate ×1.78"."""
    more: str = ""
    """A sentence with more detail; '' without any."""

    @property
    def sentence(self) -> str:
        """All that is known of it: "rate 0.2 from step 5 on"."""
        return self.more or f"{self.what} at step {self.step}"


def lane_marks(lane: LaneState, forks: Iterable[LaneState]) -> list[Mark]:
    """All of a lane's marks but those on its curve (LOST), what matters least first; `forks`: the
    lanes that left it."""
    return [
        *(
            Mark(step, SNAPSHOT, "snapshot")
            for step in (lane.snapshots.kept if lane.snapshots else ())
        ),
        *(Mark(first, REWOUND, "rewound to here") for first, _ in lane.abandoned),
        *(
            Mark(
                fork.forked_at,
                FORK,
                "fork",
                f"{fork.lane.called} was forked from it at step {fork.forked_at}",
            )
            for fork in forks
        ),
        *(Mark(step, SPIKE, "spike") for step in lane.losses.spikes[-MOST_SPIKES:]),
        *(
            Mark(
                turn.step,
                sign,
                f"rate ×{turn.factor:.3g}",
                f"rate {rate(turn.rate)} from step {turn.step} on",
            )
            for turn, sign in turns(lane)
        ),
        *(
            Mark(one.step, ALERT, one.kind, one_line(one.text))
            for one in lane.alerts
            if one.kind != "nan"
        ),
    ]


def turns(lane: LaneState) -> list[tuple[RateChanged, str]]:
    """Turns of the lane's dial, each with the sign for up or down."""
    found, before = [], lane.rates.factor_at(-1)
    for change in lane.rates.changes:
        if change.factor != before:
            found.append((change, HOTTER if change.factor > before else COLDER))
        before = change.factor
    return found
