"""A single linear layer on sixteen points: just enough to step an optimizer and watch its learning
rate."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset


class LinearToy:
    """Ten numbers in, one out. With a batch size of 16 an epoch is one step."""

    def model(self) -> nn.Module:
        return nn.Linear(10, 1)

    def dataset(self) -> Dataset[tuple[Tensor, ...]]:
        """Inputs stay within -1..1, so that plain SGD at a rate of 1.0 converges and does not
        explode."""
        rng = torch.Generator().manual_seed(0)
        x = 2 * torch.rand(16, 10, generator=rng) - 1
        return TensorDataset(x, x.sum(dim=1, keepdim=True))

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        x, y = batch
        return nn.functional.mse_loss(model(x), y)
