"""Lanes with several param groups on the screen: the rates of one of them, by its name."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from lrtui.core.diagnostics.verdicts import verdict
from lrtui.core.protocol.commands import SetRate
from lrtui.core.protocol.events import Alerted, AnyEvent, Column, Evaluated, Steps
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from lrtui.tui import axis_fit
from lrtui.tui.render import chart, facts, marks
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.view import RaceView
from support.drawing import drawn
from support.fake_run import commands, make_race, make_run, story
from support.param_groups import NAMES, with_groups
from support.viewer import Viewer

KINDS = ("steady", "diverges", "paints")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A race of three lanes, 60 steps far; A and B have two param groups, C has one."""
    made = create_run(tmp_path, make_race(KINDS))
    writer = Writer(made, SUPERVISOR_ROLE)
    for index, kind in enumerate(KINDS):
        events = story(index, kind, 60)
        events = [event for event in events if not isinstance(event, Alerted)]
        writer.append([row(event) for event in (with_groups(events) if index < 2 else events)])
    writer.beat()
    writer.close()
    return made


def state_with(names: tuple[str, ...] = NAMES, kind: str = "steady", done: int = 60) -> RaceState:
    state = RaceState(make_race((kind,)))
    for event in with_groups(story(0, kind, done), names):
        apply(state, event)
    return state


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (200, 50)])
def test_pane_shows_the_next_group_when_asked(run, size):
    with Viewer(run.parent, run, size) as viewer:
        viewer.look()
        assert "body" in viewer.text
        viewer.press("G")
        assert "head" in viewer.text
        assert "body" not in viewer.text
        viewer.press("G")
        assert "body" in viewer.text
        assert "head" not in viewer.text


def test_all_lanes_with_such_a_group_follow(run):
    with Viewer(run.parent, run, (80, 24)) as viewer:
        viewer.look()
        viewer.press("G")
        assert "head 0.553" in viewer.text
        assert "head 0.0553" in viewer.text
        assert "lr 5.53e-4" in viewer.text  # C has one group


def test_lane_with_one_group_says_so(run):
    with Viewer(run.parent, run, (80, 24)) as viewer:
        viewer.look()
        viewer.press("3", "G")
        assert viewer.toasts == ["C paints has one param group: its rate is shown"]


def test_large_view_has_the_chosen_group_first(run):
    with Viewer(run.parent, run, (80, 30)) as viewer:
        viewer.look()
        viewer.press("enter", "G")
        rows = [line for line in viewer.lines if "0.547" in line and "–" in line]
        assert rows[0].split()[:2] == ["0.553", "0.547"]
        assert "head" in rows[0]


def test_explanation_is_of_the_chosen_group(run):
    with Viewer(run.parent, run, (120, 40)) as viewer:
        viewer.look()
        viewer.press("G", "i")
        assert "2 of 2 param groups" in viewer.text
        assert "0.553" in viewer.text


def test_typed_rate_is_that_of_the_chosen_group(run):
    with Viewer(run.parent, run, (100, 30)) as viewer:
        viewer.look()
        viewer.press("G", "=")
        assert "the learning rate of head at the next step" in viewer.text
        assert viewer.screen.query_one("#field-rate").value == "0.547157"
        viewer.screen.query_one("#field-rate").value = "0.2"
        viewer.press("enter")
        (command,) = commands(run)
        assert isinstance(command, SetRate)
        assert command.rate == pytest.approx(0.02)


@pytest.mark.parametrize(
    "name", ["h", "a very long name of a group", "a\x1b[31m[b]b", "日本語の名前です"]
)
def test_group_name_never_pushes_out_the_numbers(name):
    state = state_with(("body", name))
    view = RaceView(group=name.replace("\x1b", "?"))
    for width in range(26, 130, 5):
        for height in (6, 9, 14, 24):
            rows = drawn(state, 0, Canvas(width, height), view)
            whole = drawn(state_with(("all",)), 0, Canvas(width, height), view)
            assert rows[0] == whole[0]
            assert any("loss" in row for row in rows[2:7])
            assert [row.count("loss") for row in rows] == [row.count("loss") for row in whole]
            assert all("\x1b" not in row for row in rows)


