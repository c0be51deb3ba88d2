"""Small tasks that the tests train: dropout, batch norm, a class-labelled one, and ones that go wrong."""

import os
import random
import signal

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def _points(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=generator)
    return TensorDataset(x, x.sum(1, keepdim=True) + 0.1 * torch.randn(n, 1, generator=generator))


class Dropped:
    """Dropout and batch norm: random numbers are drawn, buffers move."""

    def model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))

    def dataset(self):
        return _points(50), _points(20, seed=1)

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0]), batch[1])

    def metrics(self, model, batch):
        torch.rand(3)  # what measuring draws must not be seen by training
        return {"mae": (model(batch[0]) - batch[1]).abs().mean()}

    def sample(self, model):
        return torch.rand(2, 1, 8, 8)


class Plain(Dropped):
    """A linear model, no validation."""

    def model(self):
        return nn.Linear(4, 1)

    def dataset(self):
        return _points(48)


class Validated(Plain):
    """The same, validated on what it was trained on."""

    def dataset(self):
        return _points(48), _points(48)


class Classes:
    """Cross entropy on dict batches."""

    def model(self):
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))

    def dataset(self):
        x = _points(40).tensors[0]
        return [{"x": row, "y": int(row.argmax()) % 3} for row in x]

    def loss(self, model, batch):
        return nn.functional.cross_entropy(model(batch["x"]), batch["y"])


class OwnLoader(Plain):
    """Brings its own DataLoader, shuffled by its own generator."""

    def dataset(self):
        return DataLoader(_points(40), batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(5))


class InfiniteGradient(Plain):
    """The loss stays finite, the gradient does not: the square root of zero."""

    def loss(self, model, batch):
        return super().loss(model, batch) + (model.weight[0, 0] * 0).sqrt()


class Raises(Plain):
    """Fails where the loss is far above its start, so only in lanes whose rate is too high."""

    def loss(self, model, batch):
        loss = super().loss(model, batch)
        if loss.item() > 1e3:
            raise RuntimeError("[bold]the task\x1b[31m broke[/bold]")
        return loss


class Quits(Plain):
    """Says exit() under the same condition, as a script would."""

    def loss(self, model, batch):
        loss = super().loss(model, batch)
        if loss.item() > 1e3:
            raise SystemExit("enough")
        return loss


class Dies(Plain):
    """Kills its process under the same condition."""

    def loss(self, model, batch):
        loss = super().loss(model, batch)
        if loss.item() > 1e3:
            print("last\x1b[31m words", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return loss


class RaisesInMetrics(Dropped):
    """The first validation fails: the step before it has been done all the same."""

    def metrics(self, model, batch):
        raise ValueError("no metrics today")


class BlindValidation(Dropped):
    """The validation loss is NaN, the training loss is not."""

    def loss(self, model, batch):
        return super().loss(model, batch) * (1.0 if model.training else float("nan"))


class DoubleLoss(Plain):
    """A float32 model whose loss is float64."""

    def loss(self, model, batch):
        return (model(batch[0]).double() - batch[1].double()).square().mean() / 3


class Unbuildable(Plain):
    """Has no model to give."""

    def model(self):
        raise ValueError("no weights")


class DrawsEverywhere(Plain):
    """Its loss is scaled by numbers from every global generator."""

    def loss(self, model, batch):
        return super().loss(model, batch) * (1 + random.random() + np.random.rand() + torch.rand(()))


class Slow(Plain):
    """Many epochs' worth of samples."""

    def dataset(self):
        return _points(4096)
