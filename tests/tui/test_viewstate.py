"""What a person chose to see of a scenario is there the next time; a file that is no good is said once and passed over."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from lrtui.tui import viewstate
from lrtui.tui.view import RaceView


def kept(**changes: object) -> RaceView:
    view = RaceView()
    for name, value in changes.items():
        setattr(view, name, value)
    return view


def test_axes_layout_and_order_come_back_for_the_same_scenario_only() -> None:
    chosen = {"stage": "overlay", "quantity": "val_loss", "log": False, "x_kind": "epoch", "x_log": True, "smoothing": 0.9,
              "full_range": True, "order": "best", "base": 1}
    viewstate.keep(kept(**chosen, chosen=3, zooms=[(1.0, 2.0)], cursor=4.0, words="adam"), "lr-dial")
    again, other = RaceView(), RaceView()
    assert viewstate.restore(again, "lr-dial") == viewstate.restore(other, "explode") == ""
    assert viewstate.chosen(again) == chosen
    assert (again.chosen, again.zooms, again.cursor, again.words) == (0, [], None, "")
    assert viewstate.chosen(other) == viewstate.chosen(RaceView())


@pytest.mark.parametrize("stage", ["log", "console", "differences", "filmstrip"])
def test_what_is_looked_at_and_left_is_not_where_the_next_race_begins(stage: str) -> None:
    viewstate.keep(kept(stage=stage, smoothing=0.9), "a")
    view = RaceView()
    assert viewstate.restore(view, "a") == ""
    assert (view.stage, view.smoothing) == ("panes", 0.9)


def test_the_last_of_several_viewers_counts_and_the_oldest_scenarios_go() -> None:
    for number in range(viewstate.MOST + 5):
        viewstate.keep(kept(base=number % 3), f"scenario {number}")
    viewstate.keep(kept(base=2), "scenario 5")
    known = json.loads(viewstate.path().read_text())
    assert len(known) == viewstate.MOST
    assert "scenario 4" not in known
    assert list(known)[-1] == "scenario 5"
    assert known["scenario 5"]["base"] == 2


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": 3}', b"\xff\xfe", b""])
def test_a_broken_file_is_said_and_made_anew(content: bytes) -> None:
    viewstate.path().parent.mkdir(parents=True)
    viewstate.path().write_bytes(content)
    view = RaceView()
    assert viewstate.restore(view, "a") == f"{viewstate.path()}: not what lrtui wrote: axes and layout begin as usual"
    assert viewstate.chosen(view) == viewstate.chosen(RaceView())
    viewstate.keep(kept(log=False), "a")
    assert viewstate.restore(view, "a") == ""
    assert not view.log


@pytest.mark.parametrize(("name", "value"), [
    ("stage", "kitchen"), ("stage", "log"), ("stage", 3), ("x_kind", "miles"), ("smoothing", 1.0), ("smoothing", -1),
    ("smoothing", "much"),
    ("log", "yes"), ("base", 99), ("order", None), ("chosen", 7), ("nonsense", 1), ("zooms", [[1, 2]]),
])
def test_a_value_that_no_view_has_is_passed_over_and_the_rest_counts(name: str, value: object) -> None:
    viewstate.path().parent.mkdir(parents=True)
    viewstate.path().write_text(json.dumps({"a": {name: value, "x_log": True}}))
    view = RaceView()
    assert viewstate.restore(view, "a") == ""
    assert viewstate.chosen(view) == viewstate.chosen(kept(x_log=True))
    assert view.chosen == 0


def test_a_state_folder_that_cannot_be_made_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
    viewstate.keep(kept(log=False), "a")
    assert viewstate.restore(RaceView(), "a").startswith("/dev/null/nowhere")


def test_a_file_of_a_hostile_kind_is_said_and_made_anew() -> None:
    viewstate.path().parent.mkdir(parents=True)
    for content in (b'{"a": {"x": ' + b"[" * 100_000, b" " * 1_000_000):
        viewstate.path().write_bytes(content)
        assert viewstate.restore(RaceView(), "a").endswith(": axes and layout begin as usual")
    viewstate.keep(kept(log=False), "a")
    assert viewstate.restore(RaceView(), "a") == ""


def test_nobody_waits_for_a_pipe() -> None:
    viewstate.path().parent.mkdir(parents=True)
    os.mkfifo(viewstate.path())
    assert "not what lrtui wrote" in viewstate.restore(RaceView(), "a")


def test_viewers_that_end_at_one_moment_lose_nothing_of_each_other() -> None:
    def end(viewer: int) -> None:
        for number in range(5):
            viewstate.keep(kept(base=viewer % 3), f"scenario {viewer} {number}")
    with ThreadPoolExecutor(8) as viewers:
        list(viewers.map(end, range(8)))
    assert len(json.loads(viewstate.path().read_text())) == 40
    assert os.listdir(viewstate.path().parent) == ["views.json"]
