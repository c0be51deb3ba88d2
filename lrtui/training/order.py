"""The order of samples in batches: a function of (seed, epoch) alone, the same in every lane."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator

import torch
from torch import nn
from torch.utils.data import Sampler

from lrtui.training import tensors


def batch_order(seed: int, epoch: int, n: int) -> list[int]:
    """The order in which the `n` training samples are seen in `epoch` (counted from 0).

    A `torch.randperm` of its own generator, seeded with seed * 1_000_003 + epoch (modulo 2**63);
    cut it into consecutive batches; the last one is short, or left out if the race has `drop_last =
    true`.
    """
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(n, generator=generator).tolist()


class BatchOrder(Sampler[list[int]]):
    """The batches of sample indices of epoch `epoch`: a DataLoader's batch_sampler."""

    def __init__(
        self, seed: int, samples: int, batch_size: int, *, drop_last: bool = False
    ) -> None:
        """`drop_last`: leave out a short last batch."""
        self.epoch = 0
        self.first = 0
        """Number of the first batch; those before it are not fetched."""
        self._seed = seed
        self._samples = samples
        self._used = samples - samples % batch_size if drop_last else samples
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[list[int]]:
        order = batch_order(self._seed, self.epoch, self._samples)
        return (
            order[start : start + self.batch_size]
            for start in range(self.first * self.batch_size, self._used, self.batch_size)
        )

    def __len__(self) -> int:
        return math.ceil(self._used / self.batch_size)


def order_checksum(batches: Iterable[Iterable[int]]) -> str:
    """A checksum of batches of sample indices in this order, twelve hex digits."""
    digest = hashlib.sha256()
    for batch in batches:
        digest.update((",".join(map(str, batch)) + ";").encode())
    return digest.hexdigest()[:12]


def weights_checksum(model: nn.Module) -> str:
    """A checksum of the names, shapes and exact values of a model's parameters and buffers, twelve
    hex digits."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} ".encode())
        if isinstance(tensor, torch.Tensor):
            digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
            for piece in tensors.pieces(tensor.detach()):
                # numpy() makes the memory that it shares unfit for resize_() for good
                own = piece.to("cpu", copy=True)
                digest.update(tensors.raw(own).numpy().tobytes())
    return digest.hexdigest()[:12]
