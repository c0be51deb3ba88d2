"""The `greedy` schedule of transformers (GreedyLR, arXiv 2512.14527): raises the rate while a
metric improves, lowers it when that stops."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from torch.optim import Optimizer


# More than 20 attributes: the options and the counters of the implementation in transformers.
class GreedyLR:
    """Divides the rates by `factor` after more than `patience` better metrics in a row, multiplies
    them after as many worse.

    After a reduction `cooldown` metrics are skipped, after an increase `warmup`. After
    `reset_start` reductions in a row at the lowest rates, `min_lr`, everything begins anew at the
    initial rates. `smooth`: the metric is the mean of the last `window_size`.
    """

    _best: float
    _good: int
    """Better metrics in a row."""
    _bad: int
    _cooldown: int
    """Metrics still to skip."""
    _warmup: int
    _left: int
    """Reductions at the lowest rates until everything begins anew."""
    _values: deque[float]
    _sum: float

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.95,
        patience: int = 10,
        threshold: float = 1e-6,
        threshold_mode: str = "abs",
        cooldown: int = 0,
        warmup: int = 0,
        min_lr: float | list[float] = 1e-3,
        max_lr: float | list[float] = 1.0,
        eps: float = 1e-8,
        smooth: bool = False,
        window_size: int = 50,
        reset_start: int = 500,
    ) -> None:
        self.optimizer = optimizer
        self._sign = 1.0 if mode == "min" else -1.0
        self._factor, self._patience = factor, patience
        self._threshold, self._relative = threshold, threshold_mode == "rel"
        self._pauses = {"reduced": cooldown, "raised": warmup}
        self._lowest, self._highest = self._each("min_lr", min_lr), self._each("max_lr", max_lr)
        self._eps = eps
        self._initial = [float(group["lr"]) for group in optimizer.param_groups]
        self._smooth, self._window, self._reset_start = smooth, window_size, reset_start
        self._begin()

    def step(self, metric: float) -> None:
        """Takes the metric of an epoch."""
        current = self._averaged(metric)
        if self._cooldown or self._warmup:
            if self._cooldown:
                self._cooldown -= 1
            else:
                self._warmup -= 1
            self._good = self._bad = 0
            return
        if self._is_better(current):
            self._best, self._good, self._bad = current, self._good + 1, 0
        else:
            self._good, self._bad = 0, self._bad + 1
        if self._good > self._patience:
            self._raise()
        elif self._bad > self._patience:
            self._reduce()

    def state_dict(self) -> dict[str, Any]:
        """The state as plain values, without options and rates."""
        return {
            "best": self._best,
            "good": self._good,
            "bad": self._bad,
            "cooldown": self._cooldown,
            "warmup": self._warmup,
            "left": self._left,
            "values": list(self._values),
            "sum": self._sum,
            "initial": list(self._initial),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what `state_dict` returned."""
        self._best, self._good, self._bad = state["best"], state["good"], state["bad"]
        self._cooldown, self._warmup, self._left = state["cooldown"], state["warmup"], state["left"]
        self._values, self._sum, self._initial = (
            deque(state["values"]),
            state["sum"],
            list(state["initial"]),
        )

    def _begin(self) -> None:
        self._best = math.inf * self._sign
        self._good = self._bad = self._cooldown = self._warmup = 0
        self._left = self._reset_start
        self._values = deque()
        self._sum = 0.0

    def _each(self, name: str, value: float | list[float]) -> list[float]:
        """One number for each param group."""
        groups = len(self.optimizer.param_groups)
        values = value if isinstance(value, list) else [value] * groups
        if len(values) != groups:
            raise ValueError(
                f"{name} has {len(values)} values, and the optimizer has {groups} param groups"
            )
        return values

    def _averaged(self, metric: float) -> float:
        """The metric, or the mean of the last ones, summed in the order of transformers."""
        if not self._smooth:
            return metric
        self._values.append(metric)
        self._sum += metric
        if len(self._values) > self._window:
            self._sum -= self._values.popleft()
        return self._sum / len(self._values)

    def _is_better(self, metric: float) -> bool:
        margin = self._sign * self._threshold
        bar = self._best * (1.0 - margin) if self._relative else self._best - margin
        return metric < bar if self._sign > 0 else metric > bar

    def _raise(self) -> None:
        for group, highest in zip(self.optimizer.param_groups, self._highest, strict=True):
            rate = min(float(group["lr"]) / self._factor, highest)
            if rate - group["lr"] > self._eps:
                group["lr"] = rate
        self._left = self._reset_start
        self._warmup, self._good = self._pauses["raised"], 0

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        for group, lowest in zip(groups, self._lowest, strict=True):
            rate = max(float(group["lr"]) * self._factor, lowest)
            if group["lr"] - rate > self._eps:
                group["lr"] = rate
        if all(group["lr"] <= lowest for group, lowest in zip(groups, self._lowest, strict=True)):
            self._left -= 1
            if self._left <= 0:
                for group, rate in zip(groups, self._initial, strict=True):
                    group["lr"] = rate
                self._begin()
        self._cooldown, self._bad = self._pauses["reduced"], 0
