"""Runs that an earlier program wrote: resumed, sent back, forked, reported and exported by this one, through its commands alone.

Each archive beside this file was made by `make.py` with the last program that wrote its version. Nothing inside lrtui is
named here: what a rename breaks in old runs, it breaks here.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ARCHIVES = sorted(Path(__file__).parent.glob("version-*.tar.xz"))
pytestmark = [pytest.mark.xdist_group("versions"), pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name)]
CLOSE = 1e-3
"""Losses are those of another machine, whose sums have other last digits."""


class Runs:
    """The runs of an archive in a folder of their own, and the program."""

    def __init__(self, archive, folder):
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
        self.race = next((folder / "race").iterdir())
        self.sweep, self.check = (next((folder / "find").glob(f"*-{kind}-*")) for kind in ("find", "check"))

    def lrtui(self, *words):
        done = subprocess.run([sys.executable, "-P", "-m", "lrtui", *map(str, words)], capture_output=True, text=True,
                              check=False, env={**os.environ, "COLUMNS": "200"})
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def events(self, run=None):
        told = self.lrtui("watch", run or self.race, "--json").splitlines()
        return [json.loads(line) for line in told if line.startswith("{")]

    def send(self, *words):
        return self.lrtui("send", self.race, *words, "--timeout", "120")


@pytest.fixture
def runs(archive, tmp_path):
    found = Runs(archive, tmp_path)
    yield found
    found.lrtui("send", "--all", found.race, "stop", "--timeout", "0")


def losses(told, lane):
    """A lane's losses in the order of its steps, those after a way back in the place of those before it."""
    column = []
    for event in told:
        if event.get("lane") == lane and event["event"] == "steps":
            column += [None] * (event["first"] - len(column))  # a fork has no steps of its own before it was forked
            column[event["first"]:] = event["loss"]
        elif event.get("lane") == lane and event["event"] == "rewound":
            del column[event["step"]:]
    return column


def test_every_event_is_read(runs):
    told = runs.events()
    kinds = {event["event"] for event in told}
    assert kinds >= {"race", "start", "steps", "measured", "rate", "joined", "rewound", "snapshot", "alert", "end", "result"}
    assert {event["tag"] for event in told if event["event"] == "snapshot"} >= {"alert", "fork", "pause"}
    assert [lane["status"] for lane in told[-1]["lanes"]] == ["interrupted"] * 5
    assert {len(losses(told, lane)) > 600 for lane in "ABCDE"} == {True}
    for run in (runs.sweep, runs.check):
        assert runs.events(run)[-1]["event"] == "result"


def test_it_is_listed_reported_and_exported(runs, tmp_path):
    assert "interrupted" in runs.lrtui("runs", "--runs", runs.race.parent)
    said = runs.lrtui("report", runs.race, "--html", tmp_path / "page.html", "--svg", tmp_path / "chart.svg")
    assert "D diverged" in said
    assert "forked" in (tmp_path / "page.html").read_text()
    assert (tmp_path / "chart.svg").read_text().startswith("<svg")
    runs.lrtui("export", runs.race, "--csv", tmp_path / "csv")
    told = losses(runs.events(), "A")
    with next((tmp_path / "csv").glob("*A*steps*")).open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows if row["loss"]][-5:] == pytest.approx(told[-5:])
    assert runs.lrtui("report", runs.check)


class Resumed:
    """A run that is taken up again, and all that is told of it from its beginning on."""

    def __init__(self, runs):
        self.told = []
        self._front = subprocess.Popen([sys.executable, "-P", "-m", "lrtui", "resume", runs.race, "--json"], text=True,
                                       stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._front.send_signal(signal.SIGINT)
        self._front.communicate()

    def tells(self, condition, what):
        """Reads on until the newest event fits."""
        for line in self._front.stdout:
            self.told.append(json.loads(line))
            if condition(self.told[-1]):
                return
        pytest.fail(f"the race ended before {what}")

    def goes_on(self, lanes):
        """Reads on until each lane has told a block of steps."""
        for lane in lanes:
            self.tells(lambda event, lane=lane: (event["event"], event.get("lane")) == ("steps", lane), f"steps of {lane}")

    def sent_back(self, lane, why):
        """Reads on until the lane is back somewhere; the step."""
        self.tells(lambda event: (event["event"], event.get("lane"), event.get("why")) == ("rewound", lane, why), why)
        return self.told[-1]["step"]


def test_it_goes_on_and_does_what_it_is_told(runs):
    before = runs.events()
    with Resumed(runs) as front:
        resumed = {}
        while len(resumed) < 5:
            front.tells(lambda event: event["event"] == "rewound" and event["why"] == "resumed", "the lanes")
            resumed[front.told[-1]["lane"]] = front.told[-1]["step"]
        for lane in "ABCDE":
            assert 0 <= len(losses(before, lane)) - resumed[lane] <= 1  # the last step of an epoch is told once more
        front.goes_on("ABCDE")
        assert "back at step" in runs.send("C", "rewind", "--to", "900", "--scale", "1")
        assert front.sent_back("C", "rewound") <= 900
        assert "forked from A" in runs.send("A", "fork", "--name", "again")
        assert "forked from E" in runs.send("E", "fork", "--lr", "0.01", "--name", "other")
        front.goes_on("CFG")
    after = runs.events()
    assert [lane["status"] for lane in after[-1]["lanes"]] == ["interrupted"] * 7
    recorded, again = losses(before, "A"), losses(after, "A")
    assert again[:len(recorded)] == recorded
    assert len(again) > len(recorded)


def test_what_a_lane_does_from_an_old_snapshot_is_what_it_did_then(runs):
    """Lane E goes back to a snapshot of the earlier program: the steps that were recorded after it come again."""
    recorded = losses(runs.events(), "E")
    with Resumed(runs) as front:
        front.sent_back("E", "resumed")
        runs.send("E", "rewind", "--to", str(len(recorded) - 60), "--scale", "1")
        back = front.sent_back("E", "rewound")
        assert back <= len(recorded) - 60
        front.told.clear()
        column = []
        while len(column) < 60:
            front.goes_on("E")
            column += front.told[-1]["loss"]
    assert column[:60] == pytest.approx(recorded[back:back + 60], rel=CLOSE)
