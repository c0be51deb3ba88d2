"""Tasks whose state lies where one does not look for it first; all count their losses,
somewhere."""

import argparse
import collections
import contextvars
import functools
import multiprocessing
import os
import sys
import threading
import weakref

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from .stateful_tasks import Base, _points  # loaded by path too, as a task file

steps = 0
annealed = contextvars.ContextVar("annealed", default=0)


class Namespace(Base):
    """The arguments of a script, changed as it goes."""

    def __init__(self):
        self.args = argparse.Namespace(step=0)

    def touch(self):
        self.args.step += 1
        return self.args.step / 100


class Wrapped(Base):
    """A UserDict, and statistics that are kept for as long as the module lives."""

    def __init__(self):
        self.numbers, self.layer = collections.UserDict(n=0), nn.Linear(1, 1)
        self.seen = weakref.WeakKeyDictionary({self.layer: [0]})

    def touch(self):
        self.numbers["n"] += 1
        self.seen[self.layer][0] += 1
        return (self.numbers["n"] + self.seen[self.layer][0]) / 200


@functools.cache
def settings():
    return {"step": 0}


class Cached(Base):
    """A dict that a cached function gives out, which was never called before the first loss."""

    def touch(self):
        settings()["step"] += 1
        return settings()["step"] / 100


class ByName(Base):
    """A global that the code names in a string only."""

    def touch(self):
        globals()["steps"] += 1
        return globals()["steps"] / 100


class OwnModule(Base):
    """A variable of a module that is held as a value."""

    def __init__(self):
        self.home = sys.modules[type(self).__module__]

    def touch(self):
        self.home.steps += 1
        return self.home.steps / 100


class _Private:
    __slots__ = ("__n",)

    def __init__(self):
        self.__n = 0

    def next(self):
        self.__n += 1
        return self.__n


class PrivateSlots(Base):
    def __init__(self):
        self.counter = _Private()

    def touch(self):
        return self.counter.next() / 100


class Odd(Base):
    """Attributes of a tensor, lists in an array of objects, a generator without its front, memory
    that processes share."""

    def __init__(self):
        self.tensor, self.lists, self.bits = (
            torch.zeros(1),
            np.array([[0], [0, 1]], dtype=object),
            np.random.PCG64(3),
        )
        self.tensor.n = 0
        self.value = multiprocessing.Value("i", 0)

    def touch(self):
        self.tensor.n += 1
        self.lists[0][0] += 1
        self.value.value += 1
        return (
            self.tensor.n
            + self.lists[0][0]
            + self.value.value
            + np.random.Generator(self.bits).random()
        ) / 300


class Lean:
    """No validation, metrics or samples, which would change what nobody can see, too."""

    model, loss = Base.model, Base.loss

    def dataset(self):
        return _points(48)


class Thread(Lean):
    """State of a thread."""

    def __init__(self):
        self.local = threading.local()
        self.local.n = 0

    def touch(self):
        self.local.n += 1
        return self.local.n / 100


class Context(Lean):
    """A variable of the context."""

    def touch(self):
        annealed.set(annealed.get() + 1)
        return annealed.get() / 100


class Environment(Lean):
    """An environment variable."""

    def touch(self):
        os.environ["LRTUI_TEST_STEP"] = str(int(os.environ.get("LRTUI_TEST_STEP", "0")) + 1)
        return int(os.environ["LRTUI_TEST_STEP"]) / 100


class ManyLists(Lean):
    """Counts of two thousand samples, each in a list of its own."""

    def __init__(self):
        self.seen = {sample: [0] for sample in range(2000)}

    def touch(self):
        self.seen[5][0] += 1
        return self.seen[5][0] / 100


class _Rows(Dataset):
    """Rows that are handed out as they are stored."""

    def __init__(self):
        self.rows = [{"x": x.clone(), "y": y.clone()} for x, y in _points(48)]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


def _only(rows):
    return rows[0]


class InPlace(Lean):
    """A loss that changes its batch, which is the data itself."""

    def dataset(self):
        return DataLoader(_Rows(), batch_size=1, collate_fn=_only)

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch["x"].mul_(0.98)), batch["y"])


class Popped(Lean):
    """Labels that are taken out of the batch."""

    def dataset(self):
        x, y = _points(48).tensors
        return [{"x": one, "y": other} for one, other in zip(x, y, strict=True)]

    def loss(self, model, batch):
        target = batch.pop("y")
        return nn.functional.mse_loss(model(input=batch["x"]), target)


class _Noisy:
    """A collate_fn with a generator and a counter of its own."""

    def __init__(self):
        self.calls, self.generator = 0, np.random.default_rng(3)

    def __call__(self, rows):
        self.calls += 1
        x, y = torch.utils.data.default_collate(rows)
        return x + float(self.generator.random()) / 10 + self.calls / 1000, y


class SharedCollate(Base):
    """Training and validation make their batches with one object."""

    def dataset(self):
        collate = _Noisy()
        return (
            DataLoader(_points(48), batch_size=16, collate_fn=collate),
            DataLoader(_points(16, seed=1), batch_size=16, collate_fn=collate),
        )


class GuardedCritic(Lean):
    """A critic that learns only where there are gradients."""

    def __init__(self):
        self.critic = nn.Linear(1, 1)
        self.optimizer = torch.optim.SGD(self.critic.parameters(), lr=0.1)

    def loss(self, model, batch):
        made = model(batch[0])
        if torch.is_grad_enabled():
            self.optimizer.zero_grad()
            (self.critic(made.detach()) - self.critic(batch[1])).mean().backward()
            self.optimizer.step()
        return nn.functional.mse_loss(made, batch[1]) - 0.1 * self.critic(made).mean()


class SlopeInValidation(Base):
    """Asks for gradients in validation, too."""

    def loss(self, model, batch):
        made = model(batch[0].requires_grad_(True))
        (slope,) = torch.autograd.grad(made.sum(), batch[0], create_graph=True)
        return nn.functional.mse_loss(made, batch[1]) + 0.01 * slope.square().sum()


PUT_BACK = [
    SlopeInValidation,
    Namespace,
    Wrapped,
    Cached,
    ByName,
    OwnModule,
    PrivateSlots,
    Odd,
    InPlace,
    Popped,
    SharedCollate,
    GuardedCritic,
]
UNSEEN = [Thread, Context, Environment, ManyLists]
