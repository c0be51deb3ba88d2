"""What an interrupt does to a race that is told in lines, at whichever moment it comes."""

from __future__ import annotations

import pytest

from lrtui.cli import fronts
from lrtui.core.commands import Stop
from lrtui.core.events import Ended, Rewound
from lrtui.follow import Follower
from lrtui.store.writer import Writer

from .tui.fake_run import BEGAN, commands, make_run, say


@pytest.fixture
def half_taken_up(tmp_path):
    """An interrupted race of three lanes, of which a new crew (this process) has taken up the first so far."""
    run = make_run(tmp_path, ("steady", "steady", "paints"), done=60, live=True)
    say(run, *[Ended(lane=lane, at=BEGAN + 9, step=60, reason="interrupted") for lane in range(3)])
    say(run, Rewound(lane=0, at=BEGAN + 10, step=60, why="resumed"))
    return run


def answered(run):
    """Has each command that waits answered, as a crew would."""
    writer = Writer(run, "test")
    writer.acknowledge([(number, "stopped") for number, _ in writer.pending(0)])
    writer.close()


def test_lanes_whose_new_beginning_is_not_on_record_yet_are_stopped_too(half_taken_up, monkeypatch):
    follower = Follower(half_taken_up)
    follower.catch_up()
    monkeypatch.setattr(fronts.time, "sleep", lambda _: answered(half_taken_up))
    fronts._stop_all(follower, for_good=False, resumed=True)
    assert commands(half_taken_up) == []  # all are answered
    assert len(follower.results([1, 2, 3])) == 3
    follower.close()


def test_lanes_that_have_ended_are_let_be_where_nothing_is_taken_up(half_taken_up, monkeypatch):
    follower = Follower(half_taken_up)
    follower.catch_up()
    sent = []
    monkeypatch.setattr(follower, "send", lambda wanted: sent.extend(wanted) or [])
    fronts._stop_all(follower, for_good=True, resumed=False)
    assert sent == [Stop(lane=0, for_good=True)]
    follower.close()


def test_an_interrupt_while_it_is_taken_up_is_not_waited_out(half_taken_up):
    looks = iter([False, True])
    say(half_taken_up, Ended(lane=0, at=BEGAN + 11, step=60, reason="interrupted"))
    fronts._until_taken_up(half_taken_up, lambda: next(looks))
    assert next(looks, None) is None
