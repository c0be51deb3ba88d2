"""The steps of a lane that are not flushed yet, a list for each column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from lrtui.core.protocol.column_names import SKIPPED
from lrtui.core.protocol.events import Column, Steps
from lrtui.training.tensors import wide


class StepBuffer:
    """Gathers steps into a block. Losses and norms may be tensors on a device until `read`."""

    def __init__(self, groups: int) -> None:
        """`groups`: number of param groups, each with two columns of rates."""
        self.first = 0
        """Step number of the block's first step; the number of steps flushed before it."""
        self.losses: list[Any] = []
        self.norms: list[Any] = []
        """Gradient norms; None where not measured."""
        self.checked = 0
        """Steps at the block's beginning whose loss and norm were checked."""
        self._applied: list[list[float]] = [[] for _ in range(groups)]
        self._next: list[list[float]] = [[] for _ in range(groups)]
        self._seconds: list[float] = []
        self._extra: dict[str, list[Any]] = {}
        """Numbers that the task's loss() returned beside the loss, by name; NaN if not given."""
        self._exact: Literal["f4", "f8"] = "f4"
        """Type that losses are stored in."""

    @property
    def complete(self) -> bool:
        """True if the next rate of every step is known; at an epoch's end it is known later."""
        return len(self._next[0]) == len(self._seconds)

    def add_extra(self, numbers: Mapping[str, float | Tensor], *, read: bool) -> None:
        """Adds the numbers returned beside a step's loss; call it before `add_loss`. `read`: wait
        for the device."""
        if not (numbers or self._extra):
            return
        for name in numbers.keys() - self._extra.keys():
            self._extra[name] = [math.nan] * len(self.losses)
        for name, values in self._extra.items():
            value = numbers.get(name, math.nan)
            values.append(value.item() if read and isinstance(value, Tensor) else value)

    def add_loss(self, loss: Tensor, *, read: bool) -> Any:
        """Adds a step's loss; returns it as stored: a float if `read`, else the tensor."""
        if loss.dtype == torch.float64:
            self._exact = "f8"
        self.losses.append(loss.item() if read else loss.detach())
        return self.losses[-1]

    def add_applied(self, rates: Iterable[float]) -> None:
        """Adds the rate that each param group is updated with."""
        for column, rate in zip(self._applied, rates, strict=True):
            column.append(rate)

    def replace_applied(self, rates: Iterable[float]) -> None:
        """Replaces the rates of the newest update."""
        for column, rate in zip(self._applied, rates, strict=True):
            column[-1] = rate

    def skip(self) -> None:
        """Marks the newest step as one without an update."""
        self.norms[-1] = None
        self._extra[SKIPPED][-1] = 1.0
        for column in self._applied:
            del column[len(self.losses) - 1 :]  # a fused optimizer was called

    def add_seconds(self, seconds: float) -> None:
        """Ends a step."""
        self._seconds.append(seconds)
        for column in self._applied:
            if len(column) < len(self._seconds):
                column.append(math.nan)

    def set_next(self, rates: Iterable[float]) -> None:
        """Sets the rates that follow the last step, or replaces them."""
        for column, rate in zip(self._next, rates, strict=True):
            if len(column) < len(self._seconds):
                column.append(rate)
            elif column:
                column[-1] = rate

    def read(self) -> None:
        """Reads the unchecked steps' numbers from the device: one wait for each column."""
        fresh = slice(self.checked, None)
        self.losses[fresh] = as_floats(self.losses[fresh])
        self.norms[fresh] = as_floats(self.norms[fresh])
        for values in self._extra.values():
            waiting = [index for index, value in enumerate(values) if isinstance(value, Tensor)]
            floats = as_floats([values[index] for index in waiting])
            for index, value in zip(waiting, floats, strict=True):
                values[index] = value

    def cut_after(self, index: int, seconds: float) -> None:
        """Drops the steps after `index`, whose rates become NaN: it updates nothing, and no step
        follows."""
        for column in (self.losses, self.norms, *self._extra.values()):
            del column[index + 1 :]
        for rates in (*self._applied, *self._next):
            rates[index:] = [math.nan]
        self._seconds[index:] = [seconds]

    def take(self, lane: int) -> Steps | None:
        """Removes the steps whose next rate is known and returns them; None if there are none."""
        count = len(self._next[0])
        if not count:
            return None
        block = self._block(lane, count)
        self.first += count
        self.checked -= count
        for column in (
            self.losses,
            self.norms,
            self._seconds,
            *self._applied,
            *self._next,
            *self._extra.values(),
        ):
            del column[:count]
        return block

    def _block(self, lane: int, count: int) -> Steps:
        norms = [math.nan if norm is None else norm for norm in self.norms[:count]]
        columns = {
            "loss": Column.pack(self.losses[:count], self._exact),
            "grad_norm": Column.pack(norms, "f4"),
            "seconds": Column.pack(self._seconds[:count], "f4"),
        }
        for index, (applied, following) in enumerate(zip(self._applied, self._next, strict=True)):
            suffix = f"/{index}" if index else ""
            columns["applied_lr" + suffix] = Column.pack(applied[:count])
            columns["next_lr" + suffix] = Column.pack(following[:count])
        columns |= {name: Column.pack(values[:count]) for name, values in self._extra.items()}
        return Steps(lane=lane, first=self.first, count=count, columns=columns)

    def state_dict(self) -> dict[str, Any]:
        """The steps that are left after `take`, as plain values."""
        assert not any(self._next), "steps with a known next rate are not flushed"
        return {
            "first": self.first,
            "exact": self._exact == "f8",
            "losses": list(self.losses),
            "norms": list(self.norms),
            "seconds": list(self._seconds),
            "applied": [list(rates) for rates in self._applied],
            "beside": {name: list(values) for name, values in self._extra.items()},
        }

    def load_state_dict(self, kept: dict[str, Any]) -> None:
        """Restores what `state_dict` returned; a param group it does not hold gets NaN rates."""
        self.first = kept["first"]
        self._exact = "f8" if kept["exact"] else "f4"
        self.losses, self.norms = list(kept["losses"]), list(kept["norms"])
        self._seconds = list(kept["seconds"])
        self.checked = len(self.losses)
        # snapshots of earlier versions have no "beside"
        self._extra = {name: list(values) for name, values in kept.get("beside", {}).items()}
        for rates, before in zip(self._applied, kept["applied"], strict=False):
            rates[:] = before
        for rates in self._applied[len(kept["applied"]) :]:
            rates[:] = [math.nan] * len(self.losses)


def as_floats(values: Sequence[Tensor | None]) -> list[float | None]:
    """Scalars on a device as floats, with one wait for all of them; None stays None."""
    scalars = [wide(value).reshape(()) for value in values if value is not None]
    floats = iter(torch.stack(scalars).tolist() if scalars else ())
    return [None if value is None else next(floats) for value in values]
