"""Trainers that are killed, crash, or stand still: the other lanes go on, and the lane's steps are
the same in the end."""

import pytest

from lrtui.core.protocol.commands import ScaleRate
from lrtui.core.protocol.events import Alerted

from .harness import LANES, Contest, chance, crash, ended, kill

pytestmark = pytest.mark.xdist_group("faults")


def test_a_lane_whose_process_is_lost_goes_on_from_its_last_snapshot_and_the_others_never_stop(
    tmp_path,
):
    luck = chance("trainers")
    with Contest.start(tmp_path, trainers=3, epochs=6000) as contest:
        contest.goes_on(by=luck.randrange(5, 40))
        assert contest.send(ScaleRate(lane=1, by=0.5))[0].text.startswith("rate ")
        contest.goes_on(1, by=luck.randrange(1, 40))
        victims = luck.sample(range(3), 2)
        for number in victims:
            trainer, before = contest.trainers()[number], len(lost(contest))
            kill(trainer)
            ended(trainer)
            contest.goes_on(*(lane for lane in range(LANES) if lane % 3 != number), by=3)
            sees_the_return(contest, before + (2 if number == 0 else 1))
            contest.goes_on(by=luck.randrange(5, 30))
        for how in ("segfault", "exit"):
            before = len(lost(contest))
            crash(tmp_path, how)
            sees_the_return(contest, before + 1)
            contest.goes_on(by=luck.randrange(5, 30))
        record = contest.ends_it()
    assert [len(turns) for turns in (lane.turns for lane in record.lanes)] == [0, 1, 0, 0]
    assert {event.why for lane in record.lanes for event in lane.returns} == {"recovered"}
    said = " ".join(event.text for event in lost(contest))
    for words in (
        "SIGKILL: by another process",
        "SIGSEGV: Segmentation fault in _crash (tasks.py:",
        "exit code 3",
        "restart 1 of 3",
    ):
        assert words in said


def test_nobody_is_declared_dead_who_only_stands_still(tmp_path, monkeypatch):
    monkeypatch.setattr("lrtui.store.reader.LATE_S", 2.0)
    luck = chance("frozen")
    with Contest.start(tmp_path, epochs=6000) as contest:
        contest.goes_on(by=luck.randrange(5, 40))
        supervisor, trainer = contest.supervisor(), luck.choice(list(contest.trainers().values()))
        for stop, go_on in (
            (contest.freeze, contest.thaw),
            (supervisor.suspend, supervisor.resume),
        ):
            stop()
            contest.sees(contest.follower.reader.trouble, "a beat that is late")
            assert contest.follower.reader.trouble() == "the record is late: training goes on"
            assert contest.ends == ["running"] * LANES
            go_on()
            contest.sees(lambda: not contest.follower.reader.trouble(), "beats again")
        trainer.suspend()
        contest.sees(lambda: contest.silence(trainer.pid) > 2, "a beat that is late")
        assert contest.ends == ["running"] * LANES
        trainer.resume()
        contest.ends_it()
    assert not lost(contest)


def sees_the_return(contest, count):
    """So many lanes were lost so far, and all of them are back."""

    def back():
        gone = lost(contest)
        return len(gone) >= count and all(
            contest.follower.state.lanes[event.lane].steps > 0 for event in gone
        )

    contest.sees(back, f"{count} lost lanes to come back")
    contest.goes_on()


def lost(contest):
    """What was said of processes that were lost."""
    return [event for event in contest.told if isinstance(event, Alerted) and event.kind == "lost"]
