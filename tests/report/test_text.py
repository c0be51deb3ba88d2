"""What is left in the scrollback: the standings at any width, and a chart that no losses can make
plotext abort on.

The chart is drawn in this very process: were a NaN or a far spike to reach plotext, the test run
itself would die.
"""

from __future__ import annotations

import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from rich.console import Console

from lrtui.client.follower import Follower
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.numbers import loss, rate
from lrtui.core.protocol.events import Column, Ended, Steps
from lrtui.core.results.ranking import best_evaluation, outcome, ranking_of
from lrtui.core.state.race_state import RaceState, apply
from lrtui.report.curves import loss_limits
from lrtui.report.standings_table import standings_table
from lrtui.report.text import chart, endings, print_report, recipes
from support.fake_run import KINDS, make_race, make_run, started

SPIKES = [0.0, -1.0, 1.0, 1e-38, 1e38, -1e38, 1e-300, math.nan, math.inf, -math.inf]
LOSSES = st.lists(
    st.one_of(
        st.sampled_from(SPIKES),
        st.floats(allow_nan=True, allow_infinity=True),
        st.floats(0.01, 10.0),
    ),
    min_size=0,
    max_size=60,
)


def raced(*lanes: list[float], total: int | None = None) -> RaceState:
    """A race whose lanes have these losses."""
    state = RaceState(make_race(("steady",) * len(lanes)))
    for index, losses in enumerate(lanes):
        apply(state, started(index))
        if losses:
            flat = Column.pack(np.full(len(losses), 0.1))
            apply(
                state,
                Steps(
                    lane=index,
                    at=1.0,
                    first=0,
                    count=len(losses),
                    columns={
                        "loss": Column.pack(losses),
                        "applied_lr": flat,
                        "next_lr": flat,
                        "seconds": flat,
                    },
                ),
            )
    return state


