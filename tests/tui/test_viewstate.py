"""What a person chose to see of a scenario is there the next time; a file that is no good is said once and passed over."""

from __future__ import annotations

import json

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
    ("stage", "kitchen"), ("stage", 3), ("x_kind", "miles"), ("smoothing", 1.0), ("smoothing", -1), ("smoothing", "much"),
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
