"""Each example of the manual, raced unchanged from the command line at three rates."""

import json
import math
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from support.command import curves, race
from support.scripts import LIMIT_S

pytestmark = pytest.mark.xdist_group("examples")

EXAMPLES = Path(__file__).parents[2] / "scenarios" / "scripts"
RATES = (0.1, 0.01, 0.001)
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def raced(runs, *script):
    """The JSON lines of a race that ended well, and what each lane's script printed."""
    rates = [word for rate in RATES for word in ("--lr", str(rate))]
    said = race(
        *(*rates, "--json", *map(str, script)),
        runs=runs,
        cwd=EXAMPLES,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=LIMIT_S,
    )
    assert said.code == 0, said.err + said.out
    lines = said.lines
    run = Path(lines[-1]["run"])
    assert [lane["status"] for lane in lines[-1]["lanes"]] == ["finished"] * 3
    return lines, {letter: (run / f"script-{letter}.log").read_text() for letter in "ABC"}


def check_start(lines):
    """All lanes began with the same weights, each at its own rate."""
    starts = [line for line in lines if line["event"] == "start"]
    assert len({start["init_checksum"] for start in starts}) == 1
    for letter, rate in zip("ABC", RATES, strict=True):
        assert max(curves(lines)[letter, "applied_lr"]) == pytest.approx(rate)


def check_losses(lines, printed):
    """What was recorded is what the script computed, to the last bit."""
    for letter in "ABC":
        told = [
            json.loads(line)["loss"] for line in printed[letter].splitlines() if line[:1] == "{"
        ]
        recorded = curves(lines)[letter, "loss"]
        assert np.array_equal(np.float32(recorded), np.float32(told))
        assert len(told) > 50
    first = {curves(lines)[letter, "loss"][0] for letter in "ABC"}
    assert len(first) == 1


def test_plain_loop(tmp_path):
    lines, printed = raced(tmp_path, EXAMPLES / "plain_loop.py")
    check_start(lines)
    check_losses(lines, printed)
    assert lines[-1]["lanes"][0]["letter"] == "A"  # the best of the three rates


def test_plain_loop_with_arguments_of_its_own(tmp_path):
    lines, printed = raced(tmp_path, EXAMPLES / "plain_loop.py", "--", "--steps", "60")
    check_losses(lines, printed)
    assert len(curves(lines)["A", "loss"]) == 60


def test_torchrun(tmp_path):
    lines, printed = raced(tmp_path, "--", *TORCHRUN, EXAMPLES / "torchrun_ddp.py")
    check_start(lines)
    check_losses(lines, printed)


def test_accelerate(tmp_path):
    pytest.importorskip("accelerate")
    lines, printed = raced(tmp_path, EXAMPLES / "accelerate_loop.py")
    check_start(lines)
    check_losses(lines, printed)


def test_hugging_face_trainer(tmp_path):
    pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    lines, printed = raced(tmp_path, EXAMPLES / "hf_trainer.py")
    check_start(lines)
    for letter in "ABC":
        told = [float(loss) for loss in re.findall(r"\{'loss': '([\d.]+)'", printed[letter])]
        assert len(told) == 30
        assert curves(lines)[letter, "loss"] == pytest.approx(told, rel=1e-3)


def test_lightning(tmp_path):
    pytest.importorskip("lightning")
    lines, printed = raced(tmp_path, EXAMPLES / "lightning_module.py")
    check_start(lines)
    for letter in "ABC":
        assert "val_loss 0." in printed[letter]
        losses = curves(lines)[letter, "loss"]
        assert len(losses) == 64
        assert all(map(math.isfinite, losses))
