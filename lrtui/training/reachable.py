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

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Tensor

from lrtui.training import rng
from lrtui.training.object_walk import ObjectWalk, TooLarge
from lrtui.training.saved_state import SavedState
from lrtui.training.state_kinds import ARRAY, GENERATOR, TENSOR, version

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

    def save(self, *, uncopied: Iterable[Tensor] = (), **more: Any) -> SavedState:
        """Saves the present state, including that of `more` roots; raises TooLarge if there are too
        many objects. Of the tensors `uncopied` only the versions are kept."""
        data = self._data | {id(tensor): tensor for tensor in uncopied}
        return ObjectWalk({**self._roots, **more}, data).run()

    def generators(self) -> list[rng.Generator]:
        """The reachable random generators, each once, in an order that only the code decides."""
        walk = ObjectWalk(self._roots, None)
        with suppress(TooLarge):  # the nearest ones come first
            walk.run()
        return [record.thing for record in walk.records if record.kind is GENERATOR]

    def skip_copies(self, saved: SavedState) -> None:
        """Stops copying the bulky tensors of `saved`, which a comparison found unchanged, except
        those that were written to and put back."""
        for record in saved.records:
            thing = record.thing
            if (
                record.kind is TENSOR
                and thing.numel() * thing.element_size() > BULKY
                and version(thing) == record.content.version
            ) or (record.kind is ARRAY and thing.nbytes > BULKY):
                self._data[id(thing)] = thing
