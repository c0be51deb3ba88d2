"""Random state, taken out and put back: what keeps lanes that share a process, and measuring, out of each other's way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch


class RandomState(NamedTuple):
    """Every global generator that training may draw from."""

    cpu: torch.Tensor
    device: torch.Tensor | None
    python: Any
    numpy: Any


def seed_all(seed: int) -> None:
    """`torch.manual_seed(seed)` (all devices), and Python's and numpy's generators likewise."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def capture(device: torch.device) -> RandomState:
    """The state of all generators, that of `device` among them."""
    return RandomState(torch.get_rng_state(), _device_state(device), random.getstate(), np.random.get_state())


def restore(state: RandomState, device: torch.device) -> None:
    """Puts a captured state back."""
    torch.set_rng_state(state.cpu)
    if state.device is not None:
        getattr(torch, device.type).set_rng_state(state.device, *([device] if device.type == "cuda" else []))
    random.setstate(state.python)
    np.random.set_state(state.numpy)


@contextmanager
def preserved(device: torch.device) -> Iterator[None]:
    """Leaves the generators as it found them."""
    state = capture(device)
    try:
        yield
    finally:
        restore(state, device)


def _device_state(device: torch.device) -> torch.Tensor | None:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None
