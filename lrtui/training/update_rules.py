"""What each optimizer makes of its learning rate: the size of its step, and the rate of single
parameters.

`step_size` is one number for a param group: what multiplies the optimizer's direction.
`elementwise` are the rates of single elements: what multiplies their gradient (or its running
average, where the optimizer steps along that). The formulas are those of the classes in
torch.optim, read from their state right after the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

State = dict[str, Any]
Group = dict[str, Any]


class StepContext(NamedTuple):
    """One parameter tensor whose step has just been done."""

    group: Group
    """Its param group, `lr` as applied."""
    state: State
    """The optimizer's state of this tensor, after the step."""
    before: Tensor
    """The weights before the step."""
    grad: Tensor
    eta: float
    """ASGD's own rate as it was before the step (afterwards the state holds the next one);
    elsewhere NaN."""

    @property
    def lr(self) -> float:
        return float(self.group["lr"])

    def option(self, key: str) -> float:
        """An option of the group."""
        return float(self.group[key])

    @property
    def t(self) -> float:
        """Steps done with this tensor, this one included."""
        return float(self.state["step"])

    def at(self, key: str, index: Tensor) -> Tensor:
        """Elements of a state tensor, shape (len(index),)."""
        elements: Tensor = self.state[key].reshape(-1)[index]
        return elements

    def decayed_grad(self, index: Tensor) -> Tensor:
        """Elements of the gradient with the weight decay that the optimizer adds to it."""
        decay = float(self.group.get("weight_decay", 0.0))
        decayed: Tensor = self.grad.reshape(-1)[index] + decay * self.before.reshape(-1)[index]
        return decayed


class Law(NamedTuple):
    """How an optimizer uses its rate."""

    step_size: Callable[[StepContext], float]
    elementwise: Callable[[StepContext, Tensor], Tensor] | None = None
    """Rates at some flat indices; None where single elements have no rate of their own (NaN is
    recorded)."""


def law(optimizer: Optimizer) -> Law | None:
    """The law of an optimizer by its class or the nearest parent that torch.optim has; None for one
    of another kind."""
    return next(
        (
            _LAWS[kind.__name__]
            for kind in type(optimizer).__mro__
            if kind.__name__ in _LAWS and kind is getattr(torch.optim, kind.__name__, None)
        ),
        None,
    )


def eta(optimizer: Optimizer, parameter: nn.Parameter, group: Group) -> float:
    """ASGD's own rate for the step that comes; NaN for every other optimizer."""
    if not isinstance(optimizer, torch.optim.ASGD):
        return math.nan
    state = optimizer.state.get(parameter, {})
    return float(state["eta"] if "eta" in state else group["lr"])


def _lr(one: StepContext) -> float:
    return one.lr


def _same(size: Callable[[StepContext], float]) -> Callable[[StepContext, Tensor], Tensor]:
    """Every element moves at the group's step size."""
    return lambda one, index: torch.full((len(index),), size(one), dtype=torch.float64)


def _corrections(one: StepContext) -> tuple[float, float]:
    """1 - beta^t for both averages of the Adam family."""
    beta1, beta2 = map(float, one.group["betas"])
    return 1 - beta1**one.t, 1 - beta2**one.t


def _adam_size(one: StepContext) -> float:
    """lr * sqrt(1 - beta2^t) / (1 - beta1^t): Kingma and Ba 2015, section 2."""
    first, second = _corrections(one)
    return one.lr * math.sqrt(second) / first


def _adam_rates(one: StepContext, index: Tensor) -> Tensor:
    """lr / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps), along the first moment."""
    first, second = _corrections(one)
    squares = one.at("max_exp_avg_sq" if one.group.get("amsgrad") else "exp_avg_sq", index)
    return one.lr / first / (squares.double().div(second).sqrt() + one.option("eps"))


def _nadam_factor(one: StepContext) -> float:
    """The sum of what multiplies the gradient and its average (Dozat 2016): the factor where the
    two are equal."""
    beta1, decay = float(one.group["betas"][0]), one.option("momentum_decay")
    mu, following = (beta1 * (1 - 0.5 * 0.96 ** ((one.t + ahead) * decay)) for ahead in (0, 1))
    product = float(one.state["mu_product"])
    factor: float = one.lr * ((1 - mu) / (1 - product) + following / (1 - product * following))
    return factor


def _nadam_size(one: StepContext) -> float:
    return _nadam_factor(one) * math.sqrt(_corrections(one)[1])


def _nadam_rates(one: StepContext, index: Tensor) -> Tensor:
    second = _corrections(one)[1]
    return _nadam_factor(one) / (
        one.at("exp_avg_sq", index).double().div(second).sqrt() + one.option("eps")
    )


