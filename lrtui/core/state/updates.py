"""Numbers of a lane's steps whose gradients were clipped, and whose update was skipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrtui.core.protocol.column_names import CLIPPED, SKIPPED
from lrtui.core.state.columns import Columns


class UpdateCounts:
    """Steps of a lane by what became of their update; those inherited by a fork do not count."""

    def __init__(self, columns: Columns) -> None:
        self.clipped = 0
        self.skipped = 0
        self._columns = columns

    def extend(self, blocks: dict[str, NDArray[Any]]) -> None:
        """Fold in the columns of a block of steps."""
        self.clipped += _count(blocks.get(CLIPPED))
        self.skipped += _count(blocks.get(SKIPPED))

    def cut(self, step: int) -> None:
        """Count again; `columns` are cut at `step` already."""
        self.clipped, self.skipped = (
            _count(self._columns[name].values) if name in self._columns else 0
            for name in (CLIPPED, SKIPPED)
        )


def _count(flags: NDArray[Any] | None) -> int:
    return 0 if flags is None else int(np.count_nonzero(flags > 0))
