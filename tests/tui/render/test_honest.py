"""What is drawn of a lane is dot for dot what a slow raster of all its points draws: on every axis,
at every size and zoom."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lrtui.core.charts.axes import CLOCKS, KINDS, XAxis, XKind, whole
from lrtui.core.charts.axis_limits import AxisLimits
from lrtui.core.charts.metric_series import smoothed, track
from lrtui.core.protocol.events import Column, Evaluated, Measured, Started, Steps
from lrtui.core.state.lane_state import LaneState
from lrtui.core.state.race_state import RaceState, apply
from lrtui.tui import axis_fit
from lrtui.tui.render import chart, raster
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView
from support.drawing import SlowRaster
from support.fake_run import BEGAN, make_race

STEPS, PER_EPOCH, BLOCK = 3000, 100, 250
SIZES = [(48, 12), (19, 3), (4, 1), (80, 30), (31, 9)]
"""Cells."""
ZOOMS = [(0.0, 1.0), (0.43031, 0.61173)]
"""Parts of the whole axis; odd ones, so that no step lies within a rounding error of the border of
a column."""


def curve(kind: str) -> NDArray[np.float32]:
    """Losses: a walk, one with spikes of a single step, one with gaps, one that is little else."""
    random = np.random.default_rng(len(kind))
    walk = np.exp(np.cumsum(random.normal(0, 0.05, STEPS)) - np.linspace(0, 2, STEPS))
    if kind == "spikes":
        walk[random.integers(0, STEPS, 12)] *= np.array([40, 1e-3, 1e6] * 4)
    if kind == "gaps":
        for first in (3, 700, 1500, 1502, 1504, 2400):
            walk[first : first + (1 if first % 2 else 37)] = [math.nan, math.inf, -math.inf][
                first % 3
            ]
    if kind == "sparse":
        walk[random.random(STEPS) < 0.97] = math.nan
    return walk.astype(np.float32)


def raced(losses: NDArray[np.float32], per_block: int = BLOCK) -> RaceState:
    """One lane that made these losses, slower and slower, with a pause after every block."""
    state = RaceState(make_race(("steady",)))
    apply(
        state,
        Started(
            lane=0,
            at=BEGAN,
            device="cpu",
            steps_per_epoch=PER_EPOCH,
            total_steps=len(losses),
            parameters=1,
            init_checksum="",
            batch_checksum="",
            intra_op_threads=1,
            validated=True,
        ),
    )
    seconds, now = np.linspace(0.01, 0.05, len(losses)), BEGAN
    for first in range(0, len(losses), per_block):
        part = slice(first, first + per_block)
        now += float(seconds[part].sum()) + 3
        columns = {
            "loss": Column.pack(losses[part], "f4"),
            "seconds": Column.pack(seconds[part]),
            "applied_lr": Column.pack([0.1] * len(losses[part])),
            "next_lr": Column.pack([0.1] * len(losses[part])),
        }
        apply(state, Steps(lane=0, at=now, first=first, count=len(losses[part]), columns=columns))
    return state


class ByColumn(SlowRaster):
    """The slow raster, told the column of each point."""

    def column(self, x: float) -> int:
        return int(x)


def columns_of(state: RaceState, x: XAxis, steps: NDArray[np.int64], width: int) -> list[int]:
    """The dot column of each step, by the formula of the axis; by the lane's own clock where that
    is the axis."""
    if x.kind in CLOCKS:
        return x.columns(state.lanes[0], state.race, steps, width).tolist()
    values = steps / {"step": 1, "epoch": PER_EPOCH, "samples": 1 / state.race.batch_size}[x.kind]
    low, high = (math.log1p(x.start), math.log1p(x.stop)) if x.log else (x.start, x.stop)
    return (
        np.floor(((np.log1p(values) if x.log else values) - low) / (high - low) * width)
        .astype(int)
        .tolist()
    )


def zoomed(state: RaceState, kind: XKind, log: bool, zoom: tuple[float, float]) -> XAxis:
    full = whole(state, kind, log)
    return full._replace(
        start=full.value_at(zoom[0] * 1000, 1000), stop=full.value_at(zoom[1] * 1000, 1000)
    )


def compare(
    state: RaceState,
    name: str,
    x: XAxis,
    size: tuple[int, int],
    limits: AxisLimits,
    weight: float = 0.0,
) -> None:
    """The dots of a quantity against those of all its points."""
    lane, (width, height) = state.lanes[0], size
    found = smoothed(lane, name, weight)
    assert found is not None
    window = found.window(lane, state.race, x, 2 * width)
    drawn = raster.draw(window, height, limits.low, limits.high, limits.log).bits
    steps = np.arange(len(found.series)) if found.steps is None else found.steps
    points = list(
        zip(columns_of(state, x, steps, 2 * width), found.series.values.tolist(), strict=True)
    )
    slow = ByColumn(points, 0, 2 * width, 2 * width, height).draw(
        limits.low, limits.high, limits.log
    )
    np.testing.assert_array_equal(drawn, slow)


@pytest.fixture(scope="module")
def races() -> dict[str, RaceState]:
    """A race for each kind of curve."""
    return {kind: raced(curve(kind)) for kind in ("walk", "spikes", "gaps", "sparse")}


@pytest.mark.parametrize("log_y", [False, True], ids=["linear y", "log y"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("zoom", ZOOMS, ids=["all", "a part"])
@pytest.mark.parametrize("kind", ["walk", "spikes", "gaps", "sparse"])
def test_dot_for_dot_all_points_on_every_axis(races, kind, zoom, size, log_y):
    limits = AxisLimits.around(0.05, 3.0, log_y)
    for x_kind in KINDS:
        for x_log in (False, True):
            x = zoomed(races[kind], x_kind, x_log, zoom)
            compare(races[kind], "loss", x, size, limits)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("zoom", ZOOMS, ids=["all", "a part"])
def test_the_same_of_a_smoothed_curve(races, zoom, size):
    for kind in ("spikes", "gaps"):
        compare(
            races[kind],
            "loss",
            zoomed(races[kind], "step", False, zoom),
            size,
            AxisLimits.around(0.05, 3.0, True),
            weight=0.97,
        )


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("zoom", ZOOMS, ids=["all", "a part"])
@pytest.mark.parametrize("x_kind", KINDS)
def test_the_same_of_what_is_measured_now_and_then(zoom, size, x_kind):
    state, random = raced(curve("walk")), np.random.default_rng(3)
    for epoch in range(1, 30):
        value = math.nan if epoch in (7, 8, 20) else float(random.uniform(0.1, 2))
        apply(
            state,
            Evaluated(
                lane=0, epoch=epoch, step=epoch * PER_EPOCH, loss=1.0, metrics={"val_loss": value}
            ),
        )
    steps = sorted(random.choice(STEPS, 200, replace=False).tolist())
    apply(
        state,
        Measured(
            lane=0, steps=steps, columns={"gain": Column.pack(random.normal(size=200))}, spent=0.0
        ),
    )
    for name in ("val_loss", "gain"):
        for x_log in (False, True):
            compare(
                state, name, zoomed(state, x_kind, x_log, zoom), size, AxisLimits.around(-1.0, 2.0)
            )


def test_a_lane_that_grows_is_drawn_as_if_it_had_always_been_so_long():
    state, losses = RaceState(make_race(("steady",))), curve("gaps")
    x = XAxis("step", False, 0.0, float(STEPS))
    for last in range(BLOCK, STEPS + 1, BLOCK):
        state = raced(losses[:last]) if last == BLOCK else state
        if last > BLOCK:
            columns = {
                name: Column.pack(
                    losses[last - BLOCK : last] if name == "loss" else [0.1] * BLOCK, "f4"
                )
                for name in ("loss", "seconds", "applied_lr", "next_lr")
            }
            apply(
                state,
                Steps(lane=0, at=BEGAN + last, first=last - BLOCK, count=BLOCK, columns=columns),
            )
        compare(state, "loss", x, (60, 12), AxisLimits.around(0.05, 3.0, True))
        compare(state, "loss", x, (60, 12), AxisLimits.around(0.05, 3.0, True), weight=0.9)


def shown(
    state: RaceState, width: int = 60, height: int = 12, **wanted: object
) -> tuple[list[str], RaceView]:
    """The rows of a lane's chart."""
    view, canvas = RaceView(), Canvas(width, height)
    for name, value in wanted.items():
        setattr(view, name, value)
    axis_fit.fit(view, state)
    chart.curve(canvas, state.lanes[0], state.race, view)
    return [canvas.strip(y).text for y in range(height)], view


