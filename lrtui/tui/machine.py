"""What the machine is doing: CPU, memory, GPUs, and what each trainer takes of them. Knows no
widget.

It is read in a thread of its own: a driver that takes its time, or a process with much memory,
keeps no key waiting.
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
"""How long what a process takes counts as known: to tell it the kernel walks all its pages, and
keeps it from new ones."""
LATELY_S = 10.0
"""A mean of the CPU's load over more than this says nothing about now."""


class Gpu(NamedTuple):
    """One GPU; NaN where it cannot say (MIG, a lost driver, a laptop's)."""

    number: int
    busy: float = NAN
    """Share of the time in which it did anything, in percent."""
    used: float = NAN
    total: float = NAN
    """Bytes."""
    watts: float = NAN
    celsius: float = NAN


class Footprint(NamedTuple):
    """What a process takes, in bytes; NaN where that cannot be told."""

    memory: float
    """Its own, and its part of what it shares with others (PSS); where the system does not tell
    that, all of it (RSS)."""
    gpu_memory: float = NAN


class Reading(NamedTuple):
    """The machine at one moment."""

    at: float
    """Seconds of a clock that nobody sets."""
    cpu: float
    """Percent of all cores; NaN where that cannot be told."""
    cores: int
    used: float
    total: float
    """Bytes of memory."""
    gpus: tuple[Gpu, ...] = ()
    trainers: Mapping[str, Footprint] = {}
    """By role; those that are gone or on another machine are not among them."""


class LaneLoad(NamedTuple):
    """What a lane costs."""

    memory: float
    """Bytes of its trainer's process; NaN where that is gone, or on another machine."""
    gpu_memory: float
    """Bytes that this process has on GPUs; NaN without any."""
    lanes: int
    """As many share the process: both figures are those of all of them together."""
    share: float
    """Of the seconds that all lanes trained lately, its part, 0 to 1; NaN where none trained."""


class Machine:
    """The last reading and the history of all; `look` takes the next one."""

    def __init__(self) -> None:
        self.gpus = _gpus()
        """NVML's handles."""
        self.reading: Reading | None = None
        """None before the first one."""
        self._fresh: Reading | None = None
        """What the thread has left here, until it is taken in."""
        self.history = History()
        self._shares = Shares()
        self._memories: dict[int, tuple[float, float]] = {}
        """By process: when its memory was last asked for, and what it was."""
        self._thread: threading.Thread | None = None
        self._before = time.monotonic(), psutil.cpu_times()
        """When the reading before was taken, and the CPU's times then: psutil itself remembers them
        by thread, and the thread of each reading is another one."""

    def look(self, trainers: Mapping[str, Process]) -> None:
        """Takes a reading, unless the one before is still under way; `news` has it when it is
        there."""
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
        """Takes in what the thread has read; whether there is anything new."""
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
        """What each living lane costs; by index."""
        shares = self._shares.of(
            {lane.index: lane.clock.own_seconds for lane in state.lanes}, time.monotonic()
        )
        return loads(state, self.reading.trainers if self.reading else {}, shares)


def loads(
    state: RaceState, trainers: Mapping[str, Footprint], shares: Mapping[int, float]
) -> dict[int, LaneLoad]:
    """What each lane that is not over costs: its process's footprint, who shares it, its share of
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
    """How busy all cores were between two of psutil's `cpu_times`, 0 to 100; NaN where no time has
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
    """The machine now, which was `cpu` percent busy lately; `memory_by` tells the bytes of a
    process."""
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
    """Bytes of a process: shared pages count as parts where the kernel tells (Linux)."""
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
    """NVML's handles; empty where there is no driver or no GPU. NVML needs no CUDA context."""
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
    """Bytes on all GPUs by process; a container may not see its own."""
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
