"""Tasks whose loss, metrics or samples change something beside the weights: each must train as in a
plain loop."""

import collections
import dataclasses
import functools
import itertools
import types

import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

calls = 0
shared = {"seen": []}


def _points(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, generator=generator)
    return TensorDataset(x, x.sum(1, keepdim=True) + 0.1 * torch.randn(n, 1, generator=generator))


class Base:
    """A small net with validation, metrics and samples, which all come through `loss` or
    `touch`."""

    def model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def dataset(self):
        return _points(48), _points(16, seed=1)

    def touch(self):
        """Moves the state; gives a number that depends on how often it was called."""
        return 0.0

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0]), batch[1]) * (1.0 + self.touch())

    def metrics(self, model, batch):
        return {"touched": float(self.touch())}

    def sample(self, model):
        return torch.full((1, 1, 2, 2), min(1.0, abs(float(self.touch()))))


class Counter(Base):
    """A counter on the task, as in annealing."""

    def __init__(self):
        self.calls = 0

    def touch(self):
        self.calls += 1
        return self.calls / 100


class ClassCounter(Base):
    """A counter on the class."""

    calls = 0

    def touch(self):
        type(self).calls += 1
        return self.calls / 100


class GlobalCounter(Base):
    """A global variable of the file."""

    def touch(self):
        global calls
        calls += 1
        return calls / 100


class GlobalList(Base):
    """A list in a global dict."""

    def touch(self):
        shared["seen"].append(len(shared["seen"]))
        return sum(shared["seen"]) / 1e4


class Closure(Base):
    """A counter in a closure."""

    def __init__(self):
        count = 0

        def touch():
            nonlocal count
            count += 1
            return count / 100

        self.touch = touch


class FunctionAttribute(Base):
    """An attribute of a function."""

    def touch(self):
        return _remembering()


def _remembering():
    _remembering.calls = getattr(_remembering, "calls", 0) + 1
    return _remembering.calls / 100


class Nested(Base):
    """Generators of every kind, in lists, dicts, tuples and partials."""

    def __init__(self):
        self.sources = ({"torch": [torch.Generator().manual_seed(1)]}, np.random.default_rng(2))
        self.draw = functools.partial(torch.rand, (), generator=torch.Generator().manual_seed(3))

    def touch(self):
        own = torch.rand((), generator=self.sources[0]["torch"][0])
        return float(own) + self.sources[1].random() + float(self.draw())