def test_rate_axis_follows_the_chosen_group():
    state, view = state_with(), RaceView()
    axis_fit.fit(view, state)
    assert view.rate_limits.high < 0.2
    view = RaceView(group="head")
    axis_fit.fit(view, state)
    assert view.rate_limits.high > 0.9


@pytest.mark.parametrize("zooms", [[], [(0.0, 30.0)]])
def test_rate_chart_joins_the_rates_around_skipped_steps(zooms):
    state, whole = (RaceState(make_race(("steady",))) for _ in range(2))
    for event in story(0, "steady", 60):
        apply(whole, event)
        apply(state, skipping(event, {0, 1, 5, 17, 59}))
    pictures = []
    for each in (whole, state):
        view, canvas = RaceView(zooms=list(zooms)), Canvas(60, 6)
        axis_fit.fit(view, each)
        chart.rates(canvas, each.lanes[0], each.race, view)
        pictures.append((canvas.codes > ord(" ")).any(axis=0))
    assert (pictures[0] & ~pictures[1]).sum() <= 4  # the first steps have no rate
    assert state.lanes[0].rates.applied == pytest.approx(0.1 * 0.99**58)


def test_skipped_step_is_no_loss_of_the_rate_and_no_gap():
    state = RaceState(make_race(("steady",)))
    for event in story(0, "steady", 60):
        apply(state, skipping(event, {17}))
    lane, view = state.lanes[0], RaceView(quantity="applied_lr")
    assert marks.gaps(lane, view) == []
    canvas = Canvas(60, 6)
    axis_fit.fit(view, state)
    chart.curve(canvas, lane, state.race, view)
    assert (canvas.codes != ord(chart.NAN_MARK)).all()


def skipping(event: AnyEvent, steps: set[int]) -> AnyEvent:
    """The event of a lane whose GradScaler skips some steps."""
    if not isinstance(event, Steps):
        return event
    skipped = np.isin(np.arange(event.first, event.first + event.count), list(steps))
    rates = np.where(skipped, np.nan, event.values("applied_lr"))
    more = {"applied_lr": Column.pack(rates), "skipped": Column.pack(skipped.astype(float))}
    return msgspec.structs.replace(event, columns={**event.columns, **more})


def test_recipe_stands_in_the_facts_with_what_became_of_the_steps():
    raw = make_race(("steady",), clip_grad_norm=1.0, accumulate=4)
    state = RaceState(raw)
    for event in story(0, "steady", 60):
        apply(state, skipping(event, {3, 4}))
    lane, view, canvas = state.lanes[0], RaceView(), Canvas(100, 7)
    facts.draw(canvas, lane, verdict(lane, state), view, state.race)
    rows = [canvas.strip(y).text.strip() for y in range(7)]
    assert "clip_grad_norm 1, accumulate 4, batch 64 (16 × 4); skipped 2 steps" in rows


def test_pane_and_explanation_have_the_recipe(tmp_path):
    run = make_run(tmp_path, ("steady",), done=60, live=True, ema=0.99)
    with Viewer(tmp_path, run, (120, 30)) as viewer:
        viewer.look()
        assert "Adam lr=0.1, ema 0.99" in viewer.text
        viewer.press("i")
        assert viewer.text.count("ema 0.99") == 2  # the pane is seen above the explanation


def test_averaged_metric_stands_beside_the_raw_one():
    state = RaceState(make_race(("steady",), ema=0.99))
    for event in story(0, "steady", 60):
        if isinstance(event, Evaluated):
            more = {"acc": 0.5, **event.metrics, "ema_val_loss": 0.25}
            event = msgspec.structs.replace(event, metrics=more)
        apply(state, event)
    (row,) = (row for row in drawn(state, 0, Canvas(120, 20)) if "ema_val_loss" in row)
    assert row.index("acc") < row.index(" val_loss") < row.index("ema_val_loss 0.2500")
