"""`lrtui schedule`: a schedule drawn and judged before anything is trained, for people and for
programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.core.protocol.launch_protocol import Preview
from lrtui.report.text import rates_chart

pytestmark = pytest.mark.xdist_group("processes")

OWN = """
class Falls:
    def __init__(self, optimizer, by=0.5):
        self.groups, self.by = optimizer.param_groups, by
    def step(self):
        for group in self.groups:
            group["lr"] *= self.by
"""


def schedule(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command into a pipe of 80 columns."""
    env = {"PATH": "/usr/bin:/bin", "COLUMNS": "80", "HOME": str(cwd), "LRTUI_RUNS": str(cwd / "r")}
    return subprocess.run(
        [sys.executable, "-m", "lrtui", "schedule", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )


def test_schedule_into_pipe_prints_chart_rates_and_warnings(tmp_path):
    done = schedule(
        "CosineAnnealingLR(T_max=50, eta_min=1e-4)", "--lr", "0.01", "--epochs", "100", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "learning rate by step, 10k in all, log" in done.stdout
    words = " ".join(done.stdout.split())
    assert (
        "CosineAnnealingLR(T_max=50, eta_min=0.0001) on Adam, 100 epochs of 100 steps, stepped"
        " every epoch" in words
    )
    assert "first 0.01, last 0.00999, lowest 0.0001 at step 5000, highest 0.01 at step 0" in words
    assert (
        "! CosineAnnealingLR is at its lowest, 0.0001, after 50 of 100 epochs and climbs again"
        in words
    )
    assert any("⠀" < char <= "⣿" for char in done.stdout)
    assert not (tmp_path / "r").exists()


def test_a_schedule_that_will_fail_is_told_to_the_shell(tmp_path):
    done = schedule("OneCycleLR(total_steps=20)", "--steps", "84", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")


def test_it_is_one_line_for_a_program(tmp_path):
    done = schedule(
        "OneCycleLR(total_steps=50)",
        "--lr",
        "0.1",
        "--steps",
        "60",
        "--optimizer",
        "SGD",
        "--json",
        cwd=tmp_path,
    )
    (line,) = (json.loads(line, parse_constant=pytest.fail) for line in done.stdout.splitlines())
    assert line["event"] == "schedule"
    assert (line["total_steps"], line["known_steps"], line["lr"], line["interval"]) == (
        60,
        51,
        0.1,
        "batch",
    )
    assert (line["steps"][0], line["steps"][-1]) == (0, 50)
    assert line["first"] == line["rates"][0] == pytest.approx(0.004)
    assert line["highest"] == pytest.approx(0.1)
    assert any(
        text.startswith("OneCycleLR has 50 steps and raises after 51 of 60 steps")
        for text in line["warnings"]
    )


def test_a_scenarios_lanes_are_drawn_together_each_with_its_line(tmp_path):
    done = schedule("schedules", "--json", cwd=tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["lane"] for line in lines] == list("ABCDEFGHI")
    assert {line["steps_per_epoch"] for line in lines} == {16}
    (warned,) = (line for line in lines if line["warnings"])
    assert warned["name"] == "cosine"
    assert re.match(r"schedules\.toml:\d+: CosineAnnealingLR", warned["warnings"][0])


def test_a_class_of_ones_own_is_run_because_one_named_it(tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    done = schedule(
        "mine.py:Falls(by=0.1)",
        "--lr",
        "1",
        "--epochs",
        "3",
        "--steps-per-epoch",
        "7",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "first 1, last 0.01, lowest 0.01 at step 14, highest 1 at step 0" in " ".join(
        done.stdout.split()
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["StepLRR"], 'no schedule and no scenario "StepLRR"; did you mean "StepLR"?'),
        (["StepLR("], "is not a valid call"),
        (["StepLR"], "step_size: missing"),
        (["nowhere.toml"], "nowhere.toml: no such file"),
        (["cosine", "--lr", "0"], "is not a valid learning rate"),
        (["cosine", "--lr", "nan"], "is not a valid learning rate"),
        (["cosine", "--epochs", "1", "--steps", "1"], "exclude each other"),
        (["cosine", "--steps-per-epoch", "0"], "steps-per-epoch"),
        (["cosine", "--optimizer", "Adamm"], 'did you mean "Adam"?'),
        (["LambdaLR(lr_lambda='().__class__')"], "is not arithmetic"),
        (["LambdaLR(lr_lambda='mine.py:f')"], "mine.py: No such file"),
        (["mine.py:Falls"], "mine.py: No such file"),
        (["\x1b]0;owned\x07"], "no schedule and no scenario"),
    ],
)
def test_bad_words_are_refused(args, words, tmp_path):
    done = schedule(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr
    assert 1 <= len(done.stderr.splitlines()) <= 2
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stderr)


def test_what_torch_refuses_is_refused(tmp_path):
    done = schedule("CyclicLR(base_lr=[0.1], max_lr=[0.1, 0.2])", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "lrtui: flags: lane A (Adam, CyclicLR(base_lr=[0.1], max_lr=[0.1, 0.2])): "
    )


class TestChart:
    """The chart itself, without a supervisor."""

    def test_an_axis_is_logarithmic_only_where_rates_span_decades(self):
        wide = Preview([0, 50], [0.1, 0.001], 100)
        narrow = Preview([0, 50], [0.1, 0.05], 100)
        assert ", log" in rates_chart([wide], 80, 15, color=False)
        assert ", log" not in rates_chart([narrow], 80, 15, color=False)

    @pytest.mark.parametrize(
        "preview",
        [
            Preview([0], [0.1], 1),
            Preview([0], [0.0], 10),
            Preview([0, 1], [0.0, 0.1], 2),
            Preview([0, 5], [0.1, -0.1], 10),
            Preview([0, 5], [1e-300, 1e300], 10),
            Preview([0], [0.1], 10**12),
            Preview([0, 3], [0.1, 0.2], 10, cut=4),
        ],
    )
    def test_whatever_the_rates_are_there_is_a_chart(self, preview):
        drawn = rates_chart([preview], 80, 15, color=False)
        assert "learning rate by step" in drawn
        assert max(map(len, drawn.splitlines())) <= 80

    @pytest.mark.parametrize(
        "rates", [[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1], [0.1, 0.4, 0.2, 0.3]]
    )
    def test_stairs_are_level_between_their_steps_up_and_down(self, rates):
        rows = rates_chart(
            [Preview([0, 100, 200, 300], rates, 400)], 80, 15, color=False
        ).splitlines()
        curve = [re.split("[│┤]", row)[1] for row in rows if row.count("│") + row.count("┤") > 1]
        columns = ["".join(column) for column in zip(*curve, strict=True)]
        edges = [
            at
            for at, column in enumerate(columns)
            if len([char for char in column if char > "⠀"]) > 1
        ]
        # one column of the screen for each step; all others have one row of dots
        assert len(edges) == 3
        level = {
            "".join(sorted(set(column))).strip()
            for at, column in enumerate(columns)
            if at not in edges
        }
        assert len(level) <= 7  # ink of four levels, with the ends of each

    def test_of_nothing_known_there_is_none(self):
        assert rates_chart([Preview([], [], 10, unknown="own code")], 80, 15, color=False) == ""

    def test_nothing_is_drawn_beyond_where_it_is_cut(self):
        rows = rates_chart(
            [Preview([0, 10], [0.1, 0.2], 100, cut=50)], 80, 15, color=False
        ).splitlines()
        curve = [row.partition("│")[2] or row.partition("┤")[2] for row in rows]
        assert (
            max(
                (row.rstrip("│ ").rfind(char) for row in curve for char in row if char > "⠀"),
                default=0,
            )
            < 45
        )
