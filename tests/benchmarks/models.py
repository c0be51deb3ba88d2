"""Three tasks for the benchmarks: small, middle and convolutional, as in notes on threads. Loaded
by file, as a person's own."""

import torch
from torch import nn
from torch.utils.data import TensorDataset


def _noise(count, *shape):
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))


class Small:
    """1-10-1 MLP, 100 points, batch 100."""

    def model(self):
        return nn.Sequential(nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 1))

    def dataset(self):
        x = torch.linspace(-10, 10, 1000)[:, None]
        return TensorDataset(x, 3 * x + 7)

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0]), batch[1])


class Middle(Small):
    """16-128-128-768 MLP, batch 32."""

    def model(self):
        return nn.Sequential(
            nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 768)
        )

    def dataset(self):
        return TensorDataset(_noise(512, 16), _noise(512, 768))


class Conv(Small):
    """A generator of transposed convolutions, batch 32."""

    def model(self):
        return nn.Sequential(
            nn.Linear(16, 64 * 16),
            nn.Unflatten(1, (64, 4, 4)),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 3, 4, 2, 1),
        )

    def dataset(self):
        return TensorDataset(_noise(512, 16), _noise(512, 3, 16, 16))
