"""Measures, at sampled steps, the step gain (the gain ratio of trust-region methods: actual over
predicted drop of the loss), the loss at the initial weights, and the optimizer's step size.

A sampled step is an ordinary step with three things around it: its state is saved before its
forward pass, the weights are copied before the update, and after the update the same batch is put
through the model once more, and once with the initial weights. All that this changes is restored
(training/recompute.py), so training is the same bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrtui.core.diagnostics.sampling import Sampling
from lrtui.core.protocol.events import Column, Measured
from lrtui.training import update_rules
from lrtui.training.optimizers import applied_rate
from lrtui.training.recompute import Recompute
from lrtui.training.tensors import dense, norm, real

ELEMENTS = 1024
"""Elements of each param group whose rates are measured, evenly spread over it; always the same."""
RATES_EVERY = 4
"""Samples between two at which step size and elements' rates are computed: they take as long as all
the rest."""
QUANTILES = {"rate_p10": 0.1, "rate_p50": 0.5, "rate_p90": 0.9}
_NO_RATES = dict.fromkeys(["step_size", *QUANTILES], math.nan)
ROUNDING = 8
"""Uncertainty of a loss, a sum of many numbers, in units of its type's precision."""


class _Place(NamedTuple):
    """A parameter, and the flat indices of its elements in the fixed sample."""

    parameter: nn.Parameter
    chosen: Tensor


class Sample(NamedTuple):
    """A measured step."""

    gain: float
    predicted: float
    """The drop of the loss that the gradient predicts for the step."""
    change: float
    """Relative change of the loss, actual or predicted, whichever is larger; infinite if
    unknown."""
    loss: float
    initial: float
    """The loss of the same batch at the initial weights; NaN if not computed."""


