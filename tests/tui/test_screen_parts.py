"""The parts of the race screen without the screen: painter and controllers on a record, no widget."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrtui.client.commands import CommandClient
from lrtui.client.follower import Follower
from lrtui.core.errors import LrtuiError
from lrtui.core.scenario.spec import Race
from lrtui.tui import axis_fit
from lrtui.tui.machine_history import History
from lrtui.tui.race_painter import RacePainter, Status
from lrtui.tui.race_panels import Panel, race_panels
from lrtui.tui.redraw_policy import RedrawPolicy
from lrtui.tui.render.canvas import Canvas
from lrtui.tui.screens.crosshair_actions import CrosshairActions
from lrtui.tui.screens.curve_actions import CurveActions
from lrtui.tui.screens.forms import Choice, Form
from lrtui.tui.screens.lane_actions import LaneActions
from lrtui.tui.screens.lane_list_actions import LaneListActions
from lrtui.tui.screens.panel_actions import PanelActions
from lrtui.tui.screens.race_actions import Controllers, action_table
from lrtui.tui.screens.widen_actions import WidenActions
from lrtui.tui.view import PanelName, RaceView

PURE = (
    "lrtui.tui.redraw_policy",
    "lrtui.tui.race_painter",
    "lrtui.tui.screens.race_actions",
    "lrtui.tui.screens.report_actions",
)


class FakeUi:
    """Notes what controllers ask for."""

    def __init__(self) -> None:
        self.asked: list[Form | Choice] = []
        self.left: list[bool] = []
        self.answer: Callable[[Any], None] = print

    def ask(self, question: Form | Choice, on_answer: Callable[[Any], None]) -> None:
        self.asked.append(question)
        self.answer = on_answer

    def in_thread(self, job: Callable[[], Any], on_done: Callable[[Any], None]) -> None:
        on_done(job())

    def show(self, text: str, seconds: float, severity: str = "information") -> None:
        pass

    def watch_for_reply(self) -> None:
        pass

    def leave(self, *, when_over: bool = False) -> None:
        self.left.append(when_over)


class Parts:
    """What `RaceScreen` composes, without it."""

    def __init__(self, follower: Follower) -> None:
        self.state, self.view, self.ui = follower.state, RaceView(), FakeUi()
        panels: dict[PanelName, Panel] = race_panels(follower, self.view, RedrawPolicy())
        self.opened: list[Path] = []
        self.painter = RacePainter(
            self.state, self.view, panels, lambda lane, step: None, lambda lane: []
        )
        self.canvas = Canvas(100, 30)
        curves = CurveActions(self.state, self.view, self.painter)
        commands = CommandClient(follower)
        self.controllers = Controllers(
            curves,
            CrosshairActions(self.state, self.view, self.painter, curves),
            PanelActions(follower, self.view, self.painter, panels),
            LaneListActions(self.state, self.view, self.painter),
            LaneActions(follower, self.view, commands, self.ui),
            WidenActions(self.state, self.view, follower.run.parent, self.ui, self.opened.append),
        )
        self.do = action_table(self.controllers)
        self.status = Status("", "", False, None, History(), 0)
        self.painter.redraw(self.canvas, self.status)

    @property
    def lines(self) -> list[str]:
        return [self.canvas.strip(y).text for y in range(self.canvas.height)]


@pytest.fixture
def parts(follower: Follower) -> Parts:
    return Parts(follower)


@pytest.mark.parametrize("module", PURE)
def test_painter_policy_and_controllers_load_no_widget(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"textual.app", "textual.screen", "textual.widget"} & set(json.loads(done.stdout))


def test_the_painter_draws_only_what_is_out_of_date(parts: Parts) -> None:
    before = parts.canvas.copy()
    parts.painter.draw(parts.canvas, parts.status, figures=False)
    assert not parts.canvas.changed(before)
    assert not parts.painter.moved()
    parts.painter.draw(parts.canvas, parts.status._replace(commands="A: rate ×1.78 …"))
    assert "A: rate ×1.78 …" in parts.lines[-2]
    parts.painter.draw(parts.canvas, parts.status._replace(trouble="the supervisor died"))
    assert "the supervisor died" in parts.lines[0]


def test_an_empty_canvas_stays_so(parts: Parts) -> None:
    parts.painter.draw(Canvas(0, 0), parts.status)
    parts.painter.redraw(Canvas(0, 0), parts.status)


def test_actions_change_the_view_alone(parts: Parts) -> None:
    before = parts.canvas.copy()
    parts.do["smooth"](1)
    parts.do["zoom"](1)
    parts.do["crosshair"]()
    assert parts.view.smoothing == 0.6
    assert len(parts.view.zooms) == 1
    assert parts.view.cursor is not None
    assert not parts.canvas.changed(before)


def test_escape_hides_the_crosshair_before_the_filter(parts: Parts) -> None:
    parts.do["crosshair"]()
    parts.controllers.lane_list.apply_filter("steady", True)
    parts.do["enlarge"]()
    parts.do["back"]()
    assert parts.view.panel == "panes"
    assert parts.view.cursor is not None
    parts.do["back"]()
    assert parts.view.cursor is None
    assert parts.view.filter_text
    parts.do["back"]()
    assert not parts.view.filter_text


def test_the_wheel_has_one_route(parts: Parts) -> None:
    chart = parts.painter.charts()[0]
    assert parts.controllers.wheel(chart.x + 1, chart.y + 1, -1)
    assert len(parts.view.zooms) == 1
    assert not parts.controllers.wheel(0, 29, -1)
    parts.do["log"]()
    parts.painter.redraw(parts.canvas, parts.status)
    assert parts.controllers.wheel(chart.x + 1, chart.y + 1, -1)
    assert len(parts.view.zooms) == 1


def test_a_key_about_curves_is_refused_where_none_are(parts: Parts) -> None:
    parts.do["log"]()
    with pytest.raises(LrtuiError, match="shows them"):
        parts.do["zoom"](1)


def test_a_hidden_lane_is_sent_nothing(parts: Parts) -> None:
    parts.view.shown = []
    with pytest.raises(LrtuiError, match="no lane is shown"):
        parts.do["pause"]()


def test_leaving_a_race_that_goes_on_asks_first(parts: Parts) -> None:
    parts.do["leave"]()
    assert isinstance(parts.ui.asked[0], Choice)
    parts.ui.answer("back")
    assert parts.ui.left == []
    parts.ui.answer("leave")
    assert parts.ui.left == [False]


def test_an_ended_lane_is_rewound_by_a_form(parts: Parts) -> None:
    axis_fit.fit(parts.view, parts.state)
    parts.do["rewind"]()
    (form,) = parts.ui.asked
    assert isinstance(form, Form)
    assert form.choices[-1] == "step 0: the initial weights"
    with pytest.raises(LrtuiError, match="is not a number"):
        form.read({"by": "x", "choice": "0"})


def test_enter_in_the_rate_chart_asks_and_opens_the_race_that_widens_it(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Race] = []
    monkeypatch.setattr(
        parts.controllers.widen,
        "_start",
        lambda race, runs: (started.append(race), runs / "another")[1],
    )
    parts.do["rates"]()
    parts.painter.redraw(parts.canvas, parts.status)
    parts.do["enlarge"]()
    (question,) = parts.ui.asked
    assert isinstance(question, Choice)
    assert list(question.answers) == ["y", "n"]
    parts.ui.answer("")
    assert not started
    parts.ui.answer("1")
    (race,) = started
    assert race.title.startswith("Widened to ")
    assert [run.name for run in parts.opened] == ["another"]


def test_enter_says_why_nothing_is_widened(parts: Parts) -> None:
    parts.view.shown = [0]
    parts.view.panel = "rates"
    with pytest.raises(LrtuiError, match="there is nothing to widen"):
        parts.do["enlarge"]()
    assert not parts.ui.asked
