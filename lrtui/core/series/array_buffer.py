"""Arrays that grow at their end, and may drop their beginning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Int64Array = NDArray[np.int64]

GROWTH = 1.06
"""Growth factor. Kept small because these arrays dominate memory and copying is cheap."""


class ArrayBuffer:
    """A growable array of one dtype."""

    def __init__(self, dtype: type) -> None:
        self._room: NDArray[Any] = np.empty(0, dtype)
        self.size = 0

    @property
    def nbytes(self) -> int:
        """Bytes held, room to grow included."""
        return self._room.nbytes

    def append(self, block: NDArray[Any]) -> None:
        """Append the numbers of `block`, shape (n,)."""
        wanted = self.size + len(block)
        if wanted > len(self._room):
            self._move(self.view(), max(64, int(wanted * GROWTH)))
        self._room[self.size : wanted] = block
        self.size = wanted

    def drop(self, count: int) -> None:
        """Drop the first `count` numbers and free their memory."""
        kept = self._room[count : self.size]
        self._move(kept, max(64, int(len(kept) * GROWTH)))

    def shorten(self, size: int) -> None:
        """Drop everything after the first `size` numbers."""
        self.size = min(self.size, size)

    def view(self) -> NDArray[Any]:
        """The numbers, shape (size,), as a writable view."""
        return self._room[: self.size]

    def _move(self, kept: NDArray[Any], length: int) -> None:
        room = np.empty(length, self._room.dtype)
        room[: len(kept)] = kept
        self._room, self.size = room, len(kept)
