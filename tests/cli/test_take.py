"""`lrtui take`: the weights of the best evaluation as plain Python loads them, and a scenario that
trains the lane again."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys

import pytest
import torch

from lrtui.cli import take
from lrtui.client.follower import Follower
from lrtui.core.numbers import loss
from lrtui.core.protocol.commands import ScaleRate
from lrtui.core.scenario import scenario_file
from lrtui.store import snapshots
from lrtui.training import best_weights, weights
from support.fake_run import make_run
from support.fake_script import make_script_run
from support.trained_run import trained_run
from support.training import column, make_race, train

LANES = [
    {"name": "calm", "optimizer": "SGD", "lr": 0.02, "schedule": "cosine"},
    {"name": "hot", "optimizer": "SGD", "lr": 0.15},
]


@pytest.fixture(autouse=True)
def _any_time(monkeypatch):
    monkeypatch.setattr(best_weights, "FREE_S", math.inf)


def state_of(run):
    follower = Follower(run)
    follower.finish()
    follower.close()
    return follower.state


def values(lane, metric="val_loss"):
    return dict(zip(*(column.tolist() for column in lane.evaluations.metric(metric)), strict=True))


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """A race of two seeds, whose winner was taken home: (run, folder, output)."""
    folder = tmp_path_factory.mktemp("taken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(best_weights, "FREE_S", math.inf)
        race = make_race(LANES, task="Validated", epochs=5, seeds=2)
        run = trained_run(folder / "runs", race)
    command = [sys.executable, "-m", "lrtui", "take", str(run), "--to", "best.pt"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return run, folder, done.stdout


class TestTheWinner:
    def test_is_the_best_seed_of_the_best_lanes(self, taken):
        run, folder, out = taken
        lanes = state_of(run).lanes
        means = [
            sum(lane.evaluations.metric("val_loss")[1][-1] for lane in pair)
            for pair in (lanes[:2], lanes[2:])
        ]
        group = lanes[:2] if means[0] < means[1] else lanes[2:]
        won = min(group, key=lambda lane: lane.evaluations.metric("val_loss")[1][-1])
        step = min(values(won), key=values(won).get)
        first, second, *_ = out.splitlines()
        assert first.startswith(f"{folder}/best.pt: {won.lane.called}, step {step} of 15, val_loss")
        assert "its best evaluation" in first
        assert second == f"{won.lane.called}: the winner, the best of its 2 seeds"

    def test_is_loaded_by_the_three_lines_that_are_printed(self, taken):
        _, folder, out = taken
        lines = out.split("in Python:\n")[1].splitlines()
        assert len(lines) == 3
        check = "import json; print(json.dumps([v.tolist() for v in model.state_dict().values()]))"
        script = "\n".join([*(line.strip() for line in lines), check])
        done = subprocess.run(
            [sys.executable, "-c", script], cwd="/", capture_output=True, text=True, check=True
        )
        found = torch.load(folder / "best.pt", weights_only=True)
        assert type(found) is dict
        assert json.loads(done.stdout) == [value.tolist() for value in found.values()]

    def test_is_trained_again_by_the_scenario_beside_it(self, taken):
        run, folder, out = taken
        race = scenario_file.load(str(folder / "best.toml"))
        called = out.splitlines()[1].partition(":")[0]
        lane = next(one for one in state_of(run).lanes if one.lane.called == called)
        (spec,) = race.lanes
        assert (spec.name, race.seed) == (lane.lane.name, 11 + lane.lane.seed)
        assert column(train(race)) == lane.columns["loss"].values.tolist()
        assert "NOT REPRODUCED" not in (folder / "best.toml").read_text()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one lane, to be read alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(best_weights, "FREE_S", math.inf)
        return trained_run(tmp_path_factory.mktemp("runs"), make_race(LANES[:1], epochs=4))


class TestOneLane:
    def test_last_weights_replace_files_by_force(self, run, here, lrtui):
        (here / "x.pt").write_text("mine")
        (here / "x.toml").write_text("mine")
        said = lrtui("take", str(run), "a", "--to", "x.pt", "--last", "--force")
        assert said.code == 0
        assert "step 16 of 16" in said.out
        newest = snapshots.listing(run, "A")[-1]  # a periodic one, if it came in the last second
        state = weights.snapshot.decode(snapshots.load(newest.path)[1])
        found = torch.load(here / "x.pt", weights_only=True)
        assert all(torch.equal(found[name], value) for name, value in state["model"].items())
        assert scenario_file.load(str(here / "x.toml")).lanes

    def test_what_is_not_the_best_or_not_reproduced_is_said(self, here, lrtui):
        race = make_race(LANES[:1], epochs=4, rank_by="mae", best="max")  # the first is the best
        run = trained_run(here / "runs", race, ScaleRate(lane=0, by=2.0), at=5)
        known = values(state_of(run).lanes[0], "mae")
        assert max(known, key=known.get) == snapshots.best_weights(run, "A").step == 4
        snapshots.remove(snapshots.best_weights(run, "A"))
        said = lrtui("take", run.name, "--to", "a.pt")
        assert (
            f"step 16 of 16, mae {known[16]:.4}: not its best evaluation, {known[4]:.4} at step 4,"
            " whose weights are not on disk"
        ) in said.out
        assert "  but not: rate " in said.out
        assert "# NOT REPRODUCED: rate " in (here / "a.toml").read_text()


def test_averaged_weights_are_named_by_their_own_evaluation(here, lrtui):
    race = make_race([{**LANES[1], "ema": 0.9}], task="Validated", epochs=5)
    run = trained_run(here / "runs", race)
    (lane,) = state_of(run).lanes
    of_average, own = values(lane, "ema_val_loss"), values(lane)
    said = lrtui("take", run.name, "--to", "a.pt", "--averaged").out.splitlines()[0]
    step = min(of_average, key=of_average.get)
    assert f"step {step} of 15, ema_val_loss {loss(of_average[step])}" in said
    said = lrtui("take", run.name, "--to", "b.pt", "--last").out.splitlines()[0]
    assert f"step 15 of 15, val_loss {loss(own[15])}" in said


class TestWhileTheLaneTrains:
    def test_file_renamed_and_replaced_meanwhile_is_taken_as_it_was(
        self, run, here, lrtui, monkeypatch
    ):
        moved = shutil.copytree(run, here / "moved")
        newest, start = snapshots.listing(moved, "A")[-1], take.subprocess.run

        def after_the_writer(*args, **keys):
            snapshots.retag(newest, "good")
            newest.path.write_bytes(b"another one")
            return start(*args, **keys)

        monkeypatch.setattr(take.subprocess, "run", after_the_writer)
        assert lrtui("take", str(moved), "--to", "x.pt", "--last").code == 0
        assert torch.load(here / "x.pt", weights_only=True)

    def test_file_of_another_step_is_not_taken_for_the_one_named(
        self, run, here, lrtui, monkeypatch
    ):
        best = snapshots.best_weights(run, "A")
        monkeypatch.setattr(
            take, "best_weights", lambda *_, **__: take.Weights(best.step - 4, best.path, 1.0)
        )
        said = lrtui("take", str(run), "--to", "x.pt")
        assert (said.code, said.out) == (2, "")
        assert f"now of step {best.step}, not {best.step - 4}" in said.err
        assert not list(here.glob("x.*"))


class TestRefused:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["Z", "--to", "x.pt"], 'no lane "Z"'),
            (["--to", "there.pt"], "there.pt: is there already"),
            (["--to", "beside.pt"], "beside.toml: is there already"),
            (["--to", "x.toml"], "is the name of the scenario"),
            (["--to", "nowhere/x.pt"], "nowhere: no such folder"),
            (["--to", "."], "is no file"),
            (["--to", ""], "is no file"),
            (["--to", "x" * 300], "File name too long"),
            (["--to", "x.pt", "--averaged"], "--averaged: A calm has no averaged weights"),
            ([], "Missing option '--to'"),
        ],
    )
    def test_bad_words_write_nothing(self, words, said, run, here, lrtui):
        (here / "there.pt").write_text("mine")
        (here / "beside.toml").write_text("mine")
        before = sorted(path.name for path in here.iterdir())
        found = lrtui("take", str(run), *words)
        assert (found.code, found.out) == (2, "")
        assert said in found.err
        assert "xpected" in found.err or "see `" in found.err or "the lanes are" in found.err
        assert sorted(path.name for path in here.iterdir()) == before
        assert (here / "there.pt").read_text() == "mine"

    def test_damaged_snapshot_is_one_error_and_no_file(self, run, here, lrtui):
        damaged = shutil.copytree(run, here / "damaged")
        for path in (damaged / "snapshots" / "A").iterdir():
            path.write_bytes(path.read_bytes()[:-1] + b"x")
        said = lrtui("take", str(damaged), "--to", "x.pt")
        assert (said.code, said.out) == (2, "")
        assert "its content is not what was written" in said.err
        assert not list(here.glob("x.*"))
        assert not list(here.glob(".x*"))

    def test_full_disk_is_said_by_the_process_that_writes(self, run, capsys, monkeypatch):
        best = snapshots.best_weights(run, "A").path
        with best.open() as source:
            monkeypatch.setattr(sys, "stdin", source)
            assert weights.main([str(best), "/dev/full"]) == weights.UNWRITTEN
        assert json.loads(capsys.readouterr().out)["error"] == "No space left on device"

    def test_script_has_no_weights(self, here, lrtui):
        script = make_script_run(here / "runs")
        said = lrtui("take", script.name, "--to", "x.pt")
        assert said.code == 2
        assert "save them in the script, with torch.save(model.state_dict(), ...)" in said.err

    def test_lane_that_has_left_nothing(self, here, lrtui):
        fake = make_run(here / "runs")
        said = lrtui("take", fake.name, "steady", "--to", "x.pt")
        assert said.code == 2
        assert "lane A has left no weights" in said.err
