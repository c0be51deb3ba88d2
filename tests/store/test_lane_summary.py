"""What a supervisor is told of a run that it takes up: from the few events that say it, however
long the run is."""

import random
import sqlite3

import msgspec
import pytest

from lrtui.core.errors import RunError, StoreUnavailable
from lrtui.core.protocol.events import Ended, LaneAdded, LogMessage, Started, StatusChanged, Steps
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store import lane_summary
from lrtui.store.lane_summary import LaneSummary, lane_summaries
from lrtui.store.reader import Reader, summary
from lrtui.store.run_dir import DATABASE, SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from support.builders import make_race, rewound, turned
from support.fake_run import say
from support.records import block, read_all


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path, make_race())


def started(lane=0, first=0, device="cpu", threads=2):
    return Started(
        lane=lane,
        device=device,
        steps_per_epoch=10,
        total_steps=1000,
        parameters=3,
        init_checksum="a",
        batch_checksum="b",
        intra_op_threads=threads,
        validated=False,
        first=first,
    )


def paused(step, status="paused", lane=0):
    return StatusChanged(lane=lane, step=step, status=status)


def first(run):
    return lane_summaries(run)[0]


class TestALane:
    def test_before_its_process_has_said_anything(self, run):
        race = make_race()
        assert lane_summaries(run) == [LaneSummary(0, race.lanes[0]), LaneSummary(1, race.lanes[1])]

    def test_while_it_runs(self, run):
        say(
            run,
            started(device="cuda:1", threads=3),
            block(0),
            block(10),
            block(0, 3, lane=1),
            LogMessage(lane=0, text="x"),
        )
        lane = first(run)
        assert (lane.steps, lane.device, lane.threads, lane.end, lane.paused, lane.restarts) == (
            20,
            "cuda:1",
            3,
            None,
            False,
            0,
        )

    @pytest.mark.parametrize(
        "reason", ["finished", "stopped", "nan", "error", "died", "interrupted"]
    )
    def test_when_it_has_ended(self, run, reason):
        say(run, started(), block(0), Ended(lane=0, step=10, reason=reason))
        assert (first(run).end, first(run).steps) == (reason, 10)

    def test_a_way_back_undoes_its_end_and_its_steps(self, run):
        say(
            run,
            started(),
            block(0),
            block(10),
            Ended(lane=0, step=20, reason="nan"),
            rewound(5, "rewound"),
        )
        assert (first(run).end, first(run).steps) == (None, 5)
        say(run, block(5, 3))
        assert first(run).steps == 8

    def test_pause_outlasts_its_process_until_a_resume_or_rewind(self, run):
        say(run, started(), block(0), paused(10))
        assert (first(run).paused, first(run).steps) == (True, 10)
        say(
            run,
            Ended(lane=0, step=10, reason="interrupted"),
            rewound(10, "resumed"),
            started(first=10),
        )
        assert first(run).paused
        say(run, rewound(5, "rewound"))
        assert not first(run).paused
        say(run, paused(5), paused(5, "running"))
        assert not first(run).paused

    def test_lost_processes_are_counted(self, run):
        say(
            run,
            started(),
            block(0),
            *(rewound(5, why) for why in ("recovered", "recovered", "resumed", "rewound")),
        )
        assert first(run).restarts == 2


class TestTurnsOfTheDial:
    def steps(self, run):
        return [(change.step, change.factor) for change in first(run).changes]

    def test_turns_after_the_snapshot_are_repeated_at_each_recovery(self, run):
        say(
            run,
            started(),
            turned(10, 0.5),
            block(0, 100),
            turned(90, 2.0),
            rewound(80, "recovered"),
            block(80, 5),
        )
        assert self.steps(run) == [(10, 0.5), (90, 2.0)]
        say(run, rewound(80, "recovered"), block(80, 20), turned(90, 2.0))
        assert self.steps(run) == [(10, 0.5), (90, 2.0)]

    def test_those_that_were_gone_back_on_are_not(self, run):
        say(
            run,
            started(),
            turned(10, 0.5),
            turned(90, 2.0),
            rewound(80, "rewound"),
            turned(80, 0.25),
        )
        assert self.steps(run) == [(10, 0.5), (80, 0.25)]

    def test_they_rise_by_step_and_stay_in_order_at_the_same_one(self, run):
        say(
            run,
            turned(10, 0.5),
            turned(10, 2.0),
            turned(90, 1.0),
            rewound(20, "recovered"),
            turned(20, 2.0),
        )
        assert self.steps(run) == [(10, 0.5), (10, 2.0), (90, 1.0)]

    def test_new_turn_replaces_later_turns_that_await_repetition(self, run):
        say(
            run,
            turned(10, 0.5),
            turned(90, 1.0),
            rewound(20, "recovered"),
            turned(20, 0.5),
            turned(30, 4.0),
        )
        assert self.steps(run) == [(10, 0.5), (30, 4.0)]


