"""A script's lane in the process of the test: a recording in memory, and a training loop."""

from collections import deque
from contextlib import nullcontext

import torch
from torch import nn

from lrtui.core.protocol.events import Steps


class Recorded:
    """A recording in memory: its events, and commands that come at given steps."""

    superseded = False

    def __init__(self):
        self.events, self.results, self.waits = [], {}, 0
        self.inbox = deque()
        self.while_waiting = deque()

    def put(self, event):
        self.events.append(event)

    def commands(self):
        found = [*enumerate(self.inbox)]
        self.inbox.clear()
        return found

    def acknowledge(self, number, result):
        self.results[number] = result

    def atomic(self):
        return nullcontext()

    def wait(self, seconds):
        self.waits += 1
        if self.while_waiting:
            self.inbox.append(self.while_waiting.popleft())

    def close(self, patience_s=0.0):
        return True

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def column(self, name):
        return [value for block in self.of(Steps) for value in block.values(name).tolist()]


class Script:
    """A training loop as a stranger writes it."""

    def __init__(self, kind=torch.optim.SGD, lr=0.1, schedule=None, seed=0, **options):
        generator = torch.Generator().manual_seed(seed)
        self.x, self.y = (
            torch.randn(32, 3, generator=generator),
            torch.randn(32, 1, generator=generator),
        )
        torch.manual_seed(seed)
        self.model = nn.Linear(3, 1)
        self.optimizer = kind(self.model.parameters(), lr=lr, **options)
        self.schedule = schedule(self.optimizer) if schedule else None
        self.losses = []

    def loss(self):
        return ((self.model(self.x) - self.y) ** 2).mean()

    def step(self, micro_batches=1):
        self.optimizer.zero_grad()
        total = 0.0
        for _ in range(micro_batches):
            loss = self.loss() / micro_batches
            loss.backward()
            total += loss.item()
        self.losses.append(total)
        self.optimizer.step()
        if self.schedule:
            self.schedule.step()

    def run(self, steps, **how):
        for _ in range(steps):
            self.step(**how)
        return self

    @property
    def weights(self):
        return [p.detach().clone() for p in self.model.parameters()]
