"""Schedulers and functions of a person's own, as tests want them: honest ones, and ones that go
wrong."""

import random

from torch.optim.lr_scheduler import ReduceLROnPlateau

calls = []
"""The steps with which `halves` was called."""


class Gentle:
    """A rate that falls by a factor; what it claims is not what it sets."""

    def __init__(self, optimizer, factor=0.5):
        self.optimizer, self.factor = optimizer, factor

    def step(self):
        for group in self.optimizer.param_groups:
            group["lr"] *= self.factor

    def get_lr(self):
        return [123.0]

    get_last_lr = get_lr


class Draws(Gentle):
    """Draws a random number when it is built and at each step."""

    def __init__(self, optimizer):
        super().__init__(optimizer, random.random())

    def step(self):
        self.factor = random.random()
        super().step()


class Still:
    """Has no step."""

    def __init__(self, optimizer):
        pass


class Inherits(Still):
    """Has none either, which its source does not show."""


class Refuses:
    """Cannot be built."""

    def __init__(self, optimizer):
        raise ValueError("[bold]no\x1b[31m way")

    def step(self):
        pass


class Waits(ReduceLROnPlateau):
    """A metric scheduler by another name."""


def halves(step):
    calls.append(step)
    return 0.5**step


NUMBER = 3


class Hoards(Gentle):
    """Tells its state, of which nothing can be made."""

    def state_dict(self):
        return {"seen": {1, 2}}

    def load_state_dict(self, state):
        raise AssertionError("nothing to load")