def test_a_spike_of_one_step_in_a_million_is_seen():
    losses = np.full(1_000_000, 0.5, np.float32)
    losses[654_321] = 0.9
    rows, _ = shown(raced(losses, per_block=100_000), width=100, full_range=True)
    marked = [row for row in rows if row.strip()]
    assert len(marked) > 5
    assert {row.find(row.strip()) for row in marked[:-1]} == {65}
    rows, _ = shown(raced(losses, per_block=100_000), width=100)
    assert "↑" in rows[0]
    assert rows[0].index("↑") == 65


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("log", [True, False])
def test_nan_and_infinities_break_the_line_and_leave_a_cross(bad, log):
    losses = np.linspace(1.0, 0.5, 600).astype(np.float32)
    losses[200:300] = losses[500:] = bad
    rows, view = shown(raced(losses), log=log)
    crosses = [
        (row.index("✗", at), y)
        for y, row in enumerate(rows)
        for at in range(len(row))
        if row.startswith("✗", at)
    ]
    assert len(crosses) == 2
    for (x, y), step in zip(sorted(crosses), (199, 499), strict=True):
        assert x == step * 60 // 600
        assert (
            y
            == raster.dot_row(
                float(losses[step]), 48, view.limits.low, view.limits.high, view.limits.log
            )
            // 4
        )
    blank = [row[21:30] for row in rows] + [row[51:] for row in rows]
    assert not "".join(blank).strip()


