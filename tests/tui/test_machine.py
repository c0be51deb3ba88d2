"""The machine in numbers: rings, shares of the time, NVML's arithmetic with a driver that is made
up, and this process."""

from __future__ import annotations

import math
import os
import socket
import sys
from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from lrtui.core.protocol.events import Ended
from lrtui.core.state.race_state import RaceState, apply
from lrtui.store import identity
from lrtui.store.identity import Process
from lrtui.tui import machine
from lrtui.tui.machine import Footprint, Gpu, LaneLoad, Machine, cpu_percent, loads, memory_of, read
from lrtui.tui.machine_history import BASES, BINS, History, Ring, Shares
from support.fake_run import make_race, started
from support.waiting import until


class TestRing:
    def test_a_bin_is_the_mean_of_what_was_read_in_it(self):
        ring = Ring(60.0)  # two seconds a bin
        for at, value in ((100.0, 10), (101.0, 20), (102.0, 50), (104.5, 70)):
            ring.take(at, value)
        values = ring.values()
        assert len(values) == BINS
        assert values[-3:] == [15.0, 50.0, 70.0]
        assert all(math.isnan(value) for value in values[:-3])

    def test_a_gap_is_not_filled_in(self):
        ring = Ring(60.0)
        ring.take(0.0, 1.0)
        ring.take(8.0, 2.0)
        assert [str(value) for value in ring.values()[-5:]] == ["1.0", "nan", "nan", "nan", "2.0"]

    def test_after_a_long_gap_nothing_old_is_left(self):
        ring = Ring(60.0)
        ring.take(0.0, 1.0)
        ring.take(1e7, 2.0)
        assert [value for value in ring.values() if value == value] == [2.0]

    def test_what_is_not_known_does_not_count(self):
        ring = Ring(60.0)
        for at, value in ((0.0, math.nan), (0.5, 4.0), (2.0, math.nan)):
            ring.take(at, value)
        assert ring.values()[-2] == 4.0
        assert math.isnan(ring.values()[-1])

    def test_each_base_reaches_as_far_back_as_it_says(self):
        history = History()
        for second in range(0, 3600, 2):
            history.take(float(second), {"cpu": float(second)})
        for base, (_, seconds) in enumerate(BASES):
            values = history.of("cpu", base)
            assert len(values) == BINS
            assert values[0] == pytest.approx(3600 - seconds, abs=seconds / BINS + 2)
        assert all(math.isnan(value) for value in history.of("gpu 7", 0))


class TestShares:
    def test_they_are_parts_of_what_all_lanes_trained_lately(self):
        shares = Shares()
        assert shares.of({0: 100.0, 1: 5.0}, 0.0) == {}
        assert shares.of({0: 101.0, 1: 8.0}, 2.0) == {0: 0.25, 1: 0.75}
        for at in range(4, 40, 2):
            found = shares.of({0: 101.0 + at, 1: 8.0 + at}, float(at))
        assert found == pytest.approx({0: 0.5, 1: 0.5})

    def test_a_way_back_and_a_lane_that_joins_count_for_nothing(self):
        shares = Shares()
        shares.of({0: 100.0, 1: 5.0}, 0.0)
        assert shares.of({0: 20.0, 1: 6.0, 2: 50.0}, 2.0) == {0: 0.0, 1: 1.0, 2: 0.0}

    def test_nobody_trained(self):
        shares = Shares()
        shares.of({0: 1.0}, 0.0)
        assert shares.of({0: 1.0}, 2.0) == {}


class TestLoads:
    def test_lanes_of_one_process_are_counted_and_those_that_are_over_are_not(self):
        state = RaceState(make_race(("steady",) * 4))
        for index, role in enumerate(("trainer 0", "trainer 1", "trainer 0", "trainer 0")):
            apply(state, msgspec.structs.replace(started(index), role=role))
        apply(state, Ended(lane=3, step=5, reason="stopped"))
        found = loads(state, {"trainer 0": Footprint(3e8, 1e9)}, {0: 0.75, 1: 0.25})
        assert sorted(found) == [0, 1, 2]
        assert found[0] == LaneLoad(3e8, 1e9, 2, 0.75)
        assert found[2].lanes == 2
        assert math.isnan(found[2].share)
        assert math.isnan(found[1].memory)


