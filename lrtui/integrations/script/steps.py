"""The steps of a script that are not recorded yet, a row for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from torch import Tensor

from lrtui.core.protocol.column_names import SKIPPED
from lrtui.core.protocol.events import Column, Steps
from lrtui.training.step_buffer import as_floats

NAN = math.nan


class Row(msgspec.Struct):
    """One optimizer step. Losses, norms and `skipped` may be tensors on an accelerator."""

    loss: Any = None
    """None if it was not seen."""
    applied: list[float] = []
    next: list[float] = []
    norm: Any = NAN
    """NaN where it is not measured."""
    seconds: float = NAN
    skipped: Any = 0.0
    numbers: dict[str, Any] = {}
    """Losses of further optimizers, and numbers that the script logged at each step."""


class ScriptSteps:
    """Rows of steps from `first` on."""

    def __init__(self) -> None:
        self.first = 0
        """Number of the first row's step: the steps taken before."""
        self.rows: list[Row] = []
        self._skips = False
        """True once a step was skipped: from then on each block has the column."""

    def take(self, lane: int) -> tuple[Steps, Sequence[float | None], Sequence[float]] | None:
        """Remove all rows; return them as an event, with their losses and gradient norms. None if
        there are none. Waits for an accelerator once."""
        rows, self.rows = self.rows, []
        if not rows:
            return None
        losses = read_floats([NAN if row.loss is None else row.loss for row in rows])
        seen = [None if row.loss is None else loss for row, loss in zip(rows, losses, strict=True)]
        norms = read_floats([row.norm for row in rows])
        skipped = read_floats([row.skipped for row in rows])
        for index, skip in enumerate(skipped):
            if skip:
                rows[index].applied = []
                norms[index] = NAN
        columns = {
            "loss": Column.pack(losses, "f8" if any(map(_is_double, losses)) else "f4"),
            "grad_norm": Column.pack(norms, "f4"),
            "seconds": Column.pack([row.seconds for row in rows], "f4"),
        }
        for group in range(max(max(len(row.applied), len(row.next)) for row in rows) or 1):
            suffix = f"/{group}" if group else ""
            columns["applied_lr" + suffix] = _padded([row.applied for row in rows], group)
            columns["next_lr" + suffix] = _padded([row.next for row in rows], group)
        self._skips = self._skips or any(skipped)
        if self._skips:
            columns[SKIPPED] = Column.pack([float(skip > 0) for skip in skipped], "f4")
        for name in dict.fromkeys(name for row in rows for name in row.numbers):
            columns[name] = Column.pack(read_floats([row.numbers.get(name, NAN) for row in rows]))
        block = Steps(lane=lane, first=self.first, count=len(rows), columns=columns)
        self.first += len(rows)
        return block, seen, norms


def read_floats(values: list[Any]) -> list[float]:
    """The values as floats, with one wait for those on an accelerator."""
    waiting = [index for index, value in enumerate(values) if isinstance(value, Tensor)]
    for index, value in zip(waiting, as_floats([values[at] for at in waiting]), strict=True):
        values[index] = value
    return values


def _is_double(value: float) -> bool:
    """True if a finite loss would lose digits as float32, as a sum of micro-batches does."""
    return math.isfinite(value) and float(np.float32(value)) != value


def _padded(rates: list[list[float]], group: int) -> Column:
    return Column.pack([row[group] if group < len(row) else NAN for row in rates])