def test_a_lone_point_between_two_gaps_is_seen():
    losses = np.full(600, math.nan, np.float32)
    losses[[100, 300, 301, 500]] = 1.0
    rows, _ = shown(raced(losses))
    drawn = [row for row in rows if row.strip()]
    assert len(drawn) == 1
    assert [at for at, sign in enumerate(drawn[0]) if sign != " "] == [10, 30, 50]


def test_a_metric_that_was_nan_for_an_epoch_has_a_cross_too():
    state = raced(curve("walk"))
    for epoch in range(1, 21):
        value = math.nan if epoch == 9 else 1 / epoch
        apply(
            state,
            Evaluated(
                lane=0, epoch=epoch, step=epoch * PER_EPOCH, loss=1.0, metrics={"val_loss": value}
            ),
        )
    rows, _ = shown(state, quantity="val_loss")
    assert "".join(rows).count("✗") == 1
    assert "✗" not in "".join(shown(state)[0])


def test_what_was_not_measured_is_no_gap():
    state = raced(np.full(BLOCK, 0.5, np.float32))
    norms = np.where(np.arange(BLOCK) % 10, np.nan, 2.0)
    columns = {
        name: Column.pack(norms if name == "grad_norm" else [0.1] * BLOCK, "f4")
        for name in ("loss", "seconds", "applied_lr", "next_lr", "grad_norm")
    }
    apply(state, Steps(lane=0, at=BEGAN + 99, first=BLOCK, count=BLOCK, columns=columns))
    rows, _ = shown(state, quantity="grad_norm")
    drawn = [row for row in rows if row.strip()]
    assert len(drawn) == 1
    assert "✗" not in drawn[0]
    assert len(drawn[0].strip()) == len(drawn[0].strip().replace(" ", ""))


def test_curves_leave_the_chart_with_arrows():
    losses = np.full(600, 0.5, np.float32)
    losses[300:310], losses[400:405] = 50, 1e-5
    rows, _ = shown(raced(losses))
    assert [at for at, sign in enumerate(rows[0]) if sign == "↑"] == [30]
    assert [at for at, sign in enumerate(rows[-1]) if sign == "↓"] == [40]
    rows, _ = shown(raced(losses), full_range=True)
    assert not {"↑", "↓"} & set("".join(rows))


def test_a_logarithmic_axis_becomes_linear_where_a_value_is_not_above_zero():
    losses = np.linspace(1, -1, 600).astype(np.float32)
    _, view = shown(raced(losses))
    assert view.axis_words == "loss lin"
    assert shown(raced(np.abs(losses) + 1))[1].axis_words == "loss log"


def test_a_track_that_nobody_has_is_nothing():
    lane: LaneState = RaceState(make_race(("steady",))).lanes[0]
    assert track(lane, "loss") is None
    assert track(lane, "accuracy") is None
