"""Assigns devices to lanes: resolves "auto", "cuda", ... on this machine."""

from __future__ import annotations

import gc

import torch

from lrtui.core.errors import DeviceError


def present() -> list[str]:
    """The devices of this machine, the CPU last."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return found + (["mps"] if torch.backends.mps.is_available() else []) + ["cpu"]


def deal(wanted: str, lanes: int) -> list[str]:
    """A device for each lane, round-robin over those that `wanted` allows; raises DeviceError if it
    allows none."""
    there = present()
    gpus = [device for device in there if device.startswith("cuda")]
    allowed = {"auto": gpus or there[:1], "cuda": gpus}.get(
        wanted, [wanted] if wanted in there else []
    )
    if not allowed:
        raise DeviceError(
            f'no device "{wanted}" on this machine',
            "expected one of " + ", ".join(["auto", *there]),
        )
    return [allowed[index % len(allowed)] for index in range(lanes)]


def free_memory(device: torch.device) -> None:
    """Returns memory of a lane that is over to a GPU. Elsewhere the next collection suffices; this
    one takes a tenth of a second."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