def rows(drawn: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", drawn).splitlines()


class TestTheChart:
    @given(st.lists(LOSSES, min_size=1, max_size=4), st.integers(20, 130), st.booleans())
    @example([[math.nan] * 5], 80, False)
    @example([[math.nan, 1.0, math.nan]], 80, False)
    @example([[1.0, math.inf, 1.0]], 80, True)
    @example([[1.0, 1e38, 1.0, -1e38]], 80, False)
    @example([[1.0, 1e38, 2.0]], 80, False)
    @example([[0.5] * 50], 80, False)
    @example([[-3.0, -2.0, -1.0]], 80, False)
    @example([[0.0] * 9], 80, False)
    @example([[1e-300, 1e-310]], 80, False)
    @example([[1e300, 1e308], [1.0]], 80, False)
    @example([[-1e38], [1e38]], 80, False)
    @example([[]], 80, False)
    @settings(max_examples=150, deadline=None)
    def test_no_losses_abort_it_or_leave_its_frame(
        self, lanes: list[list[float]], width: int, color: bool
    ) -> None:
        drawn = chart(raced(*lanes), width, 20, color=color)
        with np.errstate(over="ignore"):  # curves are kept in single precision
            finite = any(np.isfinite(np.float32(value)) for losses in lanes for value in losses)
        assert bool(drawn) == finite
        assert all(len(row) <= width for row in rows(drawn)[:20])

    @given(st.integers(0, 100_000), st.integers(30, 120))
    @settings(max_examples=10, deadline=None)
    def test_long_races_are_thinned_out(self, steps: int, width: int) -> None:
        noise = np.random.default_rng(0).standard_normal(steps) ** 9
        assert len(rows(chart(raced(noise.tolist()), width, 20, color=False))) in (
            (21,) if steps else (0,)
        )

    def test_a_lane_that_explodes_does_not_flatten_the_others(self):
        state = raced([1.0, 0.5, 0.25, 0.125], [1.0, 1e3, 1e30, math.nan])
        apply(state, Ended(lane=1, at=2.0, step=3, reason="nan"))
        assert loss_limits(state) == AxisLimits(0.1, 1.0, log=True)

    def test_it_is_logarithmic_only_where_every_loss_is_positive(self):
        assert "(log)" in rows(chart(raced([1.0, 0.5]), 80, 20, color=False))[0]
        assert "(log)" not in rows(chart(raced([1.0, 0.0]), 80, 20, color=False))[0]

    def test_a_gap_is_not_drawn_over(self):
        whole = "".join(rows(chart(raced([1.0] * 30), 80, 20, color=False)))
        torn = "".join(
            rows(chart(raced([1.0] * 10 + [math.nan] * 10 + [1.0] * 10), 80, 20, color=False))
        )
        assert 0 < dots(torn) < dots(whole)

    def test_each_lane_has_its_colour_in_curve_and_legend(self):
        drawn = chart(raced([1.0, 0.5, 0.2], [1.0, 0.9, 0.8]), 80, 20, color=True)
        assert drawn.splitlines()[-1].count("\x1b[38;5;") == 2
        assert "A steady" in drawn
        assert "B steady 2" in drawn
        assert "\x1b" not in chart(raced([1.0, 0.5]), 80, 20, color=False)


def dots(drawn: str) -> int:
    return sum(bin(ord(sign) - 0x2800).count("1") for sign in drawn if 0x2800 <= ord(sign) < 0x2900)


@pytest.fixture
def follower(tmp_path: Path):
    found = Follower(make_run(tmp_path, KINDS))
    while not found.caught_up:
        found.poll(5.0)
    yield found
    found.close()


def printed(thing: object, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(thing)
    return out.getvalue().splitlines()


class TestTheStandings:
    @pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
    def test_a_lane_is_one_line_at_any_width_and_its_numbers_are_whole(self, follower, width):
        ranking = ranking_of(follower.state.race, follower.state.lanes)
        lines = printed(standings_table(follower.state, width), width)
        assert len(lines) == 2 + len(KINDS)
        assert [line.split()[:3] for line in lines[2:]] == [
            ["1", "F", "paints"],
            ["2", "A", "steady"],
            ["3", "E", "rests"],
            ["4", "C", "diverges"],
            ["5", "D", "breaks"],
            ["6", "B", "explodes"],
        ]
        for line, state in zip(
            lines[2:],
            [follower.state.lanes["ABCDEF".index(line.split()[1])] for line in lines[2:]],
            strict=True,
        ):
            best = best_evaluation(state, follower.state.lanes, ranking)
            assert {
                rate(state.lane.lr),
                state.status,
                *([loss(state.losses.last)] if width >= 100 else []),
                loss(best[1]) if best else "–",
                loss(outcome(state, follower.state.lanes, ranking)).replace("NaN", "–"),
            } <= set(line.split())
        assert "DIVERGED" in lines[5]
        assert "NaN" in lines[7]

    def test_long_names_are_cut_and_nothing_else(self, follower):
        state = RaceState(
            make_race(("a name that is much longer than a table of eighty columns has room for",))
        )
        (line,) = printed(standings_table(state, 80), 80)[2:]
        assert "…" in line
        assert "waiting" in line

    def test_a_wide_terminal_is_told_the_optimizer_and_the_speed(self, follower):
        assert "Adam" in printed(standings_table(follower.state, 120), 120)[2]
        assert printed(standings_table(follower.state, 120), 120)[2].rstrip().endswith(" 20")


def test_alerts_are_said_in_words_after_the_standings(follower):
    assert [text.plain for text in endings(follower.state)] == [
        "B nan: loss is NaN at step 37",
        "C diverged: smoothed loss 9.9 is above 4 times its best, 2.1",
        "D error: ValueError: [bold]no[/bold]",
    ]


def test_the_report_ends_with_where_the_run_is_on_one_line(follower):
    out = io.StringIO()
    print_report(Console(file=out, width=60), follower.state, follower.run)
    assert out.getvalue().splitlines()[-1] == f"run: {follower.run}"
    assert "\x1b" not in out.getvalue()


def test_a_race_without_a_single_step_has_a_report_without_a_chart(tmp_path):
    out = io.StringIO()
    print_report(Console(file=out, width=80), RaceState(make_race()), tmp_path)
    assert "waiting" in out.getvalue()
    assert "loss by step" not in out.getvalue()


def test_each_recipe_has_a_line_with_its_lanes():
    lanes = [{"lr": 0.1, "ema": 0.9}, {"lr": 0.2}, {"lr": 0.3, "ema": 0.9}]
    race = make_race(("steady",), lane=lanes)
    assert [str(line) for line in recipes(RaceState(race))] == ["A, C: ema 0.9"]
    race = make_race(("steady",), lane=lanes, accumulate=4)
    assert [str(line) for line in recipes(RaceState(race))] == [
        "A, C: accumulate 4, ema 0.9, batch 64 (16 × 4)",
        "B: accumulate 4, batch 64 (16 × 4)",
    ]
    assert not list(recipes(RaceState(make_race(("steady",)))))
