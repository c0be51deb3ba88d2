"""The finder from the command line: what it refuses, what it starts, what it prints, and what an
interrupt leaves behind."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.cli import main
from lrtui.cli.find import read_plan
from lrtui.client.lr_finder import (
    DECADES,
    FACTORS,
    MOST_POINTS,
    LrFinder,
    check_race,
    full_race,
    plan,
    sweep_race,
)
from lrtui.core.errors import LaunchError, ScenarioError
from lrtui.core.protocol.commands import Stop
from lrtui.core.results.lr_suggestions import FEWEST_POINTS, RULES
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import OptimizerSpec
from support.fake_sweep import FakeLauncher, told

FLAGS = {
    "name": "lr-dial",
    "task": None,
    "optimizer": None,
    "low": None,
    "high": None,
    "points": None,
    "mode": "sweep",
    "rates": (),
    "batch_size": None,
    "seed": None,
    "device": None,
    "settings": (),
}
VALLEY = 0.007054802
BAD = {
    "--from 0": "--from: 0 is not a valid learning rate",
    "--from -1e-3": "--from: -0.001 is not a valid learning rate",
    "--from nan": "--from: nan is not a valid learning rate",
    "--to inf": "--to: inf is not a valid learning rate",
    "--to 0": "--to: 0 is not a valid learning rate",
    "--from 1 --to 1": "--from 1 is not below --to 1",
    "--from 1 --to 0.1": "--from 1 is not below --to 0.1",
    "--points 29": f"expected {FEWEST_POINTS} to {MOST_POINTS}",
    "--points 1000000": "--points: invalid value 1000000",
    "--points 0": "--points: invalid value 0",
    "--points x": "'x' is not",
    "--mode race --lr 0": "--lr: 0 is not a valid learning rate",
    "--mode race --lr nan": "--lr: nan is not a valid learning rate",
    "--mode race --points 50": "--mode race does not",
    "--lr 0.1": "--mode sweep does not",
    "--mode walk": "'walk' is not one of",
    "--optimizer Adamm": 'did you mean "Adam"',
    "--device tpu": 'unknown device "tpu"',
    "--batch-size 0": "0 is not in the range",
    "--set nonsense": "KEY=VALUE",
}


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> type[FakeLauncher]:
    """In the place of the real one."""
    fake = FakeLauncher.fresh()
    monkeypatch.setattr("lrtui.client.lr_finder.Launcher", fake)
    return fake


@pytest.fixture
def lrtui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRTUI_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "100")

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["find", *args])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


def lines(out: str) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()]


def play(finder: LrFinder) -> LrFinder:
    """To the end, as the command line does."""
    while not finder.over:
        if finder.due:
            finder.advance()
        finder.poll(5.0)
    return finder


class TestBadInput:
    @pytest.mark.parametrize("args", BAD)
    def test_is_refused_in_a_line_or_two(self, lrtui, tmp_path, args):
        code, out, err = lrtui("lr-dial", *args.split(), "--plain")
        assert (code, out) == (2, "")
        assert BAD[args] in err
        assert err.startswith("lrtui: ")
        assert len(err.splitlines()) <= 2
        assert not (tmp_path / "runs").exists()

    @pytest.mark.parametrize(
        "args", [["nosuch"], [], ["--task", "nosuch"], ["--task", "nosuch.py:Task"], ["./"]]
    )
    def test_what_is_not_there_is_refused(self, lrtui, args):
        code, out, err = lrtui(*args, "--json")
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 2

    def test_why_so_many_points(self, lrtui):
        assert (
            "the rules need 30 points, and leave out one in 10 at the beginning and 5"
            in lrtui("linear", "--points", "30")[2]
        )

    def test_more_lanes_than_a_race_can_have(self):
        with pytest.raises(ScenarioError, match="too many"):
            plan(scenario_file.load("linear"), rates=[0.1 / step for step in range(1, 300)])


class TestThePlan:
    def test_takes_the_first_lanes_optimizer_with_its_options(self, tmp_path):
        (tmp_path / "mine.toml").write_text(
            'task = "straight-line"\nsteps = 5\nseed = 3\nbatch_size = 8\n'
            '[defaults]\noptimizer = "SGD"\nmomentum = 0.9\n[[lane]]\nlr = 1'
        )
        asked = read_plan({**FLAGS, "name": str(tmp_path / "mine.toml")})
        assert asked.lane.optimizer == OptimizerSpec("SGD", {"momentum": 0.9})
        sweep = sweep_race(asked)
        assert (sweep.seed, sweep.batch_size, sweep.device, sweep.task.name) == (
            3,
            8,
            "auto",
            "straight-line",
        )
        assert (sweep.steps, sweep.epochs, sweep.on_divergence, sweep.pace) == (
            100,
            None,
            "warn",
            0,
        )
        assert str(sweep.lanes[0].schedule) == "range-test(to=10)"
        assert sweep.lanes[0].lr == 1e-7

    def test_flags_go_before_the_scenario(self):
        asked = read_plan(
            {
                **FLAGS,
                "optimizer": "sgd",
                "low": 1e-4,
                "high": 1.0,
                "points": 50,
                "seed": 9,
                "batch_size": 4,
            }
        )
        assert (asked.lane.optimizer.name, asked.low, asked.high, asked.points) == (
            "SGD",
            1e-4,
            1.0,
            50,
        )
        assert (asked.race.seed, asked.race.batch_size) == (9, 4)
        assert [lane.name for lane in asked.race.lanes] == ["standard", "high", "low", "bold"], (
            "its own lanes are kept"
        )

    def test_recognisable_names_and_the_base_race_untouched(self):
        asked = read_plan(FLAGS)
        sweep, check = sweep_race(asked), check_race(asked, dict.fromkeys(FACTORS, 1.0))
        assert (sweep.scenario, check.scenario) == ("lr-dial-find", "lr-dial-check")
        assert sweep.title.endswith("(finder)")
        assert check.title.endswith("(finder's check)")

    def test_a_race_of_decades(self):
        assert (
            read_plan({**FLAGS, "mode": "race"}).rates
            == DECADES
            == pytest.approx((1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0))
        )
        assert read_plan({**FLAGS, "mode": "race", "rates": (0.5, 0.1, 0.5)}).rates == (0.5, 0.1)

    def test_the_full_race_is_the_scenarios_own_and_the_found_rate(self):
        race = full_race(read_plan({**FLAGS, "optimizer": "SGD"}), 0.0123)
        assert [lane.name for lane in race.lanes] == [
            "standard",
            "high",
            "low",
            "bold",
            "found 0.0123",
        ]
        assert (race.lanes[-1].letter, race.lanes[-1].optimizer.name, race.lanes[-1].lr) == (
            "E",
            "SGD",
            0.0123,
        )
        assert (race.epochs, race.pace) == (15, 40)

    def test_the_full_race_of_a_task_is_the_found_rate_and_its_neighbours(self):
        race = full_race(read_plan({**FLAGS, "name": None, "task": "straight-line"}), 0.3)
        assert [lane.lr for lane in race.lanes] == pytest.approx([0.3, 0.1, 0.9])
        assert [lane.letter for lane in race.lanes] == ["A", "B", "C"]

    def test_race_with_seeds_is_swept_with_one_and_raced_with_all(self):
        asked = plan(scenario_file.load("overfit", {"seeds": 2}))
        sweep, check = sweep_race(asked), check_race(asked, {"one": 0.1, "two": 0.2})
        assert [(lane.letter, lane.seed) for lane in (*sweep.lanes, *check.lanes)] == [
            ("A", 0),
            ("A", 0),
            ("B", 0),
        ]
        assert {race.rank_by for race in (sweep, check)} == {"loss"}
        race = full_race(asked, 0.0123)
        assert [(lane.letter, lane.seed) for lane in race.lanes[-3:]] == [
            ("E2", 1),
            ("F1", 0),
            ("F2", 1),
        ]
        assert race.rank_by == "val_loss"

    def test_a_rate_as_large_as_numbers_go_has_no_larger_neighbours(self):
        asked = plan(scenario_file.load("linear"), own_lanes=False)
        assert all(math.isfinite(lane.lr) for lane in full_race(asked, 1e308).lanes)


class TestTheWay:
    """Sweep, suggestions, check, winner: on a supervisor that trains nothing."""

    def test_it_checks_the_headline_and_its_neighbours(self, launcher, tmp_path):
        finder = play(LrFinder(plan(scenario_file.load("lr-dial")), tmp_path))
        _, check = (race for fake in launcher.made for race in fake.started)
        assert [lane.lr for lane in check.lanes] == pytest.approx(
            [VALLEY / 3, VALLEY, VALLEY * 3, VALLEY * 10]
        )
        assert [lane.schedule for lane in check.lanes] == [None] * 4
        assert check.epochs == 1
        assert finder.outcome.winner.lane.name == "valley x 3"
        assert finder.result()["suggestions"]["valley"] == pytest.approx(VALLEY)
        assert finder.result()["runs"] == [str(run) for fake in launcher.made for run in fake.runs]

    def test_the_second_supervisor_warms_up_while_the_first_sweeps(self, launcher, tmp_path):
        finder = LrFinder(plan(scenario_file.load("lr-dial")), tmp_path)
        finder.advance()
        assert [len(fake.started) for fake in launcher.made] == [1, 0]
        play(finder)
        assert [len(fake.started) for fake in launcher.made] == [1, 1], (
            "and no third one, which nobody asked for"
        )

    def test_a_supervisor_that_is_warm_already_is_taken(self, launcher, tmp_path):
        warm = launcher()
        LrFinder(plan(scenario_file.load("lr-dial")), tmp_path, warm).advance()
        assert len(warm.started) == 1

    def test_epochs_that_are_too_short_are_taken_several_times(self, launcher, tmp_path):
        launcher.steps_per_epoch = 4
        finder = play(LrFinder(plan(scenario_file.load("lr-dial")), tmp_path))
        assert launcher.made[1].started[0].epochs == 13
        assert any(
            "13 epochs, because one has only 4 steps (52 steps)" in said
            for said in finder.outcome.sentences
        )

    def test_data_without_a_length_is_checked_for_as_many_steps_as_were_swept(
        self, launcher, tmp_path
    ):
        launcher.length_known = False
        finder = play(LrFinder(plan(scenario_file.load("lr-dial")), tmp_path))
        assert (launcher.made[1].started[0].epochs, launcher.made[1].started[0].steps) == (
            None,
            100,
        )
        assert "The check raced 4 rates for 100 steps." in finder.outcome.sentences

    def test_a_sweep_that_went_nan_is_no_hindrance(self, launcher, tmp_path):
        launcher.sweep = "linear SGD"
        finder = play(LrFinder(plan(scenario_file.load("linear")), tmp_path))
        assert finder.found.suggestions["valley"] == pytest.approx(5.214e-4, rel=1e-3)
        assert finder.rates[-1] == pytest.approx(finder.plan.rate(69)), (
            "what comes after it rose does not count"
        )
        assert finder.found.end == 69

    def test_a_task_that_fails_ends_it_with_its_words(self, launcher, tmp_path):
        launcher.lost = "ValueError: no"
        finder = play(LrFinder(plan(scenario_file.load("linear")), tmp_path))
        assert finder.check is None
        assert finder.outcome.reason == "the task failed in the sweep after 6 steps: ValueError: no"
        assert finder.outcome.error == "Traceback\nValueError: no"

    def test_without_a_sweep_the_given_rates_race_for_an_epoch(self, launcher, tmp_path):
        finder = play(LrFinder(plan(scenario_file.load("lr-dial"), rates=[0.1, 0.001]), tmp_path))
        (race,) = (race for fake in launcher.made for race in fake.started)
        assert ([lane.lr for lane in race.lanes], race.epochs) == ([0.001, 0.1], 1)
        assert finder.result()["suggestions"] == dict.fromkeys(RULES)
        assert finder.result()["winner"] in (0.1, 0.001)

    def test_a_supervisor_that_cannot_start_leaves_none_behind(self, launcher, tmp_path):
        launcher.trouble = LaunchError("no", "nothing")
        finder = LrFinder(plan(scenario_file.load("lr-dial")), tmp_path)
        with pytest.raises(LaunchError):
            finder.advance()
        assert [fake.closed for fake in launcher.made] == [True, True]

    def test_stopping_stops_the_run_and_the_supervisor_that_waits(self, launcher, tmp_path):
        launcher.hold = True
        finder = LrFinder(plan(scenario_file.load("lr-dial")), tmp_path)
        finder.advance()
        finder.poll(5.0)
        finder.stop()
        assert told(launcher.made[0].runs[0]) == [Stop(lane=0)]
        assert launcher.made[1].closed
        assert not finder.due


class TestWhatIsPrinted:
    def test_json_is_points_then_the_check_then_the_result(self, launcher, lrtui):
        code, out, _ = lrtui("lr-dial", "--json")
        said = lines(out)
        kinds = list(dict.fromkeys(line["event"] for line in said))
        assert (code, kinds[:2], kinds[-1]) == (0, ["point", "race"], "result")
        points = [line for line in said if line["event"] == "point"]
        assert [point["step"] for point in points] == list(range(100))
        assert points[0].keys() == {"event", "step", "lr", "loss", "smooth"}
        assert said[-1]["winner"] == pytest.approx(3 * VALLEY)
        assert [entry["name"] for entry in said[-1]["checked"]] == [
            "valley x 3",
            "valley",
            "valley / 3",
            "valley x 10",
        ]

    def test_json_holds_what_is_not_finite(self, launcher, lrtui):
        launcher.sweep = "linear SGD"
        said = lines(lrtui("linear", "--json")[1])
        assert [line["loss"] for line in said if line["event"] == "point"][-1] != ""
        assert "alert" in {line["event"] for line in said}

    def test_text_is_a_chart_its_marks_the_standings_and_sentences(self, launcher, lrtui):
        code, out, _ = lrtui("lr-dial", "--plain")
        assert code == 0
        for words in (
            "loss by learning rate",
            "lines, from the left: steep 0.00486, valley 0.00705, slide 0.242, minimum 0.327",
            "valley x 3",
            "The rules disagree by a factor of 67",
            "found: 0.02116",
            "NaN at step",
            "run: ",
        ):
            assert words in out, words

    def test_no_rate_is_exit_code_one_and_says_why(self, launcher, lrtui):
        launcher.lost = "ValueError: no"
        code, out, _ = lrtui("lr-dial", "--json")
        assert code == 1
        result = lines(out)[-1]
        assert result["reason"].endswith("ValueError: no")
        assert (result["winner"], result["suggestions"]) == (None, dict.fromkeys(RULES))

    def test_race_goes_on_with_the_winner(self, launcher, lrtui):
        code, out, _ = lrtui("lr-dial", "--json", "--race")
        results = [line for line in lines(out) if line["event"] == "result"]
        assert code == 0
        assert "suggestions" in results[0]
        assert [entry["name"] for entry in results[1]["lanes"]].count("found 0.0212") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_sweep_stops_it_and_the_supervisor_that_waits(
    launcher, lrtui, monkeypatch, number
):
    launcher.hold, poll = True, LrFinder.poll

    def interrupted(finder: LrFinder, budget_s: float) -> list:
        found = poll(finder, budget_s)
        os.kill(os.getpid(), number)
        return found

    monkeypatch.setattr(LrFinder, "poll", interrupted)
    code, out, err = lrtui("lr-dial", "--json")
    assert (code, err) == (130, "lrtui: interrupted; the search has been stopped\n")
    assert {line["event"] for line in lines(out)} == {"point"}
    assert told(launcher.made[0].runs[0]) == [Stop(lane=0)]
    assert launcher.made[1].closed


@pytest.mark.xdist_group("processes")
def test_a_real_one_finds_a_rate_that_learns(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lrtui", "find", "linear", "--json", "--runs", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = lines(done.stdout)
    result = said[-1]
    assert [line["step"] for line in said if line["event"] == "point"] == list(
        range(result["points"])
    )
    assert result["suggestions"]["valley"] == pytest.approx(0.0453, rel=0.05)
    assert result["winner"] in [
        pytest.approx(result["suggestions"]["valley"] * factor) for factor in FACTORS.values()
    ]
    best = result["checked"][0]
    assert best["lr"] == result["winner"]
    assert best["smooth_loss"] < best["first_loss"] / 2
    assert len(list(tmp_path.iterdir())) == 2
