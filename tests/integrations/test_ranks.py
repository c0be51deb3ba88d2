"""Several ranks of one script: dial, pause and stop reach all of them at the same step."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.core.protocol.commands import Pause, Resume, ScaleRate, SetFactor, Stop
from lrtui.core.protocol.events import RateChanged, StatusChanged, Steps
from lrtui.store.reader import Reader
from lrtui.store.writer import Writer, create_run
from support.scripts import LIMIT_S, environment, record, script_race
from support.waiting import until

SCRIPTS = Path(__file__).parent / "scripts"
TURNS = 20


class Ranks:
    """A script under torchrun, and the commands that it is given."""

    def __init__(self, folder, count, script="ddp_until.py", **env):
        self.stop_file = folder / "over"
        race = script_race(SCRIPTS / script)
        self.run = create_run(folder / "runs", race)
        self.writer, self.reader = Writer(self.run, "test"), Reader(self.run)
        self.events = []
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        self.process = subprocess.Popen(
            [sys.executable, *launch, str(SCRIPTS / script), str(self.stop_file)],
            env=environment(self.run, 0, 0, **env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def of(self, kind):
        self.events += self.reader.poll()
        return [event for event in self.events if isinstance(event, kind)]

    def steps(self):
        blocks = self.of(Steps)
        return blocks[-1].first + blocks[-1].count if blocks else 0

    def send(self, command):
        """Send a command; return its result."""
        number = self.writer.send(command)
        until(lambda: self.writer.results([number]), "the script")
        return self.writer.results([number])[number]

    def end(self):
        """Let the script end; return the lines of its ranks."""
        self.stop_file.touch()
        out, err = self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.reader.close()


@pytest.fixture
def ranks(tmp_path):
    found = []

    def start(count, **more):
        found.append(Ranks(tmp_path, count, **more))
        return found[-1]

    yield start
    for each in found:
        each.close()


@pytest.mark.parametrize("count", [2, 4])
def test_a_dial_turned_at_random_leaves_replicas_equal(ranks, count):
    script, chance = ranks(count), random.Random(count)
    until(lambda: script.steps() > 5, "the script")
    for turn in range(TURNS):
        factor = 10 ** chance.uniform(-2, 1)
        assert script.send(SetFactor(0, factor)).ok
        until(lambda turn=turn: len(script.of(RateChanged)) == turn + 1, "the script")
        assert script.of(RateChanged)[-1].factor == factor
        if turn % 7 == 3:
            assert script.send(Pause(0)).ok
            until(
                lambda: (
                    script.of(StatusChanged)[-1:]
                    and script.of(StatusChanged)[-1].status == "paused"
                ),
                LIMIT_S,
            )
            steps = script.steps()
            assert script.send(ScaleRate(0, 1.0)).ok
            assert script.send(Resume(0)).ok
            until(lambda steps=steps: script.steps() > steps + 2, "the script")
    last = script.of(RateChanged)[-1].step
    until(lambda: script.steps() > last + 3, "the script")
    lines = script.end()
    assert len(lines) == count
    assert len({line["end"] for line in lines}) == 1
    assert len({line["steps"] for line in lines}) == 1
    rates = {}
    for block in record_of(script):
        for step, rate in enumerate(block.values("applied_lr").tolist(), block.first):
            rates[step] = rate * (1 + step / 100) / 0.01
    turns = [(event.step, event.factor) for event in script.of(RateChanged)]
    for step, factor in turns:
        assert rates[step] == pytest.approx(factor)


def record_of(script):
    return [event for event in record(script.run) if isinstance(event, Steps)]


def test_a_stop_ends_all_ranks_at_the_same_step(ranks):
    script = ranks(2)
    until(lambda: script.steps() > 5, "the script")
    assert script.send(Stop(0)).ok
    _, err = script.process.communicate(timeout=LIMIT_S)
    told = [line for line in err.splitlines() if "stopped by command" in line and "lrtui" in line]
    assert len(told) == 2
    assert len({line.partition("command, ")[2] for line in told}) == 1


def test_a_rank_without_hooks_has_dial_and_pause_refused(ranks, tmp_path):
    (tmp_path / "wrapper.py").write_text(
        "import os, runpy, sys\n"
        "if os.environ['RANK'] == '1': os.environ['LRTUI'] = 'off'\n"
        f"runpy.run_path({str(SCRIPTS / 'ddp_until.py')!r}, run_name='__main__')\n"
    )
    script = ranks(2, script=tmp_path / "wrapper.py")
    until(lambda: script.steps() > 5, "the script")
    for command in (SetFactor(0, 2.0), Pause(0)):
        result = script.send(command)
        assert result.code == "refused"
        assert "rank 1 of 2 runs without lrtui's hooks" in result.text
    assert len({line["end"] for line in script.end()}) == 1
    assert not script.of(RateChanged)


def test_ranks_that_step_on_their_own_do_not_wait_for_each_other(ranks, tmp_path):
    (tmp_path / "apart.py").write_text(
        "import os, sys, torch\n"
        "from torch import distributed\n"
        "distributed.init_process_group('gloo')\n"
        "weight = torch.ones(1, requires_grad=True)\n"
        "optimizer = torch.optim.SGD([weight], lr=0.01)\n"
        "def step():\n"
        "    weight.square().sum().backward()\n"
        "    optimizer.step()\n"
        "    optimizer.zero_grad()\n"
        "for _ in range(3000 if distributed.get_rank() else 20): step()\n"
        "distributed.barrier()\n"
        "while not os.path.exists(sys.argv[1]): step()\n"
    )
    script = ranks(2, script=tmp_path / "apart.py")
    until(lambda: script.steps() > 20, "the script")
    for command in (SetFactor(0, 2.0), Pause(0)):
        result = script.send(command)
        assert result.code == "refused"
        assert "the ranks make steps of their own" in result.text
    script.end()
    assert not script.of(RateChanged)
