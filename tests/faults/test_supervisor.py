"""A supervisor that is killed, told to end, or ended with its race from the command line: the race
can be taken up, as if nothing had happened."""

import os
import signal

import pytest

from lrtui.store import snapshots

from .harness import LANES, Contest, Front, Record, chance, kill, write_scenario

pytestmark = pytest.mark.xdist_group("faults")


def test_trainers_of_a_killed_supervisor_leave_sound_snapshots(tmp_path):
    """They save themselves, and the race is resumed from what they saved."""
    luck, runs = chance("crew"), tmp_path / "runs"
    asked = ["race", str(write_scenario(tmp_path, epochs=130)), "--plain", "--trainers", "3"]
    with Front(*asked, runs=runs, within=tmp_path) as front, Contest.of(runs) as contest:
        contest.goes_on(by=luck.randrange(150, 250))
        kill(contest.supervisor())
        code = front.leaves()
        contest.sees_nobody()
        record = Record(contest.run)
        assert record.ends == ["interrupted"] * LANES
        record.assert_undisturbed()
        for index in range(LANES):
            assert newest(contest.run, index).step == len(record.lanes[index].columns["loss"])
        damage(contest.run, luck)
        with Front("resume", contest.run.name, "--json", runs=runs, within=tmp_path) as again:
            assert again.leaves() == 0, again.complaints
            again.says('"event": "rewound"', '"why": "resumed"', '"event": "result"')
        after = contest.sees_the_end()
    after.assert_whole()
    assert sum("damaged" in note for note in after.notes) == 3  # two of lane A, one of lane B
    back = [lane.returns[-1].step for lane in after.lanes]
    done = [len(lane.columns["loss"]) for lane in record.lanes]
    # a lane that was interrupted at an epoch's end tells its last step again, when its next rate is
    # known
    assert [steps - step > 1 for step, steps in zip(back, done, strict=True)] == [
        True,
        True,
        False,
        False,
    ]
    front.says("the supervisor", f"lrtui resume {contest.run.name}")
    assert code in (1, 130)  # no success: the race is not over


def test_terminated_race_is_saved_and_hangup_does_not_end_it(tmp_path):
    luck, runs = chance("signals"), tmp_path / "runs"
    with (
        Front(
            "race", str(write_scenario(tmp_path, epochs=6000)), "--json", runs=runs, within=tmp_path
        ) as front,
        Contest.of(runs) as contest,
    ):
        contest.goes_on(by=luck.randrange(5, 30))
        front.process.send_signal(signal.SIGHUP)
        front.leaves()
        contest.goes_on(by=luck.randrange(5, 30))
        kill(contest.supervisor(), luck.choice([signal.SIGTERM, signal.SIGINT]))
        assert_saved(contest)
        for number in luck.sample([signal.SIGINT, signal.SIGTERM], 2):
            with Front(
                "resume",
                contest.run.name,
                luck.choice(["--plain", "--json"]),
                runs=runs,
                within=tmp_path,
            ) as front:
                goes_on_again(contest, luck)
                front.process.send_signal(number)
                assert front.leaves() == 130
                front.says("interrupted")
            assert_saved(contest)
        contest.resume()
        goes_on_again(contest, luck)
        kill(contest.supervisor(), signal.SIGTERM)
        record = assert_saved(contest)
    assert [[event.why for event in lane.returns] for lane in record.lanes] == [
        ["resumed"] * 3
    ] * LANES


def test_a_machine_that_is_shut_down_tells_everybody_at_once(tmp_path):
    luck = chance("shutdown")
    with Contest.start(tmp_path, trainers=3, epochs=6000) as contest:
        contest.goes_on(by=luck.randrange(5, 60))
        for process in contest.at_work():
            process.send_signal(signal.SIGTERM)
        assert_saved(contest)


def goes_on_again(contest, luck):
    """Sees that a race was taken up."""
    contest.sees(lambda: not contest.follower.state.over, "the race to be taken up")
    contest.goes_on(by=luck.randrange(3, 30))


def assert_saved(contest):
    """All lanes were interrupted, each with a snapshot of its last step; nobody is left."""
    record = contest.sees_the_end()
    assert record.ends == ["interrupted"] * LANES, [lane.end for lane in record.lanes]
    record.assert_undisturbed()
    for index, lane in enumerate(record.lanes):
        assert newest(contest.run, index).step == len(lane.columns["loss"])
    return record


def newest(run, index):
    return snapshots.listing(run, "ABCD"[index])[-1]


def damage(run, luck):
    """The two newest snapshots of lane A lose a byte's worth of truth, the newest one of lane B its
    end."""
    for kept in snapshots.listing(run, "A")[-2:]:
        content = bytearray(kept.path.read_bytes())
        content[luck.randrange(len(content) // 2, len(content))] ^= 1 << luck.randrange(8)
        kept.path.write_bytes(content)
    kept = newest(run, 1)
    os.truncate(kept.path, luck.randrange(kept.size // 2, kept.size))
