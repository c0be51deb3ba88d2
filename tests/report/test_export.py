"""`lrtui export`: every number that counts, in full, and nothing that a way back has undone; whole
folders or none."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from lrtui.client.follower import Follower
from lrtui.core.errors import LrtuiError
from lrtui.core.protocol.events import (
    Alerted,
    Column,
    Ended,
    Evaluated,
    LaneAdded,
    LogMessage,
    Measured,
    Rewound,
    Steps,
)
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.report.export import export
from lrtui.report.staging_dir import staging
from lrtui.store.run_dir import SUPERVISOR_ROLE
from lrtui.store.writer import Writer, create_run, row
from support.fake_run import KINDS, at, block, losses, make_race, make_run, say, started, story
from support.param_groups import with_groups


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lines(path: Path) -> list[dict[str, object]]:
    return [
        json.loads(line, parse_constant=pytest.fail)
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "runs", KINDS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out" / "csv"


class TestTheNumbers:
    def test_steps_are_those_that_were_recorded_in_full(self, run, folder):
        export(run, folder, "csv")
        steps = table(folder / "A-steps.csv")
        assert list(steps[0]) == ["step", "loss", "applied_lr", "next_lr", "seconds"]
        assert [int(step["step"]) for step in steps] == list(range(200))
        assert [float(step["loss"]) for step in steps] == losses("steady").astype("f4").astype(
            float
        ).tolist()
        assert [float(step["applied_lr"]) for step in steps] == (
            0.1 * 0.99 ** np.arange(200)
        ).tolist()

    def test_what_is_not_finite_has_its_name_in_both_forms(self, run, folder, tmp_path):
        export(run, folder, "csv")
        export(run, tmp_path / "json", "jsonl")
        assert table(folder / "B-steps.csv")[-1]["loss"] == "NaN"
        assert lines(tmp_path / "json" / "B-steps.jsonl")[-1]["loss"] == "NaN"
        assert [line["loss"] for line in lines(tmp_path / "json" / "A-steps.jsonl")] == [
            float(step["loss"]) for step in table(folder / "A-steps.csv")
        ]

    def test_evaluations_carry_every_metric_that_the_lane_ever_had(self, tmp_path, folder):
        run = make_run(tmp_path / "runs", ("steady",), over=False)
        say(
            run,
            Evaluated(
                lane=0,
                at=1.0,
                epoch=11,
                step=220,
                loss=math.inf,
                metrics={"epoch": 3.0, "acc, %": 0.5},
            ),
        )
        export(run, folder, "csv")
        entries = table(folder / "A-evaluations.csv")
        assert list(entries[0]) == [
            "epoch",
            "step",
            "at",
            "train_loss",
            "val_loss",
            "metrics.epoch",
            "acc, %",
        ]
        assert entries[0]["acc, %"] == entries[-1]["val_loss"] == ""
        assert (entries[-1]["train_loss"], entries[-1]["metrics.epoch"], entries[-1]["acc, %"]) == (
            "Infinity",
            "3.0",
            "0.5",
        )

    def test_a_column_that_comes_late_is_empty_before(self, tmp_path, folder):
        run = make_run(tmp_path / "runs", ("steady",), done=20, over=False)
        columns = {"loss": Column.pack([1.0, 2.0]), "applied_lr/1": Column.pack([3.0, 4.0])}
        say(run, Steps(lane=0, at=2.0, first=20, count=2, columns=columns))
        export(run, folder, "csv")
        assert [
            (step["loss"], step["applied_lr/1"], step["seconds"])
            for step in table(folder / "A-steps.csv")[-3:]
        ] == [
            (repr(float(np.float32(losses("steady")[19]))), "", "0.05"),
            ("1.0", "3.0", ""),
            ("2.0", "4.0", ""),
        ]


class TestWaysBack:
    @pytest.fixture
    def rewound(self, tmp_path: Path) -> Path:
        """Twenty steps, back to 7, eight others, back to 12, three more; an epoch told twice; a
        late word after the end."""
        run = make_run(tmp_path / "runs", ("steady",), done=0, over=False)

        def steps(first: int, count: int, value: float) -> Steps:
            columns = {
                "loss": Column.pack(value + np.arange(count)),
                "seconds": Column.pack([0.1] * count),
            }
            rates = {name: Column.pack([0.01] * count) for name in ("applied_lr", "next_lr")}
            return Steps(lane=0, at=1.0, first=first, count=count, columns=columns | rates)

        measured = Measured(
            lane=0,
            steps=[2, 6, 7, 9],
            columns={"gain": Column.pack([0.2, 0.6, 0.7, 0.9])},
            spent=1.0,
        )
        epoch = Evaluated(lane=0, epoch=1, step=7, loss=1.0)
        say(
            run,
            steps(0, 20, 100.0),
            measured,
            epoch,
            Evaluated(lane=0, epoch=2, step=14, loss=2.0),
            Rewound(lane=0, step=7, why="rewound"),
            msgspec.structs.replace(epoch, loss=1.5),
            steps(7, 8, 200.0),
            Rewound(lane=0, step=12, why="rewound"),
            steps(12, 3, 300.0),
            Ended(lane=0, step=15, reason="died"),
            steps(15, 5, 400.0),
        )
        return run

    def test_the_steps_are_those_of_the_final_record(self, rewound, folder):
        export(rewound, folder, "csv")
        expected = (
            [100.0 + step for step in range(7)]
            + [193.0 + step for step in range(7, 12)]
            + [300.0, 301.0, 302.0]
        )
        assert [float(step["loss"]) for step in table(folder / "A-steps.csv")] == expected
        follower = Follower(rewound)
        follower.catch_up()
        assert follower.state.lanes[0].columns["loss"].values.tolist() == expected
        follower.close()

    def test_what_was_given_up_stands_apart(self, rewound, folder):
        export(rewound, folder, "csv")
        assert [
            (int(step["step"]), float(step["loss"])) for step in table(folder / "A-abandoned.csv")
        ] == [
            *((step, 100.0 + step) for step in range(7, 20)),
            *((step, 193.0 + step) for step in range(12, 15)),
        ]

    def test_measured_steps_and_evaluations_go_back_too(self, rewound, folder):
        export(rewound, folder, "csv")
        assert [(step["step"], step["gain"]) for step in table(folder / "A-measured.csv")] == [
            ("2", "0.2"),
            ("6", "0.6"),
        ]
        assert [
            (entry["epoch"], entry["train_loss"]) for entry in table(folder / "A-evaluations.csv")
        ] == [("1", "1.5")]

    def test_the_events_are_all_that_was_said(self, rewound, folder):
        export(rewound, folder, "csv")
        kinds = [event["kind"] for event in table(folder / "A-events.csv")]
        assert kinds == [
            "Started",
            "Steps",
            "Measured",
            "Evaluated",
            "Evaluated",
            "Rewound",
            "Evaluated",
            "Steps",
            "Rewound",
            "Steps",
            "Ended",
            "Steps",
        ]


def test_events_keep_their_words_and_pictures_are_only_counted(run, folder):
    say(
        run,
        Alerted(lane=0, at=1.0, step=3, kind="lost", text='a "quoted", <b>text</b>\nof two lines'),
        LogMessage(lane=-1, at=2.0, text="for all"),
    )
    export(run, folder, "csv")
    assert table(folder / "run-events.csv")[-1]["kind"] == "Noted"  # as it is stored
    alert = table(folder / "A-events.csv")[-1]
    assert (alert["kind"], alert["step"], alert["text"]) == (
        "Alerted",
        "3",
        'a "quoted", <b>text</b>\nof two lines',
    )
    assert [event["text"] for event in table(folder / "run-events.csv")] == ["for all"]
    sampled = next(event for event in table(folder / "F-events.csv") if event["kind"] == "Sampled")
    assert json.loads(sampled["more"]) == {
        "epoch": 1,
        "shape": [8, 16, 16, 3],
        "pixels": 8 * 16 * 16 * 3,
        "name": "",
    }


def test_the_race_comes_with_its_scenario_and_says_what_is_where(run, folder):
    export(run, folder, "jsonl")
    about = json.loads(
        (folder / "race.json").read_text(encoding="utf-8"), parse_constant=pytest.fail
    )
    assert msgspec.convert(about["race"], Race) == Follower(run).reader.race
    assert (
        scenario_file.parse(tomllib.loads(about["scenario"]), source="", folder=Path()).lanes
        == make_race(KINDS).lanes
    )
    assert [(lane["letter"], lane["ended"]) for lane in about["lanes"]] == [
        ("A", "finished"),
        ("B", "nan"),
        ("C", "finished"),
        ("D", "error"),
        ("E", None),
        ("F", "finished"),
    ]
    for lane in about["lanes"]:
        for held in lane["files"].values():
            assert len(lines(folder / held["file"])) == held["rows"]
    assert {path.name for path in folder.iterdir()} == {"race.json"} | {
        held["file"] for lane in about["lanes"] for held in lane["files"].values()
    }


def test_a_fork_has_its_own_steps_and_says_where_it_comes_from(tmp_path, folder):
    run = make_run(tmp_path / "runs", ("steady",), done=40, over=False)
    child = msgspec.structs.replace(make_race(("steady",)).lanes[0], letter="B", name="fork")
    say(
        run,
        LaneAdded(lane=1, child=child, parent=0, step=20),
        msgspec.structs.replace(started(1), first=20),
    )
    say(run, block(1, "steady", 20, 40))
    export(run, folder, "csv")
    assert [int(step["step"]) for step in table(folder / "B-steps.csv")] == list(range(20, 40))
    lane = json.loads((folder / "race.json").read_text())["lanes"][1]
    assert (lane["parent"], lane["first_step"], lane["lane"]["name"]) == ("A", 20, "fork")


class TestFolders:
    def test_an_empty_folder_is_taken_and_one_that_holds_something_is_refused(self, run, folder):
        folder.mkdir(parents=True)
        export(run, folder, "csv")
        before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        with pytest.raises(LrtuiError, match="the folder is not empty"):
            export(run, folder, "csv")
        assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
        assert os.listdir(folder.parent) == ["csv"]

    def test_force_replaces_an_earlier_export_and_nothing_else(self, run, folder):
        export(run, folder, "jsonl")
        (folder / "notes.txt").write_text("mine")
        (folder / "Z-steps.csv").write_text("of a lane that this run does not have")
        export(run, folder, "csv", force=True)
        names = {path.name for path in folder.iterdir()}
        assert {"notes.txt", "race.json", "A-steps.csv"} <= names
        assert not {"Z-steps.csv", "A-steps.jsonl"} & names

    def test_one_that_fails_leaves_nothing(self, run, folder, monkeypatch):
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("lrtui.report.tables.Table.finish", full)
        with pytest.raises(LrtuiError, match="No space left on device"):
            export(run, folder, "csv")
        assert os.listdir(folder.parent) == []

    def test_a_file_in_the_way_is_refused(self, run, folder):
        folder.parent.mkdir()
        folder.write_text("")
        with pytest.raises(LrtuiError, match="is a file"):
            export(run, folder, "csv", force=True)


class TestOneThatWasKilled:
    """A process that ends in the midst of it, as `kill -9` ends one: nothing of it runs any
    more."""

    @pytest.fixture
    def killed(self, run, folder):
        """Kills an export on its way into `folder`, and says what it has left, in the folder and
        beside it."""
        script = (
            "import os, sys; from pathlib import Path; from lrtui.report import export as"
            " exporting;exporting._about = lambda *_: os.kill(os.getpid(),"
            " 9);exporting.export(Path(sys.argv[1]), Path(sys.argv[2]), 'csv', force=True)"
        )

        def kill() -> list[Path]:
            assert (
                subprocess.run(
                    [sys.executable, "-c", script, str(run), str(folder)], check=False
                ).returncode
                == -9
            )
            return [
                path
                for place in (folder.parent, folder)
                if place.is_dir()
                for path in place.iterdir()
                if path.name.startswith(".")
            ]

        return kill

    @pytest.mark.parametrize("before", [False, True])
    def test_leaves_nothing_that_the_next_one_does_not_clear_away(
        self, run, folder, killed, before
    ):
        if before:
            export(run, folder, "csv")
        (left,) = killed()
        assert (left / "A-steps.csv").exists()
        export(run, folder, "csv", force=before)
        assert os.listdir(folder.parent) == ["csv"]
        assert not [name for name in os.listdir(folder) if name.startswith(".")]

    def test_into_an_empty_folder_that_stays_is_not_in_the_way(
        self, run, folder, killed, monkeypatch
    ):
        folder.mkdir(parents=True)
        (left,) = killed()
        left.rename(folder / left.name)  # as it is where the folder is a disk
        export(run, folder, "csv")
        assert "race.json" in os.listdir(folder)
        assert not [name for name in os.listdir(folder) if name.startswith(".")]

    @pytest.mark.parametrize("theirs", ["notes.txt", "A-steps.csv"])
    def test_nothing_goes_that_may_be_anothers(self, run, folder, killed, theirs):
        (left,) = killed()
        (left / theirs).unlink(missing_ok=True)
        (left / theirs).symlink_to(run)
        beside = folder.parent / ".csv.0123abcd"
        beside.mkdir()
        export(run, folder, "csv")
        assert (left / "B-steps.csv").exists()
        assert beside.exists()

    def test_one_that_still_runs_goes_on(self, run, folder):
        folder.parent.mkdir()
        with staging(folder.parent, folder.name) as made:
            export(run, folder, "csv")
            assert made.is_dir()
        assert os.listdir(folder.parent) == ["csv"]


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells what a process took at most"
)
def test_it_takes_no_more_memory_for_a_longer_race(tmp_path):
    """A hundred times as many steps; what a process of its own takes at most, and what it takes for
    a short race."""
    script = (
        "import sys; from pathlib import Path; from lrtui.report.export import"
        " export;export(Path(sys.argv[1]), Path(sys.argv[2]), 'csv');"
        " print(Path('/proc/self/status').read_text())"
    )
    peaks = []
    for count in (10, 1000):
        run = create_run(tmp_path / "runs", make_race(("steady",)))
        writer = Writer(run, SUPERVISOR_ROLE)
        noise = Column.pack(np.random.default_rng(0).random(1000))
        blocks = (
            Steps(
                lane=0,
                at=at(first),
                first=first,
                count=1000,
                columns={"loss": noise, "grad_norm": noise},
            )
            for first in range(0, 1000 * count, 1000)
        )
        writer.append([row(started(0)), *map(row, blocks)])
        writer.close()
        command = [sys.executable, "-c", script, str(run), str(tmp_path / f"out{count}")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(
            next(
                int(line.split()[1]) * 1024
                for line in done.stdout.splitlines()
                if line.startswith("VmHWM")
            )
        )
    assert (tmp_path / "out1000" / "A-steps.csv").stat().st_size > 20e6
    assert peaks[1] - peaks[0] < 10e6, peaks


def test_export_replaces_nothing_if_a_folder_has_the_name_of_a_file(run, folder):
    export(run, folder, "csv")
    (folder / "B-steps.csv").unlink()
    (folder / "B-steps.csv").mkdir()
    (folder / "A-steps.csv").write_text("before")
    with pytest.raises(LrtuiError, match=r"B-steps\.csv: is a folder"):
        export(run, folder, "csv", force=True)
    assert (folder / "A-steps.csv").read_text() == "before"
    assert not [
        path for path in (*folder.iterdir(), *folder.parent.iterdir()) if path.name.startswith(".")
    ]


def test_an_empty_disk_is_filled_though_it_cannot_be_renamed(run, folder, monkeypatch):
    folder.mkdir(parents=True)
    monkeypatch.setattr("os.path.ismount", lambda path: str(path) == str(folder))
    export(run, folder, "csv")
    assert {"race.json", "A-steps.csv"} <= set(os.listdir(folder))
    assert not [
        name for name in (*os.listdir(folder), *os.listdir(folder.parent)) if name.startswith(".")
    ]


def test_names_of_param_groups_stand_once(tmp_path):
    run = create_run(tmp_path / "runs", make_race(("steady",)))
    writer = Writer(run, "trainer 0")
    writer.append([row(event) for event in with_groups(story(0, "steady", 20))])
    writer.close()
    export(run, tmp_path / "out", "csv")
    (lane,) = json.loads((tmp_path / "out" / "race.json").read_text())["lanes"]
    assert lane["groups"] == ["body", "head"]
    head = (tmp_path / "out" / "A-steps.csv").read_text().splitlines()[0].split(",")
    assert {"applied_lr", "applied_lr/1"} <= set(head)