class Slots:
    """An object without a __dict__."""

    __slots__ = ("count",)

    def __init__(self):
        self.count = 0


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A frozen dataclass around something that moves."""

    inner: Slots


class InSlots(Base):
    """State in slots, inside of a frozen dataclass."""

    def __init__(self):
        self.state = Frozen(Slots())

    def touch(self):
        self.state.inner.count += 1
        return self.state.inner.count / 100


class Containers(Base):
    """A deque, a set, an array of numpy, a tensor changed in place, a Counter."""

    def __init__(self):
        self.recent = collections.deque(maxlen=5)
        self.seen, self.tally = set(), collections.Counter()
        self.moments, self.total = np.zeros(3), torch.zeros(2)
        self.space = types.SimpleNamespace(count=0)

    def touch(self):
        self.space.count += 1
        self.recent.append(self.space.count)
        self.seen.add(self.space.count % 7)
        self.tally["calls"] += 1
        self.moments[0] += 1
        self.total += 0.5
        together = sum(self.recent) + len(self.seen) + self.tally["calls"] + self.moments[0]
        return (together + float(self.total.sum())) / 1e3


class Cache(Base):
    """Gives the first answer for each batch again."""

    def __init__(self):
        self.cache = {}

    def loss(self, model, batch):
        key = round(float(batch[0].sum()), 4)
        weight = self.cache.setdefault(key, 1.0 + len(self.cache) / 50)
        return super().loss(model, batch) * weight


class Teacher(Base):
    """An averaged copy of the model, moved through .data with every loss."""

    def __init__(self):
        self.teacher = None

    def loss(self, model, batch):
        if self.teacher is None:
            torch.manual_seed(99)
            self.teacher = Base.model(self)
        with torch.no_grad():
            for slow, fast in zip(self.teacher.parameters(), model.parameters(), strict=True):
                slow.data.mul_(0.9).add_(fast.data, alpha=0.1)
        return (
            super().loss(model, batch)
            + 0.1 * (model(batch[0]) - self.teacher(batch[0]).detach()).square().mean()
        )


class Critic(Base):
    """A critic with an optimizer and a schedule of its own, trained in the loss."""

    def __init__(self):
        torch.manual_seed(5)
        self.critic = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self.own = torch.optim.Adam(self.critic.parameters(), lr=0.02)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.own, 5)

    def loss(self, model, batch):
        made = model(batch[0])
        if torch.is_grad_enabled():
            self.own.zero_grad()
            wrong = nn.functional.softplus(-self.critic(batch[1])) + nn.functional.softplus(
                self.critic(made.detach())
            )
            wrong.mean().backward()
            self.own.step()
            self.schedule.step()
        return nn.functional.softplus(-self.critic(made)).mean()


class Metric(Base):
    """An object that adds up, in the manner of a metrics library."""

    def __init__(self):
        self.metric = _Mean()

    def touch(self):
        self.metric.update(0.5)
        return self.metric.total / 100


class _Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total_", torch.zeros(()))
        self.count = 0

    @property
    def total(self):
        return float(self.total_) + self.count

    def update(self, value):
        self.total_ = self.total_ + value
        self.count += 1


class NewBuffer(Base):
    """A buffer that the model assigns anew in each forward pass, and one that grows."""

    def model(self):
        return _Drifting()


class _Drifting(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.register_buffer("drift", torch.zeros(1))
        self.register_buffer("grown", torch.zeros(0), persistent=False)

    def forward(self, x):
        self.drift = 0.9 * self.drift + 0.1 * x.mean().detach()
        self.grown = torch.cat([self.grown, self.drift])
        return self.inner(x) + self.drift + 0.01 * len(self.grown)


class Hooked(Base):
    """A forward hook keeps activations in a list, and the loss looks at the last few of them."""

    def __init__(self):
        self.kept = []

    def model(self):
        model = super().model()
        model[1].register_forward_hook(
            lambda module, given, made: self.kept.append(made.detach().mean())
        )
        return model

    def loss(self, model, batch):
        loss = super().loss(model, batch)
        return loss + torch.stack(self.kept[-3:]).mean()


class Clamped(Base):
    """Clamps the weights before each loss, through .data."""

    def loss(self, model, batch):
        for p in model.parameters():
            p.data.clamp_(-0.3, 0.3)
        return super().loss(model, batch)


class Penalised(Counter):
    """Asks for gradients itself, and counts."""

    def loss(self, model, batch):
        if not model.training:
            return super().loss(model, batch)
        x = batch[0].clone().requires_grad_(True)
        made = model(x)
        (slope,) = torch.autograd.grad(made.sum(), x, create_graph=True)
        return (
            nn.functional.mse_loss(made, batch[1]) * (1 + self.touch())
            + 0.01 * slope.square().sum()
        )

    def metrics(self, model, batch):
        return {}


class Toggles(Base):
    """Freezes and thaws a layer from call to call."""

    def __init__(self):
        self.calls = 0

    def loss(self, model, batch):
        self.calls += 1
        model[0].weight.requires_grad_(self.calls % 3 != 0)
        return super().loss(model, batch)


class Iterator(Base):
    """Draws from an iterator, whose position nothing can put back."""

    def __init__(self):
        self.stream = itertools.cycle([0.1, 0.2, 0.3])

    def loss(self, model, batch):
        return super().loss(model, batch) * (1 + next(self.stream))


class PythonGenerator(Iterator):
    """The same with a generator function, held in a list."""

    def __init__(self):
        self.streams = [self._numbers()]

    def _numbers(self):
        for number in itertools.count():
            yield number / 100

    def loss(self, model, batch):
        return Base.loss(self, model, batch) * (1 + next(self.streams[0]))


PUT_BACK = [
    Counter,
    ClassCounter,
    GlobalCounter,
    GlobalList,
    Closure,
    FunctionAttribute,
    Nested,
    InSlots,
    Containers,
    Cache,
    Teacher,
    Critic,
    Metric,
    NewBuffer,
    Hooked,
    Clamped,
    Penalised,
    Toggles,
]
FIXED = [Iterator, PythonGenerator]
