"""Races of real torch scripts, hooked and supervised as a user's are."""

import os
import sys

import msgspec
import numpy as np
import pytest

from lrtui.core.protocol.commands import Pause, Resume, ScaleRate, Stop
from lrtui.core.protocol.events import Alerted, Steps
from lrtui.core.scenario.spec import Lane, OptimizerSpec
from support.script_races import ScriptRace, make_script_race, set_patience
from support.waiting import until

pytestmark = pytest.mark.xdist_group("processes")

PLAIN = """
import sys, time
import torch

model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x = torch.randn(16, 4)
for step in range(int(sys.argv[1])):
    optimizer.zero_grad()
    loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
    loss.backward()
    optimizer.step()
    time.sleep(0.002)
print("made", step + 1)
"""
DISTRIBUTED = PLAIN.replace(
    "model = torch.nn.Linear(4, 1)",
    "torch.distributed.init_process_group('gloo')\n"
    "model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 1))",
)
FOREVER = 1_000_000


def write(folder, code):
    path = folder / "train.py"
    path.write_text(code)
    return str(path)


def with_rates(race, *rates):
    """The same race, with a lane for each rate."""
    lanes = tuple(
        Lane("ABC"[index], f"lr {rate}", OptimizerSpec(""), rate)
        for index, rate in enumerate(rates)
    )
    return msgspec.structs.replace(race, lanes=lanes)


def applied(told, lane):
    blocks = [one for one in told if isinstance(one, Steps) and one.lane == lane]
    return np.concatenate([block.values("applied_lr") for block in blocks])


def test_each_lane_trains_at_its_rate_from_the_same_weights(tmp_path):
    script = write(tmp_path, PLAIN)
    race = with_rates(make_script_race(sys.executable, script, "60", seed=3), 0.1, 0.001)
    with ScriptRace(race, tmp_path / "runs") as contest:
        assert contest.see_end() == ["finished", "finished"]
        assert [lane.steps for lane in contest.lanes] == [60, 60]
        for index, rate in enumerate((0.1, 0.001)):
            assert applied(contest.told, index) == pytest.approx(np.full(60, rate))
            assert contest.output("AB"[index]).endswith("made 60\n")
        first, second = (lane.started for lane in contest.lanes)
        assert first.init_checksum == second.init_checksum != ""
        assert (first.optimizer, first.initial_lr) == ("SGD", 0.01)


def test_dial_pause_and_stop_reach_a_script(tmp_path):
    script = write(tmp_path, PLAIN)
    with ScriptRace(make_script_race(sys.executable, script, str(FOREVER)), tmp_path) as contest:
        contest.see_steps()
        assert contest.send(ScaleRate(lane=0, by=0.5))[0].ok
        assert contest.send(Pause(lane=0))[0].ok
        contest.see(lambda: contest.lanes[0].status == "paused", "the pause")
        assert contest.send(Resume(lane=0))[0].ok
        contest.see_steps()
        assert applied(contest.told, 0)[-1] == pytest.approx(0.005)
        assert contest.send(Stop(lane=0))[0].text == "stopping after this step"
        assert contest.see_end() == ["stopped"]
        assert "the script ends here: stopped by command" in contest.output()


@pytest.mark.parametrize(("policy", "status"), [("stop", "nan"), ("warn", "finished")])
def test_script_that_goes_nan_ends_as_the_race_says(tmp_path, policy, status):
    script = write(tmp_path, PLAIN)
    race = make_script_race(sys.executable, script, "300", on_nan=policy)
    with ScriptRace(with_rates(race, 50.0), tmp_path) as contest:
        assert contest.see_end() == [status]
        kinds = [one.kind for one in contest.told if isinstance(one, Alerted)]
        assert kinds.count("nan") == 1
        assert "error" not in kinds
        assert (contest.lanes[0].steps < 300) == (policy == "stop")


def test_budget_ends_a_script_at_its_step(tmp_path):
    script = write(tmp_path, PLAIN)
    race = make_script_race(sys.executable, script, str(FOREVER), steps=40)
    with ScriptRace(race, tmp_path) as contest:
        assert contest.see_end() == ["finished"]
        assert contest.lanes[0].steps == 40


class TestLauncher:
    """torchrun puts its workers into sessions of their own."""

    @pytest.fixture
    def contest(self, tmp_path, monkeypatch):
        set_patience(monkeypatch, stop_s=2.0)
        launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone")
        script = write(tmp_path, DISTRIBUTED)
        race = make_script_race(sys.executable, *launcher, script, str(FOREVER))
        with ScriptRace(race, tmp_path) as contest:
            contest.see_steps()
            assert len({os.getsid(one.pid) for one in contest.family()}) == 3
            yield contest

    def test_stop_ends_all_ranks_and_their_launcher(self, contest):
        assert contest.send(Stop(lane=0))[0].ok
        assert contest.see_end() == ["stopped"]
        assert contest.family() == []

    def test_interrupt_of_the_supervisor_leaves_no_rank_behind(self, contest):
        contest.supervisor().terminate()
        assert contest.see_end() == ["interrupted"]
        until(lambda: contest.family() == [], "the end of all ranks")

    def test_ranks_whose_launcher_was_killed_train_on_until_they_are_stopped(self, contest):
        """With its launcher they lose the store through which lrtui speaks to all of them."""
        launcher = [one for one in contest.family() if "torch.distributed.run" in one.cmdline()]
        for process in launcher:
            process.kill()
        words = "its first process has ended; another one of it goes on training"
        contest.see(lambda: words in contest.notes(0), "a line of the log")
        assert len(contest.family()) == 2
        assert not contest.lanes[0].over
        assert contest.send(Stop(lane=0))[0].ok
        assert contest.see_end() == ["stopped"]
        until(lambda: contest.family() == [], "the end of all ranks")
