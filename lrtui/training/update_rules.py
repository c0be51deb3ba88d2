"""The update rule of each optimizer: its step size, and the rates of single parameters.

`step_size` is one number for a param group: the factor of the optimizer's direction. `elementwise`
are the rates of single elements: the factors of their gradient (or its running average, if the
optimizer steps along that). The formulas are those of the classes in torch.optim, read from their
state right after the step.
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
    """One parameter tensor right after its step."""

    group: Group
    """Its param group, `lr` as applied."""
    state: State
    """The optimizer's state of this tensor, after the step."""
    before: Tensor
    """The weights before the step."""
    grad: Tensor
    asgd_eta: float
    """ASGD's decayed rate before the step (the state holds the next one after it); else NaN."""

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


class UpdateRule(NamedTuple):
    """The functions that an optimizer applies to its rate."""

    step_size: Callable[[StepContext], float]
    elementwise: Callable[[StepContext, Tensor], Tensor] | None = None
    """Rates at given flat indices; None if elements have no rates of their own: NaN is recorded."""


def rule_of(optimizer: Optimizer) -> UpdateRule | None:
    """The rule of an optimizer, by its class or nearest parent in torch.optim; None if it has no
    such parent."""
    return next(
        (
            _RULES[kind.__name__]
            for kind in type(optimizer).__mro__
            if kind.__name__ in _RULES and kind is getattr(torch.optim, kind.__name__, None)
        ),
        None,
    )


def asgd_eta(optimizer: Optimizer, parameter: nn.Parameter, group: Group) -> float:
    """ASGD's decayed rate for the next step; NaN for every other optimizer."""
    if not isinstance(optimizer, torch.optim.ASGD):
        return math.nan
    state = optimizer.state.get(parameter, {})
    return float(state["eta"] if "eta" in state else group["lr"])


def _lr(step: StepContext) -> float:
    return step.lr


def _same(size: Callable[[StepContext], float]) -> Callable[[StepContext, Tensor], Tensor]:
    """Every element moves at the group's step size."""
    return lambda step, index: torch.full((len(index),), size(step), dtype=torch.float64)


def _corrections(step: StepContext) -> tuple[float, float]:
    """1 - beta^t for both averages of the Adam family."""
    beta1, beta2 = map(float, step.group["betas"])
    return 1 - beta1**step.t, 1 - beta2**step.t


def _adam_size(step: StepContext) -> float:
    """lr * sqrt(1 - beta2^t) / (1 - beta1^t): Kingma and Ba 2015, section 2."""
    first, second = _corrections(step)
    return step.lr * math.sqrt(second) / first


def _adam_rates(step: StepContext, index: Tensor) -> Tensor:
    """lr / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps), along the first moment."""
    first, second = _corrections(step)
    squares = step.at("max_exp_avg_sq" if step.group.get("amsgrad") else "exp_avg_sq", index)
    return step.lr / first / (squares.double().div(second).sqrt() + step.option("eps"))


def _nadam_factor(step: StepContext) -> float:
    """The factors of the gradient and its average, summed (Dozat 2016): exact if the two are
    equal."""
    beta1, decay = float(step.group["betas"][0]), step.option("momentum_decay")
    mu, following = (beta1 * (1 - 0.5 * 0.96 ** ((step.t + ahead) * decay)) for ahead in (0, 1))
    product = float(step.state["mu_product"])
    factor: float = step.lr * ((1 - mu) / (1 - product) + following / (1 - product * following))
    return factor


def _nadam_size(step: StepContext) -> float:
    return _nadam_factor(step) * math.sqrt(_corrections(step)[1])


def _nadam_rates(step: StepContext, index: Tensor) -> Tensor:
    second = _corrections(step)[1]
    return _nadam_factor(step) / (
        step.at("exp_avg_sq", index).double().div(second).sqrt() + step.option("eps")
    )


