"""Training scripts of shapes that are common in public, run unchanged as lanes, in processes of
their own: what they compute is what they compute alone, and what is recorded is what they print."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.core.protocol.events import Alerted, LogMessage
from support.scripts import LIMIT_S, run_script, script_race

pytestmark = pytest.mark.xdist_group("public scripts")

SCRIPTS = Path(__file__).parent / "scripts"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def printed(out):
    """The JSON lines of a script, in an order that does not depend on its processes."""
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return sorted(lines, key=lambda line: (line.get("rank", 0), "end" in line))


def alone(name, *args):
    """What a script prints without lrtui."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / name), *args],
        env={"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return printed(done.stdout)


def watched(runs, name, *args, rate=0.0, argv=None):
    """The record of a script's lane, and what the script printed."""
    race = script_race(SCRIPTS / name, rate, args=args)
    ran = run_script(race, runs, argv=argv)
    assert ran.code == 0, ran.err
    assert ran.of(Alerted) == []
    return ran, printed(ran.out)


def steps(lines, **which):
    return [
        line for line in lines if "step" in line and all(line[k] == v for k, v in which.items())
    ]


def sums(lines):
    return [sum(line["losses"]) for line in lines]


def rates(lines, factor=1.0):
    return [line["lr"] * factor for line in lines]


def test_schedule_that_assigns_the_rate_at_each_step(tmp_path):
    args = ("--seed", "3", "--steps", "20")
    ran, lines = watched(tmp_path, "nano_gpt.py", *args)
    assert lines == alone("nano_gpt.py", *args)
    assert ran.column("loss") == sums(steps(lines))
    assert ran.column("applied_lr") == ran.column("applied_lr/1") == rates(steps(lines))
    assert ran.started.initial_lr == 0.01


def test_schedule_that_assigns_the_rate_composes_with_a_lanes_rate(tmp_path):
    args = ("--seed", "3", "--steps", "20")
    ran, lines = watched(tmp_path, "nano_gpt.py", *args, rate=0.02)
    twice = alone("nano_gpt.py", *args, "--lr", "0.02")
    assert ran.column("loss") == sums(steps(twice))
    assert ran.column("applied_lr") == ran.column("applied_lr/1") == rates(steps(lines), 2)
    assert rates(steps(twice)) == rates(steps(lines), 2)


def test_two_optimizers_in_turn(tmp_path):
    args = ("--seed", "3", "--steps", "30")
    ran, lines = watched(tmp_path, "gan.py", *args)
    assert lines == alone("gan.py", *args)
    assert ran.column("loss") == sums(steps(lines, optimizer="D"))
    assert ran.column("loss 2") == sums(steps(lines, optimizer="G"))
    assert ran.column("applied_lr") == [2e-4] * 30
    assert ran.column("applied_lr/1") == [1e-4] * 30
    assert ran.started.groups == ["Adam 1", "Adam 2"]


def test_lanes_rate_turns_both_optimizers(tmp_path):
    args = ("--seed", "3", "--steps", "30")
    ran, lines = watched(tmp_path, "gan.py", *args, rate=4e-4)
    twice = alone("gan.py", *args, "--lr", "4e-4")
    assert [line["losses"] for line in lines] == [line["losses"] for line in twice]
    assert ran.column("applied_lr/1") == [2e-4] * 30


def test_closures_of_lbfgs(tmp_path):
    args = ("--seed", "3", "--steps", "8", "--line-search", "strong_wolfe", "--lr", "1")
    ran, lines = watched(tmp_path, "lbfgs.py", *args)
    assert lines == alone("lbfgs.py", *args)
    assert ran.column("loss") == [line["loss"] for line in lines]
    assert any(len(line["losses"]) > 2 for line in lines)


@pytest.mark.parametrize("more", [(), ("--fused",)])
def test_accumulation_with_a_scaler_and_a_skipped_step(tmp_path, more):
    args = ("--seed", "1", "--steps", "12", "--init-scale", "1e38", *more)
    ran, lines = watched(tmp_path, "grad_scaler.py", *args)
    assert lines == alone("grad_scaler.py", *args)
    skipped = [line["skipped"] for line in lines]
    assert any(skipped)
    assert ran.column("loss") == sums(lines)
    assert [math.isnan(rate) for rate in ran.column("applied_lr")] == skipped


@pytest.mark.parametrize("start", ["spawn", "torchrun"])
def test_replicas_of_several_processes_stay_equal(tmp_path, start):
    args = ("--seed", "3", "--steps", "15")
    argv = [*TORCHRUN, str(SCRIPTS / "ddp_spawn.py"), *args] if start == "torchrun" else None
    ran, lines = watched(tmp_path, "ddp_spawn.py", *args, rate=0.02, argv=argv)
    twice = alone("ddp_spawn.py", *args, "--lr", "0.02")
    first = steps(lines, rank=0)
    assert ran.column("loss") == sums(first)
    assert ran.column("applied_lr") == rates(first, 2)
    ends = [line["end"] for line in lines if "end" in line]
    assert len(ends) == 2
    assert set(ends) == {line["end"] for line in twice if "end" in line}
    assert not any("without" in note.text for note in ran.of(LogMessage))
