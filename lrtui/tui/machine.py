"""Reads the machine's load: CPU, memory, GPUs, and each trainer's part. Knows no widget.

A thread reads it: a slow driver, or a process with much memory, must not delay a key.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from lrtui.core.state.race_state import RaceState
from lrtui.store.identity import Process
from lrtui.tui.machine_history import History, Shares

NAN = math.nan
MEMORY_S = 10.0
"""Seconds for which a process's memory is cached: to compute it the kernel walks all its pages, and
stops it from getting new ones."""
LATELY_S = 10.0
"""Longest interval for which a mean CPU load counts as current."""


class Gpu(NamedTuple):
    """One GPU; NaN for a value it cannot report (MIG, a lost driver, a laptop's)."""

    number: int
    busy: float = NAN
    """Percent of the time in which it was busy."""
    used: float = NAN
    total: float = NAN
    """Bytes."""
    watts: float = NAN
    celsius: float = NAN


class Footprint(NamedTuple):
    """Memory of a process in bytes; NaN if unknown."""

    memory: float
    """PSS: private pages and a share of common ones; RSS where the system has no PSS."""
    gpu_memory: float = NAN


class Reading(NamedTuple):
    """The machine at one moment."""

    at: float
    """Seconds of the monotonic clock."""
    cpu: float
    """Percent of all cores; NaN if unknown."""
    cores: int
    used: float
    total: float
    """Bytes of memory."""
    gpus: tuple[Gpu, ...] = ()
    trainers: Mapping[str, Footprint] = {}
    """By role; processes that have ended or run on another machine are left out."""


class LaneLoad(NamedTuple):
    """The resources of a lane."""

    memory: float
    """Bytes of its trainer's process; NaN if it has ended or runs on another machine."""
    gpu_memory: float
    """Bytes of this process on GPUs; NaN without any."""
    lanes: int
    """Lanes that share the process, whose memory is counted for all of them together."""
    share: float
    """Share of the training time of all lanes in the last seconds, 0 to 1; NaN if none trained."""


class Machine:
    """The last reading, and the history of all; `look` starts the next one."""

    def __init__(self) -> None:
        self.gpus = _gpus()
        """NVML's handles."""
        self.reading: Reading | None = None
        """None before the first one."""
        self._fresh: Reading | None = None
        """A finished reading that `news` has not taken in yet."""
        self.history = History()
        self._shares = Shares()
        self._memories: dict[int, tuple[float, float]] = {}
        """By process id: when its memory was last read, and the value."""
        self._thread: threading.Thread | None = None
        self._before = time.monotonic(), psutil.cpu_times()
        """Time and CPU times of the last reading. psutil remembers them by thread, and each reading
        has its own thread."""

    def look(self, trainers: Mapping[str, Process]) -> None:
        """Start a reading, unless one is under way; `news` takes it in."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._read, args=(dict(trainers),), name="machine", daemon=True
            )
            self._thread.start()

    def _read(self, trainers: dict[str, Process]) -> None:
        (at, before), now = self._before, psutil.cpu_times()
        self._before = time.monotonic(), now
        cpu = cpu_percent(before, now) if self._before[0] - at < LATELY_S else NAN
        try:
            self._fresh = read(self.gpus, trainers, cpu, self._memory)
        # what the system does not tell is not shown; a thread's traceback would stand in the
        # picture
        except Exception:
            return

    def _memory(self, pid: int) -> float:
        asked, known = self._memories.get(pid, (-math.inf, NAN))
        if (now := time.monotonic()) - asked >= MEMORY_S:
            self._memories[pid] = now, known = now, memory_of(pid)
        return known

    def news(self) -> bool:
        """Take in a finished reading; True if there is one."""
        found, self._fresh = self._fresh, None
        if found is None:
            return False
        self.reading = found
        self.history.take(
            found.at,
            {
                "cpu": found.cpu,
                "memory": 100 * found.used / found.total,
                **{f"gpu {gpu.number}": gpu.busy for gpu in found.gpus},
            },
        )
        return True

    def loads(self, state: RaceState) -> dict[int, LaneLoad]:
        """The resources of each living lane, by index."""
        shares = self._shares.of(
            {lane.index: lane.clock.own_seconds for lane in state.lanes}, time.monotonic()
        )
        return loads(state, self.reading.trainers if self.reading else {}, shares)


def loads(
    state: RaceState, trainers: Mapping[str, Footprint], shares: Mapping[int, float]
) -> dict[int, LaneLoad]:
    """The resources of each living lane: its process's memory, the lanes sharing it, its share of
    the time."""
    living = [lane for lane in state.lanes if lane.started and not lane.over]
    crowd: dict[str, int] = {}
    for lane in living:
        for role in lane.lifecycle.process_roles[-1:]:
            crowd[role] = crowd.get(role, 0) + 1
    found = {}
    for lane in living:
        role = lane.lifecycle.process_roles[-1] if lane.lifecycle.process_roles else ""
        mine = trainers.get(role, Footprint(NAN))
        found[lane.index] = LaneLoad(
            mine.memory, mine.gpu_memory, crowd.get(role, 1), shares.get(lane.index, NAN)
        )
    return found


def cpu_percent(before: Any, now: Any) -> float:
    """Mean load of all cores between two of psutil's `cpu_times`, 0 to 100; NaN if no time
    passed."""

    def spent(times: Any) -> tuple[float, float]:
        # part of user's and nice's
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        return total, total - times.idle - getattr(times, "iowait", 0.0)

    (total, busy), (total_before, busy_before) = spent(now), spent(before)
    return (
        min(max(100 * (busy - busy_before) / (total - total_before), 0.0), 100.0)
        if total > total_before
        else NAN
    )


def read(
    gpus: list[Any], trainers: Mapping[str, Process], cpu: float, memory_by: Callable[[int], float]
) -> Reading:
    """Read the machine; `cpu`: its mean load in percent; `memory_by`: bytes of a process by id."""
    memory = psutil.virtual_memory()
    here = {
        role: process
        for role, process in trainers.items()
        if process.host == socket.gethostname() and process.alive()
    }
    on_gpus = _gpu_memory(gpus)
    footprints = {
        role: Footprint(memory_by(process.pid), on_gpus.get(process.pid, NAN))
        for role, process in here.items()
    }
    return Reading(
        time.monotonic(),
        cpu,
        psutil.cpu_count() or 1,
        memory.total - memory.available,
        memory.total,
        tuple(_gpu(number, handle) for number, handle in enumerate(gpus)),
        footprints,
    )


def memory_of(pid: int) -> float:
    """Bytes of a process; PSS on Linux, else RSS."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024.0
    except (OSError, ValueError, IndexError):
        pass
    try:
        return float(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return NAN


def _gpus() -> list[Any]:
    """NVML's handles; empty without driver or GPU. NVML needs no CUDA context."""
    try:
        import pynvml

        pynvml.nvmlInit()
        return [
            pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())
        ]
    except Exception:  # NVML raises its own errors for every way of not being there
        return []


def _gpu(number: int, handle: Any) -> Gpu:
    import pynvml

    def ask(what: str, *args: Any) -> Any:
        try:
            return getattr(pynvml, what)(handle, *args)
        # a GPU that cannot say one thing must not take the others with it, nor the screen
        except Exception:
            return None

    busy, memory = ask("nvmlDeviceGetUtilizationRates"), ask("nvmlDeviceGetMemoryInfo")
    # 0: of the chip
    power, heat = ask("nvmlDeviceGetPowerUsage"), ask("nvmlDeviceGetTemperature", 0)
    used, total = (float(memory.used), float(memory.total)) if memory else (NAN, NAN)
    return Gpu(
        number,
        float(busy.gpu) if busy else NAN,
        used,
        total,
        NAN if power is None else power / 1000,
        NAN if heat is None else float(heat),
    )


def _gpu_memory(gpus: list[Any]) -> dict[int, float]:
    """Bytes on all GPUs by process id; a container may not see its own processes."""
    found: dict[int, float] = {}
    for handle in gpus:
        try:
            import pynvml

            for one in pynvml.nvmlDeviceGetComputeRunningProcesses(handle):
                if one.usedGpuMemory:
                    found[one.pid] = found.get(one.pid, 0.0) + one.usedGpuMemory
        except Exception:  # as above
            continue
    return found
