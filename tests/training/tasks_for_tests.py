"""Small tasks that the tests train: dropout, batch norm, a class-labelled one, and ones that go
wrong."""

import math
import os
import random
import signal

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, TensorDataset

from lrtui.training.reachable import BULKY


def _points(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=generator)
    return TensorDataset(x, x.sum(1, keepdim=True) + 0.1 * torch.randn(n, 1, generator=generator))


class Dropped:
    """Dropout and batch norm: random numbers are drawn, buffers move."""

    def model(self):
        return nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1)
        )

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


class Subclassed(Plain):
    """A module of the user's own around one of torch's."""

    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 1)

        def forward(self, x):
            return self.inner(x).tanh()

    def model(self):
        return self.Module()


class MeasuredAtRandom(Dropped):
    """metrics() draws from a generator of the task's own."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(5)

    def metrics(self, model, batch):
        return {"draw": torch.rand((), generator=self.generator)}


class MovingStream(IterableDataset):
    """Each pass begins where the last one ended."""

    def __init__(self):
        self.position = 0

    def __iter__(self):
        for _ in range(64):
            self.position += 1
            x = torch.full((4,), self.position / 64)
            yield x, x.sum(0, keepdim=True)


class Moving(Plain):
    def dataset(self):
        return MovingStream()


class Counted(Dropped):
    """A parameter of whole numbers, which is not trained."""

    def model(self):
        model = super().model()
        count = nn.Parameter(torch.tensor([3]), requires_grad=False)
        model[4].register_parameter("count", count)
        return model


class Tallied(Plain):
    """A number beside the loss that the next loss writes over."""

    def model(self):
        model = super().model()
        model.register_buffer("tally", torch.zeros(()))
        return model

    def loss(self, model, batch):
        if model.training:
            model.tally += 1
        return {"loss": super().loss(model, batch), "tally": model.tally}


class HalfTrained(Dropped):
    """param_groups() leaves out the last layer."""

    def param_groups(self, model):
        return [{"params": model[0].parameters()}, {"params": model[1].parameters()}]


class Bulky(Dropped):
    """A weight of more bytes than a walk copies each time."""

    def model(self):
        wide = BULKY // 16 + 1
        return nn.Sequential(nn.Linear(4, wide, bias=False), nn.Linear(wide, 1))


class Grouped(Dropped):
    """Param groups: the first layer slower than the lane, without weight decay; the last one
    faster; the norm at its own rate."""

    def param_groups(self, model):
        first, norm, _, _, last = model
        return [
            {"params": first.parameters(), "lr_scale": 0.1, "weight_decay": 0.0, "name": "first"},
            {"params": [last.weight, last.bias], "lr_scale": 2},
            {"params": norm.parameters(), "lr": 0.003},
        ]


class OwnRateFirst(Dropped):
    """The first of its param groups has a rate of its own, the second one the lane's."""

    def param_groups(self, model):
        return [
            {"params": model[0].parameters(), "lr": 0.001},
            {"params": [*model[1].parameters(), *model[4].parameters()]},
        ]


class HeadOnly(Dropped):
    """Only the last layer is in a param group; the first one is frozen, and so nobody's fault."""

    def param_groups(self, model):
        model[0].requires_grad_(False)
        return [{"params": model[4].named_parameters()}]


class Sparse(Dropped):
    """One embedding whose gradients are sparse; of the same size as Dropped."""

    def model(self):
        return nn.EmbeddingBag(20, 1, mode="mean", sparse=True)

    def dataset(self):
        return _words(50), _words(20, seed=1)


def _words(n, seed=0):
    words = torch.randint(0, 20, (n, 3), generator=torch.Generator().manual_seed(seed))
    return TensorDataset(words, 3 + words.float().mean(1, keepdim=True) / 20)


class SparseAndDense(Dropped):
    """An embedding with sparse gradients under a layer with dense ones."""

    def model(self):
        return nn.Sequential(nn.EmbeddingBag(20, 4, mode="mean", sparse=True), nn.Linear(4, 1))

    def dataset(self):
        return _words(50), _words(20, seed=1)


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
        return DataLoader(
            _points(40), batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(5)
        )


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


