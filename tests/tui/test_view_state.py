"""What a person chose to see of a scenario is there the next time; a file that is no good is said
once and passed over."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from lrtui.tui import view_state
from lrtui.tui.view import RaceView


def kept(**changes: object) -> RaceView:
    view = RaceView()
    for name, value in changes.items():
        setattr(view, name, value)
    return view


def test_axes_and_layout_come_back_for_the_same_scenario_only() -> None:
    choices = {
        "stage": "overlay",
        "quantity": "val_loss",
        "log": False,
        "x_kind": "epoch",
        "x_log": True,
        "smoothing": 0.9,
        "full_range": True,
        "group": "head",
        "base": 1,
    }
    fields = {view_state.STORED[name]: value for name, value in choices.items()}
    view_state.keep(
        kept(**fields, selected=3, zooms=[(1.0, 2.0)], cursor=4.0, filter_text="adam"), "lr-dial"
    )
    again, other = RaceView(), RaceView()
    assert view_state.restore(again, "lr-dial") == view_state.restore(other, "explode") == ""
    assert view_state.stored(again) == choices
    assert (again.selected, again.zooms, again.cursor, again.filter_text) == (0, [], None, "")
    assert view_state.stored(other) == view_state.stored(RaceView())


@pytest.mark.parametrize("panel", ["log", "console", "differences", "filmstrip"])
def test_what_is_looked_at_and_left_is_not_where_the_next_race_begins(panel: str) -> None:
    view_state.keep(kept(panel=panel, smoothing=0.9), "a")
    view = RaceView()
    assert view_state.restore(view, "a") == ""
    assert (view.panel, view.smoothing) == ("panes", 0.9)


def test_the_last_of_several_viewers_counts_and_the_oldest_scenarios_go() -> None:
    for number in range(view_state.MOST + 5):
        view_state.keep(kept(time_base=number % 3), f"scenario {number}")
    view_state.keep(kept(time_base=2), "scenario 5")
    known = json.loads(view_state.path().read_text())
    assert len(known) == view_state.MOST
    assert "scenario 4" not in known
    assert list(known)[-1] == "scenario 5"
    assert known["scenario 5"]["base"] == 2


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": 3}', b"\xff\xfe", b""])
def test_a_broken_file_is_said_and_made_anew(content: bytes) -> None:
    view_state.path().parent.mkdir(parents=True)
    view_state.path().write_bytes(content)
    view = RaceView()
    assert (
        view_state.restore(view, "a")
        == f"{view_state.path()}: not what lrtui wrote: axes and layout begin as usual"
    )
    assert view_state.stored(view) == view_state.stored(RaceView())
    view_state.keep(kept(y_log=False), "a")
    assert view_state.restore(view, "a") == ""
    assert not view.y_log


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stage", "kitchen"),
        ("stage", "log"),
        ("stage", 3),
        ("x_kind", "miles"),
        ("smoothing", 1.0),
        ("smoothing", -1),
        ("smoothing", "much"),
        ("log", "yes"),
        ("base", 99),
        ("order", None),
        ("selected", 7),
        ("nonsense", 1),
        ("zooms", [[1, 2]]),
    ],
)
def test_a_value_that_no_view_has_is_passed_over_and_the_rest_counts(
    name: str, value: object
) -> None:
    view_state.path().parent.mkdir(parents=True)
    view_state.path().write_text(json.dumps({"a": {name: value, "x_log": True}}))
    view = RaceView()
    assert view_state.restore(view, "a") == ""
    assert view_state.stored(view) == view_state.stored(kept(x_log=True))
    assert view.selected == 0


def test_a_state_folder_that_cannot_be_made_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
    view_state.keep(kept(y_log=False), "a")
    assert view_state.restore(RaceView(), "a").startswith("/dev/null/nowhere")


def test_a_file_of_a_hostile_kind_is_said_and_made_anew() -> None:
    view_state.path().parent.mkdir(parents=True)
    for content in (b'{"a": {"x": ' + b"[" * 100_000, b" " * 1_000_000):
        view_state.path().write_bytes(content)
        assert view_state.restore(RaceView(), "a").endswith(": axes and layout begin as usual")
    view_state.keep(kept(y_log=False), "a")
    assert view_state.restore(RaceView(), "a") == ""


def test_nobody_waits_for_a_pipe() -> None:
    view_state.path().parent.mkdir(parents=True)
    os.mkfifo(view_state.path())
    assert "not what lrtui wrote" in view_state.restore(RaceView(), "a")


def test_viewers_that_end_at_one_moment_lose_nothing_of_each_other() -> None:
    def end(viewer: int) -> None:
        for number in range(5):
            view_state.keep(kept(time_base=viewer % 3), f"scenario {viewer} {number}")

    with ThreadPoolExecutor(8) as viewers:
        list(viewers.map(end, range(8)))
    assert len(json.loads(view_state.path().read_text())) == 40
    assert os.listdir(view_state.path().parent) == ["views.json"]
