"""What the fault suite trains: a tiny net with dropout and batch norm, whose steps take a while,
and which can be made to crash.

A test copies this file into a folder of its own; a file `crash` beside it says that the next step
is to end its process, and how.
"""

import ctypes
import os
import signal
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import TensorDataset

CRASH = Path(__file__).with_name("crash")
TRAINER = os.getpid()
"""Only a trainer crashes, not the process in which it rehearses a loss: nobody would see that."""


def _points(n, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=generator)
    return TensorDataset(x, x.sum(1, keepdim=True) + 0.1 * torch.randn(n, 1, generator=generator))


class Tiny:
    """Seven steps an epoch at a batch size of 8; random numbers are drawn, buffers move, there is a
    validation."""

    def model(self):
        return nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1)
        )

    def dataset(self):
        return _points(53, 0), _points(20, 1)

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0]), batch[1])

    def metrics(self, model, batch):
        return {"mae": (model(batch[0]) - batch[1]).abs().mean()}


class Slow(Tiny):
    """The same numbers, but a step takes 5 ms as on a larger model, so that a race lasts; and it
    crashes when it is told to."""

    def loss(self, model, batch):
        time.sleep(0.005)
        if CRASH.exists() and os.getpid() == TRAINER:
            _crash()
        return super().loss(model, batch)


class Doomed(Tiny):
    """Each process that trains it is killed at its fifth step, as by the kernel when memory is
    out."""

    left = 5

    def loss(self, model, batch):
        if model.training:
            self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(model, batch)


def _crash():
    """Only one process dies of one file: the one that can take it away."""
    how = CRASH.read_text() if CRASH.exists() else ""
    try:
        CRASH.unlink()
    except FileNotFoundError:
        return
    if how == "exit":
        os._exit(3)
    if how == "segfault":
        ctypes.string_at(0)
