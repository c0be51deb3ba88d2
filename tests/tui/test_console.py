"""What tasks printed: the right log, its end, progress bars as they end, nothing that is an
order."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lrtui.core.state.race_state import RaceState, apply
from lrtui.tui import console
from lrtui.tui.console import Console
from support.fake_run import make_race, started


def race(*roles: str) -> RaceState:
    """A race with a lane for each role; '' has not started."""
    state = RaceState(make_race(("steady",) * len(roles)))
    for index, role in enumerate(roles):
        if role:
            apply(
                state, msgspec.structs.replace(started(index), role=role if role != "older" else "")
            )
    return state


def texts(run: Path, state: RaceState, lane: int = 0) -> list[str]:
    return [text for _, text in Console(run).printed(state, state.lanes[lane]).lines]


def test_a_lane_has_the_log_of_its_trainer(tmp_path):
    for number in (0, 1):
        (tmp_path / f"trainer-{number}.log").write_text(f"hello from {number}\nsecond line\n")
    state = race("trainer 0", "trainer 1")
    assert texts(tmp_path, state, 1) == ["hello from 1", "second line"]
    assert Console(tmp_path).printed(state, state.lanes[1]).title == "trainer-1.log"


def test_lanes_of_one_trainer_say_that_they_share_its_log(tmp_path):
    state = race("trainer 0", "trainer 1", "trainer 0", "trainer 0")
    found = Console(tmp_path).printed(state, state.lanes[0])
    assert found.title == "trainer-0.log, shared with C, D: they take turns in one process"
    assert found.note == "it has printed nothing"


def test_a_lane_that_has_not_started_shows_what_the_supervisor_printed(tmp_path):
    (tmp_path / "crew.log").write_text("no such device\n")
    found = Console(tmp_path).printed(race(""), race("").lanes[0])
    assert found.title == "crew.log: the lane has not started"
    assert [text for _, text in found.lines] == ["no such device"]


def test_after_a_loss_the_logs_of_both_processes_follow_each_other(tmp_path):
    state = race("trainer 0")
    apply(state, msgspec.structs.replace(started(0), role="trainer 4"))
    (tmp_path / "trainer-0.log").write_text("before\n")
    (tmp_path / "trainer-4.log").write_text("after\n")
    found = Console(tmp_path).printed(state, state.lanes[0])
    assert [text for _, text in found.lines] == [
        "before",
        "── the end of trainer-0.log: another process went on ──",
        "after",
    ]
    places = [place for place, _ in found.lines]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "role", ["trainer ../../secret", "trainer 0/../../secret", "crew", "trainer -1", "trainer 1\n"]
)
def test_a_record_cannot_name_another_file(tmp_path, role):
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "secret.log").write_text("secret")
    state = race(role)
    assert Console(run).printed(state, state.lanes[0]).lines == []


def test_an_older_run_with_one_log_shows_it_and_with_two_says_why_not(tmp_path):
    state = race("older")
    (tmp_path / "trainer-0.log").write_text("old\n")
    assert texts(tmp_path, state) == ["old"]
    (tmp_path / "trainer-1.log").write_text("old too\n")
    assert "does not say which" in Console(tmp_path).printed(state, state.lanes[0]).title


def test_of_a_long_log_only_the_end_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(console, "TAIL_BYTES", 2000)
    (tmp_path / "trainer-0.log").write_text("".join(f"line {number}\n" for number in range(10_000)))
    found = texts(tmp_path, race("trainer 0"))
    assert found[0] == "... the last 2 kB of 98.9 kB"
    assert found[-1] == "line 9999"
    assert len(found) < 220


def test_places_of_lines_stay_the_same_while_a_log_grows(tmp_path):
    log = tmp_path / "trainer-0.log"
    log.write_text("one\ntwo\n")
    state, reader = race("trainer 0"), Console(tmp_path)
    before, stamp = reader.printed(state, state.lanes[0]).lines, reader.stamp(state, state.lanes[0])
    assert reader.stamp(state, state.lanes[0]) == stamp
    log.write_text("one\ntwo\n10%\r20%\r30%")
    assert reader.stamp(state, state.lanes[0]) != stamp
    after = reader.printed(state, state.lanes[0]).lines
    assert after[:2] == before
    assert after[2][1] == "30%"


def test_what_is_printed_is_no_order_to_the_terminal(tmp_path):
    (tmp_path / "trainer-0.log").write_bytes(
        b"\x1b]0;owned\x07title \x1b[31mred\x1b[0m \xff\xfe \x1b[2J[bold]x[/bold]\n"
    )
    assert texts(tmp_path, race("trainer 0")) == ["title red �� [bold]x[/bold]"]
