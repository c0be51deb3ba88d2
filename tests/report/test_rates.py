"""The rate chart that is printed and written: any outcomes can be drawn, all that is known stands in
it, and the command beside it races what it says."""

from __future__ import annotations

import inspect
import math
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import example, given, settings, strategies as st

from lrtui.cli.race import race as race_command
from lrtui.cli.race_flags import ScriptFlags, read_race
from lrtui.core.results.rate_chart import rate_chart
from lrtui.core.results.widen import widened, widenings
from lrtui.core.scenario.scenario_file import BUNDLED, load
from lrtui.core.scenario.spec import Lane, Race, letter
from lrtui.core.state.race_state import RaceState
from lrtui.report.rates_svg import rates_svg
from lrtui.report.rates_text import rates_figure
from lrtui.report.repeat import WIDENED, widen_commands
from support.rate_races import race, tell

SVG = "{http://www.w3.org/2000/svg}"
RATES = st.one_of(st.sampled_from([1e-300, 1e-9, 0.1, 1e3, 1e300]), st.floats(1e-12, 1e12))
OUTCOMES = st.one_of(st.floats(width=32), st.just("diverged"), st.none())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(RATES, OUTCOMES), min_size=1, max_size=10),
    st.integers(20, 120),
    st.booleans(),
)
@example([(0.1, math.nan), (0.01, math.nan)], 80, True)
@example([(0.1, 3e38), (0.01, -3e38)], 80, False)
def test_any_outcomes_can_be_printed_and_written(lanes, width, color):
    finite = [
        (rate, None if loss == math.inf or loss == -math.inf else loss) for rate, loss in lanes
    ]
    chart = rate_chart(race(*finite, over=False))
    drawn = rates_figure(chart, width, 16, color=color)
    svg = rates_svg(chart, "a <race>")
    assert bool(drawn) == bool(svg) == chart.drawable
    assert "\x1b" not in drawn or color
    if svg:
        assert "nan" not in re.sub("NaN", "", svg)
        ElementTree.fromstring(svg)


def test_printed_chart_names_lines_and_marks_lost_rates():
    state = race((0.1, 1.0), (0.01, 2.0), (1.0, math.nan), (0.1, 3.0, {"optimizer": "Adam"}))
    rows = rates_figure(rate_chart(state), 70, 16, color=False).splitlines()
    assert "smoothed loss by learning rate, NaN and diverged at the top" in rows[0]
    assert "✗" in rows[2]
    assert rows[-2:] == ["SGD: B A C", "Adam: D"]
    assert "━" in "".join(rows)


def test_picture_holds_every_outcome_and_the_best():
    state = race((0.1, 1.0), (0.01, 2.0), (0.03, 1.02), (1.0, math.nan))
    found = ElementTree.fromstring(rates_svg(rate_chart(state), "t"))
    titles = [one.text for one in found.iter(f"{SVG}title")][1:]
    assert titles == [
        "within 5 % of the best: 0.03 to 0.1",
        "B: rate 0.01, smoothed loss 2.000",
        "C: rate 0.03, smoothed loss 1.020",
        "A: rate 0.1, smoothed loss 1.000",
        "D: rate 1 went NaN or diverged",
    ]
    circles = [one for one in found.iter(f"{SVG}circle") if one.get("r") == "4"]
    x = [float(one.get("cx", "")) for one in circles]
    y = [float(one.get("cy", "")) for one in circles]
    assert x == sorted(x)
    assert y[0] < y[1] < y[2]  # a low loss is below


def test_one_rate_has_no_picture():
    assert rates_svg(rate_chart(race((0.1, 1.0))), "t") == ""


def bundled(**changes) -> RaceState:
    """A bundled scenario that is over, the higher the rate the better."""
    asked = msgspec.structs.replace(load(str(BUNDLED / "diabetes.toml")), **changes)
    return told(asked)


def told(asked: Race) -> RaceState:
    state = RaceState(asked)
    for index, lane in enumerate(asked.lanes):
        tell(state, index, lane.lr, 1 / (1 + lane.lr), {}, over=True)
    return state


def raced_by(command: str) -> Race:
    """The race that the command line asks for."""
    words = shlex.split(command)
    assert words[:2] == ["lrtui", "race"]
    params = dict(race_command.make_context("race", words[2:]).params)
    script = ScriptFlags(**{key: params.pop(key) for key in ScriptFlags._fields})
    own = inspect.signature(race_command.callback).parameters  # what is no flag of the race itself
    name, *_ = [params.pop(key, None) for key in own]
    return read_race(name, params, script)


@pytest.mark.parametrize(
    "changes", [{}, {"epochs": None, "steps": 77, "seed": 3, "rank_by": "loss"}]
)
def test_command_of_a_bundled_scenario_races_what_was_said(changes, tmp_path: Path):
    state = bundled(**changes)
    chart = rate_chart(state)
    (command,) = widen_commands(chart, state, tmp_path)
    asked, wanted = raced_by(command), widened(state, widenings(chart, state))
    for key in ("epochs", "steps", "seed", "seeds", "rank_by", "task", "batch_size"):
        assert getattr(asked, key) == getattr(wanted, key), key
    settings = [
        sorted(map(str, ((lane.optimizer, lane.lr, lane.schedule) for lane in one.lanes)))
        for one in (asked, wanted)
    ]
    assert settings[0] == settings[1]


def test_command_of_a_changed_scenario_writes_a_file_first(tmp_path: Path):
    state = bundled(pace=3)
    run = tmp_path / "a-run"
    assert widen_commands(rate_chart(state), state, run) == [
        f"lrtui report {run} --widen {WIDENED}",
        f"lrtui race {WIDENED}",
    ]


def test_line_of_its_own_optimizer_is_raced_by_flags(tmp_path: Path):
    asked = load(str(BUNDLED / "diabetes.toml"))
    lanes = [lane for lane in asked.lanes if lane.optimizer.name == "SGD"]
    signed: list[Lane] = [
        msgspec.structs.replace(lane, letter=letter(index)) for index, lane in enumerate(lanes)
    ]
    state = told(msgspec.structs.replace(asked, lanes=tuple(signed)))
    (command,) = widen_commands(rate_chart(state), state, tmp_path)
    assert "--optimizer SGD" in command
    assert {lane.optimizer.name for lane in raced_by(command).lanes} == {"SGD"}


def test_nothing_to_widen_has_no_command(tmp_path: Path):
    state = race((0.1, 2.0), (0.01, 1.0), (0.001, 3.0))
    assert widen_commands(rate_chart(state), state, tmp_path) == []
