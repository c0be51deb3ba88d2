"""Fits y = 3x + 7 + noise with a small ReLU net: 100 points, one number in, one number out; loss is
MSE.

The set-up is the usual first example for Keras: 10 hidden units, Glorot weights, zero biases. The
noise has a standard deviation of 2, so its variance 4 is about what the loss comes down to.
"""

from __future__ import annotations

import torch
from scatter import GREY, ORANGE, AxisLimits, blank, column_centres, dot
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

WINDOW = AxisLimits(left=-10.0, right=10.0, bottom=-32.0, top=46.0)


class StraightLine:
    """A 1-10-1 net on a noisy straight line, without a validation set: all that matters is how it
    fits."""

    def model(self) -> nn.Module:
        net = nn.Sequential(nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 1))
        for layer in net:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        return net

    def dataset(self) -> Dataset[tuple[Tensor, ...]]:
        return TensorDataset(*_points())

    def loss(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        x, y = batch
        return nn.functional.mse_loss(model(x), y)

    def sample(self, model: nn.Module) -> Tensor:
        """The points in grey and the net's curve in orange."""
        picture = blank()
        x, y = _points()
        dot(picture, x[:, 0], y[:, 0], WINDOW, GREY)
        columns = column_centres(WINDOW)
        curve = model(columns.to(next(model.parameters()).device).unsqueeze(1)).cpu()
        dot(picture, columns, curve[:, 0], WINDOW, ORANGE)
        return picture.unsqueeze(0)


def _points() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(42)
    x = torch.linspace(-10, 10, 100).unsqueeze(1)
    return x, 3 * x + 7 + 2 * torch.randn(x.shape, generator=rng)
