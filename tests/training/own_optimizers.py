"""Optimizers of a user: torch's interface with whatever beside it."""

import torch


class Signed(torch.optim.Optimizer):
    """Sign descent that normalises the gradients in place."""

    def __init__(self, params, lr=0.02, decay=0.0, nested=None):
        super().__init__(params, {"lr": lr, "decay": decay, "count": 0})
        self.nested = nested

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            group["count"] += 1
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["decay"] * group["lr"])
                    p.add_(p.grad.sign_(), alpha=-group["lr"] / group["count"] ** 0.5)


class Warm(Signed):
    """Takes anything."""

    def __init__(self, params, lr=0.02, **options):
        self.options = options
        super().__init__(params, lr)


class NotOne:
    """No optimizer at all."""

    def __init__(self, params, lr=0.1):
        self.lr = lr

    def step(self):
        pass
