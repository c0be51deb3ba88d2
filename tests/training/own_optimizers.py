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


def _renewed(kind):
    """Another class, with other options."""

    class Renewed(kind):
        def __init__(self, params, lr=0.03, other=0):
            super().__init__(params, lr)

    return Renewed


class Twice(Signed):
    def __init__(self, params, lr=0.5, first=0):
        super().__init__(params, lr)


class Twice(Signed):  # noqa: F811  # as the last one in force
    def __init__(self, params, lr=0.04, last=0):
        super().__init__(params, lr)


@_renewed
class Decorated(Signed):
    def __init__(self, params, lr=0.5):
        super().__init__(params, lr)


class Rebound(Signed):
    def __init__(self, params, lr=0.5):
        super().__init__(params, lr)


Rebound = _renewed(Signed)  # noqa: F811  # as the last one in force


class _Mixin:
    def __init__(self, unread):
        pass


class Inheriting(torch.optim.AdamW, _Mixin):
    pass


class Counting(Signed):
    """Counts its steps in its state, beside those of parameters."""

    def __init__(self, params, lr=0.02):
        super().__init__(params, lr)
        self.state["steps"] = 0

    def step(self, closure=None):
        self.state["steps"] += 1
        super().step()
