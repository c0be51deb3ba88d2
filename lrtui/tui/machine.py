"""What the machine is doing: CPU, GPUs, memory, as one short line. Knows no widget."""

from __future__ import annotations

from typing import Any

import psutil


class Machine:
    """Reads the machine's load. GPUs through NVML, which needs no CUDA context; without them one quiet word."""

    def __init__(self) -> None:
        self._gpus = _gpus()
        psutil.cpu_percent()  # the first call has nothing to compare with

    def line(self) -> str:
        """'cpu 87 % of 8 · memory 12.1/64 GB · gpu 0 93 % 10.2/80 GB'."""
        memory = psutil.virtual_memory()
        parts = [f"cpu {psutil.cpu_percent():.0f} % of {psutil.cpu_count()}",
                 f"memory {(memory.total - memory.available) / 1e9:.1f}/{memory.total / 1e9:.0f} GB"]
        return " · ".join(parts + ([_gpu(index, handle) for index, handle in enumerate(self._gpus)] or ["no GPU"]))


def _gpus() -> list[Any]:
    """NVML's handles; empty where there is no driver or no GPU."""
    try:
        import pynvml
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except Exception:  # NVML raises its own errors for every way of not being there
        return []


def _gpu(index: int, handle: Any) -> str:
    try:
        import pynvml
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        busy = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
        return f"gpu {index} {busy} % {memory.used / 1e9:.1f}/{memory.total / 1e9:.0f} GB"
    except Exception:  # a GPU that cannot say (MIG, a lost driver) must not take the screen with it
        return f"gpu {index} ?"
