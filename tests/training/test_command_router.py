"""Routing of commands to trainers, and the pool of trainers, without any process."""

import signal

import msgspec
import pytest

from lrtui.core.errors import StoreUnavailable
from lrtui.core.protocol.command_result import LANE_ENDED, refused
from lrtui.core.protocol.commands import Add, Fork, Pause, Rewind
from lrtui.core.protocol.events import Ended
from lrtui.store.lane_summary import lane_summaries
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run
from lrtui.training import trainer_pool
from lrtui.training.command_router import STARTS, CommandRouter
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.trainer_pool import TrainerPool
from support.fake_run import say
from support.fake_trainers import FakeTrainers, result_of, send
from support.training import make_race

LANE = {"optimizer": "SGD", "lr": 0.01}


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path, make_race([LANE, LANE, LANE]))


@pytest.fixture
def trainers():
    return FakeTrainers(exitcode=None)


@pytest.fixture
def pool(run, trainers):
    pool = TrainerPool(run, make_race([LANE, LANE, LANE]), trainers)
    pool.devices = ["cpu", "cuda:0"]
    return pool


@pytest.fixture
def router(run, pool):
    writer = Writer(run, SUPERVISOR_ROLE)
    yield CommandRouter(writer, pool, pool.start_idle)
    writer.close()


def joining(run, name):
    return msgspec.structs.replace(make_race([LANE]).lanes[0], name=name)


class TestRouting:
    def test_a_command_to_a_lane_with_a_trainer_is_left_to_it(self, run, router, pool):
        pool.start([LaneAssignment(1, "cpu")])
        number = send(run, Pause(lane=1))
        assert router.route()
        assert result_of(run, number) is None

    @pytest.mark.parametrize(
        ("lane", "result"), [(0, LANE_ENDED), (7, refused("there is no such lane"))]
    )
    def test_without_a_trainer_it_is_refused(self, run, router, lane, result):
        number = send(run, Pause(lane=lane))
        assert router.route()
        assert result_of(run, number) == result

    def test_a_rewind_of_an_ended_lane_starts_an_idle_trainer_once(self, run, router, trainers):
        say(run, Ended(lane=1, step=5, reason="nan"))
        send(run, Rewind(lane=1))
        assert router.route()
        assert router.route()
        assert trainers.lanes == [[1]]
        (assignment,) = trainers.trainers[0].assignments
        assert (assignment.start, assignment.resume_reason) == ("idle", "rewound")

    def test_a_rewind_that_kills_each_trainer_fails_in_the_end(self, run, router, pool, trainers):
        trainers.exitcode = -9
        say(run, Ended(lane=1, step=5, reason="nan"))
        number = send(run, Rewind(lane=1))
        for _ in range(STARTS + 1):
            assert router.route()
            for gone in pool.exits():
                pool.remove(gone.number)
        assert trainers.lanes == [[1]] * STARTS
        result = result_of(run, number)
        assert (result.code, result.text) == ("failed", "its process was lost 4 times over it")


class TestJoining:
    def test_no_lane_joins_twice_if_the_record_fails_over_the_next_one(
        self, run, router, pool, trainers, monkeypatch
    ):
        for name in ("one", "two"):
            send(run, Add(lane=-1, child=joining(run, name)))
        real, flushes = Writer.flush, []

        def full(writer, rows, results=()):
            flushes.append(rows)
            if len(flushes) == 2:
                raise StoreUnavailable("full")
            real(writer, rows, results)

        monkeypatch.setattr(Writer, "flush", full)
        assert not router.route()
        assert router.route()
        assert [lane.name for lane in pool.race.lanes[3:]] == ["one", "two"]
        assert [one.lane.name for one in lane_summaries(run)[3:]] == ["one", "two"]
        assert trainers.lanes == [[3], [4]]
        assert [one.assignments[0].device for one in trainers.trainers] == ["cuda:0", "cpu"]

    def test_fork_waiting_for_its_parent_is_left_to_the_next_supervisor(self, run, router, pool):
        pool.start([LaneAssignment(0, "cpu")])
        number = send(run, Fork(lane=0, child=joining(run, "fork")))
        assert router.route()
        assert router.busy
        router.forget_pending()
        assert not router.busy
        assert result_of(run, number) is None


class TestPool:
    def test_lanes_are_dealt_to_at_most_so_many_trainers(self, pool, trainers):
        pool.share_out([LaneAssignment(lane, "cpu") for lane in range(3)], 2, threads=4)
        assert trainers.lanes == [[0, 2], [1]]
        assert [threads for *_, threads in trainers.started] == [4, 4]
        assert [number for number, *_ in trainers.started] == [0, 1]

    def test_exits_are_told_until_the_trainer_is_removed(self, pool, trainers):
        pool.start([LaneAssignment(0, "cpu"), LaneAssignment(2, "cpu")])
        assert pool.exits() == []
        trainers.trainers[0].exitcode = 1
        (gone,) = pool.exits()
        assert (gone.number, gone.code, gone.lanes) == (0, 1, {0, 2})
        assert pool.has_lane(2)
        pool.remove(0)
        assert not pool
        assert not pool.has_lane(2)

    def test_trainers_are_told_to_end_once_and_killed_when_overdue(
        self, pool, trainers, monkeypatch
    ):
        pool.start([LaneAssignment(0, "cpu")])
        pool.end()
        pool.end()
        assert trainers.trainers[0].signals == [signal.SIGTERM]
        assert not pool.overdue
        monkeypatch.setattr(trainer_pool, "SHUTDOWN_S", -1.0)
        pool.end()
        assert trainers.trainers[0].signals == [signal.SIGTERM, signal.SIGKILL]
