"""Following a run whose supervisor is gone, and one that hands were laid on. What is recorded
outweighs a guess."""

import io
import json

import msgspec
import pytest

from lrtui.client import follower
from lrtui.client.follower import LAST_WORDS_S, Follower
from lrtui.core.protocol.events import (
    Ended,
    LaneAdded,
    LogMessage,
    RateChanged,
    Rewound,
    Snapshotted,
    StatusChanged,
)
from lrtui.plain import play
from lrtui.plain.json_lines import JsonLines
from lrtui.plain.text_lines import PlainLines
from lrtui.store import run_dir
from lrtui.store.reader import summary
from lrtui.store.run_dir import SUPERVISOR_LOG, SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run
from support.fake_run import block, gone, make_race, make_run, say, started
from support.fake_script import curve, make_script_race, script_started, script_steps


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Two lanes at step 60, and a supervisor that has died."""
    monkeypatch.setattr(follower, "LOOK_S", -1.0)
    made = make_run(tmp_path, ("steady", "diverges"), done=60, over=False)
    gone(made, SUPERVISOR_ROLE)
    (made / SUPERVISOR_LOG).write_text("first\n\x1b[31mSegmentation fault\n")
    return made


class TestASupervisorThatIsGone:
    def test_its_lanes_count_as_interrupted_and_the_way_back_is_named(self, run):
        follower = Follower(run)
        follower.poll(10.0)
        assert follower.state.over
        for lane in follower.state.lanes:
            assert (lane.status, lane.lifecycle.end_presumed) == ("interrupted", True)
            first, *log, last = lane.ended.error.splitlines()
            assert (first, log[0]) == ("the supervisor died", "first")
            assert last == f"go on from the last snapshots with: lrtui resume {run.name}"
        assert (
            follower.trouble
            == f"the supervisor died: lrtui resume {run.name} goes on; see crew.log"
        )
        assert [lane.index for lane in follower.resumable()] == [0, 1]

    @pytest.mark.parametrize(
        "end",
        [
            {"error": "the supervisor is gone", "cause": "supervisor_gone"},
            {"error": "", "cause": "supervisor_gone"},
            {"error": "the supervisor is gone"},  # versions before the cause
            {"error": "the crew is gone"},
        ],
    )
    def test_supervisor_log_is_added_once_after_trainers_recorded_the_ends(self, run, end):
        say(run, *(Ended(lane=lane, step=60, reason="interrupted", **end) for lane in (0, 1)))
        follower = Follower(run)
        words = [event.text for event in follower.poll(10.0) if isinstance(event, LogMessage)]
        assert words[:2] == ["the supervisor died", "first"]
        assert "Segmentation fault" in words[2]
        assert "\x1b" not in words[2]
        assert words[-1] == f"go on from the last snapshots with: lrtui resume {run.name}"
        assert "lrtui resume" in follower.trouble
        assert follower.poll(10.0) == []

    def test_while_a_trainer_lives_no_end_is_made_up(self, run):
        trainer = Writer(run, "trainer 0")
        trainer.beat()
        follower = Follower(run)
        follower.poll(10.0)
        assert not follower.state.over
        assert "supervisor died" in follower.trouble
        say(
            run,
            Ended(lane=0, step=60, reason="interrupted"),
            Ended(lane=1, step=60, reason="interrupted"),
        )
        follower.poll(10.0)
        assert [
            (lane.lifecycle.end_presumed, lane.ended.error) for lane in follower.state.lanes
        ] == [(False, "")] * 2

    def test_but_not_for_ever(self, run):
        Writer(run, "trainer 0").beat()
        follower = Follower(run)
        follower.poll(10.0)
        follower._gone_since -= LAST_WORDS_S
        follower.poll(10.0)
        assert follower.state.over

    def test_what_is_recorded_later_counts_more(self, run):
        follower = Follower(run)
        follower.poll(10.0)
        say(run, block(0, "steady", 60, 70), Ended(lane=0, step=70, reason="interrupted"))
        follower.poll(10.0)
        assert [(lane.steps, lane.lifecycle.end_presumed) for lane in follower.state.lanes] == [
            (70, False),
            (60, True),
        ]

    def test_a_run_that_is_taken_up_again_goes_on_before_the_eyes(self, run):
        follower = Follower(run)
        follower.poll(10.0)
        Writer(run, SUPERVISOR_ROLE).beat()
        say(run, Rewound(lane=0, step=50, why="resumed"), block(0, "steady", 50, 55))
        follower.poll(10.0)
        assert (
            follower.state.lanes[0].status,
            follower.state.lanes[0].steps,
            follower.trouble,
        ) == ("running", 55, "")
        assert not follower.supervisor_gone


class TestAScriptThatWatchesItself:
    @pytest.fixture
    def run(self, tmp_path, monkeypatch):
        """A run of `lrtui.watch`, at step 60: it has no supervisor."""
        monkeypatch.setattr(follower, "LOOK_S", -1.0)
        race = make_script_race((0.0,), supervised=False)
        made = create_run(tmp_path, msgspec.structs.replace(race, folder=str(tmp_path)))
        say(made, script_started(), script_steps(curve(0, 60)))
        return made

    def test_it_runs_while_its_process_does(self, run):
        Writer(run, "trainer 0").beat()
        follower = Follower(run)
        follower.poll(10.0)
        assert (follower.state.lanes[0].status, follower.trouble) == ("running", "")
        assert not follower.supervisor_gone
        assert summary(run).state == "running"

    def test_script_that_died_is_told_as_such_and_nothing_resumes_it(self, run, monkeypatch):
        gone(run, "trainer 0")
        monkeypatch.chdir(run.parent)
        follower = Follower(run)
        follower.poll(10.0)
        (lane,) = follower.state.lanes
        assert lane.status == "interrupted"
        assert lane.ended.error.splitlines() == [
            "the script died",
            "start it again with: python train.py",
        ]
        assert follower.trouble == "the script died"
        assert follower.supervisor_gone
        assert follower.resumable() == []
        assert summary(run).state == "cut off"
        assert not summary(run).resumable

    def test_script_that_has_ended_in_order_did_not_die(self, run):
        gone(run, "trainer 0")
        say(run, Ended(lane=0, step=60, reason="finished"))
        follower = Follower(run)
        follower.poll(10.0)
        assert (follower.state.lanes[0].status, follower.trouble) == ("finished", "")
        assert summary(run).state == "ended"

    def test_before_the_first_sign_of_its_process_nothing_is_presumed(self, run):
        follower = Follower(run)
        follower.poll(10.0)
        assert (follower.state.over, follower.trouble) == (False, "")


CHILD = make_race(("steady", "rests", "paints")).lanes[2]
HANDS_ON = [
    RateChanged(lane=0, at=1.0, step=60, factor=0.5, rate=0.05),
    RateChanged(lane=1, at=1.0, step=60, factor=1.0, rate=0.01),
    Snapshotted(lane=0, at=1.0, step=60, tag="ring", size=1, kept=[60], total=1),
    Snapshotted(lane=0, at=1.0, step=60, tag="fork", size=2_500_000, kept=[60], total=1),
    LaneAdded(lane=2, at=1.0, child=CHILD, parent=0, step=60),
    started(2),
    StatusChanged(lane=2, at=1.0, step=60, status="paused"),
    Rewound(lane=1, at=1.0, step=40, why="rewound"),
    *(Ended(lane=lane, at=2.0, step=60, reason="interrupted") for lane in range(3)),
]


class TestLines:
    @pytest.fixture
    def handled(self, tmp_path):
        run = make_run(tmp_path, ("steady", "diverges"), done=60, over=False)
        say(run, *HANDS_ON)
        return run

    def test_people_are_told_what_hands_did(self, handled):
        out = io.StringIO()
        play(Follower(handled), PlainLines(out))
        lines = out.getvalue().splitlines()
        for line in (
            "A steady: rate 0.05 from step 60 on, 0.5 times the schedule's",
            "A steady: snapshot (fork) at step 60, 2.5 MB",
            "C paints: forked from A at step 60: Adam, rate 0.001",
            "C paints: paused",
            "B diverges: rewound to step 40",
            "C paints: interrupted after 60 steps, last loss –",
            "The race was interrupted, and can be resumed.",
        ):
            assert line in lines
        assert not any("ring" in line for line in lines)
        # it was told only to be sure
        assert not any(line.startswith("B diverges: rate") for line in lines)

    def test_programs_too(self, handled):
        out = io.StringIO()
        follower = Follower(handled)
        play(follower, JsonLines(follower, out))
        lines = [json.loads(line) for line in out.getvalue().splitlines()]
        assert {"event": "rate", "lane": "A", "step": 60, "factor": 0.5, "lr": 0.05} in lines
        assert {
            "event": "snapshot",
            "lane": "A",
            "step": 60,
            "tag": "fork",
            "bytes": 2_500_000,
        } in lines
        assert {
            "event": "joined",
            "lane": "C",
            "name": "paints",
            "optimizer": "Adam",
            "lr": 0.001,
            "schedule": None,
            "recipe": {},
            "step": 60,
            "parent": "A",
        } in lines
        assert {"event": "rewound", "lane": "B", "step": 40, "why": "rewound"} in lines
        assert [line["lane"] for line in lines if line["event"] == "start"] == ["C"]
        assert len([line for line in lines if line["event"] == "snapshot"]) == 1
        assert {lane["letter"]: lane["parent"] for lane in lines[-1]["lanes"]} == {
            "A": None,
            "B": None,
            "C": "A",
        }


def test_a_name_that_is_given_meanwhile_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(follower, "LOOK_S", -1.0)
    run = make_run(tmp_path, ("steady",))
    viewer = Follower(run)
    run_dir.relabel(run, name="base")
    viewer.poll()
    assert viewer.state.title == "base: A fake race"
    viewer.close()