class Gauge:
    """Measures one lane. Every call except those around a sampled step returns at once."""

    def __init__(
        self,
        lane: int,
        model: nn.Module,
        optimizer: Optimizer,
        sampling: Sampling,
        recompute: Recompute,
    ) -> None:
        self.lane = lane
        self.spent = 0.0
        """Seconds spent on measuring."""
        self._sampling, self._recompute = sampling, recompute
        parts: list[Optimizer] = getattr(optimizer, "parts", [optimizer])
        self._parts = [(part, group) for part in parts for group in part.param_groups]
        self._rules = [update_rules.rule_of(part) for part, _ in self._parts]
        self._places = [_spread(group["params"]) for _, group in self._parts]
        self._initial: list[Tensor] | None = [p.detach().clone() for p in model.parameters()]
        """The initial weights, while steps are compared with them."""
        self._samples = 0
        self.measuring = False
        """True within a sampled step, whose state is not whole before its end."""
        self._before: list[list[Tensor]] = []
        self._asgd_etas: list[float] = []
        self._lrs: list[float] = []
        self._grads: list[list[Tensor | None]] = []
        """Gradients before the update."""
        # torch's own leave them as they are; others normalise them in place
        self._leaves_grads = [type(part).__module__.startswith("torch.") for part, _ in self._parts]
        self._steps: list[int] = []
        self._rows: list[dict[str, float]] = []
        optimizer.register_step_pre_hook(self._before_update)

    @property
    def unmeasured(self) -> str:
        """The reason why the step gain is not measured; '' if it is."""
        return self._recompute.reason

    def notes(self) -> list[str]:
        """Removes and returns the lines for the log."""
        found, self._recompute.notes = self._recompute.notes, []
        return found

    def begin_step(self, step: int) -> None:
        """Begins a step; `step` counts from 0."""
        self.measuring = self._sampling.due(step)
        self._grads = []
        self._recompute.restart()

    def before_forward(self, batch: Any, recompute_loss: Callable[[Any], Tensor]) -> None:
        """Begins a micro-batch of the step, whose loss `recompute_loss` computes once more."""
        if self.measuring:
            began = time.perf_counter()
            self._recompute.begin(batch, recompute_loss)
            self.spent += time.perf_counter() - began

    def after_step(
        self, step: int, loss: Tensor, recompute_loss: Callable[[Any], Tensor]
    ) -> Sample | None:
        """Measures a step after its update, if it is sampled; `recompute_loss` computes the loss of
        one of its batches once more."""
        if not self.measuring:
            return None
        began = time.perf_counter()
        if not self._sampling.compared(step):
            self._initial = None
        with torch.no_grad():
            row, sample = self._measure(loss, recompute_loss)
        self._steps.append(step)
        self._rows.append(row)
        self.measuring, self._before, self._grads = False, [], []
        self.spent += time.perf_counter() - began
        return sample

    def take(self, before: int) -> Measured | None:
        """Removes the samples of steps below `before` and returns them as an event; None if there
        are none."""
        count = sum(step < before for step in self._steps)
        if not count:
            return None
        columns = {
            name: Column.pack([row[name] for row in self._rows[:count]]) for name in self._rows[0]
        }
        steps = self._steps[:count]
        del self._steps[:count], self._rows[:count]
        return Measured(lane=self.lane, steps=steps, columns=columns, spent=self.spent)

    def state_dict(self) -> dict[str, Any]:
        """The samples not taken yet, between two steps, as plain values."""
        return {
            "spent": self.spent,
            "samples": self._samples,
            "recompute": self._recompute.state_dict(),
            "steps": list(self._steps),
            "rows": [dict(row) for row in self._rows],
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Restores what `state_dict` returned, here or in a version that sampled by the clock."""
        self.spent = kept.get("spent", 0.0)
        self._samples = kept["samples"]
        self._recompute.load_state_dict(kept.get("recompute", {}))
        self._steps, self._rows = list(kept["steps"]), [dict(row) for row in kept["rows"]]

    def before_clipping(self) -> None:
        """Copies the gradients, along which the drop of the loss is predicted."""
        if self.measuring:
            began = time.perf_counter()
            self._keep_gradients([False] * len(self._parts))
            self.spent += time.perf_counter() - began

    def _keep_gradients(self, unchanged: list[bool]) -> None:
        """Keeps the gradients of each group: themselves if they stay `unchanged`, else copies."""
        self._grads = [
            [p.grad if same or p.grad is None else p.grad.clone() for p in group["params"]]
            for same, (_, group) in zip(unchanged, self._parts, strict=True)
        ]

    def _before_update(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        if not self.measuring:
            return
        began = time.perf_counter()
        try:
            self._before = [
                [p.detach().clone() for p in group["params"]] for _, group in self._parts
            ]
        except RuntimeError:  # no memory for a copy
            self._before = []
        self._asgd_etas = [
            update_rules.asgd_eta(part, group["params"][0], group) for part, group in self._parts
        ]
        self._lrs = [applied_rate(group) for _, group in self._parts]
        if not self._grads:
            self._keep_gradients(self._leaves_grads)
        self.spent += time.perf_counter() - began

    def _measure(
        self, loss: Tensor, recompute_loss: Callable[[Any], Tensor]
    ) -> tuple[dict[str, float], Sample]:
        predicted = 0.0
        row: dict[str, float] = {}
        for index, (part, group) in enumerate(self._parts):
            suffix = f"/{index}" if index else ""
            numbers, drop = self._numbers(index, part, group)
            predicted += drop
            row |= {name + suffix: value for name, value in numbers.items()}
        self._samples += 1
        before = float(loss)
        after, initial = self._recompute.losses(recompute_loss, self._initial)
        row["gain"] = gain(before, after, predicted, torch.finfo(loss.dtype).eps)
        change = (
            max(abs(predicted), abs(before - after)) / abs(before)
            if before and math.isfinite(after)
            else math.inf
        )
        return row, Sample(row["gain"], predicted, change, before, initial)

    def _numbers(
        self, index: int, part: Optimizer, group: dict[str, Any]
    ) -> tuple[dict[str, float], float]:
        """The numbers of a param group, and the drop that its gradient predicts; NaN for numbers
        that cannot be measured."""
        try:
            numbers, drop = self._group(index, group)
            return (
                numbers
                | (
                    self._rates(index, part, group)
                    if self._samples % RATES_EVERY == 0
                    else _NO_RATES
                ),
                drop,
            )
        except (
            RuntimeError,
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            NotImplementedError,
        ):
            return {"realised": math.nan, "update_ratio": math.nan, **_NO_RATES}, math.nan

    def _group(self, index: int, group: dict[str, Any]) -> tuple[dict[str, float], float]:
        """The numbers of a param group, and the drop of the loss that its gradient predicts for its
        step.

        Real and imaginary parts of complex parameters count as elements; a sparse gradient is made
        dense.
        """
        moved = [
            (real(p.detach()), real(before), dense(grad))
            for p, before, grad in zip(
                group["params"], self._before[index], self._grads[index], strict=True
            )
            if grad is not None
        ]
        if not moved:
            return {"realised": math.nan, "update_ratio": math.nan}, 0.0
        before, grads = [before for _, before, _ in moved], [grad for _, _, grad in moved]
        changes = list(torch._foreach_sub([p for p, _, _ in moved], before))
        along = [product.sum() for product in torch._foreach_mul(grads, changes)]
        drop = -math.fsum(torch.stack(along).tolist())
        update, weight, gradient = (float(norm(part)) for part in (changes, before, grads))
        numbers = {
            "realised": update / gradient if gradient > 0 else math.nan,
            "update_ratio": math.log10(update / weight) if update > 0 and weight > 0 else math.nan,
        }
        return numbers, drop

    def _rates(self, index: int, part: Optimizer, group: dict[str, Any]) -> dict[str, float]:
        """Step size (mean over tensors, weighted by their elements) and quantiles of the
        elementwise rates."""
        rule = self._rules[index]
        if rule is None:
            return {**_NO_RATES, "step_size": self._lrs[index]}
        sizes, counts, rates = [], [], []
        applied = {**group, "lr": self._lrs[index]}
        for place, before in zip(self._places[index], self._before[index], strict=True):
            parameter = place.parameter
            if parameter.grad is None or parameter.grad.layout != torch.strided:
                continue
            one = update_rules.StepContext(
                applied,
                part.state.get(parameter, {}),
                before,
                parameter.grad,
                self._asgd_etas[index],
            )
            sizes.append(rule.step_size(one))
            counts.append(parameter.numel())
            if rule.elementwise is not None and not parameter.is_complex():
                rates.append(rule.elementwise(one, place.chosen).double())
        size = (
            sum(s * n for s, n in zip(sizes, counts, strict=True)) / sum(counts)
            if counts
            else math.nan
        )
        if not rates:
            return {**_NO_RATES, "step_size": size}
        wanted = torch.tensor(list(QUANTILES.values()), dtype=torch.float64, device=rates[0].device)
        return {
            "step_size": size,
            **dict(zip(QUANTILES, torch.quantile(torch.cat(rates), wanted).tolist(), strict=True)),
        }


def gain(before: float, after: float, predicted: float, precision: float) -> float:
    """The step gain: the share of the predicted drop of the loss that was achieved; NaN if it
    cannot be computed.

    1: a step so short that the loss is a straight line along it. 1/2: the lowest point of a
    parabola, the highest rate that helps. Below 0: the loss rose, so the rate is above the
    stability threshold 2 / curvature. `predicted` is minus gradient times change; it is negative if
    momentum carries uphill, and the loss to curvature is then relative to its size. A difference
    within the rounding of the loss (`precision` of its type) counts as none.
    """
    lost = predicted - (before - after)
    if abs(lost) <= ROUNDING * precision * abs(before):
        return 1.0
    return 1.0 - lost / abs(predicted) if predicted and math.isfinite(predicted) else math.nan


def _spread(parameters: list[nn.Parameter]) -> list[_Place]:
    """The fixed sample of a group: ELEMENTS elements, evenly spread over all its tensors."""
    total = sum(p.numel() for p in parameters)
    chosen = (
        torch.linspace(0, max(total - 1, 0), min(total, ELEMENTS), dtype=torch.float64)
        .round()
        .long()
        .unique()
    )
    places, first = [], 0
    for parameter in parameters:
        stop = first + parameter.numel()
        index = chosen[(chosen >= first) & (chosen < stop)] - first
        places.append(_Place(parameter, index.to(parameter.device)))
        first = stop
    return places
