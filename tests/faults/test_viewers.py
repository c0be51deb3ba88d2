"""Viewers that lose their line, are killed, or are not read: the race does not notice, and can be
seen again."""

from __future__ import annotations

import os
import signal
import termios
from pathlib import Path

import psutil
import pytest

from support.terminal import LEFT, Terminal, dots
from support.waiting import until

from .harness import LANES, Contest, alive, chance, kill, write_scenario

pytestmark = pytest.mark.xdist_group("faults")


class Line(Terminal):
    """A terminal whose line may drop."""

    def __init__(self, *args: str, runs: Path) -> None:
        super().__init__(*args, runs=runs)
        self._again = os.dup(self._process.child_fd)

    def __exit__(self, *error: object) -> None:
        if self._again >= 0:
            os.close(self._again)
        super().__exit__(*error)

    @property
    def viewer(self) -> psutil.Process:
        return psutil.Process(self._process.pid)

    def drops(self) -> None:
        """The other end is closed; the kernel says so to whoever is left, and nobody else does."""
        viewer = self.viewer
        self._process.ptyproc.fileobj.close()
        self._process.ptyproc.closed = True
        os.close(self._again)
        self._again = -1
        until(lambda: not alive(viewer), "the viewer to end with its terminal")

    def leaves_it_sane(self, words: str, code: int = 0) -> None:
        """Reads to the end of the program, which leaves the terminal as a shell wants it, with some
        words on it."""
        assert self.leaves() == code
        flags = termios.tcgetattr(self._again)[3]
        assert flags & termios.ECHO
        assert flags & termios.ICANON
        assert self.sent.count(LEFT) == 1
        assert self.sent.rfind(b"\x1b[?25h") > self.sent.rfind(b"\x1b[?25l")
        assert words in " ".join(self.scrollback.split())

    def sees_curves(self) -> None:
        self.until(
            lambda: f"{LANES} of {LANES} lanes racing" in self.text and dots(self.text) > 40,
            "curves",
        )


def test_race_is_unaffected_by_its_viewers_and_listed_first_afterwards(tmp_path):
    luck, runs = chance("viewers"), tmp_path / "runs"
    with (
        Line("race", str(write_scenario(tmp_path, epochs=2000)), runs=runs) as first,
        Contest.of(runs) as contest,
    ):
        first.sees_curves()
        contest.goes_on(by=luck.randrange(5, 30))
        first.drops()
        contest.goes_on(by=20)
        with Line(runs=runs) as picker:
            picker.sees("A race with mishaps", "running")
            picker.press("enter")
            picker.sees_curves()
            kill(picker.viewer)
            picker.leaves()
        contest.goes_on(by=20)
        with Line("watch", runs=runs) as frozen:
            frozen.sees_curves()
            # nobody reads: the terminal is full long before
            contest.goes_on(by=luck.randrange(120, 180))
            now = contest.follower.state.lanes[0].steps
            frozen.sees_curves()
            frozen.until(lambda: contest.look() and frozen.text, "what is new")
            frozen.kill(luck.choice([signal.SIGTERM, signal.SIGHUP, signal.SIGINT]))
            frozen.leaves_it_sane(f"back to it with: lrtui watch {contest.run.name}")
        contest.goes_on()
        assert contest.follower.state.lanes[0].steps > now
        with Line("watch", runs=runs) as last:
            last.sees_curves()
            kill(contest.supervisor())
            last.sees("the supervisor died", "lrtui resume")
            last.press("q")
            last.leaves_it_sane("interrupted", code=1)
        record = contest.sees_the_end()
    assert record.ends == ["interrupted"] * LANES
    record.assert_undisturbed()
    assert not any(lane.returns for lane in record.lanes)