class Driver:
    """Stands for pynvml: two GPUs, of which the second one tells little, and a process on both."""

    def __init__(self) -> None:
        self.pid = os.getpid()

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        self._only_first(handle)
        return SimpleNamespace(gpu=93, memory=40)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=10_200_000_000, total=80_000_000_000)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        self._only_first(handle)
        return 285_400

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        self._only_first(handle)
        return 61 + sensor

    def nvmlDeviceGetComputeRunningProcesses(self, handle: int) -> list[Any]:  # noqa: N802
        return [
            SimpleNamespace(pid=self.pid, usedGpuMemory=2_000_000_000),
            SimpleNamespace(pid=1, usedGpuMemory=None),
        ]

    @staticmethod
    def _only_first(handle: int) -> None:
        if handle:
            raise RuntimeError("not supported")


def me(**keys: object) -> Process:
    return Process(
        **{
            "role": "trainer 0",
            "pid": os.getpid(),
            "started": identity.started(os.getpid()),
            "host": socket.gethostname(),
            "beat": 0.0,
            **keys,
        }
    )  # type: ignore[arg-type]


class TestReading:
    def test_gpus_say_what_they_can(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pynvml", Driver())
        found = read(machine._gpus(), {"trainer 0": me()}, 5.0, memory_of)
        assert found.gpus[0] == Gpu(0, 93.0, 10.2e9, 80e9, 285.4, 61.0)
        assert str(found.gpus[1]) == str(Gpu(1, math.nan, 10.2e9, 80e9, math.nan, math.nan))
        assert found.trainers["trainer 0"].gpu_memory == 4e9

    def test_a_driver_that_fails_at_all_is_no_gpu(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace())
        assert machine._gpus() == []
        assert read([], {}, 5.0, memory_of).gpus == ()

    def test_a_process_has_its_memory(self):
        found = read([], {"trainer 0": me()}, 5.0, memory_of)
        assert 5e6 < found.trainers["trainer 0"].memory < 4e9
        assert found.total > found.used > 0
        assert found.cores >= 1

    def test_the_memory_of_a_process_is_asked_for_now_and_then_only(self, monkeypatch):
        asked: list[int] = []
        # each reading asks twice for the time and once for the process: six seconds
        now = iter(range(100, 200, 2))
        monkeypatch.setattr(machine, "time", SimpleNamespace(monotonic=lambda: float(next(now))))
        monkeypatch.setattr(machine, "memory_of", lambda pid: asked.append(pid) or 1e6 * len(asked))
        seen, mine = [], Machine()
        for _ in range(6):
            mine._read({"trainer 0": me()})
            assert mine.news()
            seen.append(mine.reading.trainers["trainer 0"].memory)  # type: ignore[union-attr]
        assert seen == [1e6, 1e6, 2e6, 2e6, 3e6, 3e6]

    @pytest.mark.parametrize("other", [{"started": 1.0}, {"host": "elsewhere"}, {"pid": 2**22 + 1}])
    def test_a_process_that_is_another_or_elsewhere_has_none(self, other):
        assert read([], {"trainer 0": me(**other)}, 5.0, memory_of).trainers == {}

    def test_the_cpu_is_what_was_busy_between_two_looks(self):
        times = namedtuple("times", "user nice system idle iowait guest")
        before = times(100.0, 0.0, 50.0, 1000.0, 10.0, 30.0)
        # guest is in user
        assert cpu_percent(before, times(103.0, 0.0, 51.0, 1005.0, 11.0, 32.0)) == pytest.approx(
            40.0
        )
        assert cpu_percent(before, before._replace(idle=1004.0)) == 0.0
        assert cpu_percent(before, before._replace(user=104.0)) == 100.0
        assert math.isnan(cpu_percent(before, before))

    def test_it_is_read_beside_and_taken_in_when_it_is_there(self):
        looked = Machine()
        assert not looked.news()
        looked.look({"trainer 0": me()})
        until(looked.news, "a reading")
        assert looked.reading is not None
        assert "trainer 0" in looked.reading.trainers
        assert not looked.news()
        assert sum(value == value for value in looked.history.of("memory", 0)) == 1
