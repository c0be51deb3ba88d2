"""The command client without a screen: replies as they come, late ones, a supervisor started for
them."""

from typing import ClassVar

import pytest

from lrtui.client import commands as client_module
from lrtui.client.commands import CommandClient, next_rate
from lrtui.client.follower import Follower
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.command_result import done, refused
from lrtui.core.protocol.commands import Add, Fork, Pause, Rewind, ScaleRate, Stop, TakeSnapshot
from lrtui.core.protocol.script_refusals import refusal, run_again
from support.fake_run import commands, make_race, make_run, trainer, without_supervisor
from support.fake_script import make_script_race, make_script_run


class Launcher:
    """A launcher that starts nothing, or fails."""

    resumed: ClassVar[list] = []
    error: ClassVar[BaseException | None] = None

    def resume(self, run):
        self.resumed.append(run)
        if self.error:
            raise self.error

    def close(self):
        pass


@pytest.fixture
def launcher(monkeypatch):
    Launcher.resumed, Launcher.error = [], None
    monkeypatch.setattr("lrtui.client.launcher.Launcher", Launcher)
    return Launcher


@pytest.fixture
def live(tmp_path):
    return make_run(tmp_path, ("steady", "diverges"), done=60, live=True)


def client_of(run):
    follower = Follower(run)
    follower.catch_up()
    return CommandClient(follower)


def test_waiting_yields_each_reply_with_its_lane(live):
    client = client_of(live)
    with trainer(live, refused("the rate changes nothing")):
        client.send([ScaleRate(lane=lane, by=2.0) for lane in (0, 1)])
        replies = list(client.wait(60.0))
    assert [(reply.letter, reply.result) for reply in replies] == [
        (letter, refused("the rate changes nothing")) for letter in "AB"
    ]
    assert not client.waiting


def test_commands_without_a_reply_in_time_stay_unanswered(live):
    client = client_of(live)
    client.send([Pause(lane=1)])
    assert list(client.wait(0.0)) == []
    assert client.unanswered == ["B"]


def test_waiting_ends_when_the_caller_says_so(live):
    client = client_of(live)
    client.send([Pause(lane=0)])
    assert list(client.wait(600.0, stop=lambda: True)) == []


def test_nothing_is_sent_if_one_command_is_invalid(live):
    client = client_of(live)
    with pytest.raises(LrtuiError):
        client.send([Pause(lane=0), ScaleRate(lane=0, by=-1.0)])
    assert commands(live) == []


def test_only_what_restarts_a_lane_waits_for_the_next_supervisor(live):
    client = client_of(without_supervisor(live))
    with pytest.raises(LrtuiError, match="supervisor is gone"):
        client.send([Pause(lane=0)])
    client.send([Pause(lane=0)], for_next_supervisor=True)
    client.send([Rewind(lane=0)])
    assert client.needs_supervisor
    assert commands(live) == [Pause(lane=0), Rewind(lane=0)]


def test_a_supervisor_is_started_for_what_waits(live, launcher):
    client = client_of(without_supervisor(live))
    client.send([Rewind(lane=0)])
    client.restart_supervisor()
    assert launcher.resumed == [live]
    with trainer(live, done("back at step 20")):
        assert [reply.result for reply in client.wait(60.0)] == [done("back at step 20")]


@pytest.mark.parametrize("error", [LrtuiError("no torch"), KeyboardInterrupt()])
def test_what_waits_is_withdrawn_if_no_supervisor_starts(live, launcher, error):
    launcher.error = error
    client = client_of(without_supervisor(live))
    client.send([Rewind(lane=0)])
    with pytest.raises(type(error)):
        client.restart_supervisor()
    assert not client.waiting
    assert not client.restarting
    assert commands(live) == []
    (result,) = client_module.Follower(live).results([1]).values()
    assert (result.code, result.text) == ("withdrawn", str(error) or "interrupted")


class TestScripts:
    @pytest.fixture
    def script(self, tmp_path):
        return make_script_run(tmp_path)

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (Rewind(lane=0), "cannot be rewound"),
            (Fork(lane=0, child=make_script_race().lanes[0]), "cannot be forked"),
            (TakeSnapshot(lane=0), "no snapshots"),
            (Add(lane=-1, child=make_script_race((7.0,)).lanes[0]), "other settings"),
        ],
    )
    def test_what_needs_the_state_of_a_script_is_refused(self, script, command, words):
        client = client_of(script)
        with pytest.raises(LrtuiError, match=words):
            client.send([Pause(lane=0), command])
        assert commands(script) == []

    def test_the_same_lane_again_is_sent(self, script):
        race = make_script_race()
        again = run_again(race, race.lanes[1])
        assert (again.child.letter, again.child.name) == ("D", "lr 0.001 2")
        client_of(script).send([again])
        assert commands(script) == [again]

    def test_a_script_that_lrtui_did_not_start_is_not_run(self, tmp_path):
        race = make_script_race((0.0,), supervised=False)
        run = make_script_run(tmp_path, race)
        with pytest.raises(LrtuiError, match="did not start this script"):
            client_of(run).send([run_again(race, race.lanes[0])])
        assert commands(run) == []

    def test_commands_that_a_script_takes_are_sent(self, script):
        sent = [Pause(lane=0), ScaleRate(lane=1, by=2.0), Stop(lane=2)]
        client = client_of(script)
        client.send(sent)
        assert commands(script) == sent
        assert [client.stopping(lane) for lane in client._follower.state.lanes] == ["", "", "step"]

    def test_the_rate_of_a_script_without_a_known_next_one_is_its_last(self, script):
        client = client_of(script)
        assert next_rate(client._follower.state.lanes[0]) == pytest.approx(1e-2)

    def test_a_task_refuses_nothing(self):
        race = make_race(("steady",))
        for action in ("fork", "rewind", "restart", "add", "resume", "find", "run again"):
            assert refusal(race, action) == ""