class Interrupts(Plain):
    """Raises what is no Exception under the same condition."""

    def loss(self, model, batch):
        loss = super().loss(model, batch)
        if loss.item() > 1e3:
            raise KeyboardInterrupt("enough")
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


class RaisesLate(Dropped):
    """Fails in its third epoch."""

    def __init__(self):
        self.steps = 0

    def loss(self, model, batch):
        self.steps += model.training
        if self.steps > 10:
            raise RuntimeError("enough")
        return super().loss(model, batch)


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
        return super().loss(model, batch) * (
            1 + random.random() + np.random.rand() + torch.rand(())
        )


class Slow(Plain):
    """Many epochs' worth of samples."""

    def dataset(self):
        return _points(4096)


class GlobalLoader(Dropped):
    """Brings a loader of its own that is shuffled by the global generator; the last batch is
    short."""

    def dataset(self):
        return DataLoader(_points(44), batch_size=8, shuffle=True), DataLoader(
            _points(20, seed=1), batch_size=8, shuffle=True
        )


class Augmented(Dropped):
    """Its samples are changed at random, by every kind of generator, each time that they are
    fetched."""

    fetched = 0

    def dataset(self):
        return _Shaken(_points(50)), _Shaken(_points(20, seed=1))


class AugmentedLoader(Dropped):
    """The same in a loader of its own, which draws with replacement."""

    def dataset(self):
        data, generator = _Shaken(_points(40)), torch.Generator().manual_seed(5)
        sampler = RandomSampler(data, replacement=True, generator=generator)
        return DataLoader(data, batch_size=8, sampler=sampler, generator=generator), _Shaken(
            _points(20, seed=1)
        )


class _Shaken(Dataset):
    def __init__(self, points):
        self.points = points
        self.generators = torch.Generator().manual_seed(1)
        self.drawn, self.thrown = np.random.default_rng(2), random.Random(3)
        self.old, self.other = np.random.RandomState(4), np.random.Generator(np.random.Philox(5))

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        Augmented.fetched += 1
        x, y = self.points[index]
        own = torch.rand(4, generator=self.generators) + self.drawn.random() + self.thrown.random()
        own += self.old.rand() + self.other.random()
        return x + 0.1 * (torch.rand(4) + random.random() + np.random.rand()) + 0.1 * own, y


class Odd(Plain):
    """Weights and buffers of every kind: tied, frozen, not persistent, of other types."""

    def model(self):
        return _Odd()


class _Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.again = self.inner
        self.other = nn.Linear(4, 4)
        self.other.weight = self.inner.weight
        self.out = nn.Linear(4, 1).double()
        self.generator = torch.Generator().manual_seed(7)
        self.frozen = nn.Parameter(torch.ones(4), requires_grad=False)
        self.register_buffer("mean", torch.zeros(4), persistent=False)
        self.register_buffer("grows", torch.zeros(0), persistent=False)

    def forward(self, x):
        if self.training and torch.is_grad_enabled():
            self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)
            x = x * (1 + 0.1 * torch.rand(4, generator=self.generator))
            self.grows = torch.cat([self.grows, x.mean().reshape(1)])
        hidden = torch.tanh(self.other(torch.tanh(self.again(x - self.mean) * self.frozen)))
        return self.out(hidden.double() + self.grows.sum()).float()


class Steep(Plain):
    """A net whose gradients overflow float16 where the loss is scaled, for a few steps."""

    def loss(self, model, batch):
        return 30 * super().loss(model, batch)


class NanInSecond(Plain):
    """The fourth loss is NaN, the second one of a step of two micro-batches."""

    def loss(self, model, batch):
        self.calls = getattr(self, "calls", 0) + 1
        loss = super().loss(model, batch)
        return loss * math.nan if self.calls == 4 else loss


class ByParts(Plain):
    """The loss calls the model's layers, not the model."""

    def model(self):
        return nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))

    def loss(self, model, batch):
        return nn.functional.mse_loss(model[1](model[0](batch[0])), batch[1])
