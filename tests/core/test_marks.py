"""What happened to a lane is one list, whoever draws it."""

from __future__ import annotations

from lrtui.core.charts.marks import MOST_SPIKES, lane_marks, turns
from lrtui.core.protocol.events import Alerted, LaneAdded, LossSpiked, Rewound, Snapshotted
from lrtui.core.state.race_state import RaceState, apply
from support.builders import fold, started, steps, turned


def raced(*events) -> RaceState:
    """A lane of a hundred steps, and what else happened to it."""
    return fold([started(), steps([1.0] * 100), *events])


def told(state: RaceState) -> list[tuple[int, str, str]]:
    found = lane_marks(state.lanes[0], [lane for lane in state.lanes if lane.parent == 0])
    return [(mark.step, mark.sign, mark.sentence) for mark in found]


def test_all_that_happened_is_marked_what_matters_least_first():
    state = raced(
        Alerted(lane=0, at=1.0, step=90, kind="diverged", text="[b]3 times[/b]\nits best"),
        turned(10, 2.0),
        LossSpiked(lane=0, steps=[50]),
        Snapshotted(lane=0, at=1.0, step=20, tag="ring", size=1, kept=[20], total=1),
        Rewound(lane=0, at=1.0, step=95, why="rewound"),
    )
    child = state.race.lanes[0]
    apply(state, LaneAdded(lane=len(state.lanes), at=1.0, child=child, parent=0, step=30))
    fork = state.lanes[-1].lane.called
    assert told(state) == [
        (20, "▪", "snapshot at step 20"),
        (95, "«", "rewound to here at step 95"),
        (30, "Y", f"{fork} was forked from it at step 30"),
        (50, "^", "spike at step 50"),
        (10, "▲", "rate 0.2 from step 10 on"),
        (90, "!", "[b]3 times[/b] its best"),
    ]


def test_a_lane_to_which_nothing_happened_has_no_marks():
    assert told(raced()) == []


def test_a_nan_is_marked_on_the_curve_and_not_twice():
    assert (
        told(raced(Alerted(lane=0, at=1.0, step=9, kind="nan", text="loss is NaN at step 9"))) == []
    )


def test_only_the_last_spikes_are_marked():
    state = raced(*(LossSpiked(lane=0, steps=[step]) for step in range(MOST_SPIKES + 3)))
    assert [step for step, *_ in told(state)] == list(range(3, MOST_SPIKES + 3))


def test_a_turn_of_the_dial_is_up_or_down_from_what_it_was_before():
    state = raced(turned(10, 2.0), turned(20, 3.0), turned(30, 1.0))
    assert [(turn.step, sign) for turn, sign in turns(state.lanes[0])] == [
        (10, "▲"),
        (20, "▲"),
        (30, "▼"),
    ]
