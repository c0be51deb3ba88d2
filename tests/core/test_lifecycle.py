"""The life of a lane: its status, what undoes an end, and what comes too late to count."""

import pytest

from lrtui.core.protocol.events import (
    Ended,
    EndReason,
    LogMessage,
    RateChanged,
    Rewound,
    Snapshotted,
    Started,
    Status,
    StatusChanged,
)
from lrtui.core.state.lifecycle import Lifecycle
from lrtui.core.state.status import FAILED, RESUMABLE, STATUSES, UNRANKED


def started(role=""):
    return Started(
        lane=0,
        device="cpu",
        steps_per_epoch=10,
        total_steps=100,
        parameters=3,
        init_checksum="a",
        batch_checksum="b",
        intra_op_threads=1,
        validated=False,
        role=role,
    )


def status(word):
    return StatusChanged(lane=0, step=5, status=word)


def ended(reason="finished"):
    return Ended(lane=0, step=9, reason=reason)


def rewound(why):
    return Rewound(lane=0, step=3, why=why)


SNAPSHOT = Snapshotted(lane=0, step=3, tag="ring", size=1, kept=[3], total=1)
TURN = RateChanged(lane=0, step=4, factor=2.0, rate=0.2)


def life(*events):
    found = Lifecycle()
    counted = [found.apply(event) for event in events]
    return found, counted


def test_every_status_and_reason_is_a_status_of_a_lane():
    assert {*Status.__args__, *EndReason.__args__} == set(STATUSES)
    assert set(FAILED) < set(UNRANKED) < set(STATUSES)
    assert set(RESUMABLE) < set(EndReason.__args__)


def test_a_lane_waits_runs_pauses_and_ends():
    found = Lifecycle()
    seen = [found.status]
    for event in (started(), status("paused"), status("running"), ended("stopped")):
        found.apply(event)
        seen.append(found.status)
    assert seen == ["waiting", "running", "paused", "running", "stopped"]
    assert found.over


def test_after_an_end_only_rewinds_snapshots_and_log_messages_count():
    late = [status("running"), TURN, started(), SNAPSHOT, LogMessage(lane=0, text="x")]
    found, counted = life(started(), ended(), *late)
    assert counted == [True, True, False, False, False, True, True]
    assert found.status == "finished"


@pytest.mark.parametrize("why", ["rewound", "restarted", "recovered", "resumed"])
def test_a_rewind_undoes_an_end(why):
    found, counted = life(started(), ended(), rewound(why), TURN)
    assert (found.status, found.over, counted[-1]) == ("running", False, True)


def test_pause_survives_a_lost_process_but_not_a_rewind():
    for why, paused in (("recovered", True), ("resumed", True), ("rewound", False)):
        found, _ = life(started(), status("paused"), rewound(why), started())
        assert (found.paused, found.status) == (paused, "running")


def test_a_presumed_end_is_undone_by_whatever_the_record_says_later():
    for event, over in ((LogMessage(lane=0, text="x"), True), (TURN, False), (ended(), True)):
        found, _ = life(started(), ended("interrupted"))
        found.end_presumed = True
        assert found.apply(event)
        assert found.over == over
    assert (found.status, found.end_presumed) == ("finished", False)


def test_the_processes_of_a_lane_are_kept_in_their_order():
    found, _ = life(started("trainer 0"), started("trainer 0"), started("trainer 2"), started())
    assert found.process_roles == ["trainer 0", "trainer 2"]
