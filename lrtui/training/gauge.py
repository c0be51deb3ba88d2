"""Measures, at sampled steps, what a step really did: the step gain, and what the optimizer made of its rate.

A sampled step is an ordinary step with three things around it: the random state is remembered before its forward pass,
the weights are copied before the update, and after the update the same batch is put through the model once more. The
random state and the buffers (batch norm) are then what they would have been, so training is the same bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrtui.core.events import Column, Measured
from lrtui.core.memory import recall, remembered
from lrtui.core.sampling import Sampling
from lrtui.training import effective, rng

ELEMENTS = 1024
"""Elements of each param group whose own rates are looked at, evenly spread over it; always the same ones."""
RATES_EVERY = 4
"""Step size and single elements' rates are computed at every fourth sample: they take as long as all the rest."""
QUANTILES = {"rate_p10": 0.1, "rate_p50": 0.5, "rate_p90": 0.9}
_NO_RATES = dict.fromkeys(["step_size", *QUANTILES], math.nan)
ROUNDING = 8
"""A loss is a sum of many numbers: it is uncertain by about so many units of its type's precision."""


class _Place(NamedTuple):
    """A parameter, and which of its elements belong to the fixed sample (flat indices)."""

    parameter: nn.Parameter
    chosen: Tensor


class Gauge:
    """The measuring of one lane. Every call but those around a sampled step returns at once."""

    def __init__(self, lane: int, model: nn.Module, optimizer: Optimizer, device: torch.device, sampling: Sampling,
                 held: Sequence[rng.Source] = ()) -> None:
        """`held`: generators beside the global ones that the loss may draw from."""
        self.lane = lane
        self._held = held
        self.sampling = sampling
        self._model, self._device = model, device
        parts: list[Optimizer] = getattr(optimizer, "parts", [optimizer])
        self._parts = [(part, group) for part in parts for group in part.param_groups]
        self._laws = [effective.law(part) for part, _ in self._parts]
        self._places = [_spread(group["params"]) for _, group in self._parts]
        self._samples = 0
        self._graph = False
        self._random: rng.RandomState | None = None
        self._before: list[list[Tensor]] = []
        self._etas: list[float] = []
        self._lrs: list[float] = []
        self._steps: list[int] = []
        self._rows: list[dict[str, float]] = []
        optimizer.register_step_pre_hook(self._before_update)

    def before_forward(self, step: int) -> None:
        """A step begins; `step` counts from 0."""
        if self.sampling.due(step):
            began = time.perf_counter()
            self._random = rng.capture(self._device, self._held)
            self.sampling.spent(time.perf_counter() - began)

    def after_update(self, step: int, loss: Tensor, again: Callable[[], Tensor]) -> float | None:
        """The weights are updated; `again` computes its loss once more. Its gain, if this step was sampled."""
        if self._random is None:
            return None
        began = time.perf_counter()
        with torch.no_grad():
            row = self._measure(loss, again)
        self._steps.append(step)
        self._rows.append(row)
        self._random, self._before = None, []
        self.sampling.sampled(time.perf_counter() - began)
        return row["gain"]

    def take(self, before: int) -> Measured | None:
        """What was measured at steps below `before` and not yet taken, as an event."""
        count = sum(step < before for step in self._steps)
        if not count:
            return None
        columns = {name: Column.pack([row[name] for row in self._rows[:count]]) for name in self._rows[0]}
        steps = self._steps[:count]
        del self._steps[:count], self._rows[:count]
        return Measured(lane=self.lane, at=time.time(), steps=steps, columns=columns, spent=self.sampling.total_spent)

    def state_dict(self) -> dict[str, Any]:
        """What was measured and not yet taken, and the plan of what comes, between two steps, as plain values."""
        return {"sampling": remembered(self.sampling), "samples": self._samples, "graph": self._graph,
                "steps": list(self._steps), "rows": [dict(row) for row in self._rows]}

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Takes what `state_dict` gave."""
        recall(self.sampling, kept["sampling"])
        self._samples, self._graph = kept["samples"], kept["graph"]
        self._steps, self._rows = list(kept["steps"]), [dict(row) for row in kept["rows"]]

    def _before_update(self, optimizer: Optimizer, args: object, kwargs: object) -> None:
        if self._random is None:
            return
        began = time.perf_counter()
        self._before = [[p.detach().clone() for p in group["params"]] for _, group in self._parts]
        self._etas = [effective.eta(part, group["params"][0], group) for part, group in self._parts]
        self._lrs = [float(group["lr"]) for _, group in self._parts]
        self.sampling.spent(time.perf_counter() - began)

    def _measure(self, loss: Tensor, again: Callable[[], Tensor]) -> dict[str, float]:
        predicted = 0.0
        row: dict[str, float] = {}
        for index, (part, group) in enumerate(self._parts):
            suffix = f"/{index}" if index else ""
            numbers, drop = self._group(index, group)
            numbers |= self._rates(index, part, group) if self._samples % RATES_EVERY == 0 else _NO_RATES
            predicted += drop
            row |= {name + suffix: value for name, value in numbers.items()}
        self._samples += 1
        row["gain"] = gain(loss.item(), self._once_more(again), predicted, torch.finfo(loss.dtype).eps)
        return row

    def _once_more(self, again: Callable[[], Tensor]) -> float:
        """The loss of the same batch with the same random numbers after the step; buffers and random state stay as they are.

        NaN where the task cannot compute it: a lane never ends because it is measured.
        """
        assert self._random is not None
        buffers = list(self._model.buffers())
        kept = [buffer.clone() for buffer in buffers]
        after = rng.capture(self._device, self._held)
        rng.restore(self._random, self._device, self._held)
        try:
            with torch.set_grad_enabled(self._graph):
                return again().item()
        except (Exception, SystemExit):
            self._graph = True  # the loss may itself ask for gradients: then the next sample gives it what it needs
            return math.nan
        finally:
            rng.restore(after, self._device, self._held)
            for buffer, value in zip(buffers, kept, strict=True):
                buffer.copy_(value)

    def _group(self, index: int, group: dict[str, Any]) -> tuple[dict[str, float], float]:
        """The numbers of a param group, and the drop of the loss that its gradient predicts for its step."""
        moved = [(p.detach(), before, p.grad) for p, before in zip(group["params"], self._before[index], strict=True)
                 if p.grad is not None and not p.grad.is_sparse]
        if not moved:
            return {"realised": math.nan, "update_ratio": math.nan}, 0.0
        before, grads = [before for _, before, _ in moved], [grad for _, _, grad in moved]
        changes = list(torch._foreach_sub([p for p, _, _ in moved], before))
        along = [product.sum() for product in torch._foreach_mul(grads, changes)]
        drop = -math.fsum(torch.stack(along).tolist())
        update, weight, gradient = map(_norm, (changes, before, grads))
        numbers = {
            "realised": update / gradient if gradient > 0 else math.nan,
            "update_ratio": math.log10(update / weight) if update > 0 and weight > 0 else math.nan,
        }
        return numbers, drop

    def _rates(self, index: int, part: Optimizer, group: dict[str, Any]) -> dict[str, float]:
        """Step size (mean over tensors, weighted by their elements) and quantiles of the elementwise rates."""
        law = self._laws[index]
        if law is None:
            return {**_NO_RATES, "step_size": self._lrs[index]}
        sizes, counts, rates = [], [], []
        applied = {**group, "lr": self._lrs[index]}
        for place, before in zip(self._places[index], self._before[index], strict=True):
            parameter = place.parameter
            if parameter.grad is None or parameter.grad.is_sparse:
                continue
            one = effective.Stepped(applied, part.state.get(parameter, {}), before, parameter.grad, self._etas[index])
            sizes.append(law.step_size(one))
            counts.append(parameter.numel())
            if law.elementwise is not None:
                rates.append(law.elementwise(one, place.chosen).double())
        size = sum(s * n for s, n in zip(sizes, counts, strict=True)) / sum(counts) if counts else math.nan
        if not rates:
            return {**_NO_RATES, "step_size": size}
        wanted = torch.tensor(list(QUANTILES.values()), dtype=torch.float64, device=rates[0].device)
        return {"step_size": size, **dict(zip(QUANTILES, torch.quantile(torch.cat(rates), wanted).tolist(), strict=True))}


def gain(before: float, after: float, predicted: float, precision: float) -> float:
    """The step gain: how much of the predicted drop of the loss really came about, NaN where nothing can be said.

    1 is a step so short that the loss is a straight line along it; 1/2 the lowest point of a parabola, where the rate is as
    high as helps; below 0 the loss rose: the rate is above the stability threshold 2 / curvature. `predicted` is
    -gradient * change; where momentum carries uphill it is negative, and what is lost to curvature counts against its size.
    A difference within the rounding of the loss (`precision` of its type) counts as none.
    """
    lost = predicted - (before - after)
    if abs(lost) <= ROUNDING * precision * abs(before):
        return 1.0
    return 1.0 - lost / abs(predicted) if predicted and math.isfinite(predicted) else math.nan


def _norm(tensors: list[Tensor]) -> float:
    return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors))))


def _spread(parameters: list[nn.Parameter]) -> list[_Place]:
    """The fixed sample of a group: ELEMENTS of its elements, evenly spread over all its tensors."""
    total = sum(p.numel() for p in parameters)
    chosen = torch.linspace(0, max(total - 1, 0), min(total, ELEMENTS), dtype=torch.float64).round().long().unique()
    places, first = [], 0
    for parameter in parameters:
        stop = first + parameter.numel()
        index = chosen[(chosen >= first) & (chosen < stop)] - first
        places.append(_Place(parameter, index.to(parameter.device)))
        first = stop
    return places