def _radam_rectified(one: StepContext) -> float | None:
    """The rectification of Liu et al. 2020, None in the first steps, where the second moment is not
    used."""
    beta2, second = float(one.group["betas"][1]), _corrections(one)[1]
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * one.t * beta2**one.t / second
    if length <= 5:
        return None
    return math.sqrt(
        (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    )


def _radam_size(one: StepContext) -> float:
    rectified, (first, second) = _radam_rectified(one), _corrections(one)
    return one.lr / first * (1.0 if rectified is None else rectified * math.sqrt(second))


def _radam_rates(one: StepContext, index: Tensor) -> Tensor:
    size = _radam_size(one)
    if _radam_rectified(one) is None:
        return torch.full((len(index),), size, dtype=torch.float64)
    return size / (one.at("exp_avg_sq", index).double().sqrt() + one.option("eps"))


def _adamax_size(one: StepContext) -> float:
    return one.lr / _corrections(one)[0]


def _adamax_rates(one: StepContext, index: Tensor) -> Tensor:
    return _adamax_size(one) / one.at("exp_inf", index).double()


def _rmsprop_rates(one: StepContext, index: Tensor) -> Tensor:
    """lr / (sqrt(v) + eps), of the centered v where asked for; no bias correction, so the first
    steps are large."""
    squares = one.at("square_avg", index).double()
    if one.group["centered"]:
        squares = (squares - one.at("grad_avg", index).double() ** 2).clamp(min=0)
    return one.lr / (squares.sqrt() + one.option("eps"))


def _adagrad_size(one: StepContext) -> float:
    """lr / (1 + (t - 1) * lr_decay)."""
    return one.lr / (1 + (one.t - 1) * one.option("lr_decay"))


def _adagrad_rates(one: StepContext, index: Tensor) -> Tensor:
    return _adagrad_size(one) / (one.at("sum", index).double().sqrt() + one.option("eps"))


def _adadelta_rates(one: StepContext, index: Tensor) -> Tensor:
    """lr * sqrt(u + eps) / sqrt(v + eps), u as it was before the step: found back from its value
    after it."""
    rho, eps = one.option("rho"), one.option("eps")
    squares = one.at("square_avg", index).double() + eps
    share = (1 - rho) * one.decayed_grad(index).double() ** 2 / squares
    moved = ((one.at("acc_delta", index).double() - share * eps) / (rho + share)).clamp(min=0)
    return one.lr * ((moved + eps) / squares).sqrt()


def _adafactor_size(one: StepContext) -> float:
    """max(eps2, RMS(w)) * min(lr, 1 / sqrt(t)): Shazeer and Stern 2018, algorithm 4."""
    size: float = one.before.double().norm().item() / math.sqrt(one.before.numel())
    return max(float(one.group["eps"][1]), size) * min(one.lr, 1 / math.sqrt(one.t))


def _adafactor_rates(one: StepContext, index: Tensor) -> Tensor:
    """The step size over the factored root mean square of the gradient, clipped to `d`."""
    eps = float(one.group["eps"][0] or torch.finfo(one.before.dtype).eps)
    if "row_var" in one.state:
        rows, columns = one.state["row_var"].double(), one.state["col_var"].double()
        squares = rows @ columns / rows.mean(dim=-2, keepdim=True).clamp(min=eps)
    else:
        squares = one.state["variance"].double()
    roots = squares.clamp(min=eps * eps).rsqrt()
    clipping = max(
        1.0, ((roots * one.grad).norm() / math.sqrt(roots.numel()) / one.option("d")).item()
    )
    rates: Tensor = roots.reshape(-1)[index] * (_adafactor_size(one) / clipping)
    return rates


def _rprop_size(one: StepContext) -> float:
    """The mean step: Rprop moves each element by its own, whatever the gradient's size."""
    return float(one.state["step_size"].double().mean())


def _muon_size(one: StepContext) -> float:
    """lr times what Muon makes of the matrix's shape, A x B: sqrt(max(1, A/B)), or 0.2 *
    sqrt(max(A, B))."""
    rows, columns = one.before.shape[:2]
    if one.group.get("adjust_lr_fn") == "match_rms_adamw":
        return one.lr * 0.2 * math.sqrt(max(rows, columns))
    return one.lr * math.sqrt(max(1, rows / columns))


_ADAM = Law(_adam_size, _adam_rates)
_LAWS = {
    "SGD": Law(_lr, _same(_lr)),
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "NAdam": Law(_nadam_size, _nadam_rates),
    "RAdam": Law(_radam_size, _radam_rates),
    "Adamax": Law(_adamax_size, _adamax_rates),
    "RMSprop": Law(_lr, _rmsprop_rates),
    "Adagrad": Law(_adagrad_size, _adagrad_rates),
    "Adadelta": Law(_lr, _adadelta_rates),
    "Adafactor": Law(_adafactor_size, _adafactor_rates),
    "ASGD": Law(lambda one: one.eta, _same(lambda one: one.eta)),
    "Rprop": Law(_rprop_size, lambda one, index: one.at("step_size", index).double()),
    "Muon": Law(_muon_size),
    "SparseAdam": _ADAM,
}