class TestLanesThatJoined:
    def test_they_stand_behind_the_others_with_their_parents(self, run):
        child = make_race(3).lanes[2]
        say(
            run,
            block(0),
            LaneAdded(lane=2, child=child, parent=0, step=7),
            LaneAdded(lane=3, child=child),
        )
        assert [
            (lane.index, lane.parent, lane.forked_at, lane.steps) for lane in lane_summaries(run)
        ] == [(0, -1, 0, 0), (1, -1, 0, 0), (2, 0, 7, 7), (3, -1, 0, 0)]
        say(run, started(2, first=7), block(7, 4, lane=2))
        assert lane_summaries(run)[2].steps == 11
        assert lane_summaries(run)[2].lane == child

    def test_a_list_of_runs_counts_them(self, run):
        writer = Writer(run, SUPERVISOR_ROLE)
        writer.append(
            [
                row(LaneAdded(lane=2, child=make_race(3).lanes[2], parent=0, step=7)),
                row(Ended(lane=0, step=1, reason="finished")),
                row(Ended(lane=1, step=1, reason="finished")),
            ]
        )
        assert (summary(run).lanes, summary(run).state) == (3, "cut off")
        writer.append([row(Ended(lane=2, step=9, reason="stopped"))])
        assert summary(run).state == "ended"


class TestAListOfRuns:
    def test_interrupted_run_is_resumable_once_its_supervisor_is_gone(self, run):
        supervisor = Writer(run, SUPERVISOR_ROLE)
        supervisor.beat()
        say(
            run,
            Ended(lane=0, step=1, reason="finished"),
            Ended(lane=1, step=1, reason="interrupted"),
        )
        assert summary(run).state == "running"  # its supervisor is about to leave
        supervisor._me = (supervisor._me[0], supervisor._me[1] - 5, supervisor._me[2])
        supervisor.beat()
        assert summary(run).state == "interrupted"
        assert [lane.end for lane in lane_summaries(run)] == ["finished", "interrupted"]
        say(run, rewound(0, "resumed", lane=1))
        assert summary(run).state == "cut off"
        assert [lane.end for lane in lane_summaries(run)] == ["finished", None]

    def test_the_first_of_two_ends_counts_here_too(self, run):
        say(
            run,
            Ended(lane=0, step=1, reason="finished"),
            Ended(lane=1, step=1, reason="finished"),
            Ended(lane=0, step=1, reason="interrupted"),  # a failed attempt to rewind it
        )
        assert summary(run).state == "ended"
        assert [lane.end for lane in lane_summaries(run)] == ["finished", "finished"]


def test_it_agrees_with_the_whole_history_whatever_happens(tmp_path):
    chance = random.Random(11)
    for number in range(25):
        run = create_run(tmp_path / str(number), make_race(1))
        writer, done = Writer(run, "trainer 0"), 0
        writer.append([row(started())])
        state = RaceState(make_race(1))
        for _ in range(30):
            kind = chance.choice(
                ["steps", "steps", "steps", "pause", "dial", "back", "lost", "end"]
            )
            match kind:
                case "steps":
                    events = [block(done, 5)]
                    done += 5
                case "pause":
                    events = [paused(done), paused(done, "running")]
                case "dial":
                    events = [turned(done, chance.choice([0.5, 2.0]))]
                case "back" | "lost":
                    done = chance.randrange(done + 1)
                    events = [rewound(done, "rewound" if kind == "back" else "recovered")]
                case _:
                    events = [Ended(lane=0, step=done, reason="stopped"), rewound(done, "rewound")]
            writer.append([row(event) for event in events])
        writer.close()
        for event in read_all(Reader(run)):
            apply(state, event)
        assert (first(run).steps, first(run).end is not None) == (
            state.lanes[0].steps,
            state.lanes[0].over,
        )


class TestCost:
    def test_of_the_blocks_only_the_last_one_of_a_lane_is_looked_at(self, run, monkeypatch):
        say(
            run,
            started(),
            started(1),
            *(block(start) for start in range(0, 5000, 10)),
            block(0, 10, lane=1),
        )
        decoded = []
        real = lane_summary.events.decode

        def decode(body):
            decoded.append(real(body))
            return decoded[-1]

        monkeypatch.setattr(lane_summary.events, "decode", decode)
        assert [lane.steps for lane in lane_summaries(run)] == [5000, 10]
        assert len([event for event in decoded if isinstance(event, Steps)]) == 2
        assert len(decoded) == 4

    @pytest.mark.parametrize("columns", ["id, body", "id, lane, kind", "lane, kind"])
    def test_the_events_that_say_where_lanes_stand_are_found_by_their_index(self, run, columns):
        say(run, *(block(start) for start in range(0, 500, 10)))
        with sqlite3.connect(run / DATABASE) as db:
            plan = db.execute(
                f"EXPLAIN QUERY PLAN SELECT {columns} FROM events WHERE {lane_summary.TURNS}"
            ).fetchall()
        assert "INDEX turns" in str(plan)

    def test_so_are_the_commands_that_wait(self, run):
        with sqlite3.connect(run / DATABASE) as db:
            query = "SELECT id, body FROM commands WHERE id > 0 AND result IS NULL ORDER BY id"
            plan = db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
        assert "INDEX pending" in str(plan)


class TestWhatCannotBeRead:
    def test_a_run_that_is_not_there(self, tmp_path):
        with pytest.raises(StoreUnavailable):
            lane_summaries(tmp_path / "nowhere")

    @pytest.mark.parametrize(
        "damage",
        [
            "DELETE FROM run",
            "UPDATE run SET race = x'ff'",
            "UPDATE events SET body = x'ff' WHERE kind = 'Started'",
        ],
    )
    def test_a_damaged_one(self, run, damage):
        say(run, started())
        with sqlite3.connect(run / DATABASE) as db:
            db.execute(damage)
        with pytest.raises(RunError, match="expected a run store made by lrtui"):
            lane_summaries(run)


def test_a_lane_is_a_plain_value(run):
    say(run, started(), turned(1, 0.5))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(first(run)), type=LaneSummary) == first(
        run
    )
