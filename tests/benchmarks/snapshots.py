"""What snapshots cost a lane. By hand: `python tests/benchmarks/snapshots.py [Small Middle Conv]`.

Ratio: two lanes that are the same but for their snapshots train in runners in this process, with one
thread, each recorded in a run store of its own; time per step of the one by that of the other,
median of the rounds. While a snapshot is written the lane trains on, so that what its thread takes
from the training counts. "said" is the share of the time that the lane itself records. Then what
one snapshot takes: the copy (the lane waits for it), the encoding and the write with its fsync (a
thread does both).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from lrtui.core.protocol.events import Snapshotted
from lrtui.core.scenario import scenario_file
from lrtui.core.scenario.spec import Race
from lrtui.store import snapshots as files
from lrtui.store.reader import Reader
from lrtui.store.recorder import Recorder
from lrtui.store.writer import create_run
from lrtui.training import snapshot
from lrtui.training.lane_assignment import LaneAssignment
from lrtui.training.lane_runner import LaneRunner
from lrtui.training.loop import train_lane
from lrtui.training.session import Training
from lrtui.training.snapshot_writer import SnapshotWriter

HERE = Path(__file__).parent
ROUNDS, SECONDS, SLICE_S = 3, 10.0, 0.1
"""Seconds of a round for each of the two lanes, in slices of SLICE_S."""
SIZES = {"Small": 100, "Middle": 32, "Conv": 32}
"""Task of models.py: batch size."""


def make_race(name: str) -> Race:
    """One lane, Adam."""
    raw = {
        "task": f"models.py:{name}",
        "batch_size": SIZES[name],
        "steps": 10**7,
        "sample_every": 10**6,
        "lane": [{"lr": 1e-3}],
    }
    return scenario_file.parse(raw, source="benchmark", folder=HERE, scenario="benchmark")


class Alone:
    """A lane on a run of its own, with snapshots or without."""

    def __init__(self, race: Race, folder: Path, *, kept: bool) -> None:
        self._run = create_run(folder, race)
        self._recorder = Recorder(self._run, "trainer 0", {0})
        self._snapshot_writer = SnapshotWriter(self._run, self._recorder, race.snapshots, 1)
        self._runner = LaneRunner(
            race, LaneAssignment(0, "cpu"), self._run, self._recorder, self._snapshot_writer
        )
        self._runner._snapshots._possible = kept
        self._runner.run(0.0)
        self._first, self.seconds = self._runner.steps, 0.0

    def train(self) -> None:
        """Trains for one slice, and for more while a snapshot is being written."""
        began = time.perf_counter()
        self._runner.run(SLICE_S)
        while self._snapshot_writer.busy(0):
            self._runner.run(SLICE_S)
        self.seconds += time.perf_counter() - began

    @property
    def step_s(self) -> float:
        """Seconds per step."""
        return self.seconds / (self._runner.steps - self._first)

    def said(self) -> tuple[float, int]:
        """The share of its time that it records as spent on snapshots, and how many there were. It
        is over then."""
        self._snapshot_writer.close(10.0)
        self._recorder.close()
        reader, told = Reader(self._run), []
        while not reader.caught_up:
            told += [event for event in reader.poll(1.0) if isinstance(event, Snapshotted)]
        reader.close()
        return (told[-1].spent if told else 0.0) / self.seconds, len(told)


def pieces(race: Race, folder: Path, rounds: int = 20) -> tuple[list[float], int]:
    """Median seconds of copy, encoding and write of one snapshot, in the middle of training; its
    bytes."""
    training = Training(race, 0, torch.device("cpu"))
    told, run, took = train_lane(training), create_run(folder, race), [[], [], []]
    while training.step_recorder.step < 20:
        next(told)
    for _ in range(rounds):
        while next(told) is not None:
            pass
        training.step_recorder.flush()
        marks = [time.perf_counter()]
        state = training.state_dict()
        marks.append(time.perf_counter())
        payload = snapshot.encode(state)
        marks.append(time.perf_counter())
        kept = files.write(
            run, "A", 0, training.step_recorder.step, "ring", 1.0, race.lanes[0], payload
        )
        marks.append(time.perf_counter())
        files.remove(kept)
        for column, start, stop in zip(took, marks, marks[1:], strict=False):
            column.append(stop - start)
    return [statistics.median(column) for column in took], kept.size


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"torch {torch.__version__}, Adam, one thread, median of {ROUNDS} rounds (range) of"
        f" {SECONDS:g} s a lane"
    )
    print(
        f"{'model':8} {'us/step':>8} {'with / without snapshots':>26} {'said':>7} {'taken':>6}",
        end=" ",
    )
    print(f"{'copy ms':>8} {'encode':>7} {'write':>7} {'kB':>6}   (<= 1.01)")
    with tempfile.TemporaryDirectory() as name:
        for task in sys.argv[1:] or SIZES:
            race, folder = make_race(task), Path(name)
            ratios, shares, bare, counts = [], [], [], []
            for _ in range(ROUNDS):
                lanes = Alone(race, folder, kept=True), Alone(race, folder, kept=False)
                while min(lane.seconds for lane in lanes) < SECONDS:
                    min(lanes, key=lambda lane: lane.seconds).train()
                ratios.append(lanes[0].step_s / lanes[1].step_s)
                bare.append(lanes[1].step_s)
                (share, count), _ = (lane.said() for lane in lanes)
                shares.append(share)
                counts.append(count)
            words = f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
            (copy, encode, write), size = pieces(race, folder)
            print(
                f"{task:8} {statistics.median(bare) * 1e6:8.0f} {words:>26}"
                f" {statistics.median(shares):7.2%} {statistics.median(counts):6.0f}"
                f" {copy * 1e3:8.2f} {encode * 1e3:7.2f} {write * 1e3:7.2f} {size / 1e3:6.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
