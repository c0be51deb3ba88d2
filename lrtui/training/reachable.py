"""State that a task's code can reach: saved, compared and restored exactly.

Measuring calls the user's loss once more than the plain loop does. Everything that this call may
change (a counter, a buffer assigned anew, a critic and its optimizer, a cache, a generator in a
list, a global variable) is found by following references from the task and the model, not by a list
of what tasks may hold. One walk (object_walk.py) saves it, a second look compares and restores
(saved_state.py).

Of tensors above BULKY bytes no copy is taken once a first comparison found them unchanged (their
version counter is still compared). An iterator has a position that cannot be restored: `fixed`
names each one that is reachable. State that a walk cannot see (in C extensions, threads, shared
memory) is left to the rehearsal in recompute.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Tensor

from lrtui.training import rng
from lrtui.training.object_walk import ObjectWalk, TooLarge
from lrtui.training.saved_state import SavedState
from lrtui.training.state_kinds import ARRAY, GENERATOR, TENSOR

BULKY = 1 << 24
"""Bytes of a tensor or array beyond which it counts as data once a comparison found it
unchanged."""


class Reachable:
    """Follows references from `roots`, a mapping of names to objects; remembers bulky data between
    walks."""

    def __init__(self, roots: Mapping[str, Any]) -> None:
        self._roots = dict(roots)
        self._data: dict[int, Tensor | np.ndarray] = {}
        """Bulky tensors and arrays that a comparison found unchanged, by id."""

    def save(self, **more: Any) -> SavedState:
        """Saves the present state, including that of `more` roots; raises TooLarge if there are too
        many objects."""
        return ObjectWalk({**self._roots, **more}, self._data).run()

    def generators(self) -> list[rng.Generator]:
        """The reachable random generators, each once, in an order that only the code decides."""
        walk = ObjectWalk(self._roots, None)
        with suppress(TooLarge):  # the nearest ones come first
            walk.run()
        return [record.thing for record in walk.records if record.kind is GENERATOR]

    def skip_copies(self, saved: SavedState) -> None:
        """Stops copying the bulky tensors of `saved`, which a comparison found unchanged."""
        for record in saved.records:
            if (
                record.kind is TENSOR and record.thing.numel() * record.thing.element_size() > BULKY
            ) or (record.kind is ARRAY and record.thing.nbytes > BULKY):
                self._data[id(record.thing)] = record.thing