def _radam_rectified(step: StepContext) -> float | None:
    """The rectification of Liu et al. 2020; None in the first steps, which do not use the second
    moment."""
    beta2, second = float(step.group["betas"][1]), _corrections(step)[1]
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step.t * beta2**step.t / second
    if length <= 5:
        return None
    return math.sqrt(
        (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    )


def _radam_size(step: StepContext) -> float:
    rectified, (first, second) = _radam_rectified(step), _corrections(step)
    return step.lr / first * (1.0 if rectified is None else rectified * math.sqrt(second))


def _radam_rates(step: StepContext, index: Tensor) -> Tensor:
    size = _radam_size(step)
    if _radam_rectified(step) is None:
        return torch.full((len(index),), size, dtype=torch.float64)
    return size / (step.at("exp_avg_sq", index).double().sqrt() + step.option("eps"))


def _adamax_size(step: StepContext) -> float:
    return step.lr / _corrections(step)[0]


def _adamax_rates(step: StepContext, index: Tensor) -> Tensor:
    return _adamax_size(step) / step.at("exp_inf", index).double()


def _rmsprop_rates(step: StepContext, index: Tensor) -> Tensor:
    """lr / (sqrt(v) + eps), of the centered v if `centered`; no bias correction, so the first steps
    are large."""
    squares = step.at("square_avg", index).double()
    if step.group["centered"]:
        squares = (squares - step.at("grad_avg", index).double() ** 2).clamp(min=0)
    return step.lr / (squares.sqrt() + step.option("eps"))


def _adagrad_size(step: StepContext) -> float:
    """lr / (1 + (t - 1) * lr_decay)."""
    return step.lr / (1 + (step.t - 1) * step.option("lr_decay"))


def _adagrad_rates(step: StepContext, index: Tensor) -> Tensor:
    return _adagrad_size(step) / (step.at("sum", index).double().sqrt() + step.option("eps"))


def _adadelta_rates(step: StepContext, index: Tensor) -> Tensor:
    """lr * sqrt(u + eps) / sqrt(v + eps), with u before the step, solved from its value after
    it."""
    rho, eps = step.option("rho"), step.option("eps")
    squares = step.at("square_avg", index).double() + eps
    share = (1 - rho) * step.decayed_grad(index).double() ** 2 / squares
    moved = ((step.at("acc_delta", index).double() - share * eps) / (rho + share)).clamp(min=0)
    return step.lr * ((moved + eps) / squares).sqrt()


def _adafactor_size(step: StepContext) -> float:
    """max(eps2, RMS(w)) * min(lr, 1 / sqrt(t)): Shazeer and Stern 2018, algorithm 4."""
    size: float = step.before.double().norm().item() / math.sqrt(step.before.numel())
    return max(float(step.group["eps"][1]), size) * min(step.lr, 1 / math.sqrt(step.t))


def _adafactor_rates(step: StepContext, index: Tensor) -> Tensor:
    """The step size over the factored root mean square of the gradient, clipped to `d`."""
    eps = float(step.group["eps"][0] or torch.finfo(step.before.dtype).eps)
    if "row_var" in step.state:
        rows, columns = step.state["row_var"].double(), step.state["col_var"].double()
        squares = rows @ columns / rows.mean(dim=-2, keepdim=True).clamp(min=eps)
    else:
        squares = step.state["variance"].double()
    roots = squares.clamp(min=eps * eps).rsqrt()
    clipping = max(
        1.0, ((roots * step.grad).norm() / math.sqrt(roots.numel()) / step.option("d")).item()
    )
    rates: Tensor = roots.reshape(-1)[index] * (_adafactor_size(step) / clipping)
    return rates


def _rprop_size(step: StepContext) -> float:
    """The mean step: Rprop moves each element by its own step, whatever the gradient's size."""
    return float(step.state["step_size"].double().mean())


def _muon_size(step: StepContext) -> float:
    """lr times a factor of the matrix's shape, A x B: sqrt(max(1, A/B)), or 0.2 * sqrt(max(A,
    B))."""
    rows, columns = step.before.shape[:2]
    if step.group.get("adjust_lr_fn") == "match_rms_adamw":
        return step.lr * 0.2 * math.sqrt(max(rows, columns))
    return step.lr * math.sqrt(max(1, rows / columns))


_ADAM = UpdateRule(_adam_size, _adam_rates)
_RULES = {
    "SGD": UpdateRule(_lr, _same(_lr)),
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "NAdam": UpdateRule(_nadam_size, _nadam_rates),
    "RAdam": UpdateRule(_radam_size, _radam_rates),
    "Adamax": UpdateRule(_adamax_size, _adamax_rates),
    "RMSprop": UpdateRule(_lr, _rmsprop_rates),
    "Adagrad": UpdateRule(_adagrad_size, _adagrad_rates),
    "Adadelta": UpdateRule(_lr, _adadelta_rates),
    "Adafactor": UpdateRule(_adafactor_size, _adafactor_rates),
    "ASGD": UpdateRule(lambda step: step.asgd_eta, _same(lambda step: step.asgd_eta)),
    "Rprop": UpdateRule(_rprop_size, lambda step, index: step.at("step_size", index).double()),
    "Muon": UpdateRule(_muon_size),
    "SparseAdam": _ADAM,
}
