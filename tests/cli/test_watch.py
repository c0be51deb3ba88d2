"""`lrtui watch` as lines: records by others, dead supervisors, terminals without a screen."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from pathlib import Path

import msgspec
import pexpect
import pytest

from lrtui.cli import main
from lrtui.core.protocol.events import Alerted, Ended
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from support.fake_run import block, make_race, make_run, say, started
from support.waiting import PATIENCE_S


class TestARecordByOthers:
    """A run.db may come from anywhere: what it holds is shown as text, never obeyed."""

    EVIL = "\x1b]0;owned\x07\x1b[31m[bold]red\u202e"

    @pytest.fixture
    def run(self, here):
        race = make_race(("steady",))
        lane = msgspec.structs.replace(race.lanes[0], name=self.EVIL)
        run = create_run(
            here / "runs", msgspec.structs.replace(race, title=self.EVIL, lanes=(lane,))
        )
        writer = Writer(run, SUPERVISOR_ROLE)
        writer.append(
            [
                row(event)
                for event in (
                    started(0),
                    block(0, "steady", 0, 20),
                    Alerted(lane=0, at=1.0, step=3, kind="error", text=self.EVIL),
                    Ended(lane=0, at=2.0, step=20, reason="error", error=f"line\n{self.EVIL}"),
                )
            ]
        )
        writer.close()
        return run

    @pytest.mark.parametrize("args", [["watch", "--plain"], ["watch", "--json"], ["runs"]])
    def test_it_is_told_without_escape_sequences(self, lrtui, run, args):
        said = lrtui(*args)
        assert "[bold]red" in said.out
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", said.out)


class TestPlainLines:
    def test_each_lane_that_moved_has_a_line_a_second(self, here, capsys, monkeypatch):
        run = make_run(here / "runs", ("steady", "steady", "rests"), done=60, over=False)
        clock = FakeSleep(run)
        monkeypatch.setattr("lrtui.plain.time", clock)
        with pytest.raises(SystemExit) as left:
            main(["watch", "--plain"])
        assert left.value.code == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if ": step " in line]
        # which then says nothing, as it makes no step
        assert lines.pop(2).startswith("C rests: step 60/200")
        assert [line[0] for line in lines] == ["A", "B"] * (len(lines) // 2)
        assert clock.now // 1.0 - 1 <= len(lines) // 2 <= clock.now // 1.0 + 1
        assert re.fullmatch(
            r"A steady: step \d+/200  epoch \d+  loss [\d.]+  best [\d.]+"
            r"  val_loss [\d.]+  lr [\d.e-]+  \d+ steps/s",
            lines[0],
        )

    def test_alerts_pauses_and_ends_have_lines_of_their_own(self, lrtui, here):
        make_run(here / "runs", ("steady", "explodes", "diverges", "breaks"))
        said = lrtui("watch", "--plain")
        for words in (
            "B explodes: ! nan: loss is NaN at step 37",
            "B explodes: nan after 38 steps, last loss NaN",
            "C diverges: ! diverged: smoothed loss",
            "D breaks: ! error: ValueError: [bold]no[/bold]",
            '        raise ValueError("[bold]no[/bold]")',
            "A steady: finished after 200 steps, last loss 0.05307",
        ):
            assert words in said.out.splitlines() or any(
                line.startswith(words) for line in said.out.splitlines()
            )

    def test_a_run_whose_supervisor_was_lost_comes_to_an_end(self, lrtui, here):
        run = make_run(here / "runs", ("steady",), done=60, live=True)
        with sqlite3.connect(run / "run.db") as db:
            # that process is long gone, its number another's
            db.execute("UPDATE processes SET started = 1.0")
        db.close()
        said = lrtui("watch", "--json")
        assert said.code == 1
        assert said.lines[-1]["lanes"][0]["status"] == "interrupted"
        end = next(line for line in said.lines if line["event"] == "end")
        assert end["error"].startswith("the supervisor died")
        assert end["error"].endswith(f"lrtui resume {run.name}")


class FakeSleep:
    """A clock that only sleeping moves on; meanwhile two lanes make ten steps, and after 14 naps
    all is over."""

    def __init__(self, run: Path) -> None:
        self.now = 0.0
        self._run = run
        self._done = 60

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 3 * seconds
        if self._done < 200:
            say(self._run, *(block(lane, "steady", self._done, self._done + 10) for lane in (0, 1)))
            self._done += 10
        else:
            say(
                self._run,
                *(
                    Ended(lane=lane, at=1.0, step=self._done, reason="finished")
                    for lane in range(3)
                ),
            )


class TestTerminals:
    """What a pseudo-terminal gets where no screen can be drawn."""

    def spawn(self, *args: str, runs: Path, **env: str) -> str:
        terminal = pexpect.spawn(
            sys.executable,
            ["-m", "lrtui", *args],
            encoding="utf-8",
            timeout=PATIENCE_S,
            dimensions=(24, 80),
            env={**os.environ, "LRTUI_RUNS": str(runs), "COLUMNS": "80", **env},
        )
        out = terminal.read()
        terminal.close()
        return out

    @pytest.mark.parametrize("term", ["dumb", ""])
    def test_a_dumb_terminal_gets_plain_lines_and_is_told_so_once(self, tmp_path, term):
        make_run(tmp_path, ("steady", "explodes"))
        out = self.spawn("watch", runs=tmp_path, TERM=term)
        assert out.count("lrtui: TERM is dumb: plain lines") == 1
        assert "A steady" in out
        assert "\x1b" not in out

    def test_the_picker_cannot_be_drawn_there_and_says_what_to_do(self, tmp_path):
        out = self.spawn(runs=tmp_path, TERM="dumb")
        assert "no terminal to pick a scenario in" in out
        assert "lrtui race lr-dial" in out
